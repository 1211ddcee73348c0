/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "base/hash.h"
#include "collect/books.h"

enum { NOW = 1000000000 };

static struct collect_batch *batch;

static struct collect_books *books(void)
{
	static const struct collect_limits limits = {.sessions = 4096,
		.users = 4096,
		.caps = 65536,
		.pulls = 4096,
		.streams = 64,
		.logs = 4096};
	struct collect_books *b = NULL;

	assert_int_equal(collect_books_new(&limits, -1, NOW, &b, NULL), 0);
	batch->n = batch->text_used = 0;
	return b;
}

/* A good pull from a place of its own. */
static struct collect_record *add(uint32_t id, uint64_t t_ms)
{
	struct collect_record *r = &batch->record[batch->n++];
	uint64_t h = hash_mix(id, 77);

	*r = (struct collect_record){.session = h,
		.user = h,
		.stream = 1,
		.address = hash_mix(h, 1),
		.net = hash_mix(h, 2),
		.t_ms = t_ms,
		.kbps = 1000,
		.group = 3,
		.vendor = 1,
		.definition = COLLECT_WORD_FIRST,
		.flags = COLLECT_PULL | COLLECT_PULL_OK | COLLECT_BITRATE | COLLECT_FIRST_FRAME,
		.first_frame_us = id};
	return r;
}

/* The facts of a window, zero when there is no cell. The blob is freed by the next call. */
static const struct facts_cell *look(
	struct collect_books *b, uint64_t now_ms, uint32_t keep_ppm, uint32_t window)
{
	static const struct facts_cell none;
	static void *blob;
	struct facts_view v;
	struct errbuf err = {""};
	size_t size;

	free(blob);
	blob = NULL;
	if (collect_books_facts(b, now_ms, keep_ppm, &blob, &size, &err))
		fail_msg("%s", err.s);
	assert_int_equal(blob_check(&facts_def, blob, size, &err), 0);
	facts_view_init(&v, blob);
	for (uint32_t i = 0; i < v.n_cells; i++)
		if (v.cells[i].window == window)
			return &v.cells[i];
	return &none;
}

/* Contributions over a cap, as the facts tell. */
static uint64_t capped(struct collect_books *b)
{
	struct facts_view v;
	struct errbuf err = {""};
	uint64_t n = 0;
	size_t size;
	void *blob;

	assert_int_equal(collect_books_facts(b, NOW, COLLECT_PPM, &blob, &size, &err), 0);
	facts_view_init(&v, blob);
	for (uint32_t i = 0; i < v.n_sources; i++)
		if (v.sources[i].name.count == 10 &&
			memcmp(&v.text[v.sources[i].name.first], "all/capped", 10) == 0)
			n = v.sources[i].refused;
	free(blob);
	return n;
}

static void windows_slide(void **state)
{
	struct collect_books *b = books();

	(void)state;
	(void)add(1, NOW);
	(void)add(2, NOW - 4999);
	(void)add(3, NOW - 5000);
	(void)add(4, NOW - 14999);
	(void)add(5, NOW - 15000);
	(void)add(6, NOW - 59999);
	(void)add(7, NOW - 60000);
	collect_books_take(b, batch, false, NOW);
	assert_int_equal(look(b, NOW, COLLECT_PPM, 0)->pulls, 6);
	assert_int_equal(look(b, NOW, COLLECT_PPM, 0)->users, 6);
	assert_int_equal(look(b, NOW, COLLECT_PPM, 0)->sessions, 5);
	assert_int_equal(look(b, NOW, COLLECT_PPM, 1)->pulls, 2);
	assert_int_equal(look(b, NOW, COLLECT_PPM, 2)->pulls, 1);
	assert_int_equal(look(b, NOW, COLLECT_PPM, 3)->pulls, 1);
	assert_int_equal(look(b, NOW + 1, COLLECT_PPM, 1)->pulls, 1);
	assert_int_equal(look(b, NOW + 45000, COLLECT_PPM, 0)->sessions, 0);
	assert_int_equal(look(b, NOW + 60000, COLLECT_PPM, 0)->users, 0);
	collect_books_free(b);
}

static void users_and_sessions(void **state)
{
	struct collect_books *b = books();
	struct collect_record *r;

	(void)state;
	for (int i = 0; i < 3; i++) { /* three reports, one stalled, of one user */
		r = add(1, NOW - (uint64_t)i * 1000);
		r->flags = i == 1 ? COLLECT_STALLED : COLLECT_BITRATE;
		r->kbps = 100 * (uint32_t)(i + 1);
	}
	r = add(2, NOW); /* a failed pull is a user and no session */
	r->flags = COLLECT_PULL;
	collect_books_take(b, batch, false, NOW);
	assert_int_equal(look(b, NOW, COLLECT_PPM, 0)->users, 2);
	assert_int_equal(look(b, NOW, COLLECT_PPM, 0)->stalled_users, 1);
	assert_int_equal(look(b, NOW, COLLECT_PPM, 0)->sessions, 1);
	assert_int_equal(look(b, NOW, COLLECT_PPM, 0)->kbps, 100); /* of the latest, not the last */
	assert_int_equal(look(b, NOW, COLLECT_PPM, 0)->pulls_ok, 0);
	assert_int_equal(look(b, NOW + 59500, COLLECT_PPM, 0)->stalled_users, 0);
	collect_books_free(b);
}

static void first_frames(void **state)
{
	struct collect_books *b = books();

	(void)state;
	for (uint32_t i = 1; i <= 20; i++) /* 1..19 and one that is far off */
		add(i, NOW)->first_frame_us = i == 20 ? 50000000 : i;
	collect_books_take(b, batch, false, NOW);
	assert_int_equal(look(b, NOW, COLLECT_PPM, 0)->first_frames, 20);
	assert_int_equal(look(b, NOW, COLLECT_PPM, 0)->first_frame_us, 10); /* 3..18 */
	assert_int_equal(look(b, NOW, COLLECT_PPM, 0)->first_frame_p50_us, 10);
	assert_int_equal(look(b, NOW, COLLECT_PPM, 0)->first_frame_p95_us, 19);
	collect_books_free(b);
}

/* One address says no more than its part, nor one net; a session has few pulls. */
static void nobody_speaks_for_all(void **state)
{
	struct collect_books *b = books();

	(void)state;
	for (uint32_t i = 0; i < 1000; i++)
		add(i, NOW)->address = 5;
	collect_books_take(b, batch, false, NOW);
	assert_int_equal(look(b, NOW, COLLECT_PPM, 0)->pulls, COLLECT_PER_ADDRESS);
	assert_int_equal(look(b, NOW, COLLECT_PPM, 0)->users, COLLECT_PER_ADDRESS);
	collect_books_free(b);
	b = books();
	for (uint32_t i = 0; i < 1000; i++)
		add(i, NOW)->net = 5;
	collect_books_take(b, batch, false, NOW);
	assert_int_equal(look(b, NOW, COLLECT_PPM, 0)->pulls, COLLECT_PER_NET);
	collect_books_free(b);
	b = books();
	for (uint32_t i = 0; i < 30; i++)
		(void)add(1, NOW);
	collect_books_take(b, batch, false, NOW);
	assert_int_equal(look(b, NOW, COLLECT_PPM, 0)->pulls, COLLECT_PER_SESSION);
	assert_int_equal(capped(b), 30 - COLLECT_PER_SESSION);
	collect_books_free(b);
}

/* A forger in one net, where many nets are well; and a fault that all of them see. */
static void one_net_among_many(void **state)
{
	struct collect_books *b = books();
	const struct facts_cell *f;

	(void)state;
	for (uint32_t i = 0; i < 120; i++)
		(void)add(i, NOW);
	for (uint32_t i = 0; i < 50; i++) {
		struct collect_record *r = add(1000 + i, NOW);

		r->net = 5;
		r->flags = COLLECT_PULL | COLLECT_STALLED;
	}
	collect_books_take(b, batch, false, NOW);
	f = look(b, NOW, COLLECT_PPM, 0);
	assert_int_equal(f->pulls, 120 + COLLECT_BAD_MORE);
	assert_int_equal(f->pulls_ok, 120);
	assert_int_equal(f->stalled_users, COLLECT_BAD_MORE);
	assert_int_equal(capped(b), 2 * (50 - COLLECT_BAD_MORE));
	batch->n = 0;
	for (uint32_t i = 0; i < 90; i++) /* three from each of thirty nets */
		add(2000 + i, NOW)->flags = COLLECT_PULL;
	for (uint32_t i = 0; i < 90; i++)
		batch->record[i].net = 100 + i % 30;
	collect_books_take(b, batch, false, NOW);
	assert_int_equal(look(b, NOW, COLLECT_PPM, 0)->pulls, 120 + COLLECT_BAD_MORE + 90);
	collect_books_free(b);
}

/* The same forger, who tells of stalls by their sum: of CMCD reports it is bad all the same. */
static void one_net_that_tells_sums(void **state)
{
	struct collect_books *b = books();

	(void)state;
	for (uint32_t i = 0; i < 120; i++)
		(void)add(i, NOW);
	for (uint32_t i = 0; i < 100; i++) { /* of each session two reports */
		struct collect_record *r = add(1000 + i / 2, NOW);

		r->net = 5;
		r->flags = COLLECT_STALL_TOTAL;
		r->stall_total_ms = i % 2 * 9000;
	}
	collect_books_take(b, batch, false, NOW);
	assert_int_equal(look(b, NOW, COLLECT_PPM, 0)->stalled_users, COLLECT_BAD_MORE);
	collect_books_free(b);
}

/* So many reports of one net, so many of them bad, all at once. */
static void say(uint32_t first, uint32_t n, uint32_t bad, uint32_t net, uint64_t t_ms)
{
	for (uint32_t i = 0; i < n; i++) {
		struct collect_record *r = add(first + i, t_ms);

		r->net = net;
		if (i < bad)
			r->flags = COLLECT_PULL;
	}
}

static uint32_t bad_pulls(struct collect_books *b, uint64_t now_ms)
{
	const struct facts_cell *f;

	collect_books_take(b, batch, false, now_ms);
	batch->n = 0;
	f = look(b, now_ms, COLLECT_PPM, 0);
	return f->pulls - f->pulls_ok;
}

/* A forger among few nets, who brings good reports too, and goes on in the next minute; and one
 * among nets some of whose attempts fail anyway. */
static void one_net_among_few_or_ill_ones(void **state)
{
	struct collect_books *b = books();
	uint64_t later = NOW + COLLECT_MINUTE_MS;

	(void)state;
	for (uint32_t net = 1; net < COLLECT_MANY_NETS; net++)
		say(net * 1000, 30, 0, net, NOW);
	say(50000, 50, 50, 99, NOW);
	assert_int_equal(bad_pulls(b, NOW), COLLECT_BAD_MORE);
	for (uint32_t net = 1; net < COLLECT_MANY_NETS; net++)
		say(net * 1000 + 500, 10, 0, net, later);
	say(60000, 100, 0, 99, later);
	say(70000, 50, 50, 99, later);
	assert_int_equal(bad_pulls(b, later), 0); /* it has said them a moment ago */
	collect_books_free(b);

	b = books();
	for (uint32_t net = 1; net <= 40; net++)
		say(net * 1000, 10, 1, net, NOW);
	say(50000, 60, 60, 99, NOW);
	assert_in_range(bad_pulls(b, NOW), 40 + COLLECT_BAD_MORE, 40 + COLLECT_BAD_MORE + 4);
	collect_books_free(b);
}

/* What several nets see is no forger's word, though most do not see it. */
static void a_fault_of_some_nets(void **state)
{
	struct collect_books *b = books();

	(void)state;
	for (uint32_t net = 10; net < 30; net++)
		say(net * 1000, 45, 0, net, NOW);
	for (uint32_t net = 1; net <= COLLECT_OVER_NETS; net++)
		say(200000 + net * 1000, 40, 40, net, NOW);
	(void)bad_pulls(b, NOW);
	for (uint32_t net = 1; net <= COLLECT_OVER_NETS; net++)
		say(300000 + net * 1000, 20, 20, net, NOW);
	assert_true(bad_pulls(b, NOW) >= COLLECT_OVER_NETS * (COLLECT_BAD_MORE + 20));
	collect_books_free(b);
}

/* Two nets only: which of them is right nobody knows. */
static void few_nets_are_believed(void **state)
{
	struct collect_books *b = books();

	(void)state;
	for (uint32_t net = 1; net < COLLECT_MANY_NETS - 1; net++)
		say(net * 1000, 30, 0, net, NOW);
	say(50000, 50, 50, 99, NOW);
	assert_int_equal(bad_pulls(b, NOW), 50);
	collect_books_free(b);
}

/* A clock that is set back: what was said by the wrong time is forgotten, that of now counts. */
static void a_clock_steps_back(void **state)
{
	struct collect_books *b = books();
	uint64_t back = NOW - 30000;
	const struct facts_cell *f;

	(void)state;
	for (uint32_t i = 0; i < 2 * COLLECT_PER_SESSION; i++) /* some from before, half by one */
		(void)add(i % 2 ? 100 + i : 1, back - 1000);
	collect_books_take(b, batch, false, back);
	batch->n = 0;
	for (uint32_t i = 0; i < 10; i++)
		(void)add(200 + i, NOW);
	collect_books_take(b, batch, false, NOW);
	assert_int_equal(look(b, NOW, COLLECT_PPM / 2, 0)->pulls, 2 * COLLECT_PER_SESSION + 10);
	batch->record[0].t_ms = back; /* was under way when it happened */
	collect_books_take(b, batch, false, back);
	batch->n = 0;
	f = look(b, back + 1, COLLECT_PPM, 0);
	assert_int_equal(f->pulls, 2 * COLLECT_PER_SESSION + 1);
	assert_int_equal(f->users, COLLECT_PER_SESSION + 2);
	assert_int_equal(f->sessions, COLLECT_PER_SESSION + 2);
	assert_int_equal(look(b, back + 60001, COLLECT_PPM, 0)->users, 0);
	for (uint32_t i = 0; i < COLLECT_PER_SESSION; i++)
		(void)add(201, back + 61000);
	collect_books_take(b, batch, false, back + 61000);
	f = look(b, back + 61000, COLLECT_PPM, 0);
	assert_int_equal(f->pulls, COLLECT_PER_SESSION);
	assert_int_equal(f->users, 1);
	assert_int_equal(f->sessions, 1);
	collect_books_free(b);
}

/* A flood from one net drowns nobody: where many speak it has a twentieth of what they say. */
static void a_flood_from_one_net(void **state)
{
	struct collect_books *b = books();
	const struct facts_cell *f;

	(void)state;
	for (uint64_t step = 0; step < 2; step++) {
		uint64_t t_ms = NOW + step * COLLECT_STEP_MS;

		batch->n = 0;
		for (uint32_t i = 0; i < 200; i++) /* one in ten is bad, of all nets */
			if (i % 10 == 0)
				add(i + (uint32_t)step * 1000, t_ms)->flags = COLLECT_PULL;
			else
				(void)add(i + (uint32_t)step * 1000, t_ms);
		for (uint32_t i = 0; i < 500; i++) {
			struct collect_record *r = add(100000 + i + (uint32_t)step * 1000, t_ms);

			r->net = 5;
			r->flags = COLLECT_PULL;
		}
		collect_books_take(b, batch, false, t_ms);
		f = look(b, t_ms, COLLECT_PPM, 1);
		assert_int_equal(f->pulls_ok, 180);
		assert_in_range(f->pulls, 200, 212);
	}
	collect_books_free(b);
}

static void too_much_is_given_up(void **state)
{
	struct collect_books *b = books();

	(void)state;
	for (uint32_t i = 0; i < 100000; i++)
		(void)add(i, NOW);
	collect_books_take(b, batch, false, NOW);
	assert_true(look(b, NOW, COLLECT_PPM, 0)->sessions <= 4096);
	assert_int_equal(look(b, NOW, COLLECT_PPM, 0)->pulls, 4096);
	assert_true(collect_books_evicted(b) > 100000 - 4096);
	assert_int_equal(collect_books_room(b), 0);
	collect_books_free(b);
}

/* While a tenth is kept, a session that is kept stands for ten. */
static void sampling_is_scaled(void **state)
{
	struct collect_books *b = books();

	(void)state;
	for (uint32_t i = 0; i < 1000; i++)
		add(i, NOW)->keep = UINT32_MAX / 1000 * i;
	collect_books_take(b, batch, false, NOW);
	assert_int_equal(look(b, NOW, COLLECT_PPM, 0)->sessions, 1000);
	assert_in_range(look(b, NOW, 100000, 0)->sessions, 1000, 1010);
	assert_in_range(look(b, NOW + 5000, COLLECT_PPM, 0)->sessions, 1000, 1010);
	collect_books_free(b);
}

static void logs_have_minutes(void **state)
{
	struct collect_books *b = books();
	uint64_t minute = NOW / 60000 * 60000;

	(void)state;
	for (uint32_t i = 0; i < 3; i++) {
		struct collect_record *r = add(i, minute - 300000 * (uint64_t)(i == 2));

		r->octets = 1000;
		r->flags =
			(uint16_t)(COLLECT_LOG | (i == 0 ? COLLECT_LOG_ERROR : COLLECT_LOG_SLOW));
	}
	collect_books_take(b, batch, false, NOW);
	for (uint32_t w = COLLECT_WINDOWS; w < COLLECT_WINDOWS + 2; w++) {
		const struct facts_cell *c = look(b, NOW, COLLECT_PPM, w);
		bool later = c->log_requests == 2;

		assert_int_equal(c->log_octets, later ? 2000 : 1000);
		assert_int_equal(c->log_errors, later);
		assert_int_equal(c->log_slow, 1);
	}
	assert_int_equal(look(b, NOW + 20 * 60000, COLLECT_PPM, COLLECT_WINDOWS)->log_requests, 0);
	collect_books_free(b);
}

/* What CMCD says of stalls: the sum of all so far, and since when the player stands still. */
static void stalls_by_state_and_sum(void **state)
{
	static const struct {
		uint64_t t_ms;
		uint32_t flags, total_ms;
		bool stalled;
	} rows[] = {
		{0, COLLECT_STALL_TOTAL, 9000, false}, /* who knows when */
		{1000, COLLECT_STALL_TOTAL, 10999, false},
		{2000, COLLECT_STALL_TOTAL, 12999, true},
		{3000, COLLECT_STALL_TOTAL, 12999, false},
		{4000, COLLECT_STALL_TOTAL, 100, false}, /* begun anew */
		{5000, COLLECT_STATE | COLLECT_STARVED, 0, false},
		{6999, COLLECT_STATE | COLLECT_STARVED, 0, false},
		{7000, COLLECT_STATE | COLLECT_STARVED, 0, true},
		{7500, COLLECT_STATE, 0, true},
		{9900, COLLECT_STATE, 0, false},
		{10000, COLLECT_STATE | COLLECT_STARVED, 0, false},
		{11999, COLLECT_STATE, 0, false},
		{13000, COLLECT_STATE | COLLECT_STARVED, 0, false},
	};
	struct collect_books *b = books();

	(void)state;
	for (size_t i = 0; i < SL_COUNT(rows); i++) {
		struct collect_record *r;
		uint64_t t_ms = NOW + rows[i].t_ms;

		batch->n = 0;
		r = add(1, t_ms);
		r->user = hash_mix(i, 3); /* so that each report shows alone */
		r->flags = (uint16_t)rows[i].flags;
		r->stall_total_ms = rows[i].total_ms;
		collect_books_take(b, batch, false, t_ms);
		if (look(b, t_ms, COLLECT_PPM, 0)->stalled_users !=
			(uint32_t)rows[i].stalled + (i > 2) + (i > 7) + (i > 8))
			fail_msg("row %zu", i);
	}
	collect_books_free(b);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(windows_slide),
		cmocka_unit_test(users_and_sessions),
		cmocka_unit_test(first_frames),
		cmocka_unit_test(one_net_among_many),
		cmocka_unit_test(one_net_that_tells_sums),
		cmocka_unit_test(one_net_among_few_or_ill_ones),
		cmocka_unit_test(a_fault_of_some_nets),
		cmocka_unit_test(few_nets_are_believed),
		cmocka_unit_test(a_clock_steps_back),
		cmocka_unit_test(nobody_speaks_for_all),
		cmocka_unit_test(a_flood_from_one_net),
		cmocka_unit_test(too_much_is_given_up),
		cmocka_unit_test(sampling_is_scaled),
		cmocka_unit_test(logs_have_minutes),
		cmocka_unit_test(stalls_by_state_and_sum),
	};
	int failed;

	batch = calloc(1, sizeof(*batch));
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	free(batch);
	return failed;
}
