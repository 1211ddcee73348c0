/* SPDX-License-Identifier: Apache-2.0 */
/*
 * GET /v1/fallback: what an SDK keeps for the day when no HTTPDNS answers: the local-DNS domain of
 * every vendor, and the live shares of its group and of the default group (all=1: of every group).
 * Its version is the tick's; an account that has its replies signed gets it signed.
 */
#include "http/url.h"
#include "http/write.h"

static void put_vendors(struct buf *b, const struct world *w, const struct http_decision *d)
{
	BUF_PUT_LIT(b, ",\"vendors\":[");
	for (uint32_t i = 0; i < d->service->slots.count; i++) {
		uint32_t v = w->cat.slots[d->service->slots.first + i].vendor;
		struct str host = http_slot_host(w, d, (uint8_t)i);

		if (i)
			buf_put_u8(b, ',');
		BUF_PUT_LIT(b, "{\"vendor\":");
		http_write_text(b, cat_text(&w->cat, w->cat.vendors[v].name));
		if (host.n) {
			BUF_PUT_LIT(b, ",\"domain\":");
			http_write_text(b, host);
		}
		buf_put_u8(b, '}');
	}
	buf_put_u8(b, ']');
}

/* "GROUP":[ppm by vendor, in the order of vendors]; nothing where the service has no shares. */
static bool put_group(struct buf *b, const struct world *w, const struct http_decision *d,
	uint32_t group, bool first)
{
	const struct tick_row *row = world_row(w, d->q.service, group);
	uint32_t shares = d->q.stale ? row->fallback : row->shares;

	if (shares == BLOB_NONE)
		return false;
	if (!first)
		buf_put_u8(b, ',');
	http_write_text(b, cat_text(&w->cat, w->cat.groups[group].name));
	BUF_PUT_LIT(b, ":[");
	for (uint32_t i = 0; i < d->service->slots.count; i++) {
		if (i)
			buf_put_u8(b, ',');
		buf_put_u64_dec(b, w->tick.shares[shares].ppm.v[i]);
	}
	buf_put_u8(b, ']');
	return true;
}

static void put_ratios(
	struct buf *b, const struct world *w, const struct http_decision *d, bool all)
{
	uint32_t standard = w->cat.meta->default_group;
	bool first = true;

	BUF_PUT_LIT(b, ",\"ratios_ppm\":{");
	if (all) {
		for (uint32_t g = 0; g < w->cat.n_groups; g++)
			first &= !put_group(b, w, d, g, first);
	} else {
		first = !put_group(b, w, d, d->q.group, true);
		if (standard != d->q.group)
			(void)put_group(b, w, d, standard, first);
	}
	buf_put_u8(b, '}');
}

static void put_profile(
	struct buf *b, const struct http_worker *hw, const struct http_decision *d, bool all)
{
	const struct world *w = hw->worker.world;

	BUF_PUT_LIT(b, "{\"version\":\"");
	buf_put_u64_dec(b, w->tick.head->epoch);
	buf_put_u8(b, '.');
	buf_put_u64_dec(b, w->tick.head->generation);
	BUF_PUT_LIT(b, "\",\"made_ms\":");
	buf_put_u64_dec(b, w->tick.head->time_ms);
	BUF_PUT_LIT(b, ",\"service\":");
	http_write_text(b, cat_text(&w->cat, d->service->name));
	BUF_PUT_LIT(b, ",\"group\":");
	http_write_text(b, cat_text(&w->cat, w->cat.groups[d->q.group].name));
	BUF_PUT_LIT(b, ",\"default_group\":");
	http_write_text(b, cat_text(&w->cat, w->cat.groups[w->cat.meta->default_group].name));
	BUF_PUT_LIT(b, ",\"ttl\":");
	buf_put_u64_dec(b, d->service->ttl_s);
	BUF_PUT_LIT(b, ",\"refresh_s\":");
	/* a profile is for bad days: it need not follow every tick */
	buf_put_u64_dec(b, http_refresh_s(10 * d->service->refresh_s, d->q.key, hw->worker.now_ms));
	put_vendors(b, w, d);
	put_ratios(b, w, d, all);
	buf_put_u8(b, '}');
}

static const char *set_all(struct str *all, struct str value)
{
	bool first = all->n == 0;

	*all = value;
	return first && (str_eq(value, STR_LIT("0")) || str_eq(value, STR_LIT("1")))
		       ? NULL
		       : "all must be 0 or 1, given once";
}

void http_door_fallback(
	struct http_worker *w, const struct httpd_request *rq, struct httpd_reply *rp)
{
	struct http_query query = http_query_of(rq->client);
	struct http_decision d;
	const char *wrong = NULL;
	struct str all = {NULL, 0};

	for (uint16_t i = 0; i < rq->n_params && !wrong; i++) {
		if (str_eq(rq->params[i].name, STR_LIT("all")))
			wrong = set_all(&all, rq->params[i].value);
		else
			wrong = http_query_set(&query, rq->params[i].name, rq->params[i].value);
	}
	if (!wrong && query.host.n == 0)
		wrong = "host is missing";
	if (wrong)
		httpd_reply_error(rp, 400, "bad_request", wrong);
	else if (http_locate(w, &query, &d))
		httpd_reply_error(rp, 404, "unknown_host", "this host is not scheduled here");
	else
		put_profile(&rp->body, w, &d, str_eq(all, STR_LIT("1")));
}
