/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include <cjson/cJSON.h>

#include "control/rules.h"

static const struct control_rule drain = {.kind = RULE_DRAIN,
	.vendor = "alpha",
	.groups = "CN/GD/*",
	.start_ms = 1000,
	.ramp_ms = 4000,
	.until_ms = 9000,
	.why = "too \"slow\"",
	.who = "ann"};

static void a_rule_reads_back_as_it_was(void **state)
{
	struct control_rule got;
	char key[RULE_KEY], *text = control_rule_print(&drain);

	(void)state;
	assert_true(control_rule_parse(text, &got));
	assert_memory_equal(&got, &drain, sizeof(got));
	control_rule_key(&got, key);
	assert_string_equal(key, "rule|drain|alpha||CN/GD/*");
	cJSON_free(text);
}

static void what_is_no_rule_is_refused(void **state)
{
	static const char *const rows[] = {"", "{}", "[]", "{\"kind\":\"drain\"}",
		"{\"kind\":\"dance\",\"vendor\":\"a\",\"service\":\"\",\"groups\":\"\"}",
		"{\"kind\":\"drain\",\"vendor\":1,\"service\":\"\",\"groups\":\"\"}",
		"{\"kind\":\"drain\",\"vendor\":"
		"\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\","
		"\"service\":\"\",\"groups\":\"\"}"};
	struct control_rule got;

	(void)state;
	for (size_t i = 0; i < SL_COUNT(rows); i++)
		assert_false(control_rule_parse(rows[i], &got));
}

static void ramps_go_along_a_line(void **state)
{
	static const struct {
		uint64_t now_ms;
		double done;
	} rows[] = {{0, 0}, {1000, 0}, {2000, 0.25}, {3000, 0.5}, {5000, 1}, {8000, 1}};

	(void)state;
	for (size_t i = 0; i < SL_COUNT(rows); i++)
		assert_true(control_rule_progress(&drain, rows[i].now_ms) == rows[i].done);
}

/* Eight hours: what was done before holds, what is to come still is. */
static void a_clock_set_back_takes_no_rule_away(void **state)
{
	struct control_rule r = drain, got;
	struct control_rules list = {0};
	struct engine_rule out[1];
	uint64_t back_ms = 8 * 3600000;
	char *text;

	(void)state;
	r.start_ms += back_ms;
	r.until_ms += back_ms;
	assert_true(control_rule_progress(&r, r.start_ms - 500) == 0); /* put right by little */
	assert_true(control_rule_progress(&r, 1500) == 1);
	r.ramp_ms = 0;
	assert_true(control_rule_progress(&r, r.start_ms - 500) == 1);
	assert_true(control_rule_progress(&r, 1500) == 1);
	assert_int_equal(control_rules_add(&list, &r), 0);
	assert_int_equal(control_rules_expand(&list, NULL, 1500, out, 1), 1);
	r.back = true;
	assert_true(control_rule_progress(&r, 1500) == 0);
	r.back = false;
	r.sleeps = true;
	text = control_rule_print(&r);
	assert_true(control_rule_parse(text, &got));
	assert_true(control_rule_progress(&got, 1500) == 0);
	assert_true(control_rule_progress(&got, r.start_ms) == 1);
	list.rule[0] = got;
	assert_int_equal(control_rules_expand(&list, NULL, 1500, out, 1), 0);
	cJSON_free(text);
	control_rules_clear(&list);
}

static void expansion_keeps_times(void **state)
{
	struct control_rule weight = {.kind = RULE_WEIGHT,
		.vendor = "beta",
		.from = 1,
		.value = 3,
		.start_ms = 1000,
		.ramp_ms = 4000};
	struct control_rules list = {0};
	struct engine_rule out[4];

	(void)state;
	assert_int_equal(control_rules_add(&list, &drain), 0);
	assert_int_equal(control_rules_add(&list, &weight), 0);
	assert_int_equal(control_rules_expand(&list, NULL, 6000, out, 4), 2);
	assert_int_equal(out[0].kind, RULE_WEIGHT); /* weights come first */
	assert_true(out[0].value == 3);
	assert_int_equal(out[1].kind, RULE_DRAIN);
	assert_int_equal(out[1].until_ms, 9000);
	assert_string_equal(out[1].groups, "CN/GD/*");
	assert_int_equal(control_rules_expand(&list, NULL, 9000, out, 4), 1); /* its time is over */
	assert_int_equal(control_rules_expand(&list, NULL, 6000, out, 1), 1); /* no more room */
	assert_true(control_rules_moving(&list, 6000));
	list.rule[0] = weight;
	assert_true(control_rules_moving(&list, 4000));
	assert_false(control_rules_moving(&list, 6000));
	control_rules_clear(&list);
	assert_false(control_rules_moving(&list, 6000));
}

/* What is on its way out, what sleeps, and what takes names one by one. */
static void rules_go_sleep_and_wake(void **state)
{
	struct control_rule back = drain, asleep = drain,
			    node = {.kind = RULE_NODE,
				    .vendor = "gd-1",
				    .start_ms = 1000,
				    .ramp_ms = 4000};
	struct control_rules list = {0};
	struct engine_rule out[4];
	uint32_t n = 0;

	(void)state;
	back.back = true;
	assert_true(control_rule_progress(&back, 1000) == 1);
	assert_true(control_rule_progress(&back, 2000) == 0.75);
	assert_true(control_rule_progress(&back, 5000) == 0);
	assert_int_equal(control_rules_add(&list, &back), 0);
	assert_int_equal(control_rules_expand(&list, NULL, 2000, out, 4), 0); /* what comes of it */
	assert_true(control_rules_moving(&list, 2000));
	asleep.until_ms = 0;
	asleep.start_ms = 6000;
	asleep.sleeps = true;
	asleep.ramp_ms = 0;
	list.rule[0] = asleep;
	assert_int_equal(control_rules_expand(&list, NULL, 5999, out, 4), 0);
	assert_true(control_rules_moving(&list, 5999));
	assert_int_equal(control_rules_expand(&list, NULL, 6000, out, 4), 1);
	assert_false(control_rules_moving(&list, 6000));
	list.rule[0] = node;
	assert_int_equal(control_rules_expand(&list, NULL, 1000, out, 4), 1);
	assert_string_equal(out[0].vendor, "gd-1");
	for (uint64_t now = 1000; now <= 5000; now += 100) { /* once taken, it stays taken */
		struct world w = {.cat = {.n_slots = 0}};
		uint32_t was = n;

		n = control_rules_expand(&list, &w, now, out, 4);
		assert_true(n >= was);
	}
	assert_int_equal(n, 1);
	control_rules_clear(&list);
}

/* A ramp over many groups does not push out what stands after it. */
static void a_ramp_leaves_room(void **state)
{
	static const struct control_rule deny = {
		.kind = RULE_DENY, .vendor = "beta", .groups = "192.0.2.0/24"};
	struct cat_group group[8] = {{.name = {.count = 0}}};
	struct world w = {.cat = {.groups = group, .n_groups = SL_COUNT(group)}};
	struct control_rule all = drain;
	struct control_rules list = {0};
	struct engine_rule out[4];

	(void)state;
	all.kind = RULE_EVACUATE;
	all.groups[0] = '\0';
	assert_int_equal(control_rules_add(&list, &all), 0);
	assert_int_equal(control_rules_add(&list, &deny), 0);
	assert_int_equal(control_rules_expand(&list, &w, 4999, out, 4), 4);
	assert_int_equal(out[2].kind, RULE_EVACUATE);
	assert_int_equal(out[3].kind, RULE_DENY);
	control_rules_clear(&list);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_rule_reads_back_as_it_was),
		cmocka_unit_test(what_is_no_rule_is_refused),
		cmocka_unit_test(ramps_go_along_a_line),
		cmocka_unit_test(a_clock_set_back_takes_no_rule_away),
		cmocka_unit_test(expansion_keeps_times),
		cmocka_unit_test(rules_go_sleep_and_wake),
		cmocka_unit_test(a_ramp_leaves_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
