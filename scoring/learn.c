/* SPDX-License-Identifier: Apache-2.0 */
/* Learning from meters and reports, and the forecast with all its terms. */
#include "scoring/learn.h"

#include "base/limits.h"

#include <math.h>
#include <string.h>

enum {
	ENOUGH_PEERS = 3,
	ENOUGH_WINDOWS = 3,    /* before reports are trusted: their cover is then known */
	MAX_GAP_MS = 900000,   /* windows farther apart say nothing about each other */
	FAST_WINDOW_MS = 15000 /* reports come every 30 s: their mean stands for about now */
};
#define FADE          0.98   /* of the sums, per window that says something */
#define PRIOR         0.04   /* weight of "factor is 1", as the square of a change relative to M */
#define LEAST_CHANGE  0.002  /* of M: below, a change is noise */
#define COVERED       0.9    /* part of a window that the ledger must know */
#define UNEXPLAINED_S 1800.0 /* how slow U is */
#define TREND_S       60.0   /* how soon the trend is damped away */
#define TREND_GAIN    0.3
#define TREND_MAX     0.1 /* of M */
#define COVER_FADE    0.9
#define COVER_MAX     1000.0
#define COVER_LEVEL   0.1  /* of a window's mean: its first half may be so far off */
#define RATIO_LEAST   0.02 /* of M: below, a ratio says nothing */
#define FAST_TRUST    0.98
#define FAST_PULL     0.25 /* reports may move P by so much of M at most */
#define LENGTH_PRIOR  50.0 /* sessions */
#define LENGTH_FADE_S 3600.0
#define RATE_PRIOR    100.0 /* sessions */
#define RATE_S        30.0  /* a report comes every 30 s */

static double clamp(double x, double low, double high)
{
	return x > low ? (x < high ? x : high) : low; /* NaN: low */
}

double learn_factor(const struct learn_doors *d, uint32_t door)
{
	double less_one = door < LEARN_DOORS ? d->factor_less_one[door] : 0;

	return clamp(1 + less_one, LEARN_FACTOR_MIN, LEARN_FACTOR_MAX);
}

void learn_length_observe(struct learn_length *l, double live, double ended, double dt_s)
{
	double keep;

	if (!(live >= 0 && live <= 1e12) || !(fabs(ended) <= 1e12) || !(dt_s > 0))
		return;
	keep = exp(-dt_s / LENGTH_FADE_S);
	l->lived_s = l->lived_s * keep + live * dt_s;
	l->ended = fmax(0, l->ended * keep + ended);
}

double learn_length_s(const struct learn_length *l, double configured_s)
{
	double mean = (l->lived_s + LENGTH_PRIOR * configured_s) / (l->ended + LENGTH_PRIOR);

	mean = clamp(mean, LEARN_LENGTH_MIN * configured_s, LEARN_LENGTH_MAX * configured_s);
	return clamp(mean, LEDGER_MIN_LENGTH_S, LEDGER_MAX_LENGTH_S);
}

void learn_rate_observe(
	struct learn_rate *r, double kbps, double sessions, double length_s, double dt_s)
{
	double keep = exp(-dt_s / length_s);

	if (!(kbps >= 0 && kbps <= 1e15) || !(sessions >= 0 && sessions <= 1e12) || !(keep < 1))
		return;
	r->kbps = r->kbps * keep + kbps;
	r->sessions = r->sessions * keep + sessions;
}

void learn_rate_report(struct learn_rate *r, double reported_kbps, double reporting, double dt_s)
{
	double ratio, trust;

	if (!(reported_kbps >= 0) || !(reporting > 0) || !(dt_s > 0))
		return;
	r->reporting = reporting;
	r->reported_kbps = reported_kbps / reporting;
	if (!(r->kbps > 0) || !(r->sessions > 0))
		return;
	ratio = clamp(r->reported_kbps / (r->kbps / r->sessions), LEARN_RATE_MIN, LEARN_RATE_MAX);
	trust = reporting / (reporting + RATE_PRIOR) * r->sessions / (r->sessions + RATE_PRIOR);
	r->less_one += (trust * (ratio - 1) - r->less_one) * (1 - exp(-dt_s / RATE_S));
}

double learn_rate_ratio(const struct learn_rate *r)
{
	return clamp(1 + r->less_one, LEARN_RATE_MIN, LEARN_RATE_MAX);
}

/* Solves (a + PRIOR) x = y by elimination; a is a sum of outer products, so with the prior it is
 * positive definite and needs no pivots. */
static void solve(const struct learn_doors *d, const double *y, double *x)
{
	double m[LEARN_DOORS][LEARN_DOORS + 1];

	for (uint32_t i = 0; i < LEARN_DOORS; i++) {
		for (uint32_t k = 0; k < LEARN_DOORS; k++)
			m[i][k] = d->a[i][k] + (i == k ? PRIOR : 0);
		m[i][LEARN_DOORS] = y[i];
	}
	for (uint32_t i = 0; i < LEARN_DOORS; i++)
		for (uint32_t r = i + 1; r < LEARN_DOORS; r++) {
			double f = m[r][i] / m[i][i];

			for (uint32_t k = i; k <= LEARN_DOORS; k++)
				m[r][k] -= f * m[i][k];
		}
	for (uint32_t i = LEARN_DOORS; i-- > 0;) {
		x[i] = m[i][LEARN_DOORS];
		for (uint32_t k = i + 1; k < LEARN_DOORS; k++)
			x[i] -= m[i][k] * x[k];
		x[i] /= m[i][i];
	}
}

/* One more change from window to window: of the doors, and of the meter; relative to M. */
static void learn_change(struct learn_doors *d, const double *change, double metered)
{
	double y[LEARN_DOORS], size = 0;

	for (uint32_t i = 0; i < LEARN_DOORS; i++)
		size += fabs(change[i]);
	if (!(size > LEAST_CHANGE) || !isfinite(metered))
		return;
	for (uint32_t i = 0; i < LEARN_DOORS; i++) {
		for (uint32_t k = 0; k < LEARN_DOORS; k++)
			d->a[i][k] = d->a[i][k] * FADE + change[i] * change[k];
		d->b[i] = d->b[i] * FADE + change[i] * metered;
	}
	for (uint32_t i = 0; i < LEARN_DOORS; i++) {
		y[i] = d->b[i]; /* for factor - 1: what a factor of 1 leaves */
		for (uint32_t k = 0; k < LEARN_DOORS; k++)
			y[i] -= d->a[i][k];
	}
	solve(d, y, d->factor_less_one);
	d->windows++;
}

/* Means of the doors over a window; returns how much of it the ledger knows. */
static double means(
	const struct learn_view *v, uint64_t start_ms, uint64_t end_ms, double ret[LEARN_DOORS])
{
	double covered = 0;

	for (uint32_t i = 0; i < LEARN_DOORS; i++)
		ret[i] = i < v->doors ? ledger_mean(v->ledger, i * v->stride + v->cell, start_ms,
						end_ms, &covered)
				      : 0;
	return covered;
}

static double weighted(const struct learn_doors *d, const double mean[LEARN_DOORS])
{
	double sum = 0;

	for (uint32_t i = 0; i < LEARN_DOORS; i++)
		sum += mean[i] * learn_factor(d, i);
	return sum;
}

static double window_s(const struct meter *m)
{
	return (double)(m->end_ms - m->start_ms) / 1000;
}

/* U: a fading mean, so that the first window gives its first value. */
static void learn_unexplained(struct learn_cell *c, double residual, double max, double dt_s)
{
	double keep = exp(-dt_s / UNEXPLAINED_S);

	c->unexplained_weight = c->unexplained_weight * keep + (1 - keep);
	c->unexplained += (residual - c->unexplained) * (1 - keep) / c->unexplained_weight;
	c->unexplained = clamp(c->unexplained, 0, max);
}

static void learn_trend(struct learn_cell *c, double residual, const struct meter *m)
{
	double mid = (double)m->start_ms + window_s(m) * 500;
	double last = (double)c->last_start_ms + (double)(c->last_end_ms - c->last_start_ms) / 2;

	if (mid > last)
		c->slope += TREND_GAIN *
			    ((residual - c->last_residual) / ((mid - last) / 1000) - c->slope);
}

/* Whether the reported load hardly moved within a window. Reports lag: over a ramp they seem to
 * cover too little, and what they cover would be raised by as much. */
static bool reports_level(const struct learn_view *v, const struct meter *m, double mean)
{
	uint64_t mid = m->start_ms + (m->end_ms - m->start_ms) / 2;
	double first = ledger_mean(v->fast, v->cell, m->start_ms, mid, NULL);

	return fabs(first / mean - 1) < COVER_LEVEL;
}

static void learn_cover(struct learn_cell *c, const struct learn_view *v, const struct meter *m)
{
	double covered, reported;

	if (!v->fast)
		return;
	reported = ledger_mean(v->fast, v->cell, m->start_ms, m->end_ms, &covered);
	if (covered < COVERED || !(reported > 0) || !(m->mbps > 0) ||
		!reports_level(v, m, reported))
		return;
	c->cover_weight = c->cover_weight * COVER_FADE + 1;
	c->cover_log += (log(clamp(m->mbps / reported, 1 / COVER_MAX, COVER_MAX)) - c->cover_log) /
			c->cover_weight;
}

static void learn_ratio(struct learn_cell *c, double metered, double expected, double max)
{
	if (!(expected > max * RATIO_LEAST) || !(metered > 0))
		return;
	c->ratio_weight = c->ratio_weight * COVER_FADE + 1;
	c->ratio_log += (log(clamp(metered / expected, 1 / COVER_MAX, COVER_MAX)) - c->ratio_log) /
			c->ratio_weight;
}

double learn_peer_ratio(const struct learn_cell *c, uint32_t n)
{
	double sorted[SL_MAX_VENDORS];
	uint32_t have = 0;

	for (uint32_t i = 0; i < n && have < SL_MAX_VENDORS; i++) {
		uint32_t at = have;

		if (c[i].windows < ENOUGH_WINDOWS || c[i].ratio_weight < 1)
			continue;
		for (; at > 0 && sorted[at - 1] > c[i].ratio_log; at--)
			sorted[at] = sorted[at - 1];
		sorted[at] = c[i].ratio_log;
		have++;
	}
	return have < ENOUGH_PEERS ? 0 : exp(sorted[(have - 1) / 2]);
}

void learn_meter(struct learn_doors *d, struct learn_cell *c, const struct learn_view *v,
	const struct meter *m)
{
	double mean[LEARN_DOORS], change[LEARN_DOORS], residual;
	bool covered = means(v, m->start_ms, m->end_ms, mean) >= COVERED;
	bool follows = c->windows && m->start_ms + MAX_GAP_MS > c->last_end_ms &&
		       c->last_end_ms + MAX_GAP_MS > m->start_ms;

	if (follows && covered && isfinite(v->max_mbps) && v->max_mbps > 0) {
		for (uint32_t i = 0; i < LEARN_DOORS; i++)
			change[i] = (mean[i] - c->last_mean[i]) / v->max_mbps;
		learn_change(d, change, (m->mbps - c->last_mbps) / v->max_mbps);
	}
	residual = m->mbps - weighted(d, mean);
	learn_unexplained(c, residual, v->max_mbps, window_s(m));
	if (follows)
		learn_trend(c, residual, m);
	learn_cover(c, v, m);
	if (covered)
		learn_ratio(c, m->mbps, weighted(d, mean), v->max_mbps);
	memcpy(c->last_mean, mean, sizeof(mean));
	c->last_mbps = m->mbps;
	c->last_residual = residual;
	c->last_start_ms = m->start_ms;
	c->last_end_ms = m->end_ms;
	c->windows = covered ? c->windows + 1 : 0;
}

/* What the trend adds by now: the slope, fading from the window's middle on. */
static double trend(const struct learn_cell *c, const struct meter *m, double max, uint64_t now_ms)
{
	double ahead = ((double)now_ms - (double)m->start_ms) / 1000 - window_s(m) / 2, add;

	if (c->windows < ENOUGH_WINDOWS || !(ahead > 0))
		return 0;
	add = c->slope * TREND_S * (1 - exp(-ahead / TREND_S));
	return isfinite(max) ? clamp(add, -TREND_MAX * max, TREND_MAX * max) : 0;
}

/* What reports tell that the ledger does not, U aside. They may be as new as the ledger or half a
 * minute behind it: only what both views have in common counts, or a rush would look like an error
 * of the ledger and be forecast away. */
static double unexpected(const struct learn_forecast *f, const struct learn_doors *d,
	const struct learn_view *v, uint64_t now_ms, double reported)
{
	uint64_t new_ms = now_ms > FAST_WINDOW_MS ? now_ms - FAST_WINDOW_MS : 0;
	uint64_t old_ms = now_ms > 3 * FAST_WINDOW_MS ? now_ms - 3 * FAST_WINDOW_MS : 0;
	double mean[LEARN_DOORS], a, b;

	(void)means(v, new_ms, now_ms, mean);
	a = reported - weighted(d, mean) - f->unexplained;
	(void)means(v, old_ms, new_ms, mean);
	b = reported - weighted(d, mean) - f->unexplained;
	if ((a > 0) != (b > 0))
		return 0;
	return fabs(a) < fabs(b) ? a : b;
}

/* P by the reported load. Its window ends now, so all of what it has beyond the ledger is there. */
static void pull_to_reports(struct learn_forecast *f, const struct learn_doors *d,
	const struct learn_cell *c, const struct learn_view *v, uint64_t now_ms)
{
	uint64_t from = now_ms > FAST_WINDOW_MS ? now_ms - FAST_WINDOW_MS : 0;
	double covered, reported, pull;

	if (!v->fast || !ledger_known(v->fast, v->cell) || c->cover_weight < 1 ||
		c->windows < ENOUGH_WINDOWS || !isfinite(v->max_mbps))
		return;
	reported = ledger_mean(v->fast, v->cell, from, now_ms, &covered) * exp(c->cover_log);
	if (covered < COVERED)
		return;
	f->fast = f->ledger + f->unexplained + unexpected(f, d, v, now_ms, reported);
	f->fast_trust = FAST_TRUST * c->cover_weight / (c->cover_weight + 0.5);
	pull = f->fast_trust * (f->fast - f->mbps);
	f->mbps += clamp(pull, -FAST_PULL * v->max_mbps, FAST_PULL * v->max_mbps);
}

/* The part of P that has come on top since the meter's window, and the head-room it asks for: with
 * that part larger by LEARN_GAIN_DOUBT, P still has to fit. What replaced departed sessions is not
 * in doubt: the meter and U have seen its like. */
static void doubt(struct learn_forecast *f, double headroom)
{
	double seen = f->metered ? f->ledger_mean : 0, unseen = f->ledger - seen;

	if (f->mbps > 0 && unseen > 0)
		f->unmetered = clamp(unseen / f->mbps, 0, 1);
	f->headroom =
		1 - (1 - headroom) / (1 + LEARN_GAIN_DOUBT * f->unmetered * (1 - f->fast_trust));
}

/* The meter, or what its peers say it must be at least. */
static double believed(
	struct learn_forecast *f, const struct learn_cell *c, const struct learn_view *v)
{
	double least = f->ledger_mean * v->peer_ratio * LEARN_PEER_PART;

	f->suspect = c->windows >= ENOUGH_WINDOWS && f->meter < least;
	return f->suspect ? least : f->meter;
}

struct learn_forecast learn_forecast_at(const struct learn_doors *d, const struct learn_cell *c,
	const struct learn_view *v, const struct meter *m, uint64_t now_ms, double length_s,
	double headroom)
{
	struct learn_forecast f = {.unexplained = c->unexplained,
		.metered = m->present,
		.known = m->present,
		.silent = m->silent};
	double mean[LEARN_DOORS];

	for (uint32_t i = 0; i < v->doors && i < LEARN_DOORS; i++) {
		uint32_t cell = i * v->stride + v->cell;

		f.door[i] = ledger_load(v->ledger, cell) * learn_factor(d, i);
		f.ledger += f.door[i];
		f.pending += ledger_pending(v->ledger, cell) * learn_factor(d, i);
		f.known = f.known || ledger_known(v->ledger, cell);
	}
	f.mbps = f.ledger + f.unexplained;
	if (m->present) {
		f.meter = m->mbps;
		(void)means(v, m->start_ms, m->end_ms, mean);
		f.ledger_mean = weighted(d, mean);
		f.survive = ledger_survive(now_ms > m->end_ms ? now_ms - m->end_ms : 0, length_s);
		f.trend = trend(c, m, v->max_mbps, now_ms);
		f.mbps +=
			f.survive * (believed(&f, c, v) - f.ledger_mean - f.unexplained) + f.trend;
	}
	pull_to_reports(&f, d, c, v, now_ms);
	doubt(&f, headroom);
	f.mbps = f.mbps > 0 ? f.mbps : 0;
	return f;
}
