/* SPDX-License-Identifier: Apache-2.0 */
/*
 * 302: any path under a scheduled host, to the same path and query at the vendor. Where to comes
 * from the catalogue alone, so no request can send anybody elsewhere; a vendor whose host is the
 * one asked for is passed over, so there is no circle.
 */
#include "http/url.h"

enum { VALIDITY_S = 21600 };

/* Host without its port. */
static struct str host_of(const struct httpd_request *rq)
{
	struct str host = httpd_header(rq, "Host");

	return str_cut(&host, ':');
}

static struct str query_of(const struct httpd_request *rq)
{
	struct str target;

	if (rq->n_params == 0)
		return (struct str){NULL, 0};
	target = httpd_target(rq);
	(void)str_cut(&target, '?');
	return target;
}

/* Writes the first URL there is into the scratch and gives its vendor. */
static void locate(struct http_worker *w, struct http_decision *d, struct str host,
	const struct httpd_request *rq)
{
	uint32_t i = 0;

	for (; i < d->a.n; i++) {
		struct buf b = buf_over(w->scratch, sizeof(w->scratch) - 1);

		if (str_eq_ci(http_slot_host(w->worker.world, d, d->a.slot[i]), host))
			continue;
		if (http_put_url(&b, w, d, d->a.slot[i], rq->path, query_of(rq), VALIDITY_S)) {
			*b.p = '\0';
			break;
		}
	}
	http_give(d, i);
}

void http_door_redirect(
	struct http_worker *w, const struct httpd_request *rq, struct httpd_reply *rp)
{
	static const struct str reserved = {"/v1/", 4};
	struct http_query query = http_query_of(rq->client);
	struct http_decision d;
	bool any;

	query.host = host_of(rq);
	if ((rq->path.n >= reserved.n && memcmp(rq->path.p, reserved.p, reserved.n) == 0) ||
		query.host.n == 0 || http_decide(w, &query, &d)) {
		httpd_reply_error(rp, 404, "path", "nothing is served at this path");
		return;
	}
	any = d.a.n;
	locate(w, &d, query.host, rq);
	http_record(w, &query, &d);
	if (d.a.n == 0) {
		httpd_reply_error(rp, 503, any ? "no_url" : http_refusal_code(d.a.reason),
			any ? "no vendor has a URL for this" : answer_reason_text(d.a.reason));
		rp->retry_after_s = SL_MAX(d.service->negative_ttl_s, 1u);
		return;
	}
	rp->status = 302;
	rp->type = NULL;
	httpd_reply_header(rp, "Location", (const char *)w->scratch);
}
