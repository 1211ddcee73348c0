/* SPDX-License-Identifier: Apache-2.0 */
/* Changes of the state: made once, checked against newer ones, kept with before and after. */
#include "base/os.h"
#include "store/list.h"
#include "store/store_int.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* A change that was made before under this id. */
static bool made_before(struct store *s, const char *id, struct store_result *ret)
{
	sqlite3_stmt *st =
		store_prepare(s, "SELECT n, epoch, generation FROM change WHERE id = ?", "t", id);
	bool found = st && sqlite3_step(st) == SQLITE_ROW;

	if (found)
		*ret = (struct store_result){.number = (uint64_t)sqlite3_column_int64(st, 0),
			.stamp = {(uint64_t)sqlite3_column_int64(st, 1),
				(uint64_t)sqlite3_column_int64(st, 2)},
			.repeated = true};
	(void)sqlite3_finalize(st);
	return found;
}

/* A key that was taken away has its last change in the items only, so those are asked. */
static int check_newer(
	struct store *s, const struct store_author *a, const char *key, struct errbuf *err)
{
	sqlite3_stmt *st;
	int step, rc = 0;

	if (!a->base)
		return 0;
	st = store_prepare(s,
		"SELECT c.epoch, c.generation, c.who FROM item i JOIN change c ON c.n = i.n"
		" WHERE i.key = ? AND (c.epoch, c.generation) > (?, ?) ORDER BY i.n DESC LIMIT 1",
		"tii", key, a->base->epoch, a->base->generation);
	step = st ? sqlite3_step(st) : SQLITE_ERROR;
	if (step == SQLITE_ROW)
		rc = err_set(err, SL_ESTALE,
			"%s was changed by %s in %lld.%lld, after the %" PRIu64 ".%" PRIu64
			" this change was made for",
			key, store_text(st, 2), (long long)sqlite3_column_int64(st, 0),
			(long long)sqlite3_column_int64(st, 1), a->base->epoch,
			a->base->generation);
	else if (step != SQLITE_DONE)
		rc = store_error(s, err, "looking for newer changes");
	(void)sqlite3_finalize(st);
	return rc;
}

static bool differs(const char *before, const char *after)
{
	return (before == NULL) != (after == NULL) || (before && strcmp(before, after) != 0);
}

static int put_item(struct store *s, uint64_t number, const struct store_item *item,
	const char *before, struct errbuf *err)
{
	int rc = store_run(s,
		store_prepare(s, "INSERT OR REPLACE INTO item VALUES(?, ?, ?, ?)", "ittt", number,
			item->key, before, item->value),
		"keeping an item", err);

	if (rc)
		return rc;
	if (!item->value)
		return store_run(s,
			store_prepare(s, "DELETE FROM state WHERE key = ?", "t", item->key),
			"taking a key away", err);
	return store_run(s,
		store_prepare(s, "INSERT OR REPLACE INTO state VALUES(?, ?, ?, ?)", "ttii",
			item->key, item->value, s->stamp.epoch, s->stamp.generation),
		"writing a key", err);
}

static int put_change(
	struct store *s, const struct store_author *a, const char *id, struct errbuf *err)
{
	int rc;

	s->stamp.generation++;
	rc = store_run(s,
		store_prepare(s, "UPDATE meta SET v = ? WHERE k = 'generation'", "i",
			s->stamp.generation),
		"counting", err);
	if (rc)
		return rc;
	return store_run(s,
		store_prepare(s,
			"INSERT INTO change(id, time_ms, who, origin, why, command, epoch,"
			" generation) VALUES(?, ?, ?, ?, ?, ?, ?, ?)",
			"titttt"
			"ii",
			id, a->now_ms, a->who, a->origin, a->why ? a->why : "", a->command,
			s->stamp.epoch, s->stamp.generation),
		"keeping a change", err);
}

static int check_item(const struct store_item *item, struct errbuf *err)
{
	if (strlen(item->key) > STORE_MAX_KEY)
		return err_set(err, SL_ELIMIT, "a key of over %d octets", STORE_MAX_KEY);
	if (item->value && strlen(item->value) > STORE_MAX_VALUE)
		return err_set(err, SL_ELIMIT, "a value of over %d octets", STORE_MAX_VALUE);
	return 0;
}

int store_change(struct store *s, const struct store_author *author, const struct store_item *items,
	uint32_t n, struct store_result *ret_result, struct errbuf *err)
{
	struct store_result result = {.stamp = s->stamp};
	char made[40];
	int rc = n > STORE_MAX_ITEMS ? err_set(err, SL_ELIMIT, "over %d keys", STORE_MAX_ITEMS) : 0;

	(void)snprintf(
		made, sizeof(made), "%016" PRIx64 "%016" PRIx64, os_random64(), os_random64());
	if (!rc && author->id && made_before(s, author->id, ret_result))
		return 0;
	for (uint32_t i = 0; !rc && i < n; i++) {
		char *before = NULL;

		rc = check_item(&items[i], err);
		if (!rc)
			rc = check_newer(s, author, items[i].key, err);
		if (!rc)
			rc = store_read_value(s, items[i].key, &before, err);
		if (rc)
			break;
		if (differs(before, items[i].value)) {
			if (result.number == 0) {
				rc = put_change(s, author, author->id ? author->id : made, err);
				result.number = (uint64_t)sqlite3_last_insert_rowid(s->db);
				result.stamp = s->stamp;
			}
			if (!rc)
				rc = put_item(s, result.number, &items[i], before, err);
		}
		free(before);
	}
	if (!rc)
		*ret_result = result;
	return rc;
}

uint64_t store_last(struct store *s)
{
	sqlite3_stmt *st = store_prepare(s, "SELECT max(n) FROM change", "");
	uint64_t n = 0;

	if (st && sqlite3_step(st) == SQLITE_ROW)
		n = (uint64_t)sqlite3_column_int64(st, 0);
	(void)sqlite3_finalize(st);
	return n;
}

int store_history(struct store *s, uint64_t above, uint32_t limit, store_change_fn *fn, void *ctx)
{
	sqlite3_stmt *st = store_prepare(s,
		"SELECT n, id, time_ms, who, origin, why, command, epoch, generation FROM change"
		" WHERE n > ? ORDER BY n DESC LIMIT ?",
		"ii", above, (uint64_t)limit);
	int step = SQLITE_ERROR;

	while (st && (step = sqlite3_step(st)) == SQLITE_ROW) {
		struct store_change_row row = {.number = (uint64_t)sqlite3_column_int64(st, 0),
			.id = store_text(st, 1),
			.time_ms = (uint64_t)sqlite3_column_int64(st, 2),
			.who = store_text(st, 3),
			.origin = store_text(st, 4),
			.why = store_text(st, 5),
			.command = store_text(st, 6),
			.stamp = {(uint64_t)sqlite3_column_int64(st, 7),
				(uint64_t)sqlite3_column_int64(st, 8)}};

		fn(ctx, &row);
	}
	(void)sqlite3_finalize(st);
	return step == SQLITE_DONE ? 0 : store_error(s, NULL, "reading the history");
}

int store_items(struct store *s, uint64_t above, uint64_t upto, store_item_fn *fn, void *ctx)
{
	sqlite3_stmt *st = store_prepare(s,
		"SELECT n, key, before, after FROM item WHERE n > ? AND n <= ? ORDER BY n, key",
		"ii", above, upto);
	int step = SQLITE_ERROR;

	while (st && (step = sqlite3_step(st)) == SQLITE_ROW)
		fn(ctx, (uint64_t)sqlite3_column_int64(st, 0), store_text(st, 1),
			(const char *)sqlite3_column_text(st, 2),
			(const char *)sqlite3_column_text(st, 3));
	(void)sqlite3_finalize(st);
	return step == SQLITE_DONE ? 0 : store_error(s, NULL, "reading items");
}

static bool is_kept(const char *key, const char *const *keep)
{
	for (; *keep; keep++)
		if (strncmp(key, *keep, strlen(*keep)) == 0)
			return true;
	return false;
}

/* What each key was before the changes that are to be undone. */
static void undo_item(void *ctx, const char *key, const char *before)
{
	store_list_add(ctx, key, before);
}

int store_since(struct store *s, uint64_t to, const char *const *keep, store_each_fn *fn, void *ctx)
{
	sqlite3_stmt *st = store_prepare(s,
		"SELECT key, before, min(n) FROM item WHERE n > ? GROUP BY key ORDER BY key", "i",
		to);
	int step = SQLITE_ERROR;

	while (st && (step = sqlite3_step(st)) == SQLITE_ROW)
		if (!is_kept(store_text(st, 0), keep))
			fn(ctx, store_text(st, 0), (const char *)sqlite3_column_text(st, 1));
	(void)sqlite3_finalize(st);
	return step == SQLITE_DONE ? 0 : store_error(s, NULL, "reading items");
}

int store_rollback(struct store *s, const struct store_author *author, uint64_t to,
	const char *const *keep, struct store_result *ret_result, struct errbuf *err)
{
	struct store_list u = {0};
	uint64_t last = store_last(s);
	int rc = 0;

	if (to > last)
		rc = err_set(
			err, SL_ENOENT, "no change %" PRIu64 ", the last is %" PRIu64, to, last);
	if (!rc)
		rc = store_since(s, to, keep, undo_item, &u);
	if (!rc && u.failed)
		rc = err_set(err, SL_ENOMEM, "out of memory");
	if (!rc)
		rc = store_change(s, author, u.item, u.n, ret_result, err);
	store_list_free(&u);
	return rc;
}
