/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The book of what each receiver of alerts has been told and is to be told next: grouping,
 * repetition, ends, and when to try again after a failure. Pure: time is an argument. Owned by one
 * thread.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/limits.h"

enum {
	NOTICE_MAX = 512,            /* alerts in the book, ended ones until all know */
	NOTICE_TARGETS = 16,         /* receivers */
	NOTICE_RETRY_MS = 1000,      /* after a failure, doubling */
	NOTICE_MAX_RETRY_MS = 60000, /* up to this */
	NOTICE_FORGET_MS = 3600000,  /* an end that nobody takes is dropped */
	NOTICE_END_FACTOR = 4,       /* resends that may be missed before an alert counts as over */
};

enum notice_severity { NOTICE_INFO, NOTICE_WARNING, NOTICE_CRITICAL };
const char *notice_severity_text(enum notice_severity s);

/* An alert that fires. The name and the labels together are who it is. */
struct notice {
	char alert[SL_MAX_NAME], labels[160]; /* labels as in Prometheus' text, without braces */
	enum notice_severity severity;
	char text[200];
	double value;
	uint64_t start_ms; /* unix */
};

struct notice_target {
	uint64_t id;    /* who it is: the same in another set knows what it was told */
	bool grouped;   /* webhook: one request per name, when something changes and every repeat */
	uint32_t group; /* ms; grouped: how long alerts of one name wait for each other */
	uint32_t again; /* ms; how often what fires is said again */
	enum notice_severity least;
};

struct notice_book;

/* NULL: no memory. Caller frees. */
struct notice_book *notice_new(void) SL_WUNUSED;
void notice_free(struct notice_book *b);

/* Another set of receivers, n <= NOTICE_TARGETS. Those with an id of the set before stay, with what
 * they know and are being told; the others have been told nothing. ret_was: which place each had
 * before, no place twice; NOTICE_TARGETS: none. */
void notice_set_targets(struct notice_book *b, const struct notice_target *targets, uint32_t n,
	uint32_t ret_was[static NOTICE_TARGETS]) SL_NONNULL(1, 4);

/* What fires now; who is no longer in the list has ended. Those past NOTICE_MAX are left out. */
void notice_take(struct notice_book *b, const struct notice *list, uint32_t n, uint64_t now_ms)
	SL_NONNULL(1);

/* An alert in a message. end_ms 0: it fires. */
struct notice_line {
	const struct notice *notice;
	uint64_t end_ms;
};

/* What receiver t is to be told now: lines of one message, 0 for nothing. Until notice_told it is
 * being told, and is given nothing else. Lines are valid until notice_take. */
uint32_t notice_due(struct notice_book *b, uint32_t t, uint64_t now_ms,
	struct notice_line ret[static NOTICE_MAX]) SL_NONNULL(1, 4);

/* What became of it. A failure is tried again later, with what is true then. */
void notice_told(struct notice_book *b, uint32_t t, bool ok, uint64_t now_ms) SL_NONNULL_ALL;

/* Alerts and ends that receiver t has not been told; failures in a row. */
uint32_t notice_waiting(const struct notice_book *b, uint32_t t) SL_NONNULL_ALL;
uint32_t notice_failures(const struct notice_book *b, uint32_t t) SL_NONNULL_ALL;
