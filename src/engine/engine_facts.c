/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What players report, in the tick: reads the newest facts blob, gives every row the quality of its
 * vendors. Facts that are broken or old change nothing but what the view says of them.
 */
#include "engine/engine_facts.h"

#include "base/hash.h"
#include "base/os.h"

#include <stdlib.h>
#include <sys/mman.h>

/* The coarser levels of a group; group ids stand for them: the first that lies in the level. */
enum level { LEVEL_PROVINCE, LEVEL_ISP, LEVELS };

static const struct quality_params params = QUALITY_PARAMS_DEFAULT;

int engine_facts_open(struct engine *e, uint64_t now_ms, struct errbuf *err)
{
	struct engine_facts *f = mmap(NULL, sizeof(*f), PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	size_t size = ledger_size(ENGINE_CELLS);
	void *mem = malloc(size);

	if (f == MAP_FAILED || !mem) {
		if (f != MAP_FAILED)
			(void)munmap(f, sizeof(*f));
		free(mem);
		return err_set(err, SL_ENOMEM, "engine: no memory for facts");
	}
	memset(mem, 0, size);
	f->live = ledger_init(mem, size, ENGINE_CELLS, now_ms);
	e->facts = f;
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
	free(e->facts->live);
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
		const struct blob_span part[LEVELS] = {c->groups[g].province, c->groups[g].isp};

		for (int l = 0; l < LEVELS; l++) {
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

static void add(struct quality_counts *to, const struct facts_cell *c)
{
	to->pulls += c->pulls;
	to->ok += c->pulls_ok;
	to->frames += c->first_frames;
	to->frames_ms += c->first_frames * (c->first_frame_us / 1000.0);
	to->users += c->users;
	to->stalled += c->stalled_users;
}

/* The counts of the minute at all levels. The minute is the memory: it slides by itself. */
static void count(struct engine *e)
{
	struct engine_facts *f = e->facts;
	uint32_t n_v = e->cat.n_vendors;

	memset(f->vendor, 0, sizeof(f->vendor));
	for (uint32_t g = 0; g < e->cat.n_groups; g++) {
		memset(f->cell[g], 0, n_v * sizeof(f->cell[g][0]));
		for (int l = 0; l < LEVELS; l++)
			memset(f->coarse[l][g], 0, n_v * sizeof(f->coarse[l][g][0]));
	}
	for (uint32_t i = 0; i < f->view.n_cells; i++) {
		const struct facts_cell *c = &f->view.cells[i];
		struct engine_facts_cell *to = &f->cell[c->group][c->vendor];

		if (c->window == 1) {
			to->window.pulls = c->pulls;
			to->window.ok = c->pulls_ok;
			to->window.frames = c->first_frames;
			to->window.frame_ms = c->first_frame_us / 1000.0;
		}
		if (c->window != 0)
			continue;
		add(&to->counts, c);
		add(&f->vendor[c->vendor], c);
		for (int l = 0; l < LEVELS; l++)
			add(&f->coarse[l][f->level[l][c->group]][c->vendor], c);
		to->window.users = c->users;
		to->window.stalled = c->stalled_users;
		to->audience_mbps = (double)c->kbps / 1000;
	}
}

/* Group, then its province or carrier, whichever has more to say, then the vendor, then the prior.
 */
static struct quality_estimate estimate(const struct engine_facts *f, uint32_t g, uint32_t v)
{
	const struct quality_counts *p = &f->coarse[LEVEL_PROVINCE][f->level[LEVEL_PROVINCE][g]][v];
	const struct quality_counts *i = &f->coarse[LEVEL_ISP][f->level[LEVEL_ISP][g]][v];
	struct quality_estimate vendor = quality_shrink(&params, &f->vendor[v], NULL);
	struct quality_estimate coarse =
		quality_shrink(&params, p->pulls + p->users > i->pulls + i->users ? p : i, &vendor);

	return quality_shrink(&params, &f->cell[g][v].counts, &coarse);
}

static void set_quality(struct engine *e)
{
	for (uint32_t i = 0; i < e->fleet.n_rows; i++) {
		struct alloc_row *row = &e->alloc_row[i];
		const struct alloc_service *s = &e->service[row->service];
		struct quality_estimate of[SL_MAX_SLOTS];

		for (uint32_t k = 0; k < s->n_slots; k++)
			of[k] = e->facts->cell[row->group][s->slot[k].vendor].estimate;
		quality_of_group(&params, of, s->n_slots, row->quality);
	}
}

/* The bitrates of live sessions, per vendor and vendor region: the forecast's fast meter. Without
 * facts they age as sessions end. */
static void feed_live(struct engine *e, bool news, uint64_t now_ms)
{
	struct engine_facts *f = e->facts;
	double mbps[ENGINE_CELLS] = {0};

	ledger_advance(f->live, now_ms, LEARN_LENGTH_PRIOR);
	if (!news)
		return;
	for (uint32_t g = 0; g < e->cat.n_groups; g++)
		for (uint32_t v = 0; v < e->cat.n_vendors; v++) {
			uint16_t r = e->cat.region_of[g * e->cat.n_vendors + v].v;

			mbps[v] += f->cell[g][v].audience_mbps;
			if (r < e->cat.n_regions)
				mbps[SL_MAX_VENDORS + r] += f->cell[g][v].audience_mbps;
		}
	for (uint32_t i = 0; i < ENGINE_CELLS; i++)
		if (mbps[i] > 0 || ledger_known(f->live, i))
			ledger_set(f->live, i, mbps[i]);
}

const struct ledger *engine_facts_live(const struct engine *e)
{
	return e->facts->live;
}

void engine_facts_read(struct engine *e, uint64_t now_ms)
{
	struct engine_facts *f = e->facts;
	bool news;

	learn_levels(e);
	news = take_blob(e);
	f->fresh = f->blob && f->time_ms + ENGINE_FACTS_OLD_MS > now_ms;
	if (!f->fresh) /* no fact is no failure: all vendors are as the prior says */
		f->view.n_cells = 0;
	count(e);
	for (uint32_t g = 0; g < e->cat.n_groups; g++)
		for (uint32_t v = 0; v < e->cat.n_vendors; v++) {
			f->cell[g][v].estimate = estimate(f, g, v);
			if (!news) /* the same windows must not count twice */
				f->cell[g][v].window = (struct quality_facts){0};
		}
	feed_live(e, news && f->fresh, now_ms);
}

void engine_facts_apply(struct engine *e, uint64_t now_ms)
{
	struct engine_facts *f = e->facts;

	set_quality(e);
	engine_breaker_tick(e, now_ms);
	e->view.facts = f->fresh ? &f->view : NULL;
	e->view.facts_ms = f->time_ms;
	e->view.facts_refused = f->refused;
	e->view.facts_error = f->error;
	e->view.breaker_events = f->event;
	e->view.n_breaker_events = f->n_events;
}

const struct quality_estimate *engine_quality(
	const struct engine *e, uint32_t vendor, uint32_t group)
{
	return &e->facts->cell[group][vendor].estimate;
}

const struct breaker *engine_breaker(const struct engine *e, uint32_t vendor, uint32_t group)
{
	return &e->facts->breaker[group][vendor];
}
