/* SPDX-License-Identifier: Apache-2.0 */
/* drill: a plan or a fault as in earnest, on the test service alone. */
#include "control/plan_do.h"

#include <string.h>

int control_do_DRILL_RUN(struct control_call *call)
{
	struct plan_doing d = {.call = call, .dry = true};
	char service[SL_MAX_NAME + 1];
	struct plan_def def;
	struct plan_run *r;
	int rc = control_need_world(call);

	if (!rc)
		rc = control_plan_open_plan(call, &def, &r);
	if (rc)
		return rc;
	d.def = &def;
	d.params = control_plan_params_of(call);
	rc = control_plan_do_plan(&d); /* as in earnest, applied to nobody */
	if (!rc) {
		cJSON *dry = cJSON_DetachItemFromObjectCaseSensitive(call->out, "actions");

		cJSON_AddItemToObject(call->out, "would_do", dry);
		control_put(call->out, "moves_percent_at_most", d.worst);
		d.service = control_plan_test_service(call->view, service, sizeof(service));
		if (d.service) {
			def.for_ms = 60000;
			d.dry = false;
			cJSON_AddStringToObject(call->out, "applied_to", service);
			rc = control_plan_do_plan(&d);
		}
	}
	cJSON_Delete((cJSON *)(uintptr_t)d.params);
	control_plan_done(&def);
	return rc;
}

int control_do_DRILL_INJECT(struct control_call *call)
{
	const char *fault = control_arg(call, "fault"), *span = control_arg(call, "for");
	const char *vendor = control_arg(call, "vendor");
	uint64_t ms = 60000;

	if (span)
		(void)commands_parse_span(span, &ms);
	if (strcmp(fault, "store-cut") == 0) {
		call->c->store_cut_ms = call->now_ms + ms;
	} else if (strcmp(fault, "meter-silent") == 0) {
		if (!vendor)
			return err_set(&call->err, SL_EINVAL, "want --vendor");
		(void)snprintf(call->c->silenced, sizeof(call->c->silenced), "%s", vendor);
		call->c->silenced_ms = call->now_ms + ms;
	} else if (strcmp(fault, "collect-stopped") == 0) {
		call->c->facts_cut_ms = call->now_ms + ms;
	} else if (strcmp(fault, "vendor-failing") == 0) {
		static const char json[] =
			"{\"mode\":\"manual\",\"do\":[{\"command\":\"blacklist add\",\"args\":"
			"{\"vendor\":\"$vendor\",\"groups\":\"$groups\"}}],\"params\":{\"groups\":"
			"\"*\"}}";
		struct plan_doing d = {.call = call};
		char service[SL_MAX_NAME + 1];
		struct plan_def def;
		int rc = control_need_world(call);

		if (!rc && !vendor)
			rc = err_set(&call->err, SL_EINVAL, "want --vendor");
		d.service =
			rc ? NULL : control_plan_test_service(call->view, service, sizeof(service));
		if (!rc && !d.service)
			rc = err_set(&call->err, SL_EREFUSED, "no service is a test service");
		if (!rc)
			rc = control_plan_parse("drill", json, &def, &call->err);
		if (rc)
			return rc;
		d.def = &def;
		d.params = control_plan_params_of(call);
		def.for_ms = ms;
		rc = control_plan_do_plan(&d);
		cJSON_Delete((cJSON *)(uintptr_t)d.params);
		control_plan_done(&def);
		return rc;
	} else {
		return err_set(&call->err, SL_EINVAL,
			"fault: want vendor-failing, meter-silent, collect-stopped or store-cut");
	}
	cJSON_AddStringToObject(call->out, "injected", fault);
	control_put(call->out, "for_s", (double)ms / 1e3);
	return 0;
}
