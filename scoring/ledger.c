/* SPDX-License-Identifier: Apache-2.0 */
/* The ledger as one block of octets: cells, then a ring of integrals. Knows sessions, no meters. */
#include "scoring/ledger.h"

#include <math.h>
#include <string.h>

enum { MAGIC = 0x4c4c4453, LAYOUT = 2 };
#define MAX_MBPS 1e12

/* The mixture: part of the sessions, and mean length relative to the mean of all. The sums of part
 * and of part * length are 1. Near to a log-normal law of sigma 1.2: some look in briefly, the tail
 * watches through. */
static const double phase_part[LEDGER_PHASES] = {0.15, 0.7, 0.15};
static const double phase_length[LEDGER_PHASES] = {0.2, 0.75, 89.0 / 30};

struct cell {
	double phase[LEDGER_PHASES]; /* Mbps */
	double integral;             /* Mbps * s since the ledger began */
	double pending, pending_s;   /* Mbps that arrives over about so many seconds */
	uint64_t known;
};

struct ledger {
	uint32_t magic, version, n_cells, ring, head, count; /* head: the newest sample */
	uint64_t now_ms;
	double length_s;
	uint64_t time_ms[LEDGER_RING];
	struct cell cell[]; /* then double integral[LEDGER_RING][n_cells] */
};

static double *samples(const struct ledger *l, uint32_t at)
{
	const void *first = &l->cell[l->n_cells];

	return (double *)(uintptr_t)first + (size_t)at * l->n_cells;
}

size_t ledger_size(uint32_t n_cells)
{
	return sizeof(struct ledger) +
	       n_cells * (sizeof(struct cell) + LEDGER_RING * sizeof(double));
}

static void sample(struct ledger *l)
{
	double *to;

	l->head = (l->head + 1) % LEDGER_RING;
	l->count += l->count < LEDGER_RING;
	l->time_ms[l->head] = l->now_ms;
	to = samples(l, l->head);
	for (uint32_t c = 0; c < l->n_cells; c++)
		to[c] = l->cell[c].integral;
}

struct ledger *ledger_init(void *mem, size_t size, uint32_t n_cells, uint64_t now_ms)
{
	struct ledger *l = mem;

	if (n_cells > LEDGER_MAX_CELLS || size < ledger_size(n_cells))
		return NULL;
	memset(mem, 0, ledger_size(n_cells));
	l->magic = MAGIC;
	l->version = LAYOUT;
	l->n_cells = n_cells;
	l->ring = LEDGER_RING;
	l->now_ms = now_ms;
	l->length_s = LEDGER_MIN_LENGTH_S;
	sample(l);
	return l;
}

static bool cell_sound(const struct cell *c)
{
	for (uint32_t k = 0; k < LEDGER_PHASES; k++)
		if (!(c->phase[k] >= 0 && c->phase[k] <= MAX_MBPS))
			return false;
	if (!(c->pending >= 0 && c->pending <= MAX_MBPS) ||
		!(c->pending_s >= 0 && c->pending_s <= LEDGER_MAX_LENGTH_S))
		return false;
	return c->integral >= 0 && isfinite(c->integral) && c->known <= 1;
}

static bool ring_sound(const struct ledger *l)
{
	for (uint32_t i = 0; i < l->count; i++) {
		uint32_t at = (l->head + LEDGER_RING - i) % LEDGER_RING;
		uint32_t older = (at + LEDGER_RING - 1) % LEDGER_RING;
		const double *now = samples(l, at), *was = samples(l, older);
		bool last = i + 1 == l->count;

		if (l->time_ms[at] > l->now_ms || (!last && l->time_ms[older] > l->time_ms[at]))
			return false;
		for (uint32_t c = 0; c < l->n_cells; c++)
			if (!(now[c] >= 0 && now[c] <= l->cell[c].integral) ||
				(!last && !(was[c] <= now[c])))
				return false;
	}
	return true;
}

struct ledger *ledger_check(void *mem, size_t size)
{
	struct ledger *l = mem;

	if (size < sizeof(*l) || l->magic != MAGIC || l->version != LAYOUT ||
		l->n_cells > LEDGER_MAX_CELLS || size != ledger_size(l->n_cells) ||
		l->ring != LEDGER_RING || l->head >= LEDGER_RING || l->count < 1 ||
		l->count > LEDGER_RING ||
		!(l->length_s >= LEDGER_MIN_LENGTH_S && l->length_s <= LEDGER_MAX_LENGTH_S))
		return NULL;
	for (uint32_t c = 0; c < l->n_cells; c++)
		if (!cell_sound(&l->cell[c]))
			return NULL;
	return ring_sound(l) ? l : NULL;
}

bool ledger_known(const struct ledger *l, uint32_t cell)
{
	return cell < l->n_cells && l->cell[cell].known;
}

static double bounded_length(double s)
{
	if (!(s > LEDGER_MIN_LENGTH_S))
		return LEDGER_MIN_LENGTH_S;
	return s < LEDGER_MAX_LENGTH_S ? s : LEDGER_MAX_LENGTH_S;
}

/* The clock was set back: what we remember keeps its age. */
static void shift_back(struct ledger *l, uint64_t by)
{
	for (uint32_t i = 0; i < LEDGER_RING; i++)
		l->time_ms[i] = l->time_ms[i] > by ? l->time_ms[i] - by : 0;
	l->now_ms -= by;
}

void ledger_clock_ahead(struct ledger *l, uint64_t by_ms)
{
	for (uint32_t i = 0; i < LEDGER_RING; i++)
		l->time_ms[i] += by_ms;
	l->now_ms += by_ms;
}

/* Part of what was pending has arrived. */
static void arrive(struct cell *c, double dt_s)
{
	double come = c->pending;

	if (!(come > 0))
		return;
	if (c->pending_s > 0)
		come *= 1 - exp(-dt_s / c->pending_s);
	for (uint32_t k = 0; k < LEDGER_PHASES; k++)
		c->phase[k] += come * phase_part[k];
	c->pending -= come;
}

void ledger_advance(struct ledger *l, uint64_t now_ms, double length_s)
{
	double dt_s, keep[LEDGER_PHASES], sum[LEDGER_PHASES];

	if (now_ms < l->now_ms)
		shift_back(l, l->now_ms - now_ms);
	dt_s = (double)(now_ms - l->now_ms) / 1000;
	l->length_s = bounded_length(length_s);
	for (uint32_t k = 0; k < LEDGER_PHASES; k++) {
		double tau = l->length_s * phase_length[k];

		keep[k] = exp(-dt_s / tau);
		sum[k] = tau * (1 - keep[k]);
	}
	for (uint32_t c = 0; c < l->n_cells; c++) {
		for (uint32_t k = 0; k < LEDGER_PHASES; k++) {
			l->cell[c].integral += l->cell[c].phase[k] * sum[k];
			l->cell[c].phase[k] *= keep[k];
		}
		arrive(&l->cell[c], dt_s);
	}
	l->now_ms = now_ms;
	if (now_ms >= l->time_ms[l->head] + LEDGER_STEP_MS)
		sample(l);
}

static bool amount(const struct ledger *l, uint32_t cell, double sessions, double kbps, double *ret)
{
	*ret = sessions * kbps / 1000;
	return cell < l->n_cells && *ret >= 0 && *ret <= MAX_MBPS;
}

void ledger_add(struct ledger *l, uint32_t cell, double sessions, double kbps)
{
	double mbps;

	if (!amount(l, cell, sessions, kbps, &mbps) || !(mbps > 0) ||
		ledger_load(l, cell) + mbps > MAX_MBPS)
		return;
	for (uint32_t k = 0; k < LEDGER_PHASES; k++)
		l->cell[cell].phase[k] += mbps * phase_part[k];
	l->cell[cell].known = 1;
}

void ledger_add_later(struct ledger *l, uint32_t cell, double sessions, double kbps, double over_s)
{
	struct cell *c;
	double mbps;

	if (!amount(l, cell, sessions, kbps, &mbps) || !(mbps > 0))
		return;
	c = &l->cell[cell];
	if (c->pending + mbps > MAX_MBPS || !(over_s >= 0))
		return;
	over_s = over_s < LEDGER_MAX_LENGTH_S ? over_s : LEDGER_MAX_LENGTH_S;
	c->pending_s = (c->pending_s * c->pending + over_s * mbps) / (c->pending + mbps);
	c->pending += mbps;
	c->known = 1;
}

double ledger_pending(const struct ledger *l, uint32_t cell)
{
	return cell < l->n_cells ? l->cell[cell].pending : 0;
}

void ledger_set(struct ledger *l, uint32_t cell, double mbps)
{
	if (cell >= l->n_cells || !(mbps >= 0 && mbps <= MAX_MBPS))
		return;
	for (uint32_t k = 0; k < LEDGER_PHASES; k++)
		l->cell[cell].phase[k] = mbps * phase_part[k];
	l->cell[cell].known = 1;
}

double ledger_load(const struct ledger *l, uint32_t cell)
{
	double mbps = 0;

	for (uint32_t k = 0; cell < l->n_cells && k < LEDGER_PHASES; k++)
		mbps += l->cell[cell].phase[k];
	return mbps;
}

/* The i-th oldest sample. */
static uint32_t ring_at(const struct ledger *l, uint32_t i)
{
	return (l->head + LEDGER_RING + 1 - l->count + i) % LEDGER_RING;
}

/* Integral at a time inside what is known: linear between two samples, or a sample and now. */
static double integral_at(const struct ledger *l, uint32_t cell, uint64_t t_ms)
{
	uint32_t lo = 0, hi = l->count; /* the last sample at or before t is in [lo, hi) */
	uint64_t t0, t1 = l->now_ms;
	double i0, i1 = l->cell[cell].integral;

	while (hi - lo > 1) {
		uint32_t mid = lo + (hi - lo) / 2;

		if (l->time_ms[ring_at(l, mid)] <= t_ms)
			lo = mid;
		else
			hi = mid;
	}
	t0 = l->time_ms[ring_at(l, lo)];
	i0 = samples(l, ring_at(l, lo))[cell];
	if (lo + 1 < l->count) {
		t1 = l->time_ms[ring_at(l, lo + 1)];
		i1 = samples(l, ring_at(l, lo + 1))[cell];
	}
	if (t1 <= t0)
		return i1;
	return i0 + (i1 - i0) * ((double)(t_ms - t0) / (double)(t1 - t0));
}

/* The load at the far end of the ring. */
static double oldest_load(const struct ledger *l, uint32_t cell)
{
	uint64_t t0 = l->time_ms[ring_at(l, 0)], t1 = t0 + LEDGER_STEP_MS;

	if (t1 > l->now_ms)
		return ledger_load(l, cell);
	return integral_at(l, cell, t1) - samples(l, ring_at(l, 0))[cell];
}

double ledger_mean(const struct ledger *l, uint32_t cell, uint64_t start_ms, uint64_t end_ms,
	double *ret_covered)
{
	uint64_t oldest = l->time_ms[ring_at(l, 0)], from, to;
	double before, after, inside = 0, length;

	if (cell >= l->n_cells || end_ms <= start_ms) {
		if (ret_covered)
			*ret_covered = 0;
		return ledger_load(l, cell);
	}
	from = start_ms < oldest ? oldest : start_ms > l->now_ms ? l->now_ms : start_ms;
	to = end_ms < oldest ? oldest : end_ms > l->now_ms ? l->now_ms : end_ms;
	length = (double)(end_ms - start_ms);
	before = start_ms < oldest ? (double)((end_ms < oldest ? end_ms : oldest) - start_ms) : 0;
	after = end_ms > l->now_ms
			? (double)(end_ms - (start_ms > l->now_ms ? start_ms : l->now_ms))
			: 0;
	if (to > from)
		inside = (integral_at(l, cell, to) - integral_at(l, cell, from)) * 1000;
	if (ret_covered)
		*ret_covered = (double)(to - from) / length;
	return (inside + before * oldest_load(l, cell) + after * ledger_load(l, cell)) / length;
}

double ledger_survive(uint64_t ms, double length_s)
{
	double left = 0, length = bounded_length(length_s);

	for (uint32_t k = 0; k < LEDGER_PHASES; k++)
		left += phase_part[k] * phase_length[k] *
			exp(-(double)ms / 1000 / (length * phase_length[k]));
	return left;
}

double ledger_departing(const struct ledger *l, uint32_t cell, uint64_t ms)
{
	double mbps = 0;

	for (uint32_t k = 0; cell < l->n_cells && k < LEDGER_PHASES; k++)
		mbps += l->cell[cell].phase[k] *
			(1 - exp(-(double)ms / 1000 / (l->length_s * phase_length[k])));
	return mbps;
}
