/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/policy_ratio.h"

#include <math.h>

static const double level[POLICY_RATIO_LEVELS] = {1e4, 1e6};

void policy_ratio_row(
	const uint32_t share[static SCORE_ROW], uint32_t usable, struct policy_ratio_row *ret_row)
{
	uint32_t sum = 0;

	usable |= 1u << SCORE_NONE;
	*ret_row = (struct policy_ratio_row){0};
	for (uint32_t i = 0; i < SCORE_ROW; i++)
		if (share[i] && usable >> i & 1) {
			sum += share[i];
			ret_row->slots |= 1u << i;
		}
	for (uint32_t i = 0; i < SCORE_ROW; i++)
		if (ret_row->slots >> i & 1)
			ret_row->part[i] = share[i] / (double)sum;
}

void policy_ratio_add(struct policy_ratio *r, uint32_t worker, uint32_t group,
	const struct policy_ratio_row *row, uint32_t slot)
{
	double *asked = r->asked[worker][group], *given = r->given[worker][group];
	double worst = r->sequence_off;

	if (!row->slots)
		return;
	given[slot]++;
	r->n[group]++;
	for (uint32_t turned = row->slots | 1u << slot; turned; turned &= turned - 1) {
		uint32_t i = (uint32_t)__builtin_ctz(turned);
		double off;

		asked[i] += row->part[i];
		off = fabs(given[i] - asked[i]);
		worst = off > worst ? off : worst;
	}
	r->sequence_off = worst;
}

static double group_off(const struct policy_ratio *r, uint32_t g)
{
	double worst = 0;

	for (uint32_t i = 0; i < SCORE_ROW; i++) {
		double off = 0;

		for (uint32_t w = 0; w < POLICY_WORKERS; w++)
			off += r->given[w][g][i] - r->asked[w][g][i];
		worst = fmax(worst, fabs(off) / r->n[g]);
	}
	return worst;
}

void policy_ratio_look(struct policy_ratio *r, uint32_t n_groups)
{
	for (uint32_t g = 0; g < n_groups; g++)
		for (uint32_t i = 0; i < POLICY_RATIO_LEVELS && r->n[g] >= level[i]; i++) {
			r->group_off[i] = fmax(r->group_off[i], group_off(r, g));
			r->reached[i] = true;
		}
}
