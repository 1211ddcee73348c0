/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "control/blend.h"
#include "world/cat_build.h"

#include <stdlib.h>

static const char sluice[] =
	"catalog: catalog.yaml\nstate: run\nlisten: {dns: [\"127.0.0.1:5353\"]}\n";

static const char before[] =
	"vendors:\n"
	"  - {name: a, guaranteed_mbps: 100, max_mbps: 200, regions: [{name: r, groups: [CN], "
	"max_mbps: 50}]}\n"
	"  - {name: b, guaranteed_mbps: 100, max_mbps: 200}\n"
	"services:\n"
	"  - name: live\n"
	"    hosts: [live.sluice.example]\n"
	"    vendors: [{vendor: a, weight: 2, cname: a.example}, {vendor: b, cname: b.example}]\n"
	"nodes:\n"
	"  - {name: n, vendor: a, group: CN, capacity_mbps: 10, a: [192.0.2.1]}\n"
	"streams:\n"
	"  - {name: room, service: live, vendors: [b]}\n"
	"  - {name: old, service: live, vendors: [a]}\n";

static const char after[] =
	"vendors:\n"
	"  - {name: a, guaranteed_mbps: 300, max_mbps: 400, deny_groups: [CN/GD],\n"
	"     regions: [{name: r, groups: [CN], max_mbps: 150}]}\n"
	"  - {name: c, guaranteed_mbps: 100, max_mbps: 200}\n"
	"services:\n"
	"  - name: live\n"
	"    hosts: [live.sluice.example]\n"
	"    ttl_s: 7\n"
	"    vendors: [{vendor: a, weight: 4, cname: a.example}, {vendor: c, weight: 3, cname: "
	"c.example}]\n"
	"nodes:\n"
	"  - {name: n, vendor: a, group: CN, capacity_mbps: 30, a: [192.0.2.1]}\n"
	"streams:\n"
	"  - {name: room, service: live, vendors: [c]}\n"
	"  - {name: fresh, service: live, vendors: [a]}\n";

struct fixture {
	struct conf *old, *next;
	struct dict *dict;
	void *blob;
	struct cat_view groups;
	struct arena *arena;
};

static void load(const char *catalog, struct conf **ret_conf)
{
	const char *top = getenv("top_srcdir");
	struct errbuf err = {""};
	char text[2048];
	int n = snprintf(text, sizeof(text),
		"%szones:\n  - {name: sluice.example, file: "
		"\"%s/conf/examples/demo/sluice.example.zone\"}\n",
		catalog, top ? top : ".");

	if (conf_load_mem(sluice, strlen(sluice), text, (size_t)n, ret_conf, &err))
		fail_msg("%s", err.s);
}

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct errbuf err = {""};
	size_t size;

	load(before, &f->old);
	load(after, &f->next);
	f->dict = dict_new(NULL);
	assert_int_equal(dict_intern(f->dict, DICT_GROUP, STR_LIT("default")), 0);
	for (int i = 0; i < 100; i++) {
		char name[16];

		(void)snprintf(name, sizeof(name), "CN/GD/isp%d", i);
		assert_int_not_equal(dict_intern(f->dict, DICT_GROUP, str_from(name)), BLOB_NONE);
	}
	if (cat_build(f->old, f->dict, (struct blob_stamp){0}, &f->blob, &size, &err))
		fail_msg("%s", err.s);
	cat_view_init(&f->groups, f->blob);
	f->arena = arena_new(1 << 20);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	conf_free(f->old);
	conf_free(f->next);
	dict_free(f->dict);
	free(f->blob);
	arena_free(f->arena);
	free(f);
	return 0;
}

static const struct conf_vendor *vendor(const struct conf_catalog *c, const char *name)
{
	int at = conf_find_vendor(c, name);

	assert_true(at >= 0);
	return &c->vendors[at];
}

static double weight(const struct conf_catalog *c, const char *name)
{
	for (uint32_t i = 0; i < c->services[0].vendors_count; i++)
		if (strcmp(c->services[0].vendors[i].vendor, name) == 0)
			return c->services[0].vendors[i].weight;
	return -1;
}

static struct conf_catalog blend(struct fixture *f, double done)
{
	struct conf_catalog to = f->next->catalog;

	assert_int_equal(
		control_blend(&f->old->catalog, &f->next->catalog, done, &f->groups, f->arena, &to),
		0);
	return to;
}

static void numbers_lie_on_a_line(void **state)
{
	static const struct {
		double done, guaranteed, max, region, a, b, c, node;
	} cases[] = {
		{0, 100, 200, 50, 2, 1, 0, 10},
		{0.5, 200, 300, 100, 3, 0.5, 1.5, 20},
		{1, 300, 400, 150, 4, 0, 3, 30},
	};

	for (size_t i = 0; i < SL_COUNT(cases); i++) {
		struct conf_catalog c = blend(*state, cases[i].done);

		assert_true(vendor(&c, "a")->guaranteed_mbps == cases[i].guaranteed);
		assert_true(vendor(&c, "a")->max_mbps == cases[i].max);
		assert_true(vendor(&c, "a")->regions[0].max_mbps == cases[i].region);
		assert_true(vendor(&c, "a")->regions[0].guaranteed_mbps < 0);
		assert_true(weight(&c, "a") == cases[i].a);
		assert_true(weight(&c, "b") == cases[i].b);
		assert_true(weight(&c, "c") == cases[i].c);
		assert_true(c.nodes[0].capacity_mbps == cases[i].node);
		assert_int_equal(c.services[0].ttl_s, 7); /* at once */
	}
}

/* Groups that a may serve. */
static uint32_t allowed(const struct fixture *f, const struct conf_catalog *c)
{
	struct conf copy = *f->next;
	struct errbuf err = {""};
	struct cat_view cat;
	uint32_t n = 0;
	size_t size;
	void *blob;

	copy.catalog = *c;
	if (cat_build(&copy, f->dict, (struct blob_stamp){0}, &blob, &size, &err))
		fail_msg("%s", err.s);
	cat_view_init(&cat, blob);
	for (uint32_t g = 0; g < cat.n_groups; g++)
		n += cat.allowed[g * cat.n_vendors + cat_find_vendor(&cat, STR_LIT("a"))].v;
	free(blob);
	return n;
}

static void groups_change_one_by_one(void **state)
{
	struct fixture *f = *state;
	uint32_t last = f->groups.n_groups;

	for (int i = 0; i <= 10; i++) {
		struct conf_catalog c = blend(f, i / 10.0);
		uint32_t n = allowed(f, &c);

		assert_true(n <= last);
		if (i == 0)
			assert_int_equal(n, f->groups.n_groups);
		if (i == 5)
			assert_in_range(n, 30, 72);
		last = n;
	}
	assert_int_equal(last, 2); /* the default group and CN */
}

static const char *carrier(const struct conf_catalog *c, const char *stream)
{
	for (uint32_t i = 0; i < c->streams_count; i++)
		if (strcmp(c->streams[i].name, stream) == 0)
			return c->streams[i].vendors[0];
	return "";
}

static void streams_change_once(void **state)
{
	int turns = 0;
	const char *last = "b";

	for (int i = 0; i <= 20; i++) {
		struct conf_catalog c = blend(*state, i / 20.0);
		const char *now = carrier(&c, "room");

		turns += strcmp(now, last) != 0;
		last = now;
		if (i == 0) {
			assert_string_equal(carrier(&c, "old"), "a");
			assert_string_equal(carrier(&c, "fresh"), "");
		}
	}
	assert_int_equal(turns, 1);
	assert_string_equal(last, "c");
	{
		struct conf_catalog c = blend(*state, 1);

		assert_string_equal(carrier(&c, "old"), "");
		assert_string_equal(carrier(&c, "fresh"), "a");
	}
}

static void no_memory_changes_nothing(void **state)
{
	struct fixture *f = *state;
	struct conf_catalog to = f->next->catalog;
	struct arena *small = arena_new(64);

	assert_int_equal(
		control_blend(&f->old->catalog, &f->next->catalog, 0.5, &f->groups, small, &to),
		SL_ENOMEM);
	assert_memory_equal(&to, &f->next->catalog, sizeof(to));
	arena_free(small);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(numbers_lie_on_a_line, set_up, tear_down),
		cmocka_unit_test_setup_teardown(groups_change_one_by_one, set_up, tear_down),
		cmocka_unit_test_setup_teardown(streams_change_once, set_up, tear_down),
		cmocka_unit_test_setup_teardown(no_memory_changes_nothing, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
