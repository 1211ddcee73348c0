/* SPDX-License-Identifier: Apache-2.0 */
/* What world.c and file.c share: a world in its memory. */
#pragma once

#include "world/world.h"

/* A checked blob in memory, shared by the worlds that were made of it. Owned by the thread that
 * opens and closes worlds. */
struct world_map {
	const void *p;
	size_t size;
	uint32_t refs;
	bool copied; /* into memory of ours, on large pages */
};

enum { WORLD_CATALOGUE, WORLD_GEO, WORLD_TICK, WORLD_MAPS };

struct world_file {
	struct world world;
	struct world_map *map[WORLD_MAPS]; /* of world_open; NULL of world_join */
	const void *geo_blob;
	uint32_t room; /* nodes */
	struct nodes_node nodes[];
};
