/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What players report, in a tick: estimates by level, breakers per (vendor, group), and what
 * reports say of bitrates and session lengths.
 */
#include "scoring/loop_if.h"
#include "scoring/loop_int.h"

#include <math.h>
#include <string.h>

enum {
	LEAST_REPORTS = 100, /* sessions, before their bitrates count */
	SETTLED_S = 120,     /* of reports, before lengths are learned */
	LONGEST_GAP_S = 30,  /* between two reports that are compared */
};

_Static_assert(SL_MAX_VENDORS <= 64, "a bit per vendor");

static const struct quality_params quality_params = QUALITY_PARAMS_DEFAULT;
static const struct breaker_params breaker_params = BREAKER_PARAMS_DEFAULT;

static void add(struct quality_counts *to, const struct quality_facts *f)
{
	to->pulls += f->pulls;
	to->ok += f->ok;
	to->frames += f->frames;
	to->frames_ms += f->frames * f->frame_ms;
	to->users += f->users;
	to->stalled += f->stalled;
}

static struct quality_counts counts_of(const struct quality_facts *f)
{
	return (struct quality_counts){
		f->pulls, f->ok, f->frames, f->frames * f->frame_ms, f->users, f->stalled};
}

static void begin(struct loop *l, const struct loop_in *in)
{
	memset(l->vendor_counts, 0, sizeof(l->vendor_counts));
	memset(l->suspect, 0, in->n_groups * sizeof(l->suspect[0]));
	memset(l->told, 0, in->n_groups * sizeof(l->told[0]));
	memset(l->pulls, 0, in->n_groups * sizeof(l->pulls[0]));
	for (uint32_t k = 0; k < LOOP_LEVELS; k++)
		for (uint32_t g = 0; g < in->n_groups; g++)
			for (uint32_t v = 0; in->level[k][g] == g && v < in->n_vendors; v++)
				l->coarse[k][g][v].counts = (struct quality_counts){0};
}

/* The counts of the minute at all levels. The minute is the memory: it slides by itself. Cells that
 * no fact is of are emptied when their group is rated. */
static void count(struct loop *l, const struct loop_in *in)
{
	for (uint32_t i = 0; i < in->n_facts; i++) {
		const struct loop_fact *f = &in->fact[i];
		struct loop_cell *c = &l->cell[f->group][f->vendor];

		c->counts = counts_of(&f->minute);
		l->pulls[f->group] += f->minute.pulls;
		add(&l->vendor_counts[f->vendor], &f->minute);
		for (uint32_t k = 0; k < LOOP_LEVELS; k++)
			add(&l->coarse[k][in->level[k][f->group]][f->vendor].counts, &f->minute);
		c->window = f->window;
		l->suspect[f->group] |= breaker_suspects(&breaker_params, &f->window);
		c->audience_mbps = f->mbps;
		l->told[f->group] |= UINT64_C(1) << f->vendor;
	}
}

/* Vendors, then provinces and carriers; the groups follow when they are rated. */
static void estimate_coarse(struct loop *l, const struct loop_in *in)
{
	struct quality_estimate vendor[SL_MAX_VENDORS];

	for (uint32_t v = 0; v < in->n_vendors; v++)
		quality_shrink(&quality_params, &l->vendor_counts[v], NULL, &vendor[v]);
	for (uint32_t k = 0; k < LOOP_LEVELS; k++)
		for (uint32_t g = 0; g < in->n_groups; g++)
			for (uint32_t v = 0; in->level[k][g] == g && v < in->n_vendors; v++) {
				struct loop_coarse *c = &l->coarse[k][g][v];

				quality_shrink(
					&quality_params, &c->counts, &vendor[v], &c->estimate);
			}
}

/* The bitrates of live sessions, per vendor and region: the forecast's fast meter. Without facts
 * they age as sessions end. */
static void feed_live(struct loop *l, const struct loop_in *in)
{
	double mbps[LOOP_CELLS] = {0};

	ledger_advance(l->live, in->now_ms, l->length_s);
	if (!in->news)
		return;
	for (uint32_t i = 0; i < in->n_facts; i++) {
		const struct loop_fact *f = &in->fact[i];

		mbps[f->vendor] += f->mbps;
		if (in->n_regions) {
			uint32_t r = in->region_of[f->group * in->n_vendors + f->vendor];

			if (r != ALLOC_NO_REGION)
				mbps[SL_MAX_VENDORS + r] += f->mbps;
		}
	}
	for (uint32_t i = 0; i < LOOP_CELLS; i++)
		if (mbps[i] > 0 || ledger_known(l->live, i))
			ledger_set(l->live, i, mbps[i]);
}

/* By Little's law: who began and is not there any more has ended. Not while the minute still fills
 * and sessions come to light that had begun before. */
static void learn_length(struct loop *l, double alive, double begun_per_s, double dt_s)
{
	if (l->heard_s > SETTLED_S)
		learn_length_observe(
			&l->kept->length, alive, begun_per_s * dt_s - (alive - l->alive), dt_s);
	l->heard_s += dt_s;
	l->alive = alive;
}

static void learn(struct loop *l, const struct loop_in *in)
{
	double alive = 0, kbps = 0, begun_per_s = 0, dt_s;

	if (!in->news)
		return;
	for (uint32_t i = 0; i < in->n_facts; i++) {
		alive += in->fact[i].sessions;
		kbps += in->fact[i].mbps * 1000;
		begun_per_s += in->fact[i].minute.ok / 60 / in->sampled;
	}
	dt_s = in->now_ms > l->heard_ms ? (double)(in->now_ms - l->heard_ms) / 1000 : 0;
	l->heard_ms = in->now_ms;
	if (alive < LEAST_REPORTS || dt_s > LONGEST_GAP_S) {
		l->heard_s = 0;
		l->alive = alive;
		return;
	}
	learn_rate_report(&l->kept->rate, kbps, alive, dt_s);
	learn_length(l, alive, begun_per_s, dt_s);
}

static void take_notes(struct loop *l, const struct loop_in *in)
{
	for (uint32_t i = 0; i < in->n_notes; i++) {
		const struct loop_note *n = &in->note[i];

		quality_steer_add(&l->cell[n->group][n->vendor].steer, n->kbps, n->left);
	}
}

void loop_sense(struct loop *l, const struct loop_in *in)
{
	begin(l, in);
	take_notes(l, in);
	count(l, in);
	estimate_coarse(l, in);
	feed_live(l, in);
	learn(l, in);
}

/* --- qualities and breakers ------------------------------------------------------------------ */

/* A province's or a carrier's, whichever has more to say. */
static const struct quality_estimate *coarse_of(
	const struct loop *l, const struct loop_in *in, uint32_t g, uint32_t v)
{
	const struct loop_coarse *a = &l->coarse[0][in->level[0][g]][v];
	const struct loop_coarse *b = &l->coarse[1][in->level[1][g]][v];

	return a->counts.pulls + a->counts.users > b->counts.pulls + b->counts.users ? &a->estimate
										     : &b->estimate;
}

void loop_qualities(
	const struct loop *l, const struct alloc_row *row, double ret_quality[static SL_MAX_SLOTS])
{
	const struct alloc_service *s = &l->service[row->service];
	const struct quality_estimate *of[SL_MAX_SLOTS];
	const struct quality_steer *steer[SL_MAX_SLOTS];
	double factor[SL_MAX_SLOTS];

	for (uint32_t k = 0; k < s->n_slots; k++) {
		of[k] = &l->cell[row->group][s->slot[k].vendor].estimate;
		steer[k] = &l->cell[row->group][s->slot[k].vendor].steer;
	}
	quality_of_group(&quality_params, of, s->n_slots, ret_quality);
	quality_steer_of_group(steer, s->n_slots, factor);
	for (uint32_t k = 0; k < s->n_slots; k++)
		ret_quality[k] = SL_MAX(ret_quality[k] * factor[k], SCORE_QUALITY_MIN);
}

/* Qualities of the vendors of a row, of estimates that stand. */
static void rate(const struct loop *l, const struct loop_in *in, struct alloc_row *row)
{
	if (!in->no_quality)
		loop_qualities(l, row, row->quality);
}

/* Estimates of a group: its own, shrunk to its province or carrier. */
static void estimate(struct loop *l, const struct loop_in *in, uint32_t g)
{
	for (uint32_t v = 0; v < in->n_vendors; v++) {
		struct loop_cell *c = &l->cell[g][v];

		if (!(l->told[g] >> v & 1)) {
			c->counts = (struct quality_counts){0};
			c->window = (struct quality_facts){0};
			c->audience_mbps = 0;
		}
		quality_shrink(&quality_params, &c->counts, coarse_of(l, in, g, v), &c->estimate);
		l->suspect[g] |= !breaker_rests(&c->breaker);
	}
}

/* What players told the steering door has counted, and is less by the next tick. */
static void fade(struct loop *l, const struct loop_in *in, uint32_t g)
{
	for (uint32_t v = 0; v < in->n_vendors; v++)
		quality_steer_fade(&l->cell[g][v].steer, &quality_params, loop_dt_s(in));
}

/* The vendors of a group that compete: those that some service of the group may send to. */
struct contest {
	uint16_t vendor[SL_MAX_SLOTS];
	struct breaker state[SL_MAX_SLOTS];
	struct breaker_in in[SL_MAX_SLOTS];
	uint32_t n;
};

static uint32_t place_of(struct contest *c, uint16_t vendor)
{
	uint32_t i = 0;

	while (i < c->n && c->vendor[i] != vendor)
		i++;
	if (i == c->n && c->n < SL_MAX_SLOTS) {
		c->vendor[c->n] = vendor;
		c->in[c->n++] = (struct breaker_in){0};
	}
	return i;
}

/* A vendor's region around a group, or ALLOC_NO_REGION. */
static uint32_t region_at(const struct loop_in *in, uint32_t g, uint32_t v)
{
	return in->n_regions ? in->region_of[g * in->n_vendors + v] : ALLOC_NO_REGION;
}

static void gather(const struct loop *l, const struct loop_in *in, uint32_t g,
	struct breaker_region *region, struct contest *c)
{
	c->n = 0;
	for (uint32_t s = 0; s < l->fleet.n_services; s++) {
		const struct alloc_service *service = &l->service[s];
		const struct alloc_row *row;

		if (l->first_row[s] == UINT32_MAX)
			continue;
		row = &l->row[l->first_row[s] + g];
		for (uint32_t k = 0; k < service->n_slots; k++) {
			uint32_t i = place_of(c, service->slot[k].vendor);

			if (i < SL_MAX_SLOTS)
				c->in[i].usable |= row->block[k] == 0;
		}
	}
	for (uint32_t i = 0; i < c->n; i++) {
		const struct loop_cell *cell = &l->cell[g][c->vendor[i]];

		c->state[i] = cell->breaker;
		c->in[i].window = cell->window;
		c->in[i].estimate = cell->estimate;
		c->in[i].audience_mbps = cell->audience_mbps;
		c->in[i].room_mbps = l->room_mbps[c->vendor[i]];
		c->in[i].region = region_at(in, g, c->vendor[i]) < in->n_regions
					  ? &region[region_at(in, g, c->vendor[i])]
					  : NULL;
	}
}

/* Bars a vendor of a row, unless nobody would be left: a service may have fewer vendors than the
 * group, so the breaker's own guard does not see that. */
static void bar(const struct loop *l, struct alloc_row *row, uint32_t slot)
{
	uint32_t n = l->service[row->service].n_slots;

	for (uint32_t k = 0; k < n; k++)
		if (k != slot && row->block[k] == 0) {
			row->block[slot] = SCORE_BLACKLISTED;
			return;
		}
}

static void apply(const struct loop *l, uint32_t g, uint16_t vendor, uint32_t allows_ppm)
{
	for (uint32_t s = 0; s < l->fleet.n_services; s++) {
		const struct alloc_service *service = &l->service[s];
		struct alloc_row *row;

		if (l->first_row[s] == UINT32_MAX)
			continue;
		row = &l->row[l->first_row[s] + g];
		for (uint32_t k = 0; k < service->n_slots; k++) {
			if (service->slot[k].vendor != vendor || row->block[k])
				continue;
			row->withheld_ppm[k] = allows_ppm ? SCORE_PPM - allows_ppm : 0;
			if (!allows_ppm)
				bar(l, row, k);
		}
	}
}

static void note(struct loop *l, uint32_t g, const struct contest *c,
	const struct breaker_event *ev, uint32_t n)
{
	for (uint32_t i = 0; i < n && l->n_events < LOOP_MAX_EVENTS; i++)
		l->event[l->n_events++] = (struct loop_event){
			.event = ev[i], .vendor = c->vendor[ev[i].slot], .group = (uint16_t)g};
}

/* A group's audience, and what breakers took out of it. */
static struct breaker_region of_group(const struct loop *l, const struct loop_in *in, uint32_t g)
{
	struct breaker_region r = {0};

	for (uint32_t v = 0; v < in->n_vendors; v++) {
		const struct loop_cell *c = &l->cell[g][v];

		r.audience_mbps += c->audience_mbps;
		if (c->breaker.state != BREAKER_OPEN)
			continue;
		r.out_mbps += c->audience_mbps;
		r.groups_out = 1;
	}
	return r;
}

static void add_group(struct breaker_region *to, const struct breaker_region *group)
{
	to->audience_mbps += group->audience_mbps;
	to->out_mbps += group->out_mbps;
	to->groups_out += group->groups_out;
}

/* What the guards look at, all but the room: the audience of a group to that of all groups, and by
 * vendor region. */
static void count_group(const struct loop *l, const struct loop_in *in, uint32_t g,
	struct breaker_region *all, struct breaker_region *region)
{
	struct breaker_region group = of_group(l, in, g);

	add_group(all, &group);
	for (uint32_t v = 0; in->n_regions && v < in->n_vendors; v++)
		if (region_at(in, g, v) < in->n_regions)
			add_group(&region[region_at(in, g, v)], &group);
}

/* Room of each vendor, which counts only as far as reports cover the load, because audiences are of
 * reports. */
static void count_room(struct loop *l, const struct loop_in *in, double audience_mbps)
{
	double carried = 0;

	for (uint32_t v = 0; v < in->n_vendors; v++) {
		const struct alloc_vendor *a = &l->vendor[v];
		double load = fmax(a->current_mbps, a->forecast_mbps);

		carried += load;
		l->room_mbps[v] = fmax(0, a->max_mbps * (1 - a->headroom) - load);
	}
	for (uint32_t v = 0; carried > 0 && v < in->n_vendors; v++)
		l->room_mbps[v] *= fmin(1, audience_mbps / carried);
}

/* Rates every group; and what the guards look at. All of a group at once, for cells are many and
 * far apart. */
static struct breaker_region survey(
	struct loop *l, const struct loop_in *in, struct breaker_region *region)
{
	struct breaker_region r = {0};

	for (uint32_t g = 0; g < in->n_groups; g++) {
		estimate(l, in, g);
		count_group(l, in, g, &r, region);
		for (uint32_t s = 0; s < in->n_services; s++)
			if (l->first_row[s] != UINT32_MAX)
				rate(l, in, &l->row[l->first_row[s] + g]);
		fade(l, in, g);
	}
	count_room(l, in, r.audience_mbps);
	return r;
}

/* After a group was judged: what went out of it went out of every region around it, and took room.
 */
static void spread(const struct loop_in *in, uint32_t g, const struct contest *c,
	const struct breaker_event *ev, uint32_t n, struct breaker_region *all,
	struct breaker_region *region)
{
	for (uint32_t i = 0; i < n; i++) {
		const struct breaker_in *me = &c->in[ev[i].slot];

		if (ev[i].to != BREAKER_OPEN || ev[i].from == BREAKER_OPEN)
			continue;
		for (uint32_t r = 0; r < in->n_regions; r++) {
			bool around = region_at(in, g, in->region[r].vendor) == r;

			if (&region[r] == me->region)
				continue; /* its own has been told */
			region[r].moved_mbps += me->audience_mbps;
			if (around) {
				region[r].out_mbps += me->audience_mbps;
				region[r].groups_out++;
			}
		}
		if (!me->region)
			continue;
		all->out_mbps += me->audience_mbps;
		all->moved_mbps += me->audience_mbps;
		all->groups_out++;
	}
}

void loop_judge(struct loop *l, const struct loop_in *in)
{
	struct breaker_region region, by_region[SL_MAX_REGIONS] = {{0}};

	region = survey(l, in, by_region);
	l->n_events = 0;
	for (uint32_t g = 0; g < in->n_groups; g++) {
		struct breaker_event ev[SL_MAX_SLOTS];
		struct contest c;
		uint32_t n;

		if (!l->suspect[g] && !in->no_breakers)
			continue; /* all at rest, and nothing to judge */
		gather(l, in, g, by_region, &c);
		for (uint32_t i = 0; in->no_breakers && i < c.n; i++)
			l->cell[g][c.vendor[i]].breaker = (struct breaker){0};
		if (in->no_breakers)
			continue;
		n = breaker_tick(&breaker_params, c.state, c.in, c.n, &region, in->now_ms, ev);
		note(l, g, &c, ev, n);
		spread(in, g, &c, ev, n, &region, by_region);
		for (uint32_t i = 0; i < c.n; i++) {
			uint32_t ppm = breaker_pass_ppm(c.state[i].state);

			l->cell[g][c.vendor[i]].breaker = c.state[i];
			if (ppm < SCORE_PPM)
				apply(l, g, c.vendor[i], ppm);
		}
	}
}

/* Breakers of a group that begin now, after one bad window each. */
static uint64_t judge_anew(const struct loop *l, const struct loop_in *in, uint32_t g,
	struct breaker_region *all, struct breaker_region *region)
{
	struct breaker_event ev[SL_MAX_SLOTS];
	struct contest c;
	uint64_t barred = 0;
	uint32_t n;

	gather(l, in, g, region, &c);
	for (uint32_t i = 0; i < c.n; i++)
		c.state[i] =
			(struct breaker){.n_bad = 1, .bad_ms = {in->now_ms - BREAKER_WINDOW_MS}};
	n = breaker_tick(&breaker_params, c.state, c.in, c.n, all, in->now_ms, ev);
	spread(in, g, &c, ev, n, all, region);
	for (uint32_t i = 0; i < c.n; i++)
		if (c.state[i].state == BREAKER_OPEN)
			barred |= UINT64_C(1) << c.vendor[i];
	return barred;
}

void loop_would_bar(struct loop *l, const struct loop_in *in, uint64_t *ret_barred)
{
	struct breaker_region all = {0}, region[SL_MAX_REGIONS] = {{0}};
	bool suspect[SL_MAX_GROUPS] = {0};

	for (uint32_t i = 0; i < in->n_facts; i++) {
		const struct loop_fact *f = &in->fact[i];

		l->cell[f->group][f->vendor].window = f->window;
		suspect[f->group] |= breaker_suspects(&breaker_params, &f->window);
	}
	for (uint32_t g = 0; g < in->n_groups; g++)
		count_group(l, in, g, &all, region);
	count_room(l, in, all.audience_mbps);
	for (uint32_t g = 0; g < in->n_groups; g++)
		ret_barred[g] = suspect[g] ? judge_anew(l, in, g, &all, region) : 0;
}
