/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/policy_world.h"

#include "geo/emit.h"
#include "sim/plant_viewers.h"

#include <math.h>
#include <stdlib.h>

enum { TICK_MS = 1000, STALE_AFTER_MS = 900000, NEGATIVE_TTL_S = 5, NET_BITS = 16 };

/* --- catalogue ------------------------------------------------------------------------------- */

static struct blob_span text(struct blob_writer *w, const char *s)
{
	return blob_add_octets(w, CAT_text, s, (uint32_t)strlen(s));
}

static void put_names(struct blob_writer *w, const struct plant *p)
{
	struct cat_group *group = blob_add(w, CAT_groups, p->n_groups, NULL);
	struct cat_vendor *vendor = blob_add(w, CAT_vendors, p->n_vendors, NULL);
	struct cat_region *region = blob_add(w, CAT_regions, p->n_regions, NULL);

	for (uint32_t g = 0; group && g < p->n_groups; g++)
		group[g].name = text(w, p->s->f.audience.groups[g].name);
	for (uint32_t v = 0, r = 0; vendor && v < p->n_vendors; v++) {
		const struct scenario_vendor *from = &p->s->f.vendors[v];

		vendor[v] = (struct cat_vendor){.name = text(w, from->name),
			.weight = from->weight,
			.guaranteed_mbps = from->guaranteed_mbps,
			.max_mbps = from->max_mbps,
			.active = 1};
		for (uint32_t i = 0; region && i < from->regions_count; i++, r++)
			region[r] = (struct cat_region){.name = text(w, from->regions[i].name),
				.guaranteed_mbps = from->regions[i].guaranteed_mbps,
				.max_mbps = from->regions[i].max_mbps,
				.vendor = v,
				.active = 1,
				.has_guaranteed = 1,
				.has_max = 1};
	}
}

static void put_slots(struct blob_writer *w, const struct plant *p)
{
	struct cat_slot *slot = blob_add(w, CAT_slots, p->n_vendors, NULL);

	for (uint32_t v = 0; slot && v < p->n_vendors; v++) {
		uint8_t wire[] = "\3cdn\0";

		wire[1] = (uint8_t)('a' + v);
		slot[v] = (struct cat_slot){.weight = 1,
			.vendor = v,
			.cname = blob_add_octets(w, CAT_wire, wire, sizeof(wire) - 1)};
	}
}

static void put_service(struct blob_writer *w, const struct plant *p, uint32_t kbps)
{
	const struct scenario_audience *a = &p->s->f.audience;
	const struct scenario_scheduler *from = &p->s->f.scheduler;
	uint32_t n = SL_MIN(a->ladder_count, (uint32_t)SL_MAX_RUNGS);
	struct cat_rung *rung = blob_add(w, CAT_rungs, n, NULL);
	struct cat_service *s = blob_add(w, CAT_services, 1, NULL);

	put_slots(w, p);
	for (uint32_t i = 0; rung && i < n; i++)
		rung[i].kbps = (uint32_t)a->ladder[i].kbps;
	if (s)
		*s = (struct cat_service){.name = text(w, p->s->f.name),
			.ladder = {0, n},
			.slots = {0, p->n_vendors},
			.headroom = from->headroom,
			.ttl_s = (uint32_t)a->ttl_s,
			.negative_ttl_s = NEGATIVE_TTL_S,
			.refresh_s = (uint32_t)a->refresh_s,
			.bitrate_kbps = kbps,
			.session_s = (uint32_t)from->session_s,
			.dns_viewers = (uint32_t)lround(from->dns_viewers),
			.n_addresses = 2,
			.active = 1};
}

static void put_cells(struct blob_writer *w, const struct plant *p)
{
	uint32_t n = p->n_groups * p->n_vendors;
	struct cat_allowed *allowed = blob_add(w, CAT_allowed, n, NULL);
	struct cat_region_of *region_of = blob_add(w, CAT_region_of, n, NULL);
	struct cat_vendor_addrs *addrs = blob_add(w, CAT_vendor_addrs, n, NULL);
	struct cat_vendor_nodes *nodes = blob_add(w, CAT_vendor_nodes, n, NULL);

	for (uint32_t i = 0; allowed && region_of && addrs && nodes && i < n; i++) {
		allowed[i].v = 1;
		region_of[i].v = p->region_of[i / p->n_vendors][i % p->n_vendors];
		addrs[i].v = nodes[i].v = BLOB_NONE;
	}
}

static int build_catalogue(
	struct policy_world *to, const struct plant *p, uint32_t kbps, struct errbuf *err)
{
	struct blob_writer *w = blob_writer_new(&catalogue_def);
	struct cat_name_index *index;
	size_t size;
	int rc;

	if (!w)
		return err_set(err, SL_ENOMEM, "catalogue: out of memory");
	(void)blob_add(w, CAT_meta, 1, NULL);
	put_names(w, p);
	put_service(w, p, kbps);
	put_cells(w, p);
	index = blob_add(w, CAT_name_index, 1, NULL);
	if (index)
		index->v = BLOB_NONE;
	rc = blob_writer_finish(
		w, (struct blob_stamp){1, 1, PLANT_EPOCH_MS}, &to->catalogue, &size, err);
	blob_writer_free(w);
	return rc;
}

/* --- geo ------------------------------------------------------------------------------------- */

static int cover_groups(struct geo_cover *c, uint32_t n_groups)
{
	int rc = 0;

	for (uint32_t g = 0; rc == 0 && g < n_groups; g++) {
		geo_addr first = geo_addr_from(plant_group_ip(g));

		rc = geo_cover_put(c, first, geo_addr_last(first, NET_BITS, c->bits), g);
	}
	return rc;
}

static int build_geo(struct policy_world *to, const struct plant *p, struct errbuf *err)
{
	static const struct geo_stats none;
	struct geo_cover v4 = {0}, v6 = {0};
	struct geo_table *table = NULL;
	size_t size;
	int rc = geo_cover_init(&v4, 32);

	if (rc == 0)
		rc = geo_cover_init(&v6, 128);
	if (rc == 0)
		rc = cover_groups(&v6, p->n_groups);
	if (rc == 0)
		rc = geo_emit(&v4, &v6, p->n_groups, 0, &none, &table, &size);
	if (rc == 0)
		rc = geoblob_build(
			table, 1, (struct blob_stamp){1, 1, PLANT_EPOCH_MS}, &to->geo, &size, err);
	else
		(void)err_set(err, rc, "geo: %s", sl_strerror(rc));
	free(table);
	geo_cover_done(&v4);
	geo_cover_done(&v6);
	return rc;
}

int policy_world_init(
	struct policy_world *w, const struct plant *p, uint32_t kbps, struct errbuf *err)
{
	int rc;

	*w = (struct policy_world){.file = NULL};
	rc = build_catalogue(w, p, kbps, err);
	return rc ? rc : build_geo(w, p, err);
}

void policy_world_done(struct policy_world *w)
{
	if (w->file)
		world_close(w->file);
	free(w->catalogue);
	free(w->geo);
	free(w->tick);
}

/* --- tick ------------------------------------------------------------------------------------ */

static void put_shares(struct blob_writer *w, const uint32_t *share, uint32_t *ret_index)
{
	struct tick_share *s = blob_add(w, TICK_shares, 1, ret_index);

	if (s)
		memcpy(s->ppm.v, share, sizeof(s->ppm.v));
}

static void put_rungs(struct blob_writer *w, const struct policy_row *from, struct tick_row *row)
{
	struct tick_rung *rung;

	row->lower_ppm = SCORE_PPM - from->rung_ppm[0];
	if (row->lower_ppm == 0)
		return;
	rung = blob_add(w, TICK_rungs, 1, &row->rungs);
	if (rung)
		memcpy(rung->ppm.v, from->rung_ppm, sizeof(rung->ppm.v));
}

static void put_row(struct blob_writer *w, const struct policy_row *from, uint32_t fallback,
	struct tick_row *row)
{
	struct tick_sticky *sticky;

	_Static_assert(sizeof(from->rung_ppm) == sizeof(struct tick_rung_row), "copied whole");
	put_shares(w, from->share, &row->shares);
	row->fallback = fallback;
	sticky = blob_add(w, TICK_sticky, from->sticky.n, &row->sticky.first);
	row->sticky.count = from->sticky.n;
	if (sticky)
		memcpy(sticky, from->sticky.entry, from->sticky.n * sizeof(*sticky));
	put_rungs(w, from, row);
	row->usable = from->usable;
	row->seated = from->seated;
	row->n_order = from->n_order;
	for (uint32_t i = 0; i < from->n_order; i++)
		row->order |= (uint64_t)from->order[i] << (4 * i);
}

static void put_meta(struct blob_writer *w, const struct policy_world *of, const struct plant *p)
{
	struct tick_meta *m = blob_add(w, TICK_meta, 1, NULL);

	if (m)
		*m = (struct tick_meta){
			.catalogue = ((const struct blob_head *)of->catalogue)->checksum,
			.geo = ((const struct blob_head *)of->geo)->checksum,
			.number = of->generation,
			.n_services = 1,
			.n_groups = p->n_groups,
			.n_vendors = p->n_vendors,
			.n_regions = p->n_regions,
			.tick_ms = TICK_MS,
			.stale_after_ms = STALE_AFTER_MS};
}

static uint64_t whole_kbps(double ceiling)
{
	return ceiling < 1e15 ? (uint64_t)fmax(0, ceiling) : UINT64_MAX;
}

static void put_budgets(
	struct blob_writer *w, const struct plant *p, const struct policy_decision *d)
{
	uint32_t n = p->n_vendors + p->n_regions;
	struct tick_budget *b = blob_add(w, TICK_budgets, n, NULL);

	(void)blob_add(w, TICK_figures, n, NULL);
	for (uint32_t v = 0; b && v < p->n_vendors; v++)
		b[v].v = whole_kbps(d->ceiling[v]);
	for (uint32_t r = 0; b && r < p->n_regions; r++)
		b[p->n_vendors + r].v = whole_kbps(d->ceiling[SL_MAX_VENDORS + r]);
}

int policy_world_take(struct policy_world *w, const struct plant *p,
	const struct policy_decision *d, const uint32_t fallback[static SCORE_ROW], uint64_t now_ms,
	struct errbuf *err)
{
	struct blob_writer *to = blob_writer_new(&tick_def);
	uint32_t index = 0;
	void *tick = NULL;
	struct world_file *file;
	struct tick_row *rows;
	size_t size;
	int rc;

	if (!to)
		return err_set(err, SL_ENOMEM, "tick: out of memory");
	w->generation++;
	put_meta(to, w, p);
	put_shares(to, fallback, &index);
	rows = blob_add(to, TICK_rows, p->n_groups, NULL);
	for (uint32_t g = 0; rows && g < p->n_groups; g++)
		put_row(to, &d->row[g], index, &rows[g]);
	put_budgets(to, p, d);
	(void)blob_add(to, TICK_breakers, p->n_groups * p->n_vendors, NULL);
	rc = blob_writer_finish(
		to, (struct blob_stamp){1, w->generation, now_ms}, &tick, &size, err);
	blob_writer_free(to);
	if (rc == 0)
		rc = world_join(w->catalogue, w->geo, tick, &file, err);
	if (rc) {
		free(tick);
		return rc;
	}
	if (w->file)
		world_close(w->file);
	free(w->tick);
	w->tick = tick;
	w->file = file;
	return 0;
}
