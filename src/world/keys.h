/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The keys of a process: written by control when the configuration is loaded, read and published by
 * the process that needs them. In locked memory, wiped when it is given back.
 */
#pragma once

#include "base/limits.h"
#include "world/blob.h"
#include "world/keys.def"

#define KEYS_ENUM(R, array, FIELDS, min, max) KEYS_##array,
enum keys_array { KEYS(KEYS_ENUM) KEYS_N_ARRAYS };
KEYS(BLOB_STRUCT)

struct keys_view {
	const struct blob_head *head;
	KEYS(BLOB_VIEW_FIELD)
};

extern const struct blob_def keys_def;

/* The secret of this name; {NULL, 0} when there is none. keys may be NULL. */
struct str keys_secret(const struct keys_view *keys, struct str name) SL_PURE;

/* The secret of a key by its index, {NULL, 0} for BLOB_NONE. */
struct str keys_secret_at(const struct keys_view *keys, uint32_t key) SL_NONNULL(1) SL_PURE;

/* The account of this name, or NULL. keys may be NULL. */
const struct keys_account *keys_find_account(const struct keys_view *keys, struct str name) SL_PURE;

/* The secret whose value is the secrets of DNS cookies, end to end, the one that makes them first.
 */
#define KEYS_REPORTS        "reports" /* what collect's blob calls its keys */
#define KEYS_REPORTS_BACKUP "reports backup"
#define KEYS_REPORTS_TEST   "reports test"
#define KEYS_DNS_COOKIE     "dns cookie" /* a name that no configuration can give */

struct keys_file;

const struct keys_view *keys_of(const struct keys_file *f) SL_NONNULL_ALL SL_PURE;

/* Reads and checks DIR/NAME.blob. SL_ENOENT when there is none. Caller frees with keys_close. */
int keys_open(const char *dir, const char *name, struct keys_file **ret_keys, struct errbuf *err)
	SL_NONNULL(1, 2, 3) SL_WUNUSED;

/* The same from a blob in memory, which is copied. */
int keys_copy(const void *blob, size_t size, struct keys_file **ret_keys, struct errbuf *err)
	SL_NONNULL(1, 3) SL_WUNUSED;

/* NULL is fine. */
void keys_close(struct keys_file *f);

struct conf;

/*
 * Reads the secrets of a configuration and writes STATE/keys/answer.blob, with cookies (may be
 * empty) as KEYS_DNS_COOKIE, STATE/keys/control.blob with those of meters only, and
 * STATE/keys/collect.blob with those of reports only (KEYS_REPORTS...). A secret that
 * cannot be read is left out and said in note (empty when all are there): what needs it is closed,
 * nothing else. Returns an error only when a blob could not be written.
 */
int keys_write(const struct conf *conf, struct str cookies, uint64_t now_ms, struct errbuf *note)
	SL_NONNULL(1, 4) SL_WUNUSED;
