/* SPDX-License-Identifier: Apache-2.0 */
/* From what a client asks to the decision for it, counted; shared by the doors that answer vendors.
 */
#pragma once

#include "http/doors.h"
#include "http/query.h"

struct http_decision {
	const struct cat_service *service;
	const struct cat_dname *host;
	struct place place;
	struct question q;
	struct answer a;
	uint64_t stream; /* hash of the stream's name, 0: none */
};

/* All of a decision but the answer, for a service (index); its host is NULL. */
void http_locate_service(struct http_worker *w, const struct http_query *query, uint32_t service,
	struct http_decision *ret_decision) SL_NONNULL_ALL;

/* The same by the query's host. SL_ENOENT: no such host. */
int http_locate(struct http_worker *w, const struct http_query *query,
	struct http_decision *ret_decision) SL_NONNULL_ALL SL_WUNUSED;

/* Slot of a vendor's name in a service, or SCORE_NONE. */
uint32_t http_slot_of(
	const struct cat_view *c, const struct cat_service *s, struct str name) SL_NONNULL_ALL;

/* Decides for a query whose host is set. SL_ENOENT: no such host. Nothing is counted. */
int http_decide(struct http_worker *w, const struct http_query *query,
	struct http_decision *ret_decision) SL_NONNULL_ALL SL_WUNUSED;

/* The client is given the i-th of the ranked vendors, because those before it have nothing for it;
 * i the number of them: it is given none. What is counted must be what was given. */
void http_give(struct http_decision *d, uint32_t i) SL_NONNULL_ALL;

/* Counts the answer as gone out to one viewer. */
void http_record(struct http_worker *w, const struct http_query *query,
	const struct http_decision *d) SL_NONNULL_ALL;

/* Seconds until this client should ask again: base with a fifth of it up or down, so that clients
 * who came together do not come again together. Pure. */
uint32_t http_refresh_s(uint32_t base_s, uint64_t key, uint64_t now_ms);

/* Short name of the reason for which nobody may take a client; static. */
const char *http_refusal_code(uint8_t reason);
