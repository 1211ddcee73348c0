/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Operator state that must not be lost: what operators decided, as texts by key, every change of
 * it, and the audit log. One SQLite file (WAL, synchronous FULL): what has been committed survives
 * kill -9 and power. Knows nothing of what the values mean.
 *
 * A store belongs to one thread. A second process may open the same file (offline rollback): writes
 * are serialised by SQLite, and each is checked against what the writer had seen.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"

enum {
	STORE_VERSION = 2,         /* of the schema */
	STORE_BUSY_MS = 500,       /* how long a write waits for another writer */
	STORE_MAX_KEY = 512,       /* octets of a key */
	STORE_MAX_VALUE = 1 << 20, /* octets of a value */
	STORE_MAX_ITEMS = 100000,  /* keys in one change */
};

struct store;

/* Order of states: a rollback is a new generation with old values. */
struct store_stamp {
	uint64_t epoch, generation;
};

/*
 * Opens the file, made if absent; older schemas are brought up to date. key_path: file of the audit
 * log's own key, made if absent (mode 0600). SL_EFORMAT: the file is damaged; SL_EVERSION: it is of
 * a newer program. Caller closes.
 */
int store_open(const char *path, const char *key_path, struct store **ret_store, struct errbuf *err)
	SL_NONNULL(1, 2, 3) SL_WUNUSED;
void store_close(struct store *s);

/* The stamp of the last change. */
struct store_stamp store_stamp(const struct store *s) SL_NONNULL_ALL;

/* --- one transaction per call of the admin API ----------------------------------------------- */

/* Begins; SL_EBUSY when another process writes for longer than STORE_BUSY_MS. */
int store_begin(struct store *s, struct errbuf *err) SL_NONNULL(1);

/* Undoes the changes since store_begin, keeps the transaction open for the audit row. */
void store_undo(struct store *s) SL_NONNULL_ALL;

/* On disk when it returns 0. On an error (SL_ENOSPC: disk full) nothing of it has happened. */
int store_commit(struct store *s, struct errbuf *err) SL_NONNULL(1);

/* Whether the last transaction could not begin or not be kept: locked, or full. */
bool store_stuck(const struct store *s) SL_NONNULL_ALL SL_PURE;

/* --- state ------------------------------------------------------------------------------------ */

/* The value of a key, malloc'd, NULL where there is none. Caller frees. */
char *store_get(struct store *s, const char *key) SL_NONNULL_ALL;

typedef void store_each_fn(void *ctx, const char *key, const char *value);

/* Every key that begins with prefix, in order. Must not write. */
int store_each(struct store *s, const char *prefix, store_each_fn *fn, void *ctx)
	SL_NONNULL(1, 2, 3);

struct store_item {
	const char *key, *value; /* value NULL: the key is taken away */
};

/* Who changes what, and from where. */
struct store_author {
	const char *id; /* a change of this id is made once; NULL: one is made up */
	const char *who, *origin, *why, *command;
	uint64_t now_ms;                /* unix */
	const struct store_stamp *base; /* what the author had seen; NULL: whatever is there */
};

struct store_result {
	uint64_t number; /* of the change */
	struct store_stamp stamp;
	bool repeated; /* this id had been used: nothing was done again */
};

/*
 * Changes keys together, within a transaction. SL_ESTALE when one of them has changed since
 * author->base: an older plan never replaces a newer one. Items that change nothing are left out; a
 * change without any is 0 with number 0.
 */
int store_change(struct store *s, const struct store_author *author, const struct store_item *items,
	uint32_t n, struct store_result *ret_result, struct errbuf *err) SL_NONNULL(1, 2, 5);

/* --- history ---------------------------------------------------------------------------------- */

struct store_change_row {
	uint64_t number, time_ms;
	struct store_stamp stamp;
	const char *id, *who, *origin, *why, *command;
};

/* before or after NULL: the key was not there. */
typedef void store_item_fn(
	void *ctx, uint64_t number, const char *key, const char *before, const char *after);
typedef void store_change_fn(void *ctx, const struct store_change_row *row);

/* The changes above a number, newest first, at most limit. */
int store_history(struct store *s, uint64_t above, uint32_t limit, store_change_fn *fn, void *ctx)
	SL_NONNULL(1, 4);

/* Items of the changes in (above, upto], in the order in which they were made. */
int store_items(struct store *s, uint64_t above, uint64_t upto, store_item_fn *fn, void *ctx)
	SL_NONNULL(1, 4);

/* The number of the last change, 0 for none. */
uint64_t store_last(struct store *s) SL_NONNULL_ALL;

/* Every key that changed after change `to`, in order, with what it was then (NULL: it was not
 * there). Keys that begin with one of keep (NULL-terminated) are left out. Must not write. */
int store_since(struct store *s, uint64_t to, const char *const *keep, store_each_fn *fn, void *ctx)
	SL_NONNULL(1, 3, 4);

/*
 * Makes the keys what they were after change `to` (0: before the first), as one new change. Keys
 * that begin with one of keep (NULL-terminated) stay.
 */
int store_rollback(struct store *s, const struct store_author *author, uint64_t to,
	const char *const *keep, struct store_result *ret_result, struct errbuf *err)
	SL_NONNULL(1, 2, 4, 5);

/* --- samples: one a minute, for reports of an event ------------------------------------------ */

/* Keeps a text for a time and forgets what is older than keep_ms. */
int store_sample(struct store *s, uint64_t now_ms, uint64_t keep_ms, const char *text,
	struct errbuf *err) SL_NONNULL(1, 4);
typedef void store_sample_fn(void *ctx, uint64_t time_ms, const char *text);
int store_samples(struct store *s, uint64_t from_ms, uint64_t to_ms, store_sample_fn *fn, void *ctx)
	SL_NONNULL(1, 4);

/* --- the journal of events, and means of five minutes; written within a transaction ---------- */

struct store_event_row {
	uint64_t time_ms;        /* unix */
	const char *kind, *text; /* alert, breaker, plan, ...; one line */
};

/* Appends, and forgets what is more than keep_ms older. */
int store_event(struct store *s, const struct store_event_row *row, uint64_t keep_ms,
	struct errbuf *err) SL_NONNULL(1, 2);
typedef void store_event_fn(void *ctx, const struct store_event_row *row);

/* Those in [from, to], in the order in which they came. */
int store_events(struct store *s, uint64_t from_ms, uint64_t to_ms, store_event_fn *fn, void *ctx)
	SL_NONNULL(1, 4);

struct store_mean_row {
	const char *vendor;
	uint64_t start_ms, kbps; /* of the five minutes */
};
int store_mean(struct store *s, const struct store_mean_row *row, uint64_t keep_ms,
	struct errbuf *err) SL_NONNULL(1, 2);
typedef void store_mean_fn(void *ctx, const struct store_mean_row *row);

/* Those that begin in [from, to), by vendor and time. */
int store_means(struct store *s, uint64_t from_ms, uint64_t to_ms, store_mean_fn *fn, void *ctx)
	SL_NONNULL(1, 4);

/* --- audit: rows are only ever appended, each sealed with the one before --------------------- */

struct store_audit_row {
	uint64_t number, time_ms;
	const char *who, *origin, *role, *command, *args, *result;
};

/* Appends, within a transaction. number is given by the store. */
int store_audit(struct store *s, const struct store_audit_row *row, struct errbuf *err)
	SL_NONNULL(1, 2);

typedef void store_audit_fn(void *ctx, const struct store_audit_row *row);

/* Newest first, at most limit. */
int store_audit_each(struct store *s, uint32_t limit, store_audit_fn *fn, void *ctx)
	SL_NONNULL(1, 3);

/*
 * Checks every seal. 0, or SL_ECHECKSUM with the first row that was changed, taken out or put in,
 * or the missing end: the number and seal of the last row are also kept beside the key.
 */
int store_audit_verify(struct store *s, uint64_t *ret_rows, struct errbuf *err) SL_NONNULL(1, 2);
