/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/engine_int.h"

static void note_slots(struct engine *e, const struct cat_view *c, uint32_t service)
{
	const struct cat_service *s = &c->services[service];

	memset(e->slot_vendor[service], 0, sizeof(e->slot_vendor[service]));
	for (uint32_t i = 0; i < s->slots.count; i++)
		e->slot_vendor[service][i] = (uint8_t)(c->slots[s->slots.first + i].vendor + 1);
}

/* The sticky tables go on from the last tick, so that a restart re-seats nobody. */
void engine_seats_resume(struct engine *e, const struct world *w)
{
	for (uint32_t s = 0; s < w->cat.n_services; s++) {
		note_slots(e, &w->cat, s);
		for (uint32_t g = 0; g < w->cat.n_groups; g++) {
			struct blob_span span = world_row(w, s, g)->sticky;
			struct sticky_row *to = &e->loop.seat[s * SL_MAX_GROUPS + g].sticky;

			if (span.count == 0)
				continue;
			to->n = span.count;
			memcpy(to->entry, &w->tick.sticky[span.first].v,
				span.count * sizeof(to->entry[0]));
		}
	}
}

/* Where each slot of old stands now; SCORE_NONE where its vendor has left. */
static bool find_moves(const struct engine *e, uint32_t service, uint8_t ret_to[static SCORE_ROW])
{
	const struct cat_service *s = &e->cat.services[service];
	bool moved = false;

	ret_to[SCORE_NONE] = SCORE_NONE;
	for (uint32_t i = 0; i < SL_MAX_SLOTS; i++) {
		uint32_t vendor = e->slot_vendor[service][i];

		ret_to[i] = SCORE_NONE;
		for (uint32_t k = 0; vendor && k < s->slots.count; k++)
			if (e->cat.slots[s->slots.first + k].vendor == vendor - 1)
				ret_to[i] = (uint8_t)k;
		moved |= vendor && ret_to[i] != i;
	}
	return moved;
}

/* Renames the slots of a table and of what it follows; neighbours that fall together become one
 * interval. */
static void rename_slots(struct loop_seat *seat, const uint8_t to[static SCORE_ROW])
{
	struct sticky_row *row = &seat->sticky;
	double mean[SCORE_ROW] = {0};
	uint32_t n = 0;

	for (uint32_t i = 0; i < SCORE_ROW; i++)
		mean[to[i]] += seat->mean[i];
	memcpy(seat->mean, mean, sizeof(mean));

	for (uint32_t i = 0; i < row->n; i++) {
		uint32_t slot = to[SL_MIN(row->entry[i] & 0xff, (uint32_t)SCORE_NONE)];
		uint32_t entry = (row->entry[i] & 0xffffff00u) | slot;

		if (n && (row->entry[n - 1] & 0xff) == slot)
			n--;
		row->entry[n++] = entry;
	}
	row->n = n;
}

/* A new catalogue may number the slots of a service anew: people stay with their vendor. */
void engine_seats_remap(struct engine *e)
{
	for (uint32_t s = 0; s < e->cat.n_services; s++) {
		uint8_t to[SCORE_ROW];
		bool moved = find_moves(e, s, to);

		for (uint32_t g = 0; moved && g < e->cat.n_groups; g++)
			rename_slots(&e->loop.seat[s * SL_MAX_GROUPS + g], to);
		note_slots(e, &e->cat, s);
	}
}
