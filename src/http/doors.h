/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What every door has: the worker of its loop. A door reads the world of the round, writes into the
 * loop's buffer and counts; it keeps nothing, allocates nothing and takes no lock.
 */
#pragma once

#include "http/memo.h"
#include "httpd/httpd.h"
#include "tally/worker.h"

/* Context of the routes of one loop. Owned by its thread. */
struct http_worker {
	struct worker worker;
	uint8_t scratch[16384]; /* of the request being served */
	char signature[65];     /* of its reply */
	uint64_t notes_ms;      /* notes into the tally's ring in the second from then on */
	uint32_t notes;
	struct http_memo memo;
};

/* The handlers. A world is there (the table answers 503 without one); they fill rp only. */
#define DOOR(name, path, prefix, methods, max_body, flags, checks)                                 \
	void http_door_##name(struct http_worker *w, const struct httpd_request *rq,               \
		struct httpd_reply *rp) SL_NONNULL_ALL;
#include "http/doors.def"
#undef DOOR

/* The table of routes for httpd_config; its ctx is a struct http_worker. Constant. */
const struct httpd_route *http_routes(size_t *ret_n) SL_NONNULL_ALL;
