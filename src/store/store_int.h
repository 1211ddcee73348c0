/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of src/store share. */
#pragma once

#include <sqlite3.h>

#include "base/limits.h"
#include "store/store.h"

enum { STORE_SEAL = 32 };

struct store {
	sqlite3 *db;
	char head_path[SL_MAX_PATH + 8]; /* last audit row's number and seal */
	uint8_t key[STORE_SEAL];
	struct store_stamp stamp;
	bool stuck; /* the last transaction could not begin or not be kept */
	bool audited;
	uint64_t audit_number;
	uint8_t audit_seal[STORE_SEAL]; /* of row audit_number, within the transaction */
};

/* The error of the last call as one of ours, with text. */
int store_error(struct store *s, struct errbuf *err, const char *doing) SL_NONNULL(1, 3);

/* A statement with its parameters bound: "t" text (NULL allowed), "i" uint64_t, "b" 32 octets. */
sqlite3_stmt *store_prepare(struct store *s, const char *sql, const char *types, ...)
	SL_NONNULL(1, 2, 3);

/* Runs a statement that gives no rows, and ends it. NULL is an error too. */
int store_run(struct store *s, sqlite3_stmt *st, const char *doing, struct errbuf *err)
	SL_NONNULL(1, 3);

/* A column as text; "" for NULL. Valid until the next step. */
const char *store_text(sqlite3_stmt *st, int column) SL_NONNULL_ALL;

/* As store_get, with what went wrong; NULL with 0 where there is none. */
int store_read_value(struct store *s, const char *key, char **ret_value, struct errbuf *err)
	SL_NONNULL(1, 2, 3);

int store_audit_open(struct store *s, const char *key_path, struct errbuf *err) SL_NONNULL(1, 2);

/* After a commit: says beside the key what the last row is. */
void store_audit_note(struct store *s) SL_NONNULL_ALL;
