/* SPDX-License-Identifier: Apache-2.0 */
/* sluice-geo: look addresses up, compile databases into a table file, say what one covers. */
#include "base/err.h"
#include "base/limits.h"
#include "base/os.h"
#include "geo/build.h"
#include "geo/file.h"

#include <getopt.h>
#include <stdlib.h>

enum { EXIT_REFUSED = 1, EXIT_USAGE = 2 };

static const char help[] =
	"usage: sluice-geo lookup [SOURCE]... [--json] ADDR...   ('-': one a line from stdin)\n"
	"       sluice-geo build [SOURCE]... --out FILE\n"
	"       sluice-geo stats [SOURCE]... [--json]\n"
	"SOURCE is --db FILE.mmdb (repeated: the first that knows a field wins), --overrides "
	"FILE.csv\n"
	"over all of them, or --table FILE as written by build. Without any, the table named by\n"
	"SLUICE_GEO_TABLE. See sluice-geo(1).\n";

struct args {
	const char *dbs[GEO_MAX_DBS];
	size_t n_dbs;
	const char *overrides, *table, *out;
	bool json;
};

/* A table from wherever it comes, and the names of its groups. */
struct source {
	const void *map; /* a mapped file ... */
	size_t map_size;
	struct geo_table *built; /* ... or one compiled here */
	struct geo_names interned;
	char *overrides;
	const struct geo_table *table;
	struct str names[SL_MAX_GROUPS];
};

static int usage(const char *what)
{
	(void)fprintf(stderr, "sluice-geo: %s\n%s", what, help);
	return EXIT_USAGE;
}

static int refused(const struct errbuf *err)
{
	(void)fprintf(stderr, "sluice-geo: %s\n", err->s);
	return EXIT_REFUSED;
}

static int open_table(struct source *s, const char *path, struct errbuf *err)
{
	struct errbuf why = {""};
	int rc = os_map_file(path, SL_MAX_BLOB_OCTETS, &s->map, &s->map_size, err);

	if (rc)
		return rc;
	if ((rc = geo_file_check(s->map, s->map_size, &why)) != 0)
		return err_set(err, rc, "%s: %s", path, why.s);
	s->table = geo_file_table(s->map);
	geo_file_names(s->map, s->names);
	return 0;
}

static int compile(struct source *s, const struct args *a, struct errbuf *err)
{
	struct geo_input in = {.dbs = a->dbs,
		.n_dbs = a->n_dbs,
		.overrides_name = a->overrides,
		.intern = geo_names_intern,
		.ctx = &s->interned};
	size_t size;
	int rc = 0;

	in.isps = geo_isp_default(&in.n_isps);
	if (a->overrides) {
		rc = os_read_file(
			a->overrides, SL_MAX_CONF_OCTETS, &s->overrides, &in.overrides.n, err);
		in.overrides.p = s->overrides;
	}
	if (rc == 0)
		rc = geo_build(&in, &s->built, &size, err);
	s->table = s->built;
	for (size_t i = 0; rc == 0 && i < s->interned.n; i++)
		s->names[i] = str_from(s->interned.name[i]);
	return rc;
}

static int source_open(struct source *s, const struct args *a, struct errbuf *err)
{
	const char *env = getenv("SLUICE_GEO_TABLE");

	if (a->n_dbs || a->overrides)
		return compile(s, a, err);
	if (a->table)
		return open_table(s, a->table, err);
	if (env && *env)
		return open_table(s, env, err);
	return err_set(err, SL_ENOENT,
		"no geo data: name a database with --db FILE.mmdb, or a table with --table FILE "
		"or SLUICE_GEO_TABLE (sluice-geo build makes one)");
}

static void source_done(struct source *s)
{
	if (s->map)
		os_unmap(s->map, s->map_size);
	geo_names_done(&s->interned);
	free(s->built);
	free(s->overrides);
}

static int lookup_one(const struct source *s, struct str text, bool json)
{
	struct geo_hit hit;
	struct str name;
	struct ip a;

	if (!ip_parse(text, &a)) {
		(void)fprintf(stderr, "sluice-geo: \"" STR_FMT "\" is no address\n", STR_ARG(text));
		return EXIT_REFUSED;
	}
	geo_lookup(s->table, a, &hit);
	name = s->names[hit.group];
	(void)printf(json ? "{\"address\":\"" STR_FMT "\",\"group\":\"" STR_FMT "\",\"scope\":%u}\n"
			  : STR_FMT "\t" STR_FMT "\t%u\n",
		STR_ARG(text), STR_ARG(name), hit.len);
	return 0;
}

static int lookup_lines(const struct source *s, bool json)
{
	char line[256];
	int rc = 0;

	while (fgets(line, sizeof(line), stdin)) {
		struct str text = {line, strcspn(line, "\r\n")};
		int one = text.n ? lookup_one(s, text, json) : 0;

		rc = one ? one : rc;
	}
	return rc;
}

static int cmd_lookup(const struct source *s, const struct args *a, char **addrs)
{
	int rc = 0;

	for (; *addrs; addrs++) {
		int one = strcmp(*addrs, "-") == 0 ? lookup_lines(s, a->json)
						   : lookup_one(s, str_from(*addrs), a->json);

		rc = one ? one : rc;
	}
	return rc;
}

static int cmd_build(const struct source *s, const struct args *a)
{
	struct errbuf err;
	struct geo_file *f = NULL;
	int rc;

	if (!s->built || !a->out)
		return usage("build: want sources by --db or --overrides, and --out FILE");
	rc = geo_file_build(&s->interned, s->built, &f, &err);
	if (rc == 0)
		rc = os_write_file(a->out, f, (size_t)f->size, 0644, &err);
	free(f);
	return rc ? refused(&err) : 0;
}

#define STAT_ROWS(X)                                                                               \
	X(v4_country, "IPv4 addresses with a country")                                             \
	X(v4_isp, "IPv4 addresses with a carrier")                                                 \
	X(v6_country, "IPv6 /64 blocks with a country")                                            \
	X(v6_isp, "IPv6 /64 blocks with a carrier")                                                \
	X(prefixes, "blocks")                                                                      \
	X(groups, "groups")

static int cmd_stats(const struct source *s, const struct args *a)
{
	const struct geo_stats *st = &s->table->stats;
	const char *sep = "{";

	if (!a->json) {
#define X(field, text) (void)printf("%llu\t%s\n", (unsigned long long)st->field, text);
		STAT_ROWS(X)
#undef X
		(void)printf("%llu\toctets\n", (unsigned long long)s->table->size);
		return 0;
	}
#define X(field, text)                                                                             \
	(void)printf("%s\"" #field "\":%llu", sep, (unsigned long long)st->field);                 \
	sep = ",";
	STAT_ROWS(X)
#undef X
	(void)printf(",\"octets\":%llu}\n", (unsigned long long)s->table->size);
	return 0;
}

static int parse_args(int argc, char **argv, struct args *a)
{
	static const struct option options[] = {{"db", required_argument, NULL, 'd'},
		{"overrides", required_argument, NULL, 'o'},
		{"table", required_argument, NULL, 't'}, {"out", required_argument, NULL, 'w'},
		{"json", no_argument, NULL, 'j'}, {"help", no_argument, NULL, 'h'}, {0}};
	int c;

	while ((c = getopt_long(argc, argv, "h", options, NULL)) != -1) {
		if (c == 'd' && a->n_dbs == GEO_MAX_DBS)
			return usage("too many databases");
		if (c == 'd')
			a->dbs[a->n_dbs++] = optarg;
		else if (c == 'o')
			a->overrides = optarg;
		else if (c == 't')
			a->table = optarg;
		else if (c == 'w')
			a->out = optarg;
		else if (c == 'j')
			a->json = true;
		else if (c == 'h')
			return fputs(help, stdout) < 0 ? EXIT_REFUSED : -1;
		else
			return usage("see the options below");
	}
	if (a->table && (a->n_dbs || a->overrides))
		return usage("--table stands alone, without --db and --overrides");
	return 0;
}

/* What is wrong with a command line, before anything is read; NULL when nothing is. */
static const char *complaint(const char *cmd, const struct args *a, char **rest)
{
	if (strcmp(cmd, "lookup") == 0)
		return *rest ? NULL : "lookup: name an address, or - for standard input";
	if (strcmp(cmd, "build") == 0)
		return a->out && !*rest ? NULL : "build: want --out FILE and no addresses";
	if (strcmp(cmd, "stats") == 0)
		return *rest ? "stats: takes no addresses" : NULL;
	return "no such command";
}

int main(int argc, char **argv)
{
	static struct source s;
	struct args a = {0};
	struct errbuf err = {""};
	const char *cmd, *wrong;
	int rc = parse_args(argc, argv, &a);

	if (rc)
		return rc < 0 ? 0 : rc;
	if (optind == argc)
		return usage("want a command");
	cmd = argv[optind++];
	if ((wrong = complaint(cmd, &a, argv + optind)) != NULL)
		return usage(wrong);
	if (source_open(&s, &a, &err) != 0)
		rc = refused(&err);
	else if (*cmd == 'l')
		rc = cmd_lookup(&s, &a, argv + optind);
	else
		rc = *cmd == 'b' ? cmd_build(&s, &a) : cmd_stats(&s, &a);
	source_done(&s);
	return rc;
}
