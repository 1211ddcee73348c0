/* SPDX-License-Identifier: Apache-2.0 */
#include "base/os.h"
#include "engine/engine_int.h"
#include "scoring/record.h"
#include "world/cat_build.h"

#include <math.h>
#include <stdlib.h>
#include <sys/mman.h>

/* Lets go of what only the last tick names. */
static void leave_world(struct engine *e)
{
	if (e->world_catalogue != e->catalogue)
		free(e->world_catalogue);
	if (e->world_geo != e->geo)
		free(e->world_geo);
	e->world = NULL;
	e->world_catalogue = e->world_geo = NULL;
}

void engine_free(struct engine *e)
{
	if (!e)
		return;
	engine_tally_close(e);
	leave_world(e);
	for (uint32_t i = 0; i < SL_COUNT(e->made); i++) {
		world_close(e->made[i].world);
		free(e->made[i].blob);
	}
	blob_writer_free(e->writer);
	free(e->catalogue);
	free(e->geo);
	conf_free(e->conf);
	dict_free(e->dict);
	free(e->node);
	engine_record_close(e);
	engine_edges_free(e);
	engine_facts_close(e);
	engine_ingest_close(e);
	free(e->hot);
	engine_state_close(e);
	if (e->row)
		(void)munmap(e->row, SL_MAX_SERVICES * SL_MAX_GROUPS * sizeof(*e->row));
	if (e->hold)
		(void)munmap(e->hold, SL_MAX_SERVICES * SL_MAX_GROUPS * sizeof(*e->hold));
	if (e->loop.seat)
		(void)munmap(e->loop.seat, SL_MAX_SERVICES * SL_MAX_GROUPS * sizeof(*e->loop.seat));
	engine_fleet_free(e);
	free(e);
}

static void *copy_of(const void *blob)
{
	size_t n = ((const struct blob_head *)blob)->size;
	void *p = malloc(n);

	if (p)
		memcpy(p, blob, n);
	return p;
}

/* Goes on from the world on disk: its dictionary, its generation, its geo table. One that does not
 * pass its checks is left alone and said in err. */
static int resume(struct engine *e, uint64_t now_ms, struct errbuf *err)
{
	struct errbuf why = {""};
	struct world_file *f = NULL;
	const struct world *w;
	int rc = world_open(e->world_dir, NULL, &f, &why);

	if (rc == SL_ENOENT)
		return 0;
	if (rc)
		return err_set(err, 0, "the world on disk is not used: %s", why.s);
	w = world_of(f);
	e->dict = dict_new(&w->cat);
	e->geo = copy_of(world_geo_blob(f));
	e->geo_size = e->geo ? ((const struct blob_head *)e->geo)->size : 0;
	e->kept->epoch = SL_MAX(e->kept->epoch, w->tick.head->epoch);
	if (e->kept->epoch == w->tick.head->epoch)
		e->kept->generation = SL_MAX(e->kept->generation, w->tick.head->generation);
	engine_seats_resume(e, w);
	engine_breaker_resume(e, now_ms);
	rc = engine_ingest_resume(e, now_ms);
	world_close(f);
	return rc;
}

/* Zeros, of which only what is touched takes memory; NULL for none. */
static void *map_sparse(size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

int engine_new(const char *dir, uint64_t now_ms, struct engine **ret_engine, struct errbuf *err)
{
	struct engine *e = calloc(1, sizeof(*e));
	int rc = SL_ENOMEM;

	if (!e)
		return err_set(err, rc, "engine: out of memory");
	(void)snprintf(e->dir, sizeof(e->dir), "%s", dir);
	(void)snprintf(e->world_dir, sizeof(e->world_dir), "%.900s/world", dir);
	(void)snprintf(e->tally_dir, sizeof(e->tally_dir), "%.900s/tally", dir);
	e->row = map_sparse(SL_MAX_SERVICES * SL_MAX_GROUPS * sizeof(*e->row));
	e->loop.seat = map_sparse(SL_MAX_SERVICES * SL_MAX_GROUPS * sizeof(*e->loop.seat));
	e->hold = map_sparse(SL_MAX_SERVICES * SL_MAX_GROUPS * sizeof(*e->hold));
	if (!e->row || !e->loop.seat || !e->hold)
		goto fail;
	rc = engine_facts_open(e, err);
	if (!rc)
		rc = engine_hot_open(e, err);
	if (!rc)
		rc = engine_state_open(e, now_ms, err);
	if (!rc)
		rc = engine_ingest_open(e, err);
	if (!rc)
		rc = resume(e, now_ms, err);
	if (rc)
		goto fail;
	if (!e->dict)
		e->dict = dict_new(NULL);
	if (!e->dict) {
		rc = err_set(err, SL_ENOMEM, "engine: out of memory");
		goto fail;
	}
	*ret_engine = e;
	return 0;
fail:
	engine_free(e);
	return rc;
}

/* The catalogue of a configuration with what operators laid over it. */
static int build_catalogue(struct engine *e, const struct conf *conf, uint64_t now_ms,
	void **ret_blob, size_t *ret_size, struct errbuf *err)
{
	struct blob_stamp stamp = {e->kept->epoch, e->kept->generation, now_ms};
	struct conf copy = *conf;

	if (e->overlay)
		e->overlay(e->overlay_ctx, conf, &copy.catalog);
	return cat_build(&copy, e->dict, stamp, ret_blob, ret_size, err);
}

static void take_catalogue(struct engine *e, void *catalogue, size_t size)
{
	if (e->catalogue != e->world_catalogue)
		free(e->catalogue);
	e->catalogue = catalogue;
	e->catalogue_size = size;
	cat_view_init(&e->cat, catalogue);
	engine_seats_remap(e);
}

void engine_set_overlay(struct engine *e, engine_overlay_fn *fn, void *ctx)
{
	e->overlay = fn;
	e->overlay_ctx = ctx;
}

int engine_rebuild(struct engine *e, uint64_t now_ms, struct errbuf *err)
{
	void *catalogue = NULL;
	size_t size = 0;
	int rc = e->conf ? build_catalogue(e, e->conf, now_ms, &catalogue, &size, err) : 0;

	if (!rc && catalogue)
		take_catalogue(e, catalogue, size);
	return rc;
}

int engine_load(struct engine *e, struct conf *conf, uint64_t now_ms, struct errbuf *err)
{
	void *geo = NULL, *catalogue = NULL;
	size_t geo_size = 0, catalogue_size = 0;
	int rc = engine_geo_build(e, conf, now_ms, &geo, &geo_size, err);

	if (!rc)
		rc = build_catalogue(e, conf, now_ms, &catalogue, &catalogue_size, err);
	if (rc) {
		if (geo != e->geo)
			free(geo);
		return rc;
	}
	if (geo != e->geo && e->geo != e->world_geo)
		free(e->geo);
	e->geo = geo;
	e->geo_size = geo_size;
	take_catalogue(e, catalogue, catalogue_size);
	conf_free(e->conf);
	e->conf = conf;
	e->view.conf = conf;
	e->view.conf_loads++;
	return 0;
}

int engine_set_rules(struct engine *e, const struct engine_rule *rules, uint32_t n)
{
	if (n > ENGINE_MAX_RULES)
		return SL_ELIMIT;
	if (n)
		memcpy(e->rules, rules, n * sizeof(*rules));
	e->n_rules = n;
	e->rule_kinds = 0;
	for (uint32_t i = 0; i < n; i++)
		e->rule_kinds |= 1u << rules[i].kind;
	engine_rules_sort(e);
	return 0;
}

void engine_set_off(struct engine *e, uint32_t off)
{
	e->off = off;
}

void engine_clock_ahead(struct engine *e, uint64_t by_ms)
{
	loop_clock_ahead(&e->loop, by_ms);
	engine_ingest_clock_ahead(e, by_ms);
	engine_record_anew(e);
}

int engine_push_meter(struct engine *e, const char *vendor, const char *region, double mbps,
	uint64_t start_ms, uint64_t end_ms, uint64_t now_ms, enum meter_verdict *ret_verdict,
	struct errbuf *err)
{
	uint32_t v, cell, r;
	double max;

	if (!e->catalogue)
		return err_set(err, SL_EAGAIN, "no catalogue yet");
	v = cell = cat_find_vendor(&e->cat, str_from(vendor));
	if (v == BLOB_NONE || !e->cat.vendors[v].active)
		return err_set(err, SL_ENOENT, "no vendor \"%.64s\"", vendor);
	max = e->cat.vendors[v].max_mbps;
	if (region) {
		r = cat_find_region(&e->cat, v, str_from(region));
		if (r == BLOB_NONE || !e->cat.regions[r].active)
			return err_set(err, SL_ENOENT, "vendor \"%.64s\" has no region \"%.64s\"",
				vendor, region);
		cell = SL_MAX_VENDORS + r;
		if (e->cat.regions[r].has_max)
			max = e->cat.regions[r].max_mbps;
	}
	engine_record_meter(e, &(struct record_meter){cell, e->cat.n_vendors, mbps, max, start_ms,
				       end_ms, now_ms});
	*ret_verdict = loop_push_meter(
		&e->loop, cell, e->cat.n_vendors, mbps, start_ms, end_ms, now_ms, max);
	return 0;
}

/* Meters and forecasts in the order of the view: vendors, then n_vendors + region. */
static void fill_view(struct engine *e, uint64_t now_ms)
{
	struct engine_view *v = &e->view;

	for (uint32_t i = 0; i < e->cat.n_vendors + e->cat.n_regions; i++) {
		uint32_t cell = i < e->cat.n_vendors ? i : SL_MAX_VENDORS + i - e->cat.n_vendors;

		e->view_meter[i] = e->kept->loop.meter[cell];
		e->view_forecast[i] = e->loop.forecast[cell];
	}
	v->world = world_of(e->world);
	v->fleet = &e->loop.fleet;
	v->first_row = e->loop.first_row;
	v->vendors = e->loop.vendor_out;
	v->forecasts = e->view_forecast;
	v->loop = &e->loop;
	v->meters = e->view_meter;
	v->rules = e->rules;
	v->n_rules = e->n_rules;
	v->tick_ms = now_ms;
	v->ticks = e->kept->ticks;
	v->error[0] = '\0';
	engine_facts_show(e);
}

/* Writes what the tick names before the tick itself, then lets go of what no tick names. */
static int publish(struct engine *e, const void *tick, size_t size, struct errbuf *err)
{
	const struct world *old = e->world ? world_of(e->world) : NULL;
	uint64_t keep[4] = {e->cat.head->checksum, ((const struct blob_head *)e->geo)->checksum,
		old ? old->tick.meta->catalogue : 0, old ? old->tick.meta->geo : 0};
	bool changed = keep[0] != keep[2] || keep[1] != keep[3];
	int rc = changed ? world_write(e->world_dir, e->catalogue, e->catalogue_size, err) : 0;

	if (!rc && changed)
		rc = world_write(e->world_dir, e->geo, e->geo_size, err);
	if (!rc)
		rc = world_write(e->world_dir, tick, size, err);
	if (!rc && changed)
		world_sweep(e->world_dir, keep, SL_COUNT(keep));
	return rc;
}

static int run(struct engine *e, uint64_t now_ms, struct errbuf *err)
{
	struct engine_made *next = &e->made[1 - e->turn];
	int rc = engine_fleet_build(e, now_ms, err);

	if (rc)
		return rc;
	engine_record_before(e, err);
	rc = loop_tick(&e->loop, &e->in);
	if (rc)
		return err_set(err, rc, "tick: allocation refused its input: %s", sl_strerror(rc));
	engine_breaker_keep(e);
	engine_record_after(e, err);
	rc = engine_blob_build(e, now_ms, next, &e->view.alarms, err);
	if (!rc)
		rc = world_rejoin(e->catalogue, e->geo, next->blob, &next->world, err);
	if (!rc)
		rc = publish(e, next->blob, next->size, err);
	if (rc)
		return rc;
	leave_world(e);
	e->turn = 1 - e->turn;
	e->world = next->world;
	e->world_catalogue = e->catalogue;
	e->world_geo = e->geo;
	e->kept->generation++;
	e->kept->ticks++;
	fill_view(e, now_ms);
	return 0;
}

int engine_tick(struct engine *e, uint64_t now_ms, struct errbuf *err)
{
	uint64_t began = os_mono_ns();
	struct errbuf why = {""};
	int rc = e->catalogue ? run(e, now_ms, &why) : err_set(&why, SL_EAGAIN, "no catalogue yet");

	if (rc) {
		e->view.refused_ticks++;
		memcpy(e->view.error, why.s, sizeof(e->view.error));
		if (err)
			*err = why;
	} else if (err)
		*err = why; /* what went wrong beside the tick, if anything */
	e->view.tick_us = (uint32_t)((os_mono_ns() - began) / 1000);
	return rc;
}

const struct engine_view *engine_view(const struct engine *e)
{
	return &e->view;
}
