/* SPDX-License-Identifier: Apache-2.0 */
/* A change during which the database cannot be read at one point, at every point in turn: it is
 * refused, or as right as any. */
#include "test.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "store/store_int.h"
#include "tmpdir.h"

static char dir[64];

static int setup(void **state)
{
	(void)state;
	(void)snprintf(dir, sizeof(dir), "%s/sluice-test-reads-XXXXXX",
		access("/dev/shm", W_OK) ? "/tmp" : "/dev/shm");
	return mkdtemp(dir) ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	return tmpdir_remove(dir);
}

/* Stops the statement that runs when so many steps of the database are done. */
static int stop_at(void *ctx)
{
	uint32_t *left = ctx;

	return *left && --*left == 0;
}

static int set(struct store *s, const char *value, const struct store_stamp *base)
{
	struct store_author a = {.who = "ann",
		.origin = "socket",
		.why = "",
		.command = "set",
		.now_ms = 1,
		.base = base};
	struct store_item item = {"key", value};
	struct store_result r;

	return store_change(s, &a, &item, 1, &r, NULL);
}

static void expect_before(
	void *ctx, uint64_t number, const char *key, const char *before, const char *after)
{
	(void)ctx;
	(void)number;
	(void)key;
	assert_string_equal(after, "three");
	assert_string_equal(before, "two");
}

/* A change of "two" to "three" that is stopped after so many steps; false: it was through before.
 * With base it is of an older state. */
static bool stopped(struct store *s, uint32_t steps, const struct store_stamp *base)
{
	uint32_t left = steps;
	int rc;

	assert_int_equal(store_begin(s, NULL), 0);
	sqlite3_progress_handler(s->db, 1, stop_at, &left);
	rc = set(s, "three", base);
	sqlite3_progress_handler(s->db, 0, NULL, NULL);
	if (base)
		assert_int_not_equal(rc, 0);
	else if (rc == 0)
		assert_int_equal(
			store_items(s, store_last(s) - 1, UINT32_MAX, expect_before, NULL), 0);
	store_undo(s);
	(void)store_commit(s, NULL);
	return left == 0;
}

static void a_change_is_refused_or_right(void **state)
{
	char db[96], key[96];
	struct store_stamp old;
	uint32_t steps = 1;
	struct store *s;

	(void)state;
	(void)snprintf(db, sizeof(db), "%s/store.db", dir);
	(void)snprintf(key, sizeof(key), "%s/audit.key", dir);
	assert_int_equal(store_open(db, key, &s, NULL), 0);
	assert_int_equal(store_begin(s, NULL), 0);
	assert_int_equal(set(s, "one", NULL), 0);
	old = store_stamp(s);
	assert_int_equal(set(s, "two", NULL), 0);
	assert_int_equal(store_commit(s, NULL), 0);
	while (stopped(s, steps, &old))
		steps++;
	assert_true(steps > 10);
	for (steps = 1; stopped(s, steps, NULL);)
		steps++;
	assert_true(steps > 10);
	store_close(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_change_is_refused_or_right, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
