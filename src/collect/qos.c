/* SPDX-License-Identifier: Apache-2.0 */
/* POST /v1/qos, and what the replies to bodies of items have in common. */
#include "collect/collect_int.h"

#include <stdio.h>

enum { SHOWN = 16 };

static bool within(struct ip a, const struct httpd_prefix *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (p[i].ip.family == a.family && ip_eq(ip_mask(a, p[i].len), p[i].ip))
			return true;
	return false;
}

bool collect_begin(struct collect_worker *w, enum collect_source source,
	const struct httpd_request *rq, struct httpd_reply *rp)
{
	struct collect_intake *in = &w->intake;

	if (!in->world) {
		httpd_reply_error(rp, 503, "not_ready", "no catalogue yet");
		rp->retry_after_s = 5;
		return false;
	}
	collect_intake_begin(in, source, rq->client, within(rq->client, w->trusted, w->n_trusted));
	if (!collect_admit(w, rq, rp))
		return false;
	if (!collect_intake_shed(in))
		return true;
	rp->status = 202;
	BUF_PUT_LIT(&rp->body, "{\"accepted\":0,\"shed\":true}");
	return false;
}

void collect_outcome_init(
	struct collect_outcome *o, struct collect_worker *w, struct httpd_reply *rp)
{
	o->w = w;
	o->rp = rp;
	o->refused = o->shown = 0;
	o->items = buf_over(o->items_text, sizeof(o->items_text));
}

static void put_item(struct buf *b, uint32_t index, struct collect_verdict v, const char *field)
{
	BUF_PUT_LIT(b, "{\"index\":");
	buf_put_u64_dec(b, index);
	BUF_PUT_LIT(b, ",\"code\":");
	buf_put_json_str(b, str_from(collect_refusal_word(v.refusal)));
	if (field) {
		BUF_PUT_LIT(b, ",\"field\":");
		buf_put_json_str(b, str_from(field));
	}
	BUF_PUT_LIT(b, ",\"message\":");
	buf_put_json_str(b, str_from(collect_refusal_text(v.refusal)));
	BUF_PUT_LIT(b, "}");
}

void collect_outcome_refused(void *outcome, uint32_t index, struct collect_verdict v)
{
	struct collect_outcome *o = outcome;
	const char *field = collect_field_name(v.field);

	collect_intake_refused(&o->w->intake, v.refusal);
	if (o->refused++ == 0) {
		o->first_why = v.refusal;
		(void)snprintf(o->first, sizeof(o->first), "item %u%s%s %s", index,
			field ? ": " : "", field ? field : "", collect_refusal_text(v.refusal));
	}
	if (o->shown == SHOWN)
		return;
	if (o->shown++)
		buf_put_u8(&o->items, ',');
	put_item(&o->items, index, v, field);
}

void collect_outcome_reply(struct collect_outcome *o, uint32_t items)
{
	struct buf *b = &o->rp->body;

	BUF_PUT_LIT(b, "{\"accepted\":");
	buf_put_u64_dec(b, items - o->refused);
	if (o->refused) {
		o->rp->status = 400;
		BUF_PUT_LIT(b, ",\"refused\":");
		buf_put_u64_dec(b, o->refused);
		BUF_PUT_LIT(b, ",\"error\":{\"code\":");
		buf_put_json_str(b, str_from(collect_refusal_word(o->first_why)));
		BUF_PUT_LIT(b, ",\"message\":");
		buf_put_json_str(b, str_from(o->first));
		BUF_PUT_LIT(b, "},\"items\":[");
		buf_put(b, o->items.base, buf_len(&o->items));
		BUF_PUT_LIT(b, "]");
	}
	BUF_PUT_LIT(b, "}");
}

static struct collect_verdict take(void *ctx, const struct collect_report *r)
{
	struct collect_outcome *o = ctx;

	return collect_intake_report(&o->w->intake, r);
}

void collect_qos(void *ctx, const struct httpd_request *rq, struct httpd_reply *rp)
{
	struct collect_worker *w = ctx;
	struct collect_outcome o;

	if (!collect_begin(w, COLLECT_QOS, rq, rp))
		return;
	collect_outcome_init(&o, w, rp);
	collect_outcome_reply(
		&o, collect_report_parse(rq->body, take, collect_outcome_refused, &o));
}
