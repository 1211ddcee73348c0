/* SPDX-License-Identifier: Apache-2.0 */
/* What can be seen of the world: windowed meters, and reports of players. */
#include "base/glob.h"
#include "base/str.h"
#include "sim/plant_int.h"

#include <math.h>

#define HEARD_S 15.0 /* reports come every 30 s */
#define FEW     20.0 /* of the mean: below, a normal law is not like a count */

/* The product of the factors of an event kind on a vendor; 1 without any. ret_silent: any at all.
 */
static double meter_factor(const struct plant *p, uint32_t v, bool *ret_silent)
{
	double factor = p->s->f.vendors[v].meter.factor;

	*ret_silent = false;
	for (uint32_t i = 0; i < p->s->f.events_count; i++) {
		const struct scenario_event *e = &p->s->f.events[i];

		if (!scenario_event_holds(e, p->now_s) ||
			!glob_match(str_from(e->vendor), str_from(p->s->f.vendors[v].name), false))
			continue;
		if (e->kind == SCENARIO_METER_SILENT)
			*ret_silent = true;
		else if (e->kind == SCENARIO_METER_FACTOR)
			factor = e->value;
	}
	return factor;
}

static void tell(
	struct plant *p, uint32_t v, uint16_t region, double mbps, int64_t from_s, int64_t to_s)
{
	const struct scenario_meter *m = &p->s->f.vendors[v].meter;

	if (p->n_meters == PLANT_MAX_METERS)
		return;
	p->meter[p->n_meters++] = (struct plant_meter){.vendor = (uint16_t)v,
		.region = region,
		.mbps = fmax(0, mbps * (1 + m->noise * plant_normal(p))),
		.start_ms = (uint64_t)((int64_t)PLANT_EPOCH_MS + from_s * 1000),
		.end_ms = (uint64_t)((int64_t)PLANT_EPOCH_MS + to_s * 1000)};
}

static void meter(struct plant *p, uint32_t v, uint32_t first_region)
{
	const struct scenario_vendor *from = &p->s->f.vendors[v];
	uint32_t window = from->meter.window_s, late = from->meter.late_s;
	uint32_t cells = p->n_vendors + p->n_regions, phase = v * 7 % window;
	bool silent;
	double factor = meter_factor(p, v, &silent);
	const double *end, *begin;

	/* the world did not begin with the scenario: a first figure is there */
	if (p->now_s == 1)
		tell(p, v, SIM_NONE, p->load[v] * factor, 1 - (int64_t)window, 1);
	if (silent || p->now_s < late + window + phase || (p->now_s - late - phase) % window != 0)
		return;
	end = p->sum + (size_t)(p->now_s - late) * cells;
	begin = end - (size_t)window * cells;
	tell(p, v, SIM_NONE, (end[v] - begin[v]) / window * factor,
		(int64_t)p->now_s - late - window, (int64_t)p->now_s - late);
	for (uint32_t r = 0; r < from->regions_count; r++) {
		uint32_t c = p->n_vendors + first_region + r;

		tell(p, v, (uint16_t)(first_region + r), (end[c] - begin[c]) / window * factor,
			(int64_t)p->now_s - late - window, (int64_t)p->now_s - late);
	}
}

double plant_whole(struct plant *p, double x)
{
	double low = floor(x);

	return plant_uniform(p) < x - low ? low + 1 : low;
}

/* By inversion: exact, and for few the only one that is right in the mean. */
static double draw_few(struct plant *p, double n, double chance)
{
	double at = plant_uniform(p), one = pow(1 - chance, n), k = 0;

	for (; at >= one && k < n; k++) {
		at -= one;
		one *= (n - k) / (k + 1) * chance / (1 - chance);
	}
	return k;
}

/* How many of n, a whole number, have what each has with this chance. */
static double draw(struct plant *p, double n, double chance)
{
	double rare = fmin(chance, 1 - chance), mean = n * rare, k;

	if (mean < FEW)
		k = draw_few(p, n, rare);
	else
		k = fmin(n, fmax(0, round(mean + sqrt(mean * (1 - rare)) * plant_normal(p))));
	return chance > rare ? n - k : k;
}

/* Of the users of a cell, those who stalled within the minute: a sum that slides, as what collect
 * tells does. At the start a minute has been. */
static double draw_stalled(struct plant *p, uint32_t g, uint32_t v, double users)
{
	double chance = (1 - p->truth[g][v].zero_stall) / PLANT_MINUTE_S, part = 0;
	double *ring = p->stalled[g][v];

	for (uint32_t i = 0; i < PLANT_MINUTE_S; i++) {
		if (i == p->now_s % PLANT_MINUTE_S || p->now_s == 1)
			ring[i] = users > 0 ? draw(p, users, chance) / users : 0;
		part += ring[i];
	}
	return round(users * fmin(1, part));
}

static void forge(
	struct plant *p, uint32_t g, uint32_t v, double pulls_of_group, double users_of_group)
{
	for (uint32_t i = 0; i < p->s->f.events_count; i++) {
		const struct scenario_event *e = &p->s->f.events[i];
		struct plant_facts *f = &p->facts[g][v];
		bool plausible = e->kind == SCENARIO_FORGED_PLAUSIBLE;

		if ((e->kind != SCENARIO_FORGED && !plausible) ||
			!scenario_event_holds(e, p->now_s) ||
			!glob_match(
				str_from(e->vendor), str_from(p->s->f.vendors[v].name), false) ||
			!glob_group_match(
				str_from(e->groups), str_from(p->s->f.audience.groups[g].name)))
			continue;
		if (!plausible) {
			f->net_pulls += pulls_of_group * e->value;
			f->net_users += users_of_group * e->value;
			continue;
		}
		f->pulls += pulls_of_group * e->value;
		f->ok += pulls_of_group * e->value * 0.7;
		f->users += users_of_group * e->value;
		f->stalled += users_of_group * e->value * 0.2;
	}
}

static void report(struct plant *p, uint32_t g)
{
	double share = p->s->f.audience.reports, pulls = 0, users = 0;

	for (uint32_t v = 0; v < p->n_vendors; v++) {
		const struct plant_truth *t = &p->truth[g][v];
		struct plant_facts *f = &p->facts[g][v];
		double live = plant_live(p, g, v) * share;

		f->pulls = plant_whole(p, p->pulls[g][v] * share);
		f->ok = draw(p, f->pulls,
			p->pulls[g][v] > 0 ? fmin(1, p->ok[g][v] / p->pulls[g][v]) : 1);
		f->frames = f->ok;
		f->frame_ms = t->first_frame_ms *
			      (1 + (f->ok > 0 ? 0.5 / sqrt(f->ok) * plant_normal(p) : 0));
		f->net_pulls = f->net_users = 0;
		f->users = floor(live);
		f->stalled = draw_stalled(p, g, v, f->users);
		f->live += (live - f->live) / HEARD_S;
		f->live_mbps +=
			(live * p->scale[g][v] * p->kbps[g] / 1000 - f->live_mbps) / HEARD_S;
		pulls += f->pulls;
		users += f->users;
	}
	for (uint32_t v = 0; v < p->n_vendors; v++)
		forge(p, g, v, pulls, users);
}

void plant_measure(struct plant *p)
{
	p->n_meters = 0;
	for (uint32_t v = 0, region = 0; v < p->n_vendors; v++) {
		meter(p, v, region);
		region += p->s->f.vendors[v].regions_count;
	}
	for (uint32_t g = 0; g < p->n_groups; g++)
		report(p, g);
}
