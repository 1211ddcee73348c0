/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What players report, as input of the tick: reads the newest facts blob. Facts that are broken or
 * old change nothing but what the view says of them.
 */
#include "base/hash.h"
#include "base/os.h"
#include "engine/engine_int.h"
#include "world/facts.h"

#include <stdlib.h>
#include <sys/mman.h>

/* The coarser levels of a group; group ids stand for them: the first that lies in the level. */
enum level { LEVEL_PROVINCE, LEVEL_ISP };

/* Sparse: pages of groups and vendors that there are none of are never touched. */
struct engine_facts {
	const void *blob; /* mapped; NULL before the first */
	size_t size;
	struct facts_view view;
	bool fresh; /* young enough to say something */
	uint64_t checksum, time_ms, refused;
	char error[SL_ERRBUF_SIZE];
	uint64_t catalogue; /* that the levels are of */
	uint64_t level_hash[LOOP_LEVELS][SL_MAX_GROUPS];
	uint16_t level[LOOP_LEVELS][SL_MAX_GROUPS];
	uint32_t at[SL_MAX_GROUPS][SL_MAX_VENDORS]; /* in fact, + 1; 0: not there */
	struct loop_fact fact[SL_MAX_GROUPS * SL_MAX_VENDORS];
	/* memory of the loop */
	struct loop_cell cell[SL_MAX_GROUPS][SL_MAX_VENDORS];
	struct loop_coarse coarse[LOOP_LEVELS][SL_MAX_GROUPS][SL_MAX_VENDORS];
};

int engine_facts_open(struct engine *e, struct errbuf *err)
{
	struct engine_facts *f = mmap(NULL, sizeof(*f), PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (f == MAP_FAILED)
		return err_set(err, SL_ENOMEM, "engine: no memory for facts");
	e->facts = f;
	e->loop.cell = f->cell;
	for (uint32_t i = 0; i < LOOP_LEVELS; i++)
		e->loop.coarse[i] = f->coarse[i];
	return 0;
}

static void drop_blob(struct engine_facts *f)
{
	if (f->blob)
		os_unmap(f->blob, f->size);
	f->blob = NULL;
}

void engine_facts_close(struct engine *e)
{
	if (!e->facts)
		return;
	drop_blob(e->facts);
	(void)munmap(e->facts, sizeof(*e->facts));
	e->facts = NULL;
}

/* Whether every id is one of this catalogue: collect may be a catalogue ahead or behind, but ids
 * are append-only. */
static int check_ids(const struct engine *e, const void *blob, struct errbuf *err)
{
	struct facts_view v;

	facts_view_init(&v, blob);
	for (uint32_t i = 0; i < v.n_cells; i++)
		if (v.cells[i].vendor >= e->cat.n_vendors || v.cells[i].group >= e->cat.n_groups)
			return err_set(
				err, SL_ETORN, "facts: cell %u is of no vendor or group here", i);
	for (uint32_t i = 0; i < v.n_pushes; i++)
		if (v.pushes[i].service >= e->cat.n_services ||
			v.pushes[i].group >= e->cat.n_groups)
			return err_set(
				err, SL_ETORN, "facts: push %u is of no service or group here", i);
	return 0;
}

/* Takes the newest blob if it is newer and good. */
static bool take_blob(struct engine *e)
{
	struct engine_facts *f = e->facts;
	struct errbuf err = {""};
	char path[SL_MAX_PATH];
	const void *blob;
	size_t size;
	int rc;

	(void)snprintf(path, sizeof(path), "%.900s/facts.blob", e->dir);
	if (os_map_file(path, SL_MAX_BLOB_OCTETS, &blob, &size, &err))
		return false;
	rc = blob_check(&facts_def, blob, size, &err);
	if (!rc && ((const struct blob_head *)blob)->checksum == f->checksum) {
		os_unmap(blob, size);
		return false;
	}
	if (!rc)
		rc = check_ids(e, blob, &err);
	if (rc) {
		f->refused++;
		(void)snprintf(f->error, sizeof(f->error), "%s", err.s);
		os_unmap(blob, size);
		return false;
	}
	drop_blob(f);
	f->blob = blob;
	f->size = size;
	facts_view_init(&f->view, blob);
	f->checksum = f->view.head->checksum;
	f->time_ms = f->view.head->time_ms;
	f->error[0] = '\0';
	return true;
}

/* Which groups share a province or a carrier; anew with each catalogue. */
static void learn_levels(struct engine *e)
{
	const struct cat_view *c = &e->cat;
	struct engine_facts *f = e->facts;

	if (f->catalogue == c->head->checksum)
		return;
	f->catalogue = c->head->checksum;
	for (uint32_t g = 0; g < c->n_groups; g++) {
		struct str country = cat_text(c, c->groups[g].country);
		const struct blob_span part[LOOP_LEVELS] = {
			[LEVEL_PROVINCE] = c->groups[g].province, [LEVEL_ISP] = c->groups[g].isp};

		for (uint32_t l = 0; l < LOOP_LEVELS; l++) {
			struct str s = cat_text(c, part[l]);
			uint64_t h = hash_mix(hash64(country.p, country.n, 0), hash64(s.p, s.n, 1));

			f->level_hash[l][g] = h;
			f->level[l][g] = (uint16_t)g;
			for (uint32_t k = 0; k < g; k++)
				if (f->level_hash[l][k] == h) {
					f->level[l][g] = (uint16_t)k;
					break;
				}
		}
	}
}

static struct loop_fact *fact_of(struct engine *e, uint16_t group, uint16_t vendor)
{
	uint32_t *at = &e->facts->at[group][vendor];

	if (*at == 0) {
		e->facts->fact[e->in.n_facts] =
			(struct loop_fact){.group = group, .vendor = vendor};
		*at = ++e->in.n_facts;
	}
	return &e->facts->fact[*at - 1];
}

static struct quality_facts counts_of(const struct facts_cell *c)
{
	return (struct quality_facts){.pulls = c->pulls,
		.ok = c->pulls_ok,
		.frames = c->first_frames,
		.frame_ms = c->first_frame_us / 1000.0,
		.users = c->users,
		.stalled = c->stalled_users};
}

/* The minute and the newest short window of every cell; that window only while it is news, or the
 * same pulls would count twice. */
static void fill(struct engine *e, bool news)
{
	const struct facts_view *v = &e->facts->view;

	for (uint32_t i = 0; i < v->n_cells; i++) {
		const struct facts_cell *c = &v->cells[i];
		struct loop_fact *f = c->window > 1 ? NULL : fact_of(e, c->group, c->vendor);

		if (!f)
			continue;
		if (c->window == 0) {
			f->minute = counts_of(c);
			f->sessions = c->sessions;
			f->mbps = (double)c->kbps / 1000;
		} else if (news) {
			f->window = counts_of(c);
		}
	}
	for (uint32_t i = 0; i < e->in.n_facts; i++) {
		struct loop_fact *f = &e->facts->fact[i];

		f->window.users = news ? f->minute.users : 0;
		f->window.stalled = news ? f->minute.stalled : 0;
		e->facts->at[f->group][f->vendor] = 0;
	}
}

void engine_facts_read(struct engine *e, uint64_t now_ms)
{
	struct engine_facts *f = e->facts;
	bool news;

	learn_levels(e);
	news = !(e->off & ENGINE_NO_FACTS) && take_blob(e);
	f->fresh = f->blob && f->time_ms + ENGINE_FACTS_OLD_MS > now_ms;
	if (!f->fresh) /* no fact is no failure: all vendors are as the prior says */
		f->view.n_cells = 0;
	e->in.news = news && f->fresh;
	e->in.no_quality = e->off & ENGINE_NO_QUALITY;
	e->in.no_breakers = e->off & ENGINE_NO_BLACKLIST;
	e->in.no_forecast = e->off & ENGINE_NO_FORECAST;
	for (uint32_t l = 0; l < LOOP_LEVELS; l++)
		e->in.level[l] = f->level[l];
	e->in.fact = f->fact;
	if (e->in.news && f->view.meta->sampled_ppm)
		e->in.sampled = f->view.meta->sampled_ppm / 1e6;
	fill(e, e->in.news);
}

void engine_facts_again(struct engine *e)
{
	e->in.n_facts = 0;
	fill(e, true);
}

const struct facts_view *engine_facts_view(const struct engine *e)
{
	return e->facts->fresh ? &e->facts->view : NULL;
}

uint16_t engine_facts_carrier(const struct engine *e, uint32_t group)
{
	return e->facts->level[LEVEL_ISP][group];
}

void engine_facts_show(struct engine *e)
{
	struct engine_facts *f = e->facts;

	e->view.facts = f->fresh ? &f->view : NULL;
	e->view.facts_ms = f->time_ms;
	e->view.facts_refused = f->refused;
	e->view.facts_error = f->error;
	e->view.breaker_events = e->loop.event;
	e->view.n_breaker_events = e->loop.n_events;
}

const struct quality_estimate *engine_quality(
	const struct engine *e, uint32_t vendor, uint32_t group)
{
	return &e->loop.cell[group][vendor].estimate;
}

const char *engine_quality_level(const struct engine *e, uint32_t vendor, uint32_t group)
{
	const struct engine_facts *f = e->facts;
	const struct quality_counts *p =
		&e->loop.coarse[LEVEL_PROVINCE][f->level[LEVEL_PROVINCE][group]][vendor].counts;
	const struct quality_counts *i =
		&e->loop.coarse[LEVEL_ISP][f->level[LEVEL_ISP][group]][vendor].counts;

	return p->pulls + p->users > i->pulls + i->users ? "province" : "isp";
}

const struct breaker *engine_breaker(const struct engine *e, uint32_t vendor, uint32_t group)
{
	return &e->loop.cell[group][vendor].breaker;
}
