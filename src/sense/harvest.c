/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Harvest: one cell per vendor, group and family, asked again before its TTL is over. A reply holds
 * for its TTL and the grace; a failing one is asked for again after 1, 2, 4 ... 32 s at the next
 * server. Each server has a socket of its own, connected, on a port that the kernel chose. A reply
 * that was cut is asked for again over TCP.
 */
#include "base/glob.h"
#include "base/log.h"
#include "base/os.h"
#include "sense/ask.h"
#include "sense/dnsmsg.h"
#include "sense/sense_int.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { REFRESH_PERCENT = 75, BACK_OFF_MAX = 5, FIRST_MS = 2000, BITS_V4 = 24, BITS_V6 = 56 };

struct server {
	struct sense_io io;
	struct source *source;
	const char *address; /* of the configuration */
};

/* A vendor that is harvested. */
struct source {
	struct sense_harvest *h;
	const struct conf_vendor *vendor;
	struct server server[CONF_MAX_SERVERS];
	uint32_t n_servers, index; /* of its row */
	uint64_t free_us;          /* mono: when the next query may go */
	struct cell *cell;
	uint32_t n;
};

struct cell {
	struct sense_timer timer;
	struct source *source;
	uint32_t row; /* of s->edges */
	struct ip net;
	uint16_t id;
	bool v6, waiting;
	uint8_t fails, server;
	uint64_t slot_us;     /* mono: when its query goes; 0: no time has been given to it */
	struct sense_ask ask; /* over TCP, where a reply was cut */
};

struct sense_harvest {
	struct sense *s;
	struct source *source;
	uint32_t n;
};

static const struct conf_harvest *conf_of(const struct cell *c)
{
	return &c->source->vendor->harvest;
}

static void wait_for(struct cell *c, uint64_t ms)
{
	(void)sense_timer_set(c->source->h->s->loop, &c->timer, os_mono_ms() + ms);
}

static void fail(struct cell *c, enum sense_refusal why)
{
	struct sense *s = c->source->h->s;
	uint64_t ms = UINT64_C(1000) << SL_MIN((unsigned)c->fails, (unsigned)BACK_OFF_MAX);

	c->waiting = false;
	c->fails = (uint8_t)SL_MIN(c->fails + 1u, 100u);
	c->server = (uint8_t)((c->server + 1u) % c->source->n_servers);
	(void)pthread_mutex_lock(&s->lock);
	s->harvested[c->source->index].refused[why]++;
	(void)pthread_mutex_unlock(&s->lock);
	wait_for(c, ms / 2 + sense_random(ms / 2 + 1));
}

static void keep(struct cell *c, const struct sense_dns_reply *r)
{
	const struct conf_harvest *conf = conf_of(c);
	struct sense *s = c->source->h->s;
	struct sense_edges *row = &s->edges[c->row];
	uint64_t ttl_s = SL_MIN(r->ttl_s, conf->max_ttl_s), now = os_now_ms(), ms;

	c->waiting = false;
	c->fails = 0;
	if (memcmp(c->v6 ? row->aaaa : row->a, r->ip, sizeof(r->ip)) != 0)
		s->edges_moved = true;
	(void)pthread_mutex_lock(&s->lock);
	memcpy(c->v6 ? row->aaaa : row->a, r->ip, sizeof(r->ip));
	*(c->v6 ? &row->n_aaaa : &row->n_a) = r->n;
	*(c->v6 ? &row->until_aaaa_ms : &row->until_a_ms) =
		os_mono_ms() + (ttl_s + conf->grace_s) * 1000;
	row->good_ms = now;
	s->harvested[c->source->index].taken++;
	s->harvested[c->source->index].good_ms = now;
	s->edges_version++;
	(void)pthread_mutex_unlock(&s->lock);
	ms = SL_MAX(ttl_s * 10 * REFRESH_PERCENT, conf->min_ttl_s * UINT64_C(1000));
	wait_for(c, ms - ms / 20 + sense_random(ms / 20 + 1));
}

static struct sense_dns_question question_of(const struct cell *c)
{
	return (struct sense_dns_question){.host = conf_of(c)->host,
		.v6 = c->v6,
		.net = c->net,
		.bits = c->net.family == IP_V4 ? BITS_V4 : BITS_V6,
		.id = c->id};
}

static void judge(struct cell *c, enum sense_dns_verdict v, const struct sense_dns_reply *r)
{
	static const enum sense_refusal why[] = {[SENSE_DNS_OTHER] = SENSE_STRAY,
		[SENSE_DNS_WIRE] = SENSE_WIRE,
		[SENSE_DNS_CUT] = SENSE_WIRE,
		[SENSE_DNS_RCODE] = SENSE_RCODE,
		[SENSE_DNS_SCOPE] = SENSE_SCOPE,
		[SENSE_DNS_EMPTY] = SENSE_EMPTY};

	if (v == SENSE_DNS_GOOD)
		keep(c, r);
	else
		fail(c, why[v]);
}

static void on_reply(struct sense_ask *a, const uint8_t *octets, size_t n)
{
	struct cell *c = (struct cell *)((char *)a - offsetof(struct cell, ask));
	struct sense_dns_question q = question_of(c);
	struct sense_dns_reply r;
	enum sense_dns_verdict v = sense_dns_read(&q, octets, n, &r);

	sense_ask_stop(a);
	judge(c, v, &r);
}

static void on_failed(struct sense_ask *a, enum sense_refusal why)
{
	fail((struct cell *)((char *)a - offsetof(struct cell, ask)), why);
}

static void ask_again(struct cell *c)
{
	struct sense_dns_question q = question_of(c);
	uint8_t octets[SENSE_ASK_MAX];
	size_t n = sense_dns_query(&q, octets, sizeof(octets));

	c->waiting = false;
	sense_timer_clear(c->source->h->s->loop, &c->timer);
	if (!n || sense_ask_start(&c->ask, c->source->server[c->server].address, true, octets, n,
			  conf_of(c)->timeout_ms))
		fail(c, SENSE_CONNECT);
}

static void take(struct source *src, const uint8_t *octets, size_t n)
{
	struct sense_dns_reply r;

	for (uint32_t i = 0; i < src->n; i++) {
		struct cell *c = &src->cell[i];
		struct sense_dns_question q = question_of(c);
		enum sense_dns_verdict v;

		if (!c->waiting || n < 2 || c->id != (octets[0] << 8 | octets[1]))
			continue;
		v = sense_dns_read(&q, octets, n, &r);
		if (v == SENSE_DNS_OTHER)
			continue;
		if (v == SENSE_DNS_CUT)
			ask_again(c);
		else
			judge(c, v, &r);
		return;
	}
	(void)pthread_mutex_lock(&src->h->s->lock);
	src->h->s->harvested[src->index].refused[SENSE_STRAY]++;
	(void)pthread_mutex_unlock(&src->h->s->lock);
}

static void on_ready(struct sense_io *io)
{
	struct server *srv = (struct server *)((char *)io - offsetof(struct server, io));
	uint8_t octets[SENSE_DNS_MAX];
	ssize_t n;

	while ((n = recv(io->fd, octets, sizeof(octets), MSG_DONTWAIT)) > 0)
		take(srv->source, octets, (size_t)n);
}

/* Whether its time to ask has come; else the timer is set to it. A cell keeps the time that it was
 * given: it must not stand at the end of the line again. */
static bool may_ask(struct cell *c)
{
	struct source *src = c->source;
	uint64_t now_us = os_mono_ms() * 1000;
	uint32_t rate = conf_of(c)->rate_per_s;

	if (!c->slot_us) {
		c->slot_us = SL_MAX(src->free_us, now_us);
		src->free_us = c->slot_us + (1000000 + rate - 1) / rate;
	}
	if (c->slot_us > now_us) {
		(void)sense_timer_set(src->h->s->loop, &c->timer, (c->slot_us + 999) / 1000);
		return false;
	}
	c->slot_us = 0;
	return true;
}

static void fire(struct sense_timer *t)
{
	struct cell *c = (struct cell *)((char *)t - offsetof(struct cell, timer));
	struct source *src = c->source;
	struct sense_dns_question q;
	uint8_t octets[SENSE_DNS_MAX];
	size_t n;

	if (c->waiting) {
		fail(c, SENSE_TIMEOUT);
		return;
	}
	if (!may_ask(c))
		return;
	c->id = (uint16_t)os_random64();
	q = question_of(c);
	n = sense_dns_query(&q, octets, sizeof(octets));
	(void)pthread_mutex_lock(&src->h->s->lock);
	src->h->s->harvested[src->index].queries++;
	(void)pthread_mutex_unlock(&src->h->s->lock);
	if (!n || send(src->server[c->server].io.fd, octets, n, MSG_DONTWAIT) < 0) {
		fail(c, n ? SENSE_CONNECT : SENSE_REQUEST);
		return;
	}
	c->waiting = true;
	wait_for(c, conf_of(c)->timeout_ms);
}

static bool open_server(struct source *src, const char *address)
{
	struct server *srv = &src->server[src->n_servers];
	struct os_addr to;
	int fd;

	if (os_addr_parse(address, &to, NULL))
		return false;
	fd = socket(to.ss.ss_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return false;
	*srv = (struct server){.io = {on_ready, fd}, .source = src, .address = address};
	if (connect(fd, (struct sockaddr *)&to.ss, to.len) < 0 ||
		sense_io_add(src->h->s->loop, &srv->io)) {
		(void)close(fd);
		return false;
	}
	src->n_servers++;
	return true;
}

static bool wanted(const struct conf_harvest *c, const char *group)
{
	for (uint32_t i = 0; i < c->groups_count; i++)
		if (glob_group_match(str_from(c->groups[i]), str_from(group)))
			return true;
	return false;
}

static void inherit(struct sense_edges *row, const struct sense_edges *old, uint32_t n_old)
{
	for (uint32_t i = 0; i < n_old; i++)
		if (strcmp(old[i].vendor, row->vendor) == 0 &&
			strcmp(old[i].group, row->group) == 0) {
			*row = old[i];
			return;
		}
}

/* A cell that was good before a reload is asked for again when it would have been, about. */
static void begin(struct cell *c, const struct sense_edges *row)
{
	uint64_t until = c->v6 ? row->until_aaaa_ms : row->until_a_ms, now = os_mono_ms();
	uint64_t late = now + (conf_of(c)->grace_s + conf_of(c)->min_ttl_s) * UINT64_C(1000);

	wait_for(c, sense_random(FIRST_MS) + (until > late ? (until - late) / 2 : 0));
}

static void add_source(struct sense_harvest *h, const struct conf_vendor *v,
	const struct sense_group *group, uint32_t n_groups, struct sense_edges *rows,
	uint32_t *n_rows, const struct sense_edges *old, uint32_t n_old)
{
	struct source *src = &h->source[h->n];
	uint32_t families = v->harvest.ipv6 ? 2 : 1;

	*src = (struct source){.h = h, .vendor = v, .index = h->n++};
	src->cell = calloc(n_groups * families + 1, sizeof(*src->cell));
	for (uint32_t i = 0; i < v->harvest.servers_count; i++)
		if (!open_server(src, v->harvest.servers[i]))
			LOG_E("harvest.server", "vendor=%s server=%s error=\"cannot open\"",
				v->name, v->harvest.servers[i]);
	for (uint32_t g = 0; src->cell && src->n_servers && g < n_groups; g++) {
		struct sense_edges *row = &rows[*n_rows];

		if (!wanted(&v->harvest, group[g].name))
			continue;
		(void)snprintf(row->vendor, sizeof(row->vendor), "%s", v->name);
		(void)snprintf(row->group, sizeof(row->group), "%s", group[g].name);
		inherit(row, old, n_old);
		for (uint32_t f = 0; f < families; f++) {
			struct cell *c = &src->cell[src->n++];

			*c = (struct cell){
				.source = src, .row = *n_rows, .net = group[g].net, .v6 = f == 1};
			c->timer.fire = fire;
			sense_ask_init(&c->ask);
			c->ask.reply = on_reply;
			c->ask.failed = on_failed;
			c->ask.loop = h->s->loop;
			begin(c, row);
		}
		++*n_rows;
	}
}

struct sense_harvest *sense_harvest_new(struct sense *s, struct sense_harvest *old)
{
	const struct conf_catalog *c = &s->conf->catalog;
	struct sense_harvest *h = calloc(1, sizeof(*h));
	struct sense_edges *rows = NULL, *old_rows = s->edges;
	struct sense_harvested *sums = calloc(c->vendors_count + 1, sizeof(*sums)),
			       *old_sums = s->harvested;
	uint32_t n_rows = 0, wanted_rows = 0;

	sense_harvest_free(old);
	for (uint32_t i = 0; i < c->vendors_count; i++)
		wanted_rows += c->vendors[i].harvest.host ? s->n_groups : 0;
	rows = calloc(wanted_rows + 1, sizeof(*rows));
	if (h) {
		h->s = s;
		h->source = calloc(c->vendors_count + 1, sizeof(*h->source));
	}
	if (!h || !h->source || !rows || !sums) {
		sense_harvest_free(h);
		free(rows);
		free(sums);
		h = NULL;
		rows = NULL;
		sums = NULL;
	}
	for (uint32_t i = 0; h && i < c->vendors_count; i++) {
		struct sense_harvested *sum = &sums[h->n];

		if (!c->vendors[i].harvest.host)
			continue;
		for (uint32_t k = 0; k < s->n_harvested; k++)
			if (strcmp(old_sums[k].vendor, c->vendors[i].name) == 0)
				*sum = old_sums[k];
		(void)snprintf(sum->vendor, sizeof(sum->vendor), "%s", c->vendors[i].name);
		(void)snprintf(sum->host, sizeof(sum->host), "%s", c->vendors[i].harvest.host);
		add_source(h, &c->vendors[i], s->group, s->n_groups, rows, &n_rows, old_rows,
			s->n_edges);
	}
	(void)pthread_mutex_lock(&s->lock);
	s->edges = rows;
	s->n_edges = n_rows;
	s->harvested = sums;
	s->n_harvested = h ? h->n : 0;
	s->edges_version++;
	(void)pthread_mutex_unlock(&s->lock);
	free(old_rows);
	free(old_sums);
	return h;
}

void sense_harvest_free(struct sense_harvest *h)
{
	if (!h)
		return;
	for (uint32_t i = 0; h->source && i < h->n; i++) {
		struct source *src = &h->source[i];

		for (uint32_t k = 0; k < src->n; k++) {
			sense_timer_clear(h->s->loop, &src->cell[k].timer);
			sense_ask_stop(&src->cell[k].ask);
		}
		for (uint32_t k = 0; k < src->n_servers; k++) {
			sense_io_remove(h->s->loop, &src->server[k].io);
			(void)close(src->server[k].io.fd);
		}
		free(src->cell);
	}
	free(h->source);
	free(h);
}
