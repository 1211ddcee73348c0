/* SPDX-License-Identifier: Apache-2.0 */
/* harvest show; groups to the harvest, and what it gave to the engine. */
#include "base/glob.h"
#include "base/hash.h"
#include "control/control_int.h"
#include "sense/sense.h"

#include <stdlib.h>
#include <string.h>

/* The widest block of a group so far, and its begin. */
struct widest {
	uint8_t len; /* NO_BLOCK: none */
	struct ip net;
};

enum { NO_BLOCK = 0xff };

static void widen(struct widest *w, const struct geo_hit *hit, struct ip a)
{
	if (hit->len < w[hit->group].len)
		w[hit->group] = (struct widest){hit->len, a};
}

/* A client of the widest block stands for all of its group. */
static void find_nets_v4(const struct world *w, struct widest *of)
{
	uint64_t at = 0, end = UINT64_C(1) << 32;

	while (at < end) {
		struct ip a = {.b = {(uint8_t)(at >> 24), (uint8_t)(at >> 16), (uint8_t)(at >> 8),
				       (uint8_t)at},
			.family = IP_V4};
		struct geo_hit hit;

		geo_lookup(w->geo, a, &hit);
		widen(of, &hit, a);
		at += UINT64_C(1) << (32 - SL_MIN(hit.len, (uint8_t)32));
	}
}

/* The same among the global unicast addresses of IPv6, 2000::/3. Of Teredo and 6to4 the v4 address
 * within says where they are. */
static void find_nets_v6(const struct world *w, struct widest *of)
{
	const unsigned __int128 one = 1, teredo = one * 0x20010000 << 96,
				sixto4 = one * 0x2002 << 112;
	unsigned __int128 at = one << 125;

	while (at < one << 126) {
		struct ip a = {.family = IP_V6};
		struct geo_hit hit;

		if (at == teredo || at == sixto4) {
			at += one << (at == teredo ? 96 : 112);
			continue;
		}
		for (int i = 0; i < 16; i++)
			a.b[i] = (uint8_t)(at >> (120 - 8 * i));
		geo_lookup(w->geo, a, &hit);
		widen(of, &hit, a);
		at += one << (128 - SL_MIN(hit.len, (uint8_t)127));
	}
}

/* Groups that have a block, but for the one of who is nowhere: v4 where there is any. */
static void give_groups(struct control *c, const struct world *w)
{
	uint32_t n = w->cat.n_groups, kept = 0;
	struct sense_group *group = calloc(n + 1, sizeof(*group));
	struct widest *v4 = malloc((n + 1) * sizeof(*v4)), *v6 = malloc((n + 1) * sizeof(*v6));

	for (uint32_t g = 0; v4 && v6 && g < n; g++)
		v4[g].len = v6[g].len = NO_BLOCK;
	if (group && v4 && v6) {
		find_nets_v4(w, v4);
		find_nets_v6(w, v6);
		for (uint32_t g = 0; g < n; g++) {
			const struct widest *of = v4[g].len != NO_BLOCK ? &v4[g] : &v6[g];
			struct str name = cat_text(&w->cat, w->cat.groups[g].name);

			if (of->len == NO_BLOCK || g == w->cat.meta->default_group)
				continue;
			group[kept].net = of->net;
			(void)snprintf(
				group[kept].name, sizeof(group[kept].name), STR_FMT, STR_ARG(name));
			kept++;
		}
		sense_set_groups(c->opt.sense, group, kept);
		group = NULL;
	}
	free(group);
	free(v4);
	free(v6);
}

static bool is_harvested(const struct conf *conf)
{
	for (uint32_t i = 0; conf && i < conf->catalog.vendors_count; i++)
		if (conf->catalog.vendors[i].harvest.host)
			return true;
	return false;
}

/* Edges that probes find down. */
struct down {
	struct sense_down *at;
	uint32_t n;
};

/* Those that are not down, in their order; how many. */
static uint32_t keep_up(const struct down *down, const char *vendor, const struct ip *from,
	uint32_t n, struct ip *to)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < n; i++) {
		uint32_t k = 0;

		while (k < down->n && !(ip_eq(down->at[k].ip, from[i]) &&
					      strcmp(down->at[k].vendor, vendor) == 0))
			k++;
		if (k == down->n)
			to[kept++] = from[i];
	}
	return kept;
}

/* The end of what holds; a family that has ended is left out. Without IPv4 there is nothing: most
 * clients would be left with no address at all. */
static void give_edges(struct engine_edges *to, const struct sense_edges *from,
	const struct down *down, uint64_t now_ms)
{
	memcpy(to->vendor, from->vendor, sizeof(to->vendor));
	memcpy(to->group, from->group, sizeof(to->group));
	if (from->until_a_ms <= now_ms)
		return;
	to->n_a = keep_up(down, from->vendor, from->a, from->n_a, to->a);
	if (!to->n_a)
		return;
	to->until_ms = from->until_a_ms;
	if (from->until_aaaa_ms <= now_ms)
		return;
	to->n_aaaa = keep_up(down, from->vendor, from->aaaa, from->n_aaaa, to->aaaa);
	to->until_ms = SL_MIN(to->until_ms, from->until_aaaa_ms);
}

/* What is down now; all are taken again when that is not what it was. */
static struct down take_down(struct control *c)
{
	struct down down = {NULL, 0};
	uint64_t hash;

	if (!(c->switched_off >> SWITCH_PROBES & 1))
		down.at = sense_edges_down(c->opt.sense, &down.n);
	hash = down.n ? hash64(down.at, down.n * sizeof(*down.at), 0) : 0;
	if (hash != c->harvest_down)
		c->harvest_version = 0;
	c->harvest_down = hash;
	return down;
}

_Static_assert((int)ENGINE_MAX_EDGES == (int)SENSE_MAX_EDGES, "the same list");

void control_take_harvest(struct control *c, uint64_t now_ms)
{
	const struct engine_view *view = engine_view(c->engine);
	const struct world *w = view->world;
	struct sense_edges *e;
	struct engine_edges *to;
	struct down down;
	uint32_t n;

	if (w && is_harvested(view->conf) &&
		(w->tick.meta->geo != c->harvest_geo ||
			w->tick.meta->catalogue != c->harvest_catalogue)) {
		c->harvest_geo = w->tick.meta->geo;
		c->harvest_catalogue = w->tick.meta->catalogue;
		give_groups(c, w);
	}
	if (c->switched_off >> SWITCH_HARVEST & 1) {
		engine_set_edges(c->engine, NULL, 0);
		c->harvest_version = 0; /* all are taken again when it is on */
		return;
	}
	down = take_down(c);
	e = sense_harvest_edges(c->opt.sense, &c->harvest_version, &n);
	to = e ? calloc(n, sizeof(*to)) : NULL;
	for (uint32_t i = 0; to && i < n; i++)
		give_edges(&to[i], &e[i], &down, now_ms);
	if (e)
		engine_set_edges(c->engine, to, n);
	free(e);
	free(down.at);
}

static void put_ips(cJSON *row, const struct ip *ip, uint32_t n, uint64_t until_ms, uint64_t now_ms)
{
	cJSON *list = cJSON_GetObjectItemCaseSensitive(row, "ips");
	char text[IP_TEXT_MAX];

	for (uint32_t i = 0; until_ms > now_ms && i < n; i++) {
		ip_format(ip[i], text);
		cJSON_AddItemToArray(list, cJSON_CreateString(text));
	}
}

static void put_age(cJSON *row, uint64_t since_ms, uint64_t now_ms)
{
	if (since_ms)
		control_put(
			row, "age_s", now_ms > since_ms ? (double)(now_ms - since_ms) / 1e3 : 0);
	else
		(void)cJSON_AddNullToObject(row, "age_s");
}

static void put_edges(cJSON *row, const struct sense_edges *e, uint64_t now_ms)
{
	uint64_t until = SL_MAX(e->until_a_ms, e->until_aaaa_ms);

	cJSON_AddStringToObject(row, "vendor", e->vendor);
	cJSON_AddStringToObject(row, "group", e->group);
	put_age(row, e->good_ms, now_ms);
	control_put(row, "left_s", until > now_ms ? (double)(until - now_ms) / 1e3 : 0);
	(void)cJSON_AddArrayToObject(row, "ips");
	put_ips(row, e->a, e->n_a, e->until_a_ms, now_ms);
	put_ips(row, e->aaaa, e->n_aaaa, e->until_aaaa_ms, now_ms);
}

static void put_sum(cJSON *row, const struct sense_harvested *h, uint64_t now_ms)
{
	cJSON *refused;

	cJSON_AddStringToObject(row, "vendor", h->vendor);
	cJSON_AddStringToObject(row, "host", h->host);
	control_put(row, "queries", (double)h->queries);
	control_put(row, "taken", (double)h->taken);
	put_age(row, h->good_ms, now_ms);
	refused = cJSON_AddObjectToObject(row, "refused");
	for (uint32_t r = 0; r < SENSE_REFUSALS; r++)
		if (h->refused[r])
			control_put(refused, sense_refusal_word(r), (double)h->refused[r]);
}

int control_do_HARVEST_SHOW(struct control_call *call)
{
	const char *pattern = control_arg(call, "vendor"), *groups = control_arg(call, "groups");
	cJSON *sums = cJSON_AddArrayToObject(call->out, "harvests");
	cJSON *list = cJSON_AddArrayToObject(call->out, "edges");
	struct sense *s = call->c->opt.sense;
	uint64_t version = UINT64_MAX;
	uint32_t n = 0, n_edges = 0;
	struct sense_harvested *h = s ? sense_harvests(s, &n) : NULL;
	struct sense_edges *e = s ? sense_harvest_edges(s, &version, &n_edges) : NULL;

	for (uint32_t i = 0; i < n; i++)
		if (!pattern || glob_match(str_from(pattern), str_from(h[i].vendor), false))
			put_sum(control_add_row(sums), &h[i], call->now_ms);
	for (uint32_t i = 0; i < n_edges; i++)
		if ((!pattern || glob_match(str_from(pattern), str_from(e[i].vendor), false)) &&
			(!groups || glob_group_match(str_from(groups), str_from(e[i].group))))
			put_edges(control_add_row(list), &e[i], call->now_ms);
	free(h);
	free(e);
	return 0;
}
