/* SPDX-License-Identifier: Apache-2.0 */
/* What a loop counts, and the closed list of reasons for which the fence refuses. */
#pragma once

#include <stdatomic.h>
#include <stdint.h>

#include "base/attr.h"

/* reason, what the client sees (0: nothing), text of the counter */
#define HTTPD_REFUSALS(X)                                                                          \
	X(FRAMING, 400, "framing")                                                                 \
	X(MALFORMED, 400, "malformed")                                                             \
	X(CHUNKED, 411, "chunked")                                                                 \
	X(BODY_SIZE, 413, "body_size")                                                             \
	X(URL_SIZE, 414, "url_size")                                                               \
	X(HEAD_SIZE, 431, "head_size")                                                             \
	X(METHOD, 405, "method")                                                                   \
	X(PATH, 404, "path")                                                                       \
	X(VERSION, 505, "version")                                                                 \
	X(EXPECT, 417, "expect")                                                                   \
	X(ADMIT, 403, "admit")                                                                     \
	X(RATE, 429, "rate")                                                                       \
	X(MEMORY, 503, "memory")                                                                   \
	X(REPLY_SIZE, 500, "reply_size")                                                           \
	X(HEAD_TIME, 408, "head_time")                                                             \
	X(BODY_TIME, 408, "body_time")                                                             \
	X(SEND_TIME, 0, "send_time")                                                               \
	X(CONNECTIONS, 0, "connections")                                                           \
	X(EVICTED, 0, "evicted")                                                                   \
	X(PER_ADDRESS, 0, "per_address")                                                           \
	X(LIBRARY, 0, "library")

enum httpd_refusal {
#define X(name, status, text) HTTPD_REFUSED_##name,
	HTTPD_REFUSALS(X)
#undef X
		HTTPD_N_REFUSALS
};

const char *httpd_refusal_name(enum httpd_refusal r);

/* Relaxed counters with one writer, the loop; read from any thread. */
struct httpd_stats {
	_Atomic uint64_t requests;  /* that reached a route or were refused */
	_Atomic uint64_t status[6]; /* replies by first digit */
	_Atomic uint64_t refused[HTTPD_N_REFUSALS];
	_Atomic uint64_t over_rate_loopback; /* counted, not dropped */
	_Atomic uint64_t accepted;
	_Atomic uint64_t open; /* gauge */
} SL_ALIGNED(64);
