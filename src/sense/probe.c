/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Probes: which targets there are, when each is looked at, what was seen. A look is one connection
 * of its own, as a new client would make; one of HLS goes on from the playlist to its first
 * segment; one of DNS is a question. Looks are spread over their interval and wander by a tenth of
 * it. Longer than most, because listing targets and looking at them share their rows.
 */
#include "base/hash.h"
#include "base/log.h"
#include "base/os.h"
#include "sense/ask.h"
#include "sense/dnsmsg.h"
#include "sense/media.h"
#include "sense/sense_int.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_RUNNING = 2048, SEEN = 8192, HOPS = 3, BUSY_MS = 20 };

struct target {
	struct sense_timer timer;
	struct sense_probes *owner;
	const struct conf_probe *probe;
	struct look *look; /* NULL: none is under way */
	struct sense_flow flow;
	uint32_t index;
};

/* A look under way. */
struct look {
	struct sense_fetch fetch;
	struct sense_ask ask; /* of a kind that asks DNS */
	uint16_t id;          /* of its question */
	struct sense_probes *p;
	struct target *t;
	struct look *next; /* spare ones */
	struct curl_slist *header, *connect_to;
	uint64_t began_us;
	uint32_t hops;
	bool enough; /* all that is wanted has come */
	size_t n;
	char data[SEEN];
	char url[CONF_MAX_TEMPLATE + 64];
};

/* Addresses, open addressing; full at half. */
struct seen_ips {
	struct ip ip[1 << 13];
	uint32_t n;
};

/* false: it is there already, or there is no room. */
static bool seen_add(struct seen_ips *s, struct ip ip)
{
	uint32_t mask = SL_COUNT(s->ip) - 1, at = (uint32_t)hash64(&ip, sizeof(ip), 0) & mask;

	for (; s->ip[at].family != IP_NONE; at = (at + 1) & mask)
		if (memcmp(&s->ip[at], &ip, sizeof(ip)) == 0)
			return false;
	if (s->n * 2 > mask)
		return false;
	s->ip[at] = ip;
	s->n++;
	return true;
}

struct sense_probes {
	struct sense *s;
	struct target *target;
	uint32_t n, running;
	struct look *spare;
};

static struct look *take_look(struct sense_probes *p)
{
	struct look *l = p->spare;

	if (p->running == MAX_RUNNING)
		return NULL;
	if (l)
		p->spare = l->next;
	else
		l = malloc(sizeof(*l));
	if (!l)
		return NULL;
	p->running++;
	memset(l, 0, offsetof(struct look, data));
	sense_ask_init(&l->ask);
	l->ask.loop = p->s->loop;
	l->p = p;
	return l;
}

static void drop_look(struct look *l)
{
	struct sense_probes *p = l->p;

	curl_slist_free_all(l->header);
	curl_slist_free_all(l->connect_to);
	p->running--;
	l->next = p->spare;
	p->spare = l;
}

static void plan_next(struct sense_probes *p, struct target *t)
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
static void judge(
	struct sense_probes *p, struct target *t, enum sense_refusal why, uint32_t took_us)
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

static void end_look(struct look *l, enum sense_refusal why)
{
	struct target *t = l->t;
	struct sense_probes *p = l->p;
	uint64_t took_us = os_mono_ns() / 1000 - l->began_us;

	t->look = NULL;
	drop_look(l);
	judge(p, t, why, (uint32_t)SL_MIN(took_us, (uint64_t)UINT32_MAX));
}

static struct str seen(const struct look *l)
{
	return (struct str){l->data, l->n};
}

/* Takes what comes until enough is known. */
static size_t on_data(char *data, size_t size, size_t n, void *ctx)
{
	struct look *l = ctx;
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

static int start(struct look *l)
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
static bool follow(struct look *l, struct str uri)
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
static bool go_on(struct look *l, enum sense_refusal *ret_why)
{
	struct str uri;

	*ret_why = SENSE_MEDIA;
	if (l->hops == HOPS)
		return false;
	if (!sense_media_playlist(seen(l), &uri)) {
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

static enum sense_refusal verdict(const struct look *l, long status)
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
	struct look *l = (struct look *)((char *)f - offsetof(struct look, fetch));
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

static struct sense_dns_question question_of(const struct look *l)
{
	return (struct sense_dns_question){.host = l->t->probe->host, .id = l->id};
}

static void on_failed(struct sense_ask *a, enum sense_refusal why)
{
	end_look((struct look *)((char *)a - offsetof(struct look, ask)), why);
}

static void on_reply(struct sense_ask *a, const uint8_t *octets, size_t n);

/* As a resolver would: over UDP, and again over TCP where the answer was cut. */
static int ask(struct look *l, bool tcp)
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
	struct look *l = (struct look *)((char *)a - offsetof(struct look, ask));
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

static void fire(struct sense_timer *timer)
{
	struct target *t = (struct target *)((char *)timer - offsetof(struct target, timer));
	struct sense_probes *p = t->owner;
	const struct conf_probe *c = t->probe;
	const char *address = p->s->target[t->index].address;
	struct look *l = take_look(p);
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

/* Targets being listed; rows NULL: only counted. */
struct lister {
	struct sense_probes *p;
	struct sense_target *rows;
	uint32_t n;
	const struct conf_probe *probe;
	uint32_t probe_index;
};

/* node: of a node of ours, or an ingest; empty: of neither. */
static void add(
	struct lister *a, const char *address, struct ip edge, const char *node, uint32_t index)
{
	struct sense_target *row;

	if (a->n == SENSE_MAX_TARGETS)
		return;
	if (!a->rows) {
		a->n++;
		return;
	}
	row = &a->rows[a->n];
	row->probe_index = a->probe_index;
	row->ip = edge;
	row->node_index = index;
	(void)snprintf(row->probe, sizeof(row->probe), "%s", a->probe->name);
	(void)snprintf(row->node, sizeof(row->node), "%s", node);
	(void)snprintf(row->address, sizeof(row->address), "%s", address);
	a->p->target[a->n] = (struct target){.probe = a->probe, .index = a->n, .owner = a->p};
	a->p->target[a->n].timer.fire = fire;
	a->n++;
}

static void add_ip(struct lister *a, const char *ip, const struct conf_node *node, uint32_t index)
{
	uint32_t port = a->probe->port ? a->probe->port : a->probe->https ? 443 : 80;
	char text[SENSE_ADDRESS];
	struct ip edge = {.family = IP_NONE};

	if (!node && !ip_parse(str_from(ip), &edge))
		edge.family = IP_NONE;
	if (strchr(ip, ':'))
		(void)snprintf(text, sizeof(text), "[%s]:%u", ip, port);
	else
		(void)snprintf(text, sizeof(text), "%s:%u", ip, port);
	add(a, text, edge, node ? node->name : "", node ? index : SENSE_NO_NODE);
}

static void list_vendor(struct lister *a, const struct conf_catalog *c)
{
	const struct conf_vendor *v = &c->vendors[conf_find_vendor(c, a->probe->vendor)];
	bool own = false;

	for (uint32_t i = 0; i < c->nodes_count; i++) {
		const struct conf_node *n = &c->nodes[i];

		if (strcmp(n->vendor, v->name) != 0)
			continue;
		own = true;
		for (uint32_t k = 0; k < n->a_count; k++)
			add_ip(a, n->a_text[k], n, i);
		for (uint32_t k = 0; k < n->aaaa_count; k++)
			add_ip(a, n->aaaa_text[k], n, i);
	}
	for (uint32_t i = 0; !own && i < v->addresses_count; i++) {
		for (uint32_t k = 0; k < v->addresses[i].a_count; k++)
			add_ip(a, v->addresses[i].a_text[k], NULL, 0);
		for (uint32_t k = 0; k < v->addresses[i].aaaa_count; k++)
			add_ip(a, v->addresses[i].aaaa_text[k], NULL, 0);
	}
}

/* What the vendor's DNS gave, each address once. */
static void list_harvest(struct lister *a, const struct sense *s)
{
	struct seen_ips *done = calloc(1, sizeof(*done));
	char text[IP_TEXT_MAX];

	for (uint32_t i = 0; done && i < s->n_edges; i++) {
		const struct sense_edges *e = &s->edges[i];

		if (strcmp(e->vendor, a->probe->vendor) != 0)
			continue;
		for (uint32_t k = 0; k < e->n_a + e->n_aaaa; k++) {
			struct ip ip = k < e->n_a ? e->a[k] : e->aaaa[k - e->n_a];

			if (!seen_add(done, ip))
				continue;
			ip_format(ip, text);
			add_ip(a, text, NULL, 0);
		}
	}
	free(done);
}

/* HOST:PORT of an ingest's URL; false: it is not pushed to over TCP, or to a host of each stream's
 * own. */
static bool ingest_address(const char *url, uint32_t port, char to[static SENSE_ADDRESS])
{
	static const struct {
		const char *scheme;
		uint32_t port;
	} known[] = {{"rtmp://", 1935}, {"rtmps://", 443}, {"http://", 80}, {"https://", 443}};
	size_t i = 0, n;
	const char *host, *colon;

	while (i < SL_COUNT(known) &&
		strncasecmp(url, known[i].scheme, strlen(known[i].scheme)) != 0)
		i++;
	if (i == SL_COUNT(known))
		return false;
	host = url + strlen(known[i].scheme);
	n = strcspn(host, "/");
	if (n + sizeof(":65535") > SENSE_ADDRESS || memchr(host, '{', n) || memchr(host, '@', n))
		return false;
	colon = memrchr(host, ':', n);
	if (colon && memchr(colon, ']', n - (size_t)(colon - host)))
		colon = NULL;
	if (colon && !port)
		(void)snprintf(to, SENSE_ADDRESS, "%.*s", (int)n, host);
	else
		(void)snprintf(to, SENSE_ADDRESS, "%.*s:%u",
			(int)(colon ? (size_t)(colon - host) : n), host,
			port ? port : known[i].port);
	return true;
}

static void list_ingests(struct lister *a, const struct conf_catalog *c)
{
	const struct conf_service *s = &c->services[conf_find_service(c, a->probe->service)];
	char address[SENSE_ADDRESS];

	for (uint32_t i = 0; i < s->ingest_count; i++)
		if (ingest_address(s->ingest[i].url, a->probe->port, address))
			add(a, address, (struct ip){.family = IP_NONE}, s->ingest[i].name,
				SENSE_NO_NODE);
}

static void list_all(struct lister *a, const struct conf_catalog *c)
{
	a->n = 0;
	for (uint32_t i = 0; i < c->probes_count; i++) {
		a->probe = &c->probes[i];
		a->probe_index = i;
		if (a->probe->vendor) {
			list_vendor(a, c);
			list_harvest(a, a->p->s);
		}
		if (a->probe->service)
			list_ingests(a, c);
		for (uint32_t k = 0; k < a->probe->targets_count; k++)
			add(a, a->probe->targets[k], (struct ip){.family = IP_NONE}, "",
				SENSE_NO_NODE);
	}
}

static int by_name(const void *x, const void *y)
{
	const struct sense_target *a = *(const struct sense_target *const *)x;
	const struct sense_target *b = *(const struct sense_target *const *)y;
	int rc = strcmp(a->probe, b->probe);

	if (!rc)
		rc = strcmp(a->address, b->address);
	return rc ? rc : strcmp(a->node, b->node);
}

/* What equal targets were before a reload. */
static void inherit(struct sense_probes *p, struct sense_target *rows,
	const struct sense_probes *old, const struct sense_target *old_rows)
{
	const struct sense_target **sorted = old ? calloc(old->n + 1, sizeof(*sorted)) : NULL;

	for (uint32_t i = 0; sorted && i < old->n; i++)
		sorted[i] = &old_rows[i];
	if (sorted)
		qsort(sorted, old->n, sizeof(*sorted), by_name);
	for (uint32_t i = 0; sorted && i < p->n; i++) {
		const struct sense_target *key = &rows[i], *const *was = bsearch(&key, sorted,
								   old->n, sizeof(*sorted),
								   by_name);
		uint32_t probe = rows[i].probe_index, node = rows[i].node_index;

		if (!was)
			continue;
		rows[i] = **was;
		rows[i].probe_index = probe;
		rows[i].node_index = node;
		p->target[i].flow = old->target[*was - old_rows].flow;
	}
	free(sorted);
}

static struct sense_probe *sums_of(
	const struct sense *s, const struct sense_target *rows, uint32_t n)
{
	const struct conf_catalog *c = &s->conf->catalog;
	struct sense_probe *sum = calloc(c->probes_count + 1, sizeof(*sum));

	for (uint32_t i = 0; sum && i < c->probes_count; i++)
		(void)snprintf(sum[i].name, sizeof(sum[i].name), "%s", c->probes[i].name);
	for (uint32_t i = 0; sum && i < c->probes_count; i++) {
		const struct conf_probe *p = &c->probes[i];

		if (p->vendor)
			(void)snprintf(sum[i].vendor, sizeof(sum[i].vendor), "%s", p->vendor);
		if (p->service)
			(void)snprintf(sum[i].service, sizeof(sum[i].service), "%s", p->service);
	}
	for (uint32_t i = 0; sum && i < n; i++)
		sum[rows[i].probe_index].n[rows[i].state]++;
	return sum;
}

struct sense_probes *sense_probes_new(struct sense *s, struct sense_probes *old)
{
	struct sense_probes *p = calloc(1, sizeof(*p));
	struct sense_target *rows = NULL, *old_rows = s->target;
	struct sense_probe *sum = NULL, *old_sum = s->probe;
	struct lister a = {.p = p};

	if (p) {
		p->s = s;
		list_all(&a, &s->conf->catalog);
		p->target = calloc(a.n + 1, sizeof(*p->target));
		rows = calloc(a.n + 1, sizeof(*rows));
	}
	if (rows && p->target) {
		a.rows = rows;
		list_all(&a, &s->conf->catalog);
		p->n = a.n;
		inherit(p, rows, old, old_rows);
		sum = sums_of(s, rows, p->n);
	}
	if (!sum) {
		sense_probes_free(p);
		free(rows);
		p = NULL;
		rows = NULL;
	}
	(void)pthread_mutex_lock(&s->lock);
	s->target = rows;
	s->n_targets = p ? p->n : 0;
	s->probe = sum;
	s->n_probes = p ? s->conf->catalog.probes_count : 0;
	(void)pthread_mutex_unlock(&s->lock);
	sense_probes_free(old);
	free(old_rows);
	free(old_sum);
	for (uint32_t i = 0; p && i < p->n; i++)
		(void)sense_timer_set(s->loop, &p->target[i].timer,
			os_mono_ms() + sense_random(p->target[i].probe->every_s * UINT64_C(1000)));
	return p;
}

void sense_probes_free(struct sense_probes *p)
{
	if (!p)
		return;
	for (uint32_t i = 0; p->target && i < p->n; i++) {
		struct look *l = p->target[i].look;

		sense_timer_clear(p->s->loop, &p->target[i].timer);
		if (!l)
			continue;
		sense_fetch_stop(p->s->loop, &l->fetch);
		sense_ask_stop(&l->ask);
		drop_look(l);
	}
	while (p->spare) {
		struct look *next = p->spare->next;

		free(p->spare);
		p->spare = next;
	}
	free(p->target);
	free(p);
}
