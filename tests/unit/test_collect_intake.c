/* SPDX-License-Identifier: Apache-2.0 */
/* Overload: what is sampled away, and that the rest says the same. */
#include "test.h"

#include "collect/books.h"
#include "collect/intake.h"
#include "testworld.h"

enum { NOW = 1800000000, VIEWERS = 20000, TENTH = COLLECT_PPM / 10 };

static struct testworld tw;
static struct collect_intake *in;
static struct collect_batch *batch;

static int set_up(void **state)
{
	(void)state;
	in = calloc(1, sizeof(*in));
	batch = calloc(1, sizeof(*batch));
	return !in || !batch || testworld_init(&tw, NULL);
}

static int tear_down(void **state)
{
	(void)state;
	free(in);
	free(batch);
	testworld_done(&tw);
	return 0;
}

static void begin(uint32_t keep_ppm)
{
	batch->n = batch->text_used = 0;
	memset(batch->counts, 0, sizeof(batch->counts));
	in->seed = 11;
	in->batch = batch;
	collect_intake_round(in, world_of(tw.file), NOW, keep_ppm);
}

/* A pull attempt of viewer i, three in ten bad; whether it was taken or shed. */
static bool report(uint32_t i, bool trusted)
{
	struct ip a = {{10, 1, (uint8_t)(i / 250), (uint8_t)(1 + i % 250)}, IP_V4};
	char session[16];
	struct collect_report r = {.text = {.stream = STR_LIT("s"), .vendor = STR_LIT("alpha")},
		.has = 1u << COLLECT_F_session | 1u << COLLECT_F_stream | 1u << COLLECT_F_vendor |
		       1u << COLLECT_F_ok | 1u << COLLECT_F_bitrate_kbps,
		.num = {.bitrate_kbps = 1000},
		.flag = {.ok = i % 10 >= 3},
		.stall_total_ms = UINT32_MAX};
	uint32_t before = batch->n;

	(void)snprintf(session, sizeof(session), "v%u", i);
	r.text.session = str_from(session);
	collect_intake_begin(
		in, COLLECT_QOS, trusted ? (struct ip){{127, 0, 0, 1}, IP_V4} : a, trusted);
	if (!collect_intake_shed(in))
		assert_int_equal(collect_intake_report(in, &r).refusal, COLLECT_ACCEPTED);
	return batch->n > before;
}

static void a_tenth_says_what_all_say(void **state)
{
	static const struct collect_limits limits = {.sessions = 1 << 17,
		.users = 1 << 17,
		.caps = 1 << 17,
		.pulls = 1 << 15,
		.streams = 64,
		.logs = 64};

	(void)state;
	for (int trusted = 0; trusted < 2; trusted++) {
		struct collect_books *b = NULL;
		struct facts_view v;
		struct errbuf err = {""};
		uint64_t kept = 0, pulls = 0, ok = 0, sessions = 0;
		void *blob = NULL;
		size_t size;

		begin(TENTH);
		for (uint32_t i = 0; i < VIEWERS; i++) {
			uint32_t n = batch->n;
			bool taken = report(i, trusted);

			kept += taken;
			batch->n = taken ? n : batch->n; /* once more: all of a viewer or nothing */
			assert_true(report(i, trusted) == taken);
		}
		assert_in_range(kept, VIEWERS / 10 - 150, VIEWERS / 10 + 150); /* 3.5 sigma */
		assert_int_equal(batch->counts[0][COLLECT_QOS].shed, 2 * (VIEWERS - kept));
		for (uint32_t i = 0; i < batch->n; i++) { /* the caps are tested elsewhere */
			batch->record[i].address = batch->record[i].session;
			batch->record[i].net = batch->record[i].session / 7;
		}
		assert_int_equal(collect_books_new(&limits, -1, NOW, &b, &err), 0);
		collect_books_take(b, batch, false, NOW);
		assert_int_equal(collect_books_facts(b, NOW, TENTH, &blob, &size, &err), 0);
		facts_view_init(&v, blob);
		for (uint32_t i = 0; i < v.n_cells; i++)
			if (v.cells[i].window == 0) {
				pulls += v.cells[i].pulls;
				ok += v.cells[i].pulls_ok;
				sessions += v.cells[i].sessions;
			}
		assert_int_equal(pulls, kept);
		assert_in_range(ok * 1000 / pulls, 700 - 36, 700 + 36);
		assert_in_range(sessions, 14000 - 1100, 14000 + 1100); /* of all, scaled */
		assert_int_equal(v.meta->sampled_ppm, TENTH);
		assert_non_null(memmem(v.text, v.n_text, "qos/shed", 8));
		free(blob);
		collect_books_free(b);
	}
}

static void without_overload_all_is_kept(void **state)
{
	(void)state;
	begin(COLLECT_PPM);
	for (uint32_t i = 0; i < 1000; i++)
		assert_true(report(i, false));
	assert_int_equal(batch->counts[0][COLLECT_QOS].shed, 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_tenth_says_what_all_say),
		cmocka_unit_test(without_overload_all_is_kept),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
