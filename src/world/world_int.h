/* SPDX-License-Identifier: Apache-2.0 */
/* What world.c and file.c share: a world in its memory. */
#pragma once

#include "world/world.h"

struct world_file {
	struct world world;
	const void *geo_blob;
	const void *map[3]; /* of world_open: catalogue, geo, tick */
	size_t size[3];
	struct nodes_node nodes[];
};
