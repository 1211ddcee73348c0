/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the doors for the SDKs of other HTTPDNS services have in common: who asks, until when a
 * signature holds, and a decision of which only addresses are told. How each of them reads and
 * prints is in its own file.
 */
#pragma once

#include "http/decision.h"

/* A signature may hold for this long at most: what those services allow. */
enum { HTTP_SIGNED_AHEAD_S = 86400 };

/* The value of a parameter, of several the first; {NULL, 0} when it is not given. */
struct str http_param(const struct httpd_request *rq, struct str name) SL_NONNULL(1);

/* How many host names there are in a list with commas between; 0 when there is none, or one of them
 * is not made of letters, digits, '-', '_' and dots: such are never printed again. */
uint32_t http_count_hosts(struct str list) SL_PURE;

/* Who asks, by the account's name. Where no accounts are configured anybody may, by any name. */
struct http_asker {
	const struct keys_account *account; /* NULL: there are none */
	bool admitted;
};

struct http_asker http_asker_named(const struct http_worker *w, struct str name) SL_NONNULL(1);

/* The same by the token that stands for it. */
struct http_asker http_asker_by_token(const struct http_worker *w, struct str token) SL_NONNULL(1);

/* Whether only signed (or sealed) requests are answered. */
bool http_signed_only(const struct http_worker *w) SL_NONNULL(1);

/* Whether an account that a signature, a seal or a token has shown to ask may still do so; NULL
 * may. Where it may not, the reply becomes 429 whatever the door makes of it. */
bool http_asker_passes(struct http_worker *w, const struct httpd_request *rq,
	const struct keys_account *account) SL_NONNULL(1, 2);

/* sign = md5hex(WHAT "-" SECRET "-" T), with either key of the account. */
bool http_md5_signed(const struct http_worker *w, const struct keys_account *account,
	struct str what, struct str t, struct str sign) SL_NONNULL(1);

/* Until when a signature holds: t in unix seconds. */
enum http_until { HTTP_UNTIL_GOOD, HTTP_UNTIL_PAST, HTTP_UNTIL_TOO_FAR, HTTP_UNTIL_NO_TIME };
enum http_until http_until(const struct http_worker *w, struct str t) SL_NONNULL(1);

/* Addresses of one vendor; records as answer_records gives them. */
struct http_addrs {
	uint32_t ttl_s;
	struct str vendor; /* empty: nobody may take the client, or nobody has addresses */
	uint32_t n_a, n_aaaa;
	uint8_t a[SL_MAX_ADDRS * CAT_A_RR_SIZE], aaaa[SL_MAX_ADDRS * CAT_AAAA_RR_SIZE];
};

/* Decides for query->host, among vendors of which addresses of the families asked for are known,
 * and counts. SL_ENOENT: no such host; then nothing is counted and *ret_addrs is empty, with a TTL
 * that keeps its client from asking again at once. */
int http_addrs_decide(struct http_worker *w, const struct http_query *query,
	struct http_addrs *ret_addrs) SL_NONNULL_ALL;

/* Where clients shall ask: what is configured, else the address that they have asked at, if the
 * request tells it. Returns how many of ret_ips, at most `max`, of one family. */
uint32_t http_servers(const struct http_worker *w, const struct httpd_request *rq, bool v6,
	struct ip *ret_ips, uint32_t max) SL_NONNULL_ALL;

/* ["A","B"] of them. */
void http_write_servers(struct buf *b, const struct http_worker *w, const struct httpd_request *rq,
	bool v6) SL_NONNULL_ALL;
