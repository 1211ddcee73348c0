/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A decision as the world that answer processes map: a catalogue and a geo table of the scenario,
 * made once, and a tick blob per tick, checked and joined by the code that does it for them.
 */
#pragma once

#include "sim/policy.h"
#include "world/world.h"

struct policy_world {
	void *catalogue, *geo, *tick; /* blobs, owned */
	struct world_file *file;      /* over them; NULL before the first tick */
	uint64_t generation;
};

/* kbps: expected of a session. 0, or what the blobs were refused with. */
int policy_world_init(struct policy_world *w, const struct plant *p, uint32_t kbps,
	struct errbuf *err) SL_NONNULL_ALL SL_WUNUSED;
void policy_world_done(struct policy_world *w) SL_NONNULL_ALL;

/* Puts the decision of a tick in place of the last one. fallback: shares of all groups, ppm, for
 * when no tick has come for long. */
int policy_world_take(struct policy_world *w, const struct plant *p,
	const struct policy_decision *d, const uint32_t fallback[static SCORE_ROW], uint64_t now_ms,
	struct errbuf *err) SL_NONNULL_ALL SL_WUNUSED;
