/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pulled meters: which there are and when each is asked. Requests to one host keep its rate; a
 * failing one is asked again after 2, 4, 8 ... s and at most 15 min, half of that by chance.
 */
#include "base/log.h"
#include "sense/meter_int.h"

#include <stdlib.h>
#include <string.h>

enum {
	LOOK_BACK = 10, /* windows that a look after a long silence asks for */
	MAX_RUNNING = 512,
	BUSY_MS = 50,
	BACK_OFF_MAX_MS = 900000,
	BACK_OFF_DOUBLINGS = 9,
	FIRST_MS = 3000, /* first looks are spread over so long */
};

void sense_job_end(struct sense_job *j)
{
	curl_slist_free_all(j->headers);
	j->headers = NULL;
	free(j->reply);
	j->reply = NULL;
	j->reply_n = j->reply_room = 0;
	j->page = 0;
	free(j->points);
	j->points = NULL;
}

void sense_job_wait(struct sense_job *j, uint64_t ms)
{
	sense_job_lock(j);
	sense_job_row(j)->next_ms = os_now_ms() + ms;
	sense_job_unlock(j);
	(void)sense_timer_set(j->m->s->loop, &j->timer, os_mono_ms() + ms);
}

/* After a failure: at least at_least_ms. */
void sense_job_fail(
	struct sense_job *j, enum sense_refusal why, uint64_t at_least_ms, const char *note)
{
	struct sense_source *row = sense_job_row(j);
	uint64_t ms;

	sense_job_lock(j);
	row->refused[why]++;
	row->fails++;
	ms = UINT64_C(1000) << SL_MIN(row->fails, (uint32_t)BACK_OFF_DOUBLINGS + 1);
	(void)snprintf(row->note, sizeof(row->note), "%s%s%s", sense_refusal_word(why),
		note[0] ? ": " : "", note);
	sense_job_unlock(j);
	LOG_W("meter.failed", "vendor=%s meter=%s node=%s reason=%s note=\"%s\" fails=%u",
		row->vendor, row->name, row->node, sense_refusal_word(why), note, row->fails);
	ms = SL_MIN(ms, (uint64_t)BACK_OFF_MAX_MS);
	ms = ms / 2 + sense_random(ms / 2 + 1);
	sense_job_end(j);
	sense_job_wait(j, SL_MAX(ms, at_least_ms));
}

struct sense_host *sense_job_host(struct sense_meters *m, const char *name)
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

static int start(struct sense_job *j)
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
	(void)curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, sense_job_data);
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
static bool set_span(struct sense_job *j, uint64_t now_ms)
{
	uint64_t window_ms = j->api.window_s * UINT64_C(1000);
	uint64_t back = now_ms - j->api.delay_s * UINT64_C(1000), last;

	if (sense_job_row(j)->end_ms > now_ms) { /* the clock was set back */
		sense_job_lock(j);
		sense_job_row(j)->end_ms = 0;
		sense_job_unlock(j);
	}
	last = sense_job_row(j)->end_ms;
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
static bool make_request(struct sense_job *j, uint64_t now_ms)
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
			sense_job_fail(j, SENSE_KEY, 0, j->conf->key);
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
		sense_job_fail(j, SENSE_REQUEST, 0, err.s);
		return false;
	}
	return true;
}

/* A first page, or the next. */
static void fire(struct sense_timer *t)
{
	struct sense_job *j = (struct sense_job *)((char *)t - offsetof(struct sense_job, timer));
	uint64_t mono = os_mono_ms(), now_ms = os_now_ms(), gap_ms;
	struct sense_host *h;

	if (j->page == 0) {
		if (!set_span(j, now_ms)) {
			sense_job_wait(
				j, SL_MIN(j->api.every_s, j->api.window_s) * UINT64_C(1000) / 4 +
					   sense_random(500));
			return;
		}
		j->next[0] = '\0';
		j->page = 1;
		if (!j->points)
			j->points = calloc(1, sizeof(*j->points));
	}
	if (!j->points || j->m->running == MAX_RUNNING) {
		sense_job_wait(j, BUSY_MS + sense_random(BUSY_MS));
		return;
	}
	if (!make_request(j, now_ms))
		return;
	h = sense_job_host(j->m, j->m->request.host);
	if (!j->slot_ms ||
		j->slot_ms < h->closed_ms) { /* none yet, or one from before it was closed */
		gap_ms = j->api.rate_per_s > 0 ? (uint64_t)(1000 / j->api.rate_per_s) : 0;
		j->slot_ms = SL_MAX(SL_MAX(h->free_ms, h->closed_ms), mono);
		h->free_ms = j->slot_ms + gap_ms;
	}
	if (j->slot_ms > mono) {
		(void)sense_timer_set(j->m->s->loop, t, j->slot_ms);
		return;
	}
	j->slot_ms = 0;
	sense_job_lock(j);
	sense_job_row(j)->asked_ms = now_ms;
	sense_job_row(j)->requests++;
	sense_job_unlock(j);
	if (start(j)) {
		sense_job_fail(j, SENSE_CONNECT, 0, "out of memory");
		return;
	}
	j->m->running++;
}

/* What an equal source had learned before a reload. */
static void inherit(struct sense_job *j, struct sense_source *row, const struct sense_meters *old,
	const struct sense_source *old_rows)
{
	for (uint32_t i = 0; old && i < old->n; i++) {
		const struct sense_source *was = &old_rows[i];
		const struct sense_source now = *row;
		struct sense_job *from = &old->job[i];

		if (strcmp(was->vendor, row->vendor) != 0 || strcmp(was->name, row->name) != 0 ||
			strcmp(was->node, row->node) != 0)
			continue;
		*row = *was;
		row->node_index = now.node_index;
		memcpy(row->region, now.region, sizeof(row->region));
		j->counter = from->counter;
		j->counter_ms = from->counter_ms;
		return;
	}
}

static void add(struct sense_meters *m, const struct conf_vendor *v, const struct conf_meter *c,
	const struct conf_node *node, struct sense_source *row)
{
	struct sense_job *j = &m->job[m->n];

	*j = (struct sense_job){.m = m, .vendor = v, .conf = c, .node = node, .index = m->n++};
	j->timer.fire = fire;
	j->fetch.done = sense_job_done;
	j->api = sense_api_of(c);
	(void)snprintf(j->cursor, sizeof(j->cursor), "0");
	(void)snprintf(row->vendor, sizeof(row->vendor), "%s", v->name);
	(void)snprintf(row->name, sizeof(row->name), "%s", c->name);
	(void)snprintf(row->region, sizeof(row->region), "%s", c->region ? c->region : "");
	(void)snprintf(row->node, sizeof(row->node), "%s", node ? node->name : "");
	row->since_ms = os_now_ms();
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
		sense_job_wait(&m->job[i], sense_random(SL_MIN((uint64_t)FIRST_MS,
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
		sense_job_end(&m->job[i]);
		free(m->job[i].tail);
	}
	free(m->job);
	free(m->host);
	explicit_bzero(&m->request, sizeof(m->request));
	free(m);
}
