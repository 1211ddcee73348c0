/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Generator and properties. The formula is written here a second time, straight from the text. Long
 * because both sides share that second writing and what it keeps of a fleet.
 */
#include "fleets.h"

#include <math.h>
#include <string.h>

static uint64_t rnd(uint64_t *x)
{
	*x ^= *x << 13;
	*x ^= *x >> 7;
	*x ^= *x << 17;
	return *x >> 11;
}

static double unit(uint64_t *x)
{
	return (double)rnd(x) * 0x1p-53;
}

static bool one_in(uint64_t *x, uint32_t n)
{
	return rnd(x) % n == 0;
}

static double random_load(uint64_t *x, double g, double m, double h)
{
	double eps = one_in(x, 2) ? 1e-6 : -1e-6;

	switch (rnd(x) % 10) {
	case 0:
		return fmax(0, g * (1 + eps));
	case 1:
		return m * (1 - h) * (1 + eps);
	case 2:
		return m * (1 + eps);
	case 3:
		return g;
	case 4:
		return 0;
	case 5:
		return g * unit(x);
	default:
		return m * 1.05 * unit(x);
	}
}

static double random_quality(uint64_t *x)
{
	uint64_t r = rnd(x) % 8;

	return r == 0 ? 0.01 : r == 1 ? 1 : 0.01 + 0.99 * sqrt(unit(x));
}

static void random_vendor(struct alloc_vendor *v, uint64_t *x, bool no_guarantee)
{
	double m = pow(10, 1 + 6 * unit(x)), g = m * unit(x);

	if (no_guarantee || one_in(x, 5))
		g = 0;
	else if (one_in(x, 10))
		g = m;
	*v = (struct alloc_vendor){g, m, 0, -1, one_in(x, 4) ? 0 : 0.02, true};
	v->current_mbps = random_load(x, g, m, v->headroom);
	if (one_in(x, 3))
		v->forecast_mbps = random_load(x, g, m, v->headroom);
}

static void random_regions(struct fleets_one *f, uint64_t *x)
{
	struct alloc_fleet *a = &f->view;

	for (uint32_t i = 0; i < a->n_groups * a->n_vendors; i++)
		f->region_of[i] = ALLOC_NO_REGION;
	for (uint32_t v = 0; v < a->n_vendors; v++) {
		uint32_t n = one_in(x, 2) ? 0 : 1 + (uint32_t)(rnd(x) % 3);

		for (uint32_t k = 0; k < n; k++) {
			double m = f->vendor[v].max_mbps * unit(x), g = m * unit(x);
			struct alloc_region r = {(uint16_t)v, one_in(x, 4) ? HUGE_VAL : g,
				one_in(x, 4) ? HUGE_VAL : m, 0, -1};

			r.current_mbps = random_load(x, g, m, f->vendor[v].headroom);
			f->region[a->n_regions] = r;
			for (uint32_t gr = 0; gr < a->n_groups; gr++)
				if (one_in(x, 2))
					f->region_of[gr * a->n_vendors + v] =
						(uint16_t)a->n_regions;
			a->n_regions++;
		}
	}
}

static void random_service(struct fleets_one *f, struct alloc_service *s, uint64_t *x)
{
	uint32_t n = f->view.n_vendors, from = (uint32_t)(rnd(x) % n);
	bool all = f->view.n_services == 1;

	*s = (struct alloc_service){.params = SCORE_PARAMS_DEFAULT};
	if (one_in(x, 2))
		s->params.trickle_ppm = 0;
	for (uint32_t i = 0; i < n; i++) {
		if (!all && n > 1 && one_in(x, 3))
			continue;
		s->slot[s->n_slots].weight = f->equal_weights ? 1 : 0.1 + 3 * unit(x);
		s->slot[s->n_slots++].vendor = (uint16_t)((from + i * 7) % n);
	}
	for (uint32_t i = 0; i < s->n_slots; i++) /* 7 may divide n: then plain order */
		for (uint32_t k = 0; k < i; k++)
			if (s->slot[i].vendor == s->slot[k].vendor) {
				for (uint32_t j = 0; j < s->n_slots; j++)
					s->slot[j].vendor = (uint16_t)j;
				return;
			}
}

static void random_row(
	struct fleets_one *f, uint32_t service, uint32_t group, double demand, uint64_t *x)
{
	struct alloc_row *r = &f->row[f->view.n_rows++];

	*r = (struct alloc_row){.service = (uint16_t)service,
		.group = (uint16_t)group,
		.demand_mbps = one_in(x, 4) ? 0 : demand * unit(x),
		.trickle_ppm = one_in(x, 4) ? 1000 : UINT32_MAX};
	for (uint32_t i = 0; i < f->service[service].n_slots; i++) {
		r->quality[i] = random_quality(x);
		if (one_in(x, 12))
			r->block[i] = one_in(x, 2) ? SCORE_DRAINED : SCORE_BLACKLISTED;
	}
}

/* Makes pairs that differ in one thing only: that is where the rules bite. */
static void twins(struct fleets_one *f, uint64_t *x)
{
	uint32_t a = (uint32_t)(rnd(x) % f->view.n_vendors),
		 b = (uint32_t)(rnd(x) % f->view.n_vendors);
	struct alloc_vendor *v = &f->vendor[b];

	*v = f->vendor[a];
	v->forecast_mbps = -1;
	f->vendor[a].forecast_mbps = -1;
	switch (rnd(x) % 3) {
	case 0:
		v->current_mbps *= 0.5 + unit(x);
		break;
	case 1:
		v->max_mbps *= 1 + unit(x);
		break;
	default:
		v->guaranteed_mbps = fmin(v->max_mbps, v->guaranteed_mbps * (0.5 + unit(x)));
	}
}

void fleets_random(struct fleets_one *f, uint64_t seed)
{
	uint64_t x = (seed + 1) * UINT64_C(0x9E3779B97F4A7C15);
	bool no_guarantee;
	double capacity = 0;

	memset(f, 0, sizeof(*f));
	for (uint32_t i = 0; i < 4; i++)
		(void)rnd(&x);
	no_guarantee = one_in(&x, 12);
	f->equal_weights = !one_in(&x, 3);
	f->view.n_vendors = 1 + (uint32_t)(rnd(&x) % SL_MAX_SLOTS);
	f->view.n_groups = 1 + (uint32_t)(rnd(&x) % FLEETS_MAX_GROUPS);
	f->view.n_services = 1 + one_in(&x, 3);
	for (uint32_t v = 0; v < f->view.n_vendors; v++)
		random_vendor(&f->vendor[v], &x, no_guarantee);
	if (one_in(&x, 2))
		twins(f, &x);
	for (uint32_t v = 0; v < f->view.n_vendors; v++)
		capacity += f->vendor[v].max_mbps;
	if (one_in(&x, 3))
		random_regions(f, &x);
	capacity *= one_in(&x, 3) ? 0 : pow(10, -4 + 4 * unit(&x));
	for (uint32_t s = 0; s < f->view.n_services; s++) {
		random_service(f, &f->service[s], &x);
		for (uint32_t g = 0; g < f->view.n_groups; g++)
			random_row(f, s, g, capacity, &x);
	}
	f->view.vendor = f->vendor;
	f->view.region = f->region;
	f->view.service = f->service;
	f->view.row = f->row;
	f->view.region_of = f->region_of;
}

static void wild_service(struct fleets_one *f, struct alloc_service *s, uint64_t *x)
{
	static const double ladder[] = {6000, 3000, 1500, 400};

	for (uint32_t i = 0; i < s->n_slots && f->wild; i++)
		if (one_in(x, 3))
			s->slot[i].tier = (uint32_t)(rnd(x) % ALLOC_TIERS);
	s->overload = one_in(x, 2) ? ALLOC_LOWER : ALLOC_REFUSE;
	memcpy(s->ladder_kbps, ladder, sizeof(ladder));
	s->n_ladder = (uint32_t)(rnd(x) % 5);
}

static void wild_row(struct fleets_one *f, struct alloc_row *r, uint64_t *x)
{
	const struct alloc_service *s = &f->service[r->service];
	double part[SCORE_ROW] = {0};

	for (uint32_t i = 0; i < s->n_slots; i++) {
		part[i] = unit(x);
		if (one_in(x, 6))
			r->withheld_ppm[i] = (uint32_t)(rnd(x) % 4) * 250000;
	}
	if (one_in(x, 2))
		return;
	score_to_ppm(part, SCORE_ROW, SCORE_NONE, SCORE_PPM, r->sticky_ppm);
	r->sticky_mbps = f->vendor[0].max_mbps * unit(x) / 10;
}

void fleets_random_wild(struct fleets_one *f, uint64_t seed)
{
	uint64_t x = (seed + 1) * UINT64_C(0xD6E8FEB86659FD93);

	fleets_random(f, seed);
	f->wild = true;
	for (uint32_t s = 0; s < f->view.n_services; s++)
		wild_service(f, &f->service[s], &x);
	for (uint32_t r = 0; r < f->view.n_rows; r++)
		wild_row(f, &f->row[r], &x);
	if (one_in(&x, 4))
		f->vendor[0].known = false;
}

void fleets_allocate(const struct fleets_one *f, struct fleets_out *ret)
{
	static _Alignas(16) unsigned char work[1 << 20];
	struct alloc_state state = {{0}};
	struct alloc_stats stats;

	memset(ret, 0, sizeof(*ret));
	sl_assert(alloc_run(&f->view, &state, work, sizeof(work), ret->row, ret->vendor, &stats) ==
		  0);
}

/* One vendor in one row, by the text. */
struct view {
	bool usable;
	double room_g, room_t, q, score;
};

static double load(double current, double forecast)
{
	return fmax(current, forecast);
}

static struct view look(const struct fleets_one *f, const struct alloc_row *r, uint32_t slot)
{
	const struct alloc_service *s = &f->service[r->service];
	uint32_t id = s->slot[slot].vendor, region = ALLOC_NO_REGION;
	const struct alloc_vendor *v = &f->vendor[id];
	double ceiling = (1 - v->headroom) * v->max_mbps,
	       b = load(v->current_mbps, v->forecast_mbps);
	double sum_g = 0, sum_m = 0, K = s->params.guarantee_gain, a = s->params.guarantee_blend;
	struct view w = {.q = r->quality[slot],
		.room_g = fmax(0, fmin(v->guaranteed_mbps, ceiling) - b),
		.room_t = fmax(0, ceiling - b)};

	if (f->view.n_regions)
		region = f->region_of[r->group * f->view.n_vendors + id];
	if (region != ALLOC_NO_REGION) {
		const struct alloc_region *x = &f->region[region];
		double top = (1 - v->headroom) * x->max_mbps,
		       at = load(x->current_mbps, x->forecast_mbps);

		w.room_g = fmin(w.room_g, fmax(0, fmin(x->guaranteed_mbps, top) - at));
		w.room_t = fmin(w.room_t, fmax(0, top - at));
	}
	for (uint32_t i = 0; i < s->n_slots; i++) {
		sum_g += f->vendor[s->slot[i].vendor].guaranteed_mbps;
		sum_m += f->vendor[s->slot[i].vendor].max_mbps;
	}
	w.usable = !r->block[slot] && w.room_t > 0;
	if (!w.usable)
		return w;
	if (w.room_g > 0)
		w.score = 1 +
			  K * (a * (sum_g > 0 ? w.room_g / sum_g : 0) + (1 - a) * w.room_t / sum_m);
	else
		w.score = w.room_t / sum_m * pow(w.q, s->params.quality_exponent);
	w.score *= s->slot[slot].weight;
	return w;
}

/* a has at least as much as b, and in something more; not by a rounding error. */
static bool more(double a1, double b1, double a2, double b2)
{
	return a1 >= b1 && a2 >= b2 && (a1 > b1 * (1 + 1e-9) || a2 > b2 * (1 + 1e-9));
}

static const char *broken_rule(const struct fleets_one *f, const struct alloc_row *r,
	const struct alloc_row_out *out, uint32_t i, uint32_t k)
{
	struct view a = look(f, r, i), b = look(f, r, k);

	if (!a.usable || !b.usable || !f->equal_weights)
		return NULL;
	if (a.room_g > 0 && !(b.room_g > 0) && !(out->score[i] > out->score[k]))
		return "1: under the guarantee outscores over it";
	if (a.room_g > 0 && b.room_g > 0 && more(a.room_g, b.room_g, a.room_t, b.room_t) &&
		!(out->score[i] > out->score[k]))
		return "2: under the guarantee, more room scores higher";
	if (!(a.room_g > 0) && !(b.room_g > 0) && more(a.room_t, b.room_t, a.q, b.q) &&
		!(out->score[i] > out->score[k]))
		return "3: over the guarantee, more room or better quality scores higher";
	return NULL;
}

static const char *broken_row(
	const struct fleets_one *f, const struct alloc_row *r, const struct alloc_row_out *out)
{
	const struct alloc_service *s = &f->service[r->service];
	uint64_t sum = out->share_ppm[SCORE_NONE];
	double scores = 0;

	for (uint32_t i = 0; i < s->n_slots; i++) {
		struct view v = look(f, r, i);

		sum += out->share_ppm[i];
		scores += v.score;
		if (!v.usable && (out->share_ppm[i] || score_reason_usable(out->reason[i])))
			return "nothing to a vendor that may not serve";
		for (uint32_t k = 0; k < s->n_slots && !f->wild; k++) {
			const char *rule = broken_rule(f, r, out, i, k);

			if (rule)
				return rule;
		}
		if (!f->wild && fabs(out->score[i] - v.score) > 1e-11 * v.score)
			return "score as in the text";
	}
	if (sum != SCORE_PPM)
		return "shares sum to a million";
	if (f->wild || r->demand_mbps > 0 || s->params.trickle_ppm)
		return NULL;
	for (uint32_t i = 0; i < s->n_slots; i++)
		if (scores > 0 &&
			fabs(out->share_ppm[i] - look(f, r, i).score / scores * 1e6) > 1.001)
			return "without demand the shares are the score ratio";
	return NULL;
}

/* Load that the shares put on a vendor (region < 0) or one of its regions. */
static double put_on(
	const struct fleets_one *f, const struct fleets_out *out, uint32_t vendor, int64_t region)
{
	double mbps = 0;

	for (uint32_t n = 0; n < f->view.n_rows; n++) {
		const struct alloc_row *r = &f->row[n];
		const struct alloc_service *s = &f->service[r->service];

		if (region >= 0 && f->region_of[r->group * f->view.n_vendors + vendor] != region)
			continue;
		for (uint32_t i = 0; i < s->n_slots; i++)
			if (s->slot[i].vendor == vendor)
				mbps += r->demand_mbps * out->row[n].lowered *
					out->row[n].share_ppm[i] / 1e6;
	}
	return mbps;
}

/* Load that the sticky tables put on the same. */
static double stuck_on(const struct fleets_one *f, uint32_t vendor, int64_t region)
{
	double mbps = 0;

	for (uint32_t n = 0; n < f->view.n_rows; n++) {
		const struct alloc_row *r = &f->row[n];
		const struct alloc_service *s = &f->service[r->service];

		if (region >= 0 && f->region_of[r->group * f->view.n_vendors + vendor] != region)
			continue;
		for (uint32_t i = 0; i < s->n_slots; i++)
			if (s->slot[i].vendor == vendor)
				mbps += r->sticky_mbps * r->sticky_ppm[i] / 1e6;
	}
	return mbps;
}

static double room(double max, double headroom, double at)
{
	return fmax(0, (1 - headroom) * max - at);
}

static const char *broken_cap(const struct fleets_one *f, const struct fleets_out *out)
{
	double ppm = 1e-9;

	for (uint32_t n = 0; n < f->view.n_rows; n++)
		ppm += f->row[n].demand_mbps * 1e-6;
	for (uint32_t v = 0; v < f->view.n_vendors; v++) {
		const struct alloc_vendor *x = &f->vendor[v];
		double at = load(x->current_mbps, x->forecast_mbps) + stuck_on(f, v, -1);
		double put = put_on(f, out, v, -1);

		if (put > room(x->max_mbps, x->headroom, at) + ppm + x->max_mbps * 1e-12)
			return "never above the maximum";
		if (fabs(out->vendor[v].expected_mbps - at - put) > 1e-9 * (at + put))
			return "expected load is load plus shares of demand";
	}
	for (uint32_t r = 0; r < f->view.n_regions; r++) {
		const struct alloc_region *x = &f->region[r];
		const struct alloc_vendor *v = &f->vendor[x->vendor];

		if (put_on(f, out, x->vendor, r) >
			room(x->max_mbps, v->headroom, load(x->current_mbps, x->forecast_mbps)) +
				ppm + v->max_mbps * 1e-12)
			return "never above a regional maximum";
	}
	return NULL;
}

/* Nobody is refused while a vendor that may take him has room. */
static const char *broken_refusal(const struct fleets_one *f, const struct fleets_out *out)
{
	double ppm = 1e-9;

	if (f->wild)
		return NULL;
	for (uint32_t n = 0; n < f->view.n_rows; n++)
		ppm += f->row[n].demand_mbps * 2e-6;
	for (uint32_t n = 0; n < f->view.n_rows; n++) {
		const struct alloc_row *r = &f->row[n];
		const struct alloc_service *s = &f->service[r->service];

		for (uint32_t i = 0; out->row[n].share_ppm[SCORE_NONE] > 1 && i < s->n_slots; i++) {
			uint32_t v = s->slot[i].vendor, region = ALLOC_NO_REGION;
			double left = look(f, r, i).room_t - put_on(f, out, v, -1);

			if (f->view.n_regions)
				region = f->region_of[r->group * f->view.n_vendors + v];
			if (r->demand_mbps > 0 && !r->block[i] && region == ALLOC_NO_REGION &&
				left > ppm + 1e-9 * f->vendor[v].max_mbps)
				return "nobody is refused while there is room";
			if (!(r->demand_mbps > 0) && look(f, r, i).usable)
				return "nobody is refused while there is room";
		}
	}
	return NULL;
}

/* The same fleet, its slots the other way round. */
static void turn_round(const struct fleets_one *f, struct fleets_one *ret)
{
	*ret = *f;
	ret->view.service = ret->service;
	ret->view.row = ret->row;
	for (uint32_t s = 0; s < f->view.n_services; s++)
		for (uint32_t i = 0, n = f->service[s].n_slots; i < n; i++)
			ret->service[s].slot[i] = f->service[s].slot[n - 1 - i];
	for (uint32_t r = 0; r < f->view.n_rows; r++)
		for (uint32_t i = 0, n = f->service[f->row[r].service].n_slots; i < n; i++) {
			ret->row[r].quality[i] = f->row[r].quality[n - 1 - i];
			ret->row[r].block[i] = f->row[r].block[n - 1 - i];
			ret->row[r].withheld_ppm[i] = f->row[r].withheld_ppm[n - 1 - i];
			ret->row[r].sticky_ppm[i] = f->row[r].sticky_ppm[n - 1 - i];
		}
}

static const char *broken_order(
	const struct fleets_one *f, const struct fleets_out *out, fleets_run *run)
{
	struct fleets_one other;
	struct fleets_out turned;

	turn_round(f, &other);
	run(&other, &turned);
	if (memcmp(out->vendor, turned.vendor, sizeof(out->vendor)) != 0)
		return "the order of vendors does not matter";
	for (uint32_t r = 0; r < f->view.n_rows; r++)
		for (uint32_t i = 0, n = f->service[f->row[r].service].n_slots; i < n; i++)
			if (out->row[r].share_ppm[i] != turned.row[r].share_ppm[n - 1 - i] ||
				out->row[r].score[i] != turned.row[r].score[n - 1 - i])
				return "the order of vendors does not matter";
	return NULL;
}

const char *fleets_broken(const struct fleets_one *f, fleets_run *run)
{
	struct fleets_out out, again;
	const char *bad = NULL;

	run(f, &out);
	run(f, &again);
	if (memcmp(&out, &again, sizeof(out)) != 0)
		return "equal input gives equal output";
	for (uint32_t n = 0; n < f->view.n_rows && !bad; n++)
		bad = broken_row(f, &f->row[n], &out.row[n]);
	if (!bad)
		bad = broken_cap(f, &out);
	if (!bad)
		bad = broken_refusal(f, &out);
	return bad ? bad : broken_order(f, &out, run);
}
