/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Looks at targets: when, how, and what was seen. A look is one connection of its own, as a new
 * client would make; one of HLS goes on from the playlist to its first segment; one of DNS is a
 * question. Looks are spread over their interval and wander by a tenth of it.
 */
#include "base/log.h"
#include "base/os.h"
#include "sense/ask.h"
#include "sense/dnsmsg.h"
#include "sense/media.h"
#include "sense/probe_int.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_RUNNING = 2048, SEEN = 8192, HOPS = 2, BUSY_MS = 20 };

/* A look under way. */
struct sense_look {
	struct sense_fetch fetch;
	struct sense_ask ask; /* of a kind that asks DNS */
	uint16_t id;          /* of its question */
	struct sense_probes *p;
	struct sense_probe_target *t;
	struct sense_look *next; /* spare ones */
	struct curl_slist *header, *connect_to;
	uint64_t began_us;
	uint32_t hops;
	bool enough; /* all that is wanted has come */
	size_t n;
	char data[SEEN];
	char url[CONF_MAX_TEMPLATE + 64];
};

static struct sense_look *take_look(struct sense_probes *p)
{
	struct sense_look *l = p->spare;

	if (p->running == MAX_RUNNING)
		return NULL;
	if (l)
		p->spare = l->next;
	else
		l = malloc(sizeof(*l));
	if (!l)
		return NULL;
	p->running++;
	memset(l, 0, offsetof(struct sense_look, data));
	sense_ask_init(&l->ask);
	l->ask.loop = p->s->loop;
	l->p = p;
	return l;
}

static void drop_look(struct sense_look *l)
{
	struct sense_probes *p = l->p;

	curl_slist_free_all(l->header);
	curl_slist_free_all(l->connect_to);
	p->running--;
	l->next = p->spare;
	p->spare = l;
}

static void plan_next(struct sense_probes *p, struct sense_probe_target *t)
{
	uint64_t ms = t->probe->every_s * UINT64_C(1000);

	(void)sense_timer_set(
		p->s->loop, &t->timer, os_mono_ms() + ms - ms / 20 + sense_random(ms / 10 + 1));
}

static void tell(const struct sense_target *row, const char *was)
{
	if (row->state == SENSE_DOWN)
		LOG_W("probe.down", "probe=%s target=%s node=%s was=%s reason=%s", row->probe,
			row->address, row->node, was, sense_refusal_word(row->refusal));
	else
		LOG_I("probe.up", "probe=%s target=%s node=%s was=%s", row->probe, row->address,
			row->node, was);
}

/* why: SENSE_REFUSALS for a good look. */
static void judge(struct sense_probes *p, struct sense_probe_target *t, enum sense_refusal why,
	uint32_t took_us)
{
	struct sense *s = p->s;
	struct sense_target *row = &s->target[t->index];
	struct sense_probe *sum = &s->probe[row->probe_index];
	enum sense_state was = t->flow.state;
	bool good = why == SENSE_REFUSALS;
	bool turned = sense_flow_step(&t->flow, good, t->probe->rise, t->probe->fall);

	(void)pthread_mutex_lock(&s->lock);
	row->checked_ms = os_now_ms();
	row->took_us = took_us;
	row->refusal = good ? row->refusal : why;
	row->good += good;
	row->bad += !good;
	sum->checked_ms = row->checked_ms;
	sum->looks++;
	if (!good)
		sum->refused[why]++;
	if (turned) {
		sum->n[row->state]--;
		row->state = t->flow.state;
		sum->n[row->state]++;
		row->changed_ms = row->checked_ms;
	}
	(void)pthread_mutex_unlock(&s->lock);
	if (turned && (was != SENSE_UNKNOWN || t->flow.state == SENSE_DOWN))
		tell(row, sense_state_word(was));
	plan_next(p, t);
}

static void end_look(struct sense_look *l, enum sense_refusal why)
{
	struct sense_probe_target *t = l->t;
	struct sense_probes *p = l->p;
	uint64_t took_us = os_mono_ns() / 1000 - l->began_us;

	t->look = NULL;
	drop_look(l);
	judge(p, t, why, (uint32_t)SL_MIN(took_us, (uint64_t)UINT32_MAX));
}

static struct str seen(const struct sense_look *l)
{
	return (struct str){l->data, l->n};
}

/* Takes what comes until enough is known. */
static size_t on_data(char *data, size_t size, size_t n, void *ctx)
{
	struct sense_look *l = ctx;
	const struct conf_probe *c = l->t->probe;
	size_t take = SL_MIN(size * n, SEEN - l->n);

	memcpy(l->data + l->n, data, take);
	l->n += take;
	l->enough = l->n == SEEN;
	if (c->kind == CONF_PROBE_HTTP)
		l->enough |= !c->body || memmem(l->data, l->n, c->body, strlen(c->body));
	else if (c->kind == CONF_PROBE_FLV)
		l->enough |= sense_media_flv(seen(l)) != SENSE_MEDIA_MORE;
	else if (l->hops == HOPS)
		l->enough |= sense_media_segment(seen(l)) != SENSE_MEDIA_MORE;
	return l->enough ? 0 : size * n;
}

static void on_done(struct sense_fetch *f, CURLcode rc);

static int start(struct sense_look *l)
{
	struct sense *s = l->p->s;
	const struct conf_probe *c = l->t->probe;
	CURL *easy = sense_fetch_take(s->loop, &l->fetch);

	if (!easy)
		return SL_ENOMEM;
	l->fetch.done = on_done;
	l->n = 0;
	l->enough = false;
	(void)curl_easy_setopt(easy, CURLOPT_URL, l->url);
	(void)curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, 1L);
	(void)curl_easy_setopt(easy, CURLOPT_FORBID_REUSE, 1L);
	/* addresses are not looked up: thousands of them would only make curl's cache slow */
	(void)curl_easy_setopt(easy, CURLOPT_DNS_CACHE_TIMEOUT, 0L);
	(void)curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)c->timeout_ms);
	(void)curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	(void)curl_easy_setopt(easy, CURLOPT_CONNECT_TO, l->connect_to);
	(void)curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_data);
	(void)curl_easy_setopt(easy, CURLOPT_WRITEDATA, l);
	if (c->kind == CONF_PROBE_TCP)
		(void)curl_easy_setopt(easy, CURLOPT_CONNECT_ONLY, 1L);
	if (c->https && (!c->verify || !c->host)) {
		(void)curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 0L);
		(void)curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 0L);
	}
	return sense_fetch_start(s->loop, &l->fetch);
}

/* The URL that a playlist names, against its own. false: none that can be asked for. */
static bool follow(struct sense_look *l, struct str uri)
{
	char text[CONF_MAX_TEMPLATE], *full = NULL;
	CURLU *u = curl_url();
	bool good;

	(void)snprintf(text, sizeof(text), STR_FMT, STR_ARG(uri));
	good = u && uri.n && uri.n < sizeof(text) &&
	       curl_url_set(u, CURLUPART_URL, l->url, 0) == CURLUE_OK &&
	       curl_url_set(u, CURLUPART_URL, text, 0) == CURLUE_OK &&
	       curl_url_get(u, CURLUPART_URL, &full, 0) == CURLUE_OK &&
	       strlen(full) < sizeof(l->url);
	if (good)
		(void)snprintf(l->url, sizeof(l->url), "%s", full);
	curl_free(full);
	curl_url_cleanup(u);
	return good;
}

/* A playlist leads to a playlist or to a segment. Whether one more request is under way. */
static bool go_on(struct sense_look *l, enum sense_refusal *ret_why)
{
	struct str uri;

	*ret_why = SENSE_MEDIA;
	if (l->hops == HOPS || !sense_media_playlist(seen(l), &uri)) {
		if (l->hops && sense_media_segment(seen(l)) == SENSE_MEDIA_GOOD)
			*ret_why = SENSE_REFUSALS;
		return false;
	}
	l->hops++;
	if (!follow(l, uri))
		return false;
	*ret_why = SENSE_CONNECT;
	return start(l) == 0;
}

static enum sense_refusal verdict(const struct sense_look *l, long status)
{
	const struct conf_probe *c = l->t->probe;

	if (c->kind == CONF_PROBE_TCP)
		return SENSE_REFUSALS;
	if (c->status ? status != (long)c->status : status < 200 || status > 299)
		return SENSE_STATUS;
	if (c->kind == CONF_PROBE_HTTP && c->body &&
		!memmem(l->data, l->n, c->body, strlen(c->body)))
		return SENSE_BODY;
	if (c->kind == CONF_PROBE_FLV && sense_media_flv(seen(l)) != SENSE_MEDIA_GOOD)
		return SENSE_MEDIA;
	return SENSE_REFUSALS;
}

static void on_done(struct sense_fetch *f, CURLcode rc)
{
	struct sense_look *l =
		(struct sense_look *)((char *)f - offsetof(struct sense_look, fetch));
	enum sense_refusal why;
	long status = 0;

	(void)curl_easy_getinfo(f->easy, CURLINFO_RESPONSE_CODE, &status);
	if (rc == CURLE_OK || (rc == CURLE_WRITE_ERROR && l->enough)) {
		why = verdict(l, status);
		if (why == SENSE_REFUSALS && l->t->probe->kind == CONF_PROBE_HLS && go_on(l, &why))
			return;
	} else {
		why = rc == CURLE_OPERATION_TIMEDOUT ? SENSE_TIMEOUT : SENSE_CONNECT;
	}
	end_look(l, why);
}

static struct sense_dns_question question_of(const struct sense_look *l)
{
	return (struct sense_dns_question){.host = l->t->probe->host, .id = l->id};
}

static void on_failed(struct sense_ask *a, enum sense_refusal why)
{
	end_look((struct sense_look *)((char *)a - offsetof(struct sense_look, ask)), why);
}

static void on_reply(struct sense_ask *a, const uint8_t *octets, size_t n);

/* As a resolver would: over UDP, and again over TCP where the answer was cut. */
static int ask(struct sense_look *l, bool tcp)
{
	const struct conf_probe *c = l->t->probe;
	struct sense_dns_question q;
	uint8_t octets[SENSE_ASK_MAX];
	size_t n;

	l->id = (uint16_t)os_random64();
	q = question_of(l);
	n = sense_dns_query(&q, octets, sizeof(octets));
	l->ask.reply = on_reply;
	l->ask.failed = on_failed;
	return n ? sense_ask_start(&l->ask, l->p->s->target[l->t->index].address, tcp, octets, n,
			   c->timeout_ms)
		 : SL_EINVAL;
}

/* An answer is good that has an address, or leads elsewhere. */
static void on_reply(struct sense_ask *a, const uint8_t *octets, size_t n)
{
	static const enum sense_refusal why[] = {[SENSE_DNS_GOOD] = SENSE_REFUSALS,
		[SENSE_DNS_WIRE] = SENSE_WIRE,
		[SENSE_DNS_CUT] = SENSE_WIRE,
		[SENSE_DNS_RCODE] = SENSE_RCODE,
		[SENSE_DNS_SCOPE] = SENSE_SCOPE,
		[SENSE_DNS_EMPTY] = SENSE_EMPTY};
	struct sense_look *l = (struct sense_look *)((char *)a - offsetof(struct sense_look, ask));
	struct sense_dns_question q = question_of(l);
	struct sense_dns_reply r;
	enum sense_dns_verdict v = sense_dns_read(&q, octets, n, &r);

	if (v == SENSE_DNS_OTHER)
		return;
	if (v == SENSE_DNS_EMPTY && r.cname)
		v = SENSE_DNS_GOOD;
	sense_ask_stop(a);
	if (v != SENSE_DNS_CUT || a->tcp)
		end_look(l, why[v]);
	else if (ask(l, true))
		end_look(l, SENSE_CONNECT);
}

void sense_look_begin(struct sense_timer *timer)
{
	struct sense_probe_target *t =
		(struct sense_probe_target *)((char *)timer -
					      offsetof(struct sense_probe_target, timer));
	struct sense_probes *p = t->owner;
	const struct conf_probe *c = t->probe;
	const char *address = p->s->target[t->index].address;
	struct sense_look *l = take_look(p);
	char to[SENSE_ADDRESS + 8];

	if (!l) {
		(void)sense_timer_set(
			p->s->loop, timer, os_mono_ms() + BUSY_MS + sense_random(BUSY_MS));
		return;
	}
	l->t = t;
	t->look = l;
	l->began_us = os_mono_ns() / 1000;
	if (c->kind == CONF_PROBE_DNS) {
		if (ask(l, false))
			end_look(l, SENSE_CONNECT);
		return;
	}
	if (c->host) {
		(void)snprintf(to, sizeof(to), "::%s", address);
		l->connect_to = curl_slist_append(NULL, to);
	}
	(void)snprintf(l->url, sizeof(l->url), "%s://%s%s", c->https ? "https" : "http",
		c->host ? c->host : address, c->path);
	if (start(l))
		end_look(l, SENSE_CONNECT);
}

void sense_look_stop(struct sense_look *l)
{
	if (!l)
		return;
	sense_fetch_stop(l->p->s->loop, &l->fetch);
	sense_ask_stop(&l->ask);
	drop_look(l);
}

void sense_look_done(struct sense_probes *p)
{
	while (p->spare) {
		struct sense_look *next = p->spare->next;

		free(p->spare);
		p->spare = next;
	}
}
