/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include <sys/stat.h>
#include <unistd.h>

#include "base/hash.h"
#include "tally/seen.h"
#include "tally/tally.h"

static char dir[] = "/tmp/sluice-test-tally-XXXXXX";

static int make_dir(void **state)
{
	(void)state;
	return mkdtemp(dir) ? 0 : -1;
}

static int remove_dir(void **state)
{
	char path[256];

	(void)state;
	(void)snprintf(path, sizeof(path), "%s/w.tally", dir);
	(void)unlink(path);
	return rmdir(dir);
}

static void counts_survive_and_are_seen_by_the_reader(void **state)
{
	struct tally *t;
	const struct tally *r;
	struct errbuf err = {""};
	char path[256];
	pid_t pid;

	(void)state;
	(void)snprintf(path, sizeof(path), "%s/w.tally", dir);
	assert_int_equal(tally_open(dir, "w", &t, &err), 0);
	assert_int_equal(tally_map(path, &r, &err), 0);
	tally_count(t, TALLY_DNS_NOERROR);
	tally_add(&t->row[3][700].slot[5].kbps, 4000);
	assert_int_equal(tally_get(&r->counters[TALLY_DNS_NOERROR]), 1);
	assert_int_equal(tally_get(&r->row[3][700].slot[5].kbps), 4000);
	pid = getpid();
	assert_int_equal(t->pid, (uint64_t)pid);
	tally_close(t);
	tally_close(r);
	assert_int_equal(tally_map(path, &r, &err), 0);
	assert_int_equal(tally_get(&r->counters[TALLY_DNS_NOERROR]), 1);
	tally_close(r);
}

static void a_second_writer_is_kept_out(void **state)
{
	struct tally *t;
	struct errbuf err = {""};

	(void)state;
	/* the first writer of this process still holds the lock by its descriptor */
	assert_int_equal(tally_open(dir, "w", &t, &err), SL_EBUSY);
}

static void sums_what_all_workers_spent(void **state)
{
	static struct tally a, b;
	struct tally *all[] = {&a, &b};
	uint64_t sum[TALLY_CELLS];

	(void)state;
	tally_add(&a.spent_kbps[0], 10);
	tally_add(&b.spent_kbps[0], 5);
	tally_add(&b.spent_kbps[SL_MAX_VENDORS + 1], 7);
	tally_sum_spent(all, 2, 1, 2, sum);
	assert_int_equal(sum[0], 15);
	assert_int_equal(sum[SL_MAX_VENDORS], 0);
	assert_int_equal(sum[SL_MAX_VENDORS + 1], 7);
}

static void remembers_one_to_two_periods(void **state)
{
	struct seen *s = seen_new();

	(void)state;
	assert_false(seen_before(s, hash_mix(1, 2)));
	assert_true(seen_before(s, hash_mix(1, 2)));
	seen_rotate(s, 1000, 1000);
	assert_true(seen_before(s, hash_mix(1, 2))); /* in the older half, and again in the newer */
	seen_rotate(s, 1500, 1000);
	seen_rotate(s, 2000, 1000);
	assert_true(seen_before(s, hash_mix(1, 2)));
	seen_rotate(s, 3000, 1000);
	seen_rotate(s, 4000, 1000);
	assert_false(seen_before(s, hash_mix(1, 2)));
	free(s);
}

static void takes_few_for_seen_that_were_not(void **state)
{
	struct seen *s = seen_new();
	uint32_t wrong = 0;

	(void)state;
	for (uint64_t i = 0; i < 1000000; i++)
		wrong += seen_before(s, hash_mix(i, 77));
	assert_true(wrong < 10000);
	free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(counts_survive_and_are_seen_by_the_reader),
		cmocka_unit_test(a_second_writer_is_kept_out),
		cmocka_unit_test(sums_what_all_workers_spent),
		cmocka_unit_test(remembers_one_to_two_periods),
		cmocka_unit_test(takes_few_for_seen_that_were_not),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
