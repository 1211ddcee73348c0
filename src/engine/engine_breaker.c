/* SPDX-License-Identifier: Apache-2.0 */
/* The automatic blacklist: one breaker per (vendor, group), applied to the rows of all services. */
#include "engine/engine_facts.h"

static const struct breaker_params params = BREAKER_PARAMS_DEFAULT;

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

static void gather(const struct engine *e, uint32_t g, struct contest *c)
{
	c->n = 0;
	for (uint32_t s = 0; s < e->cat.n_services; s++) {
		const struct alloc_service *service = &e->service[s];
		const struct alloc_row *row;

		if (e->first_row[s] == BLOB_NONE)
			continue;
		row = &e->alloc_row[e->first_row[s] + g];
		for (uint32_t k = 0; k < service->n_slots; k++) {
			uint32_t i = place_of(c, service->slot[k].vendor);

			if (i < SL_MAX_SLOTS)
				c->in[i].usable |= row->block[k] == 0;
		}
	}
	for (uint32_t i = 0; i < c->n; i++) {
		const struct engine_facts_cell *cell = &e->facts->cell[g][c->vendor[i]];

		c->state[i] = e->facts->breaker[g][c->vendor[i]];
		c->in[i].window = cell->window;
		c->in[i].estimate = cell->estimate;
		c->in[i].audience_mbps = cell->audience_mbps;
	}
}

/* Bars a vendor of a row, unless nobody would be left: a service may have fewer vendors than the
 * group, so the breaker's own guard does not see that. */
static void bar(const struct engine *e, struct alloc_row *row, uint32_t slot)
{
	uint32_t n = e->service[row->service].n_slots;

	for (uint32_t k = 0; k < n; k++)
		if (k != slot && row->block[k] == 0) {
			row->block[slot] = SCORE_BLACKLISTED;
			return;
		}
}

static void apply(const struct engine *e, uint32_t g, uint16_t vendor, uint32_t allows_ppm)
{
	for (uint32_t s = 0; s < e->cat.n_services; s++) {
		const struct alloc_service *service = &e->service[s];
		struct alloc_row *row;

		if (e->first_row[s] == BLOB_NONE)
			continue;
		row = &e->alloc_row[e->first_row[s] + g];
		for (uint32_t k = 0; k < service->n_slots; k++) {
			if (service->slot[k].vendor != vendor || row->block[k])
				continue;
			row->withheld_ppm[k] = allows_ppm ? SCORE_PPM - allows_ppm : 0;
			if (!allows_ppm)
				bar(e, row, k);
		}
	}
}

static void note(struct engine_facts *f, uint32_t g, const struct contest *c,
	const struct breaker_event *ev, uint32_t n)
{
	for (uint32_t i = 0; i < n && f->n_events < ENGINE_MAX_BREAKER_EVENTS; i++)
		f->event[f->n_events++] = (struct engine_breaker_event){
			.event = ev[i], .vendor = c->vendor[ev[i].slot], .group = (uint16_t)g};
}

/* What the guards look at: the audience of all groups, and the room of all vendors. */
static struct breaker_region survey(const struct engine *e)
{
	struct breaker_region r = {0};

	for (uint32_t v = 0; v < e->cat.n_vendors; v++) {
		const struct alloc_vendor *a = &e->vendor[v];
		double load = SL_MAX(a->current_mbps, a->forecast_mbps);

		r.room_mbps += SL_MAX(0, a->max_mbps * (1 - a->headroom) - load);
	}
	for (uint32_t g = 0; g < e->cat.n_groups; g++)
		for (uint32_t v = 0; v < e->cat.n_vendors; v++) {
			double mbps = e->facts->cell[g][v].audience_mbps;

			r.audience_mbps += mbps;
			if (e->facts->breaker[g][v].state != BREAKER_OPEN)
				continue;
			r.out_mbps += mbps;
			r.groups_out++;
		}
	return r;
}

void engine_breaker_tick(struct engine *e, uint64_t now_ms)
{
	struct breaker_region region = survey(e);
	struct engine_facts *f = e->facts;

	f->n_events = 0;
	for (uint32_t g = 0; g < e->cat.n_groups; g++) {
		struct breaker_event ev[SL_MAX_SLOTS];
		struct contest c;

		gather(e, g, &c);
		note(f, g, &c, ev, breaker_tick(&params, c.state, c.in, c.n, &region, now_ms, ev));
		for (uint32_t i = 0; i < c.n; i++) {
			uint32_t ppm = breaker_allows_ppm(&c.state[i], &c.in[i], now_ms);

			f->breaker[g][c.vendor[i]] = c.state[i];
			if (ppm < SCORE_PPM)
				apply(e, g, c.vendor[i], ppm);
		}
	}
}

void engine_breaker_put(const struct engine *e, struct tick_breaker *to)
{
	static const uint8_t word[BREAKER_STATES] = {
		TICK_CLOSED, TICK_OPEN, TICK_HALF_OPEN, TICK_HALF_OPEN, TICK_HALF_OPEN};

	for (uint32_t g = 0; to && g < e->cat.n_groups; g++)
		for (uint32_t v = 0; v < e->cat.n_vendors; v++)
			to[g * e->cat.n_vendors + v].v = word[e->facts->breaker[g][v].state];
}
