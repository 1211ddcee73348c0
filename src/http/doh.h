/* SPDX-License-Identifier: Apache-2.0 */
/* What the two forms of DNS over HTTPS share. */
#pragma once

#include "http/dialect.h"

/* What a DNS message (one of ours, n octets) says besides its records. */
struct http_doh_note {
	bool fresh; /* it may be kept, for max_age_s */
	uint32_t max_age_s;
	bool has_ecs;
	struct ip ecs; /* of the client, as it was told */
	uint8_t scope;
	struct str text; /* of an extended error; empty: none */
};

struct http_doh_note http_doh_read(const uint8_t *msg, size_t n) SL_NONNULL_ALL;

/* Cache-Control, no longer than any record holds, in the client's own cache only: another client's
 * answer may be another one. text: of the worker's that lives as long as the reply is made. */
enum { HTTP_DOH_CACHE = 48 };
void http_doh_freshness(struct httpd_reply *rp, const struct http_doh_note *note,
	char text[static HTTP_DOH_CACHE]) SL_NONNULL_ALL;

/* The same as JSON, for `name` and `type`. */
void http_doh_json(struct http_worker *w, const struct httpd_request *rq,
	struct httpd_reply *rp) SL_NONNULL_ALL;
