/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Response rate limiting: how many equal answers a block of addresses gets in a second. One table
 * for all workers of a process (docs/concurrency.md); a cell is when its block will be even again,
 * so nothing has to be swept. Time is a parameter.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/ip.h"

enum {
	DNS_RRL_CELLS = 1 << 16,
	DNS_RRL_LEARNED = 1 << 14,
	DNS_RRL_BURST_S = 2,        /* of the rate, after a pause */
	DNS_RRL_LEARNED_S = 3600,   /* how long an address that has proved itself is let through */
	DNS_RRL_RATE_MAX = 1000000, /* answers a second */
	DNS_RRL_PREFIX_V4 = 24,
	DNS_RRL_PREFIX_V6 = 56,
};

struct dns_rrl {
	uint64_t step; /* time of one answer, in units of 1/1024 ms; constant while workers run */
	uint64_t seed; /* so that nobody outside can aim at a cell; constant */
	_Atomic uint64_t cell[DNS_RRL_CELLS];
	_Atomic uint64_t learned[DNS_RRL_LEARNED];
};

/* r is zeroed memory of the caller's. rate is held to 1..DNS_RRL_RATE_MAX. */
void dns_rrl_init(struct dns_rrl *r, uint32_t rate, uint64_t seed) SL_NONNULL(1);

/* Counts an answer to a client; false when its block is over the rate for this answer. Any thread.
 */
bool dns_rrl_count(struct dns_rrl *r, struct ip client, uint64_t answer, uint64_t now_ms)
	SL_NONNULL(1);

/* An address that has shown that it is there: by TCP, or by a cookie of ours. Any thread. */
void dns_rrl_learn(struct dns_rrl *r, struct ip client, uint64_t now_ms) SL_NONNULL(1);
bool dns_rrl_learned(const struct dns_rrl *r, struct ip client, uint64_t now_ms) SL_NONNULL(1);
