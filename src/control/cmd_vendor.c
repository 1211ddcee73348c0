/* SPDX-License-Identifier: Apache-2.0 */
/* vendor show: capacity, load, forecast and room. */
#include "control/bills.h"

/* Which services a vendor has which mean share of. */
static void put_shares(cJSON *list, const struct engine_view *view, const char *pattern)
{
	const struct cat_view *cat = &view->world->cat;

	for (uint32_t s = 0; s < cat->n_services; s++) {
		const struct cat_service *svc = &cat->services[s];
		double ppm[SCORE_ROW];

		if (!control_mean_shares(view, s, ppm))
			continue;
		for (uint32_t i = 0; i < svc->slots.count; i++) {
			uint32_t v = cat->slots[svc->slots.first + i].vendor, usable = 0, n = 0;
			cJSON *row;

			if (!control_names_vendor(view, pattern, v))
				continue;
			for (uint32_t r = 0; r < view->fleet->n_rows; r++)
				if (view->fleet->row[r].service == s) {
					usable += score_reason_usable(view->rows[r].reason[i]);
					n++;
				}
			row = control_add_row(list);
			control_put_str(row, "vendor", control_vendor_name(view, v));
			control_put_str(row, "service", cat_text(cat, svc->name));
			control_put(row, "share_percent", ppm[i] / 1e4);
			control_put(row, "weight", view->fleet->service[s].slot[i].weight);
			control_put(row, "usable_groups", usable);
			control_put(row, "groups", n);
		}
	}
}

static void put_vendor(cJSON *row, const struct engine_view *view, uint32_t v)
{
	const struct alloc_vendor *a = &view->fleet->vendor[v];
	const struct alloc_vendor_out *o = &view->vendors[v];

	control_put_str(row, "vendor", control_vendor_name(view, v));
	control_put(row, "guaranteed_mbps", a->guaranteed_mbps);
	control_put(row, "max_mbps", a->max_mbps);
	control_put(row, "current_mbps", a->current_mbps);
	control_put(row, "forecast_mbps", a->forecast_mbps);
	control_put(row, "expected_mbps", o->expected_mbps);
	control_put(row, "room_guaranteed_mbps", o->room_guaranteed_mbps);
	control_put(row, "room_total_mbps", o->room_total_mbps);
	control_put(row, "headroom", a->headroom);
	control_put_bool(row, "known", a->known);
	control_put_bool(row, "capped", o->capped);
}

/* Where the month's 95th percentile stands. */
static void put_bills(struct control_call *call, const char *pattern)
{
	cJSON *list = cJSON_AddArrayToObject(call->out, "bills");
	const struct engine_view *view = call->view;

	for (uint32_t v = 0; v < view->fleet->n_vendors; v++) {
		const struct billing_position *p = control_bill(call->c, v);
		cJSON *row;

		if (!p || !view->world->cat.vendors[v].active ||
			!control_names_vendor(view, pattern, v))
			continue;
		row = control_add_row(list);
		control_put_str(row, "vendor", control_vendor_name(view, v));
		control_put(row, "p95_mbps", (double)p->p95_kbps / 1e3);
		control_put(row, "samples", p->samples);
		control_put(row, "slots", p->slots);
		control_put(row, "free_slots", p->free);
		control_put(row, "used_slots", p->used);
		control_put(row, "free_slots_left", p->free_left);
	}
}

static void put_regions(cJSON *list, const struct engine_view *view, const char *pattern)
{
	for (uint32_t r = 0; r < view->fleet->n_regions; r++) {
		const struct alloc_region *a = &view->fleet->region[r];
		cJSON *row;

		if (!control_names_vendor(view, pattern, a->vendor))
			continue;
		row = control_add_row(list);
		control_put_str(row, "vendor", control_vendor_name(view, a->vendor));
		control_put_str(row, "region",
			cat_text(&view->world->cat, view->world->cat.regions[r].name));
		control_put(row, "guaranteed_mbps", a->guaranteed_mbps);
		control_put(row, "max_mbps", a->max_mbps);
		control_put(row, "current_mbps", a->current_mbps);
		control_put(row, "forecast_mbps", a->forecast_mbps);
	}
}

int control_do_VENDOR_SHOW(struct control_call *call)
{
	const char *pattern = control_arg(call, "vendor");
	const struct engine_view *view = call->view;
	int rc = control_need_world(call);
	cJSON *list;

	if (rc)
		return rc;
	list = cJSON_AddArrayToObject(call->out, "vendors");
	for (uint32_t v = 0; v < view->fleet->n_vendors; v++)
		if (view->world->cat.vendors[v].active && control_names_vendor(view, pattern, v))
			put_vendor(control_add_row(list), view, v);
	if (!list->child)
		return err_set(&call->err, SL_ENOENT, "no vendor is called %.64s", pattern);
	put_regions(cJSON_AddArrayToObject(call->out, "regions"), view, pattern);
	put_shares(cJSON_AddArrayToObject(call->out, "services"), view, pattern);
	put_bills(call, pattern);
	return 0;
}
