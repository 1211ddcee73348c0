/* SPDX-License-Identifier: Apache-2.0 */
/* GET /v1/play: for a stream and a client, ranked vendors that carry it, each with its signed URLs.
 */
#include "http/url.h"
#include "http/write.h"

struct wanted {
	struct str formats, definitions; /* lists with commas; empty: all */
};

static const char *const format_names[] = {"flv", "hls", "dash"};

static bool listed(struct str list, struct str name)
{
	if (list.n == 0)
		return true;
	while (list.n)
		if (str_eq_ci(str_cut(&list, ','), name))
			return true;
	return false;
}

/* false where it is empty, or was given before. */
static bool set_list(struct str *list, struct str value)
{
	bool first = list->n == 0;

	*list = value;
	return first && value.n > 0;
}

static bool set_formats(struct wanted *wanted, struct str value)
{
	if (!set_list(&wanted->formats, value))
		return false;
	while (value.n) {
		struct str one = str_cut(&value, ',');
		size_t i = 0;

		while (i < SL_COUNT(format_names) && !str_eq_ci(one, str_from(format_names[i])))
			i++;
		if (i == SL_COUNT(format_names))
			return false;
	}
	return true;
}

static const char *set_wanted(
	struct wanted *wanted, struct http_query *query, struct str name, struct str value)
{
	if (str_eq(name, STR_LIT("format")))
		return set_formats(wanted, value) ? NULL
						  : "format must be of flv,hls,dash, given once";
	if (str_eq(name, STR_LIT("definition")))
		return set_list(&wanted->definitions, value)
			       ? NULL
			       : "definition must be names with commas between, given once";
	return http_query_set(query, name, value);
}

static const char *read_query(
	const struct httpd_request *rq, struct http_query *query, struct wanted *wanted)
{
	const char *wrong = NULL;

	for (uint16_t i = 0; i < rq->n_params && !wrong; i++)
		wrong = set_wanted(wanted, query, rq->params[i].name, rq->params[i].value);
	if (!wrong && query->host.n == 0)
		wrong = "host is missing";
	if (!wrong && query->stream.n == 0)
		wrong = "stream is missing";
	return wrong;
}

static bool is_wanted(
	const struct cat_view *c, const struct wanted *wanted, const struct cat_play *p)
{
	return listed(wanted->formats, str_from(format_names[p->format])) &&
	       listed(wanted->definitions, cat_text(c, p->definition));
}

/* Whether the service has any such way to play, whatever its vendors may do now. */
static bool is_played(const struct cat_view *c, const struct wanted *wanted, uint32_t service)
{
	struct blob_span plays =
		c->n_service_plays ? c->service_plays[service].plays : (struct blob_span){0, 0};

	for (uint32_t i = 0; i < plays.count; i++)
		if (is_wanted(c, wanted, &c->plays[plays.first + i]))
			return true;
	return false;
}

/* One URL of a vendor; false where there is none. */
static bool put_way(struct buf *b, struct http_worker *w, const struct http_query *query,
	const struct http_decision *d, uint8_t slot, const struct cat_play *play, bool first)
{
	const struct cat_view *c = &w->worker.world->cat;
	struct buf path = buf_over(w->scratch, sizeof(w->scratch) / 2);
	struct buf url = buf_over(w->scratch + sizeof(w->scratch) / 2, sizeof(w->scratch) / 2);

	http_put_template(&path, cat_text(c, play->path), query->stream);
	if (path.overflow ||
		!http_put_url(&url, w, d, slot, (struct str){(char *)path.base, buf_len(&path)},
			(struct str){NULL, 0}, play->validity_s))
		return false;
	if (!first)
		buf_put_u8(b, ',');
	BUF_PUT_LIT(b, "{\"format\":");
	http_write_text(b, str_from(format_names[play->format]));
	BUF_PUT_LIT(b, ",\"definition\":");
	http_write_text(b, cat_text(c, play->definition));
	BUF_PUT_LIT(b, ",\"url\":");
	http_write_text(b, (struct str){(char *)url.base, buf_len(&url)});
	BUF_PUT_LIT(b, ",\"expires_s\":");
	buf_put_u64_dec(b, play->validity_s);
	buf_put_u8(b, '}');
	return true;
}

/* A vendor with its URLs; nothing where it has none. */
static bool put_vendor(struct buf *b, struct http_worker *w, const struct http_query *query,
	const struct wanted *wanted, const struct http_decision *d, uint8_t slot, bool first)
{
	const struct cat_view *c = &w->worker.world->cat;
	struct blob_span plays = c->service_plays[d->q.service].plays;
	uint8_t *start = b->p;
	bool none = true;

	if (!first)
		buf_put_u8(b, ',');
	BUF_PUT_LIT(b, "{\"vendor\":");
	http_write_text(
		b, cat_text(c, c->vendors[c->slots[d->service->slots.first + slot].vendor].name));
	BUF_PUT_LIT(b, ",\"urls\":[");
	for (uint32_t i = 0; i < plays.count; i++) {
		const struct cat_play *p = &c->plays[plays.first + i];

		if (is_wanted(c, wanted, p))
			none &= !put_way(b, w, query, d, slot, p, none);
	}
	BUF_PUT_LIT(b, "]}");
	if (none)
		b->p = start;
	return !none;
}

static void put_head(struct buf *b, const struct http_worker *w, const struct http_query *query,
	const struct http_decision *d)
{
	const struct world *world = w->worker.world;

	BUF_PUT_LIT(b, "{\"stream\":");
	buf_put_json_str(b, query->stream);
	BUF_PUT_LIT(b, ",\"group\":");
	http_write_text(b, cat_text(&world->cat, world->cat.groups[d->q.group].name));
	BUF_PUT_LIT(b, ",\"view\":\"");
	buf_put_u64_dec(b, world->tick.head->epoch);
	buf_put_u8(b, '.');
	buf_put_u64_dec(b, world->tick.head->generation);
	BUF_PUT_LIT(b, "\",\"encrypted\":");
	if (d->q.stream && d->q.stream->encrypted)
		BUF_PUT_LIT(b, "true");
	else
		BUF_PUT_LIT(b, "false");
	BUF_PUT_LIT(b, ",\"refresh_s\":");
	buf_put_u64_dec(b, http_refresh_s(d->service->refresh_s, d->q.key, w->worker.now_ms));
	if (d->a.rung) {
		BUF_PUT_LIT(b, ",\"degrade\":");
		http_write_degrade(b, &d->a);
	}
}

/* The vendors that have URLs, of whom the first is given. */
static void put_answers(struct buf *b, struct http_worker *w, const struct http_query *query,
	const struct wanted *wanted, struct http_decision *d)
{
	uint32_t left = query->ranked, given = d->a.n;

	BUF_PUT_LIT(b, ",\"answers\":[");
	for (uint32_t i = 0; i < d->a.n && left; i++) {
		if (!put_vendor(b, w, query, wanted, d, d->a.slot[i], given == d->a.n))
			continue;
		given = SL_MIN(given, i);
		left--;
	}
	BUF_PUT_LIT(b, "]}");
	http_give(d, given);
}

void http_door_play(struct http_worker *w, const struct httpd_request *rq, struct httpd_reply *rp)
{
	struct http_query query = http_query_of(rq->client);
	struct wanted wanted = {{NULL, 0}, {NULL, 0}};
	const char *wrong = read_query(rq, &query, &wanted);
	const struct cat_view *c = &w->worker.world->cat;
	struct http_decision d;
	bool any;

	if (wrong) {
		httpd_reply_error(rp, 400, "bad_request", wrong);
		return;
	}
	if (http_decide(w, &query, &d)) {
		httpd_reply_error(rp, 404, "unknown_host", "this host is not scheduled here");
		return;
	}
	if (!is_played(c, &wanted, d.q.service)) {
		httpd_reply_error(
			rp, 404, "not_played", "nothing of this kind is played under this host");
		return;
	}
	any = d.a.n;
	put_head(&rp->body, w, &query, &d);
	put_answers(&rp->body, w, &query, &wanted, &d);
	http_record(w, &query, &d);
	if (d.a.n)
		return;
	httpd_reply_error(rp, 503, any ? "no_url" : http_refusal_code(d.a.reason),
		any ? "no vendor has a URL for this" : answer_reason_text(d.a.reason));
	rp->retry_after_s = SL_MAX(d.service->negative_ttl_s, 1u);
}
