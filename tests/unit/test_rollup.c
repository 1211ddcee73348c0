/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "base/os.h"
#include "store/rollup.h"

#include <signal.h>
#include <sqlite3.h>
#include <sys/resource.h>
#include <unistd.h>

static const uint64_t HOUR = UINT64_C(1800000000000); /* begins one */

static char dir[64], path[96];

static int setup(void **state)
{
	(void)state;
	(void)snprintf(dir, sizeof(dir), "%s/sluice-test-rollup-XXXXXX",
		access("/dev/shm", W_OK) ? "/tmp" : "/dev/shm");
	if (!mkdtemp(dir))
		return -1;
	(void)snprintf(path, sizeof(path), "%s/rollup.db", dir);
	return 0;
}

static int teardown(void **state)
{
	static const char *const ends[] = {"", "-wal", "-shm"};
	char name[128];

	(void)state;
	for (size_t i = 0; i < SL_COUNT(ends); i++) {
		(void)snprintf(name, sizeof(name), "%s%s", path, ends[i]);
		(void)unlink(name);
	}
	return rmdir(dir);
}

static struct rollup *opened(void)
{
	struct rollup *r = NULL;
	struct errbuf err = {""};

	if (rollup_open(path, &r, &err))
		fail_msg("%s", err.s);
	return r;
}

struct seen {
	uint32_t rows;
	uint64_t first_ms, last_ms;
	struct rollup_counts sum;
};

static void see(void *ctx, uint64_t time_ms, const char *vendor, const char *name,
	const struct rollup_counts *c)
{
	struct seen *s = ctx;

	assert_true(vendor[0] && name[0]);
	if (s->rows++ == 0)
		s->first_ms = time_ms;
	assert_true(time_ms >= s->last_ms);
	s->last_ms = time_ms;
	rollup_add(&s->sum, c);
}

static struct seen look(struct rollup *r, enum rollup_span span, enum rollup_kind kind)
{
	struct seen s = {0};

	assert_int_equal(rollup_each(r, span, kind, 0, UINT64_MAX, see, &s), 0);
	return s;
}

static void put_minute(struct rollup *r, uint64_t minute_ms, uint64_t pulls)
{
	struct rollup_counts c = {.minutes = 1,
		.pulls = pulls,
		.pulls_ok = pulls - 1,
		.frames = pulls - 1,
		.frames_us = (pulls - 1) * 1000,
		.p95_us = pulls * 10,
		.users = 7,
		.sessions = 5,
		.kbps = 5000};

	assert_int_equal(rollup_begin(r, NULL), 0);
	assert_int_equal(
		rollup_put(r, minute_ms, ROLLUP_GROUP, "alpha", "CN/GD/telecom", &c, NULL), 0);
	assert_int_equal(rollup_put(r, minute_ms, ROLLUP_CLIENT, "alpha", "web", &c, NULL), 0);
	assert_int_equal(rollup_commit(r, minute_ms, NULL), 0);
}

static void minutes_add_up_to_hours(void **state)
{
	struct rollup *r = opened();
	struct seen s;

	(void)state;
	assert_int_equal(rollup_last(r), 0);
	for (uint64_t i = 0; i < 90; i++)
		put_minute(r, HOUR + i * 60000, 10 + i);
	assert_int_equal(rollup_last(r), HOUR + UINT64_C(89) * 60000);
	rollup_close(r);
	r = opened();
	assert_int_equal(rollup_last(r), HOUR + UINT64_C(89) * 60000);
	s = look(r, ROLLUP_MINUTE, ROLLUP_GROUP);
	assert_int_equal(s.rows, 90);
	assert_int_equal(s.sum.pulls, 90 * 10 + 89 * 90 / 2);
	s = look(r, ROLLUP_HOUR, ROLLUP_GROUP);
	assert_int_equal(s.rows, 2);
	assert_int_equal(s.first_ms, HOUR);
	assert_int_equal(s.last_ms, HOUR + 3600000);
	assert_int_equal(s.sum.pulls, 90 * 10 + 89 * 90 / 2);
	assert_int_equal(s.sum.minutes, 90);
	assert_int_equal(s.sum.p95_us, 990); /* the largest, not the sum */
	assert_int_equal(look(r, ROLLUP_MINUTE, ROLLUP_CLIENT).rows, 90);
	assert_int_equal(look(r, ROLLUP_MINUTE, ROLLUP_STREAM).rows, 0);
	rollup_close(r);
}

static void put_log(struct rollup *r, uint64_t minute_ms, uint64_t requests)
{
	struct rollup_counts c = {.pulls = 99, /* of no account */
		.log_octets = requests * 1000,
		.log_requests = requests,
		.log_errors = requests / 2};

	assert_int_equal(rollup_put_log(r, minute_ms, "alpha", "CN/GD/telecom", &c, NULL), 0);
}

/* Logs tell what a minute has come to; telling it twice, or less, changes nothing. */
static void logs_come_late_and_again(void **state)
{
	struct rollup *r = opened();
	struct seen s;

	(void)state;
	put_minute(r, HOUR, 10);
	assert_int_equal(rollup_begin(r, NULL), 0);
	put_log(r, HOUR, 4);
	put_log(r, HOUR, 10);
	put_log(r, HOUR, 10);
	put_log(r, HOUR, 2);
	put_log(r, HOUR + 60000, 1); /* of a minute that nobody reported of */
	assert_int_equal(rollup_commit(r, HOUR + UINT64_C(240) * 60000, NULL), 0);
	s = look(r, ROLLUP_MINUTE, ROLLUP_GROUP);
	assert_int_equal(s.rows, 2);
	assert_int_equal(s.sum.log_requests, 11);
	s = look(r, ROLLUP_HOUR, ROLLUP_GROUP);
	assert_int_equal(s.rows, 1);
	assert_int_equal(s.sum.log_requests, 11);
	assert_int_equal(s.sum.log_octets, 11000);
	assert_int_equal(s.sum.log_errors, 5);
	assert_int_equal(s.sum.pulls, 10);
	assert_int_equal(s.sum.minutes, 1);
	rollup_close(r);
}

static void what_is_old_is_forgotten(void **state)
{
	struct rollup *r = opened();

	(void)state;
	put_minute(r, HOUR, 10);
	put_minute(r, HOUR + ROLLUP_MINUTES_KEPT_MS, 10);
	assert_int_equal(look(r, ROLLUP_MINUTE, ROLLUP_GROUP).rows, 2);
	put_minute(r, HOUR + ROLLUP_MINUTES_KEPT_MS + 60000, 10);
	assert_int_equal(look(r, ROLLUP_MINUTE, ROLLUP_GROUP).rows, 2);
	assert_int_equal(look(r, ROLLUP_HOUR, ROLLUP_GROUP).rows, 2);
	put_minute(r, HOUR + 2 * ROLLUP_HOURS_KEPT_MS, 10);
	assert_int_equal(look(r, ROLLUP_HOUR, ROLLUP_GROUP).rows, 1);
	assert_int_equal(look(r, ROLLUP_MINUTE, ROLLUP_GROUP).rows, 1);
	rollup_close(r);
}

static void undone_is_nothing(void **state)
{
	struct rollup *r = opened();
	struct rollup_counts c = {.minutes = 1};

	(void)state;
	assert_int_equal(rollup_begin(r, NULL), 0);
	assert_int_equal(rollup_put(r, HOUR, ROLLUP_GROUP, "alpha", "CN", &c, NULL), 0);
	rollup_undo(r);
	assert_int_equal(look(r, ROLLUP_MINUTE, ROLLUP_GROUP).rows, 0);
	assert_int_equal(rollup_last(r), 0);
	rollup_close(r);
}

static void a_damaged_file_is_begun_anew(void **state)
{
	static const char junk[8192] = "no database at all";
	struct rollup *r;

	(void)state;
	assert_int_equal(os_write_file(path, junk, sizeof(junk), 0600, NULL), 0);
	r = opened();
	put_minute(r, HOUR, 10);
	assert_int_equal(look(r, ROLLUP_MINUTE, ROLLUP_GROUP).rows, 1);
	rollup_close(r);
}

/* A file in use by others, or a disk without room: what there is stays, and opens when that is
 * over.
 */
static void what_will_pass_takes_nothing_away(void **state)
{
	struct sigaction ignored = {.sa_handler = SIG_IGN};
	struct rlimit was, none;
	struct rollup *r = opened();
	struct errbuf err = {""};
	sqlite3 *other;

	(void)state;
	put_minute(r, HOUR, 10);
	rollup_close(r);
	assert_int_equal(sqlite3_open(path, &other), SQLITE_OK);
	assert_int_equal(
		sqlite3_exec(other, "PRAGMA locking_mode=EXCLUSIVE; BEGIN EXCLUSIVE; COMMIT", NULL,
			NULL, NULL),
		SQLITE_OK);
	assert_int_equal(rollup_open(path, &r, &err), SL_EBUSY);
	assert_int_equal(sqlite3_close(other), SQLITE_OK);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &was), 0);
	none = (struct rlimit){0, was.rlim_max};
	assert_int_equal(sigaction(SIGXFSZ, &ignored, NULL), 0);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &none), 0);
	assert_int_not_equal(rollup_open(path, &r, &err), 0);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &was), 0);
	r = opened();
	assert_int_equal(look(r, ROLLUP_MINUTE, ROLLUP_GROUP).rows, 1);
	rollup_close(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(minutes_add_up_to_hours, setup, teardown),
		cmocka_unit_test_setup_teardown(logs_come_late_and_again, setup, teardown),
		cmocka_unit_test_setup_teardown(what_is_old_is_forgotten, setup, teardown),
		cmocka_unit_test_setup_teardown(undone_is_nothing, setup, teardown),
		cmocka_unit_test_setup_teardown(a_damaged_file_is_begun_anew, setup, teardown),
		cmocka_unit_test_setup_teardown(what_will_pass_takes_nothing_away, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
