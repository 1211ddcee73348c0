/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The link of the answer process: notices a new tick in the state folder, maps and checks the world
 * it names, and puts it in place; the same for the keys. The only writer of what is published. Runs
 * in the role's main thread.
 */
#pragma once

#include "tally/seen.h"
#include "world/publish.h"

struct link;

/* Makes ready for a world before it is published; one that fails is refused. */
typedef int link_ready_fn(void *ctx, const struct world *w, struct errbuf *err);

/* dir: the folder of the blobs, made if absent; keys: whose keys are taken, "answer" or "collect";
 * ready: may be NULL. Caller frees. */
int link_new(const char *dir, const char *keys, struct publish *publish, struct seen *seen,
	link_ready_fn *ready, void *ctx, struct link **ret_link, struct errbuf *err)
	SL_NONNULL(1, 2, 3, 4, 7) SL_WUNUSED;
void link_free(struct link *l);

/* Waits for a change or timeout_ms, whichever is first (a signal ends it too), takes a newer world,
 * and rotates the filter of seen clients. */
void link_round(struct link *l, int timeout_ms) SL_NONNULL_ALL;

/* Unix time of the tick that is answered from; 0: none yet. */
uint64_t link_world_ms(const struct link *l) SL_NONNULL_ALL;
