/* SPDX-License-Identifier: Apache-2.0 */
/* What is kept by time and forgotten again: samples, the journal of events, five-minute means. */
#include "store/store_int.h"

int store_sample(
	struct store *s, uint64_t now_ms, uint64_t keep_ms, const char *text, struct errbuf *err)
{
	int rc = store_run(s,
		store_prepare(s, "INSERT OR REPLACE INTO sample VALUES(?, ?)", "it", now_ms, text),
		"keeping a sample", err);

	if (rc)
		return rc;
	return store_run(s,
		store_prepare(s, "DELETE FROM sample WHERE time_ms < ?", "i",
			now_ms > keep_ms ? now_ms - keep_ms : 0),
		"forgetting samples", err);
}

int store_samples(struct store *s, uint64_t from_ms, uint64_t to_ms, store_sample_fn *fn, void *ctx)
{
	sqlite3_stmt *st = store_prepare(s,
		"SELECT time_ms, text FROM sample WHERE time_ms BETWEEN ? AND ? ORDER BY time_ms",
		"ii", from_ms, to_ms);
	int step = SQLITE_ERROR;

	while (st && (step = sqlite3_step(st)) == SQLITE_ROW)
		fn(ctx, (uint64_t)sqlite3_column_int64(st, 0), store_text(st, 1));
	(void)sqlite3_finalize(st);
	return step == SQLITE_DONE ? 0 : store_error(s, NULL, "reading samples");
}

int store_event(
	struct store *s, const struct store_event_row *row, uint64_t keep_ms, struct errbuf *err)
{
	uint64_t before = row->time_ms > keep_ms ? row->time_ms - keep_ms : 0;
	int rc = store_run(s,
		store_prepare(s, "INSERT INTO event(time_ms, kind, text) VALUES(?, ?, ?)", "itt",
			row->time_ms, row->kind, row->text),
		"keeping an event", err);

	if (rc)
		return rc;
	return store_run(s, store_prepare(s, "DELETE FROM event WHERE time_ms < ?", "i", before),
		"forgetting events", err);
}

int store_events(struct store *s, uint64_t from_ms, uint64_t to_ms, store_event_fn *fn, void *ctx)
{
	sqlite3_stmt *st = store_prepare(s,
		"SELECT time_ms, kind, text FROM event WHERE time_ms BETWEEN ? AND ? ORDER BY n",
		"ii", from_ms, to_ms);
	int step = SQLITE_ERROR;

	while (st && (step = sqlite3_step(st)) == SQLITE_ROW) {
		const struct store_event_row row = {(uint64_t)sqlite3_column_int64(st, 0),
			store_text(st, 1), store_text(st, 2)};

		fn(ctx, &row);
	}
	(void)sqlite3_finalize(st);
	return step == SQLITE_DONE ? 0 : store_error(s, NULL, "reading events");
}

int store_mean(
	struct store *s, const struct store_mean_row *row, uint64_t keep_ms, struct errbuf *err)
{
	uint64_t before = row->start_ms > keep_ms ? row->start_ms - keep_ms : 0;
	int rc = store_run(s,
		store_prepare(s, "INSERT OR REPLACE INTO mean VALUES(?, ?, ?)", "tii", row->vendor,
			row->start_ms, row->kbps),
		"keeping a mean", err);

	if (rc)
		return rc;
	return store_run(s,
		store_prepare(s, "DELETE FROM mean WHERE vendor = ? AND start_ms < ?", "ti",
			row->vendor, before),
		"forgetting means", err);
}

int store_means(struct store *s, uint64_t from_ms, uint64_t to_ms, store_mean_fn *fn, void *ctx)
{
	sqlite3_stmt *st = store_prepare(s,
		"SELECT vendor, start_ms, kbps FROM mean WHERE start_ms >= ? AND start_ms < ?"
		" ORDER BY vendor, start_ms",
		"ii", from_ms, to_ms);
	int step = SQLITE_ERROR;

	while (st && (step = sqlite3_step(st)) == SQLITE_ROW) {
		const struct store_mean_row row = {store_text(st, 0),
			(uint64_t)sqlite3_column_int64(st, 1),
			(uint64_t)sqlite3_column_int64(st, 2)};

		fn(ctx, &row);
	}
	(void)sqlite3_finalize(st);
	return step == SQLITE_DONE ? 0 : store_error(s, NULL, "reading means");
}
