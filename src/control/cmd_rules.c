/* SPDX-License-Identifier: Apache-2.0 */
/* rules, blacklist list, restrict list; and the rules given to the engine. */
#include "base/log.h"
#include "control/passing.h"

#include <stdlib.h>
#include <string.h>

enum { EXPAND_MS = 500 }; /* how often a ramp takes a step */

static void put_rule(cJSON *row, const struct control_rule *r, uint64_t now_ms)
{
	cJSON_AddStringToObject(row, "rule", control_rule_kind(r->kind));
	cJSON_AddStringToObject(row, r->kind == RULE_NODE ? "node" : "vendor", r->vendor);
	cJSON_AddStringToObject(row, "service", r->service[0] ? r->service : "*");
	cJSON_AddStringToObject(row,
		r->kind == RULE_DENY || r->kind == RULE_ALLOW ? "prefix" : "groups",
		r->groups[0] ? r->groups : "*");
	if (r->kind == RULE_WEIGHT || r->kind == RULE_CAP || r->kind == RULE_LOWER)
		control_put(row, "value", r->value);
	control_put(row, "ramp_percent", 100 * control_rule_progress(r, now_ms));
	if (r->sleeps && r->start_ms > now_ms)
		control_put(row, "begins_in_s", (double)(r->start_ms - now_ms) / 1e3);
	if (r->until_ms)
		control_put(row, "left_s",
			r->until_ms > now_ms ? (double)(r->until_ms - now_ms) / 1e3 : 0);
	cJSON_AddStringToObject(row, "who", r->who);
	control_put(row, "since", (double)r->start_ms / 1e3);
	cJSON_AddStringToObject(row, "why", r->why);
}

static int list_rules(struct control_call *call, uint32_t kinds)
{
	cJSON *list = cJSON_AddArrayToObject(call->out, "rules");

	for (uint32_t i = 0; i < call->c->rules.n; i++)
		if (kinds >> call->c->rules.rule[i].kind & 1)
			put_rule(control_add_row(list), &call->c->rules.rule[i], call->now_ms);
	return 0;
}

int control_do_RULES(struct control_call *call)
{
	int rc = list_rules(call, UINT32_MAX);

	control_passing_list(call, cJSON_GetObjectItemCaseSensitive(call->out, "rules"));
	return rc;
}

int control_do_RESTRICT_LIST(struct control_call *call)
{
	return list_rules(call, 1u << RULE_RESTRICT | 1u << RULE_DENY | 1u << RULE_ALLOW);
}

int control_do_BLACKLIST_LIST(struct control_call *call)
{
	static const char *const states[] = {"closed", "open", "half-open", "manual"};
	const struct world *w = call->view->world;
	int rc = list_rules(call, 1u << RULE_BLACKLIST);
	cJSON *list;

	if (rc || !w)
		return rc;
	list = cJSON_AddArrayToObject(call->out, "breakers");
	for (uint32_t i = 0; i < w->tick.n_breakers; i++) {
		uint8_t state = w->tick.breakers[i].v;
		uint32_t g = i / w->cat.n_vendors, v = i % w->cat.n_vendors;
		cJSON *row;

		if (state == TICK_CLOSED || state >= SL_COUNT(states))
			continue;
		row = control_add_row(list);
		control_put_str(row, "vendor", control_vendor_name(call->view, v));
		control_put_str(row, "group", cat_text(&w->cat, w->cat.groups[g].name));
		cJSON_AddStringToObject(row, "state", states[state]);
	}
	return 0;
}

struct reading {
	struct control_rules *list;
	int rc;
};

static void read_one(void *ctx, const char *key, const char *value)
{
	struct reading *r = ctx;
	struct control_rule rule;

	(void)key;
	if (!r->rc && control_rule_parse(value, &rule))
		r->rc = control_rules_add(r->list, &rule);
}

int control_rules_read(struct control *c, struct control_rules *ret)
{
	struct reading r = {.list = ret};
	int rc;

	control_rules_clear(ret);
	rc = control_each(c, "rule|", read_one, &r);
	return rc ? rc : r.rc;
}

/* Rules whose time is over are taken out of the state, so that the history shows it. */
static bool expire(struct control *c, uint64_t now_ms)
{
	struct errbuf err = {""};
	bool any = false;

	for (uint32_t i = 0; i < c->rules.n; i++) {
		const struct control_rule *r = &c->rules.rule[i];
		struct store_item item = {NULL, NULL};
		char key[RULE_KEY];

		if (!r->until_ms || now_ms < r->until_ms)
			continue;
		control_rule_key(r, key);
		item.key = key;
		if (control_journal_change(c, "expiry", "expire", key, &item, 1, &err))
			LOG_W("rule.kept", "key=\"%s\" error=\"%s\"", key, err.s);
		else
			LOG_I("rule.ended", "key=\"%s\"", key);
		any = true;
	}
	return any;
}

/* Reads the rules again when the state has changed; whether it had. */
static bool reread(struct control *c)
{
	struct store_stamp now;

	now = c->store ? store_stamp(c->store) : c->rules_stamp;
	if (c->rules_fresh && now.epoch == c->rules_stamp.epoch &&
		now.generation == c->rules_stamp.generation)
		return false;
	if (control_rules_read(c, &c->rules) == 0) {
		c->rules_stamp = now;
		c->rules_fresh = true;
	}
	return true;
}

static void hand_over(struct control *c, uint64_t now_ms)
{
	struct engine_rule *rules = calloc(ENGINE_MAX_RULES, sizeof(*rules));
	uint32_t n;

	c->expanded_ms = now_ms;
	if (!rules)
		return;
	n = control_rules_expand(
		&c->rules, engine_view(c->engine)->world, now_ms, rules, ENGINE_MAX_RULES);
	if (engine_set_rules(c->engine, rules, n))
		LOG_E("rules.refused", "rules=%u", n);
	free(rules);
}

void control_rules_round(struct control *c, uint64_t now_ms)
{
	bool changed = reread(c);

	if (!changed && (!control_rules_moving(&c->rules, c->expanded_ms) ||
				now_ms - c->expanded_ms < EXPAND_MS))
		return;
	if (expire(c, now_ms))
		(void)reread(c);
	hand_over(c, now_ms);
}
