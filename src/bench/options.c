/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/bench.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

enum opt {
	OPT_BASE = 256,
#define OPTION(name, arg, help) OPT_##name,
#include "bench/options.def"
#undef OPTION
};

static const struct option options[] = {
#define OPTION(name, arg, help)                                                                    \
	{#name, (arg) != NULL ? required_argument : no_argument, NULL, OPT_##name},
#include "bench/options.def"
#undef OPTION
	{NULL, 0, NULL, 0},
};

static void usage(void)
{
	static const struct {
		const char *name, *arg, *help;
	} rows[] = {
#define OPTION(name, arg, help) {#name, arg, help},
#include "bench/options.def"
#undef OPTION
	};

	(void)puts("usage: sluice-bench --dns ADDR:PORT --host NAME [OPTION]...\n"
		   "       sluice-bench --http URL [OPTION]...\n"
		   "Loads a scheduler and prints rate, latency, errors and shares.\n");
	for (size_t i = 0; i < SL_COUNT(rows); i++) {
		char left[64];

		(void)snprintf(left, sizeof(left), "--%s %s", rows[i].name,
			rows[i].arg ? rows[i].arg : "");
		(void)printf("  %-34s %s\n", left, rows[i].help);
	}
}

static int number(
	const char *name, const char *text, uint64_t max, uint64_t *ret, struct errbuf *err)
{
	char *end;
	unsigned long long v;

	errno = 0;
	v = strtoull(text, &end, 10);
	if (errno || *end || end == text || *text == '-' || v == 0 || v > max)
		return err_set(err, SL_EINVAL, "--%s: got %s, want 1 to %llu", name, text,
			(unsigned long long)max);
	*ret = v;
	return 0;
}

static int number32(
	const char *name, const char *text, uint32_t max, uint32_t *ret, struct errbuf *err)
{
	uint64_t v;
	int rc = number(name, text, max, &v, err);

	if (!rc)
		*ret = (uint32_t)v;
	return rc;
}

static int parse_seconds(struct bench_options *o, const char *text, struct errbuf *err)
{
	char *end;

	o->seconds = strtod(text, &end);
	if (*end || end == text || !(o->seconds > 0 && o->seconds <= 86400))
		return err_set(err, SL_EINVAL, "--seconds: got %s, want over 0 to 86400", text);
	return 0;
}

/* One --http: the address of the first counts, the paths of all. */
static int parse_url(struct bench_options *o, const char *url, struct errbuf *err)
{
	bool tls = strncmp(url, "https://", 8) == 0;
	const char *at = url + (tls ? 8 : 7), *slash;
	char addr[128];
	int rc;

	if (!tls && strncmp(url, "http://", 7) != 0)
		return err_set(err, SL_EINVAL, "--http: got %s, want http://ADDR:PORT/PATH", url);
	slash = strchr(at, '/');
	if (!slash || (size_t)(slash - at) >= sizeof(addr))
		return err_set(err, SL_EINVAL, "--http: got %s, want http://ADDR:PORT/PATH", url);
	if (o->n_paths == BENCH_MAX_PATHS)
		return err_set(err, SL_ELIMIT, "--http: more than %d paths", BENCH_MAX_PATHS);
	o->paths[o->n_paths++] = slash;
	if (o->http)
		return 0;
	o->http = true;
	o->tls = tls;
	memcpy(addr, at, (size_t)(slash - at));
	addr[slash - at] = '\0';
	rc = os_addr_parse(addr, &o->addr, err);
	if (!rc && !o->host_header[0])
		(void)snprintf(o->host_header, sizeof(o->host_header), "%s", addr);
	return rc;
}

static int parse_paths(struct bench_options *o, const char *file, struct errbuf *err)
{
	char *text, *save;
	size_t n;
	int rc = os_read_file(file, 64 << 20, &text, &n, err);

	if (rc)
		return rc;
	/* the text is kept: paths point into it until the end */
	for (char *line = strtok_r(text, "\r\n", &save); line;
		line = strtok_r(NULL, "\r\n", &save)) {
		if (*line != '/' || o->n_paths == BENCH_MAX_PATHS)
			return err_set(err, SL_EINVAL,
				"%s: got %s, want up to %d paths that begin with /", file, line,
				BENCH_MAX_PATHS);
		o->paths[o->n_paths++] = line;
	}
	return 0;
}

static int add_prefix(struct bench_options *o, const char *text, struct errbuf *err)
{
	struct bench_prefix p;

	if (!o->ecs)
		o->ecs = calloc(BENCH_MAX_PREFIXES, sizeof(*o->ecs));
	if (!o->ecs)
		return err_set(err, SL_ENOMEM, "out of memory");
	if (o->n_ecs == BENCH_MAX_PREFIXES || !ip_parse_prefix(str_from(text), &p.ip, &p.len))
		return err_set(err, SL_EINVAL, "--ecs: got %s, want at most %d prefixes", text,
			BENCH_MAX_PREFIXES);
	o->ecs[o->n_ecs++] = p;
	return 0;
}

static int parse_ecs(struct bench_options *o, char *text, struct errbuf *err)
{
	char *list = text, *save;
	size_t n;
	int rc = 0;

	if (strcmp(text, "random") == 0) {
		o->ecs_random = true;
		return 0;
	}
	if (*text == '@' && (rc = os_read_file(text + 1, 64 << 20, &list, &n, err)))
		return rc;
	for (char *one = strtok_r(list, ", \r\n", &save); one && !rc;
		one = strtok_r(NULL, ", \r\n", &save))
		rc = add_prefix(o, one, err);
	if (list != text)
		free(list);
	return rc;
}

static struct bench_name *name_row(struct bench_options *o, struct str name)
{
	struct bench_name *row;

	for (uint32_t i = 0; i < o->n_names; i++)
		if (str_eq_z(name, o->names[i].name))
			return &o->names[i];
	if (o->n_names == BENCH_MAX_NAMES || name.n == 0 || name.n >= BENCH_NAME)
		return NULL;
	row = &o->names[o->n_names++];
	memcpy(row->name, name.p, name.n);
	row->expect = -1;
	return row;
}

static int parse_map(struct bench_options *o, const char *text, struct errbuf *err)
{
	struct str rest = str_from(text), name = str_cut(&rest, '=');
	struct bench_name *row = rest.n ? name_row(o, name) : NULL;

	if (!row || rest.n >= sizeof(row->cname) - 1)
		return err_set(
			err, SL_EINVAL, "--map: got %s, want NAME=PREFIX or NAME=CNAME", text);
	if (!ip_parse_prefix(rest, &row->addresses.ip, &row->addresses.len))
		(void)snprintf(row->cname, sizeof(row->cname), "%.*s%s", (int)rest.n, rest.p,
			rest.p[rest.n - 1] == '.' ? "" : ".");
	return 0;
}

static int parse_expect(struct bench_options *o, const char *text, struct errbuf *err)
{
	struct str rest = str_from(text);

	while (rest.n) {
		struct str value = str_cut(&rest, ','), name = str_cut(&value, '=');
		struct bench_name *row = value.n ? name_row(o, name) : NULL;

		if (!row)
			return err_set(
				err, SL_EINVAL, "--expect: got %s, want NAME=SHARE,...", text);
		row->expect = strtod(value.p, NULL);
		if (!(row->expect >= 0 && row->expect <= 1))
			return err_set(
				err, SL_EINVAL, "--expect: got %s, want shares of 0 to 1", text);
	}
	return 0;
}

static int parse_type(struct bench_options *o, const char *text, struct errbuf *err)
{
	static const struct {
		const char *name;
		uint16_t type;
	} types[] = {{"A", 1}, {"AAAA", 28}, {"TXT", 16}};

	for (size_t i = 0; i < SL_COUNT(types); i++) {
		if (strcasecmp(types[i].name, text) == 0) {
			o->qtype = types[i].type;
			return 0;
		}
	}
	return err_set(err, SL_EINVAL, "--type: got %s, want A, AAAA or TXT", text);
}

static int set_numbers(struct bench_options *o, int opt, struct errbuf *err)
{
	switch (opt) {
	case OPT_count:
		return number("count", optarg, UINT64_MAX >> 1, &o->count, err);
	case OPT_inflight:
		return number32("inflight", optarg, BENCH_DNS_INFLIGHT_MAX, &o->inflight, err);
	case OPT_connections:
		return number32("connections", optarg, 1 << 16, &o->connections, err);
	default:
		return number32("threads", optarg, BENCH_MAX_THREADS, &o->threads, err);
	}
}

static int set(struct bench_options *o, int opt, struct errbuf *err)
{
	switch (opt) {
	case OPT_dns:
		return os_addr_parse(optarg, &o->addr, err);
	case OPT_http:
		return parse_url(o, optarg, err);
	case OPT_paths:
		return parse_paths(o, optarg, err);
	case OPT_post:
		return os_read_file(optarg, 64 << 20, &o->post, &o->post_n, err);
	case OPT_seconds:
		return parse_seconds(o, optarg, err);
	case OPT_host:
		o->host = optarg;
		(void)snprintf(o->host_header, sizeof(o->host_header), "%s", optarg);
		return 0;
	case OPT_type:
		return parse_type(o, optarg, err);
	case OPT_ecs:
		return parse_ecs(o, optarg, err);
	case OPT_map:
		return parse_map(o, optarg, err);
	case OPT_expect:
		return parse_expect(o, optarg, err);
	case OPT_close:
		return o->close = true, 0;
	case OPT_json:
		return o->json = true, 0;
	case OPT_remote:
		return o->remote = true, 0;
	default:
		return set_numbers(o, opt, err);
	}
}

static int check(const struct bench_options *o, struct errbuf *err)
{
	struct ip target = ip_from_sockaddr((const struct sockaddr *)&o->addr.ss);

	if (!o->addr.len)
		return err_set(err, SL_EINVAL, "want --dns or --http; see --help");
	if (!o->http && !o->host)
		return err_set(err, SL_EINVAL, "--dns wants --host");
	if (!o->remote && !ip_is_loopback(target))
		return err_set(err, SL_EREFUSED,
			"the target is not this machine: --remote allows it, with its owner's "
			"consent");
	return 0;
}

int bench_options_parse(struct bench_options *o, int argc, char **argv, struct errbuf *err)
{
	int opt, rc = 0;

	*o = (struct bench_options){
		.seconds = 5, .inflight = 64, .connections = 64, .threads = 1, .qtype = 1};
	while (!rc && (opt = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (opt == OPT_help) {
			usage();
			return 1;
		}
		rc = opt == '?' ? err_set(err, SL_EINVAL, "see --help") : set(o, opt, err);
	}
	if (!rc && optind < argc)
		rc = err_set(err, SL_EINVAL, "got %s, want options only", argv[optind]);
	return rc ? rc : check(o, err);
}
