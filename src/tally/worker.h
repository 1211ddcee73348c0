/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What every answer worker (a DNS or HTTP loop) has: the world of this round, its own tally and
 * sequence rows, and which budgets are spent. Owned by one thread; shares only what
 * docs/concurrency.md names.
 */
#pragma once

#include "answer/decide.h"
#include "tally/seen.h"
#include "tally/tally.h"
#include "world/publish.h"

/* Shared by the workers of a process; set up before the first starts, then constant. */
struct workers {
	struct publish *publish;
	struct seen *seen;
	struct tally *tally[SL_MAX_WORKERS]; /* one per worker */
	uint32_t n;
};

struct worker {
	const struct workers *all;
	struct tally *tally;
	struct answer_rows *rows;
	enum tally_door door; /* DNS unless its loop says otherwise */
	/* of the round */
	const struct world *world;    /* NULL: nothing to answer from */
	const struct keys_view *keys; /* NULL: none are there */
	uint64_t now_ms;
	bool stale;
	uint64_t sampled_ms; /* of the last decision put into the ring */
	struct answer_full full;
};

/* Worker number index of all; allocates its rows. Caller ends with worker_done. */
int worker_init(struct worker *w, const struct workers *all, uint32_t index) SL_NONNULL_ALL;
void worker_done(struct worker *w) SL_NONNULL_ALL;

/* Begins a round: takes the world, its age and the spent budgets. No system call (the clock is
 * read by the vDSO), no lock. The thread must be registered with publish. */
void worker_round(struct worker *w) SL_NONNULL_ALL;

/* The same in this world (NULL: none) at this time, unix ms: for the simulator. */
void worker_round_at(struct worker *w, const struct world *world, uint64_t now_ms) SL_NONNULL(1);

/* Decides with the worker's rows and budgets. */
static inline void worker_decide(struct worker *w, const struct question *q, struct answer *ret)
{
	answer_decide(w->world, q, &w->full, w->rows, ret);
}

/* Counts an answer that went out. sessions: how many viewers it stands for. A door that cannot say
 * new from refresh passes seen = seen_before(...): a new session that was seen counts as a refresh.
 */
void worker_record(struct worker *w, const struct question *q, const struct answer *a,
	uint32_t sessions, bool seen) SL_NONNULL_ALL;
