/* SPDX-License-Identifier: Apache-2.0 */
/* Plans carried out: their commands one by one in one transaction, and the guard. */
#include "control/plan_do.h"

#include "base/log.h"
#include "base/os.h"
#include "control/passing.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

struct control_plans {
	struct plan_run run[PLAN_MAX];
	uint32_t n;
	cJSON *shipped; /* definitions by name */
};

const char *control_plan_ready_made(const struct control *c, uint32_t i)
{
	const cJSON *d = cJSON_GetArrayItem(c->plans->shipped, (int)i);

	return d ? d->string : NULL;
}

bool control_plan_is_own(const struct control *c, const char *name)
{
	char key[SL_MAX_NAME + 16], *own;

	(void)snprintf(key, sizeof(key), "plan|%.64s", name);
	own = c->store ? store_get(c->store, key) : NULL;
	free(own);
	return own != NULL;
}

static int no_such_plan(struct control *c, const char *name, struct errbuf *err)
{
	cJSON *names = cJSON_CreateArray(), *i;
	struct near near;

	near_init(&near, str_from(name));
	control_plan_names(c, names);
	cJSON_ArrayForEach (i, names)
		near_offer(&near, str_from(i->valuestring));
	cJSON_Delete(names);
	return err_set(err, SL_ENOENT, "no plan is called %.64s%s", name, near_text(&near));
}

int control_plan_find_def(
	struct control *c, const char *name, struct plan_def *ret, struct errbuf *err)
{
	char key[SL_MAX_NAME + 16], *text;
	const cJSON *shipped;
	int rc;

	if (strlen(name) > SL_MAX_NAME || strchr(name, '|'))
		return err_set(err, SL_ENOENT, "no plan %.64s", name);
	(void)snprintf(key, sizeof(key), "plan|%s", name);
	text = c->store ? store_get(c->store, key) : NULL;
	if (text) {
		rc = control_plan_parse(name, text, ret, err);
		free(text);
		return rc;
	}
	shipped = cJSON_GetObjectItemCaseSensitive(c->plans->shipped, name);
	text = shipped ? cJSON_PrintUnformatted(shipped) : NULL;
	if (!text)
		return no_such_plan(c, name, err);
	rc = control_plan_parse(name, text, ret, err);
	cJSON_free(text);
	return rc;
}

/* What the store has of a run: that it has fired, that it is vetoed. Arming is forgotten. */
static void recall(struct control *c, struct plan_run *r)
{
	char key[SL_MAX_NAME + 24], *text;
	unsigned long long above, upto, at_ms;

	(void)snprintf(key, sizeof(key), "planstate|%s", r->name);
	text = c->store ? store_get(c->store, key) : NULL;
	if (text && sscanf(text, PLAN_FIRED_FORMAT, &above, &upto, &at_ms) == 3) {
		r->state = PLAN_FIRED;
		r->since_ms = at_ms;
	}
	free(text);
	(void)snprintf(key, sizeof(key), "planveto|%s", r->name);
	text = c->store ? store_get(c->store, key) : NULL;
	if (text && r->state == PLAN_IDLE) {
		r->veto_until_ms = strtoull(text, NULL, 10);
		r->since_ms = r->veto_until_ms - PLAN_VETO_MS;
		r->state = PLAN_VETOED;
	}
	r->told = r->state;
	free(text);
}

void control_plans_recall(struct control *c)
{
	for (uint32_t i = 0; i < c->plans->n; i++) {
		struct plan_run *r = &c->plans->run[i], is = {0};

		memcpy(is.name, r->name, sizeof(is.name));
		recall(c, &is);
		if ((is.state == PLAN_FIRED) == (r->state == PLAN_FIRED))
			continue;
		control_plan_set_state(r, is.state, os_now_ms(),
			is.state == PLAN_FIRED ? "fired again by a change" : "undone");
	}
}

/* What has fired ends with its rules, by the clock; and a veto was promised by it. */
void control_plans_clock_set(struct control *c, int64_t by_ms)
{
	for (uint32_t i = 0; i < c->plans->n; i++) {
		struct plan_run *r = &c->plans->run[i];

		if (r->state != PLAN_FIRED && r->state != PLAN_VETOED)
			r->since_ms += (uint64_t)by_ms;
	}
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
	recall(c, r);
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
	bool fired = d->call->command->id == COMMAND_PLAN_FIRE; /* by hand: with its options */
	const char *own_why = fired ? control_arg(d->call, "why") : NULL;
	const char *own_for = fired ? control_arg(d->call, "for") : NULL;
	const char *own_ramp = fired ? control_arg(d->call, "ramp") : NULL;
	const cJSON *a = NULL;
	char why[256], span[32];

	cJSON_ArrayForEach (a, cJSON_GetObjectItemCaseSensitive(action, "args")) {
		char number[32];
		const char *value = number;

		if (cJSON_IsNumber(a))
			(void)snprintf(number, sizeof(number), "%.17g", a->valuedouble);
		else
			value = fill_in(a->valuestring, d->params, defaults);
		if (!value)
			return err_set(&d->call->err, SL_EINVAL, "the plan wants --%s", a->string);
		cJSON_AddStringToObject(args, a->string, value);
	}
	(void)snprintf(why, sizeof(why), "plan %s%s%s", d->def->name, own_why ? ": " : "",
		own_why ? own_why : "");
	cJSON_AddStringToObject(args, "why", why);
	if (d->service) {
		cJSON_DeleteItemFromObjectCaseSensitive(args, "service");
		cJSON_AddStringToObject(args, "service", d->service);
	}
	if (own_ramp) {
		cJSON_DeleteItemFromObjectCaseSensitive(args, "ramp");
		cJSON_AddStringToObject(args, "ramp", own_ramp);
	}
	if (own_for) {
		cJSON_DeleteItemFromObjectCaseSensitive(args, "for");
		cJSON_AddStringToObject(args, "for", own_for);
	} else if (d->def->for_ms) {
		(void)snprintf(span, sizeof(span), "%" PRIu64 "ms", d->def->for_ms);
		cJSON_AddStringToObject(args, "for", span);
	}
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
	sub.confirmed = true;
	sub.out = control_add_row(cJSON_GetObjectItemCaseSensitive(d->call->out, "actions"));
	cJSON_AddStringToObject(sub.out, "command", sub.command->group);
	cJSON_AddStringToObject(sub.out, "what", sub.command->name);
	if (d->service && !commands_find_param(sub.command, "service")) {
		cJSON_AddStringToObject(sub.out, "not_applied", "it holds in all services");
		cJSON_Delete(args);
		return 0;
	}
	rc = make_args(d, action, args);
	for (const cJSON *a = args->child; !rc && a; a = a->next) {
		const struct command_param *p = commands_find_param(sub.command, a->string);

		rc = p ? commands_check(p, a->valuestring, &d->call->err)
		       : err_set(&d->call->err, SL_EINVAL, "%s has no --%s", text, a->string);
	}
	if (!rc) {
		sub.err.s[0] = '\0';
		rc = control_check_names(&sub);
		if (!rc)
			rc = control_commands[sub.command->id](&sub);
		if (rc == SL_ENOENT && d->service) { /* the test service has none of it */
			cJSON_AddStringToObject(sub.out, "not_applied", sub.err.s);
			rc = 0;
		}
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

/* Notes which changes were the plan's, so that it can be reverted, also after a restart. */
static int note_fired(struct control_call *call, const char *name, uint64_t from, uint64_t to)
{
	char key[SL_MAX_NAME + 16], value[128];
	struct store_item item = {key, value};

	(void)snprintf(key, sizeof(key), "planstate|%s", name);
	(void)snprintf(value, sizeof(value), PLAN_FIRED_FORMAT, (unsigned long long)from,
		(unsigned long long)to, (unsigned long long)call->now_ms);
	return control_change(call, &item, 1);
}

/* What the plan looks at is young enough at this moment, whoever fires it. */
static int check_fresh(
	struct control_call *call, const struct plan_def *def, const struct plan_run *r)
{
	struct control_facts facts;
	const cJSON *vendor = cJSON_GetObjectItemCaseSensitive(r->params, "vendor");
	char label[SL_MAX_NAME + 16] = "";
	int rc;

	if (call->now_ms > call->view->tick_ms + PLAN_WORLD_MS)
		return err_set(&call->err, SL_EREFUSED,
			"the last tick is too old: a plan does not fire on old data");
	if (!def->has_fresh)
		return 0;
	if (cJSON_IsString(vendor))
		(void)snprintf(label, sizeof(label), "vendor=\"%.64s\"", vendor->valuestring);
	rc = control_facts_now(call->c, &facts);
	if (!rc && !control_plan_fresh(def, &facts, label))
		rc = err_set(&call->err, SL_EREFUSED,
			"%s%s%s%s is older than %.0f: a plan does not fire on old data",
			def->fresh.metric, label[0] ? "{" : "", label, label[0] ? "}" : "",
			def->fresh.value);
	control_facts_done(&facts);
	return rc;
}

int control_plan_fire(struct control_call *call, const struct plan_def *def, struct plan_run *r,
	double max_percent)
{
	struct plan_doing d = {.call = call, .def = def, .params = r->params, .dry = true};
	uint64_t from;
	int rc = control_need_store(call);

	if (!rc)
		rc = check_fresh(call, def, r);
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
	static const char *const names[] = {
		"vendor", "groups", "service", "value", "node", "stream"};
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

int control_plans_open(struct control *c, struct errbuf *err)
{
	c->plans = calloc(1, sizeof(*c->plans));
	if (!c->plans)
		return err_set(err, SL_ENOMEM, "out of memory");
	c->plans->shipped = control_plans_shipped(err);
	return c->plans->shipped ? 0 : SL_EFORMAT;
}

void control_plans_close(struct control *c)
{
	if (!c->plans)
		return;
	for (uint32_t i = 0; i < c->plans->n; i++)
		cJSON_Delete(c->plans->run[i].params);
	cJSON_Delete(c->plans->shipped);
	free(c->plans);
}
