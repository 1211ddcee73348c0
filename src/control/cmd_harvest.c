/* SPDX-License-Identifier: Apache-2.0 */
/* harvest show; groups to the harvest, and what it gave to the engine. */
#include "base/glob.h"
#include "control/control_int.h"
#include "sense/sense.h"

#include <stdlib.h>
#include <string.h>

/* The widest block of each group: a client there stands for all of it. */
static void find_nets(const struct world *w, struct sense_group *group, uint8_t *len)
{
	uint64_t at = 0, end = UINT64_C(1) << 32;

	memset(len, 0xff, w->cat.n_groups);
	while (at < end) {
		struct ip a = {.b = {(uint8_t)(at >> 24), (uint8_t)(at >> 16), (uint8_t)(at >> 8),
				       (uint8_t)at},
			.family = IP_V4};
		struct geo_hit hit;

		geo_lookup(w->geo, a, &hit);
		if (hit.len < len[hit.group]) {
			len[hit.group] = hit.len;
			group[hit.group].net = a;
		}
		at += UINT64_C(1) << (32 - SL_MIN(hit.len, (uint8_t)32));
	}
}

/* Groups that have a block, but for the one of who is nowhere. */
static void give_groups(struct control *c, const struct world *w)
{
	uint32_t n = w->cat.n_groups, kept = 0;
	struct sense_group *group = calloc(n + 1, sizeof(*group));
	uint8_t *len = malloc(n + 1);

	if (group && len) {
		find_nets(w, group, len);
		for (uint32_t g = 0; g < n; g++) {
			struct str name = cat_text(&w->cat, w->cat.groups[g].name);

			if (len[g] > 32 || g == w->cat.meta->default_group)
				continue;
			group[kept].net = group[g].net;
			(void)snprintf(
				group[kept].name, sizeof(group[kept].name), STR_FMT, STR_ARG(name));
			kept++;
		}
		sense_set_groups(c->opt.sense, group, kept);
		group = NULL;
	}
	free(group);
	free(len);
}

static bool is_harvested(const struct conf *conf)
{
	for (uint32_t i = 0; conf && i < conf->catalog.vendors_count; i++)
		if (conf->catalog.vendors[i].harvest.host)
			return true;
	return false;
}

/* The end of what holds; a family that has ended is left out. Without IPv4 there is nothing: most
 * clients would be left with no address at all. */
static void give_edges(struct engine_edges *to, const struct sense_edges *from, uint64_t now_ms)
{
	memcpy(to->vendor, from->vendor, sizeof(to->vendor));
	memcpy(to->group, from->group, sizeof(to->group));
	if (from->until_a_ms <= now_ms)
		return;
	to->n_a = from->n_a;
	memcpy(to->a, from->a, sizeof(to->a));
	to->until_ms = from->until_a_ms;
	if (from->until_aaaa_ms <= now_ms)
		return;
	to->n_aaaa = from->n_aaaa;
	memcpy(to->aaaa, from->aaaa, sizeof(to->aaaa));
	to->until_ms = SL_MIN(to->until_ms, from->until_aaaa_ms);
}

_Static_assert((int)ENGINE_MAX_EDGES == (int)SENSE_MAX_EDGES, "the same list");

void control_take_harvest(struct control *c, uint64_t now_ms)
{
	const struct engine_view *view = engine_view(c->engine);
	const struct world *w = view->world;
	struct sense_edges *e;
	struct engine_edges *to;
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
	e = sense_harvest_edges(c->opt.sense, &c->harvest_version, &n);
	if (!e)
		return;
	to = calloc(n, sizeof(*to));
	for (uint32_t i = 0; to && i < n; i++)
		give_edges(&to[i], &e[i], now_ms);
	engine_set_edges(c->engine, to, n);
	free(e);
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
