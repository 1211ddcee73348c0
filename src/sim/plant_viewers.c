/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Viewers one by one. Each alive has one place in the list of the second in which it will be looked
 * at again: when its session ends or it asks in its turn, whichever comes first. Memory is reserved
 * for all who may ever come, and touched as they do.
 */
#include "sim/plant_viewers.h"

#include "sim/plant_int.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
	WAITING = 0xfe, /* for an answer, in the list of who asks again */
	GONE = 0xff,    /* freed when its second comes */
	NOBODY = UINT32_MAX,
	NET_BITS = 16, /* of a group */
};

/* A session is off its rung by up to so much; with gain_low and gain_high up to 30 %. */
#define OFF_RUNG 0.2

struct viewer {
	uint32_t next, end_s, id;
	float full_kbps, kbps; /* what it wants, and takes now */
	uint16_t group, block;
	uint8_t door, vendor; /* vendor, or WAITING or GONE */
};

struct again {
	uint32_t viewer;
	uint16_t cur, avoid;
};

struct plant_viewers {
	struct viewer *viewer;
	uint32_t n, free; /* ever used; list of those that are free again */
	uint32_t *timer;  /* by second: list of who is looked at then */
	uint32_t n_timers, ids;
	struct again *again[2];           /* who asks again: in this second, in the next */
	double *block_sum;                /* [group][door - 1][resolver]: running sum of weights */
	double group_sum[SIM_MAX_GROUPS]; /* of the arrivals of this second */
	double kbps[SIM_MAX_GROUPS][SIM_MAX_VENDORS]; /* of who is seated */
	/* of this second */
	uint32_t n_again, at_again, n_next, at_timer, to_come;
};

/* --- draws ----------------------------------------------------------------------------------- */

/* The first of n whose running sum is above at; the last if none is. */
static uint32_t find(const double *sum, uint32_t n, double at)
{
	uint32_t low = 0;

	for (uint32_t high = n - 1; low < high;) {
		uint32_t mid = (low + high) / 2;

		if (sum[mid] > at)
			high = mid;
		else
			low = mid + 1;
	}
	return low;
}

static uint32_t draw_sum(struct plant *p, const double *sum, uint32_t n)
{
	return find(sum, n, plant_uniform(p) * sum[n - 1]);
}

static uint32_t draw_part(struct plant *p, const double *part, uint32_t n, double all)
{
	double at = plant_uniform(p) * all;
	uint32_t i = 0;

	while (i + 1 < n && (at -= part[i]) >= 0)
		i++;
	return i;
}

static enum plant_door draw_door(struct plant *p)
{
	const struct scenario_doors *d = &p->s->f.audience.doors;
	const double part[PLANT_DOORS] = {d->http, d->dialect, d->dns};

	return (enum plant_door)draw_part(p, part, PLANT_DOORS, d->http + d->dialect + d->dns);
}

/* Seconds of a session of this phase; what is below one is 0. */
static uint32_t draw_length_s(struct plant *p, uint32_t phase)
{
	double s = -log(1 - plant_uniform(p)) * p->phase_mean[phase];

	return s < 1e9 ? (uint32_t)s : 1000000000;
}

static float draw_kbps(struct plant *p, uint32_t g)
{
	const struct scenario_audience *a = &p->s->f.audience;
	double part = 0, at, off = 1 + OFF_RUNG * (2 * plant_uniform(p) - 1);
	uint32_t i = 0;

	for (uint32_t k = 0; k < a->ladder_count; k++)
		part += a->ladder[k].part;
	at = plant_uniform(p) * part;
	while (i + 1 < a->ladder_count && (at -= a->ladder[i].part) >= 0)
		i++;
	return (float)(a->ladder[i].kbps * off * p->kbps[g] / scenario_mean_kbps(a));
}

/* --- lists ----------------------------------------------------------------------------------- */

/* Looks at it again when it ends, or in its turn: a fifth of the period sooner or later, as doors
 * tell clients, so that who came together does not ask together for ever. Behind a resolver nobody
 * asks in turn. */
static void arm(struct plant *p, uint32_t i)
{
	struct plant_viewers *a = p->viewers;
	struct viewer *v = &a->viewer[i];
	double turn = p->s->f.audience.refresh_s * (0.8 + 0.4 * plant_uniform(p));
	uint32_t at = p->now_s + (uint32_t)fmax(1, plant_whole(p, turn));

	if (v->end_s < at || v->door == PLANT_DNS)
		at = v->end_s > p->now_s ? v->end_s : p->now_s + 1;
	if (at >= a->n_timers)
		return;
	v->next = a->timer[at];
	a->timer[at] = i;
}

static uint32_t come(struct plant *p, uint32_t g, enum plant_door door, uint32_t length_s)
{
	struct plant_viewers *a = p->viewers;
	uint32_t i = a->free, n = p->s->f.audience.resolvers;
	struct viewer *v;

	if (i == NOBODY)
		i = a->n++;
	v = &a->viewer[i];
	if (a->free == i)
		a->free = v->next;
	*v = (struct viewer){.end_s = p->now_s + length_s,
		.id = a->ids++,
		.full_kbps = draw_kbps(p, g),
		.group = (uint16_t)g,
		.door = (uint8_t)door,
		.vendor = WAITING};
	if (door != PLANT_HTTP)
		v->block = (uint16_t)draw_sum(
			p, a->block_sum + ((size_t)g * (PLANT_DOORS - 1) + door - 1) * n, n);
	return i;
}

static void ask_again(struct plant *p, uint32_t i, double chance, uint32_t cur, uint32_t avoid)
{
	struct plant_viewers *a = p->viewers;
	bool stays = plant_uniform(p) < chance;

	a->viewer[i].vendor = stays ? WAITING : GONE;
	if (stays)
		a->again[1][a->n_next++] = (struct again){i, (uint16_t)cur, (uint16_t)avoid};
}

/* --- seats ----------------------------------------------------------------------------------- */

static void seat(struct plant *p, struct viewer *v, uint32_t vendor, double scale)
{
	v->vendor = (uint8_t)vendor;
	v->kbps = (float)((double)v->full_kbps * scale);
	p->viewers->kbps[v->group][vendor] += (double)v->kbps;
	p->live[v->door][v->group][vendor][0]++;
}

static void unseat(struct plant *p, struct viewer *v)
{
	p->viewers->kbps[v->group][v->vendor] -= (double)v->kbps;
	p->live[v->door][v->group][v->vendor][0]--;
	v->vendor = WAITING;
}

/* A pull at a vendor: a session sits there from now on, or asks again. */
static void pull(struct plant *p, uint32_t i, uint32_t vendor, double scale)
{
	struct viewer *v = &p->viewers->viewer[i];
	bool http = v->door == PLANT_HTTP;

	p->pulls[v->group][vendor]++;
	if (plant_uniform(p) >= p->truth[v->group][vendor].success) {
		ask_again(p, i, 1 - PLANT_GIVE_UP, SIM_NONE, http ? vendor : SIM_NONE);
		return;
	}
	p->ok[v->group][vendor]++;
	if (v->end_s > p->now_s)
		seat(p, v, vendor, scale);
	else
		v->vendor = GONE;
}

void plant_tell(struct plant *p, const struct plant_ask *ask, uint32_t vendor, double scale)
{
	struct viewer *v = &p->viewers->viewer[ask->viewer];

	if (vendor == v->vendor)
		return;
	if (v->vendor < WAITING)
		unseat(p, v);
	if (vendor == SIM_NONE)
		ask_again(p, ask->viewer, 0.5, SIM_NONE, SIM_NONE);
	else
		pull(p, ask->viewer, vendor, scale);
}

/* --- who asks -------------------------------------------------------------------------------- */

static void fill(
	const struct plant *p, uint32_t i, uint32_t cur, uint32_t avoid, struct plant_ask *ret_ask)
{
	const struct viewer *v = &p->viewers->viewer[i];

	*ret_ask = (struct plant_ask){.viewer = i,
		.id = v->id,
		.group = v->group,
		.block = v->block,
		.cur = (uint16_t)cur,
		.avoid = (uint16_t)avoid,
		.door = (enum plant_door)v->door};
}

static bool next_again(struct plant *p, struct plant_ask *ret_ask)
{
	struct plant_viewers *a = p->viewers;

	while (a->at_again < a->n_again) {
		const struct again *w = &a->again[0][a->at_again++];
		struct viewer *v = &a->viewer[w->viewer];

		if (v->end_s > p->now_s) {
			fill(p, w->viewer, w->cur, w->avoid, ret_ask);
			return true;
		}
		v->vendor = GONE;
	}
	return false;
}

static void release(struct plant_viewers *a, uint32_t i)
{
	a->viewer[i].vendor = GONE;
	a->viewer[i].next = a->free;
	a->free = i;
}

static bool next_in_turn(struct plant *p, struct plant_ask *ret_ask)
{
	struct plant_viewers *a = p->viewers;

	while (a->at_timer != NOBODY) {
		uint32_t i = a->at_timer;
		struct viewer *v = &a->viewer[i];

		a->at_timer = v->next;
		if (a->at_timer != NOBODY)
			__builtin_prefetch(&a->viewer[a->at_timer], 1);
		if (v->vendor < WAITING && v->end_s <= p->now_s) {
			unseat(p, v);
			v->vendor = GONE;
		}
		if (v->vendor == GONE) {
			release(a, i);
			continue;
		}
		arm(p, i);
		if (v->vendor < WAITING) {
			fill(p, i, v->vendor, SIM_NONE, ret_ask);
			return true;
		}
	}
	return false;
}

static bool next_new(struct plant *p, struct plant_ask *ret_ask)
{
	struct plant_viewers *a = p->viewers;
	enum plant_door door;
	uint32_t g, i, phase;

	if (a->to_come == 0)
		return false;
	a->to_come--;
	phase = draw_part(p, p->phase_part, PLANT_PHASES, 1);
	g = draw_sum(p, a->group_sum, p->n_groups);
	door = draw_door(p);
	i = come(p, g, door, draw_length_s(p, phase));
	arm(p, i);
	fill(p, i, SIM_NONE, SIM_NONE, ret_ask);
	return true;
}

bool plant_next_ask(struct plant *p, struct plant_ask *ret_ask)
{
	return next_again(p, ret_ask) || next_in_turn(p, ret_ask) || next_new(p, ret_ask);
}

/* --- a second -------------------------------------------------------------------------------- */

void plant_viewers_begin(struct plant *p)
{
	struct plant_viewers *a = p->viewers;
	struct again *was = a->again[0];
	double all = 0;

	for (uint32_t g = 0; g < p->n_groups; g++) {
		all += plant_arrivals(p, g, p->now_s);
		a->group_sum[g] = all;
	}
	memset(p->pulls, 0, sizeof(p->pulls));
	memset(p->ok, 0, sizeof(p->ok));
	a->to_come = (uint32_t)plant_whole(p, all);
	a->at_timer = a->timer[p->now_s];
	a->again[0] = a->again[1];
	a->again[1] = was;
	a->n_again = a->n_next;
	a->at_again = a->n_next = 0;
}

/* Sessions of a vendor that fails break; over HTTP they ask again naming it. */
static void breaks(struct plant *p)
{
	struct plant_viewers *a = p->viewers;
	double chance[SIM_MAX_GROUPS][SIM_MAX_VENDORS];
	bool any = false;

	for (uint32_t g = 0; g < p->n_groups; g++)
		for (uint32_t v = 0; v < p->n_vendors; v++) {
			double ok = p->truth[g][v].success;

			chance[g][v] = ok < 0.5 ? PLANT_BREAK_RATE * (1 - ok) : 0;
			any |= ok < 0.5;
		}
	for (uint32_t i = 0; any && i < a->n; i++) {
		struct viewer *v = &a->viewer[i];
		uint32_t at = v->vendor;

		if (at >= WAITING || !(chance[v->group][at] > 0) ||
			plant_uniform(p) >= chance[v->group][at])
			continue;
		unseat(p, v);
		if (v->door == PLANT_HTTP)
			ask_again(p, i, 1 - PLANT_GIVE_UP, at, at);
		else
			ask_again(p, i, 1, SIM_NONE, SIM_NONE);
	}
}

void plant_viewers_end(struct plant *p)
{
	breaks(p);
	for (uint32_t g = 0; g < p->n_groups; g++)
		for (uint32_t v = 0; v < p->n_vendors; v++) {
			double n = plant_live(p, g, v);

			p->scale[g][v] = n > 0 ? p->viewers->kbps[g][v] / (n * p->kbps[g]) : 1;
		}
}

/* --- the whole ------------------------------------------------------------------------------- */

/* Those who are there already, aged as in a steady state. */
static void seat_first(struct plant *p)
{
	double steady[PLANT_PHASES], phases = 0, at[SIM_MAX_VENDORS], vendors = 0;
	uint32_t n = (uint32_t)p->s->f.audience.seated;

	for (uint32_t k = 0; k < PLANT_PHASES; k++)
		phases += steady[k] = p->phase_part[k] * p->phase_mean[k];
	for (uint32_t v = 0; v < p->n_vendors; v++)
		vendors += at[v] = scenario_seated_at(p->s, v, p->mean_kbps);
	for (uint32_t k = 0; k < n; k++) {
		enum plant_door door = draw_door(p);
		uint32_t phase = draw_part(p, steady, PLANT_PHASES, phases);
		uint32_t g = draw_part(p, p->part, p->n_groups, 1);
		uint32_t i = come(
			p, g, door == PLANT_HTTP ? door : PLANT_DNS, 1 + draw_length_s(p, phase));

		arm(p, i);
		seat(p, &p->viewers->viewer[i], draw_part(p, at, p->n_vendors, vendors), 1);
	}
}

static void sum_blocks(struct plant *p)
{
	uint32_t n = p->s->f.audience.resolvers;

	for (uint32_t i = 0; i < p->n_groups * (PLANT_DOORS - 1); i++) {
		double sum = 0;

		for (uint32_t k = 0; k < n; k++) {
			sum += p->block[(size_t)i * n + k].weight;
			p->viewers->block_sum[(size_t)i * n + k] = sum;
		}
	}
}

/* All who may ever come. */
static double most(const struct plant *p)
{
	double n = p->s->f.audience.seated + 1;

	for (uint32_t t = 0; t < p->s->f.duration_s; t++) {
		for (uint32_t g = 0; g < p->n_groups; g++)
			n += plant_arrivals(p, g, t);
		n++;
	}
	return n;
}

struct plant_viewers *plant_viewers_new(struct plant *p)
{
	struct plant_viewers *a = calloc(1, sizeof(*a));
	double n = most(p);

	if (!a || n >= NOBODY) {
		free(a);
		return NULL;
	}
	p->viewers = a;
	a->free = NOBODY;
	a->n_timers = p->s->f.duration_s + 1;
	a->viewer = malloc((size_t)n * sizeof(*a->viewer));
	a->again[0] = malloc((size_t)n * sizeof(*a->again[0]));
	a->again[1] = malloc((size_t)n * sizeof(*a->again[1]));
	a->timer = malloc(a->n_timers * sizeof(*a->timer));
	a->block_sum =
		malloc(((size_t)p->n_groups * (PLANT_DOORS - 1) * p->s->f.audience.resolvers + 1) *
			sizeof(*a->block_sum));
	if (!a->viewer || !a->again[0] || !a->again[1] || !a->timer || !a->block_sum) {
		plant_viewers_free(a);
		p->viewers = NULL;
		return NULL;
	}
	for (uint32_t t = 0; t < a->n_timers; t++)
		a->timer[t] = NOBODY;
	sum_blocks(p);
	seat_first(p);
	return a;
}

void plant_viewers_free(struct plant_viewers *a)
{
	if (!a)
		return;
	free(a->viewer);
	free(a->again[0]);
	free(a->again[1]);
	free(a->timer);
	free(a->block_sum);
	free(a);
}

/* --- addresses ------------------------------------------------------------------------------- */

struct ip plant_group_ip(uint32_t group)
{
	_Static_assert(SIM_MAX_GROUPS <= 256 && NET_BITS == 16, "an octet of the address");

	return (struct ip){.b = {0x24, (uint8_t)group}, .family = IP_V6};
}

struct ip plant_resolver_ip(const struct plant_ask *ask)
{
	struct ip a = plant_group_ip(ask->group);

	a.b[4] = (uint8_t)ask->door;
	a.b[5] = (uint8_t)(ask->block >> 8);
	a.b[6] = (uint8_t)ask->block;
	return a;
}

struct ip plant_client_ip(const struct plant_ask *ask)
{
	struct ip a = plant_resolver_ip(ask);

	for (uint32_t i = 0; i < 4; i++)
		a.b[12 + i] = (uint8_t)(ask->id >> (8 * i));
	return a;
}
