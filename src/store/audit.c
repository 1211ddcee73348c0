/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The audit log. The seal of a row is HMAC-SHA256 under the log's own key over the seal of the row
 * before and every field with its length, so a row cannot be changed, taken out, put in or moved
 * without the key. What is cut off the end is seen by the head: number and seal of the last row,
 * kept in a file beside the key.
 */
#define SL_ALLOW_CLOCK /* a parameter in gnutls.h has the name of a poisoned generator */
#include "base/os.h"
#include "store/store_int.h"

#include <gnutls/crypto.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static void add(gnutls_hmac_hd_t h, const void *p, size_t n)
{
	uint64_t size = n;

	(void)gnutls_hmac(h, &size, sizeof(size));
	(void)gnutls_hmac(h, p, n);
}

static void add_text(gnutls_hmac_hd_t h, const char *s)
{
	add(h, s, strlen(s));
}

static int seal(const struct store *s, const uint8_t *previous, const struct store_audit_row *row,
	uint8_t ret[static STORE_SEAL])
{
	gnutls_hmac_hd_t h;

	if (gnutls_hmac_init(&h, GNUTLS_MAC_SHA256, s->key, sizeof(s->key)) < 0)
		return SL_ENOMEM;
	add(h, previous, STORE_SEAL);
	add(h, &row->number, sizeof(row->number));
	add(h, &row->time_ms, sizeof(row->time_ms));
	add_text(h, row->who);
	add_text(h, row->origin);
	add_text(h, row->role);
	add_text(h, row->command);
	add_text(h, row->args);
	add_text(h, row->result);
	gnutls_hmac_deinit(h, ret);
	return 0;
}

static void put_hex(const uint8_t *v, char *ret)
{
	for (size_t i = 0; i < STORE_SEAL; i++)
		(void)snprintf(ret + 2 * i, 3, "%02x", v[i]);
}

static int read_key(struct store *s, const char *path, struct errbuf *err)
{
	char *data = NULL;
	size_t n = 0;
	int rc = os_read_file(path, 4096, &data, &n, err);

	if (rc == SL_ENOENT) {
		os_random(s->key, sizeof(s->key));
		return os_write_file(path, s->key, sizeof(s->key), 0600, err);
	}
	if (!rc && n != sizeof(s->key))
		rc = err_set(
			err, SL_EFORMAT, "%s: got %zu octets, want %zu", path, n, sizeof(s->key));
	if (!rc)
		memcpy(s->key, data, sizeof(s->key));
	free(data);
	return rc;
}

/* The last row as the database has it. */
static int read_last(struct store *s, struct errbuf *err)
{
	sqlite3_stmt *st =
		store_prepare(s, "SELECT n, seal FROM audit ORDER BY n DESC LIMIT 1", "");
	int step = st ? sqlite3_step(st) : SQLITE_ERROR;

	s->audit_number = 0;
	memset(s->audit_seal, 0, sizeof(s->audit_seal));
	if (step == SQLITE_ROW) {
		s->audit_number = (uint64_t)sqlite3_column_int64(st, 0);
		if (sqlite3_column_bytes(st, 1) == STORE_SEAL)
			memcpy(s->audit_seal, sqlite3_column_blob(st, 1), STORE_SEAL);
	}
	(void)sqlite3_finalize(st);
	return step == SQLITE_ROW || step == SQLITE_DONE ? 0 : store_error(s, err, "audit");
}

int store_audit_open(struct store *s, const char *key_path, struct errbuf *err)
{
	int rc = read_key(s, key_path, err);

	(void)snprintf(s->head_path, sizeof(s->head_path), "%s.head", key_path);
	return rc ? rc : read_last(s, err);
}

void store_audit_note(struct store *s)
{
	char text[2 * STORE_SEAL + 32], hex[2 * STORE_SEAL + 1];
	int n;

	put_hex(s->audit_seal, hex);
	n = snprintf(text, sizeof(text), "%" PRIu64 " %s\n", s->audit_number, hex);
	(void)os_write_file(s->head_path, text, (size_t)n, 0600, NULL);
}

int store_audit(struct store *s, const struct store_audit_row *row, struct errbuf *err)
{
	struct store_audit_row r = *row;
	uint8_t sealed[STORE_SEAL];
	int rc = read_last(s, err); /* another process may have appended */

	if (rc)
		return rc;
	r.number = s->audit_number + 1;
	rc = seal(s, s->audit_seal, &r, sealed);
	if (rc)
		return err_set(err, rc, "audit: cannot seal");
	rc = store_run(s,
		store_prepare(s, "INSERT INTO audit VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?)", "iittttttb",
			r.number, r.time_ms, r.who, r.origin, r.role, r.command, r.args, r.result,
			sealed),
		"audit", err);
	if (rc)
		return rc;
	s->audited = true;
	s->audit_number = r.number;
	memcpy(s->audit_seal, sealed, sizeof(sealed));
	return 0;
}

static struct store_audit_row row_of(sqlite3_stmt *st)
{
	return (struct store_audit_row){.number = (uint64_t)sqlite3_column_int64(st, 0),
		.time_ms = (uint64_t)sqlite3_column_int64(st, 1),
		.who = store_text(st, 2),
		.origin = store_text(st, 3),
		.role = store_text(st, 4),
		.command = store_text(st, 5),
		.args = store_text(st, 6),
		.result = store_text(st, 7)};
}

int store_audit_each(struct store *s, uint32_t limit, store_audit_fn *fn, void *ctx)
{
	sqlite3_stmt *st = store_prepare(
		s, "SELECT * FROM audit ORDER BY n DESC LIMIT ?", "i", (uint64_t)limit);
	int step = SQLITE_ERROR;

	while (st && (step = sqlite3_step(st)) == SQLITE_ROW) {
		struct store_audit_row row = row_of(st);

		fn(ctx, &row);
	}
	(void)sqlite3_finalize(st);
	return step == SQLITE_DONE ? 0 : store_error(s, NULL, "reading the audit log");
}

/* What the head file says; false: there is none. */
static bool read_head(const struct store *s, uint64_t *ret_number, char ret_hex[static 65])
{
	char *text = NULL;
	size_t n;
	bool ok = os_read_file(s->head_path, 4096, &text, &n, NULL) == 0 &&
		  sscanf(text, "%" SCNu64 " %64s", ret_number, ret_hex) == 2;

	free(text);
	return ok;
}

static int check_row(const struct store *s, sqlite3_stmt *st, uint64_t want,
	uint8_t previous[static STORE_SEAL], struct errbuf *err)
{
	struct store_audit_row row = row_of(st);
	uint8_t sealed[STORE_SEAL];

	if (row.number != want)
		return err_set(err, SL_ECHECKSUM, "row %" PRIu64 " is missing", want);
	if (seal(s, previous, &row, sealed))
		return err_set(err, SL_ENOMEM, "audit: cannot seal");
	if (sqlite3_column_bytes(st, 8) != STORE_SEAL ||
		gnutls_memcmp(sealed, sqlite3_column_blob(st, 8), STORE_SEAL) != 0)
		return err_set(err, SL_ECHECKSUM, "row %" PRIu64 " was changed", want);
	memcpy(previous, sealed, STORE_SEAL);
	return 0;
}

int store_audit_verify(struct store *s, uint64_t *ret_rows, struct errbuf *err)
{
	sqlite3_stmt *st = store_prepare(s, "SELECT * FROM audit ORDER BY n", "");
	uint8_t previous[STORE_SEAL] = {0};
	char hex[65] = "", head_hex[65] = "";
	uint64_t n = 0, head = 0;
	int step = SQLITE_ERROR, rc = 0;

	while (!rc && st && (step = sqlite3_step(st)) == SQLITE_ROW)
		rc = check_row(s, st, ++n, previous, err);
	(void)sqlite3_finalize(st);
	if (!rc && step != SQLITE_DONE)
		rc = store_error(s, err, "reading the audit log");
	put_hex(previous, hex);
	if (!rc && n && !read_head(s, &head, head_hex))
		rc = err_set(err, SL_ECHECKSUM, "%s is missing", s->head_path);
	if (!rc && n && (head > n || (head == n && strcmp(hex, head_hex) != 0)))
		rc = err_set(err, SL_ECHECKSUM,
			"the last row was %" PRIu64 ", the log ends at %" PRIu64, head, n);
	if (!rc)
		*ret_rows = n;
	return rc;
}
