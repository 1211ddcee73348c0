/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One pointer to the world, swapped whole. Readers are loops of ours that say once a round that
 * they hold nothing (quiescent-state based RCU, liburcu); a round takes the pointer once and passes
 * it down as const. The only user of RCU in the project.
 */
#pragma once

#include "world/keys.h"
#include "world/world.h"

struct publish;

struct publish *publish_new(void) SL_WUNUSED;
void publish_free(struct publish *p); /* closes the world it holds; no reader may be left */

/* Puts a world in place and closes the one before after a grace period. Takes f. One writer
 * thread, which must not be a registered reader. */
void publish_swap(struct publish *p, struct world_file *f) SL_NONNULL_ALL;

/* The same for the keys; they are swapped apart from the world. */
void publish_swap_keys(struct publish *p, struct keys_file *f) SL_NONNULL_ALL;

/* Reader threads: register once; between rounds call publish_quiescent; around anything that may
 * sleep call publish_offline and publish_online. */
void publish_reader_start(void);
void publish_reader_stop(void);
void publish_quiescent(void);
void publish_offline(void);
void publish_online(void);

/* The world for this round, NULL before the first. Holds until the next quiescent call. */
const struct world *publish_read(const struct publish *p) SL_NONNULL_ALL;

/* The keys for this round, NULL while there are none. As publish_read. */
const struct keys_view *publish_read_keys(const struct publish *p) SL_NONNULL_ALL;
