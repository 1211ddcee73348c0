/* SPDX-License-Identifier: Apache-2.0 */
#include "tally/seen.h"

#include <sys/mman.h>

enum { HUGE_PAGE = 2 << 20 };

/* Looked at in random places: large pages, where there are some, spare a miss of the page table. */
struct seen *seen_new(void)
{
	size_t n = (sizeof(struct seen) + HUGE_PAGE - 1) / HUGE_PAGE * HUGE_PAGE;
	struct seen *s = aligned_alloc(HUGE_PAGE, n);

	if (!s)
		return NULL;
	(void)madvise(s, n, MADV_HUGEPAGE);
	memset(s, 0, sizeof(*s));
	return s;
}

void seen_rotate(struct seen *s, uint64_t now_ms, uint32_t period_ms)
{
	uint32_t older = (atomic_load_explicit(&s->current, memory_order_relaxed) & 1) ^ 1;

	if (now_ms < s->rotated_ms + period_ms && now_ms >= s->rotated_ms)
		return;
	s->rotated_ms = now_ms;
	for (uint32_t i = 0; i < SEEN_WORDS; i++)
		atomic_store_explicit(&s->word[i][older], 0, memory_order_relaxed);
	atomic_store_explicit(&s->current, older, memory_order_relaxed);
}
