/* SPDX-License-Identifier: Apache-2.0 */
/* The automaton of the breakers, its evidence and its guards. */
#include "scoring/breaker.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { MINUTE_MS = 60000 };

uint32_t breaker_pass_ppm(uint32_t state)
{
	static const uint32_t ppm[BREAKER_STATES] = {SCORE_PPM, 0, 100000, 250000, 500000};

	return state < BREAKER_STATES ? ppm[state] : SCORE_PPM;
}

const char *breaker_state_text(uint32_t state)
{
	static const char *const text[BREAKER_STATES] = {
		"closed", "open", "half-open 10%", "half-open 25%", "half-open 50%"};

	return state < BREAKER_STATES ? text[state] : "?";
}

const char *breaker_cause_text(uint32_t cause)
{
	static const char *const text[] = {
#define X(name, text) [name] = (text),
		BREAKER_CAUSE_MAP(X)
#undef X
	};

	return cause < BREAKER_CAUSES ? text[cause] : "?";
}

char *breaker_event_text(const struct breaker_event *e, char *ret, size_t size)
{
	(void)snprintf(ret, size, "%s -> %s: %s", breaker_state_text(e->from),
		breaker_state_text(e->to), breaker_cause_text(e->cause));
	if (e->samples > 0) {
		size_t at = strlen(ret);

		(void)snprintf(ret + at, size - at, ", %.4g against %.4g, of %.0f", e->value,
			e->bound, e->samples);
	}
	return ret;
}

/* Wilson's bound of a rate: the side that favours the vendor. */
static double wilson(double hits, double n, double z, double side)
{
	double p = hits / n, zz = z * z / n;

	return (p + zz / 2 + side * z * sqrt(p * (1 - p) / n + zz / (4 * n))) / (1 + zz);
}

/* What the others show now: their counts of this window with their longer estimates. */
struct others {
	double success, first_frame_ms, stall_rate;
	uint32_t n;
};

static struct others look_at_others(const struct breaker_params *p, const struct breaker *b,
	const struct breaker_in *in, uint32_t n, uint32_t me)
{
	double pulls = 0, ok = 0, frames = 0, ms = 0, users = 0, stalled = 0, k = p->others_weight;
	struct others o = {0};

	for (uint32_t i = 0; i < n; i++) {
		const struct quality_facts *f = &in[i].window;
		const double *v = in[i].estimate.value;

		if (i == me || !in[i].usable || b[i].state == BREAKER_OPEN)
			continue;
		o.n++;
		pulls += f->pulls + k;
		ok += f->ok + k * v[QUALITY_SUCCESS];
		frames += f->frames + k;
		ms += f->frames * f->frame_ms + k * v[QUALITY_FIRST_FRAME];
		users += f->users + k;
		stalled += f->stalled + k * (1 - v[QUALITY_ZERO_STALL]);
	}
	if (o.n) {
		o.success = ok / pulls;
		o.first_frame_ms = ms / frames;
		o.stall_rate = stalled / users;
	}
	return o;
}

/* What a vendor is found guilty of, with its numbers; BREAKER_NOTHING where not. */
struct verdict {
	uint8_t cause;
	double value, bound, samples;
};

static struct verdict judge_window(
	const struct breaker_params *p, const struct quality_facts *f, const struct others *o)
{
	double success = fmin(p->success, o->success - p->success_margin);
	double first_frame = fmax(p->first_frame_ms, o->first_frame_ms * p->frame_times);

	if (f->pulls >= p->least_pulls && wilson(f->ok, f->pulls, p->z, 1) < success)
		return (struct verdict){BREAKER_BY_SUCCESS, f->ok / f->pulls, success, f->pulls};
	if (f->frames >= p->least_pulls && f->frame_ms > first_frame)
		return (struct verdict){
			BREAKER_BY_FIRST_FRAME, f->frame_ms, first_frame, f->frames};
	return (struct verdict){0};
}

static struct verdict judge_minute(
	const struct breaker_params *p, const struct quality_facts *f, const struct others *o)
{
	double rate = fmax(p->stall_rate, o->stall_rate * p->stall_times);

	if (f->users >= p->least_users && wilson(f->stalled, f->users, p->z, -1) > rate)
		return (struct verdict){BREAKER_BY_STALLS, f->stalled / f->users, rate, f->users};
	return (struct verdict){0};
}

/* Wilson's bounds lie on the vendor's side of the rate itself. */
bool breaker_suspects(const struct breaker_params *p, const struct quality_facts *f)
{
	return (f->pulls >= p->least_pulls && !(f->ok >= p->success * f->pulls)) ||
	       (f->frames >= p->least_pulls && f->frame_ms > p->first_frame_ms) ||
	       (f->users >= p->least_users && !(f->stalled <= p->stall_rate * f->users));
}

/* Keeps the ends of bad windows of the last 15 s; true if two of them are disjoint. */
static bool remember_bad(struct breaker *b, uint64_t now_ms)
{
	uint8_t n = 0;
	bool disjoint = false;

	for (uint8_t i = 0; i < b->n_bad; i++) {
		uint64_t age = now_ms - b->bad_ms[i];

		if (age > BREAKER_SPAN_MS - BREAKER_WINDOW_MS)
			continue;
		disjoint = disjoint || age >= BREAKER_WINDOW_MS;
		b->bad_ms[n++] = b->bad_ms[i];
	}
	if (n == BREAKER_BADS) { /* ticks under a second: the oldest make the pair */
		memmove(&b->bad_ms[n / 2], &b->bad_ms[n / 2 + 1],
			(size_t)(n - n / 2 - 1) * sizeof(b->bad_ms[0]));
		n--;
	}
	b->bad_ms[n++] = now_ms;
	b->n_bad = n;
	return disjoint;
}

static struct verdict judge(const struct breaker_params *p, struct breaker *b,
	const struct breaker_in *in, const struct others *o, uint64_t now_ms)
{
	struct verdict v = {0};

	if (o->n == 0)
		return v; /* nobody to compare with */
	v = judge_window(p, &in->window, o);
	if (v.cause != BREAKER_NOTHING && !remember_bad(b, now_ms))
		v.cause = BREAKER_NOTHING;
	if (v.cause != BREAKER_NOTHING)
		return v;
	/* just let back: the minute still holds what it was taken out for */
	if (b->back_ms && now_ms - b->back_ms < MINUTE_MS)
		return v;
	return judge_minute(p, &in->window, o);
}

static struct breaker_region *region_of(const struct breaker_in *in, struct breaker_region *others)
{
	return in->region ? in->region : others;
}

/* Whether the guards let a vendor go, and why not. */
static uint8_t held_by(const struct breaker *b, const struct breaker_in *in, uint32_t n,
	uint32_t me, const struct breaker_region *region)
{
	double out = region->out_mbps + in[me].audience_mbps, room = -region->moved_mbps;
	uint32_t usable = 0, healthy = 0;

	for (uint32_t i = 0; i < n; i++) {
		if (!in[i].usable)
			continue;
		usable++;
		if (i == me || b[i].state == BREAKER_OPEN)
			continue;
		healthy++;
		room += in[i].room_mbps;
	}
	if (healthy == 0)
		return BREAKER_HELD_LAST;
	if (2 * healthy < usable)
		return BREAKER_HELD_PANIC;
	if (region->groups_out > 0 && out * 3 > region->audience_mbps &&
		in[me].audience_mbps > room)
		return BREAKER_HELD_AUDIENCE;
	return BREAKER_NOTHING;
}

static void change(struct breaker *b, uint8_t to, const struct verdict *v, uint64_t now_ms)
{
	b->state = to;
	b->cause = v->cause;
	b->value = v->value;
	b->bound = v->bound;
	b->samples = v->samples;
	b->since_ms = now_ms;
	b->proof = 0;
}

void breaker_clock_ahead(struct breaker *b, uint64_t by_ms)
{
	b->since_ms += b->since_ms ? by_ms : 0;
	b->back_ms += b->back_ms ? by_ms : 0;
	for (uint32_t i = 0; i < b->n_bad; i++)
		b->bad_ms[i] += by_ms;
}

static void trip(const struct breaker_params *p, struct breaker *b, const struct breaker_in *in,
	const struct verdict *v, struct breaker_region *region, uint64_t now_ms)
{
	uint64_t hold = p->hold_ms;

	for (uint8_t i = 0; i < b->relapses && hold < p->max_hold_ms; i++)
		hold *= 2;
	b->hold_ms = hold < p->max_hold_ms ? (uint32_t)hold : p->max_hold_ms;
	b->relapses += b->relapses < UINT8_MAX;
	b->n_bad = 0;
	change(b, BREAKER_OPEN, v, now_ms);
	region->out_mbps += in->audience_mbps;
	region->moved_mbps += in->audience_mbps;
	region->groups_out++;
}

/* Steps that need no guilt: hold over, proof given, relapses forgiven. */
static struct verdict step_back(const struct breaker_params *p, struct breaker *b,
	const struct breaker_in *in, uint64_t now_ms)
{
	enum { PATIENCE = 3 }; /* steps without a sample before time alone will do */
	struct verdict v = {0};
	uint64_t in_state;

	b->since_ms = b->since_ms < now_ms ? b->since_ms : now_ms; /* the clock was set back */
	in_state = now_ms - b->since_ms;
	if (b->state == BREAKER_CLOSED) {
		if (b->relapses && in_state >= p->forgive_ms)
			b->relapses = 0;
		return v;
	}
	if (b->state == BREAKER_OPEN) {
		v.cause = in_state >= b->hold_ms ? BREAKER_BY_HOLD : BREAKER_NOTHING;
		return v;
	}
	b->proof = fmax(b->proof, in->window.pulls);
	if (in_state >= p->step_ms &&
		(b->proof >= p->least_pulls || in_state >= (uint64_t)p->step_ms * PATIENCE)) {
		v.cause = BREAKER_BY_PROOF;
		v.samples = b->proof;
		v.value = b->proof > 0 ? in->window.ok / fmax(in->window.pulls, 1) : 0;
		v.bound = p->success;
	}
	return v;
}

static uint8_t next_state(uint8_t state)
{
	static const uint8_t next[BREAKER_STATES] = {
		BREAKER_CLOSED, BREAKER_10, BREAKER_25, BREAKER_50, BREAKER_CLOSED};

	return next[state < BREAKER_STATES ? state : BREAKER_CLOSED];
}

static struct breaker_event event(
	uint32_t slot, uint8_t from, uint8_t to, uint8_t cause, const struct verdict *v)
{
	return (struct breaker_event){
		(uint8_t)slot, from, to, cause, v->value, v->bound, v->samples};
}

/* A guilty vendor: out, or held back by a guard. Returns whether there is something to tell. */
static bool convict(const struct breaker_params *p, struct breaker *b, const struct breaker_in *in,
	uint32_t n, uint32_t i, struct verdict v, struct breaker_region *region, uint64_t now_ms,
	struct breaker_event *ret)
{
	struct breaker_region *r = region_of(&in[i], region);
	uint8_t from = b[i].state, held = held_by(b, in, n, i, r);

	if (held == BREAKER_NOTHING) {
		trip(p, &b[i], &in[i], &v, r, now_ms);
		*ret = event(i, from, BREAKER_OPEN, v.cause, &v);
		return true;
	}
	if (b[i].cause == held && now_ms - b[i].since_ms < p->hold_ms)
		return false;
	v.cause = held;
	change(&b[i], from, &v, now_ms);
	*ret = event(i, from, from, held, &v);
	return true;
}

/* An innocent one, on its way back. */
static bool let_back(const struct breaker_params *p, struct breaker *b, const struct breaker_in *in,
	uint32_t i, uint64_t now_ms, struct breaker_event *ret)
{
	uint8_t from = b[i].state;
	struct verdict v = step_back(p, &b[i], &in[i], now_ms);

	if (v.cause == BREAKER_NOTHING)
		return false;
	if (from == BREAKER_OPEN)
		b[i].back_ms = now_ms;
	change(&b[i], next_state(from), &v, now_ms);
	*ret = event(i, from, b[i].state, v.cause, &v);
	return true;
}

/* By how much a verdict misses what is wanted; 0 for an innocent. */
static double severity(const struct verdict *v)
{
	if (v->cause == BREAKER_NOTHING)
		return 0;
	return v->cause == BREAKER_BY_SUCCESS ? 1 + v->bound - v->value : v->value / v->bound;
}

/* All are judged by what stood before the tick; then the worst goes first, while guards let it. */
uint32_t breaker_tick(const struct breaker_params *p, struct breaker *b,
	const struct breaker_in *in, uint32_t n, struct breaker_region *region, uint64_t now_ms,
	struct breaker_event *ret)
{
	struct verdict v[SL_MAX_SLOTS] = {{0}};
	uint32_t events = 0;

	n = n < SL_MAX_SLOTS ? n : SL_MAX_SLOTS;
	for (uint32_t i = 0; i < n; i++) {
		if (in[i].usable && b[i].state != BREAKER_OPEN &&
			breaker_suspects(p, &in[i].window)) {
			struct others o = look_at_others(p, b, in, n, i);

			v[i] = judge(p, &b[i], &in[i], &o, now_ms);
		}
		if (v[i].cause == BREAKER_NOTHING)
			events += let_back(p, b, in, i, now_ms, &ret[events]);
	}
	for (;;) {
		uint32_t worst = 0;

		for (uint32_t i = 1; i < n; i++)
			if (severity(&v[i]) > severity(&v[worst]))
				worst = i;
		if (n == 0 || v[worst].cause == BREAKER_NOTHING)
			return events;
		events += convict(p, b, in, n, worst, v[worst], region, now_ms, &ret[events]);
		v[worst].cause = BREAKER_NOTHING;
	}
}
