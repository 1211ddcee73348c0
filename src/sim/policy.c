/* SPDX-License-Identifier: Apache-2.0 */
/* The policies by name. */
#include "sim/policy.h"

#include "sim/policy_int.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define X(id, name, doc) name,
static const char *const names[POLICY_KINDS] = {POLICY_MAP(X)};
#undef X

enum policy_kind policy_find(const char *name)
{
	uint32_t i = 0;

	while (i < POLICY_KINDS && strcmp(names[i], name) != 0)
		i++;
	return (enum policy_kind)i;
}

const char *policy_name(enum policy_kind kind)
{
	return names[kind];
}

struct policy *policy_new(enum policy_kind kind, const struct plant *p)
{
	struct policy *me = calloc(1, sizeof(*me));

	if (!me)
		return NULL;
	me->kind = kind;
	me->world = p;
	me->kbps = p->s->f.scheduler.bitrate_kbps > 0 ? p->s->f.scheduler.bitrate_kbps
						      : scenario_mean_kbps(&p->s->f.audience);
	for (uint32_t c = 0; c < SL_COUNT(me->out.ceiling); c++)
		me->out.ceiling[c] = HUGE_VAL;
	for (uint32_t g = 0; g < p->n_groups; g++) {
		me->out.row[g].lowered = 1;
		me->out.row[g].rung_ppm[0] = SCORE_PPM;
	}
	if (p->s->sessions && policy_answer_init(me)) {
		policy_free(me);
		return NULL;
	}
	if ((kind == POLICY_SLUICE || kind == POLICY_CURRENT) && policy_sluice_init(me)) {
		policy_free(me);
		return NULL;
	}
	return me;
}

void policy_free(struct policy *p)
{
	if (!p)
		return;
	policy_sluice_done(p);
	policy_answer_done(p->answer);
	free(p);
}

void policy_tick(struct policy *p)
{
	p->now_ms = PLANT_EPOCH_MS + (uint64_t)p->world->now_s * 1000;
	switch (p->kind) {
	case POLICY_SLUICE:
		policy_sluice_tick(p);
		break;
	case POLICY_CURRENT:
		policy_current_tick(p);
		break;
	case POLICY_FIXED:
		policy_fixed_tick(p);
		break;
	default:
		policy_least_tick(p);
	}
	if (p->answer)
		policy_answer_take(p);
}

void policy_restart(struct policy *p)
{
	if (p->kind == POLICY_SLUICE || p->kind == POLICY_CURRENT)
		policy_sluice_restart(p);
}

const struct policy_decision *policy_decision(const struct policy *p)
{
	return &p->out;
}

bool policy_forecast(const struct policy *p, uint32_t vendor, double *ret_mbps)
{
	if (p->kind != POLICY_SLUICE)
		return false;
	*ret_mbps = p->l->loop.forecast[vendor].mbps;
	return true;
}
