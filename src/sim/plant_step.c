/* SPDX-License-Identifier: Apache-2.0 */
/* One second of the world: what happens, who asks, who leaves. */
#include "base/glob.h"
#include "base/str.h"
#include "sim/plant_int.h"
#include "sim/plant_viewers.h"

#include <math.h>
#include <string.h>

static bool in_vendor(const struct plant *p, const struct scenario_event *e, uint32_t v)
{
	return glob_match(str_from(e->vendor), str_from(p->s->f.vendors[v].name), false);
}

static bool in_group(const struct plant *p, const struct scenario_event *e, uint32_t g)
{
	return glob_group_match(str_from(e->groups), str_from(p->s->f.audience.groups[g].name));
}

static void reset(struct plant *p)
{
	p->scheduler_down = false;
	for (uint32_t v = 0, r = 0; v < p->n_vendors; v++) {
		const struct scenario_vendor *from = &p->s->f.vendors[v];

		p->guaranteed[v] = from->guaranteed_mbps;
		p->maximum[v] = from->max_mbps;
		p->weight[v] = from->weight;
		p->external[v] = from->external_mbps;
		p->drained[v] = false;
		for (uint32_t i = 0; i < from->regions_count; i++, r++) {
			p->region_guaranteed[r] = from->regions[i].guaranteed_mbps;
			p->region_maximum[r] = from->regions[i].max_mbps;
		}
		for (uint32_t g = 0; g < p->n_groups; g++)
			p->truth[g][v] = (struct plant_truth){
				.success = fmin(1, from->quality.success + p->spread[g][v]),
				.first_frame_ms = from->quality.first_frame_ms,
				.zero_stall = from->quality.zero_stall};
	}
}

static void happen_truth(const struct scenario_event *e, struct plant_truth *t)
{
	if (e->kind == SCENARIO_DOWN || e->kind == SCENARIO_QUALITY)
		t->success = e->value;
	else if (e->kind == SCENARIO_STALL)
		t->zero_stall = 1 - e->value;
	else if (e->kind == SCENARIO_SLOW)
		t->first_frame_ms = e->value;
}

static void happen_regions(
	struct plant *p, const struct scenario_event *e, uint32_t v, uint32_t first_region)
{
	const struct scenario_vendor *of = &p->s->f.vendors[v];

	for (uint32_t i = 0; i < of->regions_count; i++) {
		if (!glob_match(str_from(e->region), str_from(of->regions[i].name), false))
			continue;
		if (e->kind == SCENARIO_GUARANTEED)
			p->region_guaranteed[first_region + i] = e->value;
		else
			p->region_maximum[first_region + i] = e->value;
	}
}

static bool of_regions(const struct scenario_event *e)
{
	return (e->kind == SCENARIO_GUARANTEED || e->kind == SCENARIO_MAXIMUM) && e->region;
}

static void happen_vendor(
	struct plant *p, const struct scenario_event *e, uint32_t v, uint32_t first_region)
{
	if (of_regions(e))
		happen_regions(p, e, v, first_region);
	else if (e->kind == SCENARIO_DRAIN)
		p->drained[v] = true;
	else if (e->kind == SCENARIO_WEIGHT)
		p->weight[v] = e->value;
	else if (e->kind == SCENARIO_GUARANTEED)
		p->guaranteed[v] = e->value;
	else if (e->kind == SCENARIO_MAXIMUM)
		p->maximum[v] = e->value;
	else if (e->kind == SCENARIO_EXTERNAL)
		p->external[v] = e->value;
	for (uint32_t g = 0; g < p->n_groups; g++)
		if (in_group(p, e, g))
			happen_truth(e, &p->truth[g][v]);
}

static void happen(struct plant *p)
{
	reset(p);
	for (uint32_t i = 0; i < p->s->f.events_count; i++) {
		const struct scenario_event *e = &p->s->f.events[i];

		if (!scenario_event_holds(e, p->now_s))
			continue;
		if (e->kind == SCENARIO_RESTART)
			p->scheduler_down = true;
		for (uint32_t v = 0, r = 0; v < p->n_vendors; v++) {
			if (in_vendor(p, e, v))
				happen_vendor(p, e, v, r);
			r += p->s->f.vendors[v].regions_count;
		}
	}
	for (uint32_t v = 0; v < p->n_vendors; v++)
		p->guaranteed[v] = fmin(p->guaranteed[v], p->maximum[v]);
	for (uint32_t r = 0; r < p->n_regions; r++)
		p->region_guaranteed[r] = fmin(p->region_guaranteed[r], p->region_maximum[r]);
}

static double demand_factor(const struct plant *p, uint32_t g, uint32_t now_s)
{
	double factor = 1;

	for (uint32_t i = 0; i < p->s->f.events_count; i++) {
		const struct scenario_event *e = &p->s->f.events[i];

		if (e->kind == SCENARIO_DEMAND && scenario_event_holds(e, now_s) &&
			in_group(p, e, g))
			factor *= e->value;
	}
	return factor;
}

double plant_arrivals(const struct plant *p, uint32_t group, uint32_t now_s)
{
	double at_s = fmax(now_s + 0.5, p->s->f.scheduler.warm_s);

	return scenario_arrivals(&p->s->f.audience, at_s) * p->part[group] *
	       demand_factor(p, group, now_s);
}

static void come(struct plant *p)
{
	const struct scenario_audience *a = &p->s->f.audience;
	const double part[PLANT_DOORS] = {a->doors.http, a->doors.dialect, a->doors.dns};
	double all = part[0] + part[1] + part[2];

	for (uint32_t g = 0; g < p->n_groups; g++) {
		double n = plant_arrivals(p, g, p->now_s);

		for (uint32_t k = 0; k < PLANT_PHASES; k++)
			p->would_be[g][k] += n * p->phase_part[k];
		for (uint32_t d = 0; d < PLANT_DOORS; d++) {
			p->fresh[g][d] = n * part[d] / all + p->waiting[g][d];
			p->waiting[g][d] = 0;
		}
		for (uint32_t v = 0; v < p->n_vendors; v++) {
			p->retry[g][v] = p->broken[g][v] * (1 - PLANT_GIVE_UP);
			p->broken[g][v] = p->pulls[g][v] = p->ok[g][v] = 0;
		}
	}
}

void plant_begin(struct plant *p)
{
	happen(p);
	if (p->viewers)
		plant_viewers_begin(p);
	else
		come(p);
}

void plant_seat(struct plant *p, enum plant_door door, uint32_t group, uint32_t vendor,
	double sessions, double scale)
{
	double good = sessions * p->truth[group][vendor].success;
	double *mean = &p->scale[group][vendor], seated;

	if (*mean != scale && good > 0) {
		seated = plant_live(p, group, vendor);
		*mean = (*mean * seated + scale * good) / (seated + good);
	}
	p->pulls[group][vendor] += sessions;
	p->ok[group][vendor] += good;
	for (uint32_t k = 0; k < PLANT_PHASES; k++)
		p->live[door][group][vendor][k] += good * p->phase_part[k];
	if (door == PLANT_HTTP)
		p->broken[group][vendor] += sessions - good;
	else
		p->waiting[group][door] += (sessions - good) * (1 - PLANT_GIVE_UP);
}

double plant_unseat(struct plant *p, uint32_t group, uint32_t vendor, double part)
{
	double *live = p->live[PLANT_HTTP][group][vendor], n = 0;

	for (uint32_t k = 0; k < PLANT_PHASES; k++) {
		n += live[k] * part;
		live[k] -= live[k] * part;
	}
	return n;
}

double plant_move_block(struct plant *p, uint32_t group, struct plant_block *b, uint32_t vendor)
{
	double n = 0;

	for (uint32_t k = 0; b->vendor != SIM_NONE && vendor != SIM_NONE && k < PLANT_PHASES; k++) {
		double move = fmin(b->live[k], p->live[PLANT_DIALECT][group][b->vendor][k]);

		p->live[PLANT_DIALECT][group][b->vendor][k] -= move;
		p->live[PLANT_DIALECT][group][vendor][k] += move;
		n += move;
	}
	b->vendor = vendor;
	return n;
}

void plant_refuse(struct plant *p, enum plant_door door, uint32_t group, double sessions)
{
	p->waiting[group][door] += sessions / 2;
}

struct plant_block *plant_blocks(struct plant *p, uint32_t group, enum plant_door door)
{
	return p->block +
	       ((size_t)group * (PLANT_DOORS - 1) + door - 1) * p->s->f.audience.resolvers;
}

bool plant_block_asks(struct plant *p, const struct plant_block *b, double sessions)
{
	if (p->now_s < b->expires_s || !(sessions > 0))
		return false;
	return sessions > 20 || plant_uniform(p) < 1 - exp(-sessions);
}

double plant_live(const struct plant *p, uint32_t group, uint32_t vendor)
{
	double n = 0;

	for (uint32_t d = 0; d < PLANT_DOORS; d++)
		for (uint32_t k = 0; k < PLANT_PHASES; k++)
			n += p->live[d][group][vendor][k];
	return n;
}

bool plant_faulty(const struct plant *p, uint32_t group, uint32_t vendor)
{
	const struct scenario_quality *q = &p->s->f.vendors[vendor].quality;
	const struct plant_truth *t = &p->truth[group][vendor];

	return t->success < q->success - 0.01 - fabs(p->spread[group][vendor]) ||
	       t->zero_stall < q->zero_stall - 0.01 || t->first_frame_ms > q->first_frame_ms * 1.5;
}

double plant_demand_mbps(const struct plant *p, uint32_t group)
{
	double n = 0;

	for (uint32_t k = 0; k < PLANT_PHASES; k++)
		n += p->would_be[group][k];
	return n * p->kbps[group] / 1000;
}

/* Sessions end by themselves; those of a vendor that fails break. */
static void leave(struct plant *p)
{
	for (uint32_t g = 0; g < p->n_groups; g++) {
		for (uint32_t k = 0; k < PLANT_PHASES; k++)
			p->would_be[g][k] *= p->phase_keep[k];
		for (uint32_t v = 0; v < p->n_vendors; v++) {
			double ok = p->truth[g][v].success;
			double stay = ok < 0.5 ? 1 - PLANT_BREAK_RATE * (1 - ok) : 1;

			for (uint32_t d = 0; d < PLANT_DOORS; d++)
				for (uint32_t k = 0; k < PLANT_PHASES; k++) {
					double *n = &p->live[d][g][v][k];

					*n *= p->phase_keep[k];
					if (d == PLANT_HTTP)
						p->broken[g][v] += *n * (1 - stay);
					else
						p->waiting[g][d] += *n * (1 - stay);
					*n *= stay;
				}
		}
		for (uint32_t i = 0;
			p->s->f.audience.doors.dialect > 0 && i < p->s->f.audience.resolvers; i++)
			for (uint32_t k = 0; k < PLANT_PHASES; k++)
				plant_blocks(p, g, PLANT_DIALECT)[i].live[k] *= p->phase_keep[k];
	}
}

/* Loads of now, and their integrals for the meters. */
static void load(struct plant *p)
{
	uint32_t cells = p->n_vendors + p->n_regions;
	double *was = p->sum + (size_t)p->now_s * cells, *now = was + cells;

	memset(p->region_load, 0, sizeof(p->region_load));
	for (uint32_t v = 0; v < p->n_vendors; v++) {
		p->load[v] = p->external[v];
		for (uint32_t g = 0; g < p->n_groups; g++) {
			double mbps = plant_live(p, g, v) * p->scale[g][v] * p->kbps[g] / 1000;

			p->load[v] += mbps;
			if (p->region_of[g][v] != SIM_NONE)
				p->region_load[p->region_of[g][v]] += mbps;
		}
		now[v] = was[v] + p->load[v];
	}
	for (uint32_t r = 0; r < p->n_regions; r++)
		now[p->n_vendors + r] = was[p->n_vendors + r] + p->region_load[r];
}

void plant_end(struct plant *p)
{
	if (p->viewers)
		plant_viewers_end(p);
	else
		leave(p);
	load(p);
	p->now_s++;
	plant_measure(p);
}
