/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Replies to pulled meters: to pages, to points, to windows for the engine; or why they are not
 * good. Knows nothing of when a meter is asked.
 */
#include "sense/meter_int.h"

#include <cjson/cJSON.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_PAGES = 64 };

/* Hands a figure on; while control takes none the oldest is let go. */
static void queue(struct sense_job *j, double mbps, uint64_t start_ms, uint64_t end_ms)
{
	struct sense *s = j->m->s;
	struct sense_meter *to;

	sense_job_lock(j);
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
	sense_job_unlock(j);
}

/* The sum of the nodes, once all have been asked since the last one or half of them has and the
 * interval is over; a node without a fresh figure counts nothing. */
static void sum_nodes(struct sense_job *j)
{
	struct sense_job *g = j->group;
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
	if (g->group_end_ms > os_now_ms())
		g->group_end_ms = 0; /* the clock was set back */
	if (since < g->n_group && (fresh * 2 < g->n_group || end < g->group_end_ms + every_ms))
		return;
	queue(j, sum, g->group_end_ms ? g->group_end_ms : end - every_ms, end);
	g->group_end_ms = end;
}

static void found(struct sense_job *j, double mbps, uint64_t start_ms, uint64_t end_ms)
{
	sense_job_lock(j);
	sense_job_row(j)->mbps = mbps;
	sense_job_row(j)->end_ms = end_ms;
	sense_job_unlock(j);
	if (!j->node) {
		queue(j, mbps, start_ms, end_ms);
		return;
	}
	j->node_mbps = mbps;
	j->node_ms = end_ms;
	sum_nodes(j);
}

/* A reply without times is of now; a counter is what has gone since the look before. */
static void take_now(struct sense_job *j)
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

static void add_point(struct sense_points *to, struct sense_point p)
{
	uint32_t i = to->n;

	while (i && to->at[i - 1].t_ms > p.t_ms)
		i--;
	if (to->n == SENSE_MAX_POINTS || (i && to->at[i - 1].t_ms == p.t_ms))
		return;
	memmove(&to->at[i + 1], &to->at[i], (to->n - i) * sizeof(p));
	to->at[i] = p;
	to->n++;
}

/* This look's points, with those that earlier ones left where there is a cursor: what is told again
 * there is heard once, and none of the future is kept. NULL: no memory. */
static struct sense_points *with_tail(struct sense_job *j, uint64_t window_ms)
{
	uint64_t until_ms = os_now_ms() + window_ms;

	if (!j->api.cursor[0])
		return j->points;
	if (!j->tail)
		j->tail = calloc(1, sizeof(*j->tail));
	for (uint32_t i = 0; j->tail && i < j->points->n; i++)
		if (j->points->at[i].t_ms < until_ms)
			add_point(j->tail, j->points->at[i]);
	return j->tail;
}

static void take_windows(struct sense_job *j)
{
	uint64_t window_ms = j->api.window_s * UINT64_C(1000);
	struct sense_points *p = with_tail(j, window_ms);
	uint64_t done_ms;
	uint32_t old = 0;
	double mbps;

	if (!p)
		return;
	for (uint64_t at = j->start_ms; at + window_ms <= j->end_ms; at += window_ms)
		if (sense_series_window(p, at, j->api.window_s, j->api.step_s, &mbps))
			found(j, mbps, at, at + window_ms);
	done_ms = SL_MAX(sense_job_row(j)->end_ms, j->start_ms);
	while (old < p->n && p->at[old].t_ms < done_ms)
		old++;
	p->n -= old;
	memmove(p->at, p->at + old, p->n * sizeof(p->at[0]));
}

static void succeed(struct sense_job *j)
{
	struct sense_source *row = sense_job_row(j);
	uint64_t ms = j->api.every_s * UINT64_C(1000);

	if (!j->api.time[0] && j->points->n)
		take_now(j);
	else if (j->api.time[0])
		take_windows(j);
	sense_job_lock(j);
	row->good_ms = os_now_ms();
	row->fails = 0;
	row->note[0] = '\0';
	sense_job_unlock(j);
	sense_job_end(j);
	sense_job_wait(j, ms - ms / 20 + sense_random(ms / 10 + 1));
}

size_t sense_job_data(char *data, size_t size, size_t n, void *ctx)
{
	struct sense_job *j = ctx;

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

static void refuse_status(struct sense_job *j, long status, const cJSON *body)
{
	struct sense_host *h = sense_job_host(j->m, j->m->request.host);
	char code[64], note[SENSE_NOTE];
	curl_off_t after_s = 0;
	uint64_t wait_ms;

	code_of(body, j->api.error, code, sizeof(code));
	(void)snprintf(note, sizeof(note), "%ld %s", status, code);
	(void)curl_easy_getinfo(j->fetch.easy, CURLINFO_RETRY_AFTER, &after_s);
	after_s = after_s < 0 ? 0 : SL_MIN(after_s, (curl_off_t)86400);
	wait_ms = (uint64_t)after_s * 1000;
	if (status != 429 && !(status == 503 && after_s) && !says_too_often(code)) {
		sense_job_fail(j, status == 200 ? SENSE_ERROR : SENSE_STATUS, wait_ms, note);
		return;
	}
	h->closed_ms = SL_MAX(h->closed_ms, os_mono_ms() + SL_MAX(wait_ms, UINT64_C(1000)));
	sense_job_fail(j, SENSE_RATE, wait_ms, note);
}

/* Whether one more page is wanted; then it is asked for. */
static bool turn_page(struct sense_job *j, const cJSON *body)
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
		sense_job_fail(j, SENSE_PAGES, 0, "too many");
		return true;
	}
	j->page++;
	j->reply_n = 0;
	(void)sense_timer_set(j->m->s->loop, &j->timer, os_mono_ms());
	return true;
}

static void read_reply(struct sense_job *j, long status)
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
		sense_job_fail(j, SENSE_JSON, 0, "");
	} else if (sense_series_read(&form, body, j->points, &err)) {
		err.s[SENSE_NOTE / 2] = '\0';
		sense_job_fail(j, SENSE_SERIES, 0, err.s);
	} else if (!turn_page(j, body)) {
		if (j->api.cursor[0] &&
			!sense_series_text(body, j->api.cursor, j->cursor, sizeof(j->cursor)))
			(void)snprintf(j->cursor, sizeof(j->cursor), "0");
		succeed(j);
	}
	cJSON_Delete(body);
}

void sense_job_done(struct sense_fetch *f, CURLcode rc)
{
	struct sense_job *j = (struct sense_job *)((char *)f - offsetof(struct sense_job, fetch));
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
		sense_job_fail(j, SENSE_TOO_LONG, 0, "");
	else
		sense_job_fail(j, rc == CURLE_OPERATION_TIMEDOUT ? SENSE_TIMEOUT : SENSE_CONNECT, 0,
			curl_easy_strerror(rc));
}
