/* SPDX-License-Identifier: Apache-2.0 */
/* A decision as JSON, at the cursor of the loop's buffer. Integers and text only; never allocates.
 */
#pragma once

#include "http/decision.h"

/* {"host","group","ttl",...}: the object of one answered host; a->n > 0. */
void http_write_answer(struct buf *b, struct http_worker *w, const struct http_query *query,
	const struct http_decision *d) SL_NONNULL_ALL;

/* {"error":{"code","message"},"retry_after_s"}: nobody may take this client. */
void http_write_none(struct buf *b, const struct http_worker *w, const struct http_query *query,
	const struct http_decision *d, uint32_t retry_s) SL_NONNULL_ALL;

/* {...}: how it came about; the shares of all vendors, and what they were made from. */
void http_write_explain(struct buf *b, const struct http_worker *w, const struct http_query *query,
	const struct http_decision *d) SL_NONNULL_ALL;

/* {"rung","kbps"?}: the rung of the ladder that a new session is asked to start on. */
void http_write_degrade(struct buf *b, const struct answer *a) SL_NONNULL_ALL;

/* {"error":{"code":...,"message":...}} */
void http_write_error(struct buf *b, const char *code, const char *message) SL_NONNULL_ALL;

/* A JSON string of text that is nearly always plain; faster than buf_put_json_str then. */
void http_write_text(struct buf *b, struct str s) SL_NONNULL(1);

/* ["A","B"] of ready records (answer_records). */
void http_write_ips(struct buf *b, const uint8_t *records, uint32_t n, bool v6) SL_NONNULL(1, 2);

/* The same without brackets, to be gone on with; *first: no comma before the next. */
void http_write_more_ips(struct buf *b, const uint8_t *records, uint32_t n, bool v6, bool *first)
	SL_NONNULL(1, 2, 5);
