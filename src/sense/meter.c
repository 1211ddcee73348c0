/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pulled meters: when to ask, what to do with the reply, and when to ask again. One job per meter,
 * or per meter and node. Requests to one host keep its rate; a failing one is asked again after 2,
 * 4, 8 ... s and at most 15 min, half of that by chance. Longer than most, long because a job's
 * whole round (span, request, reply, next look) is told in one place.
 */
#include "base/log.h"
#include "base/os.h"
#include "sense/request.h"
#include "sense/sense_int.h"
#include "sense/series.h"

#include <cjson/cJSON.h>
#include <stdlib.h>
#include <string.h>

enum {
	LOOK_BACK = 10, /* windows that a look after a long silence asks for */
	MAX_RUNNING = 512,
	MAX_PAGES = 64,
	BUSY_MS = 50,
	BACK_OFF_MAX_MS = 900000,
	BACK_OFF_DOUBLINGS = 9,
	FIRST_MS = 3000, /* first looks are spread over so long */
};

struct host {
	char name[SL_MAX_NAME * 4];
	uint64_t free_ms; /* mono: when the next request may go */
};

struct job {
	struct sense_timer timer;
	struct sense_fetch fetch;
	struct sense_meters *m;
	const struct conf_vendor *vendor;
	const struct conf_meter *conf;
	const struct conf_node *node; /* NULL: the vendor's own */
	struct sense_api api;
	uint32_t index;            /* of its source */
	uint64_t slot_ms;          /* mono: reserved at its host; 0: none */
	uint64_t start_ms, end_ms; /* of this look */
	uint32_t page;
	char next[SENSE_MAX_TOKEN], cursor[SENSE_MAX_TOKEN];
	struct sense_points *points; /* while it looks, or for good where there is a cursor */
	char *reply;
	size_t reply_n, reply_room;
	bool too_long;
	struct curl_slist *headers;
	double counter, node_mbps;
	uint64_t counter_ms, node_ms; /* unix, 0: none */
	struct job *group;            /* first of the meter's nodes */
	uint32_t n_group;             /* in the first: how many they are */
	uint64_t group_end_ms;        /* in the first: end of the last sum */
};

struct sense_meters {
	struct sense *s;
	struct job *job;
	uint32_t n, running;
	struct host *host;
	uint32_t n_hosts;
	struct sense_request request; /* the one that is being made */
};

static struct sense_source *row_of(struct job *j)
{
	return &j->m->s->source[j->index];
}

static void lock(struct job *j)
{
	(void)pthread_mutex_lock(&j->m->s->lock);
}

static void unlock(struct job *j)
{
	(void)pthread_mutex_unlock(&j->m->s->lock);
}

static void end_look(struct job *j)
{
	curl_slist_free_all(j->headers);
	j->headers = NULL;
	free(j->reply);
	j->reply = NULL;
	j->reply_n = j->reply_room = 0;
	j->page = 0;
	if (!j->api.cursor[0]) {
		free(j->points);
		j->points = NULL;
	}
}

static void wait_for(struct job *j, uint64_t ms)
{
	lock(j);
	row_of(j)->next_ms = os_now_ms() + ms;
	unlock(j);
	(void)sense_timer_set(j->m->s->loop, &j->timer, os_mono_ms() + ms);
}

/* After a failure: at least at_least_ms. */
static void fail(struct job *j, enum sense_refusal why, uint64_t at_least_ms, const char *note)
{
	struct sense_source *row = row_of(j);
	uint64_t ms;

	lock(j);
	row->refused[why]++;
	row->fails++;
	ms = UINT64_C(1000) << SL_MIN(row->fails, (uint32_t)BACK_OFF_DOUBLINGS + 1);
	(void)snprintf(row->note, sizeof(row->note), "%s%s%s", sense_refusal_word(why),
		note[0] ? ": " : "", note);
	unlock(j);
	LOG_W("meter.failed", "vendor=%s meter=%s node=%s reason=%s note=\"%s\" fails=%u",
		row->vendor, row->name, row->node, sense_refusal_word(why), note, row->fails);
	ms = SL_MIN(ms, (uint64_t)BACK_OFF_MAX_MS);
	ms = ms / 2 + sense_random(ms / 2 + 1);
	end_look(j);
	wait_for(j, SL_MAX(ms, at_least_ms));
}

/* Hands a figure on; while control takes none the oldest is let go. */
static void queue(struct job *j, double mbps, uint64_t start_ms, uint64_t end_ms)
{
	struct sense *s = j->m->s;
	struct sense_meter *to;

	lock(j);
	if (s->queue_n == SENSE_MAX_QUEUE) {
		s->queue_first = (s->queue_first + 1) % SENSE_MAX_QUEUE;
		s->queue_n--;
	}
	to = &s->queue[(s->queue_first + s->queue_n++) % SENSE_MAX_QUEUE];
	memset(to, 0, sizeof(*to));
	(void)snprintf(to->vendor, sizeof(to->vendor), "%s", j->vendor->name);
	if (j->conf->region)
		(void)snprintf(to->region, sizeof(to->region), "%s", j->conf->region);
	to->mbps = mbps;
	to->start_ms = start_ms;
	to->end_ms = end_ms;
	to->source = j->index;
	unlock(j);
}

/* The sum of the nodes, once all have been asked since the last one or half of them has and the
 * interval is over; a node without a fresh figure counts nothing. */
static void sum_nodes(struct job *j)
{
	struct job *g = j->group;
	uint64_t every_ms = g->api.every_s * UINT64_C(1000), end = j->node_ms;
	uint32_t fresh = 0, since = 0;
	double sum = 0;

	for (uint32_t i = 0; i < g->n_group; i++) {
		if (!g[i].node_ms || g[i].node_ms + every_ms * 2 < end)
			continue;
		fresh++;
		since += g[i].node_ms > g->group_end_ms;
		sum += g[i].node_mbps;
	}
	if (since < g->n_group && (fresh * 2 < g->n_group || end < g->group_end_ms + every_ms))
		return;
	queue(j, sum, g->group_end_ms ? g->group_end_ms : end - every_ms, end);
	g->group_end_ms = end;
}

static void found(struct job *j, double mbps, uint64_t start_ms, uint64_t end_ms)
{
	lock(j);
	row_of(j)->mbps = mbps;
	row_of(j)->end_ms = end_ms;
	unlock(j);
	if (!j->node) {
		queue(j, mbps, start_ms, end_ms);
		return;
	}
	j->node_mbps = mbps;
	j->node_ms = end_ms;
	sum_nodes(j);
}

/* A reply without times is of now; a counter is what has gone since the look before. */
static void take_now(struct job *j)
{
	uint64_t end = j->end_ms, before = j->counter_ms;
	double v = j->points->at[0].v, was = j->counter;

	if (j->api.unit != CONF_UNIT_OCTETS_TOTAL) {
		found(j, v, end - j->api.window_s * UINT64_C(1000), end);
		return;
	}
	j->counter = v;
	j->counter_ms = end;
	if (before && end > before && v >= was) /* else it began anew */
		found(j, (v - was) * 8 / 1e3 / (double)(end - before), before, end);
}

static void take_windows(struct job *j)
{
	uint64_t window_ms = j->api.window_s * UINT64_C(1000);
	struct sense_points *p = j->points;
	uint32_t old = 0;
	double mbps;

	for (uint64_t at = j->start_ms; at + window_ms <= j->end_ms; at += window_ms)
		if (sense_series_window(p, at, j->api.window_s, j->api.step_s, &mbps))
			found(j, mbps, at, at + window_ms);
	while (old < p->n && p->at[old].t_ms < row_of(j)->end_ms)
		old++;
	p->n -= old;
	memmove(p->at, p->at + old, p->n * sizeof(p->at[0]));
}

static void succeed(struct job *j)
{
	struct sense_source *row = row_of(j);
	uint64_t ms = j->api.every_s * UINT64_C(1000);

	if (!j->api.time[0] && j->points->n)
		take_now(j);
	else if (j->api.time[0])
		take_windows(j);
	lock(j);
	row->good_ms = os_now_ms();
	row->fails = 0;
	row->note[0] = '\0';
	unlock(j);
	end_look(j);
	wait_for(j, ms - ms / 20 + sense_random(ms / 10 + 1));
}

static struct host *host_of(struct sense_meters *m, const char *name)
{
	for (uint32_t i = 0; i < m->n_hosts; i++)
		if (strcmp(m->host[i].name, name) == 0)
			return &m->host[i];
	if (m->n_hosts >
		m->n) /* no more hosts than sources: their names vary, and share one rate */
		return &m->host[0];
	(void)snprintf(m->host[m->n_hosts].name, sizeof(m->host[m->n_hosts].name), "%s", name);
	return &m->host[m->n_hosts++];
}

static size_t on_data(char *data, size_t size, size_t n, void *ctx)
{
	struct job *j = ctx;

	n *= size;
	if (j->reply_n + n > SENSE_MAX_REPLY) {
		j->too_long = true;
		return 0;
	}
	if (j->reply_n + n >= j->reply_room) {
		size_t room = SL_MAX(j->reply_room * 2, j->reply_n + n + 4096);
		char *reply = realloc(j->reply, room);

		if (!reply)
			return 0;
		j->reply = reply;
		j->reply_room = room;
	}
	memcpy(j->reply + j->reply_n, data, n);
	j->reply_n += n;
	return n;
}

/* The code that an error's body names, if it is one of the usual places. */
static void code_of(const cJSON *body, const char *pointer, char *ret, size_t size)
{
	static const char *const places[] = {"/Code", "/code", "/error/code", "/msg"};

	ret[0] = '\0';
	if (pointer[0] && sense_series_text(body, pointer, ret, size))
		return;
	ret[0] = '\0';
	for (size_t i = 0; i < SL_COUNT(places); i++)
		if (sense_series_text(body, places[i], ret, size))
			return;
	ret[0] = '\0';
}

static bool says_too_often(const char *code)
{
	return strstr(code, "hrottl") || strstr(code, "LimitExceeded") || strstr(code, "TooMany");
}

static void refuse_status(struct job *j, long status, const cJSON *body)
{
	struct host *h = host_of(j->m, j->m->request.host);
	char code[64], note[SENSE_NOTE];
	curl_off_t after_s = 0;
	uint64_t wait_ms;

	code_of(body, j->api.error, code, sizeof(code));
	(void)snprintf(note, sizeof(note), "%ld %s", status, code);
	(void)curl_easy_getinfo(j->fetch.easy, CURLINFO_RETRY_AFTER, &after_s);
	after_s = after_s < 0 ? 0 : SL_MIN(after_s, (curl_off_t)86400);
	wait_ms = (uint64_t)after_s * 1000;
	if (status != 429 && !(status == 503 && after_s) && !says_too_often(code)) {
		fail(j, status == 200 ? SENSE_ERROR : SENSE_STATUS, wait_ms, note);
		return;
	}
	h->free_ms = SL_MAX(h->free_ms, os_mono_ms() + SL_MAX(wait_ms, UINT64_C(1000)));
	fail(j, SENSE_RATE, wait_ms, note);
}

static void fire(struct sense_timer *t);

/* Whether one more page is wanted; then it is asked for. */
static bool turn_page(struct job *j, const cJSON *body)
{
	char before[SENSE_MAX_TOKEN], pages[32];
	bool more = false;

	if (j->api.next[0]) {
		memcpy(before, j->next, sizeof(before));
		more = sense_series_text(body, j->api.next, j->next, sizeof(j->next)) &&
		       strcmp(before, j->next) != 0;
	} else if (j->api.pages[0]) {
		more = sense_series_text(body, j->api.pages, pages, sizeof(pages)) &&
		       strtoul(pages, NULL, 10) > j->page;
	}
	if (!more)
		return false;
	if (j->page == MAX_PAGES) {
		fail(j, SENSE_PAGES, 0, "too many");
		return true;
	}
	j->page++;
	j->reply_n = 0;
	(void)sense_timer_set(j->m->s->loop, &j->timer, os_mono_ms());
	return true;
}

static void read_reply(struct job *j, long status)
{
	const struct sense_form form = {.series = j->api.series,
		.value = j->api.value,
		.time = j->api.time,
		.unit = j->api.unit,
		.step_s = j->api.step_s,
		.utc_offset_min = j->api.utc_offset_min};
	cJSON *body = cJSON_ParseWithLength(j->reply ? j->reply : "", j->reply_n);
	char code[64];
	struct errbuf err = {""};

	if (status != 200 ||
		(j->api.error[0] && sense_series_text(body, j->api.error, code, sizeof(code)))) {
		refuse_status(j, status, body);
	} else if (!body) {
		fail(j, SENSE_JSON, 0, "");
	} else if (sense_series_read(&form, body, j->points, &err)) {
		err.s[SENSE_NOTE / 2] = '\0';
		fail(j, SENSE_SERIES, 0, err.s);
	} else if (!turn_page(j, body)) {
		if (j->api.cursor[0] &&
			!sense_series_text(body, j->api.cursor, j->cursor, sizeof(j->cursor)))
			(void)snprintf(j->cursor, sizeof(j->cursor), "0");
		succeed(j);
	}
	cJSON_Delete(body);
}

static void on_done(struct sense_fetch *f, CURLcode rc)
{
	struct job *j = (struct job *)((char *)f - offsetof(struct job, fetch));
	struct sense_request *rq = &j->m->request;
	const char *url = NULL;
	long status = 0;

	j->m->running--;
	(void)curl_easy_getinfo(f->easy, CURLINFO_RESPONSE_CODE, &status);
	(void)curl_easy_getinfo(f->easy, CURLINFO_EFFECTIVE_URL, &url);
	if (url && strstr(url, "://")) {
		url = strstr(url, "://") + 3;
		(void)snprintf(rq->host, sizeof(rq->host), "%.*s", (int)strcspn(url, "/?"), url);
	}
	if (rc == CURLE_OK)
		read_reply(j, status);
	else if (j->too_long)
		fail(j, SENSE_TOO_LONG, 0, "");
	else
		fail(j, rc == CURLE_OPERATION_TIMEDOUT ? SENSE_TIMEOUT : SENSE_CONNECT, 0,
			curl_easy_strerror(rc));
}

static int start(struct job *j)
{
	struct sense *s = j->m->s;
	const struct sense_request *rq = &j->m->request;
	CURL *easy = sense_fetch_take(s->loop, &j->fetch);
	struct str secret = keys_secret(
		s->keys ? keys_of(s->keys) : NULL, str_from(j->conf->key ? j->conf->key : ""));
	char password[SL_MAX_SECRET + 1];

	if (!easy)
		return SL_ENOMEM;
	curl_slist_free_all(j->headers);
	j->headers = NULL;
	for (uint32_t i = 0; i < rq->n_headers; i++)
		j->headers = curl_slist_append(j->headers, rq->header[i]);
	(void)curl_easy_setopt(easy, CURLOPT_URL, rq->url);
	(void)curl_easy_setopt(easy, CURLOPT_HTTPHEADER, j->headers);
	(void)curl_easy_setopt(easy, CURLOPT_ACCEPT_ENCODING, "");
	(void)curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)j->conf->timeout_ms);
	(void)curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_data);
	(void)curl_easy_setopt(easy, CURLOPT_WRITEDATA, j);
	if (rq->post) {
		(void)curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE, (long)strlen(rq->body));
		(void)curl_easy_setopt(easy, CURLOPT_COPYPOSTFIELDS, rq->body);
	}
	if (j->api.auth == CONF_AUTH_BASIC) {
		(void)snprintf(password, sizeof(password), STR_FMT, STR_ARG(secret));
		(void)curl_easy_setopt(easy, CURLOPT_HTTPAUTH, (long)CURLAUTH_BASIC);
		(void)curl_easy_setopt(easy, CURLOPT_USERNAME, j->api.user);
		(void)curl_easy_setopt(easy, CURLOPT_PASSWORD, password);
		explicit_bzero(password, sizeof(password));
	}
	j->too_long = false;
	return sense_fetch_start(s->loop, &j->fetch);
}

/* Span of this look. false: nothing can be complete that is not known. */
static bool set_span(struct job *j, uint64_t now_ms)
{
	uint64_t window_ms = j->api.window_s * UINT64_C(1000);
	uint64_t back = now_ms - j->api.delay_s * UINT64_C(1000), last = row_of(j)->end_ms;

	j->end_ms = back;
	j->start_ms = back - window_ms;
	if (!j->api.time[0])
		return true;
	j->end_ms = back - back % window_ms;
	j->start_ms = SL_MAX(last, j->end_ms - LOOK_BACK * window_ms);
	if (!last && !j->api.cursor[0])
		j->start_ms = j->end_ms - window_ms;
	return j->start_ms < j->end_ms;
}

/* Its secret and its request; false: it has failed. */
static bool make_request(struct job *j, uint64_t now_ms)
{
	struct sense *s = j->m->s;
	struct sense_ask ask = {.now_ms = now_ms,
		.start_ms = j->start_ms,
		.end_ms = j->end_ms,
		.nonce = os_random64(),
		.page = j->page,
		.next = str_from(j->next),
		.cursor = str_from(j->cursor)};
	struct errbuf err = {""};

	if (j->conf->key) {
		ask.secret = keys_secret(s->keys ? keys_of(s->keys) : NULL, str_from(j->conf->key));
		if (!ask.secret.n) {
			fail(j, SENSE_KEY, 0, j->conf->key);
			return false;
		}
	}
	if (j->node) {
		ask.node = str_from(j->node->name);
		ask.address =
			str_from(j->node->a_count ? j->node->a_text[0] : j->node->aaaa_text[0]);
	}
	if (sense_request_build(&j->api, &ask, &j->m->request, &err)) {
		err.s[SENSE_NOTE / 2] = '\0';
		fail(j, SENSE_REQUEST, 0, err.s);
		return false;
	}
	return true;
}

/* A first page, or the next. */
static void fire(struct sense_timer *t)
{
	struct job *j = (struct job *)((char *)t - offsetof(struct job, timer));
	uint64_t mono = os_mono_ms(), now_ms = os_now_ms(), gap_ms;
	struct host *h;

	if (j->page == 0) {
		if (!set_span(j, now_ms)) {
			wait_for(j, SL_MIN(j->api.every_s, j->api.window_s) * UINT64_C(1000) / 4 +
					    sense_random(500));
			return;
		}
		j->next[0] = '\0';
		j->page = 1;
		if (!j->points)
			j->points = calloc(1, sizeof(*j->points));
	}
	if (!j->points || j->m->running == MAX_RUNNING) {
		wait_for(j, BUSY_MS + sense_random(BUSY_MS));
		return;
	}
	if (!make_request(j, now_ms))
		return;
	h = host_of(j->m, j->m->request.host);
	if (!j->slot_ms) {
		gap_ms = j->api.rate_per_s > 0 ? (uint64_t)(1000 / j->api.rate_per_s) : 0;
		j->slot_ms = SL_MAX(h->free_ms, mono);
		h->free_ms = j->slot_ms + gap_ms;
	}
	if (j->slot_ms > mono) {
		(void)sense_timer_set(j->m->s->loop, t, j->slot_ms);
		return;
	}
	j->slot_ms = 0;
	lock(j);
	row_of(j)->asked_ms = now_ms;
	row_of(j)->requests++;
	unlock(j);
	if (start(j)) {
		fail(j, SENSE_CONNECT, 0, "out of memory");
		return;
	}
	j->m->running++;
}

/* What an equal source had learned before a reload. */
static void inherit(struct job *j, struct sense_source *row, const struct sense_meters *old,
	const struct sense_source *old_rows)
{
	for (uint32_t i = 0; old && i < old->n; i++) {
		const struct sense_source *was = &old_rows[i];
		struct job *from = &old->job[i];
		uint32_t node;

		if (strcmp(was->vendor, row->vendor) != 0 || strcmp(was->name, row->name) != 0 ||
			strcmp(was->node, row->node) != 0)
			continue;
		node = row->node_index;
		*row = *was;
		row->node_index = node;
		j->counter = from->counter;
		j->counter_ms = from->counter_ms;
		return;
	}
}

static void add(struct sense_meters *m, const struct conf_vendor *v, const struct conf_meter *c,
	const struct conf_node *node, struct sense_source *row)
{
	struct job *j = &m->job[m->n];

	*j = (struct job){.m = m, .vendor = v, .conf = c, .node = node, .index = m->n++};
	j->timer.fire = fire;
	j->fetch.done = on_done;
	j->api = sense_api_of(c);
	(void)snprintf(j->cursor, sizeof(j->cursor), "0");
	(void)snprintf(row->vendor, sizeof(row->vendor), "%s", v->name);
	(void)snprintf(row->name, sizeof(row->name), "%s", c->name);
	(void)snprintf(row->region, sizeof(row->region), "%s", c->region ? c->region : "");
	(void)snprintf(row->node, sizeof(row->node), "%s", node ? node->name : "");
	row->node_index = node ? (uint32_t)(node - m->s->conf->catalog.nodes) : SENSE_NO_NODE;
}

static uint32_t count(const struct conf_catalog *c)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < c->vendors_count; i++)
		for (uint32_t k = 0; k < c->vendors[i].meters_count; k++)
			n += c->vendors[i].meters[k].nodes ? c->nodes_count : 1;
	return SL_MIN(n, (uint32_t)SENSE_MAX_SOURCES);
}

static void add_all(struct sense_meters *m, const struct conf_catalog *c, uint32_t room,
	struct sense_source *rows)
{
	for (uint32_t i = 0; i < c->vendors_count; i++)
		for (uint32_t k = 0; k < c->vendors[i].meters_count; k++) {
			const struct conf_vendor *v = &c->vendors[i];
			const struct conf_meter *meter = &v->meters[k];
			uint32_t first = m->n;

			if (!meter->nodes && m->n < room)
				add(m, v, meter, NULL, &rows[m->n]);
			for (uint32_t n = 0; meter->nodes && n < c->nodes_count; n++)
				if (m->n < room && strcmp(c->nodes[n].vendor, v->name) == 0)
					add(m, v, meter, &c->nodes[n], &rows[m->n]);
			for (uint32_t n = first; n < m->n; n++)
				m->job[n].group = &m->job[first];
			if (first < m->n)
				m->job[first].n_group = m->n - first;
		}
}

struct sense_meters *sense_meters_new(struct sense *s, struct sense_meters *old)
{
	uint32_t room = count(&s->conf->catalog);
	struct sense_meters *m = calloc(1, sizeof(*m));
	struct sense_source *rows = calloc(room + 1, sizeof(*rows)), *old_rows = s->source;

	if (m) {
		m->s = s;
		m->job = calloc(room + 1, sizeof(*m->job));
		m->host = calloc(room + 1, sizeof(*m->host));
	}
	if (!m || !rows || !m->job || !m->host) {
		sense_meters_free(m);
		free(rows);
		m = NULL;
		rows = NULL;
	} else {
		add_all(m, &s->conf->catalog, room, rows);
	}
	for (uint32_t i = 0; m && i < m->n; i++)
		inherit(&m->job[i], &rows[i], old, old_rows);
	(void)pthread_mutex_lock(&s->lock);
	s->source = rows;
	s->n_sources = m ? m->n : 0;
	(void)pthread_mutex_unlock(&s->lock);
	sense_meters_free(old);
	free(old_rows);
	for (uint32_t i = 0; m && i < m->n; i++)
		wait_for(&m->job[i], sense_random(SL_MIN((uint64_t)FIRST_MS,
					     m->job[i].api.every_s * UINT64_C(1000))));
	return m;
}

void sense_meters_free(struct sense_meters *m)
{
	if (!m)
		return;
	for (uint32_t i = 0; m->job && i < m->n; i++) {
		sense_timer_clear(m->s->loop, &m->job[i].timer);
		sense_fetch_stop(m->s->loop, &m->job[i].fetch);
		end_look(&m->job[i]);
		free(m->job[i].points);
	}
	free(m->job);
	free(m->host);
	explicit_bzero(&m->request, sizeof(m->request));
	free(m);
}
