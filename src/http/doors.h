/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What every door has: the worker of its loop. A door reads the world of the round, writes into the
 * loop's buffer and counts; it keeps nothing, allocates nothing and takes no lock.
 */
#pragma once

#include "dns/answer.h"
#include "http/access.h"
#include "http/memo.h"
#include "http/sign_key.h"
#include "httpd/httpd.h"
#include "tally/worker.h"

enum {
	HTTP_ALL = HTTPD_GET | HTTPD_POST | HTTPD_PUT | HTTPD_DELETE | HTTPD_PATCH,
	HTTP_MAX_SERVERS = 32,
};

/* Context of the routes of one loop. Owned by its thread. */
struct http_worker {
	struct worker worker;
	const struct ip *servers; /* that SDKs are told of; borrowed, constant */
	uint32_t n_servers;       /* at most HTTP_MAX_SERVERS */
	uint32_t requests;        /* how many there have been, modulo 2^32 */
	uint8_t scratch[65536];   /* of the request being served */
	char signature[65];       /* of its reply */
	uint64_t notes_ms;        /* notes into the tally's ring in the second from then on */
	uint32_t notes;
	struct http_memo vendors, starts; /* of answers at /v1/resolve */
	struct http_sign_memo signatures;
	struct dnsd_settings dns_settings;
	struct dnsd_worker dns; /* of DNS over HTTPS */
	struct http_access access;
	bool over_rate; /* the request's account has asked too often: its reply becomes 429 */
};

/* The handlers. A world is there (the table answers 503 without one); they fill rp only. */
#define DOOR(name, path, prefix, methods, max_body, flags, checks)                                 \
	void http_door_##name(struct http_worker *w, const struct httpd_request *rq,               \
		struct httpd_reply *rp) SL_NONNULL_ALL;
#include "http/doors.def"
#undef DOOR

/* The table of routes for httpd_config; its ctx is a struct http_worker. Constant. */
const struct httpd_route *http_routes(size_t *ret_n) SL_NONNULL_ALL;
