/* SPDX-License-Identifier: Apache-2.0 */
/* status, names: what there is and how it stands. */
#include "control/control_int.h"

#include <string.h>

static void put_services(cJSON *out, const struct engine_view *view)
{
	const struct cat_view *cat = &view->world->cat;
	cJSON *list = cJSON_AddArrayToObject(out, "services");

	for (uint32_t s = 0; s < cat->n_services; s++) {
		const struct cat_service *svc = &cat->services[s];
		double ppm[SCORE_ROW];
		cJSON *row;

		if (!control_mean_shares(view, s, ppm))
			continue;
		row = control_add_row(list);
		control_put_str(row, "service", cat_text(cat, svc->name));
		for (uint32_t i = 0; i < svc->slots.count; i++) {
			char name[SL_MAX_NAME + 16];
			uint32_t v = cat->slots[svc->slots.first + i].vendor;

			(void)snprintf(name, sizeof(name), STR_FMT "_percent",
				STR_ARG(control_vendor_name(view, v)));
			control_put(row, name, ppm[i] / 1e4);
		}
		control_put(row, "none_percent", ppm[SCORE_NONE] / 1e4);
	}
}

static const char *meter_state(const struct engine_view *view, uint32_t cell)
{
	const struct meter *m = &view->meters[cell];

	if (m->present)
		return m->silent ? "silent" : "metered";
	return view->forecasts[cell].known ? "from own dispatches" : "unknown";
}

static void put_vendors(cJSON *out, const struct engine_view *view)
{
	const struct alloc_fleet *f = view->fleet;
	cJSON *list = cJSON_AddArrayToObject(out, "vendors");

	for (uint32_t v = 0; v < f->n_vendors; v++) {
		const struct alloc_vendor *a = &f->vendor[v];
		double load = SL_MAX(a->current_mbps, a->forecast_mbps);
		cJSON *row;

		if (!view->world->cat.vendors[v].active)
			continue;
		row = control_add_row(list);
		control_put_str(row, "vendor", control_vendor_name(view, v));
		control_put(row, "load_mbps", load);
		control_put(row, "guaranteed_mbps", a->guaranteed_mbps);
		control_put(row, "max_mbps", a->max_mbps);
		control_put(
			row, "load_percent_of_max", a->max_mbps > 0 ? 100 * load / a->max_mbps : 0);
		cJSON_AddStringToObject(row, "load_from", meter_state(view, v));
		control_put_bool(row, "capped", view->vendors[v].capped);
	}
}

int control_do_STATUS(struct control_call *call)
{
	const struct engine_view *view = call->view;
	cJSON *out = call->out;

	cJSON_AddStringToObject(out, "version", PACKAGE_VERSION);
	cJSON_AddStringToObject(out, "unit", view->conf ? view->conf->sluice.unit : "");
	control_put(out, "up_s", (double)(os_mono_ms() - call->c->started_mono_ms) / 1e3);
	control_put(out, "ticks", (double)view->ticks);
	control_put(out, "refused_ticks", (double)view->refused_ticks);
	control_put(out, "alarms", view->alarms);
	if (call->c->store) {
		struct store_stamp stamp = store_stamp(call->c->store);
		char text[48];

		(void)snprintf(text, sizeof(text), "%llu.%llu", (unsigned long long)stamp.epoch,
			(unsigned long long)stamp.generation);
		cJSON_AddStringToObject(out, "decisions", text);
	}
	if (!control_store_usable(call->c, call->now_ms))
		cJSON_AddStringToObject(out, "store_broken",
			call->c->store_error[0] ? call->c->store_error : "it is locked or full");
	if (view->error[0])
		cJSON_AddStringToObject(out, "tick_refused", view->error);
	if (control_need_world(call)) {
		cJSON_AddStringToObject(out, "state", "no world yet");
		return 0;
	}
	control_put_view(out, "view", view->world->tick.head);
	control_put(out, "tick_age_s",
		call->now_ms > view->tick_ms ? (double)(call->now_ms - view->tick_ms) / 1e3 : 0);
	control_put(out, "tick_us", view->tick_us);
	if (view->facts_ms)
		control_put(out, "facts_age_s",
			call->now_ms > view->facts_ms
				? (double)(call->now_ms - view->facts_ms) / 1e3
				: 0);
	cJSON_AddStringToObject(out, "state",
		world_stale(view->world, call->now_ms) ? "stale: fallback shares are answered"
						       : "ok");
	control_put(out, "groups", view->world->cat.n_groups);
	control_put(out, "operator_rules", call->c->rules.n);
	put_vendors(out, view);
	put_services(out, view);
	return 0;
}

int control_do_TOP(struct control_call *call)
{
	return control_do_STATUS(call);
}

static void put_name(cJSON *list, struct str name)
{
	char text[SL_MAX_NAME + 1];

	(void)snprintf(text, sizeof(text), STR_FMT, STR_ARG(name));
	cJSON_AddItemToArray(list, cJSON_CreateString(text));
}

int control_do_NAMES(struct control_call *call)
{
	const char *what = control_arg(call, "what");
	int rc = control_need_world(call);
	const struct cat_view *cat;
	cJSON *list;

	if (rc)
		return rc;
	cat = &call->view->world->cat;
	list = cJSON_AddArrayToObject(call->out, "names");
	if (strcmp(what, "vendors") == 0) {
		for (uint32_t i = 0; i < cat->n_vendors; i++)
			if (cat->vendors[i].active)
				put_name(list, cat_text(cat, cat->vendors[i].name));
	} else if (strcmp(what, "services") == 0) {
		for (uint32_t i = 0; i < cat->n_services; i++)
			if (cat->services[i].active)
				put_name(list, cat_text(cat, cat->services[i].name));
	} else if (strcmp(what, "groups") == 0) {
		for (uint32_t i = 0; i < cat->n_groups; i++)
			put_name(list, cat_text(cat, cat->groups[i].name));
	} else if (strcmp(what, "nodes") == 0) {
		for (uint32_t i = 0; i < cat->n_nodes; i++)
			put_name(list, cat_text(cat, cat->nodes[i].name));
	} else if (strcmp(what, "plans") == 0) {
		control_plan_names(call->c, list);
	} else if (strcmp(what, "streams") == 0) {
		for (uint32_t i = 0; i < cat->n_streams; i++)
			put_name(list, cat_text(cat, cat->streams[i].name));
	} else {
		return err_set(&call->err, SL_EINVAL,
			"what: got \"%.64s\", want vendors, services, groups, "
			"nodes, plans or streams",
			what);
	}
	return 0;
}
