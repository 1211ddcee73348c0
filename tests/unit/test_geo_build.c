/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "base/limits.h"
#include "geo/build.h"
#include "geo/file.h"

struct built {
	struct geo_names names;
	struct geo_table *table;
	size_t size;
	struct errbuf err;
};

static int build(struct built *b, struct geo_input in)
{
	memset(b, 0, sizeof(*b));
	if (!in.isps)
		in.isps = geo_isp_default(&in.n_isps);
	in.intern = geo_names_intern;
	in.ctx = &b->names;
	return geo_build(&in, &b->table, &b->size, &b->err);
}

static void done(struct built *b)
{
	geo_names_done(&b->names);
	free(b->table);
}

static void expect(const struct built *b, const char *text, const char *group, int len)
{
	struct geo_hit hit;
	struct ip a;

	assert_true(ip_parse(str_from(text), &a));
	geo_lookup(b->table, a, &hit);
	assert_string_equal(b->names.name[hit.group], group);
	if (len >= 0)
		assert_int_equal(hit.len, len);
}

static void overrides_alone_make_a_table(void **state)
{
	struct built b;
	struct geo_input in = {.overrides = STR_LIT("10.0.0.0/8,CN,GD,telecom,a\n"
						    "10.1.0.0/16,CN,,telecom,b\n"
						    "10.2.0.0/16,CN,BJ,,c\n"
						    "10.3.0.0/16,US,CA,telecom,d\n"
						    "2400::/12,CN,-,unicom,e\n")};

	(void)state;
	assert_int_equal(build(&b, in), 0);
	assert_int_equal(geo_table_check(b.table, b.size, &b.err), 0);
	expect(&b, "10.0.0.1", "CN/GD/telecom", 16);
	expect(&b, "10.128.0.1", "CN/GD/telecom", 9);
	expect(&b, "10.1.2.3", "CN/-/telecom", 16);
	expect(&b, "10.2.2.3", "CN/BJ", 16);
	expect(&b, "10.3.2.3", "US", 16);
	expect(&b, "11.0.0.1", "default", 8);
	expect(&b, "::ffff:10.1.2.3", "CN/-/telecom", 112);
	expect(&b, "2002:a01:203::1", "CN/-/telecom", 32);
	expect(&b, "2001:0:102:304:0:0:f5fe:fdfc", "CN/-/telecom", 128);
	expect(&b, "240e::1", "CN/-/unicom", 12);
	expect(&b, "::1", "default", 81);
	assert_string_equal(b.names.name[b.table->default_group], "default");
	assert_int_equal(b.table->default_group, 0);
	assert_int_equal(b.table->stats.v4_country, 1 << 24);
	done(&b);
}

/* The fuzz corpus has a small database: 10/8 CN GD telecom, 11.0.0/22 US, 2400::/16 CN unicom. */
static const char *small_db(void)
{
	static char path[512];
	const char *top = getenv("top_srcdir");

	(void)snprintf(path, sizeof(path), "%s/tests/fuzz/corpus/geo_mmdb/small", top ? top : ".");
	return path;
}

static void the_first_source_that_knows_wins(void **state)
{
	const char *db = small_db();
	struct built b;
	struct geo_input in = {.dbs = &db,
		.n_dbs = 1,
		.overrides = STR_LIT("10.1.0.0/16,,BJ,,only the province\n"
				     "10.2.0.0/16,,,mobile,only the carrier\n"
				     "10.3.0.0/16,US,,,another country: its province is not GD\n"
				     "10.4.0.0/16,-,,,no country\n"
				     "10.5.0.0/16,,-,-,nothing but the country\n"
				     "11.0.1.0/24,CN,HN,cernet,all\n")};

	(void)state;
	assert_int_equal(build(&b, in), 0);
	expect(&b, "10.0.0.1", "CN/GD/telecom", 16);
	expect(&b, "10.1.0.1", "CN/BJ/telecom", 16);
	expect(&b, "10.2.0.1", "CN/GD/mobile", 16);
	expect(&b, "10.3.0.1", "US", 16);
	expect(&b, "10.4.0.1", "default", 16);
	expect(&b, "10.5.0.1", "CN", 16);
	expect(&b, "11.0.0.1", "US", 24);
	expect(&b, "11.0.1.1", "CN/HN/cernet", 24);
	expect(&b, "2400::1", "CN/-/unicom", 16);
	done(&b);
}

static void lists_say_what_divides(void **state)
{
	static const char *const us[] = {"US", NULL}, *const none[] = {NULL};
	static const struct geo_isp isps[] = {{.name = "telecom", .countries = us}, {.name = "b"}};
	const char *db = small_db();
	struct built b;
	struct geo_input in = {.dbs = &db,
		.n_dbs = 1,
		.isps = isps,
		.n_isps = 2,
		.province_countries = us,
		.isp_countries = none,
		.default_group = "other",
		.overrides =
			STR_LIT("11.0.1.0/24,US,CA,telecom\n11.0.2.0/24,,,b\n10.1.0.0/16,,,b\n")};

	(void)state;
	assert_int_equal(build(&b, in), 0);
	expect(&b, "10.0.0.1", "CN", 8); /* neither its province nor its carrier divides it */
	expect(&b, "10.1.0.1", "CN", 8);
	expect(&b, "11.0.1.1", "US/CA/telecom", 24);
	expect(&b, "11.0.2.1", "US", 23);
	expect(&b, "12.0.0.1", "other", 6);
	done(&b);
}

static void the_same_input_gives_the_same_octets(void **state)
{
	const char *db = small_db();
	struct built a, b;

	(void)state;
	assert_int_equal(build(&a, (struct geo_input){.dbs = &db, .n_dbs = 1}), 0);
	assert_int_equal(build(&b, (struct geo_input){.dbs = &db, .n_dbs = 1}), 0);
	assert_int_equal(a.size, b.size);
	assert_memory_equal(a.table, b.table, a.size);
	done(&a);
	done(&b);
}

static void refuses_with_a_reason(void **state)
{
	static const struct geo_isp upper[] = {{.name = "Telecom"}}, slash[] = {{.name = "a/b"}};
	static const char *const gone[] = {"/nonexistent.mmdb"};
	static struct geo_isp many[SL_MAX_ISPS + 1];
	const struct {
		struct geo_input in;
		int want;
		const char *text;
	} rows[] = {
		{{.dbs = gone, .n_dbs = 1}, SL_ENOENT, "/nonexistent.mmdb: cannot open: "},
		{{.dbs = gone, .n_dbs = GEO_MAX_DBS + 1}, SL_ELIMIT,
			"16 databases, want at most 15"},
		{{.isps = upper, .n_isps = 1}, SL_EINVAL, "carrier \"Telecom\": want"},
		{{.isps = slash, .n_isps = 1}, SL_EINVAL, "carrier \"a/b\": want"},
		{{.isps = many, .n_isps = SL_MAX_ISPS + 1}, SL_ELIMIT,
			"65 carriers, want at most 64"},
		{{.overrides_name = "f.csv", .overrides = STR_LIT("x")}, SL_EFORMAT,
			"f.csv:1: want"},
		{{.default_group = "012345678901234567890123456789012345678901234567890123456789012"
				   "3"},
			SL_EINVAL, "group \"0123"},
		{{.default_group = ""}, SL_EINVAL, "group \"\": want"},
	};

	(void)state;
	for (size_t i = 0; i < SL_COUNT(many); i++)
		many[i].name = "x";
	for (size_t i = 0; i < SL_COUNT(rows); i++) {
		struct built b;

		assert_int_equal(build(&b, rows[i].in), rows[i].want);
		assert_int_equal(strncmp(b.err.s, rows[i].text, strlen(rows[i].text)), 0);
		assert_null(b.table);
		done(&b);
	}
}

/* A carrier and country for each of many prefixes: as many groups as there may be, and one more. */
static void groups_have_a_limit(void **state)
{
	static char text[400000];
	static const char *const all[] = {"AA", NULL};

	(void)state;
	for (size_t extra = 0; extra <= 1; extra++) {
		size_t n = 0;
		struct built b;
		struct geo_input in = {.province_countries = all};

		/* the default group is one of them */
		for (unsigned i = 0; i < SL_MAX_GROUPS - 1 + extra; i++)
			n += (size_t)snprintf(text + n, sizeof(text) - n,
				"10.%u.%u.0/24,AA,%c%c%c\n", i >> 8, i & 255, 'A' + i / 256,
				'A' + i / 16 % 16, 'A' + i % 16);
		in.overrides = (struct str){text, n};
		assert_int_equal(build(&b, in), extra ? SL_ELIMIT : 0);
		if (!extra)
			assert_int_equal(b.table->n_groups, SL_MAX_GROUPS);
		done(&b);
	}
}

static uint16_t intern_none(void *ctx, struct str name, const struct geo_place *place)
{
	(void)ctx;
	(void)place;
	return str_eq_z(name, "default") ? 7 : GEO_REFUSED;
}

static void a_full_dictionary_refuses(void **state)
{
	struct geo_input in = {.overrides = STR_LIT("10.0.0.0/8,US"), .intern = intern_none};
	struct geo_table *t = NULL;
	struct errbuf err;
	size_t size;

	(void)state;
	assert_int_equal(geo_build(&in, &t, &size, &err), SL_ELIMIT);
	assert_string_equal(err.s, "group US: no room for another");
	in.overrides.n = 0;
	assert_int_equal(geo_build(&in, &t, &size, &err), 0);
	assert_int_equal(t->default_group, 7);
	assert_int_equal(t->n_groups, 8);
	assert_int_equal(geo_table_check(t, size, &err), 0);
	free(t);
}

static uint16_t intern_place(void *ctx, struct str name, const struct geo_place *place)
{
	(void)name;
	if (place->isp.n)
		*(bool *)ctx = str_eq_z(place->country, "CN") && str_eq_z(place->province, "GD") &&
			       str_eq_z(place->isp, "telecom");
	return 0;
}

static void places_come_with_names(void **state)
{
	struct geo_input in = {
		.overrides = STR_LIT("10.0.0.0/8,CN,GD,telecom"), .intern = intern_place};
	struct geo_table *t;
	bool seen = false;
	size_t size;

	(void)state;
	in.isps = geo_isp_default(&in.n_isps);
	in.ctx = &seen;
	assert_int_equal(geo_build(&in, &t, &size, NULL), 0);
	assert_true(seen);
	free(t);
}

static void less_than_four_fifths_is_shrunken(void **state)
{
	static const struct geo_stats old = {1000, 1000, 1000, 1000, 99, 10, 0};
	static const struct {
		struct geo_stats now;
		bool want;
	} rows[] = {
		{{1000, 1000, 1000, 1000, 99, 10, 0}, false},
		{{800, 800, 800, 800, 1, 8, 0}, false},
		{{799, 1000, 1000, 1000, 99, 10, 0}, true},
		{{1000, 799, 1000, 1000, 99, 10, 0}, true},
		{{1000, 1000, 799, 1000, 99, 10, 0}, true},
		{{1000, 1000, 1000, 799, 99, 10, 0}, true},
		{{1000, 1000, 1000, 1000, 99, 7, 0}, true},
		{{9000, 9000, 9000, 9000, 99, 90, 0}, false},
	};
	static const struct geo_stats none;

	(void)state;
	for (size_t i = 0; i < SL_COUNT(rows); i++)
		assert_int_equal(geo_shrunken(&old, &rows[i].now), rows[i].want);
	assert_false(geo_shrunken(&none, &old));
	assert_false(geo_shrunken(&none, &none));
}

static void the_world_is_in_its_place(void **state)
{
	char path[512];
	const char *db = test_shared(path, sizeof(path), "data/steering-world.mmdb");
	struct built b;

	(void)state;
	if (!db)
		skip();
	assert_int_equal(build(&b, (struct geo_input){.dbs = &db, .n_dbs = 1}), 0);
	assert_int_equal(geo_table_check(b.table, b.size, &b.err), 0);
	expect(&b, "202.96.128.86", "CN/GD/telecom", -1);
	expect(&b, "114.213.171.205", "CN/AH/cernet", -1);
	expect(&b, "8.8.8.8", "US", -1);
	expect(&b, "240e:3b7::1", "CN/-/telecom", -1);
	expect(&b, "127.0.0.1", "default", -1);
	done(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(overrides_alone_make_a_table),
		cmocka_unit_test(the_first_source_that_knows_wins),
		cmocka_unit_test(lists_say_what_divides),
		cmocka_unit_test(the_same_input_gives_the_same_octets),
		cmocka_unit_test(refuses_with_a_reason),
		cmocka_unit_test(groups_have_a_limit),
		cmocka_unit_test(a_full_dictionary_refuses),
		cmocka_unit_test(places_come_with_names),
		cmocka_unit_test(less_than_four_fifths_is_shrunken),
		cmocka_unit_test(the_world_is_in_its_place),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
