/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tells a new client from one that asks again, for doors that cannot know: a Bloom filter of the
 * last one to two periods, shared by the workers of a process (docs/concurrency.md). False "seen"
 * answers: under 1 % at a million clients a period.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/attr.h"

enum { SEEN_WORDS = 1 << 18 }; /* 2 MiB a half */

struct seen {
	_Atomic uint32_t current; /* half that is written; see docs/concurrency.md */
	uint64_t rotated_ms;      /* owned by the link thread */
	SL_ALIGNED(16)
	_Atomic uint64_t word[SEEN_WORDS][2]; /* both halves of a place side by side */
};

/* Zeroed; caller frees with free(). NULL when out of memory. */
struct seen *seen_new(void) SL_WUNUSED;

/* Link thread only: forgets the older half once a period has passed. */
void seen_rotate(struct seen *s, uint64_t now_ms, uint32_t period_ms) SL_NONNULL_ALL;

/* By the bits that tell the parts of a block apart (answer_narrow); the lower ones go within it. */
static inline uint32_t seen_word(uint64_t key)
{
	return (uint32_t)(key >> 32) / (UINT32_MAX / SEEN_WORDS + 1);
}

/* Brings near what seen_before will look at. */
static inline void seen_prefetch(const struct seen *s, uint64_t key)
{
	__builtin_prefetch(s->word[seen_word(key)], 1);
}

/* Whether this key was here within the last one to two periods; it is from now on. Any thread. */
static inline bool seen_before(struct seen *s, uint64_t key)
{
	uint64_t bits = UINT64_C(1) << (key & 63) | UINT64_C(1) << (key >> 6 & 63) |
			UINT64_C(1) << (key >> 12 & 63) | UINT64_C(1) << (key >> 18 & 63);
	uint32_t word = seen_word(key);
	uint32_t now = atomic_load_explicit(&s->current, memory_order_relaxed) & 1;
	uint64_t a = atomic_load_explicit(&s->word[word][now], memory_order_relaxed);
	uint64_t b = atomic_load_explicit(&s->word[word][now ^ 1], memory_order_relaxed);

	if ((a & bits) == bits)
		return true;
	atomic_fetch_or_explicit(&s->word[word][now], bits, memory_order_relaxed);
	return (b & bits) == bits;
}
