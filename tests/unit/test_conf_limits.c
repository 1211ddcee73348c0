/* SPDX-License-Identifier: Apache-2.0 */
/* Each limit of the configuration at the limit and one past it; and input that means harm. */
#include "test_conf_base.h"

#include "base/os.h"

/* A growing text. */
struct text {
	char *p;
	size_t size;
	FILE *f;
};

static void text_open(struct text *t)
{
	t->f = open_memstream(&t->p, &t->size);
	assert_non_null(t->f);
}

static int load_and_drop(struct text *t, const char *sluice, struct errbuf *err)
{
	struct conf *c;
	int rc;

	assert_int_equal(fclose(t->f), 0);
	err->s[0] = 0;
	rc = sluice ? conf_load_mem(sluice, strlen(sluice), t->p, t->size, &c, err)
		    : conf_load_mem(t->p, t->size, base_catalog, sizeof(base_catalog) - 1, &c, err);
	if (rc == 0)
		conf_free(c);
	free(t->p);
	return rc;
}

/* How many of what a catalogue has; 0 takes one, or none where that is allowed. */
struct shape {
	unsigned vendors, slots, services, hosts, regions, nodes, isps, streams, zones, windows,
		places, pool, globs, asns, region_globs;
	unsigned vendor_name, region_name, service_name, stream_name, isp_name, host;
};

static unsigned or_one(unsigned n)
{
	return n ? n : 1;
}

/* A name of n octets that begins with the letter and ends with the number. */
static void put_name(FILE *f, char letter, unsigned i, unsigned octets)
{
	char digits[16];
	int used = snprintf(digits, sizeof(digits), "%u", i) + 1;

	(void)fputc(letter, f);
	for (unsigned k = (unsigned)used; k < octets; k++)
		(void)fputc('x', f);
	(void)fputs(digits, f);
}

static void put_vendor(FILE *f, const struct shape *s, unsigned v)
{
	(void)fputs("  - name: ", f);
	put_name(f, 'v', v, s->vendor_name);
	(void)fputs("\n    max_mbps: 1\n    windows:\n", f);
	for (unsigned i = 0; i < or_one(s->windows); i++)
		(void)fputs("      - {from: \"10:00\", to: \"11:00\"}\n", f);
	(void)fputs("    addresses:\n", f);
	for (unsigned i = 0; i < or_one(s->places); i++) {
		(void)fputs("      - {groups: [CN", f);
		for (unsigned k = 1; k < s->globs; k++)
			(void)fputs(", CN", f);
		(void)fputs("], a: [192.0.2.1", f);
		for (unsigned k = 1; k < s->pool; k++)
			(void)fputs(", 192.0.2.2", f);
		(void)fputs("]}\n", f);
	}
	/* all regions are the first vendor's but one, so that the sum over vendors is what counts
	 */
	if (s->regions == 0 || v > 1)
		return;
	(void)fputs("    regions:\n", f);
	for (unsigned i = 0; i < (v ? 1 : SL_MAX(1, s->regions - 1)); i++) {
		(void)fputs("      - {name: ", f);
		put_name(f, 'r', i, s->region_name);
		(void)fprintf(f, ", groups: [%c%c", 'A' + i / 26, 'A' + i % 26);
		for (unsigned k = 1; k < s->region_globs; k++)
			(void)fprintf(f, ", %c%c/%u", 'A' + i / 26, 'A' + i % 26, k);
		(void)fputs("]}\n", f);
	}
}

static void put_service(FILE *f, const struct shape *s, unsigned i)
{
	/* the last service has the hosts that are left */
	unsigned hosts = i + 1 < or_one(s->services)
				 ? 1
				 : SL_MAX(1, (int)or_one(s->hosts) - (int)or_one(s->services) + 1);

	(void)fputs("  - name: ", f);
	put_name(f, 's', i, s->service_name);
	(void)fputs("\n    hosts: [", f);
	for (unsigned k = 0; k < hosts; k++) {
		(void)fprintf(f, "%s", k ? ", " : "");
		for (unsigned n = 0; n + 60 <= s->host; n += 60)
			(void)fprintf(f, "%059d.", 0);
		(void)fprintf(f, "%.*sh%u-%u.z0", (int)(s->host ? s->host % 60 : 0),
			"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", i, k);
	}
	(void)fputs("]\n    vendors:\n", f);
	for (unsigned k = 0; k < or_one(s->slots); k++) {
		(void)fputs("      - vendor: ", f);
		put_name(f, 'v', k, s->vendor_name);
		(void)fputc('\n', f);
	}
}

static int load_shape(const struct shape *s, struct errbuf *err)
{
	struct text t;

	text_open(&t);
	(void)fputs("vendors:\n", t.f);
	for (unsigned i = 0; i < SL_MAX(or_one(s->vendors), or_one(s->slots)); i++)
		put_vendor(t.f, s, i);
	(void)fputs(s->nodes ? "nodes:\n" : "", t.f);
	for (unsigned i = 0; i < s->nodes; i++)
		(void)fprintf(t.f,
			"  - {name: n%u, vendor: v0, group: CN, capacity_mbps: 1, a: [192.0.2.1]}"
			"\n",
			i);
	(void)fputs("services:\n", t.f);
	for (unsigned i = 0; i < or_one(s->services); i++)
		put_service(t.f, s, i);
	(void)fputs("zones:\n", t.f);
	for (unsigned i = 0; i < or_one(s->zones); i++)
		(void)fprintf(t.f, "  - {name: z%u, file: /dev/null}\n", i);
	(void)fputs(s->streams ? "streams:\n" : "", t.f);
	for (unsigned i = 0; i < s->streams; i++) {
		(void)fputs("  - {name: ", t.f);
		put_name(t.f, 'm', i, s->stream_name);
		(void)fputs(", service: s0, vendors: [v0]}\n", t.f);
	}
	(void)fputs(s->isps ? "isps:\n" : "", t.f);
	for (unsigned i = 0; i < s->isps; i++) {
		(void)fputs("  - {name: ", t.f);
		put_name(t.f, 'i', i, s->isp_name);
		(void)fprintf(t.f, ", asns: [%u", i * 5000 + 1);
		for (unsigned k = 1; k < s->asns; k++)
			(void)fprintf(t.f, ", %u", i * 5000 + 1 + k);
		(void)fputs("]}\n", t.f);
	}
	return load_and_drop(&t, "{}", err);
}

static void holds_each_limit(void **state)
{
	static const struct {
		const char *about;
		struct shape at, past;
		const char *want; /* a part of the refusal */
	} rows[] = {
		{"vendors", {.vendors = SL_MAX_VENDORS}, {.vendors = SL_MAX_VENDORS + 1},
			"vendors: too many entries"},
		{"vendors of a service", {.slots = SL_MAX_SLOTS}, {.slots = SL_MAX_SLOTS + 1},
			"services[0].vendors: too many entries"},
		{"services", {.services = SL_MAX_SERVICES}, {.services = SL_MAX_SERVICES + 1},
			"services: too many entries"},
		{"hosts of a service", {.hosts = SL_MAX_HOSTS}, {.hosts = SL_MAX_HOSTS + 1},
			"services[0].hosts: too many entries"},
		{"hosts of all services", {.services = 2, .hosts = SL_MAX_HOSTS},
			{.services = 2, .hosts = SL_MAX_HOSTS + 1},
			"services[1].hosts: too many hosts, got 257 of all services"},
		{"regions of all vendors", {.vendors = 2, .regions = SL_MAX_REGIONS},
			{.vendors = 2, .regions = SL_MAX_REGIONS + 1},
			"vendors[1].regions: too many regions, got 257"},
		{"regions of a vendor", {.regions = SL_MAX_REGIONS + 1},
			{.regions = SL_MAX_REGIONS + 2}, "vendors[0].regions: too many entries"},
		{"nodes", {.nodes = SL_MAX_NODES}, {.nodes = SL_MAX_NODES + 1},
			"nodes: too many entries"},
		{"carriers", {.isps = SL_MAX_ISPS}, {.isps = SL_MAX_ISPS + 1},
			"isps: too many entries"},
		{"AS numbers", {.isps = 1, .asns = CONF_MAX_ASNS},
			{.isps = 1, .asns = CONF_MAX_ASNS + 1}, "isps[0].asns: too many entries"},
		{"zones", {.zones = CONF_MAX_ZONES}, {.zones = CONF_MAX_ZONES + 1},
			"zones: too many entries"},
		{"windows", {.windows = CONF_MAX_WINDOWS}, {.windows = CONF_MAX_WINDOWS + 1},
			"vendors[0].windows: too many entries"},
		{"address entries", {.places = CONF_MAX_PLACES}, {.places = CONF_MAX_PLACES + 1},
			"vendors[0].addresses: too many entries"},
		{"addresses of an entry", {.pool = CONF_MAX_POOL}, {.pool = CONF_MAX_POOL + 1},
			"vendors[0].addresses[0].a: too many entries"},
		{"patterns", {.globs = CONF_MAX_GLOBS}, {.globs = CONF_MAX_GLOBS + 1},
			"vendors[0].addresses[0].groups: too many entries"},
		{"patterns of a region", {.regions = 1, .region_globs = CONF_MAX_REGION_GLOBS},
			{.regions = 1, .region_globs = CONF_MAX_REGION_GLOBS + 1},
			"vendors[0].regions[0].groups: too many entries"},
		{"octets of a vendor", {.vendor_name = SL_MAX_NAME},
			{.vendor_name = SL_MAX_NAME + 1}, "vendors[0].name: too long"},
		{"octets of a region", {.regions = 1, .region_name = SL_MAX_NAME},
			{.regions = 1, .region_name = SL_MAX_NAME + 1},
			"vendors[0].regions[0].name: too long"},
		{"octets of a service", {.service_name = SL_MAX_NAME},
			{.service_name = SL_MAX_NAME + 1}, "services[0].name: too long"},
		{"octets of a carrier", {.isps = 1, .isp_name = SL_MAX_NAME},
			{.isps = 1, .isp_name = SL_MAX_NAME + 1}, "isps[0].name: too long"},
		{"octets of a host", {.host = 246}, {.host = 247},
			"services[0].hosts[0]: bad value"},
	};
	struct errbuf err;
	int bad = 0;

	(void)state;
	for (size_t i = 0; i < SL_COUNT(rows); i++) {
		if (load_shape(&rows[i].at, &err) != 0) {
			(void)fprintf(stderr, "%s: at the limit: %s\n", rows[i].about, err.s);
			bad++;
		}
		if (load_shape(&rows[i].past, &err) == 0 || !strstr(err.s, rows[i].want)) {
			(void)fprintf(stderr, "%s: past the limit: %s\n", rows[i].about, err.s);
			bad++;
		}
	}
	assert_int_equal(bad, 0);
}

/* The largest catalogue: it fits, and one more stream is refused without reading the rest. */
static void holds_the_limit_of_streams(void **state)
{
	struct shape s = {.streams = SL_MAX_STREAMS, .stream_name = SL_MAX_NAME};
	struct errbuf err;

	(void)state;
	if (load_shape(&s, &err) != 0)
		fail_msg("%s", err.s);
	s.streams++;
	assert_int_equal(load_shape(&s, &err), SL_ELIMIT);
	assert_non_null(strstr(err.s, "streams: too many entries"));
	s = (struct shape){.streams = 1, .stream_name = SL_MAX_NAME + 1};
	assert_int_equal(load_shape(&s, &err), SL_EFORMAT);
}

static void holds_the_limits_of_sluice(void **state)
{
	static const struct {
		const char *head, *entry, *want;
		unsigned limit;
	} rows[] = {
		{"{listen: {dns: [", "\"127.0.0.1:%u\"", "listen.dns: too many", CONF_MAX_LISTEN},
		{"{listen: {http: [", "\"127.0.0.1:%u\"", "listen.http: too many", CONF_MAX_LISTEN},
		{"{listen: {reports: [", "\"127.0.0.1:%u\"", "listen.reports: too many",
			CONF_MAX_LISTEN},
		{"{geo: {databases: [", "x%u", "geo.databases: too many", CONF_MAX_DATABASES},
		{"{geo: {provinces: [", "CN", "geo.provinces: too many", CONF_MAX_COUNTRIES},
		{"{trusted_proxies: [", "10.0.0.0/8", "trusted_proxies: too many",
			CONF_MAX_PREFIXES},
	};
	struct errbuf err;

	(void)state;
	for (size_t i = 0; i < SL_COUNT(rows) * 2; i++) {
		struct text t;
		unsigned n = rows[i / 2].limit + (i & 1);

		text_open(&t);
		(void)fputs(rows[i / 2].head, t.f);
		for (unsigned k = 1; k <= n; k++) {
			(void)fputs(k > 1 ? ", " : "", t.f);
			if (strchr(rows[i / 2].entry, '%'))
				(void)fprintf(t.f, i / 2 > 2 ? "x%u" : "\"127.0.0.1:%u\"", k);
			else
				(void)fputs(rows[i / 2].entry, t.f);
		}
		(void)fputs(strchr(rows[i / 2].want, '.') ? "]}}\n" : "]}\n", t.f);
		if (i & 1) {
			assert_int_equal(load_and_drop(&t, NULL, &err), SL_ELIMIT);
			assert_non_null(strstr(err.s, rows[i / 2].want));
		} else if (load_and_drop(&t, NULL, &err) != 0) {
			fail_msg("%s", err.s);
		}
	}
}

/* One of many; `#` in it is its number, where no two may be alike. */
static void put_piece(FILE *f, const char *piece, unsigned k)
{
	const char *number = strchr(piece, '#');

	if (number)
		(void)fprintf(f, "%.*s%u%s", (int)(number - piece), piece, k, number + 1);
	else
		(void)fputs(piece, f);
}

/* Lists and texts that one change to the small catalogue reaches. */
static void holds_the_rest(void **state)
{
	static const struct {
		const char *find, *head, *piece, *tail, *want;
		unsigned limit;
	} rows[] = {
		{"a: [192.0.2.9]", "a: [192.0.2.9", ", 192.0.2.9", "]", "nodes[0].a: too many",
			SL_MAX_ADDRS - 1},
		{"192.0.2.1]", "192.0.2.1]\n        aaaa: [\"::1\"", ", \"::1\"", "]",
			"vendors[0].addresses[0].aaaa: too many", CONF_MAX_POOL - 1},
		{"    max_mbps: 300", "    max_mbps: 300\n    allow_groups: [CN", ", CN", "]",
			"vendors[1].allow_groups: too many", CONF_MAX_GLOBS - 1},
		{"    max_mbps: 300", "    max_mbps: 300\n    deny_groups: [CN", ", CN", "]",
			"vendors[1].deny_groups: too many", CONF_MAX_GLOBS - 1},
		{"CN/GX/*", "CN/", "X", "", "vendors[0].regions[1].groups[0]: too long",
			SL_MAX_NAME - 3},
		{"CN/GD/telecom", "CN/", "X", "", "nodes[0].group: too long", SL_MAX_NAME - 3},
		{"name: n1", "name: ", "n", "", "nodes[0].name: too long", SL_MAX_NAME},
		{"/dev/null", "", "/", "/dev/null", "zones[0].file: too long",
			SL_MAX_PATH - sizeof("/dev/null") + 1},
		{"[1]", "[1]\n    names: [x", ", x", "]", "isps[0].names: too many",
			CONF_MAX_GLOBS - 1},
		{"[1]", "[1]\n    countries: [CN", ", CN", "]", "isps[0].countries: too many",
			CONF_MAX_COUNTRIES - 1},
		{"zones:", "    play: [{format: flv, definition: d, path: /", "x",
			"}]\nzones:", "services[0].play[0].path: too long", CONF_MAX_TEMPLATE - 1},
		{"zones:", "signers: [{name: n, scheme: wangsu, key: k, input: ", "x",
			"}]\nzones:", "signers[0].input: too long", CONF_MAX_TEMPLATE},
		{"zones:", "signers: [{name: n, scheme: wangsu, key: k, url: ", "x",
			"}]\nzones:", "signers[0].url: too long", CONF_MAX_TEMPLATE},
		{"zones:", "    ingest: [{name: n, unit: u, url: \"rtmp://h/", "x",
			"\"}]\nzones:", "services[0].ingest[0].url: too long",
			CONF_MAX_TEMPLATE - sizeof("rtmp://h/") + 1},
		{"zones:\n", "    ingest:\n", "      - {name: i#, unit: u, url: \"rtmp://h/\"}\n",
			"zones:\n", "services[0].ingest: too many", CONF_MAX_INGESTS},
		{"zones:\n", "    play:\n", "      - {format: flv, definition: d#, path: /x}\n",
			"zones:\n", "services[0].play: too many", CONF_MAX_PLAYS},
		{"zones:\n", "signers:\n", "  - {name: s#, scheme: wangsu, key: k}\n", "zones:\n",
			"signers: too many", CONF_MAX_SIGNERS},
		{"zones:\n", "probes:\n", "  - {name: l#, vendor: a}\n", "zones:\n",
			"probes: too many", CONF_MAX_PROBES},
		{"zones:\n", "probes:\n  - {name: t, targets: [\"192.0.2.1:1\"",
			", \"192.0.2.1:1\"", "]}\nzones:\n", "probes[0].targets: too many",
			CONF_MAX_PROBED - 1},
	};
	struct errbuf err;

	(void)state;
	for (size_t i = 0; i < SL_COUNT(rows) * 2; i++) {
		unsigned n = rows[i / 2].limit + (i & 1);
		char *with = NULL, *catalog;
		size_t size = 0;
		FILE *f = open_memstream(&with, &size);
		struct conf *c;
		int rc;

		assert_non_null(f);
		(void)fputs(rows[i / 2].head, f);
		for (unsigned k = 0; k < n; k++)
			put_piece(f, rows[i / 2].piece, k);
		(void)fputs(rows[i / 2].tail, f);
		assert_int_equal(fclose(f), 0);
		catalog = replaced(base_catalog, rows[i / 2].find, with);
		rc = load_text("{}", catalog, &c, &err);
		free(with);
		free(catalog);
		conf_free(c);
		if (i & 1 ? rc == 0 || !strstr(err.s, rows[i / 2].want) : rc != 0)
			fail_msg("%s: %s", rows[i / 2].want, err.s);
	}
}

static int load_repeated(const char *head, const char *piece, size_t n, struct errbuf *err)
{
	struct text t;

	text_open(&t);
	(void)fputs(head, t.f);
	for (size_t i = 0; i < n; i++)
		(void)fputs(piece, t.f);
	return load_and_drop(&t, "{}", err);
}

/* Ten megabytes of trouble, each refused at once, with its line. */
static void bears_hostile_input(void **state)
{
	static const struct {
		const char *about, *head, *piece, *want;
		size_t n;
	} rows[] = {
		{"deep lists", "vendors: ", "[", "wrong kind", 10000000},
		{"deep mappings", "vendors: ", "{a: ", "wrong kind", 2500000},
		{"deep blocks", "vendors:", "\n- - - - - - - -", "wrong kind", 600000},
		{"aliases", "vendors: &a [x, x]\nnodes: ", "[*a, *a]", "anchor or alias", 1000000},
		{"one long word", "", "a", "wrong kind", 10000000},
		{"one long value", "vendors: ", "a", "wrong kind", 10000000},
		{"one long name", "vendors: [{name: ", "a", "", 10000000},
		{"zeros", "vendors: ", "0", "wrong kind", 10000000},
		{"many unknown keys", "", "a: 1\n", "unknown key", 2000000},
		{"one key many times", "", "isps: []\n", "key given twice", 1000000},
		{"many documents", "", "---\n", "wrong kind", 2500000},
		{"colons", "", ": ", "", 5000000},
		{"question marks", "", "? ", "", 5000000},
		{"dashes", "", "- ", "", 5000000},
		{"quotes", "vendors: \"", "\\\"", "not readable as YAML", 5000000},
		{"tags", "vendors: ", "!!map ", "", 2000000},
		{"blank lines", "", "\n", "the file is empty", 10000000},
		{"comments", "", "# x\n", "the file is empty", 2500000},
		{"directives", "", "%YAML 1.1\n", "not readable as YAML", 1000000},
	};
	struct errbuf err;
	int bad = 0;

	(void)state;
	for (size_t i = 0; i < SL_COUNT(rows); i++) {
		uint64_t begin = os_mono_ms();
		int rc = load_repeated(rows[i].head, rows[i].piece, rows[i].n, &err);
		double took = (double)(os_mono_ms() - begin) / 1000;

		if (rc < 0 && strstr(err.s, rows[i].want) &&
			strncmp(err.s, "catalog.yaml:", 13) == 0 && took < 60)
			continue;
		(void)fprintf(stderr, "%s: %d in %.1f s: %s\n", rows[i].about, rc, took, err.s);
		bad++;
	}
	assert_int_equal(bad, 0);
}

static void refuses_a_file_too_large(void **state)
{
	struct errbuf err;
	struct conf *c;

	(void)state;
	assert_int_equal(conf_load("/dev/zero", &c, &err), SL_ELIMIT);
	assert_string_equal(err.s, "/dev/zero: cannot read: over a limit");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(holds_each_limit),
		cmocka_unit_test(holds_the_limit_of_streams),
		cmocka_unit_test(holds_the_limits_of_sluice),
		cmocka_unit_test(holds_the_rest),
		cmocka_unit_test(bears_hostile_input),
		cmocka_unit_test(refuses_a_file_too_large),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
