/* SPDX-License-Identifier: Apache-2.0 */
#include "world/tick.h"

#include "scoring/sticky.h"
#include "world/catalogue.h"

TICK(BLOB_TABLE)
static const struct blob_array arrays[] = {TICK(BLOB_ARRAY_ROW)};

void tick_view_init(struct tick_view *view, const void *blob)
{
	uint32_t index = 0;

	view->head = blob;
	TICK(BLOB_VIEW_SET)
}

static bool shares_good(const struct tick_view *t, uint32_t row)
{
	uint64_t sum = 0;

	if (row == BLOB_NONE)
		return true;
	for (uint32_t i = 0; i < SCORE_ROW; i++)
		sum += t->shares[row].ppm.v[i];
	return sum == SCORE_PPM;
}

/* The first row begins at the first address, and they rise. */
static bool denied_good(const struct tick_view *t)
{
	for (uint32_t i = 0; i < t->n_denied; i++) {
		const struct tick_denied *d = &t->denied[i];

		if (i == 0 ? d->hi || d->lo
			   : d->hi < d[-1].hi || (d->hi == d[-1].hi && d->lo <= d[-1].lo))
			return false;
	}
	return true;
}

static bool ingests_good(const struct tick_view *t)
{
	for (uint32_t i = 0; i < t->n_ingests; i++) {
		const struct tick_ingest *in = &t->ingests[i];

		if (i && (in->group < in[-1].group ||
				 (in->group == in[-1].group && in->ingest <= in[-1].ingest)))
			return false;
	}
	return true;
}

static bool rungs_good(const struct tick_view *t, const struct tick_row *r)
{
	uint64_t sum = 0;

	if (r->lower_ppm == 0)
		return true;
	if (r->rungs >= t->n_rungs)
		return false;
	for (uint32_t i = 0; i < SL_MAX_RUNGS; i++)
		sum += t->rungs[r->rungs].ppm.v[i];
	return sum == SCORE_PPM;
}

/* Slots in order of score: each at most once. */
static bool order_good(const struct tick_row *r)
{
	uint32_t seen = 0;

	for (uint32_t i = 0; i < r->n_order; i++) {
		uint32_t bit = 1u << (r->order >> (4 * i) & 15);

		if (seen & bit)
			return false;
		seen |= bit;
	}
	return true;
}

static bool row_good(const struct tick_view *t, const struct tick_row *r)
{
	const struct tick_sticky *s = t->sticky + r->sticky.first;

	return shares_good(t, r->shares) && shares_good(t, r->fallback) && order_good(r) &&
	       rungs_good(t, r) && (r->shares == BLOB_NONE) == (r->fallback == BLOB_NONE) &&
	       (r->sticky.count == 0 || sticky_check(&s->v, r->sticky.count));
}

/* Whole records of addresses, owner a pointer to the question. */
static bool records_good(const struct tick_view *t, struct blob_span s, uint32_t size)
{
	const uint8_t *p = &t->wire[s.first].v;
	uint8_t head[12] = {0xc0, 0x0c, 0, size == CAT_A_RR_SIZE ? 1 : 28, 0, 1};

	head[11] = (uint8_t)(size - sizeof(head));
	if (s.count % size)
		return false;
	for (uint32_t at = 0; at < s.count; at += size)
		if (memcmp(p + at, head, sizeof(head)) != 0)
			return false;
	return true;
}

static bool edges_good(const struct tick_view *t)
{
	if (t->n_edge_of && t->n_edge_of != (uint64_t)t->meta->n_vendors * t->meta->n_groups)
		return false;
	for (uint32_t i = 0; i < t->n_edges; i++)
		if (!records_good(t, t->edges[i].a, CAT_A_RR_SIZE) ||
			!records_good(t, t->edges[i].aaaa, CAT_AAAA_RR_SIZE))
			return false;
	return true;
}

static bool hot_good(const struct tick_view *t)
{
	for (uint32_t i = 1; i < t->n_hot; i++)
		if (t->hot[i].key <= t->hot[i - 1].key)
			return false;
	return true;
}

static int check(const void *blob, struct errbuf *err)
{
	struct tick_view t;
	const struct tick_meta *m;

	tick_view_init(&t, blob);
	m = t.meta;
	if (t.n_rows != (uint64_t)m->n_services * m->n_groups ||
		t.n_budgets != m->n_vendors + m->n_regions || t.n_figures != t.n_budgets ||
		t.n_breakers != (uint64_t)m->n_vendors * m->n_groups)
		return err_set(err, SL_EFORMAT, "tick: arrays do not have the sizes of its head");
	if (!denied_good(&t))
		return err_set(err, SL_EFORMAT, "tick.denied: not in order");
	if (!edges_good(&t))
		return err_set(err, SL_EFORMAT, "tick.edges: bad record, or not one per cell");
	if (!ingests_good(&t))
		return err_set(err, SL_EFORMAT, "tick.ingests: not in order");
	if (!hot_good(&t))
		return err_set(err, SL_EFORMAT, "tick.hot: not in order");
	for (uint32_t i = 0; i < t.n_rows; i++) {
		if (!row_good(&t, &t.rows[i]))
			return err_set(err, SL_EFORMAT,
				"tick.rows[%u]: shares, order, rungs or sticky table broken", i);
	}
	return 0;
}

const struct blob_def tick_def = {
	.name = "tick",
	.magic = {'S', 'L', 'U', 'T', 'I', 'C', 1, 2},
	.layout = 7,
	.arrays = arrays,
	.n_arrays = TICK_N_ARRAYS,
	.check = check,
};
