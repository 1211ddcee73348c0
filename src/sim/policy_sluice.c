/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The scheduler on the simulated world, tick by tick as src/engine drives it: tallies into the
 * ledger, meters into what is learned, forecasts and demand into the allocation, its shares into
 * rows, sticky tables and budgets. `current` is the same without forecast, learning and budgets.
 */
#include "sim/policy_int.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { SMOOTH_TICKS = 3, TICK_MS = 1000, HISTORY_STEP_S = 5, LEAST_REPORTS = 100 };

static const struct meter_limits meter_limits = METER_LIMITS_DEFAULT;

static bool plain(const struct policy *p)
{
	return p->kind == POLICY_CURRENT;
}

static struct learn_view view_of(const struct policy *p, uint32_t cell)
{
	const struct plant *w = p->world;
	double max = HUGE_VAL;

	if (cell < w->n_vendors)
		max = w->maximum[cell];
	else if (isfinite(p->region[cell - w->n_vendors].max_mbps))
		max = p->region[cell - w->n_vendors].max_mbps;
	return (struct learn_view){.ledger = p->ledger,
		.fast = w->s->f.audience.reports > 0 ? p->fast : NULL,
		.cell = cell,
		.stride = p->cells,
		.doors = PLANT_DOORS,
		.max_mbps = max};
}

static void set_regions(struct policy *p)
{
	const struct plant *w = p->world;

	for (uint32_t v = 0, r = 0; v < w->n_vendors; v++)
		for (uint32_t i = 0; i < w->s->f.vendors[v].regions_count; i++, r++)
			p->region[r] = (struct alloc_region){.vendor = (uint16_t)v,
				.guaranteed_mbps = w->s->f.vendors[v].regions[i].guaranteed_mbps,
				.max_mbps = w->s->f.vendors[v].regions[i].max_mbps};
	for (uint32_t g = 0; g < w->n_groups; g++)
		for (uint32_t v = 0; v < w->n_vendors; v++)
			p->region_of[g * w->n_vendors + v] = w->region_of[g][v] == SIM_NONE
								     ? ALLOC_NO_REGION
								     : w->region_of[g][v];
}

static void set_service(struct policy *p)
{
	const struct scenario_scheduler *s = &p->world->s->f.scheduler;
	const struct scenario_audience *a = &p->world->s->f.audience;
	static const enum alloc_overload overload[] = {ALLOC_REFUSE, ALLOC_LOWER, ALLOC_SPREAD};

	p->service.n_slots = p->world->n_vendors;
	for (uint32_t v = 0; v < p->world->n_vendors; v++)
		p->service.slot[v].vendor = (uint16_t)v;
	p->service.params = (struct score_params){.guarantee_gain = s->guarantee_gain,
		.guarantee_blend = s->guarantee_blend,
		.quality_exponent = s->quality_exponent,
		.slices = s->slices,
		.trickle_ppm = s->trickle_ppm};
	p->service.overload = overload[s->overload];
	for (uint32_t i = 0; i < a->ladder_count && i < ALLOC_RUNGS; i++)
		p->service.ladder_kbps[i] = a->ladder[i].kbps;
	p->service.n_ladder = SL_MIN(a->ladder_count, (uint32_t)ALLOC_RUNGS);
}

/* The ledger of a scheduler that has run for a while: it dispatched those who are seated at the
 * start, at their expected bitrate. */
static void remember(struct policy *p)
{
	const struct plant *w = p->world;
	const struct scenario_file *f = &w->s->f;
	const struct scenario_doors *d = &f->audience.doors;
	const double part[PLANT_DOORS] = {d->http, d->dialect, d->dns};
	double all = d->http + d->dialect + d->dns, guaranteed = 0;
	double per_s = f->audience.seated / f->scheduler.session_s;

	for (uint32_t v = 0; v < w->n_vendors; v++)
		guaranteed += f->vendors[v].guaranteed_mbps;
	for (uint32_t ago = f->scheduler.history_s; ago > 0 && guaranteed > 0;) {
		uint32_t step = SL_MIN(ago, (uint32_t)HISTORY_STEP_S);

		ago -= step;
		ledger_advance(
			p->ledger, PLANT_EPOCH_MS - ago * UINT64_C(1000), f->scheduler.session_s);
		for (uint32_t i = 0; i < PLANT_DOORS * w->n_vendors; i++) {
			uint32_t door = i / w->n_vendors, v = i % w->n_vendors;

			ledger_add(p->ledger, door * p->cells + v,
				per_s * step * part[door] / all * f->vendors[v].guaranteed_mbps /
					guaranteed,
				p->kbps);
		}
	}
}

int policy_sluice_init(struct policy *p)
{
	uint64_t now = PLANT_EPOCH_MS - p->world->s->f.scheduler.history_s * UINT64_C(1000);
	uint32_t n = PLANT_DOORS * p->cells;
	size_t size = ledger_size(n), fast = ledger_size(p->cells);
	void *a = malloc(size), *b = malloc(fast);

	p->work = malloc(alloc_work_size(p->world->n_groups));
	p->ledger = a ? ledger_init(a, size, n, now) : NULL;
	p->fast = b ? ledger_init(b, fast, p->cells, now) : NULL;
	if (!p->ledger)
		free(a);
	if (!p->fast)
		free(b);
	if (!p->work || !p->ledger || !p->fast)
		return SL_ENOMEM;
	set_regions(p);
	set_service(p);
	policy_sense_init(p);
	remember(p);
	return 0;
}

void policy_sluice_restart(struct policy *p)
{
	/* the ledger, meters, what was learned and the sticky tables are kept; the rest begins anew
	 */
	memset(p->demand, 0, sizeof(p->demand));
	memset(&p->sense, 0, sizeof(p->sense));
	policy_sense_init(p);
	for (uint32_t g = 0; g < p->world->n_groups; g++) {
		p->demand[g].last_sequence = p->tally.group[g].sequence_kbps +
					     p->tally.group[g].refused_kbps[PLANT_HTTP];
		p->demand[g].last_sticky = p->tally.group[g].sticky_kbps;
		p->demand[g].last_fresh = p->tally.group[g].fresh;
		p->demand[g].last_refresh = p->tally.group[g].refresh;
	}
}

/* Bitrate of a session as players report it, over what the tally counts it at. */
static double reported_bitrate(const struct policy *p)
{
	return p->bitrate > 0 && !plain(p) ? fmin(2, fmax(0.5, p->bitrate / p->kbps)) : 1;
}

/* True load over what the tally counts. */
static double factor(const struct policy *p, uint32_t door)
{
	return plain(p) ? 1 : learn_factor(&p->doors, door) * reported_bitrate(p);
}

static void spent_into_ledger(struct policy *p)
{
	for (uint32_t d = 0; d < PLANT_DOORS; d++)
		for (uint32_t c = 0; c < p->cells; c++) {
			double more = p->tally.door_kbps[d][c] - p->last_door_kbps[d][c];

			p->last_door_kbps[d][c] = p->tally.door_kbps[d][c];
			if (!(more > 0))
				continue;
			more *= reported_bitrate(p);
			if (d == PLANT_DNS)
				ledger_add_later(p->ledger, d * p->cells + c, 1, more,
					p->world->s->f.audience.ttl_s);
			else
				ledger_add(p->ledger, d * p->cells + c, 1, more);
		}
}

static double grown(double *last, double now)
{
	double more = now - *last;

	*last = now;
	return more;
}

static double expect(double before, double now)
{
	double mean = before + (now - before) / SMOOTH_TICKS;

	return now > mean ? now : mean;
}

static void read_demand(struct policy *p, uint32_t g)
{
	struct policy_demand *d = &p->demand[g];

	d->sequence_mbps = expect(d->sequence_mbps,
		grown(&d->last_sequence, p->tally.group[g].sequence_kbps +
						 p->tally.group[g].refused_kbps[PLANT_HTTP]) /
			1000);
	d->sticky_mbps = expect(
		d->sticky_mbps, grown(&d->last_sticky, p->tally.group[g].sticky_kbps) / 1000);
	d->fresh_rate +=
		(grown(&d->last_fresh, p->tally.group[g].fresh) - d->fresh_rate) / SMOOTH_TICKS;
	d->refresh_rate += (grown(&d->last_refresh, p->tally.group[g].refresh) - d->refresh_rate) /
			   SMOOTH_TICKS;
}

/* What players report to be live, by cell. */
static void read_reports(struct policy *p)
{
	const struct plant *w = p->world;
	double live[SIM_MAX_VENDORS + SIM_MAX_REGIONS] = {0}, all = 0;

	if (!(w->s->f.audience.reports > 0))
		return;
	for (uint32_t g = 0; g < w->n_groups; g++)
		for (uint32_t v = 0; v < w->n_vendors; v++) {
			uint32_t cell = policy_region_cell(p, g, v);

			live[v] += w->facts[g][v].live_mbps;
			if (cell != SIM_NONE)
				live[cell] += w->facts[g][v].live_mbps;
		}
	for (uint32_t c = 0; c < p->cells; c++)
		ledger_set(p->fast, c, live[c]);
	for (uint32_t v = 0; v < w->n_vendors; v++)
		all += live[v];
	if (w->heard_live > LEAST_REPORTS)
		p->bitrate = all * 1000 / w->heard_live;
	learn_length_observe(&p->length, w->reported_live, w->reported_ended, 1);
}

void policy_take_meters(struct policy *p)
{
	const struct plant *w = p->world;

	for (uint32_t i = 0; i < w->n_meters; i++) {
		const struct plant_meter *m = &w->meter[i];
		uint32_t cell = m->region == SIM_NONE ? m->vendor : w->n_vendors + m->region;
		double max = m->region == SIM_NONE ? w->maximum[m->vendor] : HUGE_VAL;
		enum meter_verdict v = meter_push(&p->meter[cell], &meter_limits, m->mbps,
			m->start_ms, m->end_ms, p->now_ms, max);

		if (p->ledger && !plain(p) && meter_verdict_taken(v)) {
			struct learn_view view = view_of(p, cell);

			learn_meter(&p->doors, &p->cell[cell], &view, &p->meter[cell]);
		}
	}
	for (uint32_t c = 0; c < p->cells; c++)
		meter_tick(&p->meter[c], &meter_limits, p->now_ms);
}

static double length_s(const struct policy *p)
{
	if (p->length.ended > 0)
		return learn_length_s(&p->length);
	return p->world->s->f.scheduler.session_s;
}

static struct learn_forecast predict(const struct policy *p, uint32_t cell)
{
	struct learn_view view = view_of(p, cell);

	return learn_forecast_at(&p->doors, &p->cell[cell], &view, &p->meter[cell], p->now_ms,
		length_s(p), p->world->s->f.scheduler.headroom);
}

static void set_vendors(struct policy *p)
{
	const struct plant *w = p->world;

	for (uint32_t c = 0; c < p->cells; c++) {
		struct learn_forecast *f = &p->forecast[c];
		double load, current;

		*f = predict(p, c);
		load = f->mbps + f->pending;
		current = f->metered ? f->meter * f->survive : load;
		if (plain(p)) {
			load = current = p->meter[c].present ? p->meter[c].mbps : 0;
			f->known = p->meter[c].present;
			f->headroom = w->s->f.scheduler.headroom;
		}
		if (c < w->n_vendors) {
			p->vendor[c] = (struct alloc_vendor){.guaranteed_mbps = w->guaranteed[c],
				.max_mbps = w->maximum[c],
				.current_mbps = current,
				.forecast_mbps = load,
				.headroom = f->headroom,
				.known = f->known};
			p->service.slot[c].weight = w->weight[c];
		} else {
			p->region[c - w->n_vendors].current_mbps = current;
			p->region[c - w->n_vendors].forecast_mbps = load;
		}
	}
}

static void set_row(struct policy *p, uint32_t g)
{
	const struct plant *w = p->world;
	struct alloc_row *r = &p->row[g];

	memset(r, 0, sizeof(*r));
	r->group = (uint16_t)g;
	r->demand_mbps = p->demand[g].sequence_mbps * factor(p, PLANT_HTTP);
	r->sticky_mbps = p->demand[g].sticky_mbps * factor(p, PLANT_DNS);
	sticky_shares(&p->out.row[g].sticky, r->sticky_ppm);
	r->trickle_ppm = UINT32_MAX;
	for (uint32_t v = 0; v < w->n_vendors; v++) {
		r->quality[v] = p->sense.quality[g][v] > 0 ? p->sense.quality[g][v] : 1;
		if (w->drained[v])
			r->block[v] = SCORE_DRAINED;
		else if (!plain(p) && p->sense.withheld[g][v] == SCORE_PPM)
			r->block[v] = SCORE_BLACKLISTED;
		else if (!plain(p))
			r->withheld_ppm[v] = p->sense.withheld[g][v];
	}
}

static bool keeps_seated(uint8_t reason)
{
	return reason != SCORE_EVACUATED && reason != SCORE_BLACKLISTED &&
	       reason != SCORE_RESTRICTED && reason != SCORE_DOWN && reason != SCORE_NO_CAPACITY;
}

/* As the engine: what may change hands in one tick is the part that new clients are. */
static uint32_t max_move_ppm(const struct policy *p, const struct policy_demand *d)
{
	double audience = d->refresh_rate * p->world->s->f.audience.ttl_s;
	double least = TICK_MS / 1000.0 / p->world->s->f.scheduler.session_s;
	double part = audience < 1 ? 1 : d->fresh_rate / audience;

	return (uint32_t)(SCORE_PPM * fmin(1, fmax(part, least)));
}

static void put_row(struct policy *p, uint32_t g)
{
	const struct alloc_row_out *from = &p->row_out[g];
	struct policy_row *to = &p->out.row[g];
	uint32_t cut = from->capped;

	memcpy(to->share, from->share_ppm, sizeof(to->share));
	to->usable = to->seated = 0;
	to->lowered = from->lowered > 0 ? from->lowered : 1;
	for (uint32_t v = 0; v < p->world->n_vendors; v++) {
		bool usable = score_reason_usable(from->reason[v]);

		to->usable |= (uint16_t)(usable << v);
		to->seated |= (uint16_t)(keeps_seated(from->reason[v]) << v);
		cut |= (uint32_t)!usable << v;
	}
	cut |= from->share_ppm[SCORE_NONE] == 0 ? 1u << SCORE_NONE : 0;
	sticky_update(&to->sticky, to->share, cut, max_move_ppm(p, &p->demand[g]), NULL);
}

/* The factor by which what is spent in a cell turns into load: of its doors, by their parts. */
static double factor_of_cell(const struct policy *p, uint32_t c)
{
	double all = 0, true_load = 0;

	for (uint32_t d = 0; d < PLANT_DOORS; d++) {
		double load = ledger_load(p->ledger, d * p->cells + c);

		all += load;
		true_load += load * factor(p, d);
	}
	return all > 0 ? true_load / all : factor(p, PLANT_HTTP);
}

static void put_budgets(struct policy *p)
{
	const struct plant *w = p->world;

	for (uint32_t c = 0; c < p->cells; c++) {
		uint32_t v = c < w->n_vendors ? c : p->region[c - w->n_vendors].vendor;
		double max =
			c < w->n_vendors ? w->maximum[c] : p->region[c - w->n_vendors].max_mbps;
		const struct learn_forecast *f = &p->forecast[c];
		double room = (1 - p->vendor[v].headroom) * max - f->mbps - f->pending, leaving = 0;

		for (uint32_t d = 0; d < PLANT_DOORS; d++)
			leaving += ledger_departing(p->ledger, d * p->cells + c, 2 * TICK_MS) *
				   learn_factor(&p->doors, d);
		p->out.ceiling[c] = HUGE_VAL;
		if (!plain(p) && p->service.overload != ALLOC_SPREAD)
			p->out.ceiling[c] =
				p->tally.spent_kbps[c] +
				(room > 0 ? (room + leaving) / factor_of_cell(p, c) * 1000 : 0);
	}
}

void policy_sluice_tick(struct policy *p)
{
	struct alloc_fleet fleet = {.vendor = p->vendor,
		.region = p->region,
		.service = &p->service,
		.row = p->row,
		.region_of = p->world->n_regions ? p->region_of : NULL,
		.n_vendors = p->world->n_vendors,
		.n_regions = p->world->n_regions,
		.n_services = 1,
		.n_groups = p->world->n_groups,
		.n_rows = p->world->n_groups};
	struct alloc_stats stats;
	int rc;

	ledger_advance(p->ledger, p->now_ms, length_s(p));
	ledger_advance(p->fast, p->now_ms, LEDGER_MAX_LENGTH_S);
	spent_into_ledger(p);
	read_reports(p);
	policy_take_meters(p);
	policy_sense_tick(p);
	set_vendors(p);
	for (uint32_t g = 0; g < fleet.n_groups; g++) {
		read_demand(p, g);
		set_row(p, g);
	}
	rc = alloc_run(&fleet, &p->state, p->work, alloc_work_size(fleet.n_rows), p->row_out,
		p->vendor_out, &stats);
	sl_assert(rc == 0);
	for (uint32_t g = 0; g < fleet.n_groups; g++)
		put_row(p, g);
	put_budgets(p);
}
