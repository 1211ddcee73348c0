/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include <sqlite3.h>
#include <unistd.h>

#include "base/os.h"
#include "store/store.h"

static char dir[64], db_path[96], key_path[96], head_path[112];

enum { ROWS = 5 };

static void append(struct store *s, unsigned i)
{
	struct store_audit_row row = {.time_ms = 1000 + i,
		.who = "ann",
		.origin = "socket",
		.role = "admin",
		.command = "vendor drain",
		.args = "{\"vendor\":\"alpha\"}",
		.result = i % 2 ? "done" : "refused"};
	struct errbuf err = {""};

	assert_int_equal(store_begin(s, &err), 0);
	assert_int_equal(store_audit(s, &row, &err), 0);
	assert_int_equal(store_commit(s, &err), 0);
}

static struct store *opened(void)
{
	struct errbuf err = {""};
	struct store *s;

	if (store_open(db_path, key_path, &s, &err))
		fail_msg("%s", err.s);
	return s;
}

static int setup(void **state)
{
	struct store *s;

	(void)state;
	(void)snprintf(dir, sizeof(dir), "/tmp/sluice-test-audit-XXXXXX");
	if (!mkdtemp(dir))
		return -1;
	(void)snprintf(db_path, sizeof(db_path), "%s/store.db", dir);
	(void)snprintf(key_path, sizeof(key_path), "%s/audit.key", dir);
	(void)snprintf(head_path, sizeof(head_path), "%s.head", key_path);
	s = opened();
	for (unsigned i = 0; i < ROWS; i++)
		append(s, i);
	store_close(s);
	return 0;
}

static int teardown(void **state)
{
	char path[128];

	(void)state;
	(void)unlink(db_path);
	(void)snprintf(path, sizeof(path), "%s-wal", db_path);
	(void)unlink(path);
	(void)snprintf(path, sizeof(path), "%s-shm", db_path);
	(void)unlink(path);
	(void)unlink(key_path);
	(void)unlink(head_path);
	return rmdir(dir);
}

static int verify(struct errbuf *err)
{
	struct store *s = opened();
	uint64_t rows = 0;
	int rc = store_audit_verify(s, &rows, err);

	store_close(s);
	return rc ? rc : (int)rows;
}

static void tampering_is_found(void **state)
{
	static const struct {
		const char *what, *sql, *says;
	} rows[] = {
		{"a field", "UPDATE audit SET result = 'done' WHERE n = 3", "row 3 was changed"},
		{"a time", "UPDATE audit SET time_ms = 1 WHERE n = 1", "row 1 was changed"},
		{"a text moved from one field to its neighbour",
			"UPDATE audit SET who = 'an', origin = 'nsocket' WHERE n = 2",
			"row 2 was changed"},
		{"a row taken out", "DELETE FROM audit WHERE n = 2", "row 2 is missing"},
		{"a row taken out and the rest moved up",
			"DELETE FROM audit WHERE n = 2; UPDATE audit SET n = n - 1 WHERE n > 2",
			"row 2 was changed"},
		{"the end cut off", "DELETE FROM audit WHERE n = 5", "the log ends at 4"},
		{"a row put in",
			"INSERT INTO audit SELECT 6, time_ms, who, origin, role, command,"
			" args, result, seal FROM audit WHERE n = 5",
			"row 6 was changed"},
		{"two rows exchanged",
			"UPDATE audit SET n = -1 WHERE n = 3; UPDATE audit SET n = 3 WHERE n = 4;"
			"UPDATE audit SET n = 4 WHERE n = -1",
			"row 3 was changed"},
	};

	(void)state;
	for (size_t i = 0; i < SL_COUNT(rows); i++) {
		struct errbuf err = {""};
		sqlite3 *db;

		assert_int_equal(setup(NULL), 0);
		assert_int_equal(verify(&err), ROWS);
		assert_int_equal(sqlite3_open(db_path, &db), SQLITE_OK);
		assert_int_equal(sqlite3_exec(db, rows[i].sql, NULL, NULL, NULL), SQLITE_OK);
		(void)sqlite3_close(db);
		if (verify(&err) != SL_ECHECKSUM || !strstr(err.s, rows[i].says))
			fail_msg("%s: %s", rows[i].what, err.s);
		assert_int_equal(teardown(NULL), 0);
	}
}

static void another_key_does_not_verify(void **state)
{
	struct errbuf err = {""};
	char other[32] = {1};

	(void)state;
	assert_int_equal(setup(NULL), 0);
	assert_int_equal(os_write_file(key_path, other, sizeof(other), 0600, &err), 0);
	assert_int_equal(verify(&err), SL_ECHECKSUM);
	assert_int_equal(unlink(head_path), 0);
	assert_int_equal(verify(&err), SL_ECHECKSUM);
	assert_int_equal(teardown(NULL), 0);
}

static void the_chain_goes_on_over_restarts(void **state)
{
	struct errbuf err = {""};
	struct store *s, *other;

	(void)state;
	assert_int_equal(setup(NULL), 0);
	s = opened();
	other = opened(); /* as an offline rollback would */
	append(s, 6);
	append(other, 7);
	append(s, 8);
	store_close(s);
	store_close(other);
	assert_int_equal(verify(&err), ROWS + 3);
	assert_int_equal(teardown(NULL), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tampering_is_found),
		cmocka_unit_test(another_key_does_not_verify),
		cmocka_unit_test(the_chain_goes_on_over_restarts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
