/* SPDX-License-Identifier: Apache-2.0 */
#include "tally/seen.h"

struct seen *seen_new(void)
{
	return calloc(1, sizeof(struct seen));
}

void seen_rotate(struct seen *s, uint64_t now_ms, uint32_t period_ms)
{
	uint32_t older = (atomic_load_explicit(&s->current, memory_order_relaxed) & 1) ^ 1;

	if (now_ms < s->rotated_ms + period_ms && now_ms >= s->rotated_ms)
		return;
	s->rotated_ms = now_ms;
	for (uint32_t i = 0; i < SEEN_WORDS; i++)
		atomic_store_explicit(&s->half[older][i], 0, memory_order_relaxed);
	atomic_store_explicit(&s->current, older, memory_order_relaxed);
}
