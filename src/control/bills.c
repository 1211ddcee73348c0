/* SPDX-License-Identifier: Apache-2.0 */
/* The month's bill of each vendor so far: five-minute means into the store, positions out of them.
 */
#include "control/bills.h"

#include "base/log.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { KEEP_DAYS = 100, DAY_MS = 86400000, RETRY_MS = 10000 };

struct bill {
	struct billing_slot slot;
	uint64_t start_ms, end_ms; /* of the month that the samples are of; 0: not read yet */
	uint32_t n;
	uint64_t *sample; /* kbps; BILLING_MAX_SLOTS of them */
	struct billing_position position;
	bool unkept; /* a mean that the store does not have yet */
	uint64_t unkept_start_ms, unkept_kbps;
};

struct control_bills {
	struct bill bill[SL_MAX_VENDORS]; /* by vendor id */
	uint64_t due_ms;                  /* when the store is tried again */
};

int control_bills_open(struct control *c)
{
	c->bills = calloc(1, sizeof(*c->bills));
	return c->bills ? 0 : SL_ENOMEM;
}

void control_bills_close(struct control *c)
{
	for (uint32_t v = 0; c->bills && v < SL_MAX_VENDORS; v++)
		free(c->bills->bill[v].sample);
	free(c->bills);
}

static const struct conf_vendor *conf_of(const struct engine_view *view, const char *name)
{
	const struct conf_catalog *cat = &view->conf->catalog;

	for (uint32_t i = 0; i < cat->vendors_count; i++)
		if (strcmp(cat->vendors[i].name, name) == 0)
			return &cat->vendors[i];
	return NULL;
}

struct reading {
	struct bill *bill;
	const char *vendor;
};

static void take_mean(void *ctx, const struct store_mean_row *row)
{
	const struct reading *r = ctx;

	if (strcmp(row->vendor, r->vendor) == 0 && r->bill->n < BILLING_MAX_SLOTS)
		r->bill->sample[r->bill->n++] = row->kbps;
}

/* The samples of the month that holds now_ms. */
static bool read_month(
	struct control *c, struct bill *b, const struct conf_vendor *vendor, uint64_t now_ms)
{
	struct reading r = {b, vendor->name};

	if (!b->sample)
		b->sample = calloc(BILLING_MAX_SLOTS, sizeof(*b->sample));
	if (!b->sample)
		return false;
	billing_month(now_ms, vendor->bill_utc_offset_min, &b->start_ms, &b->end_ms);
	b->n = 0;
	if (store_means(c->store, b->start_ms, b->end_ms, take_mean, &r))
		LOG_W("bill.unread", "vendor=%s", vendor->name);
	return true;
}

static void settle(struct bill *b, const struct conf_vendor *vendor)
{
	billing_position(b->sample, b->n, (uint32_t)((b->end_ms - b->start_ms) / BILLING_SLOT_MS),
		(uint64_t)(SL_MAX(vendor->guaranteed_mbps, 0) * 1e3), &b->position);
}

static void round_vendor(struct control *c, uint32_t v, const struct conf_vendor *vendor,
	double mbps, uint64_t now_ms)
{
	struct bill *b = &c->bills->bill[v];
	uint64_t start_ms, kbps;

	if (now_ms < b->start_ms || now_ms >= b->end_ms) {
		if (!read_month(c, b, vendor, now_ms))
			return;
		settle(b, vendor);
	}
	if (!billing_add(&b->slot, mbps, now_ms, &start_ms, &kbps))
		return;
	b->unkept = true;
	b->unkept_start_ms = start_ms;
	b->unkept_kbps = kbps;
	if (start_ms < b->start_ms || b->n == BILLING_MAX_SLOTS)
		return; /* the last one of the month before */
	b->sample[b->n++] = kbps;
	settle(b, vendor);
}

/* What the store does not have yet, in one transaction: a locked store is waited for once. */
static void keep(struct control *c, const char *const *name)
{
	struct control_bills *bills = c->bills;
	bool any = false;
	int rc = 0;

	for (uint32_t v = 0; v < SL_MAX_VENDORS; v++)
		any |= bills->bill[v].unkept;
	if (!any || !control_due(&bills->due_ms, RETRY_MS))
		return;
	if (store_begin(c->store, NULL))
		return;
	for (uint32_t v = 0; !rc && v < SL_MAX_VENDORS; v++) {
		const struct bill *b = &bills->bill[v];
		const struct store_mean_row row = {name[v], b->unkept_start_ms, b->unkept_kbps};

		if (b->unkept && name[v])
			rc = store_mean(c->store, &row, (uint64_t)KEEP_DAYS * DAY_MS, NULL);
	}
	if (rc)
		store_undo(c->store);
	if (store_commit(c->store, NULL) == 0 && !rc)
		for (uint32_t v = 0; v < SL_MAX_VENDORS; v++)
			bills->bill[v].unkept = false;
}

void control_bills_round(struct control *c, uint64_t now_ms)
{
	const struct engine_view *view = engine_view(c->engine);
	const char *names[SL_MAX_VENDORS] = {NULL};
	char name[SL_MAX_NAME + 1];

	if (!c->store || !view->world || !view->fleet || !view->conf)
		return;
	for (uint32_t v = 0; v < view->fleet->n_vendors; v++) {
		const struct conf_vendor *vendor;

		(void)snprintf(name, sizeof(name), STR_FMT, STR_ARG(control_vendor_name(view, v)));
		vendor = view->world->cat.vendors[v].active ? conf_of(view, name) : NULL;
		if (!vendor)
			continue;
		names[v] = vendor->name;
		round_vendor(c, v, vendor, view->fleet->vendor[v].current_mbps, now_ms);
	}
	keep(c, names);
}

const struct billing_position *control_bill(const struct control *c, uint32_t vendor)
{
	const struct bill *b = &c->bills->bill[vendor];

	return b->start_ms ? &b->position : NULL;
}
