/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What we go and measure: meters pulled from vendors' APIs and own nodes. One thread of its own in
 * the control process; what it finds is taken by the control thread between ticks. It knows the
 * configuration and nothing of the engine.
 *
 * Longer than its functions would need, because every figure that operators see of a source is
 * declared here.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/limits.h"

struct conf;
struct keys_file;
struct sense;

/* Why what was asked for was not given or not taken: id, word. */
#define SENSE_REFUSAL_MAP(X)                                                                       \
	X(SENSE_KEY, "key")         /* the secret is not there */                                  \
	X(SENSE_REQUEST, "request") /* the request cannot be made */                               \
	X(SENSE_CONNECT, "connect")                                                                \
	X(SENSE_TIMEOUT, "timeout")                                                                \
	X(SENSE_RATE, "rate")     /* the vendor says: too often */                                 \
	X(SENSE_STATUS, "status") /* another status than wanted */                                 \
	X(SENSE_TOO_LONG, "length")                                                                \
	X(SENSE_JSON, "json")                                                                      \
	X(SENSE_ERROR, "error") /* an error inside of a good reply */                              \
	X(SENSE_SERIES, "series")                                                                  \
	X(SENSE_PAGES, "pages")                                                                    \
	X(SENSE_FALSE, "implausible") /* refused by the engine: negative, absurd, repeated ... */

enum sense_refusal {
#define X(id, word) id,
	SENSE_REFUSAL_MAP(X)
#undef X
		SENSE_REFUSALS
};

const char *sense_refusal_word(enum sense_refusal r);

enum {
	SENSE_MAX_SOURCES = 16384, /* pulled meters, one per node where they are of nodes */
	SENSE_MAX_QUEUE = 4096,    /* meters that wait for the control thread */
	SENSE_NOTE = 160,
};

/* A pulled meter as operators see it. Times are unix ms, 0: never. */
struct sense_source {
	char vendor[SL_MAX_NAME + 1], name[SL_MAX_NAME + 1];
	char region[SL_MAX_NAME + 1], node[SL_MAX_NAME + 1]; /* empty: total, none */
	uint64_t asked_ms, good_ms, next_ms;
	uint64_t end_ms; /* of the last window */
	double mbps;     /* of it */
	uint64_t requests, taken;
	uint64_t refused[SENSE_REFUSALS];
	uint32_t fails;        /* in a row */
	char note[SENSE_NOTE]; /* of the last failure; empty after a success */
};

/* A figure for the engine. */
struct sense_meter {
	char vendor[SL_MAX_NAME + 1], region[SL_MAX_NAME + 1]; /* region empty: the total */
	double mbps;
	uint64_t start_ms, end_ms; /* unix */
	uint32_t source;
};

/* Whether what is to be measured can be asked for: templates that name what is known. The first
 * fault as conf_refuse says it. */
int sense_check(const struct conf *conf, struct errbuf *err) SL_NONNULL(1);

/* Starts the thread; nothing is asked for until sense_load. Caller frees. */
int sense_new(struct sense **ret_sense, struct errbuf *err) SL_NONNULL(1) SL_WUNUSED;

/* Ends the thread. */
void sense_free(struct sense *s);

/* What to ask for from now on; takes both (keys may be NULL). Control thread. */
void sense_load(struct sense *s, struct conf *conf, struct keys_file *keys) SL_NONNULL(1, 2);

/* Meters found since the last call, at most max, the oldest first. Control thread. */
uint32_t sense_take_meters(struct sense *s, struct sense_meter *ret, uint32_t max) SL_NONNULL_ALL;

/* What the engine said of one of them. */
void sense_tell(struct sense *s, const struct sense_meter *m, bool taken, const char *why)
	SL_NONNULL(1, 2);

/* Copies of the sources, malloc'd; caller frees. NULL and 0 when there are none. */
struct sense_source *sense_sources(struct sense *s, uint32_t *ret_n) SL_NONNULL_ALL;
