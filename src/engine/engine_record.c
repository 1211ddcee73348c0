/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keeps what the last ticks were made from, in files of some minutes under record/: each begins
 * with the state of the loop, so each can be replayed by itself. A record that cannot be written
 * is told once and ends; the tick goes on.
 */
#include "base/hash.h"
#include "base/os.h"
#include "engine/engine_int.h"
#include "scoring/record.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>

enum { FILE_MS = 300000 };

struct engine_record {
	FILE *f;
	uint64_t began_ms, places; /* hash of the last frame of places */
	uint8_t *frame;            /* of the frame that is being made */
	size_t n, size;
	bool failed;
	uint8_t (*block)[SL_MAX_SLOTS]; /* as last written, by row */
	uint32_t n_blocks, n_meters;
	struct record_meter meter[RECORD_MAX_METERS];
};

/* Room for n more octets of the frame; NULL when there is no memory. */
static void *put(struct engine_record *r, const void *octets, size_t n)
{
	if (r->failed)
		return NULL;
	if (r->n + n > r->size) {
		size_t size = SL_MAX(r->size * 2, r->n + n);
		uint8_t *p = realloc(r->frame, size);

		r->failed = !p;
		if (!p)
			return NULL;
		r->frame = p;
		r->size = size;
	}
	if (octets && n)
		memcpy(r->frame + r->n, octets, n);
	r->n += n;
	return r->frame + r->n - n;
}

static void end_frame(struct engine_record *r, uint32_t kind)
{
	struct record_frame head = {RECORD_MAGIC, kind, r->n, hash64(r->frame, r->n, kind)};

	if (!r->failed)
		r->failed = fwrite(&head, sizeof(head), 1, r->f) != 1 ||
			    fwrite(r->frame, 1, r->n, r->f) != r->n;
	r->n = 0;
}

static void put_state(struct engine *e, struct engine_record *r)
{
	const struct loop *l = &e->loop;
	struct record_state s = {.layout = record_layout(),
		.kept = sizeof(*l->kept),
		.ledger = ledger_size(LOOP_LEDGER_CELLS),
		.live = ledger_size(LOOP_CELLS),
		.n_services = e->in.n_services,
		.n_groups = e->in.n_groups,
		.n_vendors = e->in.n_vendors,
		.alive = l->alive,
		.heard_s = l->heard_s,
		.heard_ms = l->heard_ms};

	(void)put(r, &s, sizeof(s));
	(void)put(r, l->kept, s.kept);
	(void)put(r, l->ledger, s.ledger);
	(void)put(r, l->live, s.live);
	for (uint32_t i = 0; i < s.n_services; i++)
		(void)put(r, l->seat + i * SL_MAX_GROUPS, s.n_groups * sizeof(*l->seat));
	for (uint32_t g = 0; g < s.n_groups; g++)
		(void)put(r, l->cell[g], s.n_vendors * sizeof(l->cell[g][0]));
	end_frame(r, RECORD_STATE);
}

static void put_name(struct engine_record *r, struct str name)
{
	uint8_t n = (uint8_t)SL_MIN(name.n, (size_t)UINT8_MAX);

	(void)put(r, &n, 1);
	(void)put(r, name.p, n);
}

/* Where groups lie and what all is called, when it is not as it was. */
static void put_places(struct engine *e, struct engine_record *r)
{
	const struct cat_view *c = &e->cat;
	const struct loop_in *in = &e->in;
	struct record_places p = {in->n_vendors, in->n_regions, in->n_groups, in->n_services};
	uint64_t hash;

	(void)put(r, &p, sizeof(p));
	for (uint32_t i = 0; i < LOOP_LEVELS; i++)
		(void)put(r, in->level[i], p.n_groups * sizeof(in->level[i][0]));
	if (p.n_regions)
		(void)put(r, in->region_of,
			(size_t)p.n_groups * p.n_vendors * sizeof(in->region_of[0]));
	for (uint32_t i = 0; i < p.n_vendors; i++)
		put_name(r, cat_text(c, c->vendors[i].name));
	for (uint32_t i = 0; i < p.n_groups; i++)
		put_name(r, cat_text(c, c->groups[i].name));
	for (uint32_t i = 0; i < p.n_services; i++)
		put_name(r, cat_text(c, c->services[i].name));
	hash = hash64(r->frame, r->n, 0);
	if (hash != r->places)
		end_frame(r, RECORD_PLACES);
	r->places = hash;
	r->n = 0;
}

static bool row_says(const struct engine_record *r, const struct loop_row *row, uint32_t index)
{
	return row->sequence_kbps > 0 || row->sticky_kbps > 0 || row->fresh > 0 ||
	       row->refresh > 0 ||
	       memcmp(row->block, r->block[index], sizeof(r->block[index])) != 0;
}

static uint32_t put_rows(const struct loop_in *in, struct engine_record *r)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < in->n_rows; i++) {
		struct record_row row = {.index = i};

		if (!row_says(r, &in->row[i], i))
			continue;
		row.row = in->row[i];
		memcpy(r->block[i], in->row[i].block, sizeof(r->block[i]));
		(void)put(r, &row, sizeof(row));
		n++;
	}
	return n;
}

static uint32_t put_doors(const struct loop_in *in, struct engine_record *r)
{
	uint32_t n = 0;

	for (uint32_t d = 0; d < LOOP_DOORS; d++)
		for (uint32_t c = 0; c < LOOP_CELLS; c++) {
			struct record_door door = {d, c, in->door_kbps[d][c]};

			if (!(door.kbps > 0))
				continue;
			(void)put(r, &door, sizeof(door));
			n++;
		}
	return n;
}

static void put_tick(const struct loop_in *in, struct engine_record *r)
{
	struct record_tick t = {.now_ms = in->now_ms,
		.tick_ms = in->tick_ms,
		.n_vendors = in->n_vendors,
		.n_regions = in->n_regions,
		.n_services = in->n_services,
		.n_groups = in->n_groups,
		.n_rows = in->n_rows,
		.n_facts = in->n_facts,
		.n_meters = r->n_meters,
		.sampled = in->sampled,
		.n_notes = in->n_notes,
		.flags = (in->news ? RECORD_NEWS : 0u) | (in->no_quality ? RECORD_NO_QUALITY : 0u) |
			 (in->no_breakers ? RECORD_NO_BREAKERS : 0u) |
			 (in->no_forecast ? RECORD_NO_FORECAST : 0u)};

	(void)put(r, &t, sizeof(t));
	(void)put(r, in->vendor, in->n_vendors * sizeof(*in->vendor));
	(void)put(r, in->region, in->n_regions * sizeof(*in->region));
	(void)put(r, in->service, in->n_services * sizeof(*in->service));
	t.n_changed = put_rows(in, r);
	t.n_doors = put_doors(in, r);
	(void)put(r, in->fact, in->n_facts * sizeof(*in->fact));
	(void)put(r, r->meter, r->n_meters * sizeof(r->meter[0]));
	(void)put(r, in->note, in->n_notes * sizeof(*in->note));
	if (!r->failed)
		memcpy(r->frame, &t, sizeof(t));
	end_frame(r, RECORD_TICK);
	r->n_meters = 0;
}

/* Files are named by the time they begin; the last that begins before the span may reach into it.
 */
static void sweep(const char *dir, uint64_t span_ms, uint64_t now_ms)
{
	DIR *d = opendir(dir);

	for (struct dirent *f; d && (f = readdir(d));) {
		char path[SL_MAX_PATH + 300];
		char *end;
		uint64_t began = strtoull(f->d_name, &end, 10);

		if (strcmp(end, ".rec") != 0 || began + FILE_MS + span_ms > now_ms)
			continue;
		(void)snprintf(path, sizeof(path), "%s/%s", dir, f->d_name);
		(void)unlink(path);
	}
	if (d)
		(void)closedir(d);
}

static void close_file(struct engine_record *r)
{
	if (r->f)
		(void)fclose(r->f);
	r->f = NULL;
}

static int begin_file(struct engine *e, struct engine_record *r, struct errbuf *err)
{
	char dir[SL_MAX_PATH], path[SL_MAX_PATH + 32];
	int rc;

	close_file(r);
	(void)snprintf(dir, sizeof(dir), "%.900s/record", e->dir);
	rc = os_mkdirs(dir, 0700, err);
	if (rc)
		return rc;
	sweep(dir, e->conf->sluice.record_minutes * UINT64_C(60000), e->in.now_ms);
	(void)snprintf(path, sizeof(path), "%s/%" PRIu64 ".rec", dir, e->in.now_ms);
	r->f = fopen(path, "we");
	if (!r->f)
		return err_set_errno(err, "%s", path);
	r->began_ms = e->in.now_ms;
	r->places = 0;
	r->n_meters = 0; /* the state has them already */
	if (r->n_blocks)
		memset(r->block, 0, r->n_blocks * sizeof(r->block[0]));
	put_state(e, r);
	return 0;
}

static bool make_room(struct engine *e, struct engine_record *r)
{
	void *p;

	if (r->n_blocks >= e->loop.max_rows)
		return true;
	p = realloc(r->block, e->loop.max_rows * sizeof(r->block[0]));
	if (!p)
		return false;
	r->block = p;
	memset(r->block, 0, e->loop.max_rows * sizeof(r->block[0]));
	r->n_blocks = e->loop.max_rows;
	r->began_ms = 0; /* all of it anew, in a file of its own */
	return true;
}

void engine_record_before(struct engine *e, struct errbuf *err)
{
	struct engine_record *r = e->record;

	if (e->conf->sluice.record_minutes == 0) {
		engine_record_close(e);
		return;
	}
	if (!r)
		r = e->record = calloc(1, sizeof(*r));
	if (!r || r->failed)
		return;
	if (!make_room(e, r) ||
		((!r->f || e->in.now_ms - r->began_ms >= FILE_MS) && begin_file(e, r, err))) {
		r->failed = true;
		return;
	}
	put_places(e, r);
	put_tick(&e->in, r);
}

void engine_record_after(struct engine *e, struct errbuf *err)
{
	struct engine_record *r = e->record;
	uint64_t hash;

	if (!r || !r->f)
		return;
	for (uint32_t i = 0; i < e->in.n_rows; i++) {
		hash = record_row_hash(&e->loop, i);
		(void)put(r, &hash, sizeof(hash));
	}
	end_frame(r, RECORD_OUTCOME);
	if (r->failed || fflush(r->f) != 0) {
		r->failed = true;
		close_file(r);
		(void)err_set(err, 0, "%s/record: cannot be written, recording ends", e->dir);
	}
}

void engine_record_meter(struct engine *e, const struct record_meter *m)
{
	if (e->record && e->record->n_meters < RECORD_MAX_METERS)
		e->record->meter[e->record->n_meters++] = *m;
}

void engine_record_anew(struct engine *e)
{
	if (e->record)
		e->record->began_ms = 0;
}

void engine_record_close(struct engine *e)
{
	struct engine_record *r = e->record;

	if (!r)
		return;
	close_file(r);
	free(r->frame);
	free(r->block);
	free(r);
	e->record = NULL;
}
