/* SPDX-License-Identifier: Apache-2.0 */
/* /steer/SERVICE over the test world: who stays, who moves, what the manifest holds. */
#include "test.h"

#include "http/decision.h"
#include "httpworld.h"

#include <cjson/cJSON.h>

static struct httpworld h;
static cJSON *manifest;

static int setup(void **state)
{
	(void)state;
	if (httpworld_init(&h, NULL))
		fail_msg("%s", h.tw.err.s);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	cJSON_Delete(manifest);
	manifest = NULL;
	httpworld_done(&h);
	return 0;
}

/* The row of a service for 10.1/16, to be changed. */
static struct tick_row *row_of(uint32_t service)
{
	return (struct tick_row *)(uintptr_t)world_row(h.w.worker.world, service, TW_TELECOM);
}

static void bar(uint32_t slot, enum score_reason reason, bool keeps_seated)
{
	struct tick_row *row = row_of(TW_LIVE);

	row->usable &= (uint16_t) ~(1u << slot);
	if (!keeps_seated)
		row->seated &= (uint16_t) ~(1u << slot);
	row->reasons |= (uint64_t)reason << (4 * slot);
}

static void ask(const char *path, const char *query)
{
	assert_int_equal(httpworld_get(&h, path, query), 200);
	assert_string_equal(h.rp.type, "application/vnd.apple.steering-list");
	assert_string_equal(h.rp.cache_control, "no-store");
	cJSON_Delete(manifest);
	manifest = cJSON_Parse((const char *)h.body);
	if (!cJSON_IsObject(manifest))
		fail_msg("no JSON: %s", (const char *)h.body);
	assert_int_equal(cJSON_GetObjectItem(manifest, "VERSION")->valueint, 1);
	assert_in_range(cJSON_GetObjectItem(manifest, "TTL")->valueint, 10, 86400);
}

/* The priorities as text, with blanks between. */
static const char *list(void)
{
	static char text[256];
	const cJSON *one;

	text[0] = '\0';
	cJSON_ArrayForEach (one, cJSON_GetObjectItem(manifest, "PATHWAY-PRIORITY"))
		(void)snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%s",
			text[0] ? " " : "", one->valuestring);
	return text;
}

static const char *first(void)
{
	return strtok_r((char *)(uintptr_t)list(), " ", &(char *){NULL});
}

static const char *reload(void)
{
	return cJSON_GetStringValue(cJSON_GetObjectItem(manifest, "RELOAD-URI"));
}

static int ttl(void)
{
	return cJSON_GetObjectItem(manifest, "TTL")->valueint;
}

static uint64_t counter(enum tally_id id)
{
	return tally_get(&h.all.tally[0]->counters[id]);
}

static const struct tally_slot *slot_count(uint32_t slot)
{
	return &h.all.tally[0]->row[TW_LIVE][TW_TELECOM].slot[slot];
}

/* The next note in the ring; false: there is none. */
static bool next_note(uint64_t *at, struct tally_note *ret)
{
	uint64_t word[1][TALLY_RECORD_WORDS], lost = 0;

	while (tally_take(h.all.tally[0], at, 1, word, &lost) == 1)
		if (tally_read_note(word[0], ret))
			return true;
	return false;
}

static uint64_t dispatches(void)
{
	uint64_t n = 0;

	for (uint32_t v = 0; v < TW_VENDORS; v++)
		n += tally_get(&slot_count(v)->fresh) + tally_get(&slot_count(v)->moved);
	return n;
}

static void first_request_is_dispatched(void **state)
{
	uint32_t seen[3] = {0};

	(void)state;
	for (int i = 0; i < 100; i++) {
		char query[64];

		(void)snprintf(query, sizeof(query), "client=c%d&_HLS_pathway=alpha", i);
		ask("/steer/live", query);
		seen[first()[0] - 'a' > 1 ? 2 : first()[0] - 'a']++;
	}
	assert_int_equal(seen[0], 50); /* by sequence, whatever the playlist begins with */
	assert_int_equal(seen[1], 30);
	assert_int_equal(seen[2], 20);
	assert_int_equal(dispatches(), 100);
	assert_int_equal(counter(TALLY_STEER_NEW), 100);
}

static void without_a_client_it_goes_by_the_address(void **state)
{
	char name[16];

	(void)state;
	ask("/steer/live", "");
	(void)snprintf(name, sizeof(name), "%s", first());
	for (int i = 0; i < 5; i++) {
		ask("/steer/live", "");
		assert_string_equal(first(), name);
	}
}

static void manifest_of_a_calm_system(void **state)
{
	(void)state;
	ask("/steer/live/cup", "_told=beta&_HLS_pathway=beta");
	assert_string_equal(list(), "beta alpha gamma");
	assert_string_equal(reload(), "?_told=beta");
	assert_in_range(ttl(), 480, 720); /* ten refreshes of 60 s */
	assert_null(cJSON_GetObjectItem(manifest, "PATHWAY-CLONES"));
	assert_int_equal(dispatches(), 0);
	assert_int_equal(tally_get(&slot_count(TW_BETA)->refresh), 1);
	assert_int_equal(counter(TALLY_STEER_KEPT), 1);
}

static void it_stays_where_it_is(void **state)
{
	(void)state;
	ask("/steer/live",
		"_told=gamma&_HLS_pathway=%22gamma%22"); /* quoted, as the draft has it */
	assert_string_equal(first(), "gamma");
	ask("/steer/live", "_told=gamma"); /* not begun yet */
	assert_string_equal(first(), "gamma");
	ask("/steer/live", "_told=gamma&_DASH_pathway=%22alpha,gamma%22&_DASH_throughput=1,2");
	assert_string_equal(first(), "gamma");
	ask("/steer/live", "_told=gamma&_HLS_pathway=.");
	assert_string_equal(first(), "gamma");
	assert_int_equal(dispatches(), 0);
	bar(TW_GAMMA, SCORE_AT_MAX, true); /* full is no cause */
	ask("/steer/live", "_told=gamma&_HLS_pathway=gamma");
	assert_string_equal(first(), "gamma");
	assert_int_equal(dispatches(), 0);
}

static void who_left_by_itself_stays_away(void **state)
{
	struct tally_note note;
	uint64_t at = 0;

	(void)state;
	ask("/steer/live", "_told=alpha&_HLS_pathway=beta");
	assert_string_equal(first(), "beta");
	assert_string_equal(reload(), "?_told=beta");
	assert_int_equal(counter(TALLY_STEER_LEFT), 1);
	assert_int_equal(tally_get(&slot_count(TW_BETA)->moved), 1); /* its load has moved */
	assert_true(next_note(&at, &note));
	assert_int_equal(note.kind, TALLY_LEFT);
	assert_int_equal(note.vendor, TW_ALPHA);
	assert_int_equal(note.group, TW_TELECOM);
	assert_false(next_note(&at, &note));
	ask("/steer/live", "_told=beta&_HLS_pathway=beta");
	assert_int_equal(counter(TALLY_STEER_LEFT), 1);
	assert_int_equal(dispatches(), 1);
}

static void drain_moves_it_once(void **state)
{
	char now[16], query[64];

	(void)state;
	bar(TW_GAMMA, SCORE_DRAINED, true);
	ask("/steer/live", "_told=gamma&_HLS_pathway=gamma");
	(void)snprintf(now, sizeof(now), "%s", first());
	assert_string_not_equal(now, "gamma");
	assert_int_equal(ttl(), 10);
	assert_int_equal(dispatches(), 1);
	assert_int_equal(counter(TALLY_STEER_MOVED), 1);
	(void)snprintf(query, sizeof(query), "_told=%s&_HLS_pathway=gamma", now);
	for (int i = 0; i < 10; i++) { /* it has not come round to it yet */
		ask("/steer/live", query);
		assert_string_equal(first(), now);
	}
	assert_int_equal(dispatches(), 1);
	assert_int_equal(counter(TALLY_STEER_LEFT), 0);
}

static void barred_vendors_are_left(void **state)
{
	static const enum score_reason reasons[] = {
		SCORE_BLACKLISTED, SCORE_EVACUATED, SCORE_DOWN, SCORE_RESTRICTED};

	(void)state;
	for (size_t i = 0; i < SL_COUNT(reasons); i++) {
		struct tick_row saved = *row_of(TW_LIVE);

		bar(TW_ALPHA, reasons[i], false);
		ask("/steer/live", "_told=alpha&_HLS_pathway=alpha");
		assert_null(strstr(list(), "alpha"));
		assert_int_equal(ttl(), reasons[i] == SCORE_RESTRICTED ? ttl() : 10);
		*row_of(TW_LIVE) = saved;
	}
}

static void two_pathways_where_there_are_two(void **state)
{
	(void)state;
	bar(TW_ALPHA, SCORE_BLACKLISTED, false);
	bar(TW_GAMMA, SCORE_DRAINED, true);
	ask("/steer/live", "_told=alpha&_HLS_pathway=alpha");
	assert_string_equal(
		list(), "beta gamma"); /* what may keep sessions before what is barred */
	row_of(TW_LIVE)->reasons |= SCORE_RESTRICTED << 8;
	row_of(TW_LIVE)->seated &= (uint16_t)~4u;
	ask("/steer/live", "_told=beta&_HLS_pathway=beta");
	assert_true(strcmp(list(), "beta alpha") == 0 || strcmp(list(), "beta gamma") == 0);
}

static void restricted_ones_are_not_listed(void **state)
{
	(void)state;
	bar(TW_ALPHA, SCORE_RESTRICTED, false);
	bar(TW_BETA, SCORE_BLACKLISTED, false);
	ask("/steer/live", "_told=gamma&_HLS_pathway=gamma");
	assert_string_equal(list(), "gamma beta");
}

static void nobody_has_room(void **state)
{
	struct tick_row *row = row_of(TW_LIVE);

	(void)state;
	row->usable = 0;
	ask("/steer/live", "_told=beta&_HLS_pathway=beta");
	assert_string_equal(first(), "beta");
	row->seated = 0;
	ask("/steer/live", "_told=beta&_HLS_pathway=beta");
	assert_string_equal(list(), "beta alpha");
	ask("/steer/live", "");
	assert_string_equal(list(), "alpha beta");
	assert_int_equal(ttl(), 10);
	assert_int_equal(tally_get(&h.all.tally[0]->row[TW_LIVE][TW_TELECOM].none), 1);
	row->shares = BLOB_NONE; /* not active any more */
	ask("/steer/live", "_told=gamma&_HLS_pathway=gamma");
	assert_string_equal(first(), "gamma");
}

static void over_the_maximum_some_move(void **state)
{
	struct tick_figure *f =
		(struct tick_figure *)(uintptr_t)&h.w.worker.world->tick.figures[TW_ALPHA];
	int moved = 0;

	(void)state;
	f->max_mbps = 1000;
	f->forecast_mbps = 2000;
	for (int i = 0; i < 6000; i++) {
		char query[64];

		(void)snprintf(
			query, sizeof(query), "client=c%d&_told=alpha&_HLS_pathway=alpha", i);
		ask("/steer/live", query);
		assert_int_equal(ttl(), 10);
		moved += strcmp(first(), "alpha") != 0;
	}
	assert_in_range(moved, 400, 600); /* half of them within a minute: a twelfth each 10 s */
}

static void all_behind_is_dead(void **state)
{
	(void)state;
	bar(TW_GAMMA, SCORE_DRAINED, true);
	h.w.worker.stale = true;
	for (int i = 0; i < 5; i++) {
		ask("/steer/live", "_told=gamma&_HLS_pathway=gamma");
		assert_string_equal(first(), "gamma");
		assert_true(ttl() >= 480);
	}
	ask("/steer/live", "_told=beta&_HLS_pathway=beta");
	assert_string_equal(first(), "beta");
}

static void tokens_are_kept_byte_for_byte(void **state)
{
	(void)state;
	ask("/steer/live", "hdnts=st=1~exp=2~acl=/*~hmac=0aF%2b&x=%7e+&_HLS_pathway=alpha&a&"
			   "_HLS_throughput=1&client=q%22&_told=alpha");
	assert_string_equal(
		reload(), "?hdnts=st=1~exp=2~acl=/*~hmac=0aF%2b&x=%7e+&a&client=q%22&_told=alpha");
	ask("/steer/live", "q=\"\\&_DASH_pathway=alpha&_DASH_throughput=1");
	assert_non_null(strstr(reload(), "?q=\"\\&_told="));
}

static void throughput_goes_up(void **state)
{
	struct tally_note note;
	uint64_t at = 0;

	(void)state;
	ask("/steer/live", "_HLS_pathway=alpha&_HLS_throughput=500000"); /* a guess */
	ask("/steer/live", "_told=alpha&_HLS_pathway=alpha&_HLS_throughput=5000000");
	ask("/steer/live", "_told=beta&_DASH_pathway=%22alpha,x,beta%22&_DASH_throughput=7000000,"
			   "1000,8000900.5");
	ask("/steer/live", "_told=beta&_DASH_pathway=%22alpha,beta%22&_DASH_throughput=,9000000");
	for (const char *const *bad = (const char *const[]){"", "x", "-1", "999", "1e9", "NaN",
		     "1000001000", "99999999999999999999", NULL};
		*bad; bad++) {
		char query[96];

		(void)snprintf(query, sizeof(query),
			"_told=beta&_HLS_pathway=beta&_HLS_throughput=%s", *bad);
		ask("/steer/live", query);
	}
	for (int i = 0; i < 4; i++) {
		static const struct {
			uint32_t vendor, kbps;
		} want[] = {{TW_ALPHA, 5000}, {TW_ALPHA, 7000}, {TW_BETA, 8000}, {TW_BETA, 9000}};

		assert_true(next_note(&at, &note));
		assert_int_equal(note.kind, TALLY_THROUGHPUT);
		assert_int_equal(note.vendor, want[i].vendor);
		assert_int_equal(note.kbps, want[i].kbps);
	}
	assert_false(next_note(&at, &note));
	assert_int_equal(counter(TALLY_STEER_THROUGHPUT), 4);
	ask("/steer/live", "_told=beta&_HLS_pathway=beta&_HLS_throughput=1000");
	assert_true(next_note(&at, &note));
	assert_int_equal(note.kbps, 1);
	ask("/steer/live", "_told=beta&_HLS_pathway=beta&_HLS_throughput=1000000000");
	assert_true(next_note(&at, &note));
	assert_int_equal(note.kbps, SL_STEER_MAX_KBPS);
}

static void notes_are_bounded(void **state)
{
	struct tally_note note;
	uint64_t at = 0;
	int n = 0;

	(void)state;
	for (int i = 0; i < 300; i++)
		ask("/steer/live", "_told=alpha&_HLS_pathway=alpha&_HLS_throughput=5000000");
	while (next_note(&at, &note))
		n++;
	assert_int_equal(n, SL_STEER_NOTES_PER_S); /* in one second of one worker */
	h.w.worker.now_ms += 1000;
	ask("/steer/live", "_told=alpha&_HLS_pathway=alpha&_HLS_throughput=5000000");
	assert_true(next_note(&at, &note));
	assert_int_equal(counter(TALLY_STEER_THROUGHPUT), 301);
}

static void clones_for_what_the_playlist_lacks(void **state)
{
	const cJSON *clone;

	(void)state;
	ask("/steer/live", "pathways=alpha,beta&_told=gamma&_HLS_pathway=gamma");
	assert_string_equal(list(), "gamma alpha beta");
	clone = cJSON_GetArrayItem(cJSON_GetObjectItem(manifest, "PATHWAY-CLONES"), 0);
	assert_string_equal(cJSON_GetStringValue(cJSON_GetObjectItem(clone, "BASE-ID")), "alpha");
	assert_string_equal(cJSON_GetStringValue(cJSON_GetObjectItem(clone, "ID")), "gamma");
	clone = cJSON_GetObjectItem(clone, "URI-REPLACEMENT");
	assert_string_equal(
		cJSON_GetStringValue(cJSON_GetObjectItem(clone, "HOST")), "live.gamma.example");
	assert_true(cJSON_IsObject(cJSON_GetObjectItem(clone, "PARAMS")));
	assert_int_equal(cJSON_GetArraySize(cJSON_GetObjectItem(manifest, "PATHWAY-CLONES")), 1);
	assert_string_equal(reload(), "?pathways=alpha,beta&_told=gamma");
	/* without a host there is nothing to clone to: what cannot be had is not listed */
	ask("/steer/drill", "pathways=alpha,beta");
	assert_null(strstr(list(), "gamma"));
	assert_null(cJSON_GetObjectItem(manifest, "PATHWAY-CLONES"));
	ask("/steer/live", "pathways=nobody");
	assert_int_equal(cJSON_GetArraySize(cJSON_GetObjectItem(manifest, "PATHWAY-PRIORITY")), 3);
}

static void what_is_refused(void **state)
{
	struct cat_service *s =
		(struct cat_service *)(uintptr_t)&h.w.worker.world->cat.services[TW_LIVE];

	char path[SL_HTTP_STREAM_MAX + 32] = "/steer/live/";

	(void)state;
	memset(path + strlen(path), 's', SL_HTTP_STREAM_MAX);
	assert_int_equal(httpworld_get(&h, path, ""), 200);
	path[strlen(path)] = 's';
	assert_int_equal(httpworld_get(&h, path, ""), 404);
	assert_int_equal(httpworld_get(&h, "/steer/nobody", ""), 404);
	assert_int_equal(httpworld_get(&h, "/steer/", ""), 404);
	assert_int_equal(httpworld_get(&h, "/steer/live", "ip=x"), 400);
	assert_int_equal(httpworld_get(&h, "/steer/live/%zz", ""), 404);
	assert_int_equal(httpworld_get(&h, "/steer/live/a%2Fb/c", ""), 200);
	s->no_steer = 1;
	assert_int_equal(httpworld_get(&h, "/steer/live", "_told=beta"), 410);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {CASE(first_request_is_dispatched),
		CASE(without_a_client_it_goes_by_the_address), CASE(manifest_of_a_calm_system),
		CASE(it_stays_where_it_is), CASE(who_left_by_itself_stays_away),
		CASE(drain_moves_it_once), CASE(barred_vendors_are_left),
		CASE(two_pathways_where_there_are_two), CASE(restricted_ones_are_not_listed),
		CASE(nobody_has_room), CASE(over_the_maximum_some_move), CASE(all_behind_is_dead),
		CASE(tokens_are_kept_byte_for_byte), CASE(throughput_goes_up),
		CASE(notes_are_bounded), CASE(clones_for_what_the_playlist_lacks),
		CASE(what_is_refused)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
