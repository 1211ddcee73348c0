/* SPDX-License-Identifier: Apache-2.0 */
#include "scoring/record.h"

#include "base/hash.h"

uint64_t record_layout(void)
{
	static const size_t sizes[] = {sizeof(struct loop_kept), sizeof(struct loop_seat),
		sizeof(struct loop_cell), sizeof(struct loop_vendor), sizeof(struct loop_region),
		sizeof(struct loop_service), sizeof(struct loop_row), sizeof(struct loop_fact),
		sizeof(struct loop_note), sizeof(struct record_state), sizeof(struct record_tick),
		sizeof(struct record_row), sizeof(struct record_meter), LOOP_CELLS, LOOP_DOORS,
		SCORE_ROW, SL_MAX_GROUPS};

	return hash64(sizes, sizeof(sizes), 1);
}

uint64_t record_row_hash(const struct loop *l, uint32_t row)
{
	const struct alloc_row *in = &l->row[row];
	const struct alloc_row_out *out = &l->row_out[row];
	const struct sticky_row *table = &l->seat[in->service * SL_MAX_GROUPS + in->group].sticky;
	uint64_t h = hash64(out->share_ppm, sizeof(out->share_ppm), in->service);

	h = hash64(out->rung_ppm, sizeof(out->rung_ppm), h);
	h = hash64(out->reason, l->service[in->service].n_slots, h);
	h = hash64(out->order, out->n_order, h);
	return hash64(table->entry, table->n * sizeof(table->entry[0]), hash_mix(h, in->group));
}
