/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the fleet of the last tick would be with an automatic feature off that is on, or the other
 * way: as the loop makes it, from what it goes on to measure meanwhile.
 */
#include "control/impact_int.h"
#include "scoring/loop_if.h"

static void rate(struct sim *s, const struct engine_view *view, bool counts)
{
	for (uint32_t r = 0; r < s->fleet.n_rows; r++) {
		struct alloc_row *row = &s->row[r];

		for (uint32_t k = 0; k < SL_MAX_SLOTS; k++)
			row->quality[k] = 1;
		if (counts)
			loop_qualities(view->loop, row, row->quality);
	}
}

/* Bars a vendor of a row, unless nobody would be left, as the loop does. */
static void bar(const struct sim *s, struct alloc_row *row, uint32_t slot)
{
	const struct alloc_service *svc = &s->service[row->service];

	for (uint32_t k = 0; k < svc->n_slots; k++)
		if (k != slot && row->block[k] == 0) {
			row->block[slot] = SCORE_BLACKLISTED;
			return;
		}
}

/* What the breakers of now hold back is let go; rules come after this. */
static void judge(struct sim *s, const struct engine_view *view, const uint64_t *barred)
{
	const struct cat_view *c = s->cat;

	for (uint32_t r = 0; r < s->fleet.n_rows; r++) {
		struct alloc_row *row = &s->row[r];
		const struct alloc_service *svc = &s->service[row->service];

		for (uint32_t k = 0; k < svc->n_slots; k++) {
			uint32_t v = svc->slot[k].vendor;

			if (view->loop->cell[row->group][v].breaker.state != BREAKER_CLOSED &&
				c->allowed[row->group * c->n_vendors + v].v &&
				impact_by_rule(row->block[k]))
				row->block[k] = 0;
			row->withheld_ppm[k] = 0;
		}
		for (uint32_t k = 0; barred && k < svc->n_slots; k++)
			if (barred[row->group] >> svc->slot[k].vendor & 1 && !row->block[k])
				bar(s, row, k);
	}
}

static void load(struct sim *s, const struct learn_forecast *f, bool as_metered)
{
	uint32_t n = s->fleet.n_vendors;

	for (uint32_t v = 0; v < n; v++) {
		s->vendor[v].current_mbps = loop_current(&f[v]);
		s->vendor[v].forecast_mbps = loop_to_come(&f[v], as_metered);
		s->vendor[v].headroom = f[v].headroom;
		s->vendor[v].known = f[v].known;
	}
	for (uint32_t r = 0; r < s->fleet.n_regions; r++) {
		s->region[r].current_mbps = loop_current(&f[n + r]);
		s->region[r].forecast_mbps = loop_to_come(&f[n + r], as_metered);
	}
}

static void look_at_nodes(struct sim *s, const struct impact_feature *f)
{
	const struct cat_view *c = s->cat;
	bool down[SL_MAX_NODES] = {0};

	s->node = f->node;
	s->n_nodes = f->n_nodes;
	for (uint32_t i = 0; i < c->n_nodes; i++)
		down[i] = engine_node_down(f->node, f->n_nodes, cat_text(c, c->nodes[i].name));
	for (uint32_t r = 0; r < s->fleet.n_rows; r++) {
		struct alloc_row *row = &s->row[r];
		struct blob_span slots = c->services[row->service].slots;

		for (uint32_t k = 0; k < slots.count; k++) {
			if (row->block[k] == SCORE_DOWN)
				row->block[k] = 0;
			if (!row->block[k] &&
				engine_nodes_out(c, down, slots.first + k, row->group))
				row->block[k] = SCORE_DOWN;
		}
	}
}

void impact_feature_apply(
	struct sim *s, const struct engine_view *view, const struct impact_feature *f)
{
	switch (f->kind) {
	case IMPACT_QUALITY:
		rate(s, view, f->on);
		break;
	case IMPACT_BREAKERS:
		judge(s, view, f->barred);
		break;
	case IMPACT_LOADS:
		load(s, f->forecast, f->as_metered);
		break;
	case IMPACT_NODES:
		look_at_nodes(s, f);
		break;
	}
}
