/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Token buckets, alone and by address in a bounded table: four to a set, the one idle longest gives
 * way. Time is an argument. Owned by one thread.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/ip.h"

/* One bucket; zeroed it is full. */
struct httpd_level {
	uint64_t at_ms; /* when level was true; 0: never */
	uint64_t level; /* thousandths of a token */
};

/* Takes a token. false when there is none; the next one is there within a second. now_ms:
 * monotonic, over 0. rate_per_s: at least 1. */
bool httpd_level_take(struct httpd_level *l, uint32_t rate_per_s, uint32_t burst, uint64_t now_ms)
	SL_NONNULL(1);

struct httpd_buckets {
	struct httpd_bucket {
		struct ip ip;
		struct httpd_level l; /* at_ms 0: empty row */
	} * rows;
	uint32_t mask; /* sets - 1 */
	uint32_t rate_per_s, burst;
	uint64_t seed;
};

/* rows: room for at least so many addresses. */
int httpd_buckets_init(struct httpd_buckets *t, uint32_t rows, uint32_t rate_per_s, uint32_t burst,
	uint64_t seed) SL_NONNULL(1);
void httpd_buckets_done(struct httpd_buckets *t) SL_NONNULL(1);

/* httpd_level_take of this key's. */
bool httpd_buckets_take(struct httpd_buckets *t, struct ip key, uint64_t now_ms) SL_NONNULL(1);
