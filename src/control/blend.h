/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A catalogue between two others: what holds while a new one takes effect little by little. Knows
 * neither clock nor store. Pure but for the memory; any thread.
 */
#pragma once

#include "base/arena.h"
#include "conf/conf.h"

struct cat_view;

/*
 * Makes *to, a copy of the new catalogue `next`, what holds when a part `done` (0..1) of the way
 * from `old` is gone:
 * - capacities (vendors, regions, contract hours, nodes) and weights lie on a line between the two;
 *   a vendor that comes into a service or leaves it has the weight 0 there;
 * - who may serve which group, streams and nodes change one by one, by their hash: what has
 *   changed at some part stays so at every later one;
 * - all else is the new catalogue's from the beginning; a service that is gone is gone at once.
 * groups: whose names the groups are; NULL: who may serve which group is the new catalogue's.
 * What is made lies in the arena; the rest is borrowed from both. SL_ENOMEM leaves *to as it was.
 */
int control_blend(const struct conf_catalog *old, const struct conf_catalog *next, double done,
	const struct cat_view *groups, struct arena *arena, struct conf_catalog *to)
	SL_NONNULL(1, 2, 5, 6);
