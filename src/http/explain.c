/* SPDX-License-Identifier: Apache-2.0 */
/* How a decision came about, for explain=1: place, reason, and every vendor's share with its why.
 */
#include "http/write.h"

static const char *kind_text(uint8_t kind)
{
	static const char *const text[ANSWER_KINDS] = {"new", "refresh", "move"};

	return kind < ANSWER_KINDS ? text[kind] : "?";
}

static void put_bool(struct buf *b, bool v)
{
	if (v)
		BUF_PUT_LIT(b, "true");
	else
		BUF_PUT_LIT(b, "false");
}

static void put_mbps(struct buf *b, double v)
{
	buf_put_u64_dec(b, (uint64_t)(v + 0.5));
}

/* What the shares were made from, whole Mbps. */
static void put_figures(struct buf *b, const struct tick_figure *f)
{
	BUF_PUT_LIT(b, ",\"guaranteed_mbps\":");
	put_mbps(b, f->guaranteed_mbps);
	BUF_PUT_LIT(b, ",\"max_mbps\":");
	put_mbps(b, f->max_mbps);
	BUF_PUT_LIT(b, ",\"current_mbps\":");
	put_mbps(b, f->current_mbps);
	BUF_PUT_LIT(b, ",\"forecast_mbps\":");
	put_mbps(b, f->forecast_mbps);
}

static void put_slot(struct buf *b, const struct world *w, const struct http_decision *d,
	const uint32_t *ppm, uint32_t slot)
{
	const struct tick_row *row = d->a.row;
	uint32_t v = w->cat.slots[d->service->slots.first + slot].vendor;

	BUF_PUT_LIT(b, "{\"vendor\":");
	http_write_text(b, cat_text(&w->cat, w->cat.vendors[v].name));
	BUF_PUT_LIT(b, ",\"share_ppm\":");
	buf_put_u64_dec(b, ppm[slot]);
	BUF_PUT_LIT(b, ",\"usable\":");
	put_bool(b, row->usable >> slot & 1);
	BUF_PUT_LIT(b, ",\"reason\":");
	http_write_text(b, str_from(score_reason_text(row->reasons >> (4 * slot) & 15)));
	put_figures(b, &w->tick.figures[v]);
	buf_put_u8(b, '}');
}

static void put_shares(struct buf *b, const struct world *w, const struct http_decision *d)
{
	uint32_t shares = d->a.stale ? d->a.row->fallback : d->a.row->shares;
	const uint32_t *ppm;

	if (shares == BLOB_NONE)
		return;
	ppm = w->tick.shares[shares].ppm.v;
	BUF_PUT_LIT(b, ",\"none_ppm\":");
	buf_put_u64_dec(b, ppm[SCORE_NONE]);
	BUF_PUT_LIT(b, ",\"lower_ppm\":");
	buf_put_u64_dec(b, d->a.row->lower_ppm);
	if (d->a.row->lower_ppm) {
		BUF_PUT_LIT(b, ",\"rungs_ppm\":[");
		for (uint32_t i = 0; i < SL_MAX_RUNGS; i++) {
			if (i)
				buf_put_u8(b, ',');
			buf_put_u64_dec(b, w->tick.rungs[d->a.row->rungs].ppm.v[i]);
		}
		buf_put_u8(b, ']');
	}
	BUF_PUT_LIT(b, ",\"vendors\":[");
	for (uint32_t i = 0; i < d->service->slots.count; i++) {
		if (i)
			buf_put_u8(b, ',');
		put_slot(b, w, d, ppm, i);
	}
	buf_put_u8(b, ']');
}

void http_write_explain(struct buf *b, const struct http_worker *hw, const struct http_query *query,
	const struct http_decision *d)
{
	const struct world *w = hw->worker.world;
	uint64_t made_ms = w->tick.head->time_ms, now_ms = hw->worker.now_ms;

	BUF_PUT_LIT(b, "{\"client\":\"");
	ip_put(b, query->ip);
	BUF_PUT_LIT(b, "\",\"service\":");
	http_write_text(b, cat_text(&w->cat, d->service->name));
	BUF_PUT_LIT(b, ",\"group\":");
	http_write_text(b, cat_text(&w->cat, w->cat.groups[d->q.group].name));
	BUF_PUT_LIT(b, ",\"scope\":");
	buf_put_u64_dec(b, d->place.scope);
	BUF_PUT_LIT(b, ",\"block\":");
	buf_put_u64_dec(b, d->place.block);
	BUF_PUT_LIT(b, ",\"by\":");
	http_write_text(b, str_from(d->q.by_sequence ? "sequence" : "sticky"));
	BUF_PUT_LIT(b, ",\"kind\":");
	http_write_text(b, str_from(kind_text(d->a.kind)));
	BUF_PUT_LIT(b, ",\"reason\":");
	http_write_text(b, str_from(answer_reason_text(d->a.reason)));
	BUF_PUT_LIT(b, ",\"stale\":");
	put_bool(b, d->a.stale);
	BUF_PUT_LIT(b, ",\"tick_age_ms\":");
	buf_put_u64_dec(b, now_ms > made_ms ? now_ms - made_ms : 0);
	BUF_PUT_LIT(b, ",\"tick\":");
	buf_put_u64_dec(b, w->tick.meta->number);
	BUF_PUT_LIT(b, ",\"generation\":");
	buf_put_u64_dec(b, w->tick.head->generation);
	BUF_PUT_LIT(b, ",\"catalogue_generation\":");
	buf_put_u64_dec(b, w->cat.head->generation);
	put_shares(b, w, d);
	buf_put_u8(b, '}');
}
