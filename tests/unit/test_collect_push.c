/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "base/hash.h"
#include "collect/books.h"

enum { NOW = 1000000000, NORTH = 77 };

static struct collect_batch *batch;
static struct collect_books *b;
static struct facts_view view;
static void *blob;

static int set_up(void **state)
{
	static const struct collect_limits limits = {.sessions = 4096,
		.users = 4096,
		.caps = 65536,
		.pulls = 4096,
		.streams = 64,
		.pushers = 4096,
		.logs = 4096};
	const uint64_t hash = NORTH;
	const uint16_t n = 5;

	(void)state;
	batch = calloc(1, sizeof(*batch));
	if (!batch || collect_books_new(&limits, -1, NOW, &b, NULL))
		return 1;
	memcpy(batch->text, &hash, sizeof(hash));
	memcpy(batch->text + sizeof(hash), &n, sizeof(n));
	memcpy(batch->text + sizeof(hash) + sizeof(n), "north", n);
	batch->text_used = sizeof(hash) + sizeof(n) + n;
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	free(batch);
	free(blob);
	blob = NULL;
	collect_books_free(b);
	b = NULL;
	return 0;
}

/* A report of pusher `id`, at an address and in a net of its own, that tells all three figures. */
static struct collect_record *add(uint32_t id, uint32_t fps)
{
	struct collect_record *r = &batch->record[batch->n++];
	uint64_t h = hash_mix(id, 3);

	*r = (struct collect_record){.session = h,
		.ingest = NORTH,
		.service = 2,
		.address = hash_mix(h, 1),
		.net = hash_mix(h, 2),
		.t_ms = NOW,
		.group = 3,
		.kbps = 100 * fps,
		.frame_rate_mfps = 1000 * fps,
		.rtt_us = 500 * fps,
		.flags = COLLECT_PUSHED | COLLECT_BITRATE | COLLECT_FRAME_RATE | COLLECT_RTT};
	return r;
}

/* The facts of now; the only row there is, NULL for none. */
static const struct facts_push *look(uint64_t now_ms)
{
	struct errbuf err = {""};
	size_t size;

	collect_books_take(b, batch, false, now_ms);
	batch->n = 0;
	free(blob);
	if (collect_books_facts(b, now_ms, COLLECT_PPM, &blob, &size, &err))
		fail_msg("%s", err.s);
	assert_int_equal(blob_check(&facts_def, blob, size, &err), 0);
	facts_view_init(&view, blob);
	assert_true(view.n_pushes <= 1);
	assert_int_equal(view.n_cells, 0); /* no indicator of viewers */
	return view.n_pushes ? &view.pushes[0] : NULL;
}

static void means_without_the_ends(void **state)
{
	const struct facts_push *p;

	(void)state;
	for (uint32_t i = 0; i < 5; i++)
		(void)add(i, 10 + i);
	(void)add(5, 200);
	(void)add(6, 1);
	p = look(NOW);
	assert_non_null(p);
	assert_memory_equal(&view.text[p->name.first], "north", 5);
	assert_int_equal(p->name.count, 5);
	assert_int_equal(p->service, 2);
	assert_int_equal(p->group, 3);
	assert_int_equal(p->pushers, 7);
	assert_int_equal(p->voices, 7);
	assert_int_equal(p->ok_ppm, COLLECT_PPM);
	assert_int_equal(p->frame_rate_mfps, 12000); /* 10..14 */
	assert_int_equal(p->kbps, 1200);
	assert_int_equal(p->rtt_us, 6000);
}

/* The newest report of a session counts, for a minute; a late one does not move it back. */
static void the_minute_slides(void **state)
{
	const struct facts_push *p;

	(void)state;
	(void)add(1, 30);
	add(1, 20)->t_ms = NOW - 10;
	assert_int_equal(look(NOW)->frame_rate_mfps, 30000);
	add(1, 10)->t_ms = NOW + 1000;
	assert_int_equal(look(NOW + 1000)->frame_rate_mfps, 10000);
	add(2, 30)->t_ms = NOW + 2000;
	p = look(NOW + 60999);
	assert_int_equal(p->voices, 2);
	assert_int_equal(look(NOW + 61000)->voices, 1);
	assert_null(look(NOW + 62000));
}

/* A failed attempt is a voice that does not get through, whatever else it says. */
static void failed_attempts(void **state)
{
	const struct facts_push *p;

	(void)state;
	(void)add(1, 30);
	add(2, 1)->flags |= COLLECT_PULL;
	p = look(NOW);
	assert_int_equal(p->ok_ppm, COLLECT_PPM / 2);
	assert_int_equal(p->frame_rates, 1);
	assert_int_equal(p->frame_rate_mfps, 30000);
	add(2, 30)->flags |= COLLECT_PULL | COLLECT_PULL_OK;
	p = look(NOW);
	assert_int_equal(p->ok_ppm, COLLECT_PPM);
	assert_int_equal(p->frame_rates, 2);
}

/* However many sessions an address has, it is one voice, and a net is few. */
static void nobody_speaks_for_all(void **state)
{
	const struct facts_push *p;

	(void)state;
	for (uint32_t i = 0; i < 200; i++) {
		struct collect_record *r = add(i, i % 2 ? 20 : 0);

		r->address = 5;
		r->net = 6;
	}
	p = look(NOW);
	assert_int_equal(p->pushers, 200);
	assert_int_equal(p->voices, 1);
	assert_int_equal(p->frame_rate_mfps, 10000); /* the mean of what it says */
	for (uint32_t i = 1000; i < 1200; i++)
		add(i, 10)->net = 6;
	p = look(NOW);
	assert_int_equal(p->pushers, 400);
	assert_int_equal(p->voices, COLLECT_VOICES_PER_NET);
	for (uint32_t i = 2000; i < 2000 + COLLECT_PUSHERS_PER_NET; i++)
		add(i, 10)->net = 6;
	p = look(NOW);
	assert_int_equal(p->pushers, COLLECT_PUSHERS_PER_NET);
}

static void a_name_that_is_not_known_waits(void **state)
{
	(void)state;
	batch->text_used = 0;
	(void)add(1, 30);
	assert_null(look(NOW));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(means_without_the_ends, set_up, tear_down),
		cmocka_unit_test_setup_teardown(the_minute_slides, set_up, tear_down),
		cmocka_unit_test_setup_teardown(failed_attempts, set_up, tear_down),
		cmocka_unit_test_setup_teardown(nobody_speaks_for_all, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_name_that_is_not_known_waits, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
