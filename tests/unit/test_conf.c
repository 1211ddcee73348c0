/* SPDX-License-Identifier: Apache-2.0 */
/* What a valid configuration turns into: every key, defaults, dump, lines, and the examples. */
#include "test_conf_base.h"

#include "conf/rows.h"
#include "conf/text.h"

/* What a printer writes, as text. Caller frees. Not inlined: gcc 12 would then take the block that
 * open_memstream gives for the variable it is given through. */
static __attribute__((noinline)) char *printed(
	void (*print)(const struct conf *, FILE *), const struct conf *c)
{
	char *text = NULL;
	size_t size = 0;
	FILE *f = open_memstream(&text, &size);

	assert_non_null(f);
	print(c, f);
	assert_int_equal(fclose(f), 0);
	return text;
}

/* Where the second document begins. */
static size_t second_of(const char *text)
{
	const char *at = strstr(text, "---\n");

	assert_non_null(at);
	return (size_t)(at - text);
}

static void print_defaults(const struct conf *c, FILE *out)
{
	(void)c;
	conf_print_defaults(out);
}

static void example_path(char *path, size_t size, const char *name)
{
	const char *top = getenv("top_srcdir");

	(void)snprintf(path, size, "%s/conf/examples/%s/sluice.yaml", top ? top : ".", name);
}

static struct conf *example(const char *name)
{
	char path[SL_MAX_PATH];
	struct errbuf err;
	struct conf *c;

	example_path(path, sizeof(path), name);
	if (conf_load(path, &c, &err) != 0)
		fail_msg("%s", err.s);
	return c;
}

static void reads_every_key_of_sluice(void **state)
{
	static const char text[] =
		"catalog: c.yaml\nstate: st\nstore: /x/s.db\nunit: east\nuser: nobody\n"
		"listen: {dns: [\"[::1]:53\"], http: [\"80\"], https: [\"443\"], reports: [], "
		"admin: [\"127.0.0.1:81\"], admin_tls: [\"82\"]}\n"
		"admin: {certificate: a.pem, key: k.pem, rate_per_s: 7}\n"
		"http: {certificate: /c.pem, key: /k.pem, rate_per_s: 5, rate_burst: 9, "
		"batch_octets: 4096,"
		" servers_a: [192.0.2.1], servers_aaaa: [\"2001:db8::1\"]}\n"
		"threads: {dns: 3, http: 61}\n"
		"dns: {nsid: n1, cookies: false, rate_limit: {per_second: 7, slip: 0, dry_run: "
		"true, "
		"exempt: [192.0.2.0/24]}}\n"
		"geo: {databases: [a.mmdb, /b.mmdb], overrides: o.csv, provinces: [], "
		"isp_countries: [CN, \"NO\"]}\n"
		"tick_ms: 100\nstale_after_s: 10\nexplain: true\n"
		"trusted_proxies: [\"2001:db8::/32\", 192.0.2.1]\n"
		"keys: [{name: k, file: /k}, {name: l, file: /l}]\n"
		"accounts: [{name: app, key: k, backup_key: l, sign_replies: true, aes_key: l, "
		"des_key: k,"
		" token_key: l}]\n"
		"require_signature: true\nsignature_window_s: 7\n"
		"log: {level: debug}\n";
	struct conf *c = loaded(text, base_catalog);
	const struct conf_sluice *s = &c->sluice;

	(void)state;
	assert_string_equal(s->catalog, "c.yaml");
	assert_string_equal(s->state, "st");
	assert_string_equal(s->store, "/x/s.db");
	assert_string_equal(s->unit, "east");
	assert_string_equal(s->user, "nobody");
	assert_int_equal(s->listen.dns_count, 1);
	assert_string_equal(s->listen.dns[0], "[::1]:53");
	assert_string_equal(s->listen.http[0], "80");
	assert_int_equal(s->listen.reports_count, 0);
	assert_string_equal(s->listen.https[0], "443");
	assert_string_equal(s->http.certificate, "/c.pem");
	assert_string_equal(s->http.key, "/k.pem");
	assert_int_equal(s->http.rate_per_s, 5);
	assert_int_equal(s->http.rate_burst, 9);
	assert_int_equal(s->http.batch_octets, 4096);
	assert_int_equal(s->http.servers_a_count, 1);
	assert_int_equal(s->http.servers_aaaa[0].family, IP_V6);
	assert_string_equal(s->listen.admin[0], "127.0.0.1:81");
	assert_string_equal(s->listen.admin_tls[0], "82");
	assert_int_equal(s->admin.rate_per_s, 7);
	assert_int_equal(s->threads.dns, 3);
	assert_int_equal(s->threads.http, 61);
	assert_string_equal(s->dns.nsid, "n1");
	assert_false(s->dns.cookies);
	assert_int_equal(s->dns.rate_limit.per_second, 7);
	assert_int_equal(s->dns.rate_limit.slip, 0);
	assert_true(s->dns.rate_limit.dry_run);
	assert_int_equal(s->dns.rate_limit.exempt[0].len, 24);
	assert_int_equal(s->geo.databases_count, 2);
	assert_string_equal(s->geo.databases[1], "/b.mmdb");
	assert_string_equal(s->geo.overrides, "o.csv");
	assert_int_equal(s->geo.provinces_count, 0);
	assert_int_equal(s->geo.isp_countries_count, 2);
	assert_string_equal(s->geo.isp_countries[1], "NO");
	assert_int_equal(s->tick_ms, 100);
	assert_int_equal(s->stale_after_s, 10);
	assert_true(s->explain);
	assert_int_equal(s->trusted_proxies_count, 2);
	assert_int_equal(s->trusted_proxies[0].ip.family, IP_V6);
	assert_int_equal(s->trusted_proxies[0].len, 32);
	assert_int_equal(s->trusted_proxies[1].len, 32);
	assert_int_equal(s->trusted_proxies[1].ip.b[0], 192);
	assert_int_equal(s->keys_count, 2);
	assert_string_equal(s->keys[1].name, "l");
	assert_string_equal(s->keys[1].file, "/l");
	assert_string_equal(s->accounts[0].name, "app");
	assert_string_equal(s->accounts[0].key, "k");
	assert_string_equal(s->accounts[0].backup_key, "l");
	assert_string_equal(s->accounts[0].aes_key, "l");
	assert_string_equal(s->accounts[0].des_key, "k");
	assert_string_equal(s->accounts[0].token_key, "l");
	assert_true(s->accounts[0].sign_replies);
	assert_true(s->require_signature);
	assert_int_equal(s->signature_window_s, 7);
	assert_int_equal(s->log.level, CONF_LEVEL_DEBUG);
	conf_free(c);
}

static void gives_defaults_to_sluice(void **state)
{
	struct conf *c = loaded("{}", base_catalog);
	const struct conf_sluice *s = &c->sluice;

	(void)state;
	assert_string_equal(s->catalog, "catalog.yaml");
	assert_string_equal(s->state, SL_STATEDIR);
	assert_string_equal(s->store, SL_STATEDIR "/store.db");
	assert_string_equal(s->unit, "main");
	assert_null(s->user);
	assert_string_equal(s->listen.dns[0], "53");
	assert_string_equal(s->listen.admin[0], "127.0.0.1:8055");
	assert_int_equal(s->threads.dns, 0);
	assert_null(s->dns.nsid);
	assert_true(s->dns.cookies);
	assert_int_equal(s->dns.rate_limit.per_second, 1000);
	assert_int_equal(s->dns.rate_limit.slip, 2);
	assert_false(s->dns.rate_limit.dry_run);
	assert_int_equal(s->dns.rate_limit.exempt_count, 0);
	assert_int_equal(s->geo.databases_count, 0);
	assert_null(s->geo.overrides);
	assert_string_equal(s->geo.provinces[0], "CN");
	assert_int_equal(s->tick_ms, 1000);
	assert_int_equal(s->stale_after_s, 900);
	assert_false(s->explain);
	assert_int_equal(s->trusted_proxies_count, 2);
	assert_int_equal(s->trusted_proxies[1].len, 128);
	assert_int_equal(s->keys_count + s->accounts_count, 0);
	assert_int_equal(s->listen.https_count, 0);
	assert_null(s->http.certificate);
	assert_int_equal(s->http.rate_per_s, 0);
	assert_false(s->require_signature);
	assert_int_equal(s->signature_window_s, 300);
	assert_int_equal(s->log.level, CONF_LEVEL_INFO);
	conf_free(c);
}

static void reads_every_key_of_a_vendor(void **state)
{
	struct conf *c = example("concert");
	const struct conf_vendor *v = &c->catalog.vendors[0];
	struct ip ip;

	(void)state;
	assert_int_equal(c->catalog.vendors_count, 6);
	assert_string_equal(v->name, "aurora");
	assert_float_equal(v->guaranteed_mbps, 8000000, 0);
	assert_float_equal(v->max_mbps, 14000000, 0);
	assert_float_equal(v->weight, 1, 0);
	assert_float_equal(v[1].weight, 1.2, 1e-12);
	assert_int_equal(v->windows_count, 1);
	assert_int_equal(v->windows[0].days, CONF_FRI | CONF_SAT);
	assert_int_equal(v->windows[0].from_min, 19 * 60);
	assert_int_equal(v->windows[0].to_min, 60);
	assert_int_equal(v->windows[0].utc_offset_min, 480);
	assert_float_equal(v->windows[0].guaranteed_mbps, 10000000, 0);
	assert_float_equal(v->windows[0].max_mbps, 16000000, 0);
	assert_int_equal(v[3].windows[0].to_min, 24 * 60);
	assert_float_equal(v[3].windows[0].guaranteed_mbps, CONF_UNSET, 0);
	assert_int_equal(v->regions_count, 2);
	assert_string_equal(v->regions[0].name, "south");
	assert_int_equal(v->regions[0].groups_count, 3);
	assert_string_equal(v->regions[0].groups[2], "CN/HI/*");
	assert_float_equal(v->regions[0].guaranteed_mbps, 2000000, 0);
	assert_float_equal(v->regions[0].max_mbps, 4000000, 0);
	assert_float_equal(v->regions[1].guaranteed_mbps, CONF_UNSET, 0);
	assert_int_equal(v->addresses_count, 2);
	assert_string_equal(v->addresses[0].groups[0], "CN/GD/*");
	assert_int_equal(v->addresses[0].a_count, 4);
	assert_true(ip_parse(STR_LIT("192.0.2.11"), &ip));
	assert_true(ip_eq(v->addresses[0].a[1], ip));
	assert_true(ip_parse(STR_LIT("2001:db8:a::2"), &ip));
	assert_true(ip_eq(v->addresses[0].aaaa[1], ip));
	assert_string_equal(v[2].deny_groups[0], "CN/*/cernet");
	assert_int_equal(v[3].allow_groups_count, 4);
	conf_free(c);
}

static void reads_every_key_of_the_rest(void **state)
{
	struct conf *c = example("concert");
	const struct conf_catalog *cat = &c->catalog;
	const struct conf_service *s = cat->services;

	(void)state;
	assert_string_equal(cat->isps[0].name, "telecom");
	assert_string_equal(cat->isps[0].names[1], "chinanet*");
	assert_int_equal(cat->isps[0].asns[0], 4134);
	assert_string_equal(cat->isps[0].countries[0], "CN");
	assert_int_equal(cat->nodes_count, 9);
	assert_string_equal(cat->nodes[0].name, "gd-telecom-1");
	assert_string_equal(cat->nodes[0].vendor, "own");
	assert_string_equal(cat->nodes[0].group, "CN/GD/telecom");
	assert_float_equal(cat->nodes[0].capacity_mbps, 40000, 0);
	assert_int_equal(cat->nodes[0].a[1].b[3], 3);
	assert_int_equal(cat->nodes[0].aaaa_count, 1);
	assert_string_equal(s->name, "show");
	assert_string_equal(s->hosts[1], "show2.concert.example");
	assert_int_equal(s->vendors_count, 6);
	assert_string_equal(s->vendors[0].vendor, "aurora");
	assert_string_equal(s->vendors[0].cname, "show.aurora.example");
	assert_float_equal(s->vendors[0].weight, CONF_UNSET, 0);
	assert_float_equal(s->vendors[5].weight, 2, 0);
	assert_null(s->vendors[5].cname);
	assert_int_equal(s->dns, CONF_DNS_AUTO);
	assert_int_equal(s[1].dns, CONF_DNS_ADDRESS);
	assert_int_equal(s->ttl_s, 20);
	assert_int_equal(s->negative_ttl_s, 5);
	assert_int_equal(s->addresses, 4);
	assert_int_equal(s->overload, CONF_OVERLOAD_NONE);
	assert_int_equal(s->bitrate_kbps, 4500);
	assert_int_equal(s->session_s, 5400);
	assert_int_equal(s->dns_viewers, 3);
	assert_int_equal(s->refresh_s, 30);
	assert_false(s->explain);
	assert_true(s[1].explain);
	assert_true(s[1].test);
	assert_float_equal(s->scoring.guarantee_gain, 1000, 0);
	assert_float_equal(s->scoring.guarantee_blend, 0.5, 0);
	assert_float_equal(s->scoring.quality_exponent, 8, 0);
	assert_float_equal(s->scoring.headroom, 0.03, 1e-12);
	assert_int_equal(s->scoring.slices, 32);
	assert_int_equal(s->scoring.trickle_ppm, 5000);
	assert_string_equal(cat->zones[0].name, "concert.example");
	assert_string_equal(cat->streams[1].name, "backstage/cam1");
	assert_string_equal(cat->streams[1].service, "show");
	assert_int_equal(cat->streams[1].vendors_count, 2);
	assert_int_equal(conf_find_vendor(cat, "own"), 5);
	assert_int_equal(conf_find_vendor(cat, "owner"), -1);
	assert_int_equal(conf_find_service(cat, "drill"), 1);
	assert_int_equal(conf_find_service(cat, ""), -1);
	conf_free(c);
}

static void gives_defaults_to_the_catalogue(void **state)
{
	struct conf *c = example("minimum");
	const struct conf_service *s = c->catalog.services;

	(void)state;
	assert_int_equal(c->catalog.vendors_count, 2);
	assert_int_equal(s->dns, CONF_DNS_AUTO);
	assert_int_equal(s->ttl_s, 20);
	assert_int_equal(s->negative_ttl_s, 5);
	assert_int_equal(s->addresses, 4);
	assert_int_equal(s->bitrate_kbps, 3000);
	assert_int_equal(s->session_s, 1800);
	assert_int_equal(s->dns_viewers, 1);
	assert_int_equal(s->refresh_s, 30);
	assert_false(s->explain || s->test);
	assert_float_equal(s->scoring.guarantee_gain, 1000, 0);
	assert_float_equal(s->scoring.headroom, 0.02, 1e-12);
	assert_int_equal(s->scoring.slices, 32);
	conf_free(c);
	c = loaded("{}", base_catalog);
	assert_float_equal(c->catalog.vendors[1].guaranteed_mbps, 0, 0);
	assert_int_equal(c->catalog.vendors[0].windows[0].days, CONF_ALL_DAYS);
	assert_int_equal(c->catalog.vendors[0].windows[0].utc_offset_min, 0);
	assert_int_equal(c->catalog.vendors[0].addresses[0].groups_count, 1);
	assert_string_equal(c->catalog.vendors[0].addresses[0].groups[0], "*");
	conf_free(c);
}

/* design.md, the demo */
static void demo_is_as_promised(void **state)
{
	static const struct {
		const char *name, *cname, *net;
		double guaranteed, max;
	} rows[] = {
		{"alpha", "live.alpha.example", "192.0.2.0", 8e6, 14e6},
		{"beta", "live.beta.example", "198.51.100.0", 6e6, 16e6},
		{"gamma", "live.gamma.example", "203.0.113.0", 3e6, 9e6},
	};
	struct conf *c = example("demo");
	const struct conf_service *live = &c->catalog.services[0], *drill = live + 1;

	(void)state;
	assert_int_equal(c->catalog.vendors_count, SL_COUNT(rows));
	assert_int_equal(c->catalog.services_count, 2);
	assert_string_equal(live->hosts[0], "live.sluice.example");
	assert_string_equal(drill->hosts[0], "drill.sluice.example");
	assert_true(c->sluice.explain && live->explain && drill->explain && drill->test);
	assert_int_equal(live->dns, CONF_DNS_CNAME);
	assert_int_equal(drill->dns, CONF_DNS_ADDRESS);
	assert_int_equal(live->ttl_s, 20);
	for (size_t i = 0; i < SL_COUNT(rows); i++) {
		const struct conf_vendor *v = &c->catalog.vendors[i];
		struct ip net;

		assert_true(ip_parse(str_from(rows[i].net), &net));
		assert_string_equal(v->name, rows[i].name);
		assert_float_equal(v->guaranteed_mbps, rows[i].guaranteed, 0);
		assert_float_equal(v->max_mbps, rows[i].max, 0);
		assert_string_equal(live->vendors[i].cname, rows[i].cname);
		assert_string_equal(drill->vendors[i].vendor, rows[i].name);
		for (uint32_t k = 0; k < v->addresses[0].a_count; k++)
			assert_true(ip_eq(ip_mask(v->addresses[0].a[k], 24), net));
	}
	conf_free(c);
	c = example("bench");
	assert_int_equal(c->catalog.services[0].vendors_count, 6);
	assert_string_equal(c->catalog.services[1].hosts[0], "drill.sluice.example");
	conf_free(c);
}

static void resolves_paths_against_the_file(void **state)
{
	char path[SL_MAX_PATH], want[SL_MAX_PATH + 64];
	struct conf *c = example("demo");

	(void)state;
	example_path(path, sizeof(path), "demo");
	*(strrchr(path, '/') + 1) = 0;
	(void)snprintf(want, sizeof(want), "%ssluice.example.zone", path);
	assert_string_equal(c->catalog.zones[0].file, want);
	(void)snprintf(want, sizeof(want), "%srun/store.db", path);
	assert_string_equal(c->sluice.store, want);
	(void)snprintf(want, sizeof(want), "%scatalog.yaml", path);
	assert_string_equal(c->catalog_file, want);
	conf_free(c);
}

static void knows_lines(void **state)
{
	static const struct {
		const char *path, *file;
		unsigned line;
	} rows[] = {
		{"zones[0].file", "catalog.yaml", 36},
		{"vendors[1]", "catalog.yaml", 18},
		{"vendors[0].regions[1].groups[0]", "catalog.yaml", 15},
		{"vendors[0].regions[9].groups[0]", "catalog.yaml", 9},
		{"vendors[1].weight", "catalog.yaml", 18},
		{"listen.http[0]", "sluice.yaml", 4},
		{"log", "sluice.yaml", 9},
		{"nothing.of[3].this", "sluice.yaml", 1},
		{"..[[]]", "sluice.yaml", 1},
		{"", "sluice.yaml", 1},
	};
	struct conf *c = loaded(base_sluice, base_catalog);
	struct errbuf err;

	(void)state;
	for (size_t i = 0; i < SL_COUNT(rows); i++) {
		const char *file = NULL;

		assert_int_equal(conf_line(c, rows[i].path, &file), rows[i].line);
		assert_string_equal(file, rows[i].file);
	}
	assert_int_equal(
		conf_refuse(c, &err, SL_EFORMAT, "zones[0].file", "no SOA, got %d", 3), SL_EFORMAT);
	assert_string_equal(err.s, "catalog.yaml:36: zones[0].file: no SOA, got 3");
	conf_free(c);
	conf_free(NULL);
}

static void tells_what_waits_for_a_start(void **state)
{
	static const struct {
		const char *text, *key;
	} rows[] = {
		{"tick_ms: 200\nexplain: true\nlog: {level: debug}\nunit: x\n", NULL},
		{"listen: {dns: [\"54\"]}\n", "listen.dns"},
		{"listen: {http: [\"8053\", \"8063\"]}\n", "listen.http"},
		{"listen: {reports: []}\n", "listen.reports"},
		{"listen: {admin: [\"127.0.0.1:8056\"]}\n", "listen.admin"},
		{"threads: {dns: 1}\n", "threads.dns"},
		{"threads: {http: 1}\n", "threads.http"},
		{"state: /x\nstore: " SL_STATEDIR "/store.db\n", "state"},
		{"store: /x\n", "store"},
		{"user: x\n", "user"},
		{"trusted_proxies: [127.0.0.0/8]\n", "trusted_proxies"},
		{"trusted_proxies: [127.0.0.0/8, \"::2/128\"]\n", "trusted_proxies"},
		{"trusted_proxies: [127.0.0.0/8, \"::1/128\"]\n", NULL},
		{"dns: {nsid: n}\n", "dns.nsid"},
		{"dns: {cookies: false}\n", NULL}, /* goes to the answer process in its keys */
		{"dns: {rate_limit: {per_second: 1}}\n", "dns.rate_limit.per_second"},
		{"dns: {rate_limit: {slip: 1}}\n", "dns.rate_limit.slip"},
		{"dns: {rate_limit: {dry_run: true}}\n", "dns.rate_limit.dry_run"},
		{"dns: {rate_limit: {exempt: [192.0.2.1]}}\n", "dns.rate_limit.exempt"},
		{"follow: []\n", "follow"},
		{"follow: [{file: /b, vendor: v}]\n", "follow"},
		{"follow: [{file: /a, vendor: v, utc_offset_min: 1}]\n", "follow"},
		{"follow: [{file: /a, vendor: v, slow_ms: 1000}]\n", NULL},
	};
	static const char follow[] = "follow: [{file: /a, vendor: v}]\n";
	struct conf *running = loaded(follow, base_catalog);

	(void)state;
	for (size_t i = 0; i < SL_COUNT(rows); i++) {
		char key[CONF_KEY_SIZE] = "", text[512];
		struct conf *c;

		(void)snprintf(text, sizeof(text), "%s%s", rows[i].text,
			strncmp(rows[i].text, "follow", 6) == 0 ? "" : follow);
		c = loaded(text, base_catalog);

		if (conf_needs_restart(running, c, key) != (rows[i].key != NULL))
			fail_msg("row %zu: \"%s\"", i, key);
		if (rows[i].key)
			assert_string_equal(key, rows[i].key);
		conf_free(c);
	}
	conf_free(running);
}

/* What is dumped loads again to the same dump. */
static void dump_loads_again(void **state)
{
	static const char *const names[] = {"minimum", "demo", "bench", "concert", "vendors"};

	(void)state;
	for (size_t i = 0; i < SL_COUNT(names); i++) {
		struct conf *c = example(names[i]), *again;
		char *text = printed(conf_dump, c), *text2;
		size_t at = second_of(text), at2;

		text[at] = 0;
		again = loaded(text, text + at + 4);
		text2 = printed(conf_dump, again);
		at2 = second_of(text2);
		text2[at2] = 0;
		/* but for the first line of each, a comment that names the file */
		assert_string_equal(strchr(text, '\n'), strchr(text2, '\n'));
		assert_string_equal(strchr(text + at + 4, '\n'), strchr(text2 + at2 + 4, '\n'));
		free(text);
		free(text2);
		conf_free(c);
		conf_free(again);
	}
}

static void printed_defaults_are_the_defaults(void **state)
{
	char *text = printed(print_defaults, NULL);
	struct conf *a, *b = loaded("{}", base_catalog);
	char *dump_a, *dump_b;

	(void)state;
	text[second_of(text)] = 0;
	a = loaded(text, base_catalog);
	dump_a = printed(conf_dump, a);
	dump_b = printed(conf_dump, b);
	assert_string_equal(dump_a, dump_b);
	free(text);
	free(dump_a);
	free(dump_b);
	conf_free(a);
	conf_free(b);
}

static void check_default(const struct conf_row *row)
{
	struct str rest = str_from(row->dflt);
	char want[256];
	const char *what;

	while (rest.n) {
		struct str word = conf_kind_is_list(row->kind) ? str_cut(&rest, ' ') : rest;

		if (!conf_scalar_check(row, word, &what, want, sizeof(want)))
			fail_msg("default of %s: %s, want %s", row->key, what, want);
		if (!conf_kind_is_list(row->kind))
			break;
	}
}

static void check_type(const struct conf_type *type, const char *man, const char *defaults)
{
	char find[64];

	assert_true(*type->doc && type->row_count < 64);
	for (uint32_t i = 0; i < type->row_count; i++) {
		const struct conf_row *row = &type->rows[i];

		assert_true(strlen(row->doc) > 4 && row->doc[strlen(row->doc) - 1] == '.');
		assert_true(row->min <= row->max);
		(void)snprintf(find, sizeof(find), ".It Ic %s\n", row->key);
		assert_non_null(strstr(man, find));
		(void)snprintf(find, sizeof(find), "%s:", row->key);
		assert_non_null(strstr(defaults, find));
		if (row->dflt)
			check_default(row);
		if (row->type)
			check_type(row->type, man, defaults);
	}
}

/* Every row is documented in the page and in the defaults, and its default is within its bounds. */
static void rows_are_sound(void **state)
{
	static const struct {
		const char *file;
		const struct conf_type *type;
	} files[] = {
		{"sluice.yaml", &conf_type_conf_sluice}, {"catalog.yaml", &conf_type_conf_catalog}};
	char *defaults = printed(print_defaults, NULL);

	(void)state;
	for (size_t i = 0; i < SL_COUNT(files); i++) {
		char *man = NULL;
		size_t size = 0;
		FILE *f = open_memstream(&man, &size);

		assert_non_null(f);
		assert_int_equal(conf_print_man(files[i].file, f), 0);
		assert_int_equal(fclose(f), 0);
		check_type(files[i].type, man, defaults);
		free(man);
	}
	assert_int_equal(conf_print_man("other.yaml", stdout), SL_ENOENT);
	free(defaults);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_every_key_of_sluice),
		cmocka_unit_test(gives_defaults_to_sluice),
		cmocka_unit_test(reads_every_key_of_a_vendor),
		cmocka_unit_test(reads_every_key_of_the_rest),
		cmocka_unit_test(gives_defaults_to_the_catalogue),
		cmocka_unit_test(demo_is_as_promised),
		cmocka_unit_test(resolves_paths_against_the_file),
		cmocka_unit_test(knows_lines),
		cmocka_unit_test(tells_what_waits_for_a_start),
		cmocka_unit_test(dump_loads_again),
		cmocka_unit_test(printed_defaults_are_the_defaults),
		cmocka_unit_test(rows_are_sound),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
