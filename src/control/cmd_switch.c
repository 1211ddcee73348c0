/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Automatic features: which are on, off and on by hand, and who would move by that. What a feature
 * that is off would say is known as far as its figures are taken meanwhile.
 */
#include "control/impact.h"
#include "control/passing.h"
#include "engine/engine_if.h"
#include "sense/sense.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

enum { LOOK_MS = 200, WINDOW_MS = 60000, TEXT = 512 };

/* What is said of a turn besides its impact; what cannot be told wants to be confirmed. */
struct turn {
	struct control_call *call;
	bool on;
	char says[TEXT], unknown[TEXT];
};

static SL_PRINTF(2, 3) void add_text(char text[static TEXT], const char *fmt, ...)
{
	size_t n = strlen(text);
	va_list ap;

	if (n)
		n += (size_t)snprintf(text + n, TEXT - n, "; ");
	va_start(ap, fmt);
	if (n < TEXT)
		(void)vsnprintf(text + n, TEXT - n, fmt, ap);
	va_end(ap);
}

static int turn_PLANS(struct turn *t)
{
	add_text(t->says, t->on ? "moves nobody by itself: a plan whose condition holds announces "
				  "itself first"
				: "moves nobody by itself: what plans have done stays");
	return 0;
}

static int turn_ALERTS(struct turn *t)
{
	add_text(t->says, "moves nobody");
	return 0;
}

static int turn_GEO(struct turn *t)
{
	if (t->on && engine_geo_changed(t->call->c->engine))
		add_text(t->unknown, "a geo file has changed and would be read: who is in which "
				     "group then");
	else
		add_text(t->says, "moves nobody by itself: %s",
			t->on ? "no geo file has changed since it was read"
			      : "the files of now stay until a reload");
	return 0;
}

static int turn_QUALITY(struct turn *t)
{
	const struct impact_feature f = {.kind = IMPACT_QUALITY, .on = t->on};

	if (t->call->view->world->cat.n_ingests)
		add_text(t->says, "pushers: ingests %s weighed by reports (ingest show)",
			t->on ? "are" : "are no more");
	return control_weigh_feature(t->call, &f);
}

/* How many (vendor, group) breakers do not let all through. */
static uint32_t count_breakers(const struct engine_view *view)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < view->world->tick.n_breakers; i++)
		n += view->world->tick.breakers[i].v == TICK_OPEN ||
		     view->world->tick.breakers[i].v == TICK_HALF_OPEN;
	return n;
}

static int turn_BLACKLIST(struct turn *t)
{
	uint64_t barred[SL_MAX_GROUPS];
	struct impact_feature f = {.kind = IMPACT_BREAKERS};
	uint32_t n = 0;

	if (!t->on) {
		add_text(t->says, "%u breakers end", count_breakers(t->call->view));
		return control_weigh_feature(t->call, &f);
	}
	engine_would_bar(t->call->c->engine, barred);
	for (uint32_t g = 0; g < t->call->view->fleet->n_groups; g++)
		n += (uint32_t)__builtin_popcountll(barred[g]);
	add_text(t->says,
		"breakers begin anew; if reports stay as bad as the last, %u open within "
		"seconds",
		n);
	f.barred = barred;
	return control_weigh_feature(t->call, &f);
}

static int turn_FORECAST(struct turn *t)
{
	const struct impact_feature f = {
		.kind = IMPACT_LOADS, .forecast = t->call->view->forecasts, .as_metered = !t->on};

	return control_weigh_feature(t->call, &f);
}

static int turn_HOT(struct turn *t)
{
	struct impact *m = NULL;
	uint32_t n;
	int rc = control_impact_hot(t->call->view, &n, &m);

	if (rc)
		return err_set(&t->call->err, rc, "out of memory");
	add_text(t->says, "moves nobody to another vendor; %u streams are hot on own nodes", n);
	rc = control_weigh_impact(t->call, m);
	free(m);
	return rc;
}

/* --- meters ----------------------------------------------------------------------------------- */

/* The cell of the view that a source gives a figure of; UINT32_MAX: none that is there. */
static uint32_t cell_of(const struct engine_view *view, const struct sense_source *s)
{
	const struct cat_view *c = &view->world->cat;
	uint32_t v = cat_find_vendor(c, str_from(s->vendor)), r;

	if (v >= view->fleet->n_vendors || !s->region[0])
		return v < view->fleet->n_vendors ? v : UINT32_MAX;
	r = cat_find_region(c, v, str_from(s->region));
	return r < view->fleet->n_regions ? view->fleet->n_vendors + r : UINT32_MAX;
}

static bool same_meter(const struct sense_source *a, const struct sense_source *b)
{
	return !strcmp(a->vendor, b->vendor) && !strcmp(a->name, b->name);
}

/* What a meter last said: of one per node their sum, given with the first of them. false: it is
 * not the first, or has said nothing yet. */
static bool last_of(const struct sense_source *s, uint32_t n, uint32_t at, struct loop_push *ret)
{
	*ret = (struct loop_push){0};
	for (uint32_t i = 0; i < n; i++) {
		if (!same_meter(&s[i], &s[at]))
			continue;
		if (i < at)
			return false;
		ret->mbps += s[i].end_ms ? s[i].mbps : 0;
		ret->end_ms = SL_MAX(ret->end_ms, s[i].end_ms);
	}
	return ret->end_ms != 0;
}

/* The forecast of a source's cell: with what it last said, or without the meter that it gave. */
static void forecast(
	const struct turn *t, struct loop_push *push, uint32_t cell, struct learn_forecast *f)
{
	const struct engine *e = t->call->c->engine;
	const struct meter *m = &t->call->view->meters[cell];

	push->start_ms = push->end_ms -
			 SL_MIN(push->end_ms, m->present ? m->end_ms - m->start_ms : WINDOW_MS);
	if (t->on)
		*f = engine_forecast_if(e, cell, push);
	else if (m->end_ms <= push->end_ms) /* else a later one was pushed */
		*f = engine_forecast_if(e, cell, NULL);
}

/* Whether an own node's counter says so much that it may be passed over (scoring/nodes.h). */
static bool is_loaded(const struct turn *t, const struct sense_source *s)
{
	const struct cat_view *c = &t->call->view->world->cat;

	for (uint32_t i = 0; s->node[0] && i < c->n_nodes; i++)
		if (str_eq_z(cat_text(c, c->nodes[i].name), s->node))
			return 2 * s->mbps > c->nodes[i].capacity_mbps;
	return false;
}

static int weigh_meters(struct turn *t, const struct sense_source *s, uint32_t n)
{
	const struct engine_view *view = t->call->view;
	uint32_t cells = view->fleet->n_vendors + view->fleet->n_regions, mute = 0, loaded = 0;
	struct learn_forecast *f = calloc(cells + 1, sizeof(*f));
	struct impact_feature feature = {.kind = IMPACT_LOADS, .forecast = f};
	int rc;

	if (!f)
		return err_set(&t->call->err, SL_ENOMEM, "out of memory");
	memcpy(f, view->forecasts, cells * sizeof(*f));
	for (uint32_t i = 0; i < n; i++) {
		uint32_t cell = cell_of(view, &s[i]);
		struct loop_push push;

		mute += !s[i].end_ms;
		loaded += is_loaded(t, &s[i]);
		if (cell != UINT32_MAX && last_of(s, n, i, &push))
			forecast(t, &push, cell, &f[cell]);
	}
	feature.as_metered = !control_switch_on(t->call->c, SWITCH_FORECAST);
	if (t->on && mute)
		add_text(t->unknown, "what %u of the meters say that have not answered yet", mute);
	if (loaded)
		add_text(t->unknown,
			"whom %u loaded own nodes take instead of others of the vendor", loaded);
	rc = control_weigh_feature(t->call, &feature);
	free(f);
	return rc;
}

static int turn_METERS(struct turn *t)
{
	uint32_t n = 0;
	struct sense_source *s =
		t->call->c->opt.sense ? sense_sources(t->call->c->opt.sense, &n) : NULL;
	int rc = 0;

	if (!n)
		add_text(t->says, "moves nobody: no meter is pulled");
	else if (t->on)
		add_text(t->says, "with what pulled meters last said");
	else
		add_text(t->says, "when pulled meters are forgotten, 15 minutes after their last "
				  "window; at once nobody moves");
	if (n)
		rc = weigh_meters(t, s, n);
	free(s);
	return rc;
}

/* --- probes and harvest ----------------------------------------------------------------------- */

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct engine_node *)a)->name, ((const struct engine_node *)b)->name);
}

/* Addresses other than own nodes that probes find down. */
static void say_down(struct turn *t)
{
	struct sense *sense = t->call->c->opt.sense;
	uint32_t edges, ingests;

	free(sense_edges_down(sense, &edges));
	free(sense_ingests_down(sense, &ingests));
	if (edges)
		add_text(t->says, "%u harvested addresses that are down are %s", edges,
			t->on ? "left out" : "answered again");
	if (ingests)
		add_text(t->says, "%u ingests that are down are %s", ingests,
			t->on ? "passed over" : "answered again");
}

static int turn_PROBES(struct turn *t)
{
	struct sense *sense = t->call->c->opt.sense;
	uint32_t n = 0, down = 0;
	struct sense_node *s = sense ? sense_nodes(sense, t->call->now_ms, &n) : NULL;
	struct engine_node *to = calloc(n + 1, sizeof(*to));
	struct impact_feature f = {.kind = IMPACT_NODES, .node = to, .n_nodes = n};
	int rc = to ? 0 : err_set(&t->call->err, SL_ENOMEM, "out of memory");

	for (uint32_t i = 0; !rc && i < n; i++) {
		memcpy(to[i].name, s[i].name, sizeof(to[i].name));
		to[i].down = s[i].down && t->on;
		down += s[i].down;
	}
	if (!rc) {
		qsort(to, n, sizeof(*to), by_name);
		add_text(t->says, "%u own nodes that are down are %s", down,
			t->on ? "not answered" : "answered again");
		if (sense)
			say_down(t);
		rc = control_weigh_feature(t->call, &f);
	}
	free(to);
	free(s);
	return rc;
}

/* Groups by vendor that harvested addresses are answered in now. */
static void count_answered(const struct engine_view *view, uint32_t by_vendor[SL_MAX_VENDORS])
{
	const struct world *w = view->world;

	for (uint32_t g = 0; w->tick.n_edge_of && g < w->cat.n_groups; g++)
		for (uint32_t v = 0; v < w->cat.n_vendors; v++)
			by_vendor[v] += w->tick.edge_of[world_cell(w, g, v)].v != BLOB_NONE &&
					w->cat.vendor_nodes[world_cell(w, g, v)].v == BLOB_NONE;
}

/* The same of those that would be. */
static void count_harvested(const struct turn *t, uint32_t by_vendor[SL_MAX_VENDORS])
{
	const struct cat_view *c = &t->call->view->world->cat;
	uint64_t version = UINT64_MAX;
	uint32_t n = 0;
	struct sense_edges *e = t->call->c->opt.sense
					? sense_harvest_edges(t->call->c->opt.sense, &version, &n)
					: NULL;

	for (uint32_t i = 0; i < n; i++) {
		uint32_t v = cat_find_vendor(c, str_from(e[i].vendor));

		if (v < c->n_vendors && e[i].until_a_ms > t->call->now_ms)
			by_vendor[v]++;
	}
	free(e);
}

static int turn_HARVEST(struct turn *t)
{
	const struct engine_view *view = t->call->view;
	uint32_t by_vendor[SL_MAX_VENDORS] = {0};

	if (t->on)
		count_harvested(t, by_vendor);
	else
		count_answered(view, by_vendor);
	add_text(t->says, "moves nobody to another vendor");
	for (uint32_t v = 0; v < view->fleet->n_vendors; v++)
		if (by_vendor[v])
			add_text(t->says, "clients in %u groups get %s addresses of " STR_FMT,
				by_vendor[v], t->on ? "the harvested" : "the configured",
				STR_ARG(control_vendor_name(view, v)));
	return 0;
}

/* --- the switches ----------------------------------------------------------------------------- */

static const struct {
	const char *name, *help;
	int (*turn)(struct turn *t); /* impact and words; whether the impact is confirmed */
} switches[SWITCHES] = {
#define X(id, name, help) {name, help, turn_##id},
	CONTROL_SWITCH_MAP(X)
#undef X
};

bool control_switch_on(const struct control *c, enum control_switch which)
{
	char key[64], *value;
	bool on;

	if (!c->store)
		return true;
	(void)snprintf(key, sizeof(key), "switch|%s", switches[which].name);
	value = store_get(c->store, key);
	on = !value || strcmp(value, "off") != 0;
	free(value);
	return on;
}

bool control_follows_geo(const struct control *c)
{
	return control_switch_on(c, SWITCH_GEO);
}

void control_switch_round(struct control *c, uint64_t now_ms)
{
	uint32_t off = now_ms < c->facts_cut_ms ? ENGINE_NO_FACTS : 0;

	if (!control_due(&c->switches_due_ms, LOOK_MS))
		return;
	c->switched_off = 0;
	for (uint32_t i = 0; i < SWITCHES; i++)
		c->switched_off |= (uint32_t)!control_switch_on(c, (enum control_switch)i) << i;
	off |= c->switched_off >> SWITCH_BLACKLIST & 1 ? ENGINE_NO_BLACKLIST : 0;
	off |= c->switched_off >> SWITCH_QUALITY & 1 ? ENGINE_NO_QUALITY : 0;
	off |= c->switched_off >> SWITCH_FORECAST & 1 ? ENGINE_NO_FORECAST : 0;
	off |= c->switched_off >> SWITCH_HOT & 1 ? ENGINE_NO_HOT : 0;
	engine_set_off(c->engine, off);
}

int control_do_SWITCH_LIST(struct control_call *call)
{
	cJSON *list = cJSON_AddArrayToObject(call->out, "switches");

	for (uint32_t i = 0; i < SWITCHES; i++) {
		cJSON *row = control_add_row(list);

		cJSON_AddStringToObject(row, "name", switches[i].name);
		cJSON_AddStringToObject(row, "state",
			control_switch_on(call->c, (enum control_switch)i) ? "on" : "off");
		cJSON_AddStringToObject(row, "when_on", switches[i].help);
	}
	return 0;
}

/* Says what a turn would do, and wants it to be confirmed where that is much or not known. */
static int weigh(struct control_call *call, uint32_t which, bool on)
{
	struct turn t = {.call = call, .on = on};
	int rc = 0;

	if (control_switch_on(call->c, (enum control_switch)which) == on)
		add_text(t.says, "moves nobody: it is %s already", on ? "on" : "off");
	else if (call->view->world)
		rc = switches[which].turn(&t);
	else
		add_text(t.says, "moves nobody: there is no tick yet");
	if (t.says[0])
		cJSON_AddStringToObject(call->out, "says", t.says);
	if (t.unknown[0])
		cJSON_AddStringToObject(call->out, "cannot_tell", t.unknown);
	if (rc || !t.unknown[0] || control_flag(call, "dry-run"))
		return rc;
	return control_check_known(call, t.unknown);
}

static int turn(struct control_call *call, uint32_t which, bool on)
{
	struct store_item item = {NULL, on ? NULL : "off"};
	char key[64];
	int rc = weigh(call, which, on);

	if (rc)
		return rc;
	if (control_flag(call, "dry-run")) {
		control_put_bool(call->out, "dry_run", true);
		return 0;
	}
	(void)snprintf(key, sizeof(key), "switch|%s", switches[which].name);
	item.key = key;
	return control_change_passing(call, &item, 1);
}

int control_do_SWITCH_SET(struct control_call *call)
{
	const char *name = control_arg(call, "name"), *state = control_arg(call, "state");
	struct near near;

	if (call->service[0])
		return err_set(&call->err, SL_EACCES, "a switch holds in all services, %s may not",
			call->who);
	if (strcmp(state, "on") != 0 && strcmp(state, "off") != 0)
		return err_set(&call->err, SL_EINVAL, "state: want on or off");
	near_init(&near, str_from(name));
	for (uint32_t i = 0; i < SWITCHES; i++) {
		if (strcmp(name, switches[i].name) == 0)
			return turn(call, i, strcmp(state, "on") == 0);
		near_offer(&near, str_from(switches[i].name));
	}
	return control_no_such(call, "switch", &near);
}
