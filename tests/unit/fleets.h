/* SPDX-License-Identifier: Apache-2.0 */
/* Random fleets for the properties of scoring, and the properties. Included by one test each. */
#pragma once

#include "scoring/allocate.h"

enum { FLEETS_MAX_GROUPS = 4, FLEETS_MAX_REGIONS = 3 * SL_MAX_SLOTS, FLEETS_MAX_ROWS = 8 };

/* A fleet with storage of its own; view points into it. */
struct fleets_one {
	struct alloc_fleet view;
	struct alloc_vendor vendor[SL_MAX_SLOTS];
	struct alloc_region region[FLEETS_MAX_REGIONS];
	struct alloc_service service[2];
	struct alloc_row row[FLEETS_MAX_ROWS];
	uint16_t region_of[FLEETS_MAX_GROUPS * SL_MAX_SLOTS];
	bool equal_weights;
	bool wild; /* tiers, breakers, sticky demand, unknown loads, overload policies */
};

struct fleets_out {
	struct alloc_row_out row[FLEETS_MAX_ROWS];
	struct alloc_vendor_out vendor[SL_MAX_SLOTS];
};

/* What is tested: the allocation, or a mutant of it. */
typedef void fleets_run(const struct fleets_one *f, struct fleets_out *ret);

/* Fills a fleet: 1..16 vendors; G = 0 in a fifth, G = M in a tenth; M over six decades; loads at G
 * and M plus or minus 1e-6; q 0.01 and 1; SumG = 0; regions; two services that share vendors. */
void fleets_random(struct fleets_one *f, uint64_t seed);

/* As fleets_random, with everything that bends the plain rules; for the properties that hold
 * whatever is asked. */
void fleets_random_wild(struct fleets_one *f, uint64_t seed);

/* The shipped allocation. */
void fleets_allocate(const struct fleets_one *f, struct fleets_out *ret);

/* Name of the first property that does not hold for this fleet, NULL if all do. */
const char *fleets_broken(const struct fleets_one *f, fleets_run *run);
