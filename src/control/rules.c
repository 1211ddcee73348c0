/* SPDX-License-Identifier: Apache-2.0 */
#include "control/rules.h"

#include "base/glob.h"
#include "base/hash.h"

#include <cjson/cJSON.h>
#include <stdlib.h>
#include <string.h>

enum { CLOCK_BACK_MS = 60000 }; /* less is a clock that is put right by little */

static const char *const kinds[RULE_KINDS] = {"weight", "drain", "evacuate", "blacklist",
	"restrict", "cap", "node", "deny", "allow", "static", "lower"};

const char *control_rule_kind(enum engine_rule_kind kind)
{
	return kind < RULE_KINDS ? kinds[kind] : "?";
}

void control_rule_key(const struct control_rule *r, char ret_key[static RULE_KEY])
{
	(void)snprintf(ret_key, RULE_KEY, "rule|%s|%s|%s|%s", control_rule_kind(r->kind), r->vendor,
		r->service, r->groups);
}

char *control_rule_print(const struct control_rule *r)
{
	cJSON *o = cJSON_CreateObject();
	char *text;

	cJSON_AddStringToObject(o, "kind", control_rule_kind(r->kind));
	cJSON_AddStringToObject(o, "vendor", r->vendor);
	cJSON_AddStringToObject(o, "service", r->service);
	cJSON_AddStringToObject(o, "groups", r->groups);
	cJSON_AddNumberToObject(o, "value", r->value);
	cJSON_AddNumberToObject(o, "from", r->from);
	cJSON_AddNumberToObject(o, "start_ms", (double)r->start_ms);
	cJSON_AddNumberToObject(o, "ramp_ms", (double)r->ramp_ms);
	cJSON_AddNumberToObject(o, "until_ms", (double)r->until_ms);
	if (r->sleeps)
		cJSON_AddBoolToObject(o, "sleeps", true);
	if (r->back)
		cJSON_AddBoolToObject(o, "back", true);
	cJSON_AddStringToObject(o, "why", r->why);
	cJSON_AddStringToObject(o, "who", r->who);
	text = cJSON_PrintUnformatted(o);
	cJSON_Delete(o);
	return text;
}

static bool take_text(const cJSON *o, const char *name, char *to, size_t size)
{
	const cJSON *v = cJSON_GetObjectItemCaseSensitive(o, name);

	if (!cJSON_IsString(v) || strlen(v->valuestring) >= size)
		return false;
	(void)snprintf(to, size, "%s", v->valuestring);
	return true;
}

static double take_number(const cJSON *o, const char *name)
{
	const cJSON *v = cJSON_GetObjectItemCaseSensitive(o, name);

	return cJSON_IsNumber(v) && v->valuedouble >= 0 ? v->valuedouble : 0;
}

/* No later than a number of JSON is exact. */
static uint64_t take_ms(const cJSON *o, const char *name)
{
	return (uint64_t)SL_MIN(take_number(o, name), 9e15);
}

bool control_rule_parse(const char *json, struct control_rule *ret)
{
	cJSON *o = cJSON_Parse(json);
	char kind[16];
	bool ok = take_text(o, "kind", kind, sizeof(kind));
	uint32_t k = 0;

	memset(ret, 0, sizeof(*ret));
	while (ok && k < RULE_KINDS && strcmp(kinds[k], kind))
		k++;
	ok = ok && k < RULE_KINDS && take_text(o, "vendor", ret->vendor, sizeof(ret->vendor)) &&
	     take_text(o, "service", ret->service, sizeof(ret->service)) &&
	     take_text(o, "groups", ret->groups, sizeof(ret->groups));
	if (ok) {
		ret->kind = (enum engine_rule_kind)k;
		ret->value = take_number(o, "value");
		ret->from = take_number(o, "from");
		ret->start_ms = take_ms(o, "start_ms");
		ret->ramp_ms = take_ms(o, "ramp_ms");
		ret->until_ms = take_ms(o, "until_ms");
		ret->sleeps = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(o, "sleeps"));
		ret->back = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(o, "back"));
		(void)take_text(o, "why", ret->why, sizeof(ret->why));
		(void)take_text(o, "who", ret->who, sizeof(ret->who));
	}
	cJSON_Delete(o);
	return ok;
}

int control_rules_add(struct control_rules *list, const struct control_rule *r)
{
	if (list->n == list->room) {
		uint32_t room = list->room ? 2 * list->room : 16;
		struct control_rule *more = realloc(list->rule, room * sizeof(*more));

		if (!more)
			return SL_ENOMEM;
		list->rule = more;
		list->room = room;
	}
	list->rule[list->n++] = *r;
	return 0;
}

void control_rules_clear(struct control_rules *list)
{
	free(list->rule);
	*list = (struct control_rules){0};
}

double control_ramp_done(uint64_t start_ms, uint64_t ramp_ms, uint64_t now_ms)
{
	if (!ramp_ms || now_ms >= start_ms + ramp_ms || now_ms + CLOCK_BACK_MS < start_ms)
		return 1;
	return now_ms > start_ms ? (double)(now_ms - start_ms) / (double)ramp_ms : 0;
}

static bool sleeps(const struct control_rule *r, uint64_t now_ms)
{
	return r->sleeps && now_ms < r->start_ms;
}

double control_rule_progress(const struct control_rule *r, uint64_t now_ms)
{
	double done = control_ramp_done(r->start_ms, r->ramp_ms, now_ms);

	if (sleeps(r, now_ms))
		return 0;
	return r->back ? 1 - done : done;
}

bool control_rules_moving(const struct control_rules *list, uint64_t then_ms)
{
	for (uint32_t i = 0; i < list->n; i++)
		if (list->rule[i].until_ms || list->rule[i].back ||
			control_rule_progress(&list->rule[i], then_ms) < 1)
			return true;
	return false;
}

struct expansion {
	struct engine_rule *to;
	uint32_t n, max;
	const struct world *world;
};

static void emit(struct expansion *x, const struct control_rule *r, enum engine_rule_kind kind,
	const char *service, const char *groups, double value)
{
	struct engine_rule *to;

	if (x->n == x->max)
		return;
	to = &x->to[x->n++];
	*to = (struct engine_rule){.kind = kind, .value = value, .until_ms = r->until_ms};
	memcpy(to->vendor, r->vendor, sizeof(to->vendor));
	(void)snprintf(to->service, sizeof(to->service), "%s", service);
	(void)snprintf(to->groups, sizeof(to->groups), "%s", groups);
}

/* The weight of a slot under the rules so far. */
static double weight_now(
	const struct expansion *x, double configured, struct str vendor, struct str service)
{
	double weight = configured;

	for (uint32_t k = 0; k < x->n; k++)
		if (x->to[k].kind == RULE_WEIGHT &&
			glob_match(str_from(x->to[k].vendor), vendor, false) &&
			(!x->to[k].service[0] ||
				glob_match(str_from(x->to[k].service), service, false)))
			weight = x->to[k].value;
	return weight;
}

/*
 * A drain under way in all groups: the vendor's weight in each service falls along a line. Weights
 * that operators set come before drains in the order of keys reversed, so the last rule counts. A
 * weight on its way out goes to what it would be without it.
 */
static void ramp_weights(struct expansion *x, const struct control_rule *r, double done)
{
	const struct cat_view *c = &x->world->cat;

	for (uint32_t i = 0; i < c->n_slots; i++) {
		struct str vendor = cat_text(c, c->vendors[c->slots[i].vendor].name);
		struct str name = cat_text(c, c->services[c->slots[i].service].name);
		char service[SL_MAX_NAME + 1];
		double weight;

		if (!glob_match(str_from(r->vendor), vendor, false) ||
			(r->service[0] && !glob_match(str_from(r->service), name, false)))
			continue;
		(void)snprintf(service, sizeof(service), STR_FMT, STR_ARG(name));
		weight = weight_now(x, c->slots[i].weight, vendor, name);
		emit(x, r, RULE_WEIGHT, service, "",
			r->kind == RULE_WEIGHT ? weight + (r->value - weight) * done
					       : weight * (1 - done));
	}
}

/* A cap on its way out rises to the configured maximum. */
static void ramp_cap(struct expansion *x, const struct control_rule *r, double done)
{
	const struct cat_view *c = &x->world->cat;

	for (uint32_t v = 0; v < c->n_vendors; v++)
		if (glob_match(str_from(r->vendor), cat_text(c, c->vendors[v].name), false))
			emit(x, r, RULE_CAP, r->service, r->groups,
				c->vendors[v].max_mbps +
					(r->value - c->vendors[v].max_mbps) * done);
}

/* Whether a name is in the part of all names that is done; the part only grows. */
static bool in_part(struct str name, double done)
{
	return (double)(hash64(name.p, name.n, 7) >> 11) * 0x1p-53 < done;
}

/* A rule under way in part of its groups. */
static void ramp_groups(struct expansion *x, const struct control_rule *r, double done)
{
	const struct cat_view *c = &x->world->cat;

	for (uint32_t g = 0; g < c->n_groups; g++) {
		struct str name = cat_text(c, c->groups[g].name);
		char text[SL_MAX_NAME + 1];

		if ((r->groups[0] && !glob_group_match(str_from(r->groups), name)) ||
			!in_part(name, done))
			continue;
		(void)snprintf(text, sizeof(text), STR_FMT, STR_ARG(name));
		emit(x, r, r->kind, r->service, text, r->value);
	}
}

/* A rule of services, one after the other. */
static void ramp_services(struct expansion *x, const struct control_rule *r, double done)
{
	const struct cat_view *c = &x->world->cat;

	for (uint32_t s = 0; s < c->n_services; s++) {
		struct str name = cat_text(c, c->services[s].name);
		char text[SL_MAX_NAME + 1];

		if ((r->service[0] && !glob_match(str_from(r->service), name, false)) ||
			!in_part(name, done))
			continue;
		(void)snprintf(text, sizeof(text), STR_FMT, STR_ARG(name));
		emit(x, r, r->kind, text, r->groups, r->value);
	}
}

/* A rule whose ramp is under way. */
static void expand_part(struct expansion *x, const struct control_rule *r, double done)
{
	switch (r->kind) {
	case RULE_WEIGHT:
		if (r->back)
			ramp_weights(x, r, done);
		else
			emit(x, r, r->kind, r->service, "", r->from + (r->value - r->from) * done);
		break;
	case RULE_CAP:
		if (r->back)
			ramp_cap(x, r, done);
		else
			emit(x, r, r->kind, "", "", r->from + (r->value - r->from) * done);
		break;
	case RULE_LOWER:
		emit(x, r, r->kind, r->service, r->groups, r->value * done);
		break;
	case RULE_DRAIN:
		if (r->groups[0])
			ramp_groups(x, r, done);
		else
			ramp_weights(x, r, done);
		break;
	case RULE_NODE:
		if (in_part(str_from(r->vendor), done))
			emit(x, r, r->kind, "", "", r->value);
		break;
	case RULE_DENY:
	case RULE_ALLOW:
		if (in_part(str_from(r->groups), done))
			emit(x, r, r->kind, "", r->groups, r->value);
		break;
	case RULE_STATIC:
		ramp_services(x, r, done);
		break;
	default:
		ramp_groups(x, r, done);
	}
}

static void expand_one(struct expansion *x, const struct control_rule *r, uint64_t now_ms)
{
	double done = control_rule_progress(r, now_ms);

	if (!x->world) /* what comes of it: ramps are done, what sleeps sleeps */
		done = r->back || sleeps(r, now_ms) ? 0 : 1;
	if (done >= 1)
		emit(x, r, r->kind, r->service, r->groups, r->value);
	else if (done > 0 || (r->ramp_ms && now_ms >= r->start_ms && x->world && !r->back))
		expand_part(x, r, done);
}

uint32_t control_rules_expand(const struct control_rules *list, const struct world *world,
	uint64_t now_ms, struct engine_rule *ret, uint32_t max)
{
	struct expansion x = {.to = ret, .world = world};
	uint32_t left = list->n;

	/* weights first: a drain that ramps goes down from the operator's weight */
	for (int pass = 0; pass < 2; pass++)
		for (uint32_t i = 0; i < list->n; i++) {
			const struct control_rule *r = &list->rule[i];

			if ((r->kind == RULE_WEIGHT) != (pass == 0))
				continue;
			left--;
			x.max = max - SL_MIN(max, left); /* no ramp takes another's place */
			if (r->until_ms == 0 || now_ms < r->until_ms)
				expand_one(&x, r, now_ms);
		}
	return x.n;
}
