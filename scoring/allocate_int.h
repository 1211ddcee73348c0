/* SPDX-License-Identifier: Apache-2.0 */
/* Work memory of one allocation, shared by allocate.c, pour.c and solve.c. */
#pragma once

#include "scoring/allocate.h"

/* A cell is a constraint: vendors first, then vendor regions, then one that is always shut. */
enum { ALLOC_SHUT = ALLOC_CELLS, ALLOC_ALL = ALLOC_CELLS + 1 };

/* A row, its slots in order of vendor id; j below is a position in that order. */
struct alloc_work_row {
	const struct alloc_row *in;
	uint32_t n;
	/* what every slice of the pour and every round of the solver reads and writes */
	uint16_t cell[SL_MAX_SLOTS]; /* region's cell, else the vendor's; ALLOC_SHUT: may not serve
				      */
	double gain[SL_MAX_SLOTS];   /* quality ^ exponent */
	double part[SCORE_ROW];      /* proposed parts, then the solved ones; sum 1 */
	/* the rest */
	double first[SL_MAX_SLOTS];   /* score before the pour */
	double open[ALLOC_TIERS + 1]; /* how far each tier is open in this row, falling; then 0 */
	double lowered;               /* by the overload policy */
	uint8_t reason[SL_MAX_SLOTS];
};

/* score = plain + by_quality * quality^d: of a service in a cell, at the loads of now. */
struct alloc_term {
	double plain, by_quality;
};

struct alloc_service_work {
	uint8_t slot[SL_MAX_SLOTS];    /* slot at position j */
	uint16_t vendor[SL_MAX_SLOTS]; /* its vendor, ascending */
	struct score_sums sums;
	uint8_t tier[SL_MAX_SLOTS]; /* at position j */
	uint32_t n_tiers;
	double demand_mbps; /* of all its rows */
	bool known;         /* every vendor has a meter or a ledger */
	uint32_t first_row, end_row;
	struct alloc_term term[ALLOC_ALL];
};

struct alloc_work {
	const struct alloc_fleet *fleet;
	uint32_t n_cells;                       /* cells of regions end here */
	uint16_t vendor_of[ALLOC_CELLS];        /* of a cell */
	struct score_figures cell[ALLOC_CELLS]; /* load grows while pouring */
	double base[ALLOC_CELLS];               /* load before this tick */
	struct score_room room[ALLOC_CELLS];    /* of then; of a region, its vendor's counted */
	double sticky[ALLOC_CELLS]; /* what the sticky tables will add; by vendor and by region */
	double cap[ALLOC_CELLS];    /* room for what follows the shares */
	double factor[ALLOC_CELLS];
	double scale[ALLOC_ALL]; /* the clip */
	double load[ALLOC_ALL];  /* leaf loads of one sweep */
	struct alloc_service_work service[SL_MAX_SERVICES];
	struct alloc_work_row row[];
};

/* Cell of a region. */
static inline uint32_t alloc_cell_of_region(uint32_t region)
{
	return SL_MAX_VENDORS + region;
}

/* Fills the terms of a service from the loads of now. */
void alloc_terms(struct alloc_work *w, uint32_t service);

/* Proposes parts: scores, poured over the demand in slices. */
void alloc_pour(struct alloc_work *w);

/* Takes out what breakers withhold; the others get it in proportion. */
void alloc_withhold(struct alloc_work *w);

/* Raises usable slots to the trickle, the others give in proportion. */
void alloc_trickle(struct alloc_work *w);

/* Holds the parts under all caps, nearest to what was proposed. */
void alloc_solve(struct alloc_work *w, struct alloc_state *state, struct alloc_stats *stats);

/* How far the tiers of a row are open; shuts the slots of those that are not. */
void alloc_open_tiers(struct alloc_work *w, struct alloc_work_row *r);

/* Does by each row's policy with what nobody has room for. Fills the rungs of out. */
void alloc_overload(struct alloc_work *w, struct alloc_row_out *out, struct alloc_stats *stats);
