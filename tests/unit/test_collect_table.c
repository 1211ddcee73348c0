/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "base/hash.h"
#include "collect/table.h"

struct entry {
	struct collect_entry e;
	uint64_t v;
};

static void finds_what_was_put(void **state)
{
	struct collect_table t;
	uint64_t n = 0, sum = 0;

	(void)state;
	assert_int_equal(collect_table_init(&t, 4096, sizeof(struct entry)), 0);
	for (uint64_t i = 1; i <= 500; i++) {
		struct entry *e = collect_table_get(&t, hash_mix(i, 0), 0);

		assert_int_equal(e->v, 0);
		e->v = i;
	}
	for (uint64_t i = 1; i <= 500; i++)
		assert_int_equal(((struct entry *)collect_table_find(&t, hash_mix(i, 0)))->v, i);
	assert_null(collect_table_find(&t, 12345));
	for (struct entry *e = NULL; (e = collect_table_next(&t, e));) {
		n++;
		sum += e->v;
		if (e->v % 2)
			collect_table_remove(&t, e);
	}
	assert_int_equal(n, 500);
	assert_int_equal(sum, 500 * 501 / 2);
	for (uint64_t i = 1; i <= 500; i++)
		assert_int_equal(collect_table_find(&t, hash_mix(i, 0)) != NULL, i % 2 == 0);
	assert_int_equal(t.evicted, 0);
	collect_table_done(&t);
}

static void a_full_bucket_gives_up_the_oldest(void **state)
{
	struct collect_table t;

	(void)state;
	assert_int_equal(collect_table_init(&t, 1, sizeof(struct entry)), 0);
	for (uint64_t i = 1; i <= COLLECT_WAYS; i++)
		((struct entry *)collect_table_get(&t, i, 0))->e.seen_ms = i == 7 ? 50 : 100 + i;
	(void)collect_table_get(&t, 1000, 60); /* the seventh was stale: no loss */
	assert_null(collect_table_find(&t, 7));
	assert_int_equal(t.evicted, 0);
	((struct entry *)collect_table_find(&t, 1000))->e.seen_ms = 300;
	(void)collect_table_get(&t, 1001, 60);
	assert_null(collect_table_find(&t, 1));
	assert_int_equal(t.evicted, 1);
	collect_table_done(&t);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_what_was_put),
		cmocka_unit_test(a_full_bucket_gives_up_the_oldest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
