/* SPDX-License-Identifier: Apache-2.0 */
/*
 * plan: two steps by hand (arm shows the impact, fire needs the confirmation), veto, revert. What a
 * plan does is done by the commands themselves, in the name of the plan.
 */
#include "base/os.h"
#include "control/plan_do.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

int control_do_PLAN_ARM(struct control_call *call)
{
	struct plan_doing d = {.call = call, .dry = true};
	struct plan_def def;
	struct plan_run *r;
	int rc = control_plan_open_plan(call, &def, &r);

	if (rc)
		return rc;
	d.def = &def;
	cJSON_Delete(r->params);
	d.params = r->params = control_plan_params_of(call);
	rc = control_plan_do_plan(&d);
	if (!rc) {
		control_plan_set_state(r, PLAN_ARMED, call->now_ms, call->who);
		cJSON_AddStringToObject(call->out, "plan", def.name);
		cJSON_AddStringToObject(call->out, "state", "armed");
		control_put(call->out, "moves_percent_at_most", d.worst);
		cJSON_AddStringToObject(call->out, "next", "plan fire with --confirm and its name");
	}
	control_plan_done(&def);
	return rc;
}

int control_do_PLAN_FIRE(struct control_call *call)
{
	const char *confirm = control_arg(call, "confirm");
	struct plan_def def;
	struct plan_run *r;
	int rc = control_plan_open_plan(call, &def, &r);

	if (rc)
		return rc;
	if (control_flag(call, "dry-run")) {
		struct plan_doing d = {.call = call, .def = &def, .params = r->params, .dry = true};

		rc = control_plan_do_plan(&d);
		control_put(call->out, "moves_percent_at_most", d.worst);
		control_put_bool(call->out, "dry_run", true);
	} else if ((r->state != PLAN_ARMED && r->state != PLAN_SUGGESTED) ||
		   call->now_ms > r->since_ms + PLAN_ARMED_MS)
		rc = err_set(
			&call->err, SL_EREFUSED, "arm %s first: it shows the impact", def.name);
	else if (!confirm || strcmp(confirm, def.name) != 0)
		rc = err_set(&call->err, SL_EREFUSED, "confirm with --confirm %s", def.name);
	else
		rc = control_plan_fire(call, &def, r, 100);
	control_plan_done(&def);
	return rc;
}

int control_do_PLAN_VETO(struct control_call *call)
{
	struct plan_def def;
	struct plan_run *r;
	int rc = control_plan_open_plan(call, &def, &r);

	if (rc)
		return rc;
	control_plan_done(&def);
	if (r->state == PLAN_FIRED)
		return err_set(&call->err, SL_EREFUSED, "it has fired: plan revert undoes it");
	r->veto_until_ms = call->now_ms + PLAN_VETO_MS;
	if (call->transaction) { /* kept over a restart where that can be */
		char key[SL_MAX_NAME + 16], until[24];
		struct store_item item = {key, until};

		(void)snprintf(key, sizeof(key), "planveto|%s", r->name);
		(void)snprintf(until, sizeof(until), "%" PRIu64, r->veto_until_ms);
		rc = control_change(call, &item, 1);
		if (rc)
			return rc;
	}
	control_plan_set_state(r, PLAN_VETOED, call->now_ms, call->who);
	cJSON_AddStringToObject(call->out, "state", "vetoed");
	control_put(call->out, "for_s", PLAN_VETO_MS / 1e3);
	return 0;
}

int control_do_PLAN_REVERT(struct control_call *call)
{
	struct plan_def def;
	struct plan_run *r;
	int rc = control_plan_open_plan(call, &def, &r);

	if (rc)
		return rc;
	rc = control_plan_revert(call, def.name, r);
	control_plan_done(&def);
	return rc;
}

static void put_plan(struct control_call *call, cJSON *list, const char *name)
{
	struct plan_run *r = control_plan_run_of(call->c, name);
	struct plan_def def;
	cJSON *row = control_add_row(list);
	const cJSON *text;

	cJSON_AddStringToObject(row, "plan", name);
	if (control_plan_find_def(call->c, name, &def, NULL)) {
		cJSON_AddStringToObject(row, "mode", "broken");
		return;
	}
	text = cJSON_GetObjectItemCaseSensitive(def.json, "text");
	cJSON_AddStringToObject(row, "mode", control_plan_mode(def.mode));
	cJSON_AddStringToObject(row, "state", control_plan_state(r ? r->state : PLAN_IDLE));
	if (r && r->since_ms)
		control_put(row, "for_s", (double)(call->now_ms - r->since_ms) / 1e3);
	cJSON_AddStringToObject(row, "note", r ? r->note : "");
	cJSON_AddStringToObject(row, "what", cJSON_IsString(text) ? text->valuestring : "");
	text = cJSON_GetObjectItemCaseSensitive(def.json, "runbook");
	cJSON_AddStringToObject(row, "runbook", cJSON_IsString(text) ? text->valuestring : "");
	control_plan_done(&def);
}

struct plan_list {
	struct control_call *call;
	cJSON *list;
};

static void list_own(void *ctx, const char *key, const char *value)
{
	struct plan_list *l = ctx;

	(void)value;
	put_plan(l->call, l->list, key + strlen("plan|"));
}

int control_do_PLAN_LIST(struct control_call *call)
{
	struct plan_list l = {call, cJSON_AddArrayToObject(call->out, "plans")};

	for (uint32_t i = 0; control_plan_ready_made(call->c, i); i++)
		if (!control_plan_is_own(call->c, control_plan_ready_made(call->c, i)))
			put_plan(call, l.list, control_plan_ready_made(call->c, i));
	return call->c->store ? store_each(call->c->store, "plan|", list_own, &l) : 0;
}

static void name_own(void *ctx, const char *key, const char *value)
{
	(void)value;
	cJSON_AddItemToArray(ctx, cJSON_CreateString(key + strlen("plan|")));
}

void control_plan_names(struct control *c, cJSON *list)
{
	for (uint32_t i = 0; control_plan_ready_made(c, i); i++)
		cJSON_AddItemToArray(list, cJSON_CreateString(control_plan_ready_made(c, i)));
	if (c->store)
		(void)store_each(c->store, "plan|", name_own, list);
}

int control_do_PLAN_SHOW(struct control_call *call)
{
	struct plan_def def;
	int rc = control_plan_find_def(call->c, control_arg(call, "plan"), &def, &call->err);

	if (rc)
		return rc;
	put_plan(call, cJSON_AddArrayToObject(call->out, "plans"), def.name);
	cJSON_AddItemToObject(call->out, "definition", cJSON_Duplicate(def.json, true));
	control_plan_done(&def);
	return 0;
}

int control_do_PLAN_ADD(struct control_call *call)
{
	const char *name = control_arg(call, "plan");
	char key[SL_MAX_NAME + 16], *text = NULL;
	struct store_item item = {key, NULL};
	struct plan_def def;
	size_t n;
	int rc;

	if (strlen(name) > SL_MAX_NAME || strchr(name, '|'))
		return err_set(&call->err, SL_EINVAL, "a name has at most %d characters, and no |",
			SL_MAX_NAME);
	rc = os_read_file(control_arg(call, "file"), STORE_MAX_VALUE, &text, &n, &call->err);
	if (!rc)
		rc = control_plan_parse(name, text, &def, &call->err);
	if (!rc) {
		control_plan_done(&def);
		(void)snprintf(key, sizeof(key), "plan|%s", name);
		item.value = text;
		rc = control_change(call, &item, 1);
	}
	free(text);
	return rc;
}

int control_do_PLAN_REMOVE(struct control_call *call)
{
	char key[SL_MAX_NAME + 80], *had;
	struct store_item item = {key, NULL};

	if (control_need_store(call))
		return SL_EBUSY;
	(void)snprintf(key, sizeof(key), "plan|%.64s", control_arg(call, "plan"));
	had = store_get(call->c->store, key);
	free(had);
	return had ? control_change(call, &item, 1)
		   : err_set(&call->err, SL_ENOENT, "no plan of operators is called so");
}
