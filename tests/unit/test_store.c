/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include <inttypes.h>
#include <signal.h>
#include <sqlite3.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/os.h"
#include "store/store.h"

static char dir[64], db_path[96], key_path[96];

static int setup(void **state)
{
	(void)state;
	(void)snprintf(dir, sizeof(dir), "%s/sluice-test-store-XXXXXX",
		access("/dev/shm", W_OK) ? "/tmp" : "/dev/shm");
	if (!mkdtemp(dir))
		return -1;
	(void)snprintf(db_path, sizeof(db_path), "%s/store.db", dir);
	(void)snprintf(key_path, sizeof(key_path), "%s/audit.key", dir);
	return 0;
}

static int teardown(void **state)
{
	static const char *const names[] = {
		"store.db", "store.db-wal", "store.db-shm", "audit.key", "audit.key.head"};
	char path[128];

	(void)state;
	for (size_t i = 0; i < SL_COUNT(names); i++) {
		(void)snprintf(path, sizeof(path), "%s/%s", dir, names[i]);
		(void)unlink(path);
	}
	return rmdir(dir);
}

static struct store *opened(void)
{
	struct errbuf err = {""};
	struct store *s;

	if (store_open(db_path, key_path, &s, &err))
		fail_msg("%s", err.s);
	return s;
}

static struct store_author author(const char *id, const struct store_stamp *base)
{
	return (struct store_author){.id = id,
		.who = "ann",
		.origin = "socket",
		.why = "test",
		.command = "set",
		.now_ms = 1000,
		.base = base};
}

/* One change of one key in a transaction of its own. */
static int set(struct store *s, const char *key, const char *value, const char *id,
	const struct store_stamp *base, struct store_result *r, struct errbuf *err)
{
	struct store_author a = author(id, base);
	struct store_item item = {key, value};
	int rc = store_begin(s, err);

	if (rc)
		return rc;
	rc = store_change(s, &a, &item, 1, r, err);
	if (rc)
		store_undo(s);
	return store_commit(s, err) ? SL_EIO : rc;
}

static void expect(struct store *s, const char *key, const char *want)
{
	char *got = store_get(s, key);

	if (want)
		assert_string_equal(got, want);
	else
		assert_null(got);
	free(got);
}

static void a_change_is_there_after_reopening(void **state)
{
	struct errbuf err = {""};
	struct store *s = opened();
	struct store_result r;

	(void)state;
	assert_int_equal(set(s, "a", "1", NULL, NULL, &r, &err), 0);
	assert_int_equal(r.number, 1);
	assert_int_equal(r.stamp.generation, 1);
	store_close(s);
	s = opened();
	expect(s, "a", "1");
	assert_int_equal(store_stamp(s).generation, 1);
	assert_int_equal(store_stamp(s).epoch, 1);
	assert_int_equal(store_last(s), 1);
	store_close(s);
}

static void the_same_id_changes_once(void **state)
{
	struct errbuf err = {""};
	struct store *s = opened();
	struct store_result r;

	(void)state;
	assert_int_equal(set(s, "a", "1", "x", NULL, &r, &err), 0);
	assert_false(r.repeated);
	assert_int_equal(set(s, "a", "2", NULL, NULL, &r, &err), 0);
	assert_int_equal(set(s, "a", "1", "x", NULL, &r, &err), 0);
	assert_true(r.repeated);
	assert_int_equal(r.number, 1);
	expect(s, "a", "2");
	store_close(s);
}

static void what_changes_nothing_is_no_change(void **state)
{
	struct errbuf err = {""};
	struct store *s = opened();
	struct store_result r;

	(void)state;
	assert_int_equal(set(s, "a", "1", NULL, NULL, &r, &err), 0);
	assert_int_equal(set(s, "a", "1", NULL, NULL, &r, &err), 0);
	assert_int_equal(r.number, 0);
	assert_int_equal(set(s, "b", NULL, NULL, NULL, &r, &err), 0);
	assert_int_equal(r.number, 0);
	assert_int_equal(store_stamp(s).generation, 1);
	store_close(s);
}

static void an_older_plan_never_replaces_a_newer_one(void **state)
{
	struct errbuf err = {""};
	struct store *s = opened();
	struct store_stamp seen = store_stamp(s);
	struct store_result r;

	(void)state;
	assert_int_equal(set(s, "a", "1", NULL, &seen, &r, &err), 0);
	assert_int_equal(set(s, "a", "2", NULL, &seen, &r, &err), SL_ESTALE);
	expect(s, "a", "1");
	assert_int_equal(set(s, "b", "1", NULL, &seen, &r, &err), 0); /* another key */
	seen = store_stamp(s);
	assert_int_equal(set(s, "a", NULL, NULL, &seen, &r, &err), 0);
	assert_int_equal(set(s, "a", "3", NULL, &seen, &r, &err), SL_ESTALE); /* taken away since */
	store_close(s);
}

/* Two writers, each with what it has seen some rounds ago: what is kept only ever gets newer. */
static void two_writers_with_delays(void **state)
{
	struct store *s[2] = {opened(), opened()};
	struct store_stamp seen[2];
	unsigned lcg = 1, kept = 0, refused = 0, newest = 0;
	unsigned plan[2] = {0, 0};

	(void)state;
	for (int i = 0; i < 2; i++)
		seen[i] = store_stamp(s[i]);
	for (unsigned round = 1; round <= 10000; round++) {
		struct errbuf err = {""};
		struct store_result r;
		char text[32], *got;
		unsigned who;
		int rc;

		lcg = lcg * 1103515245U + 12345U;
		who = lcg >> 16 & 1;
		if ((lcg >> 17 & 7) < 3) { /* reads, and makes a plan for later */
			assert_int_equal(store_begin(s[who], &err), 0);
			seen[who] = store_stamp(s[who]);
			assert_int_equal(store_commit(s[who], &err), 0);
			plan[who] = round;
			continue;
		}
		(void)snprintf(text, sizeof(text), "%u", plan[who]);
		rc = set(s[who], "k", text, NULL, &seen[who], &r, &err);
		if (rc == 0 && r.number) {
			kept++;
			assert_true(plan[who] >= newest);
			newest = plan[who];
		} else if (rc) {
			assert_int_equal(rc, SL_ESTALE);
			refused++;
		}
		got = store_get(s[who], "k");
		if (got)
			assert_int_equal(strtoul(got, NULL, 10), newest);
		free(got);
	}
	assert_true(kept > 500);
	assert_true(refused > 500);
	store_close(s[0]);
	store_close(s[1]);
}

static void count_row(void *ctx, const struct store_change_row *row)
{
	uint64_t *n = ctx;

	(*n)++;
	assert_string_equal(row->who, "ann");
	assert_true(row->id[0]);
}

static void rollback_restores_and_is_a_change(void **state)
{
	static const char *const keep[] = {"token", NULL};
	struct errbuf err = {""};
	struct store *s = opened();
	struct store_author a = author(NULL, NULL);
	struct store_result r;
	uint64_t rows = 0;

	(void)state;
	assert_int_equal(set(s, "a", "1", NULL, NULL, &r, &err), 0);
	assert_int_equal(set(s, "b", "1", NULL, NULL, &r, &err), 0);
	assert_int_equal(set(s, "a", "2", NULL, NULL, &r, &err), 0);
	assert_int_equal(set(s, "a", "3", NULL, NULL, &r, &err), 0);
	assert_int_equal(set(s, "b", NULL, NULL, NULL, &r, &err), 0);
	assert_int_equal(set(s, "token|x", "t", NULL, NULL, &r, &err), 0);
	assert_int_equal(store_begin(s, &err), 0);
	assert_int_equal(store_rollback(s, &a, 2, keep, &r, &err), 0);
	assert_int_equal(store_commit(s, &err), 0);
	assert_int_equal(r.number, 7);
	expect(s, "a", "1");
	expect(s, "b", "1");
	expect(s, "token|x", "t");
	assert_int_equal(store_begin(s, &err), 0);
	assert_int_equal(store_rollback(s, &a, 6, keep, &r, &err), 0); /* undoes the rollback */
	assert_int_equal(store_commit(s, &err), 0);
	expect(s, "a", "3");
	expect(s, "b", NULL);
	assert_int_equal(store_begin(s, &err), 0);
	assert_int_equal(store_rollback(s, &a, 99, keep, &r, &err), SL_ENOENT);
	assert_int_equal(store_commit(s, &err), 0);
	assert_int_equal(store_history(s, 0, 100, count_row, &rows), 0);
	assert_int_equal(rows, 8);
	store_close(s);
}

static void a_refused_command_leaves_its_audit_row_only(void **state)
{
	struct store_audit_row row = {.who = "ann",
		.origin = "socket",
		.role = "admin",
		.command = "set",
		.args = "{}",
		.result = "refused"};
	struct errbuf err = {""};
	struct store *s = opened();
	struct store_author a = author(NULL, NULL);
	struct store_item item = {"a", "1"};
	struct store_result r;
	uint64_t rows = 0;

	(void)state;
	assert_int_equal(store_begin(s, &err), 0);
	assert_int_equal(store_change(s, &a, &item, 1, &r, &err), 0);
	store_undo(s);
	assert_int_equal(store_audit(s, &row, &err), 0);
	assert_int_equal(store_commit(s, &err), 0);
	expect(s, "a", NULL);
	assert_int_equal(store_stamp(s).generation, 0);
	assert_int_equal(store_audit_verify(s, &rows, &err), 0);
	assert_int_equal(rows, 1);
	store_close(s);
}

/* A child that writes without end is killed: what it said was committed is there. */
static void kill_9_loses_nothing_acknowledged(void **state)
{
	(void)state;
	for (int round = 0; round < 20; round++) {
		char last[32] = "", line[32];
		struct store *s;
		int fd[2], status;
		unsigned n = 0;
		char *got;
		FILE *in;
		pid_t pid;

		assert_int_equal(pipe(fd), 0);
		pid = fork();
		assert_true(pid >= 0);
		if (pid == 0) {
			struct store_result r;

			s = opened();
			for (unsigned i = 0;; i++) {
				(void)snprintf(line, sizeof(line), "%u.%u\n", round, i);
				if (set(s, "k", line, NULL, NULL, &r, NULL) == 0)
					(void)!write(fd[1], line, strlen(line));
			}
		}
		(void)close(fd[1]);
		in = fdopen(fd[0], "r");
		while (n++ < 20u + (unsigned)round * 3 && fgets(line, sizeof(line), in))
			memcpy(last, line, sizeof(last));
		assert_int_equal(kill(pid, SIGKILL), 0);
		while (fgets(line, sizeof(line), in))
			memcpy(last, line, sizeof(last));
		(void)fclose(in);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		s = opened();
		got = store_get(s, "k");
		assert_non_null(got);
		/* the one after the last acknowledged may have made it */
		assert_true(strtoul(strchr(got, '.') + 1, NULL, 10) -
				    strtoul(strchr(last, '.') + 1, NULL, 10) <=
			    1);
		free(got);
		store_close(s);
	}
}

static void a_full_disk_refuses_and_keeps(void **state)
{
	struct rlimit old, tight;
	struct errbuf err = {""};
	struct store *s = opened();
	struct store_result r;
	char big[200000];
	int rc;

	(void)state;
	memset(big, 'x', sizeof(big) - 1);
	big[sizeof(big) - 1] = '\0';
	assert_int_equal(set(s, "a", "1", NULL, NULL, &r, &err), 0);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	tight = old;
	tight.rlim_cur = 150000; /* stands for a disk that is full: writes beyond fail */
	(void)sigaction(SIGXFSZ, &(struct sigaction){.sa_handler = SIG_IGN}, NULL);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &tight), 0);
	rc = set(s, "b", big, NULL, NULL, &r, &err);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
	assert_int_not_equal(rc, 0);
	expect(s, "a", "1");
	expect(s, "b", NULL);
	assert_int_equal(set(s, "c", "1", NULL, NULL, &r, &err), 0);
	expect(s, "c", "1");
	store_close(s);
}

static void a_locked_store_is_busy(void **state)
{
	struct errbuf err = {""};
	struct store *s = opened(), *other = opened();
	struct store_result r;

	(void)state;
	assert_int_equal(store_begin(other, &err), 0);
	assert_int_equal(set(s, "a", "1", NULL, NULL, &r, &err), SL_EBUSY);
	assert_int_equal(store_commit(other, &err), 0);
	assert_int_equal(set(s, "a", "1", NULL, NULL, &r, &err), 0);
	store_close(s);
	store_close(other);
}

static void a_damaged_store_is_refused(void **state)
{
	struct errbuf err = {""};
	struct store *s = NULL;
	char junk[4096];

	(void)state;
	memset(junk, 'z', sizeof(junk));
	assert_int_equal(os_write_file(db_path, junk, sizeof(junk), 0600, &err), 0);
	assert_int_equal(store_open(db_path, key_path, &s, &err), SL_EFORMAT);
	assert_true(err.s[0]);
}

static void a_newer_schema_is_refused(void **state)
{
	struct errbuf err = {""};
	struct store *s = opened();
	sqlite3 *db;

	(void)state;
	store_close(s);
	assert_int_equal(sqlite3_open(db_path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, "PRAGMA user_version = 3", NULL, NULL, NULL), SQLITE_OK);
	(void)sqlite3_close(db);
	assert_int_equal(store_open(db_path, key_path, &s, &err), SL_EVERSION);
}

static char told[512];

static void tell_event(void *ctx, const struct store_event_row *row)
{
	(void)ctx;
	(void)snprintf(told + strlen(told), sizeof(told) - strlen(told), "%" PRIu64 " %s %s;",
		row->time_ms, row->kind, row->text);
}

static void tell_mean(void *ctx, const struct store_mean_row *row)
{
	(void)ctx;
	(void)snprintf(told + strlen(told), sizeof(told) - strlen(told),
		"%s %" PRIu64 " %" PRIu64 ";", row->vendor, row->start_ms, row->kbps);
}

/* A database of the first version gets the tables of the second, and keeps what it has. */
static void events_and_means_are_kept_and_forgotten(void **state)
{
	struct errbuf err = {""};
	struct store *s = opened();
	struct store_result r;
	sqlite3 *db;

	(void)state;
	assert_int_equal(set(s, "a", "1", NULL, NULL, &r, &err), 0);
	store_close(s);
	assert_int_equal(sqlite3_open(db_path, &db), SQLITE_OK);
	assert_int_equal(
		sqlite3_exec(db, "DROP TABLE event; DROP TABLE mean; PRAGMA user_version = 1", NULL,
			NULL, NULL),
		SQLITE_OK);
	(void)sqlite3_close(db);
	s = opened();
	expect(s, "a", "1");
	for (uint64_t t = 1000; t <= 5000; t += 1000)
		assert_int_equal(
			store_event(s, &(struct store_event_row){t, "alert", "x"}, 3500, &err), 0);
	told[0] = '\0';
	assert_int_equal(store_events(s, 0, 4000, tell_event, NULL), 0);
	assert_string_equal(told, "2000 alert x;3000 alert x;4000 alert x;");
	assert_int_equal(store_mean(s, &(struct store_mean_row){"b", 300, 7}, 1000, &err), 0);
	assert_int_equal(store_mean(s, &(struct store_mean_row){"a", 600, 8}, 1000, &err), 0);
	assert_int_equal(store_mean(s, &(struct store_mean_row){"a", 600, 9}, 1000, &err), 0);
	assert_int_equal(store_mean(s, &(struct store_mean_row){"b", 1400, 1}, 1000, &err), 0);
	told[0] = '\0';
	assert_int_equal(store_means(s, 0, 1400, tell_mean, NULL), 0);
	assert_string_equal(told, "a 600 9;");
	store_close(s);
}

static void limits(void **state)
{
	static char key[STORE_MAX_KEY + 2], value[STORE_MAX_VALUE + 2];
	struct errbuf err = {""};
	struct store *s = opened();
	struct store_result r;

	(void)state;
	memset(key, 'k', sizeof(key) - 1);
	memset(value, 'v', sizeof(value) - 1);
	assert_int_equal(set(s, key, "1", NULL, NULL, &r, &err), SL_ELIMIT);
	key[STORE_MAX_KEY] = '\0';
	assert_int_equal(set(s, key, "1", NULL, NULL, &r, &err), 0);
	assert_int_equal(set(s, "a", value, NULL, NULL, &r, &err), SL_ELIMIT);
	value[STORE_MAX_VALUE] = '\0';
	assert_int_equal(set(s, "a", value, NULL, NULL, &r, &err), 0);
	store_close(s);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(a_change_is_there_after_reopening),
		TEST(the_same_id_changes_once),
		TEST(what_changes_nothing_is_no_change),
		TEST(an_older_plan_never_replaces_a_newer_one),
		TEST(two_writers_with_delays),
		TEST(rollback_restores_and_is_a_change),
		TEST(a_refused_command_leaves_its_audit_row_only),
		TEST(kill_9_loses_nothing_acknowledged),
		TEST(a_full_disk_refuses_and_keeps),
		TEST(a_locked_store_is_busy),
		TEST(a_damaged_store_is_refused),
		TEST(a_newer_schema_is_refused),
		TEST(events_and_means_are_kept_and_forgotten),
		TEST(limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
