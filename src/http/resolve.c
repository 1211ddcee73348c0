/* SPDX-License-Identifier: Apache-2.0 */
/* GET /v1/resolve: one host for one client, ranked vendors with their addresses. */
#include "http/write.h"

static void refuse(struct httpd_reply *rp, const struct http_worker *w,
	const struct http_query *query, const struct http_decision *d)
{
	struct buf *b = &rp->body;

	rp->status = 503;
	rp->retry_after_s = SL_MAX(d->service->negative_ttl_s, 1u);
	BUF_PUT_LIT(b, "{\"error\":{\"code\":");
	buf_put_json_str(b, str_from(http_refusal_code(d->a.reason)));
	BUF_PUT_LIT(b, ",\"message\":");
	buf_put_json_str(b, str_from(answer_reason_text(d->a.reason)));
	buf_put_u8(b, '}');
	if (query->explain) {
		BUF_PUT_LIT(b, ",\"explain\":");
		http_write_explain(b, w, query, d);
	}
	buf_put_u8(b, '}');
}

void http_door_resolve(
	struct http_worker *w, const struct httpd_request *rq, struct httpd_reply *rp)
{
	struct http_query query = http_query_of(rq->client);
	struct http_decision d;
	const char *wrong = NULL;

	for (uint16_t i = 0; i < rq->n_params && !wrong; i++)
		wrong = http_query_set(&query, rq->params[i].name, rq->params[i].value);
	if (!wrong && query.host.n == 0)
		wrong = "host is missing";
	if (wrong) {
		httpd_reply_error(rp, 400, "bad_request", wrong);
	} else if (query.explain && !w->worker.world->cat.meta->explain) {
		httpd_reply_error(rp, 403, "explain_off", "explain is not allowed here");
	} else if (http_decide(w, &query, &d)) {
		httpd_reply_error(rp, 404, "unknown_host", "this host is not scheduled here");
	} else {
		if (d.a.n)
			http_write_answer(&rp->body, w, &query, &d);
		else
			refuse(rp, w, &query, &d);
		http_record(w, &query, &d);
	}
}
