/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

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
		cmocka_unit_test(the_world_is_in_its_place),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
