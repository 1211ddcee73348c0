/* SPDX-License-Identifier: Apache-2.0 */
/* The database itself: opened, its schema brought up to date, transactions, errors in our words. */
#include "store/store.h"

#include "base/os.h"
#include "store/store_int.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct {
	int version;
	const char *sql;
} steps[] = {
#define STEP(version, sql) {version, sql},
#include "store/schema.def"
#undef STEP
};

int store_error(struct store *s, struct errbuf *err, const char *doing)
{
	static const struct {
		int sqlite, ours;
	} map[] = {{SQLITE_BUSY, SL_EBUSY}, {SQLITE_LOCKED, SL_EBUSY}, {SQLITE_FULL, SL_ENOSPC},
		{SQLITE_NOMEM, SL_ENOMEM}, {SQLITE_CORRUPT, SL_EFORMAT},
		{SQLITE_NOTADB, SL_EFORMAT}, {SQLITE_READONLY, SL_EACCES},
		{SQLITE_CANTOPEN, SL_EACCES}, {SQLITE_TOOBIG, SL_ELIMIT}};
	int code = sqlite3_errcode(s->db), ours = SL_EIO;

	for (size_t i = 0; i < SL_COUNT(map); i++)
		if (map[i].sqlite == (code & 0xff))
			ours = map[i].ours;
	if ((code & 0xff) == SQLITE_IOERR && sqlite3_system_errno(s->db) == ENOSPC)
		ours = SL_ENOSPC;
	return err_set(err, ours, "store: %s: %s", doing, sqlite3_errmsg(s->db));
}

sqlite3_stmt *store_prepare(struct store *s, const char *sql, const char *types, ...)
{
	sqlite3_stmt *st = NULL;
	const char *text;
	va_list ap;

	if (sqlite3_prepare_v2(s->db, sql, -1, &st, NULL) != SQLITE_OK)
		return NULL;
	va_start(ap, types);
	for (int i = 0; types[i]; i++)
		switch (types[i]) {
		case 't':
			text = va_arg(ap, const char *);
			(void)sqlite3_bind_text(st, i + 1, text, -1, SQLITE_TRANSIENT);
			break;
		case 'i':
			(void)sqlite3_bind_int64(st, i + 1, (sqlite3_int64)va_arg(ap, uint64_t));
			break;
		default:
			(void)sqlite3_bind_blob(
				st, i + 1, va_arg(ap, const void *), STORE_SEAL, SQLITE_TRANSIENT);
		}
	va_end(ap);
	return st;
}

int store_run(struct store *s, sqlite3_stmt *st, const char *doing, struct errbuf *err)
{
	int step = st ? sqlite3_step(st) : SQLITE_ERROR;
	int rc = step == SQLITE_DONE || step == SQLITE_ROW ? 0 : store_error(s, err, doing);

	(void)sqlite3_finalize(st);
	return rc;
}

const char *store_text(sqlite3_stmt *st, int column)
{
	const unsigned char *p = sqlite3_column_text(st, column);

	return p ? (const char *)p : "";
}

static int execute(struct store *s, const char *sql, struct errbuf *err)
{
	return sqlite3_exec(s->db, sql, NULL, NULL, NULL) == SQLITE_OK ? 0
								       : store_error(s, err, sql);
}

static int version_of(struct store *s, int *ret, struct errbuf *err)
{
	sqlite3_stmt *st = store_prepare(s, "PRAGMA user_version", "");
	int rc = 0;

	if (st && sqlite3_step(st) == SQLITE_ROW)
		*ret = sqlite3_column_int(st, 0);
	else
		rc = store_error(s, err, "reading the version");
	(void)sqlite3_finalize(st);
	return rc;
}

static int migrate(struct store *s, struct errbuf *err)
{
	int have = 0, rc = version_of(s, &have, err);
	char pragma[64];

	if (!rc && have > STORE_VERSION)
		rc = err_set(err, SL_EVERSION, "store: schema %d, this program knows %d", have,
			STORE_VERSION);
	for (size_t i = 0; !rc && i < SL_COUNT(steps); i++) {
		if (steps[i].version <= have)
			continue;
		(void)snprintf(
			pragma, sizeof(pragma), "PRAGMA user_version = %d", steps[i].version);
		rc = execute(s, "BEGIN IMMEDIATE", err);
		if (!rc)
			rc = execute(s, steps[i].sql, err);
		if (!rc)
			rc = execute(s, pragma, err);
		if (!rc)
			rc = execute(s, "COMMIT", err);
	}
	return rc;
}

static int read_stamp(struct store *s, struct errbuf *err)
{
	sqlite3_stmt *st = store_prepare(s,
		"SELECT (SELECT v FROM meta WHERE k='epoch'),"
		" (SELECT v FROM meta WHERE k='generation')",
		"");
	int rc = 0;

	if (st && sqlite3_step(st) == SQLITE_ROW)
		s->stamp = (struct store_stamp){(uint64_t)sqlite3_column_int64(st, 0),
			(uint64_t)sqlite3_column_int64(st, 1)};
	else
		rc = store_error(s, err, "reading the stamp");
	(void)sqlite3_finalize(st);
	return rc;
}

/* The file is ours alone to read: it holds token digests and reasons of people. */
static int touch(const char *path, struct errbuf *err)
{
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	if (fd < 0)
		return err_set_errno(err, "%s", path);
	(void)close(fd);
	return 0;
}

int store_open(const char *path, const char *key_path, struct store **ret_store, struct errbuf *err)
{
	struct store *s = calloc(1, sizeof(*s));
	int rc = s ? touch(path, err) : err_set(err, SL_ENOMEM, "out of memory");

	if (!rc && sqlite3_open_v2(path, &s->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX,
			   NULL) != SQLITE_OK)
		rc = store_error(s, err, path);
	if (!rc) {
		(void)sqlite3_busy_timeout(s->db, STORE_BUSY_MS);
		rc = execute(s,
			"PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
			"PRAGMA foreign_keys = ON; PRAGMA trusted_schema = OFF;"
			"PRAGMA journal_size_limit = 16777216",
			err);
	}
	if (!rc)
		rc = migrate(s, err);
	if (!rc)
		rc = read_stamp(s, err);
	if (!rc)
		rc = store_audit_open(s, key_path, err);
	if (rc) {
		store_close(s);
		return rc;
	}
	*ret_store = s;
	return 0;
}

void store_close(struct store *s)
{
	if (!s)
		return;
	(void)sqlite3_close_v2(s->db);
	free(s);
}

struct store_stamp store_stamp(const struct store *s)
{
	return s->stamp;
}

int store_begin(struct store *s, struct errbuf *err)
{
	int rc = execute(s, "BEGIN IMMEDIATE", err);

	s->stuck |= rc != 0;
	if (rc)
		return rc;
	s->audited = false;
	rc = read_stamp(s, err); /* another process may have written */
	if (!rc)
		rc = execute(s, "SAVEPOINT command", err);
	if (rc)
		(void)store_commit(s, NULL);
	return rc;
}

void store_undo(struct store *s)
{
	(void)execute(s, "ROLLBACK TO command", NULL);
	(void)read_stamp(s, NULL);
}

int store_commit(struct store *s, struct errbuf *err)
{
	int rc = execute(s, "COMMIT", err);

	if (rc) {
		(void)sqlite3_exec(s->db, "ROLLBACK", NULL, NULL, NULL);
		(void)read_stamp(s, NULL);
	}
	s->stuck = rc != 0;
	if (!rc && s->audited)
		store_audit_note(s);
	return rc;
}

bool store_stuck(const struct store *s)
{
	return s->stuck;
}

int store_read_value(struct store *s, const char *key, char **ret_value, struct errbuf *err)
{
	sqlite3_stmt *st = store_prepare(s, "SELECT value FROM state WHERE key = ?", "t", key);
	int step = st ? sqlite3_step(st) : SQLITE_ERROR, rc = 0;
	char *value = step == SQLITE_ROW ? strdup(store_text(st, 0)) : NULL;

	if (step != SQLITE_ROW && step != SQLITE_DONE)
		rc = store_error(s, err, "reading a key");
	else if (step == SQLITE_ROW && !value)
		rc = err_set(err, SL_ENOMEM, "out of memory");
	(void)sqlite3_finalize(st);
	if (!rc)
		*ret_value = value;
	return rc;
}

char *store_get(struct store *s, const char *key)
{
	char *value = NULL;

	(void)store_read_value(s, key, &value, NULL);
	return value;
}

int store_each(struct store *s, const char *prefix, store_each_fn *fn, void *ctx)
{
	sqlite3_stmt *st = store_prepare(s,
		"SELECT key, value FROM state WHERE key >= ?1 AND key < ?1 || char(1114111)"
		" ORDER BY key",
		"t", prefix);
	int step = SQLITE_ERROR;

	while (st && (step = sqlite3_step(st)) == SQLITE_ROW)
		fn(ctx, store_text(st, 0), store_text(st, 1));
	(void)sqlite3_finalize(st);
	return step == SQLITE_DONE ? 0 : store_error(s, NULL, "reading");
}
