/* SPDX-License-Identifier: Apache-2.0 */
/* Plans carried out: their commands one by one in one transaction, the guard, the way back. */
#include "control/plan_do.h"

#include "base/log.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static const struct {
	const char *name, *json;
} ready_made[] = {
#define PLAN(name, json) {name, json},
#include "control/plans.def"
#undef PLAN
};

const char *control_plan_ready_made(uint32_t i)
{
	return i < SL_COUNT(ready_made) ? ready_made[i].name : NULL;
}

struct control_plans {
	struct plan_run run[PLAN_MAX];
	uint32_t n;
};

int control_plan_find_def(
	struct control *c, const char *name, struct plan_def *ret, struct errbuf *err)
{
	char key[SL_MAX_NAME + 16], *own;
	int rc;

	if (strlen(name) > SL_MAX_NAME || strchr(name, '|'))
		return err_set(err, SL_ENOENT, "no plan %.64s", name);
	(void)snprintf(key, sizeof(key), "plan|%s", name);
	own = c->store ? store_get(c->store, key) : NULL;
	if (own) {
		rc = control_plan_parse(name, own, ret, err);
		free(own);
		return rc;
	}
	for (size_t i = 0; i < SL_COUNT(ready_made); i++)
		if (strcmp(ready_made[i].name, name) == 0)
			return control_plan_parse(name, ready_made[i].json, ret, err);
	return err_set(err, SL_ENOENT, "no plan %.64s", name);
}

struct plan_run *control_plan_run_of(struct control *c, const char *name)
{
	struct control_plans *p = c->plans;
	struct plan_run *r;

	for (uint32_t i = 0; i < p->n; i++)
		if (strcmp(p->run[i].name, name) == 0)
			return &p->run[i];
	if (p->n == PLAN_MAX)
		return NULL;
	r = &p->run[p->n++];
	*r = (struct plan_run){0};
	(void)snprintf(r->name, sizeof(r->name), "%s", name);
	return r;
}

void control_plan_each_run(const struct control *c, control_plan_run_fn *fn, void *ctx)
{
	for (uint32_t i = 0; i < c->plans->n; i++)
		fn(ctx, c->plans->run[i].name, c->plans->run[i].state);
}

void control_plan_tell(struct control *c)
{
	for (uint32_t i = 0; i < c->plans->n; i++) {
		struct plan_run *r = &c->plans->run[i];

		if (r->state != r->told)
			control_event(c, "plan", "%s is %s: %s", r->name,
				control_plan_state(r->state), r->note);
		r->told = r->state;
	}
}

void control_plan_set_state(
	struct plan_run *r, enum plan_state state, uint64_t now_ms, const char *note)
{
	if (r->state != state)
		LOG_I("plan.state", "plan=%s state=%s note=\"%s\"", r->name,
			control_plan_state(state), note);
	if (r->state != state)
		r->since_ms = now_ms;
	r->state = state;
	(void)snprintf(r->note, sizeof(r->note), "%s", note);
}

/* The value of an argument with "$name" replaced from the parameters. NULL: it is not given. */
static const char *fill_in(const char *text, const cJSON *params, const cJSON *defaults)
{
	const cJSON *v;

	if (text[0] != '$')
		return text;
	v = cJSON_GetObjectItemCaseSensitive(params, text + 1);
	if (!v)
		v = cJSON_GetObjectItemCaseSensitive(defaults, text + 1);
	return cJSON_IsString(v) ? v->valuestring : NULL;
}

static int make_args(const struct plan_doing *d, const cJSON *action, cJSON *args)
{
	const cJSON *defaults = cJSON_GetObjectItemCaseSensitive(d->def->json, "params");
	const cJSON *a = NULL, *vendor;
	char why[128], span[32];

	cJSON_ArrayForEach (a, cJSON_GetObjectItemCaseSensitive(action, "args")) {
		const char *value =
			cJSON_IsString(a) ? fill_in(a->valuestring, d->params, defaults) : NULL;

		if (!value)
			return err_set(&d->call->err, SL_EINVAL, "the plan wants --%s", a->string);
		cJSON_AddStringToObject(args, a->string, value);
	}
	(void)snprintf(why, sizeof(why), "plan %s", d->def->name);
	cJSON_AddStringToObject(args, "why", why);
	if (d->service) {
		cJSON_DeleteItemFromObjectCaseSensitive(args, "service");
		cJSON_AddStringToObject(args, "service", d->service);
	}
	if (d->def->for_ms) {
		(void)snprintf(span, sizeof(span), "%" PRIu64 "ms", d->def->for_ms);
		cJSON_AddStringToObject(args, "for", span);
	}
	vendor = cJSON_GetObjectItemCaseSensitive(args, "vendor");
	if (cJSON_IsString(vendor))
		cJSON_AddStringToObject(args, "confirm", vendor->valuestring);
	if (d->dry)
		cJSON_AddStringToObject(args, "dry-run", "true");
	return 0;
}

static double worst_of(const cJSON *out)
{
	const cJSON *row = NULL;
	double worst = 0;

	cJSON_ArrayForEach (row, cJSON_GetObjectItemCaseSensitive(out, "impact")) {
		const cJSON *v = cJSON_GetObjectItemCaseSensitive(row, "moves_percent");

		worst = cJSON_IsNumber(v) ? SL_MAX(worst, v->valuedouble) : worst;
	}
	return worst;
}

/* One action as a call of its command, in the transaction of the caller. */
static int do_action(struct plan_doing *d, const cJSON *action)
{
	char text[64], *space, *part[2] = {text, NULL};
	struct control_call sub = *d->call;
	cJSON *args = cJSON_CreateObject();
	uint32_t took;
	int rc;

	(void)snprintf(text, sizeof(text), "%s",
		cJSON_GetObjectItemCaseSensitive(action, "command")->valuestring);
	space = strchr(text, ' ');
	if (space) {
		*space = '\0';
		part[1] = space + 1;
	}
	sub.command = commands_find(part, space ? 2 : 1, &took);
	sub.args = args;
	sub.out = control_add_row(cJSON_GetObjectItemCaseSensitive(d->call->out, "actions"));
	rc = make_args(d, action, args);
	if (!rc && (sub.command->id == COMMAND_VENDOR_CAP))
		cJSON_DeleteItemFromObjectCaseSensitive(args, "service");
	for (const cJSON *a = args->child; !rc && a; a = a->next) {
		const struct command_param *p = commands_find_param(sub.command, a->string);

		rc = p ? commands_check(p, a->valuestring, &d->call->err)
		       : err_set(&d->call->err, SL_EINVAL, "%s has no --%s", text, a->string);
	}
	if (!rc) {
		cJSON_AddStringToObject(sub.out, "command", sub.command->group);
		cJSON_AddStringToObject(sub.out, "what", sub.command->name);
		sub.err.s[0] = '\0';
		rc = control_commands[sub.command->id](&sub);
		if (rc)
			d->call->err = sub.err;
		d->worst = SL_MAX(d->worst, worst_of(sub.out));
	}
	cJSON_Delete(args);
	/* the next action goes on from what this one made */
	if (!rc && !d->dry)
		rc = control_rules_read(d->call->c, &d->call->c->rules);
	return rc;
}

static int do_each(struct plan_doing *d, const cJSON *action)
{
	const struct engine_view *view = d->call->view;
	const cJSON *outer = d->params;
	int rc = 0;

	for (uint32_t v = 0; !rc && v < view->fleet->n_vendors; v++) {
		cJSON *params;
		char number[32];

		if (!view->world->cat.vendors[v].active)
			continue;
		params = outer ? cJSON_Duplicate(outer, true) : cJSON_CreateObject();
		(void)snprintf(number, sizeof(number), "%.17g",
			view->world->cat.vendors[v].guaranteed_mbps);
		cJSON_DeleteItemFromObjectCaseSensitive(params, "vendor");
		control_put_str(params, "vendor", control_vendor_name(view, v));
		cJSON_AddStringToObject(params, "guaranteed", number);
		d->params = params;
		rc = do_action(d, action);
		d->params = outer;
		cJSON_Delete(params);
	}
	return rc;
}

int control_plan_do_plan(struct plan_doing *d)
{
	const cJSON *a = NULL;
	int rc = control_need_world(d->call);

	cJSON_AddArrayToObject(d->call->out, "actions");
	cJSON_ArrayForEach (a, cJSON_GetObjectItemCaseSensitive(d->def->json, "do")) {
		if (rc)
			break;
		rc = cJSON_HasObjectItem(a, "each") ? do_each(d, a) : do_action(d, a);
	}
	if (!d->dry)
		d->call->c->rules_fresh = false;
	return rc;
}

/* Notes which changes were the plan's, so that it can be reverted. */
static int note_fired(struct control_call *call, const char *name, uint64_t from, uint64_t to)
{
	char key[SL_MAX_NAME + 16], value[96];
	struct store_item item = {key, value};

	(void)snprintf(key, sizeof(key), "planstate|%s", name);
	(void)snprintf(
		value, sizeof(value), "{\"above\":%" PRIu64 ",\"upto\":%" PRIu64 "}", from, to);
	return control_change(call, &item, 1);
}

int control_plan_fire(struct control_call *call, const struct plan_def *def, struct plan_run *r,
	double max_percent)
{
	struct plan_doing d = {.call = call, .def = def, .params = r->params, .dry = true};
	uint64_t from;
	int rc = control_need_store(call);

	if (!rc && call->now_ms > call->view->tick_ms + PLAN_WORLD_MS)
		rc = err_set(&call->err, SL_EREFUSED,
			"the last tick is too old: a plan does not fire on old data");
	if (!rc)
		rc = control_plan_do_plan(&d);
	if (!rc && d.worst > max_percent)
		rc = err_set(&call->err, SL_EREFUSED,
			"guarded: it moves %.0f %% of a region, over %.0f", d.worst, max_percent);
	if (rc)
		return rc;
	cJSON_DeleteItemFromObjectCaseSensitive(call->out, "actions");
	from = store_last(call->c->store);
	d.dry = false;
	rc = control_plan_do_plan(&d);
	if (!rc)
		rc = note_fired(call, def->name, from, store_last(call->c->store));
	if (!rc)
		control_plan_set_state(r, PLAN_FIRED, call->now_ms, call->who);
	return rc;
}

/* Parameters of the call, as the plan's. */
cJSON *control_plan_params_of(const struct control_call *call)
{
	static const char *const names[] = {"vendor", "groups", "service", "value"};
	cJSON *o = cJSON_CreateObject();

	for (size_t i = 0; i < SL_COUNT(names); i++)
		if (control_arg(call, names[i]))
			cJSON_AddStringToObject(o, names[i], control_arg(call, names[i]));
	return o;
}

int control_plan_open_plan(
	struct control_call *call, struct plan_def *def, struct plan_run **ret_run)
{
	int rc = control_plan_find_def(call->c, control_arg(call, "plan"), def, &call->err);

	if (rc)
		return rc;
	*ret_run = control_plan_run_of(call->c, def->name);
	if (*ret_run)
		return 0;
	control_plan_done(def);
	return err_set(&call->err, SL_ELIMIT, "over %d plans", PLAN_MAX);
}

struct reverting {
	struct control_call *call;
	struct store_item item[256];
	uint32_t n;
};

/* Undoes an item where it is still as the plan left it. */
static void revert_item(
	void *ctx, uint64_t number, const char *key, const char *before, const char *after)
{
	struct reverting *r = ctx;
	char *now = store_get(r->call->c->store, key);

	(void)number;
	if (strncmp(key, "rule|", 5) == 0 && r->n < SL_COUNT(r->item) &&
		(now == NULL) == (after == NULL) && (!now || strcmp(now, after) == 0)) {
		r->item[r->n].key = strdup(key);
		r->item[r->n++].value = before ? strdup(before) : NULL;
	}
	free(now);
}

int control_plan_revert(struct control_call *call, const char *name, struct plan_run *run)
{
	char key[SL_MAX_NAME + 16], *state;
	unsigned long long above, upto;
	struct reverting *r = calloc(1, sizeof(*r));
	int rc = control_need_store(call);

	(void)snprintf(key, sizeof(key), "planstate|%s", name);
	state = !rc && r ? store_get(call->c->store, key) : NULL;
	if (!rc && (!state || sscanf(state, "{\"above\":%llu,\"upto\":%llu}", &above, &upto) != 2))
		rc = err_set(&call->err, SL_EREFUSED, "%s has not fired", name);
	if (!rc) {
		r->call = call;
		rc = store_items(call->c->store, above, upto, revert_item, r);
	}
	if (!rc) {
		r->item[r->n++] = (struct store_item){strdup(key), NULL};
		rc = control_change(call, r->item, r->n);
	}
	if (!rc)
		control_plan_set_state(run, PLAN_IDLE, call->now_ms, "reverted");
	for (uint32_t i = 0; r && i < r->n; i++) {
		free((char *)(uintptr_t)r->item[i].key);
		free((char *)(uintptr_t)r->item[i].value);
	}
	free(state);
	free(r);
	return rc;
}

/* The test service that drills may touch; NULL: there is none. */
const char *control_plan_test_service(const struct engine_view *view, char *ret, size_t size)
{
	const struct cat_view *cat = &view->world->cat;

	for (uint32_t s = 0; s < cat->n_services; s++)
		if (cat->services[s].active && cat->services[s].test) {
			(void)snprintf(
				ret, size, STR_FMT, STR_ARG(cat_text(cat, cat->services[s].name)));
			return ret;
		}
	return NULL;
}

int control_plans_open(struct control *c)
{
	c->plans = calloc(1, sizeof(*c->plans));
	return c->plans ? 0 : SL_ENOMEM;
}

void control_plans_close(struct control *c)
{
	for (uint32_t i = 0; c->plans && i < c->plans->n; i++)
		cJSON_Delete(c->plans->run[i].params);
	free(c->plans);
}
