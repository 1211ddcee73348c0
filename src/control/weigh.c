/* SPDX-License-Identifier: Apache-2.0 */
/* What a change would do, said in the answer; and the word that has to be typed for a grave one. */
#include "control/control_int.h"
#include "control/impact.h"

#include <stdlib.h>
#include <string.h>

static void put_percent(cJSON *row, const char *name, double before, double after)
{
	char text[48];

	(void)snprintf(text, sizeof(text), "%.1f -> %.1f", 100 * before, 100 * after);
	cJSON_AddStringToObject(row, name, text);
}

static void put_region(cJSON *list, const struct engine_view *view, const struct impact_region *r)
{
	cJSON *row = control_add_row(list);

	cJSON_AddStringToObject(row, "region", r->name);
	control_put(row, "moves_percent", 100 * r->moves);
	for (uint32_t v = 0; v < view->fleet->n_vendors; v++) {
		char name[SL_MAX_NAME + 16];

		if (r->before[v] == 0 && r->after[v] == 0)
			continue;
		(void)snprintf(name, sizeof(name), STR_FMT "_percent",
			STR_ARG(control_vendor_name(view, v)));
		put_percent(row, name, r->before[v], r->after[v]);
	}
	if (r->before[SL_MAX_VENDORS] > 0 || r->after[SL_MAX_VENDORS] > 0)
		put_percent(
			row, "none_percent", r->before[SL_MAX_VENDORS], r->after[SL_MAX_VENDORS]);
}

static void put_impact(struct control_call *call, const struct impact *m)
{
	cJSON *list;
	struct impact_region all = m->all;

	control_put(call->out, "groups_left_with_one_vendor", m->narrowed);
	control_put(call->out, "groups_left_with_none", m->emptied);
	list = cJSON_AddArrayToObject(call->out, "impact");
	(void)snprintf(all.name, sizeof(all.name), "all");
	put_region(list, call->view, &all);
	for (uint32_t i = 0; i < m->n_regions; i++)
		put_region(list, call->view, &m->region[i]);
}

/* What has to be typed: the vendor, node or service that it is about, else the command. */
const char *control_confirm_word(const struct control_call *call)
{
	static const char *const names[] = {"vendor", "node", "service"};

	for (size_t i = 0; i < SL_COUNT(names); i++)
		if (control_arg(call, names[i]))
			return control_arg(call, names[i]);
	return call->command->group;
}

int control_want_confirm(struct control_call *call)
{
	const char *given = control_arg(call, "confirm"), *want = control_confirm_word(call);
	cJSON *e;

	if (call->confirmed || (given && strcmp(given, want) == 0))
		return 0;
	e = cJSON_AddObjectToObject(call->out, "error");
	cJSON_AddStringToObject(e, "code", "confirm");
	cJSON_AddStringToObject(e, "confirm", want);
	return SL_EREFUSED;
}

/* Refuses a grave change that does not name what it is about. */
static int check_confirmed(struct control_call *call, const struct impact *m)
{
	const char *want = control_confirm_word(call);

	if (!control_impact_grave(m) || control_want_confirm(call) == 0)
		return 0;
	if (m->narrowed || m->emptied)
		return err_set(&call->err, SL_EREFUSED,
			"leaves %u groups with one vendor and %u with none: confirm with "
			"--confirm %s",
			m->narrowed, m->emptied, want);
	return err_set(&call->err, SL_EREFUSED,
		"moves %.0f %% of the sessions in %s: confirm with --confirm %s", 100 * m->worst,
		m->worst_region, want);
}

int control_weigh(struct control_call *call, const struct control_rules *then,
	const struct conf_catalog *catalogue)
{
	struct engine_rule *now = calloc(2 * ENGINE_MAX_RULES, sizeof(*now));
	struct impact *m = NULL;
	uint32_t n_now, n_then;
	int rc = now ? 0 : err_set(&call->err, SL_ENOMEM, "out of memory");

	if (rc)
		return rc;
	n_now = control_rules_expand(
		&call->c->rules, call->view->world, call->now_ms, now, ENGINE_MAX_RULES);
	for (uint32_t i = 0; i < n_now; i++)
		now[i].until_ms = 0;
	n_then = control_rules_expand(
		then, NULL, call->now_ms, now + ENGINE_MAX_RULES, ENGINE_MAX_RULES);
	rc = control_impact(
		call->view, now, n_now, now + ENGINE_MAX_RULES, n_then, catalogue, &m, &call->err);
	if (!rc) {
		put_impact(call, m);
		if (!control_flag(call, "dry-run"))
			rc = check_confirmed(call, m);
	}
	free(m);
	free(now);
	return rc;
}
