/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include <pthread.h>
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

static void the_ring_gives_what_was_put_and_counts_what_was_lost(void **state)
{
	static struct tally t;
	static uint64_t got[TALLY_RECORDS][TALLY_RECORD_WORDS];
	uint64_t cursor = 0, lost = 0;
	struct tally_decision d = {.time_ms = 1763700000000,
				      .service = 63,
				      .group = 4095,
				      .door = TALLY_DOOR_HTTP,
				      .reason = 4,
				      .kind = 2,
				      .slot = 15,
				      .epoch = 7,
				      .generation = 1ull << 40},
			      back;

	(void)state;
	assert_int_equal(tally_take(&t, &cursor, TALLY_RECORDS, got, &lost), 0);
	tally_put_decision(&t, &d);
	assert_int_equal(tally_take(&t, &cursor, TALLY_RECORDS, got, &lost), 1);
	assert_int_equal(got[0][0] & 0xff, TALLY_DECISION);
	tally_read_decision(got[0], &back);
	assert_memory_equal(&back, &d, sizeof(d));
	for (uint64_t i = 0; i < TALLY_RECORDS + 10; i++)
		tally_put(&t, (const uint64_t[TALLY_RECORD_WORDS]){i, i, i, i, i, i, i});
	assert_int_equal(tally_take(&t, &cursor, 3, got, &lost), 3);
	assert_int_equal(lost, 10);
	for (int i = 0; i < 3; i++)
		for (int k = 0; k < TALLY_RECORD_WORDS; k++)
			assert_int_equal(got[i][k], 10 + i);
	assert_int_equal(tally_take(&t, &cursor, TALLY_RECORDS, got, &lost), TALLY_RECORDS - 3);
	assert_int_equal(lost, 10);
	cursor = 1 << 20; /* of a file that is no longer there */
	assert_int_equal(tally_take(&t, &cursor, TALLY_RECORDS, got, &lost), TALLY_RECORDS);
}

static void *put_many(void *arg)
{
	for (uint64_t i = 1; i <= 2000000; i++)
		tally_put(arg, (const uint64_t[TALLY_RECORD_WORDS]){i, ~i, i, ~i, i, ~i, i});
	return NULL;
}

static void a_record_is_never_torn(void **state)
{
	static struct tally t;
	static uint64_t got[TALLY_RECORDS][TALLY_RECORD_WORDS];
	uint64_t cursor = 0, lost = 0, seen = 0, last = 0;
	pthread_t id;

	(void)state;
	assert_int_equal(pthread_create(&id, NULL, put_many, &t), 0);
	while (last < 2000000) {
		uint32_t n = tally_take(&t, &cursor, TALLY_RECORDS, got, &lost);

		for (uint32_t i = 0; i < n; i++) {
			assert_true(got[i][0] > last);
			last = got[i][0];
			for (int k = 0; k < TALLY_RECORD_WORDS; k++)
				assert_int_equal(got[i][k], k % 2 ? ~last : last);
		}
		seen += n;
	}
	(void)pthread_join(id, NULL);
	assert_true(seen + lost <= 2000000 && seen > 0);
}

static void times_go_into_buckets(void **state)
{
	static struct tally_histogram h;

	(void)state;
	tally_time(&h, 999, 1);
	tally_time(&h, 1000, 2);
	tally_time(&h, 1999, 1);
	tally_time(&h, 2000, 1);
	tally_time(&h, UINT64_C(60000000000), 1);
	assert_int_equal(h.bucket[0], 1); /* under 1 us */
	assert_int_equal(h.bucket[1], 3); /* under 2 us */
	assert_int_equal(h.bucket[2], 1);
	assert_int_equal(h.bucket[TALLY_LATENCY_BUCKETS - 1], 1);
	assert_true(h.sum_ns == 999 + 2000 + 1999 + 2000 + UINT64_C(60000000000));
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

/* The keys of a block's parts differ in their first octet only (answer_narrow). */
static void tells_parts_of_a_block_apart(void **state)
{
	struct seen *s = seen_new();
	uint64_t key = hash_mix(1, 2);

	(void)state;
	for (uint64_t part = 0; part < 256; part++)
		assert_false(seen_before(s, key + (part << 56)));
	for (uint64_t part = 0; part < 256; part++)
		assert_true(seen_before(s, key + (part << 56)));
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
		cmocka_unit_test(the_ring_gives_what_was_put_and_counts_what_was_lost),
		cmocka_unit_test(a_record_is_never_torn),
		cmocka_unit_test(times_go_into_buckets),
		cmocka_unit_test(remembers_one_to_two_periods),
		cmocka_unit_test(tells_parts_of_a_block_apart),
		cmocka_unit_test(takes_few_for_seen_that_were_not),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
