/* SPDX-License-Identifier: Apache-2.0 */
/*
 * GET /v1/publish: where a stream is pushed to, first and second, in two units that fail apart. The
 * first is the one the catalogue names for the stream, or one by its hash, unless pushers of the
 * same group report badly of it or probes find it down; what a pusher says to avoid is passed over.
 * All are the switch of main and backup.
 */
#include "answer/decide.h"
#include "base/hash.h"
#include "http/url.h"
#include "http/write.h"
#include "scoring/ingest.h"

/* {"name","unit","url","expires_s"}; false when its URL cannot be signed. */
static bool put_point(struct buf *b, struct http_worker *w, const struct http_query *query,
	const struct cat_ingest *in)
{
	const struct cat_view *c = &w->worker.world->cat;
	struct buf plain = buf_over(w->scratch, sizeof(w->scratch) / 2);
	struct buf url = buf_over(w->scratch + sizeof(w->scratch) / 2, sizeof(w->scratch) / 2);
	struct str path;
	char *host, *slash;

	http_put_template(&plain, cat_text(c, in->url), query->stream);
	host = memmem(plain.base, buf_len(&plain), "://", 3);
	slash = host ? memchr(host + 3, '/', (size_t)((char *)plain.p - host - 3)) : NULL;
	if (plain.overflow || !slash)
		return false;
	path = (struct str){slash, (size_t)((char *)plain.p - slash)};
	buf_put(&url, plain.base, (size_t)(slash - (char *)plain.base));
	if (!http_put_signed(&url, w, in->signer, (struct str){(char *)url.base, buf_len(&url)},
		    path, (struct str){NULL, 0}, in->validity_s,
		    hash64(query->stream.p, query->stream.n, 1)) ||
		url.overflow)
		return false;
	BUF_PUT_LIT(b, "{\"name\":");
	http_write_text(b, cat_text(c, in->name));
	BUF_PUT_LIT(b, ",\"unit\":");
	http_write_text(b, cat_text(c, in->unit));
	BUF_PUT_LIT(b, ",\"url\":");
	http_write_text(b, (struct str){(char *)url.base, buf_len(&url)});
	BUF_PUT_LIT(b, ",\"expires_s\":");
	buf_put_u64_dec(b, in->validity_s);
	buf_put_u8(b, '}');
	return true;
}

/* The points of a pair; NULL, or the one whose URL cannot be signed. */
static const struct cat_ingest *put_points(struct buf *b, struct http_worker *w,
	const struct http_query *query, const struct cat_ingest_pair *p)
{
	BUF_PUT_LIT(b, ",\"primary\":");
	if (!put_point(b, w, query, p->first))
		return p->first;
	if (!p->second)
		return NULL;
	BUF_PUT_LIT(b, ",\"backup\":");
	return put_point(b, w, query, p->second) ? NULL : p->second;
}

/* By what is reported of the group that the pusher is in; by name and hash alone once the tick is
 * too old to know. */
static struct cat_ingest_pair pick(struct http_worker *w, const struct http_query *query,
	uint32_t service, uint16_t named, uint32_t barred)
{
	const struct world *world = w->worker.world;
	uint32_t group = answer_locate(world, query->ip, ip_bits(query->ip)).group;
	uint32_t weight_ppm[INGEST_MAX];

	if (w->worker.stale)
		return cat_pick_ingests(
			&world->cat, service, query->stream, named, query->avoid, NULL, barred);
	world_ingest_weights(world, service, group, weight_ppm);
	return cat_pick_ingests(
		&world->cat, service, query->stream, named, query->avoid, weight_ppm, barred);
}

/* A key that is missing closes the points that need it, and no others. */
static void answer(struct http_worker *w, const struct http_query *query, uint32_t service,
	struct blob_span ingests, struct httpd_reply *rp)
{
	static const char *const how[] = {[CAT_BY_NAME] = "by name",
		[CAT_BY_HASH] = "by hash",
		[CAT_BY_REPORTS] = "by reports",
		[CAT_BY_PROBE] = "by probe"};
	const struct cat_view *c = &w->worker.world->cat;
	const struct cat_stream *known = cat_find_stream(c, service, query->stream);
	const struct cat_ingest *unsigned_one;
	struct cat_ingest_pair p;
	struct buf *b = &rp->body;
	uint32_t barred = 0;
	uint8_t *start;

	BUF_PUT_LIT(b, "{\"stream\":");
	buf_put_json_str(b, query->stream);
	start = b->p;
	do {
		b->p = start;
		p = pick(w, query, service, known ? known->ingest : 0, barred);
		unsigned_one = p.first ? put_points(b, w, query, &p) : NULL;
		if (unsigned_one)
			barred |= 1u << (unsigned_one - c->ingests - ingests.first);
	} while (unsigned_one);
	if (!p.first) {
		httpd_reply_error(rp, 503, "no_url", "the URL cannot be signed");
		rp->retry_after_s = 5;
		return;
	}
	BUF_PUT_LIT(b, ",\"chosen\":");
	http_write_text(b, str_from(how[p.chosen]));
	BUF_PUT_LIT(b, ",\"refresh_s\":");
	buf_put_u64_dec(b, http_refresh_s(c->services[service].refresh_s,
				   hash64(query->stream.p, query->stream.n, 0), w->worker.now_ms));
	buf_put_u8(b, '}');
}

void http_door_publish(
	struct http_worker *w, const struct httpd_request *rq, struct httpd_reply *rp)
{
	const struct cat_view *c = &w->worker.world->cat;
	struct http_query query = http_query_of(rq->client);
	const struct cat_dname *host;
	struct blob_span ingests;
	const char *wrong = NULL;

	for (uint16_t i = 0; i < rq->n_params && !wrong; i++)
		wrong = http_query_set(&query, rq->params[i].name, rq->params[i].value);
	if (!wrong && (query.host.n == 0 || query.stream.n == 0))
		wrong = "host and stream are wanted";
	if (wrong) {
		httpd_reply_error(rp, 400, "bad_request", wrong);
		return;
	}
	host = cat_find_host(c, query.host);
	if (!host) {
		httpd_reply_error(rp, 404, "unknown_host", "this host is not scheduled here");
		return;
	}
	ingests = c->n_service_plays ? c->service_plays[host->service].ingests
				     : (struct blob_span){0, 0};
	if (ingests.count == 0) {
		httpd_reply_error(rp, 404, "not_published", "nothing is published under this host");
		return;
	}
	answer(w, &query, host->service, ingests, rp);
}
