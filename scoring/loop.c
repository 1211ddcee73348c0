/* SPDX-License-Identifier: Apache-2.0 */
/* A tick: counts into the ledger, forecasts, demand, the fleet, and its allocation. */
#include "scoring/loop.h"

#include "base/err.h"
#include "scoring/loop_if.h"
#include "scoring/loop_int.h"

#include <math.h>
#include <string.h>

enum {
	SMOOTH_TICKS = 3, /* demand follows a change within about this many ticks */
	/* Reports a minute, of a vendor in a group. A breaker judges 5 s with 10 pulls in them;
	 * where 20 are to be expected, one window in 200 has fewer. */
	WANTED_SAMPLES = 240,
};

static const struct meter_limits meter_limits = METER_LIMITS_DEFAULT;

double loop_factor(const struct loop *l, enum loop_door door)
{
	return learn_factor(&l->kept->doors, door) * learn_rate_ratio(&l->kept->rate);
}

double loop_current(const struct learn_forecast *f)
{
	if (f->metered)
		return f->meter * f->survive;
	return f->known ? f->mbps : 0;
}

static struct learn_view view_of(
	const struct loop *l, uint32_t cell, uint32_t n_vendors, double max_mbps)
{
	return (struct learn_view){.ledger = l->ledger,
		.fast = l->live,
		.cell = cell,
		.stride = LOOP_CELLS,
		.doors = LOOP_DOORS,
		.max_mbps = max_mbps,
		.peer_ratio = learn_peer_ratio(l->kept->learn, n_vendors)};
}

enum meter_verdict loop_push_meter(struct loop *l, uint32_t cell, uint32_t n_vendors, double mbps,
	uint64_t start_ms, uint64_t end_ms, uint64_t now_ms, double max_mbps)
{
	enum meter_verdict verdict = meter_push(
		&l->kept->meter[cell], &meter_limits, mbps, start_ms, end_ms, now_ms, max_mbps);

	if (meter_verdict_taken(verdict)) {
		struct learn_view view = view_of(l, cell, n_vendors, max_mbps);

		learn_meter(&l->kept->doors, &l->kept->learn[cell], &view, &l->kept->meter[cell]);
	}
	return verdict;
}

/* --- lengths and the ledger ------------------------------------------------------------------ */

static void set_length(struct loop *l, const struct loop_in *in)
{
	double sum = 0;
	uint32_t n = 0;

	for (uint32_t i = 0; i < in->n_services; i++)
		if (in->service[i].active) {
			sum += in->service[i].session_s;
			n++;
		}
	l->configured_s = n ? sum / n : LEDGER_MIN_LENGTH_S;
	l->length_s = learn_length_s(&l->kept->length, l->configured_s);
}

static double longest_ttl_s(const struct loop_in *in)
{
	double ttl_s = 1;

	for (uint32_t i = 0; i < in->n_services; i++)
		if (in->service[i].active)
			ttl_s = fmax(ttl_s, in->service[i].ttl_s);
	return ttl_s;
}

/* What came through DNS arrives over the TTL, as resolvers hand it on; what came by HTTP, now. */
static void spend(struct loop *l, const struct loop_in *in)
{
	double rate = learn_rate_ratio(&l->kept->rate), ttl_s = longest_ttl_s(in);

	for (uint32_t c = 0; c < LOOP_CELLS; c++) {
		double dns = in->door_kbps[LOOP_DNS][c], http = in->door_kbps[LOOP_HTTP][c];

		if (dns > 0)
			ledger_add_later(
				l->ledger, LOOP_DNS * LOOP_CELLS + c, 1, dns * rate, ttl_s);
		if (http > 0)
			ledger_add(l->ledger, LOOP_HTTP * LOOP_CELLS + c, 1, http * rate);
	}
}

/* --- forecasts ------------------------------------------------------------------------------- */

/* The vendor that a cell is of. */
static const struct loop_vendor *owner(const struct loop_in *in, uint32_t cell)
{
	return &in->vendor[cell < SL_MAX_VENDORS ? cell : in->region[cell - SL_MAX_VENDORS].vendor];
}

static double max_of(const struct loop_in *in, uint32_t cell)
{
	return cell < SL_MAX_VENDORS ? in->vendor[cell].max_mbps
				     : in->region[cell - SL_MAX_VENDORS].max_mbps;
}

static struct learn_forecast forecast(const struct loop *l, const struct loop_in *in, uint32_t cell,
	const struct learn_doors *doors, const struct learn_cell *learned, const struct meter *m)
{
	struct learn_view view = view_of(l, cell, in->n_vendors, max_of(in, cell));
	const struct loop_vendor *v = owner(in, cell);
	double length_s = v->session_s * l->length_s / l->configured_s;

	return learn_forecast_at(doors, learned, &view, m, in->now_ms, length_s, v->headroom);
}

static const struct learn_forecast *predict(struct loop *l, const struct loop_in *in, uint32_t cell)
{
	struct meter *m = &l->kept->meter[cell];

	meter_tick(m, &meter_limits, in->now_ms);
	l->forecast[cell] = forecast(l, in, cell, &l->kept->doors, &l->kept->learn[cell], m);
	return &l->forecast[cell];
}

struct learn_forecast loop_forecast_if(
	const struct loop *l, const struct loop_in *in, uint32_t cell, const struct loop_push *push)
{
	struct learn_view view = view_of(l, cell, in->n_vendors, max_of(in, cell));
	struct learn_doors doors = l->kept->doors;
	struct learn_cell learned = l->kept->learn[cell];
	struct meter m = l->kept->meter[cell];

	if (!push)
		m = (struct meter){0};
	else if (meter_verdict_taken(meter_push(&m, &meter_limits, push->mbps, push->start_ms,
			 push->end_ms, in->now_ms, max_of(in, cell))))
		learn_meter(&doors, &learned, &view, &m);
	return forecast(l, in, cell, &doors, &learned, &m);
}

/* What earlier answers of DNS will still bring counts as if it were there. */
double loop_to_come(const struct learn_forecast *f, bool as_metered)
{
	if (as_metered && f->metered)
		return loop_current(f);
	return f->known ? f->mbps + f->pending : 0;
}

static void set_vendors(struct loop *l, const struct loop_in *in)
{
	for (uint32_t v = 0; v < in->n_vendors; v++) {
		const struct loop_vendor *from = &in->vendor[v];
		const struct learn_forecast *f = predict(l, in, v);

		l->vendor[v] = (struct alloc_vendor){.guaranteed_mbps = from->guaranteed_mbps,
			.max_mbps = from->max_mbps,
			.current_mbps = loop_current(f),
			.forecast_mbps = loop_to_come(f, in->no_forecast),
			.headroom = f->headroom,
			.known = f->known};
	}
	for (uint32_t r = 0; r < in->n_regions; r++) {
		const struct loop_region *from = &in->region[r];
		const struct learn_forecast *f = predict(l, in, SL_MAX_VENDORS + r);

		l->region[r] = (struct alloc_region){.vendor = from->vendor,
			.guaranteed_mbps = from->guaranteed_mbps,
			.max_mbps = from->max_mbps,
			.current_mbps = loop_current(f),
			.forecast_mbps = loop_to_come(f, in->no_forecast)};
	}
}

/* --- demand ---------------------------------------------------------------------------------- */

/* The larger of what came in this tick and the running mean: demand that begins is expected to go
 * on at once, demand that ends is given up slowly. */
static double expect(double before, double now)
{
	double mean = before + (now - before) / SMOOTH_TICKS;

	return now > mean ? now : mean;
}

static struct loop_seat *seat_of(struct loop *l, const struct loop_row *r)
{
	return &l->seat[r->service * SL_MAX_GROUPS + r->group];
}

static void read_demand(struct loop *l, const struct loop_in *in)
{
	double kbps = 0, sessions = 0;

	for (uint32_t i = 0; i < in->n_rows; i++) {
		const struct loop_row *r = &in->row[i];
		struct loop_seat *s = seat_of(l, r);
		double full = in->service[r->service].bitrate_kbps;

		s->sequence_mbps = expect(s->sequence_mbps, r->sequence_kbps / 1000);
		s->sticky_mbps = expect(s->sticky_mbps, r->sticky_kbps / 1000);
		s->fresh_rate += (r->fresh - s->fresh_rate) / SMOOTH_TICKS;
		s->refresh_rate += (r->refresh - s->refresh_rate) / SMOOTH_TICKS;
		kbps += r->sequence_kbps * (s->lowered > 0 ? s->lowered : 1) + r->sticky_kbps;
		sessions += (r->sequence_kbps + r->sticky_kbps) / full;
	}
	learn_rate_observe(&l->kept->rate, kbps, sessions, l->length_s, loop_dt_s(in));
}

/* Behind sticky doors are DNS and dialects: by the parts that they have of what was dispatched. */
static double sticky_factor(const struct loop *l, const struct loop_in *in)
{
	double dns = 0, sticky = 0, part;

	for (uint32_t v = 0; v < in->n_vendors; v++)
		dns += in->door_kbps[LOOP_DNS][v];
	for (uint32_t i = 0; i < in->n_rows; i++)
		sticky += in->row[i].sticky_kbps;
	part = sticky > 0 ? fmin(1, dns / sticky) : 1;
	return part * loop_factor(l, LOOP_DNS) + (1 - part) * loop_factor(l, LOOP_HTTP);
}

static void set_rows(struct loop *l, const struct loop_in *in)
{
	double sequence = loop_factor(l, LOOP_HTTP), sticky = sticky_factor(l, in);

	for (uint32_t s = 0; s < SL_MAX_SERVICES; s++)
		l->first_row[s] = UINT32_MAX;
	for (uint32_t i = 0; i < in->n_rows; i++) {
		const struct loop_row *from = &in->row[i];
		const struct loop_seat *seat = seat_of(l, from);
		struct alloc_row *to = &l->row[i];

		if (l->first_row[from->service] == UINT32_MAX)
			l->first_row[from->service] = i;
		memset(to, 0, sizeof(*to));
		to->service = from->service;
		to->group = from->group;
		to->demand_mbps = seat->sequence_mbps * sequence;
		to->sticky_mbps = seat->sticky_mbps * sticky;
		sticky_shares(&seat->sticky, to->sticky_ppm);
		to->trickle_ppm = UINT32_MAX;
		memcpy(to->block, from->block, sizeof(to->block));
		for (uint32_t k = 0; k < SL_MAX_SLOTS; k++)
			to->quality[k] = 1;
	}
}

/* --- the trickle ----------------------------------------------------------------------------- */

static bool on_trial(const struct alloc_row *row, uint32_t n_slots)
{
	for (uint32_t k = 0; k < n_slots; k++)
		if (row->withheld_ppm[k])
			return true;
	return false;
}

static double sessions_of(const struct loop_in *in, const struct loop_row *r, double mbps)
{
	return mbps * 1000 / in->service[r->service].bitrate_kbps;
}

/*
 * What gives the wanted samples a minute: of those who come by shares as many report as the minute
 * told of, but never more than come. Behind tables whole resolvers come to a vendor or none do, and
 * give nothing to count on.
 */
static void set_trickles(struct loop *l, const struct loop_in *in)
{
	double come[SL_MAX_GROUPS] = {0}; /* sessions in a tick */

	for (uint32_t i = 0; i < in->n_rows; i++) {
		const struct loop_seat *s = seat_of(l, &in->row[i]);

		come[in->row[i].group] +=
			sessions_of(in, &in->row[i], s->sequence_mbps + s->sticky_mbps);
	}
	for (uint32_t i = 0; i < in->n_rows; i++) {
		const struct loop_row *r = &in->row[i];
		double mine = sessions_of(in, r, seat_of(l, r)->sequence_mbps), reports;

		if (!(mine > 0) || !(l->pulls[r->group] > 0) ||
			on_trial(&l->row[i], l->service[r->service].n_slots))
			continue;
		reports =
			fmin(l->pulls[r->group] * mine / come[r->group], mine * 60 / loop_dt_s(in));
		l->row[i].trickle_ppm =
			(uint32_t)ceil(SCORE_PPM * fmin(1, WANTED_SAMPLES / reports));
	}
}

static void set_services(struct loop *l, const struct loop_in *in)
{
	for (uint32_t s = 0; s < in->n_services; s++)
		l->service[s] = in->service[s].alloc;
	l->fleet = (struct alloc_fleet){.vendor = l->vendor,
		.region = l->region,
		.service = l->service,
		.row = l->row,
		.region_of = in->n_regions ? in->region_of : NULL,
		.n_vendors = in->n_vendors,
		.n_regions = in->n_regions,
		.n_services = in->n_services,
		.n_groups = in->n_groups,
		.n_rows = in->n_rows};
}

void loop_clock_ahead(struct loop *l, uint64_t by_ms)
{
	ledger_clock_ahead(l->ledger, by_ms);
	ledger_clock_ahead(l->live, by_ms);
	for (uint32_t c = 0; c < LOOP_CELLS; c++)
		meter_clock_ahead(&l->kept->meter[c], by_ms);
	for (uint32_t g = 0; g < l->fleet.n_groups; g++)
		for (uint32_t v = 0; v < l->fleet.n_vendors; v++)
			breaker_clock_ahead(&l->cell[g][v].breaker, by_ms);
}

int loop_tick(struct loop *l, const struct loop_in *in)
{
	int rc;

	if (in->n_rows > l->max_rows)
		return SL_ELIMIT;
	set_length(l, in);
	ledger_advance(l->ledger, in->now_ms, l->length_s);
	spend(l, in);
	read_demand(l, in);
	loop_sense(l, in);
	set_vendors(l, in);
	set_services(l, in);
	set_rows(l, in);
	loop_judge(l, in);
	set_trickles(l, in);
	rc = alloc_run(&l->fleet, &l->kept->alloc, l->work, alloc_work_size(l->max_rows),
		l->row_out, l->vendor_out, &l->stats);
	if (rc)
		return rc;
	loop_seats(l, in);
	loop_budgets(l, in);
	return 0;
}
