/* SPDX-License-Identifier: Apache-2.0 */
#include "store/rollup.h"

#include "base/attr.h"

#include <sqlite3.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define X(name) +1
enum { COUNTS = 0 ROLLUP_COUNTS_MAP(X), LAYOUT = 1 };
#undef X

_Static_assert(sizeof(struct rollup_counts) == COUNTS * sizeof(uint64_t), "all of one size");

enum statement { ADD, LOG, NAME, NEW_NAME, STATEMENTS };

struct rollup {
	sqlite3 *db;
	sqlite3_stmt *st[STATEMENTS];
};

#define X(name) "," #name " INTEGER NOT NULL"
static const char schema[] =
	"CREATE TABLE name(id INTEGER PRIMARY KEY, text TEXT NOT NULL UNIQUE,"
	" used_ms INTEGER NOT NULL);"
	"CREATE TABLE cell(span INTEGER NOT NULL, time_ms INTEGER NOT NULL, kind INTEGER NOT NULL,"
	" vendor INTEGER NOT NULL, name INTEGER NOT NULL" ROLLUP_COUNTS_MAP(
		X) ", PRIMARY KEY(span, time_ms, kind, vendor, name)) WITHOUT ROWID;"
		   "CREATE TABLE last(one INTEGER PRIMARY KEY CHECK(one = 1), minute_ms INTEGER);"
		   "INSERT INTO last VALUES(1, 0);"
		   "PRAGMA user_version = 1;";
#undef X

#define SUM(name) "," #name "=" #name "+excluded." #name
static const char add_sql[] =
	"INSERT INTO cell VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?) ON CONFLICT DO UPDATE SET"
	" p95_us=max(p95_us,excluded.p95_us)" SUM(minutes) SUM(pulls) SUM(pulls_ok) SUM(frames)
		SUM(frames_us) SUM(users) SUM(stalled) SUM(sessions) SUM(kbps) SUM(log_octets)
			SUM(log_requests) SUM(log_errors) SUM(log_slow);
static const char log_sql[] =
	"SELECT log_octets, log_requests, log_errors, log_slow FROM cell WHERE span=0 AND"
	" time_ms=? AND kind=0 AND vendor=? AND name=?";
static const char *const sql[STATEMENTS] = {
	add_sql,
	log_sql,
	"UPDATE name SET used_ms=max(used_ms,?2) WHERE text=?1 RETURNING id",
	"INSERT INTO name(text, used_ms) VALUES(?1, ?2) RETURNING id",
};
#undef SUM

/* The error of the last call as one of ours. SQLITE_ERROR is of tables that are not ours. */
static int failed(struct rollup *r, const char *doing, struct errbuf *err)
{
	int code = sqlite3_errcode(r->db) & 0xff, ours = SL_EIO;

	if (code == SQLITE_ERROR || code == SQLITE_CORRUPT || code == SQLITE_NOTADB)
		ours = SL_EFORMAT;
	else if (code == SQLITE_BUSY || code == SQLITE_LOCKED)
		ours = SL_EBUSY;
	else if (code == SQLITE_FULL)
		ours = SL_ENOSPC;
	return err_set(
		err, ours, "rollups: %s: %s", doing, r->db ? sqlite3_errmsg(r->db) : "no memory");
}

static int execute(struct rollup *r, const char *text, struct errbuf *err)
{
	return sqlite3_exec(r->db, text, NULL, NULL, NULL) == SQLITE_OK ? 0 : failed(r, text, err);
}

static int number(struct rollup *r, const char *text, int64_t *ret, struct errbuf *err)
{
	sqlite3_stmt *st = NULL;
	int rc = 0;

	if (sqlite3_prepare_v2(r->db, text, -1, &st, NULL) == SQLITE_OK &&
		sqlite3_step(st) == SQLITE_ROW)
		*ret = sqlite3_column_int64(st, 0);
	else
		rc = failed(r, text, err);
	(void)sqlite3_finalize(st);
	return rc;
}

static void close_db(struct rollup *r)
{
	for (int i = 0; i < STATEMENTS; i++) {
		(void)sqlite3_finalize(r->st[i]);
		r->st[i] = NULL;
	}
	(void)sqlite3_close(r->db);
	r->db = NULL;
}

static int open_db(struct rollup *r, const char *path, struct errbuf *err)
{
	int64_t version = 0;
	int rc;

	if (sqlite3_open_v2(path, &r->db,
		    SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX,
		    NULL) != SQLITE_OK)
		return failed(r, path, err);
	rc = execute(r,
		"PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF;"
		"PRAGMA trusted_schema = OFF; PRAGMA journal_size_limit = 16777216",
		err);
	if (!rc)
		rc = number(r, "PRAGMA user_version", &version, err);
	if (!rc && version == 0)
		rc = execute(r, schema, err);
	else if (!rc && version != LAYOUT)
		rc = err_set(err, SL_EVERSION, "rollups: version %d", (int)version);
	for (int i = 0; !rc && i < STATEMENTS; i++)
		if (sqlite3_prepare_v3(r->db, sql[i], -1, SQLITE_PREPARE_PERSISTENT, &r->st[i],
			    NULL) != SQLITE_OK)
			rc = failed(r, "preparing", err);
	return rc;
}

static void remove_db(const char *path)
{
	static const char *const ends[] = {"", "-wal", "-shm"};
	char name[1100];

	for (size_t i = 0; i < SL_COUNT(ends); i++) {
		(void)snprintf(name, sizeof(name), "%.1024s%s", path, ends[i]);
		(void)unlink(name);
	}
}

int rollup_open(const char *path, struct rollup **ret_rollup, struct errbuf *err)
{
	struct rollup *r = calloc(1, sizeof(*r));
	int rc = r ? open_db(r, path, err) : err_set(err, SL_ENOMEM, "rollups: out of memory");

	/* no other error: what is locked, or on a full disk, is as good as it was */
	if (r && (rc == SL_EFORMAT || rc == SL_EVERSION)) {
		close_db(r);
		remove_db(path);
		rc = open_db(r, path, err);
	}
	if (rc) {
		rollup_close(r);
		return rc;
	}
	*ret_rollup = r;
	return 0;
}

void rollup_close(struct rollup *r)
{
	if (!r)
		return;
	close_db(r);
	free(r);
}

uint64_t rollup_last(struct rollup *r)
{
	int64_t v = 0;

	return number(r, "SELECT minute_ms FROM last", &v, NULL) == 0 && v > 0 ? (uint64_t)v : 0;
}

int rollup_begin(struct rollup *r, struct errbuf *err)
{
	return execute(r, "BEGIN IMMEDIATE", err);
}

void rollup_undo(struct rollup *r)
{
	(void)sqlite3_exec(r->db, "ROLLBACK", NULL, NULL, NULL);
}

/* Forgets what is too old; names that have not been used for as long go with it. */
int rollup_commit(struct rollup *r, uint64_t minute_ms, struct errbuf *err)
{
	char text[400];
	uint64_t day_ms =
		minute_ms > ROLLUP_MINUTES_KEPT_MS ? minute_ms - ROLLUP_MINUTES_KEPT_MS : 0;
	uint64_t month_ms = minute_ms > ROLLUP_HOURS_KEPT_MS ? minute_ms - ROLLUP_HOURS_KEPT_MS : 0;
	int rc;

	(void)snprintf(text, sizeof(text),
		"UPDATE last SET minute_ms=%llu;"
		"DELETE FROM cell WHERE span=0 AND time_ms<%llu;"
		"DELETE FROM cell WHERE span=1 AND time_ms<%llu;"
		"DELETE FROM name WHERE used_ms<%llu;COMMIT",
		(unsigned long long)minute_ms, (unsigned long long)day_ms,
		(unsigned long long)month_ms,
		(unsigned long long)(month_ms > ROLLUP_HOUR_MS ? month_ms - ROLLUP_HOUR_MS : 0));
	rc = execute(r, text, err);
	if (rc)
		rollup_undo(r);
	return rc;
}

/* Id of a name, made if there was none; 0 on an error. */
static int64_t name_id(struct rollup *r, const char *text, uint64_t used_ms)
{
	static const enum statement tries[] = {NAME, NEW_NAME};
	int64_t id = 0;

	for (size_t i = 0; i < SL_COUNT(tries) && !id; i++) {
		sqlite3_stmt *st = r->st[tries[i]];

		(void)sqlite3_bind_text(st, 1, text, -1, SQLITE_STATIC);
		(void)sqlite3_bind_int64(st, 2, (int64_t)used_ms);
		if (sqlite3_step(st) == SQLITE_ROW)
			id = sqlite3_column_int64(st, 0);
		(void)sqlite3_reset(st);
	}
	return id;
}

struct key {
	uint64_t minute_ms;
	int kind;
	int64_t vendor, name;
};

static bool add_to(
	struct rollup *r, enum rollup_span span, const struct key *k, const struct rollup_counts *c)
{
	uint64_t unit = span == ROLLUP_HOUR ? ROLLUP_HOUR_MS : ROLLUP_MINUTE_MS, v[COUNTS];
	sqlite3_stmt *st = r->st[ADD];
	bool done;

	memcpy(v, c, sizeof(v));
	(void)sqlite3_bind_int(st, 1, span);
	(void)sqlite3_bind_int64(st, 2, (int64_t)(k->minute_ms / unit * unit));
	(void)sqlite3_bind_int(st, 3, k->kind);
	(void)sqlite3_bind_int64(st, 4, k->vendor);
	(void)sqlite3_bind_int64(st, 5, k->name);
	for (int i = 0; i < COUNTS; i++)
		(void)sqlite3_bind_int64(st, 6 + i, (int64_t)v[i]);
	done = sqlite3_step(st) == SQLITE_DONE;
	(void)sqlite3_reset(st);
	return done;
}

static int put(
	struct rollup *r, const struct key *k, const struct rollup_counts *c, struct errbuf *err)
{
	if (!k->vendor || !k->name || !add_to(r, ROLLUP_MINUTE, k, c) ||
		!add_to(r, ROLLUP_HOUR, k, c))
		return failed(r, "keeping a row", err);
	return 0;
}

int rollup_put(struct rollup *r, uint64_t minute_ms, enum rollup_kind kind, const char *vendor,
	const char *name, const struct rollup_counts *c, struct errbuf *err)
{
	struct key k = {
		minute_ms, (int)kind, name_id(r, vendor, minute_ms), name_id(r, name, minute_ms)};

	return put(r, &k, c, err);
}

static uint64_t more(sqlite3_stmt *st, int column, uint64_t now)
{
	uint64_t was = (uint64_t)sqlite3_column_int64(st, column);

	return now > was ? now - was : 0;
}

int rollup_put_log(struct rollup *r, uint64_t minute_ms, const char *vendor, const char *group,
	const struct rollup_counts *c, struct errbuf *err)
{
	struct key k = {minute_ms, ROLLUP_GROUP, name_id(r, vendor, minute_ms),
		name_id(r, group, minute_ms)};
	struct rollup_counts news = {.log_octets = c->log_octets,
		.log_requests = c->log_requests,
		.log_errors = c->log_errors,
		.log_slow = c->log_slow};
	sqlite3_stmt *st = r->st[LOG];

	(void)sqlite3_bind_int64(st, 1, (int64_t)minute_ms);
	(void)sqlite3_bind_int64(st, 2, k.vendor);
	(void)sqlite3_bind_int64(st, 3, k.name);
	if (sqlite3_step(st) == SQLITE_ROW) {
		news.log_octets = more(st, 0, c->log_octets);
		news.log_requests = more(st, 1, c->log_requests);
		news.log_errors = more(st, 2, c->log_errors);
		news.log_slow = more(st, 3, c->log_slow);
	}
	(void)sqlite3_reset(st);
	return news.log_requests ? put(r, &k, &news, err) : 0;
}

void rollup_add(struct rollup_counts *to, const struct rollup_counts *c)
{
	uint64_t largest = SL_MAX(to->p95_us, c->p95_us);

#define X(name) to->name += c->name;
	ROLLUP_COUNTS_MAP(X)
#undef X
	to->p95_us = largest;
}

static const char *text_of(sqlite3_stmt *st, int column)
{
	const unsigned char *p = sqlite3_column_text(st, column);

	return p ? (const char *)p : "";
}

int rollup_each(struct rollup *r, enum rollup_span span, enum rollup_kind kind, uint64_t from_ms,
	uint64_t to_ms, rollup_fn *fn, void *ctx)
{
#define X(name) ", c." #name
	static const char query[] = "SELECT c.time_ms, v.text, n.text" ROLLUP_COUNTS_MAP(
		X) " FROM cell c JOIN name v "
		   "ON v.id=c.vendor JOIN name n ON n.id=c.name WHERE c.span=?1 AND c.kind=?2 AND "
		   "c.time_ms BETWEEN ?3 AND ?4 ORDER BY c.time_ms, v.text, n.text";
#undef X
	sqlite3_stmt *st = NULL;
	int step = SQLITE_ERROR;

	if (sqlite3_prepare_v2(r->db, query, -1, &st, NULL) == SQLITE_OK) {
		(void)sqlite3_bind_int(st, 1, (int)span);
		(void)sqlite3_bind_int(st, 2, (int)kind);
		(void)sqlite3_bind_int64(st, 3, (int64_t)from_ms);
		(void)sqlite3_bind_int64(st, 4, (int64_t)SL_MIN(to_ms, (uint64_t)INT64_MAX));
	}
	while (st && (step = sqlite3_step(st)) == SQLITE_ROW) {
		struct rollup_counts c;
		uint64_t v[COUNTS];

		for (int i = 0; i < COUNTS; i++)
			v[i] = (uint64_t)sqlite3_column_int64(st, 3 + i);
		memcpy(&c, v, sizeof(c));
		fn(ctx, (uint64_t)sqlite3_column_int64(st, 0), text_of(st, 1), text_of(st, 2), &c);
	}
	(void)sqlite3_finalize(st);
	return step == SQLITE_DONE ? 0 : failed(r, "reading", NULL);
}
