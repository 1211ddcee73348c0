/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "control/notice.h"

enum { ALERTMANAGER, WEBHOOK, ONLY_CRITICAL, TARGETS };

static const struct notice_target targets[TARGETS] = {
	{.id = 1, .again = 60000, .least = NOTICE_WARNING},
	{.id = 2, .grouped = true, .group = 5000, .again = 3600000, .least = NOTICE_INFO},
	{.id = 3, .again = 60000, .least = NOTICE_CRITICAL},
};

static struct notice_line line[NOTICE_MAX];

static struct notice alert(const char *name, const char *labels, uint64_t start_ms)
{
	struct notice n = {.severity = NOTICE_WARNING, .start_ms = start_ms};

	(void)snprintf(n.alert, sizeof(n.alert), "%s", name);
	(void)snprintf(n.labels, sizeof(n.labels), "%s", labels);
	return n;
}

static struct notice_book *open_book(void)
{
	struct notice_book *b = notice_new();
	uint32_t was[NOTICE_TARGETS];

	notice_set_targets(b, targets, TARGETS, was);
	for (uint32_t t = 0; t < NOTICE_TARGETS; t++)
		assert_int_equal(was[t], NOTICE_TARGETS);
	return b;
}

static void an_alertmanager_hears_of_all_at_once_again_and_of_the_end(void **state)
{
	struct notice_book *b = open_book();
	struct notice list[] = {alert("full", "vendor=\"a\"", 1000), alert("old", "", 1000)};

	(void)state;
	notice_take(b, list, 2, 1000);
	assert_int_equal(notice_due(b, ALERTMANAGER, 1000, line), 2);
	assert_int_equal(notice_due(b, ALERTMANAGER, 1001, line), 0); /* it is being told */
	notice_told(b, ALERTMANAGER, true, 1500);
	assert_int_equal(notice_due(b, ALERTMANAGER, 61499, line), 0);
	assert_int_equal(notice_due(b, ALERTMANAGER, 61500, line), 2);
	notice_told(b, ALERTMANAGER, true, 61500);
	notice_take(b, list, 1, 62000);
	assert_int_equal(notice_due(b, ALERTMANAGER, 62000, line), 2);
	assert_true(line[0].end_ms == 0 && line[1].end_ms == 62000);
	notice_told(b, ALERTMANAGER, true, 62000);
	assert_int_equal(notice_due(b, ALERTMANAGER, 62001, line), 0);
	assert_int_equal(notice_waiting(b, ALERTMANAGER), 0);
	notice_free(b);
}

static void a_webhook_hears_by_name_after_a_while(void **state)
{
	struct notice_book *b = open_book();
	struct notice list[] = {alert("full", "vendor=\"a\"", 1000), alert("old", "", 3000),
		alert("full", "vendor=\"b\"", 4000)};

	(void)state;
	notice_take(b, list, 3, 4000);
	assert_int_equal(notice_due(b, WEBHOOK, 5999, line), 0);
	assert_int_equal(notice_due(b, WEBHOOK, 6000, line), 2); /* b goes with a */
	assert_string_equal(line[0].notice->alert, "full");
	notice_told(b, WEBHOOK, true, 6100);
	assert_int_equal(notice_due(b, WEBHOOK, 7999, line), 0);
	assert_int_equal(notice_due(b, WEBHOOK, 8000, line), 1);
	assert_string_equal(line[0].notice->alert, "old");
	notice_told(b, WEBHOOK, true, 8000);
	notice_take(b, list + 1, 2, 9000); /* a ends */
	assert_int_equal(notice_due(b, WEBHOOK, 13999, line), 0);
	assert_int_equal(notice_due(b, WEBHOOK, 14000, line), 2);
	assert_true(line[0].end_ms == 9000 && line[1].end_ms == 0);
	notice_told(b, WEBHOOK, true, 14000);
	assert_int_equal(notice_due(b, WEBHOOK, 3000000, line), 0);
	assert_int_equal(notice_due(b, WEBHOOK, 3614000, line), 1); /* still: old, then b */
	notice_free(b);
}

static void failures_are_tried_again_and_hold_nobody_else_up(void **state)
{
	struct notice_book *b = open_book();
	struct notice list[] = {alert("full", "", 1000)};
	uint64_t now = 1000, wait = 1000;

	(void)state;
	notice_take(b, list, 1, now);
	for (int i = 0; i < 10; i++) {
		assert_int_equal(notice_due(b, ALERTMANAGER, now, line), 1);
		notice_told(b, ALERTMANAGER, false, now);
		assert_int_equal(notice_failures(b, ALERTMANAGER), i + 1);
		assert_int_equal(notice_waiting(b, ALERTMANAGER), 1);
		assert_int_equal(notice_due(b, ALERTMANAGER, now + wait - 1, line), 0);
		now += wait;
		wait = SL_MIN(wait * 2, (uint64_t)NOTICE_MAX_RETRY_MS);
	}
	assert_int_equal(notice_due(b, WEBHOOK, now, line), 1);
	notice_told(b, WEBHOOK, true, now);
	/* it may have heard of it: the end is told too, once it can be reached */
	notice_take(b, NULL, 0, now);
	assert_int_equal(notice_due(b, ALERTMANAGER, now, line), 1);
	assert_true(line[0].end_ms == now);
	notice_told(b, ALERTMANAGER, true, now);
	assert_int_equal(notice_failures(b, ALERTMANAGER), 0);
	assert_int_equal(notice_due(b, ALERTMANAGER, now + 100000, line), 0);
	notice_free(b);
}

static void who_was_not_told_the_beginning_is_not_told_the_end(void **state)
{
	struct notice_book *b = open_book();
	struct notice list[] = {alert("full", "", 1000)};

	(void)state;
	notice_take(b, list, 1, 1000);
	notice_take(b, NULL, 0, 2000);
	for (uint32_t t = 0; t < TARGETS; t++)
		assert_int_equal(notice_due(b, t, 100000, line), 0);
	notice_take(b, list, 1, 3000); /* a warning is nothing for who wants critical ones */
	assert_int_equal(notice_due(b, ONLY_CRITICAL, 200000, line), 0);
	list[0].severity = NOTICE_CRITICAL;
	notice_take(b, list, 1, 4000);
	assert_int_equal(notice_due(b, ONLY_CRITICAL, 4000, line), 1);
	notice_free(b);
}

static void what_comes_again_while_its_end_is_told_fires(void **state)
{
	struct notice_book *b = open_book();
	struct notice list[] = {alert("full", "", 1000)};

	(void)state;
	notice_take(b, list, 1, 1000);
	assert_int_equal(notice_due(b, ALERTMANAGER, 1000, line), 1);
	notice_told(b, ALERTMANAGER, true, 1000);
	notice_take(b, NULL, 0, 2000);
	assert_int_equal(notice_due(b, ALERTMANAGER, 2000, line), 1);
	list[0].start_ms = 3000;
	notice_take(b, list, 1, 3000);
	notice_told(b, ALERTMANAGER, true, 3500); /* that was the end */
	assert_int_equal(notice_due(b, ALERTMANAGER, 3500, line), 1);
	assert_true(line[0].end_ms == 0);
	notice_told(b, ALERTMANAGER, true, 3500);
	notice_take(b, NULL, 0, 4000);
	assert_int_equal(notice_due(b, ALERTMANAGER, 4000, line), 1);
	assert_true(line[0].end_ms == 4000);
	notice_free(b);
}

static void who_stays_in_another_set_knows_what_it_was_told(void **state)
{
	const struct notice_target other[] = {{.id = 4, .again = 60000},
		{.id = 2, .again = 60000, .least = NOTICE_CRITICAL}, {.id = 1, .again = 60000},
		{.id = 1, .again = 60000}};
	struct notice_book *b = open_book();
	struct notice list[] = {alert("full", "", 1000)};
	uint32_t was[NOTICE_TARGETS];

	(void)state;
	notice_take(b, list, 1, 1000);
	assert_int_equal(notice_due(b, WEBHOOK, 6000, line), 1);
	notice_told(b, WEBHOOK, true, 6000);
	assert_int_equal(notice_due(b, ALERTMANAGER, 6000, line), 1); /* under way */
	notice_set_targets(b, other, 4, was);
	assert_true(was[0] == NOTICE_TARGETS && was[1] == WEBHOOK);
	assert_true(was[2] == ALERTMANAGER && was[3] == NOTICE_TARGETS); /* no place twice */
	assert_int_equal(notice_due(b, 2, 6000, line), 0);
	notice_told(b, 2, false, 6000);
	assert_int_equal(notice_failures(b, 2), 1);
	assert_int_equal(notice_due(b, 1, 6000, line), 0);
	assert_int_equal(notice_due(b, 0, 6000, line), 1);
	notice_told(b, 0, true, 6000);
	notice_take(b, NULL, 0, 7000); /* the last was told nothing */
	for (uint32_t t = 0; t < 4; t++) {
		assert_int_equal(notice_waiting(b, t), t < 3);
		assert_int_equal(notice_due(b, t, 8000, line), t < 3);
		assert_true(t == 3 || line[0].end_ms == 7000);
		notice_told(b, t, true, 8000);
		assert_int_equal(notice_due(b, t, 9000, line), 0);
	}
	notice_free(b);
}

static void the_book_has_an_end(void **state)
{
	static struct notice list[NOTICE_MAX + 1];
	struct notice_book *b = open_book();
	char labels[32];

	(void)state;
	for (int i = 0; i <= NOTICE_MAX; i++) {
		(void)snprintf(labels, sizeof(labels), "n=\"%d\"", i);
		list[i] = alert("full", labels, 1000);
	}
	notice_take(b, list, NOTICE_MAX + 1, 1000);
	assert_int_equal(notice_due(b, ALERTMANAGER, 1000, line), NOTICE_MAX);
	notice_told(b, ALERTMANAGER, false, 1000);
	/* ends that nobody takes are dropped after an hour, and there is room again */
	notice_take(b, NULL, 0, 2000);
	notice_take(b, NULL, 0, 2001 + NOTICE_FORGET_MS);
	assert_int_equal(notice_due(b, ALERTMANAGER, 3000 + NOTICE_FORGET_MS, line), 0);
	notice_take(b, list, 1, 3000 + NOTICE_FORGET_MS);
	assert_int_equal(notice_due(b, ALERTMANAGER, 3000 + NOTICE_FORGET_MS, line), 1);
	notice_free(b);
}

/* The clock is set back while one receiver fails and another was told: neither waits for the old
 * time to come again. */
static void a_clock_set_back(void **state)
{
	enum { THEN = 30000000, NOW = 1000000 };
	struct notice_book *b = open_book();
	struct notice list[] = {alert("full", "", THEN)};

	(void)state;
	notice_take(b, list, 1, THEN);
	assert_int_equal(notice_due(b, ALERTMANAGER, THEN, line), 1);
	notice_told(b, ALERTMANAGER, true, THEN);
	assert_int_equal(notice_due(b, WEBHOOK, THEN + 5000, line), 1);
	notice_told(b, WEBHOOK, false, THEN + 5000);
	list[0].start_ms = NOW;
	notice_take(b, list, 1, NOW);
	assert_int_equal(notice_due(b, ALERTMANAGER, NOW + 60000, line), 1);
	assert_int_equal(notice_due(b, WEBHOOK, NOW + NOTICE_MAX_RETRY_MS, line), 1);
	notice_free(b);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_alertmanager_hears_of_all_at_once_again_and_of_the_end),
		cmocka_unit_test(a_webhook_hears_by_name_after_a_while),
		cmocka_unit_test(failures_are_tried_again_and_hold_nobody_else_up),
		cmocka_unit_test(who_was_not_told_the_beginning_is_not_told_the_end),
		cmocka_unit_test(what_comes_again_while_its_end_is_told_fires),
		cmocka_unit_test(who_stays_in_another_set_knows_what_it_was_told),
		cmocka_unit_test(the_book_has_an_end),
		cmocka_unit_test(a_clock_set_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
