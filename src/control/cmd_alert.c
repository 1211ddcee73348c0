/* SPDX-License-Identifier: Apache-2.0 */
/* alert list, alert silence. A silence is a decision: it is in the store, with an end. */
#include "control/alerts.h"
#include "control/send.h"

#include <string.h>

static const char *state_of(struct control_call *call, const struct alert *a)
{
	if (a->held)
		return "held";
	if (!a->firing)
		return "pending";
	return control_alert_silent(call->c, control_alert_rules[a->rule].name, call->now_ms)
		       ? "silent"
		       : "firing";
}

static void put_receivers(struct control_call *call)
{
	cJSON *list = cJSON_AddArrayToObject(call->out, "receivers");
	struct control_send_state state[NOTICE_TARGETS];
	uint32_t n = control_alerts_sending(call->c, state);

	for (uint32_t i = 0; i < n; i++) {
		cJSON *row = control_add_row(list);

		cJSON_AddStringToObject(row, "target", state[i].target);
		control_put(row, "sent", (double)state[i].sent);
		control_put(row, "failed", (double)state[i].failed);
		control_put(row, "waiting", state[i].waiting);
	}
}

int control_do_ALERT_LIST(struct control_call *call)
{
	cJSON *list = cJSON_AddArrayToObject(call->out, "alerts");
	const struct conf *conf = call->view->conf;
	uint32_t n;
	const struct alert *a = control_alerts_list(call->c, &n);

	for (uint32_t i = 0; i < n; i++) {
		const struct alert_rule *r = &control_alert_rules[a[i].rule];
		cJSON *row = control_add_row(list);
		char runbook[1200];

		cJSON_AddStringToObject(row, "alert", r->name);
		cJSON_AddStringToObject(row, "severity", notice_severity_text(r->severity));
		cJSON_AddStringToObject(row, "state", state_of(call, &a[i]));
		cJSON_AddStringToObject(row, "labels", a[i].labels);
		control_put(row, "value", a[i].value);
		control_put(row, "for_s", (double)(call->now_ms - a[i].since_ms) / 1e3);
		cJSON_AddStringToObject(row, "text", r->text);
		(void)snprintf(runbook, sizeof(runbook), "%s%s",
			conf ? conf->sluice.alerts.runbooks : "", r->name);
		cJSON_AddStringToObject(row, "runbook", runbook);
	}
	put_receivers(call);
	return 0;
}

int control_do_ALERT_SILENCE(struct control_call *call)
{
	const char *name = control_arg(call, "alert");
	uint64_t ms = 0;
	char key[96], until[24];
	struct store_item item = {key, until};
	struct near near;

	near_init(&near, str_from(name));
	for (uint32_t i = 0; i < control_n_alert_rules; i++) {
		near_offer(&near, str_from(control_alert_rules[i].name));
		if (strcmp(control_alert_rules[i].name, name) != 0)
			continue;
		(void)commands_parse_span(control_arg(call, "for"), &ms);
		(void)snprintf(key, sizeof(key), "silence|%s", name);
		ms += call->now_ms;
		(void)snprintf(until, sizeof(until), "%llu", (unsigned long long)ms);
		return control_change(call, &item, 1);
	}
	return control_no_such(call, "alert", &near);
}
