/* SPDX-License-Identifier: Apache-2.0 */
/* What a change would do, said in the answer; and the word that has to be typed for a grave one. */
#include "base/os.h"
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

static void put_region(cJSON *list, const struct impact *m, const struct impact_region *r)
{
	cJSON *row = control_add_row(list);

	cJSON_AddStringToObject(row, "region", r->name);
	control_put(row, "moves_percent", 100 * r->moves);
	if (m->denies)
		control_put(row, "moves_percent_at_most", 100 * r->moves_most);
	if (m->by_sessions)
		control_put(row, "sessions", r->weight);
	for (uint32_t v = 0; v < m->n_vendors; v++) {
		char name[SL_MAX_NAME + 16];

		if (r->before[v] == 0 && r->after[v] == 0)
			continue;
		(void)snprintf(name, sizeof(name), "%s_percent", m->vendor[v]);
		put_percent(row, name, r->before[v], r->after[v]);
	}
	if (r->before[SL_MAX_VENDORS] > 0 || r->after[SL_MAX_VENDORS] > 0)
		put_percent(
			row, "none_percent", r->before[SL_MAX_VENDORS], r->after[SL_MAX_VENDORS]);
}

void control_put_impact(struct control_call *call, const struct impact *m)
{
	cJSON *list;
	struct impact_region all = m->all;

	control_put(call->out, "groups_left_with_one_vendor", m->narrowed);
	control_put(call->out, "groups_left_with_none", m->emptied);
	if (m->denies)
		cJSON_AddStringToObject(call->out, "assumes",
			"clients lie evenly in a group's addresses; at most: all of them in those "
			"denied, unless that is one /24 or /56");
	if (m->by_sessions)
		cJSON_AddStringToObject(call->out, "assumes",
			m->all.weight > 0
				? "a stream's sessions lie in the regions as all of their "
				  "vendor's do"
				: "nothing: no player reports who watches what");
	list = cJSON_AddArrayToObject(call->out, "impact");
	(void)snprintf(all.name, sizeof(all.name), "all");
	put_region(list, m, &all);
	for (uint32_t i = 0; i < m->n_regions; i++)
		put_region(list, m, &m->region[i]);
}

/* What has to be typed: the plan, vendor, node, service or switch that it is about, else the
 * command. */
static const char *confirm_word(const struct control_call *call)
{
	static const char *const names[] = {"plan", "vendor", "node", "service", "name"};

	for (size_t i = 0; i < SL_COUNT(names); i++)
		if (control_arg(call, names[i]))
			return control_arg(call, names[i]);
	return call->command->group;
}

/* 0 when the call is confirmed by its word; else SL_EREFUSED with the word in the answer. */
static int want_confirm(struct control_call *call)
{
	const char *given = control_arg(call, "confirm"), *want = confirm_word(call);
	cJSON *e;

	if (call->confirmed || (given && strcmp(given, want) == 0))
		return 0;
	e = cJSON_AddObjectToObject(call->out, "error");
	cJSON_AddStringToObject(e, "code", "confirm");
	cJSON_AddStringToObject(e, "confirm", want);
	return SL_EREFUSED;
}

int control_check_confirmed(struct control_call *call, const struct impact *m)
{
	const char *want = confirm_word(call);

	if (!control_impact_grave(m) || want_confirm(call) == 0)
		return 0;
	if (m->narrowed || m->emptied)
		return err_set(&call->err, SL_EREFUSED,
			"leaves %u groups with one vendor and %u with none: confirm with "
			"--confirm %s",
			m->narrowed, m->emptied, want);
	return err_set(&call->err, SL_EREFUSED,
		"%s %.0f %% of the sessions in %s: confirm with --confirm %s",
		m->denies ? "may move" : "moves", 100 * m->worst, m->worst_region, want);
}

int control_check_known(struct control_call *call, const char *unknown)
{
	if (want_confirm(call) == 0)
		return 0;
	return err_set(&call->err, SL_EREFUSED, "cannot tell: %.300s: confirm with --confirm %s",
		unknown, confirm_word(call));
}

int control_weigh_impact(struct control_call *call, const struct impact *m)
{
	control_put_impact(call, m);
	return control_flag(call, "dry-run") ? 0 : control_check_confirmed(call, m);
}

static int weigh(struct control_call *call, const struct control_rules *then,
	const struct conf *conf, const struct impact_feature *feature)
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
	rc = control_impact(call->view, &(struct impact_side){now, n_now, NULL, NULL},
		&(struct impact_side){now + ENGINE_MAX_RULES, n_then, conf, feature}, call->now_ms,
		&m, &call->err);
	if (!rc)
		rc = control_weigh_impact(call, m);
	free(m);
	free(now);
	return rc;
}

int control_weigh(
	struct control_call *call, const struct control_rules *then, const struct conf *conf)
{
	return weigh(call, then, conf, NULL);
}

int control_weigh_feature(struct control_call *call, const struct impact_feature *feature)
{
	return weigh(call, &call->c->rules, NULL, feature);
}

/* Rules with these keys changed. */
static int rules_with(struct control_call *call, const struct store_item *items, uint32_t n,
	struct control_rules *ret)
{
	struct control_rule r;
	char key[RULE_KEY];
	int rc = 0;

	for (uint32_t i = 0; !rc && i < call->c->rules.n; i++)
		rc = control_rules_add(ret, &call->c->rules.rule[i]);
	for (uint32_t i = 0; !rc && i < n; i++) {
		if (strncmp(items[i].key, "rule|", 5) != 0)
			continue;
		for (uint32_t k = 0; k < ret->n; k++) {
			control_rule_key(&ret->rule[k], key);
			if (strcmp(key, items[i].key) == 0) {
				ret->rule[k] = ret->rule[--ret->n];
				break;
			}
		}
		if (items[i].value && control_rule_parse(items[i].value, &r))
			rc = control_rules_add(ret, &r);
	}
	return rc;
}

/* The configuration with the catalogue that the keys name, if they name another; else NULL. */
static int conf_with(struct control_call *call, const struct store_item *items, uint32_t n,
	struct conf **ret_conf)
{
	char *text = NULL;
	size_t size;
	int rc = 0;

	for (uint32_t i = 0; !rc && call->view->conf && i < n; i++) {
		if (strcmp(items[i].key, "catalogue|file") != 0 || !items[i].value)
			continue;
		rc = control_keep_read_catalogue(call->c, items[i].value, &text, &size, &call->err);
		if (!rc)
			rc = conf_load_with(
				call->view->conf->sluice_file, text, size, ret_conf, &call->err);
		free(text);
		break;
	}
	return rc;
}

int control_weigh_items(struct control_call *call, const struct store_item *items, uint32_t n)
{
	struct control_rules then = {0};
	struct conf *conf = NULL;
	int rc = rules_with(call, items, n, &then);

	if (!rc)
		rc = conf_with(call, items, n, &conf);
	if (!rc)
		rc = control_weigh(call, &then, conf);
	control_rules_clear(&then);
	conf_free(conf);
	return rc;
}
