/* SPDX-License-Identifier: Apache-2.0 */
/* Plans that look for themselves: hold, announce, wait for a veto, fire. */
#include "control/plan_do.h"

#include <string.h>

enum { ROUND_MS = 1000 };

/* vendor="alpha",... of a fact as parameters. */
static cJSON *params_of_fact(const struct fact *f)
{
	const char *at = f ? strstr(f->labels, "vendor=\"") : NULL;
	cJSON *o = cJSON_CreateObject();
	char name[SL_MAX_NAME + 1];

	if (at && sscanf(at, "vendor=\"%64[^\"]\"", name) == 1)
		cJSON_AddStringToObject(o, "vendor", name);
	return o;
}

bool control_plan_fresh(
	const struct plan_def *def, const struct control_facts *facts, const char *labels)
{
	struct condition fresh = def->fresh;
	double value;

	if (!def->has_fresh)
		return true;
	if (!fresh.labels[0])
		(void)snprintf(fresh.labels, sizeof(fresh.labels), "%s", labels);
	for (uint32_t i = 0; i < facts->n; i++)
		if (control_condition_value(&fresh, facts, &facts->fact[i], &value))
			return value <= fresh.value;
	return false; /* nothing says how old it is */
}

/* The facts a plan goes by are fresh enough: the tick, and what the plan itself names. */
static bool is_fresh(const struct control *c, const struct plan_def *def,
	const struct control_facts *f, const struct fact *fact, uint64_t now_ms)
{
	return now_ms <= engine_view(c->engine)->tick_ms + PLAN_WORLD_MS &&
	       control_plan_fresh(def, f, fact ? fact->labels : "");
}

static void fire_by_itself(
	struct control *c, const struct plan_def *def, struct plan_run *r, uint64_t now_ms)
{
	struct control_call call = {.c = c,
		.command = &commands_table[COMMAND_PLAN_FIRE],
		.view = engine_view(c->engine),
		.now_ms = now_ms,
		.role = ROLE_ADMIN,
		.args = r->params,
		.out = cJSON_CreateObject()};
	int rc;

	(void)snprintf(call.who, sizeof(call.who), "plan:%.59s", def->name);
	(void)snprintf(call.origin, sizeof(call.origin), "daemon");
	control_journal_begin(&call);
	rc = control_journal_end(&call, control_plan_fire(&call, def, r, def->max_moves_percent));
	if (rc)
		control_plan_set_state(r, PLAN_GUARDED, now_ms, call.err.s);
	cJSON_Delete(call.out);
}

static void step(struct control *c, const struct plan_def *def, struct plan_run *r,
	const struct control_facts *f, uint64_t now_ms)
{
	const struct fact *fact = NULL;
	double value = 0;
	bool holds = control_condition_holds(&def->when, f, &value, &fact);
	char note[160];

	if (r->state == PLAN_FIRED && def->for_ms && now_ms > r->since_ms + def->for_ms)
		control_plan_set_state(r, PLAN_IDLE, now_ms, "what it did has ended");
	if (r->state == PLAN_FIRED || r->state == PLAN_ARMED ||
		(r->state == PLAN_VETOED && now_ms < r->veto_until_ms))
		return;
	if (!holds) {
		if (r->state != PLAN_IDLE)
			control_plan_set_state(
				r, PLAN_IDLE, now_ms, "the condition no longer holds");
		return;
	}
	(void)snprintf(note, sizeof(note), "%s{%s} is %.4g", def->when.metric, fact->labels, value);
	if (!is_fresh(c, def, f, fact, now_ms)) {
		control_plan_set_state(r, PLAN_BLIND, now_ms, "its data is too old to fire on");
		return;
	}
	if (r->state == PLAN_IDLE || r->state == PLAN_BLIND || r->state == PLAN_VETOED) {
		control_plan_set_state(r, PLAN_HOLDING, now_ms, note);
		cJSON_Delete(r->params);
		r->params = params_of_fact(fact);
	}
	if (r->state == PLAN_HOLDING && now_ms >= r->since_ms + def->hold_ms)
		control_plan_set_state(r,
			def->mode == PLAN_SUGGEST ? PLAN_SUGGESTED : PLAN_ANNOUNCED, now_ms, note);
	if (r->state == PLAN_ANNOUNCED && now_ms >= r->since_ms + def->announce_ms &&
		control_switch_on(c, SWITCH_PLANS))
		fire_by_itself(c, def, r, now_ms);
}

struct stepping {
	struct control *c;
	const struct control_facts *facts;
	uint64_t now_ms;
};

static void step_named(const struct stepping *s, const char *name)
{
	struct plan_run *r = control_plan_run_of(s->c, name);
	struct plan_def def;

	if (!r || control_plan_find_def(s->c, name, &def, NULL))
		return;
	if (def.mode != PLAN_MANUAL)
		step(s->c, &def, r, s->facts, s->now_ms);
	control_plan_done(&def);
}

struct own_names {
	char name[PLAN_MAX][SL_MAX_NAME + 1];
	uint32_t n;
};

static void collect_name(void *ctx, const char *key, const char *value)
{
	struct own_names *o = ctx;

	(void)value;
	if (o->n < PLAN_MAX)
		(void)snprintf(o->name[o->n++], sizeof(o->name[0]), "%s", key + strlen("plan|"));
}

void control_plans_round(struct control *c, const struct control_facts *facts, uint64_t now_ms)
{
	struct stepping s = {c, facts, now_ms};
	struct own_names own = {.n = 0};

	if (!engine_view(c->engine)->world || !control_due(&c->plans_due_ms, ROUND_MS))
		return;
	if (c->store)
		(void)store_each(c->store, "plan|", collect_name, &own);
	for (uint32_t i = 0; i < own.n; i++)
		step_named(&s, own.name[i]);
	for (uint32_t i = 0; control_plan_ready_made(c, i); i++)
		if (!control_plan_is_own(c, control_plan_ready_made(c, i)))
			step_named(&s, control_plan_ready_made(c, i));
	control_plan_tell(c);
}
