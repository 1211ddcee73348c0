/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The targets of probes: own nodes, vendors' edges by catalogue and harvest, doors. Listed anew
 * when the configuration or the harvest has changed; those that were there keep what is known.
 */
#include "base/hash.h"
#include "base/os.h"
#include "sense/probe_int.h"

#include <stdlib.h>
#include <string.h>

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
	a->p->target[a->n] =
		(struct sense_probe_target){.probe = a->probe, .index = a->n, .owner = a->p};
	a->p->target[a->n].timer.fire = sense_look_begin;
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
		sense_timer_clear(p->s->loop, &p->target[i].timer);
		sense_look_stop(p->target[i].look);
	}
	sense_look_done(p);
	free(p->target);
	free(p);
}
