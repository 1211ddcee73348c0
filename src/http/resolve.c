/* SPDX-License-Identifier: Apache-2.0 */
/*
 * /v1/resolve: ranked vendors with their addresses. GET asks for one host or a few; POST for a
 * batch,
 * {"requests":[{...},...]}, whose members are named as the parameters are. Members beside
 * `requests` hold for every request that does not say otherwise.
 */
#include "http/json.h"
#include "http/write.h"

/* One reply object at the cursor; its HTTP status, were it alone. retry_s: for 503. */
static unsigned answer(
	struct http_worker *w, const struct http_query *query, struct buf *b, uint32_t *retry_s)
{
	struct http_decision d;

	if (query->host.n == 0) {
		http_write_error(b, "bad_request", "host is missing");
		return 400;
	}
	if (query->explain && !w->worker.world->cat.meta->explain) {
		http_write_error(b, "explain_off", "explain is not allowed here");
		return 403;
	}
	if (http_decide(w, query, &d)) {
		http_write_error(b, "unknown_host", "this host is not scheduled here");
		return 404;
	}
	http_record(w, query, &d);
	if (d.a.n) {
		http_write_answer(b, w, query, &d);
		return 200;
	}
	*retry_s = SL_MAX(d.service->negative_ttl_s, 1u);
	http_write_none(b, w, query, &d, *retry_s);
	return 503;
}

/* One of many: what does not fit any more becomes a short error, with room left for the rest. */
static void answer_one_of(
	struct http_worker *w, const struct http_query *query, struct buf *b, uint32_t left)
{
	static const char full[] =
		"{\"error\":{\"code\":\"reply_full\",\"message\":\"ask for less at once\"}}";
	uint8_t *start = b->p, *end = b->end;
	uint32_t retry_s;

	b->end -= SL_MIN((size_t)(b->end - b->p), (size_t)(left + 1) * (sizeof(full) + 1) + 16);
	(void)answer(w, query, b, &retry_s);
	b->end = end;
	if (b->overflow) {
		b->p = start;
		b->overflow = false;
		BUF_PUT_LIT(b, full);
	}
}

static uint32_t count_hosts(struct str hosts)
{
	uint32_t n = 0;

	for (; hosts.n; n++)
		(void)str_cut(&hosts, ',');
	return n;
}

static void answer_hosts(struct http_worker *w, struct http_query *query, struct httpd_reply *rp)
{
	struct str hosts = query->host;
	uint32_t left = count_hosts(hosts);

	if (left > SL_HTTP_HOSTS_MAX) {
		httpd_reply_error(rp, 400, "bad_request", "too many hosts, at most 16");
		return;
	}
	BUF_PUT_LIT(&rp->body, "{\"results\":[");
	while (left--) {
		query->host = str_cut(&hosts, ',');
		answer_one_of(w, query, &rp->body, left);
		if (left)
			buf_put_u8(&rp->body, ',');
	}
	BUF_PUT_LIT(&rp->body, "]}");
}

static void answer_query(struct http_worker *w, struct http_query *query, struct httpd_reply *rp)
{
	if (query->host.n && memchr(query->host.p, ',', query->host.n))
		answer_hosts(w, query, rp);
	else
		rp->status = answer(w, query, &rp->body, &rp->retry_after_s);
}

/* One member into the query; NULL or what it must be. null is as if absent. */
static const char *read_member(struct http_json *j, struct http_query *query, struct str name)
{
	const char *rule = http_query_rule(name);
	char c = http_json_peek(j);

	if (!rule || c == 'n' || c == '{') {
		http_json_skip(j);
		return c == '{' ? rule : NULL;
	}
	return http_query_set(query, name, http_json_text(j));
}

/* The members of one request into the query; NULL or what is wrong with it. The cursor ends behind
 * the object, whatever its members are worth. */
static const char *read_request(struct http_json *j, struct http_query *query)
{
	const char *wrong = NULL;
	bool first = true;
	struct str name;

	query->given = 0;
	if (http_json_peek(j) != '{') {
		http_json_skip(j);
		return "an object is wanted";
	}
	(void)http_json_enter(j, '{');
	while (http_json_member(j, &first, &name)) {
		const char *now = read_member(j, query, name);

		wrong = wrong ? wrong : now;
	}
	return wrong;
}

/* Where the requests are, and how many. */
static const char *survey_requests(
	struct http_json *j, struct http_json *ret_requests, uint32_t *ret_n)
{
	char c = http_json_peek(j);
	bool none = true;

	if (c != '[' || ret_requests->p) {
		http_json_skip(j);
		return c == 'n' ? NULL : "requests must be a list, given once";
	}
	*ret_requests = *j;
	(void)http_json_enter(j, '[');
	for (*ret_n = 0; http_json_element(j, &none); ++*ret_n)
		http_json_skip(j);
	return NULL;
}

/* The first time over the whole body: is it JSON, what holds for all, where are the requests. */
static const char *survey(struct http_json *j, struct http_query *common,
	struct http_json *ret_requests, uint32_t *ret_n)
{
	const char *wrong = NULL;
	bool first = true;
	struct str name;

	if (!http_json_enter(j, '{'))
		return j->wrong;
	while (http_json_member(j, &first, &name)) {
		const char *now = str_eq(name, STR_LIT("requests"))
					  ? survey_requests(j, ret_requests, ret_n)
					  : read_member(j, common, name);

		wrong = wrong ? wrong : now;
	}
	return http_json_done(j) ? wrong : j->wrong;
}

static void answer_batch(struct http_worker *w, const struct http_query *common,
	struct http_json *j, uint32_t left, struct buf *b)
{
	bool none = true;

	(void)http_json_enter(j, '[');
	BUF_PUT_LIT(b, "{\"results\":[");
	for (bool first = true; left; first = false) {
		uint8_t *kept = j->scratch.p;
		struct http_query query = *common;
		const char *wrong = NULL;

		left--;
		if (http_json_element(j, &none))
			wrong = read_request(j, &query);
		if (!first)
			buf_put_u8(b, ',');
		if (wrong || j->wrong)
			http_write_error(b, "bad_request", wrong ? wrong : j->wrong);
		else
			answer_one_of(w, &query, b, left);
		j->scratch.p = kept;
	}
	BUF_PUT_LIT(b, "]}");
}

static void post(struct http_worker *w, const struct httpd_request *rq, struct httpd_reply *rp)
{
	struct http_query common = http_query_of(rq->client);
	struct http_json j = http_json_over(rq->body, buf_over(w->scratch, sizeof(w->scratch)));
	struct http_json requests = {0};
	uint32_t n = 0;
	const char *wrong = survey(&j, &common, &requests, &n);
	char text[96];

	if (j.wrong) {
		(void)snprintf(text, sizeof(text), "octet %zu: %s", j.wrong_at + 1, j.wrong);
		wrong = text;
	}
	requests.scratch.p = j.scratch.p; /* the texts of common stay */
	if (wrong)
		httpd_reply_error(rp, 400, "bad_request", wrong);
	else if (n > SL_HTTP_BATCH_MAX)
		httpd_reply_error(rp, 400, "bad_request", "too many requests, at most 1000");
	else if (requests.p)
		answer_batch(w, &common, &requests, n, &rp->body);
	else
		answer_query(w, &common, rp);
}

void http_door_resolve(
	struct http_worker *w, const struct httpd_request *rq, struct httpd_reply *rp)
{
	struct http_query query = http_query_of(rq->client);
	const char *wrong = NULL;

	if (rq->method == HTTPD_POST) {
		post(w, rq, rp);
		return;
	}
	for (uint16_t i = 0; i < rq->n_params && !wrong; i++)
		wrong = http_query_set(&query, rq->params[i].name, rq->params[i].value);
	if (wrong)
		httpd_reply_error(rp, 400, "bad_request", wrong);
	else
		answer_query(w, &query, rp);
}
