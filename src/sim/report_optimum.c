/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The clairvoyant optimum: a linear programme every 10 s over the true demand of every group,
 * seated sessions included, so it re-seats anybody at will. Only a drain binds it as it binds
 * everybody: who sits there stays, and a vendor that comes back is filled by who has come since.
 * Nothing that leaves seated sessions alone can reach it; it is a bound, not a schedule.
 */
#include "sim/report.h"

#include <math.h>
#include <string.h>

#include <glpk.h>

#define COMMIT_VALUE 10.0   /* of a Mbps under a guarantee; quality is worth at most 1 */
#define NONE_VALUE   -100.0 /* of a Mbps that is refused */
#define WORKS        0.5    /* a vendor that fails more pulls cannot serve the group */

enum { MAX_ENTRIES = 4 * SIM_MAX_GROUPS * SIM_MAX_VENDORS };

struct programme {
	glp_prob *lp;
	int row[MAX_ENTRIES], column[MAX_ENTRIES], n;
	double value[MAX_ENTRIES];
};

static void entry(struct programme *m, int row, int column, double value)
{
	m->n++;
	m->row[m->n] = row;
	m->column[m->n] = column;
	m->value[m->n] = value;
}

static int add_row(struct programme *m, int kind, double low, double high)
{
	int row = glp_add_rows(m->lp, 1);

	glp_set_row_bnds(m->lp, row, kind, low, high);
	return row;
}

static int add_column(struct programme *m, double high, double value)
{
	int column = glp_add_cols(m->lp, 1);

	if (isfinite(high))
		glp_set_col_bnds(m->lp, column, high > 0 ? GLP_DB : GLP_FX, 0, high);
	else
		glp_set_col_bnds(m->lp, column, GLP_LO, 0, 0);
	glp_set_obj_coef(m->lp, column, value);
	return column;
}

/* Rows of one vendor: under the maximum, commitment filled by load; and of each region. */
struct rows {
	int cap[SIM_MAX_VENDORS], fill[SIM_MAX_VENDORS], column[SIM_MAX_VENDORS];
	int area[SIM_MAX_REGIONS], area_fill[SIM_MAX_REGIONS];
};

/* A region's load fills the vendor's commitment as far as the region's own. */
static void add_region(
	struct programme *m, double guaranteed, double max, int fill, int *ret_area, int *ret_fill)
{
	int column = add_column(m, fmin(guaranteed, max), 0);

	*ret_area = add_row(m, GLP_UP, 0, max);
	*ret_fill = add_row(m, GLP_LO, 0, 0);
	entry(m, *ret_fill, column, -1);
	entry(m, fill, column, 1);
}

static void add_vendors(
	struct programme *m, const struct plant *p, const double *most, struct rows *to)
{
	double open = 1 - p->s->f.scheduler.headroom;

	for (uint32_t v = 0, r = 0; v < p->n_vendors; v++) {
		double max = open * p->maximum[v];
		double commit = fmin(p->guaranteed[v], max);

		max = fmin(most[v], fmax(0, max - p->external[v]));
		to->cap[v] =
			p->drained[v] ? add_row(m, GLP_FX, max, max) : add_row(m, GLP_UP, 0, max);
		to->fill[v] = add_row(m, GLP_LO, -p->external[v], 0);
		to->column[v] = add_column(m, commit, COMMIT_VALUE);
		entry(m, to->fill[v], to->column[v], -1);
		for (uint32_t i = 0; i < p->s->f.vendors[v].regions_count; i++, r++)
			add_region(m, p->region_guaranteed[r], open * p->region_maximum[r],
				to->fill[v], &to->area[r], &to->area_fill[r]);
	}
}

static void add_group(struct programme *m, const struct plant *p, uint32_t g,
	const struct rows *rows, int *ret_first)
{
	double q[SIM_MAX_VENDORS], demand = plant_demand_mbps(p, g);
	int all = add_row(m, GLP_FX, demand, demand);

	report_quality(p, g, q);
	*ret_first = 0;
	for (uint32_t v = 0; v < p->n_vendors; v++) {
		bool works = p->truth[g][v].success >= WORKS;
		int x = add_column(m, works ? HUGE_VAL : 0, q[v]);

		*ret_first = *ret_first ? *ret_first : x;
		entry(m, rows->cap[v], x, 1);
		entry(m, all, x, 1);
		if (p->region_of[g][v] == SIM_NONE) {
			entry(m, rows->fill[v], x, 1);
		} else {
			entry(m, rows->area[p->region_of[g][v]], x, 1);
			entry(m, rows->area_fill[p->region_of[g][v]], x, 1);
		}
	}
	entry(m, all, add_column(m, HUGE_VAL, NONE_VALUE), 1);
}

static void read_out(const struct programme *m, const struct plant *p, const int *first,
	double *ret_load, double *ret_quality)
{
	double good = 0, served = 0;

	for (uint32_t v = 0; v < p->n_vendors; v++)
		ret_load[v] = p->external[v];
	for (uint32_t g = 0; g < p->n_groups; g++)
		for (uint32_t v = 0; v < p->n_vendors; v++) {
			double x = glp_get_col_prim(m->lp, first[g] + (int)v);

			ret_load[v] += x;
			served += x;
			good += x * glp_get_obj_coef(m->lp, first[g] + (int)v);
		}
	*ret_quality = served > 0 ? good / served : 1;
}

int report_optimum(const struct plant *p, const double most[static SIM_MAX_VENDORS],
	double ret_load[static SIM_MAX_VENDORS], double ret_commit[static SIM_MAX_VENDORS],
	double *ret_quality)
{
	static struct programme m; /* large; this program has one thread */
	static struct rows rows;
	int first[SIM_MAX_GROUPS], rc;
	glp_smcp param;

	m.n = 0;
	m.lp = glp_create_prob();
	glp_set_obj_dir(m.lp, GLP_MAX);
	add_vendors(&m, p, most, &rows);
	for (uint32_t g = 0; g < p->n_groups; g++)
		add_group(&m, p, g, &rows, &first[g]);
	glp_load_matrix(m.lp, m.n, m.row, m.column, m.value);
	glp_init_smcp(&param);
	param.msg_lev = GLP_MSG_OFF;
	param.presolve = GLP_ON;
	rc = glp_simplex(m.lp, &param) || glp_get_status(m.lp) != GLP_OPT ? SL_EINVAL : 0;
	if (rc == 0)
		read_out(&m, p, first, ret_load, ret_quality);
	for (uint32_t v = 0; rc == 0 && v < p->n_vendors; v++)
		ret_commit[v] = glp_get_col_prim(m.lp, rows.column[v]);
	glp_delete_prob(m.lp);
	return rc;
}
