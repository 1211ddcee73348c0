/* SPDX-License-Identifier: Apache-2.0 */
/* Frames of a record into a loop and its input. Everything that could be an index is checked. */
#include "base/hash.h"
#include "sim/replay_int.h"

#include <stdlib.h>
#include <string.h>

/* A frame's payload, read from the front. */
struct cursor {
	const uint8_t *p;
	size_t n;
	bool short_of; /* something was not there */
};

static void take(struct cursor *c, void *to, size_t n)
{
	if (n > c->n) {
		c->short_of = true;
		memset(to, 0, n);
		return;
	}
	memcpy(to, c->p, n);
	c->p += n;
	c->n -= n;
}

static int bad(struct errbuf *err, const char *what)
{
	return err_set(err, SL_EFORMAT, "not a record of this build: %s", what);
}

/* The next frame; SL_ENOENT at the end, also where the last frame was cut off. */
static int next_frame(
	struct replay_rig *r, uint32_t *ret_kind, struct cursor *ret, struct errbuf *err)
{
	struct record_frame f;

	if ((size_t)(r->end - r->p) < sizeof(f))
		return SL_ENOENT;
	memcpy(&f, r->p, sizeof(f));
	if (f.magic != RECORD_MAGIC || f.size > RECORD_MAX_FRAME)
		return bad(err, "no frame where one should be");
	if ((size_t)(r->end - r->p) - sizeof(f) < f.size)
		return SL_ENOENT;
	*ret = (struct cursor){.p = r->p + sizeof(f), .n = f.size};
	*ret_kind = f.kind;
	if (hash64(ret->p, f.size, f.kind) != f.sum)
		return err_set(err, SL_ECHECKSUM, "record: a frame is damaged");
	r->p += sizeof(f) + f.size;
	return 0;
}

static int read_state(struct replay_rig *r, struct cursor *c, struct errbuf *err)
{
	struct record_state s;

	take(c, &s, sizeof(s));
	if (c->short_of || s.layout != record_layout() || s.kept != sizeof(r->kept) ||
		s.ledger != ledger_size(LOOP_LEDGER_CELLS) || s.live != ledger_size(LOOP_CELLS) ||
		s.n_services > SL_MAX_SERVICES || s.n_groups > SL_MAX_GROUPS ||
		s.n_vendors > SL_MAX_VENDORS)
		return bad(err, "its structures have other sizes");
	r->loop.ledger = malloc(s.ledger);
	r->loop.live = malloc(s.live);
	if (!r->loop.ledger || !r->loop.live)
		return err_set(err, SL_ENOMEM, "record: out of memory");
	take(c, &r->kept, s.kept);
	take(c, r->loop.ledger, s.ledger);
	take(c, r->loop.live, s.live);
	for (uint32_t i = 0; i < s.n_services; i++)
		take(c, r->seat + i * SL_MAX_GROUPS, s.n_groups * sizeof(*r->seat));
	for (uint32_t g = 0; g < s.n_groups; g++)
		take(c, r->cell[g], s.n_vendors * sizeof(r->cell[g][0]));
	r->loop.alive = s.alive;
	r->loop.heard_s = s.heard_s;
	r->loop.heard_ms = s.heard_ms;
	if (c->short_of || !ledger_check(r->loop.ledger, s.ledger) ||
		!ledger_check(r->loop.live, s.live))
		return bad(err, "its ledger");
	for (uint32_t i = 0; i < s.n_services * SL_MAX_GROUPS; i++)
		if (r->seat[i].sticky.n &&
			!sticky_check(r->seat[i].sticky.entry, r->seat[i].sticky.n))
			return bad(err, "a sticky table");
	return 0;
}

static bool places_good(const struct replay_rig *r)
{
	const struct record_places *p = &r->places;

	for (uint32_t l = 0; l < LOOP_LEVELS; l++)
		for (uint32_t g = 0; g < p->n_groups; g++)
			if (r->level[l][g] >= p->n_groups ||
				r->level[l][r->level[l][g]] != r->level[l][g])
				return false;
	for (uint32_t i = 0; p->n_regions && i < p->n_groups * p->n_vendors; i++)
		if (r->region_of[i] != ALLOC_NO_REGION && r->region_of[i] >= p->n_regions)
			return false;
	return true;
}

static int read_places(struct replay_rig *r, struct cursor *c, struct errbuf *err)
{
	struct record_places *p = &r->places;

	take(c, p, sizeof(*p));
	if (c->short_of || p->n_vendors > SL_MAX_VENDORS || p->n_regions > SL_MAX_REGIONS ||
		p->n_groups > SL_MAX_GROUPS || p->n_services > SL_MAX_SERVICES)
		return bad(err, "too many of something");
	for (uint32_t l = 0; l < LOOP_LEVELS; l++)
		take(c, r->level[l], p->n_groups * sizeof(r->level[l][0]));
	if (p->n_regions)
		take(c, r->region_of, (size_t)p->n_groups * p->n_vendors * sizeof(r->region_of[0]));
	for (uint32_t v = 0; v < p->n_vendors; v++) {
		uint8_t n = 0;

		take(c, &n, 1);
		r->name[v] = (struct str){(const char *)c->p, SL_MIN((size_t)n, c->n)};
		c->p += r->name[v].n;
		c->n -= r->name[v].n;
	}
	if (c->short_of || !places_good(r))
		return bad(err, "its places");
	r->placed = true;
	return 0;
}

static bool input_good(const struct replay_rig *r)
{
	const struct loop_in *in = &r->in;

	for (uint32_t i = 0; i < in->n_regions; i++)
		if (r->region[i].vendor >= in->n_vendors)
			return false;
	for (uint32_t s = 0; s < in->n_services; s++) {
		const struct alloc_service *a = &r->service[s].alloc;

		if (a->n_slots > SL_MAX_SLOTS || !(r->service[s].session_s > 0) ||
			!(r->service[s].bitrate_kbps > 0))
			return false;
		for (uint32_t k = 0; k < a->n_slots; k++)
			if (a->slot[k].vendor >= in->n_vendors)
				return false;
	}
	for (uint32_t i = 0; i < in->n_facts; i++)
		if (r->fact[i].group >= in->n_groups || r->fact[i].vendor >= in->n_vendors)
			return false;
	for (uint32_t i = 0; i < in->n_notes; i++)
		if (r->note[i].group >= in->n_groups || r->note[i].vendor >= in->n_vendors)
			return false;
	for (uint32_t i = 0; i < r->n_meters; i++)
		if (r->meter[i].cell >= LOOP_CELLS || r->meter[i].n_vendors > SL_MAX_VENDORS)
			return false;
	return in->tick_ms > 0 && in->sampled > 0;
}

/* Rows are all groups of each active service; those that did not change have counted nothing. */
static bool read_rows(struct replay_rig *r, struct cursor *c, const struct record_tick *t)
{
	uint32_t n = 0;

	for (uint32_t s = 0; s < t->n_services; s++)
		for (uint32_t g = 0; r->service[s].active && g < t->n_groups; g++, n++) {
			struct loop_row *row = n < t->n_rows ? &r->row[n] : NULL;

			if (!row)
				return false;
			row->service = (uint16_t)s;
			row->group = (uint16_t)g;
			row->sequence_kbps = row->sticky_kbps = row->fresh = row->refresh = 0;
		}
	for (uint32_t i = 0; i < t->n_changed; i++) {
		struct record_row change;

		take(c, &change, sizeof(change));
		if (c->short_of || change.index >= n ||
			change.row.service != r->row[change.index].service ||
			change.row.group != r->row[change.index].group)
			return false;
		r->row[change.index] = change.row;
	}
	return n == t->n_rows;
}

static bool read_doors(struct replay_rig *r, struct cursor *c, uint32_t n)
{
	memset(r->door_kbps, 0, sizeof(r->door_kbps));
	for (uint32_t i = 0; i < n; i++) {
		struct record_door d;

		take(c, &d, sizeof(d));
		if (c->short_of || d.door >= LOOP_DOORS || d.cell >= LOOP_CELLS)
			return false;
		r->door_kbps[d.door][d.cell] = d.kbps;
	}
	return true;
}

static int make_room(struct replay_rig *r, uint32_t n)
{
	struct loop *l = &r->loop;

	if (n <= l->max_rows)
		return 0;
	free(r->row);
	free(l->row);
	free(l->row_out);
	free(l->work);
	l->max_rows = 0;
	r->row = calloc(n, sizeof(*r->row));
	l->row = calloc(n, sizeof(*l->row));
	l->row_out = calloc(n, sizeof(*l->row_out));
	l->work = malloc(alloc_work_size(n));
	if (!r->row || !l->row || !l->row_out || !l->work)
		return SL_ENOMEM;
	l->max_rows = n;
	return 0;
}

static void set_in(struct replay_rig *r, const struct record_tick *t)
{
	r->in = (struct loop_in){.now_ms = t->now_ms,
		.tick_ms = t->tick_ms,
		.n_vendors = t->n_vendors,
		.n_regions = t->n_regions,
		.n_services = t->n_services,
		.n_groups = t->n_groups,
		.n_rows = t->n_rows,
		.n_facts = t->n_facts,
		.vendor = r->vendor,
		.region = r->region,
		.service = r->service,
		.row = r->row,
		.region_of = t->n_regions ? r->region_of : NULL,
		.level = {r->level[0], r->level[1]},
		.door_kbps = r->door_kbps,
		.fact = r->fact,
		.sampled = t->sampled,
		.news = t->flags & RECORD_NEWS,
		.no_quality = t->flags & RECORD_NO_QUALITY,
		.no_breakers = t->flags & RECORD_NO_BREAKERS,
		.no_forecast = t->flags & RECORD_NO_FORECAST,
		.note = r->note,
		.n_notes = t->n_notes};
}

static int read_tick(struct replay_rig *r, struct cursor *c, struct errbuf *err)
{
	const struct record_places *p = &r->places;
	struct record_tick t;

	take(c, &t, sizeof(t));
	if (c->short_of || !r->placed || t.n_vendors != p->n_vendors ||
		t.n_regions != p->n_regions || t.n_groups != p->n_groups ||
		t.n_services != p->n_services || t.n_rows > SL_MAX_SERVICES * SL_MAX_GROUPS ||
		t.n_facts > SL_MAX_GROUPS * SL_MAX_VENDORS || t.n_meters > RECORD_MAX_METERS ||
		t.n_notes > RECORD_MAX_NOTES)
		return bad(err, "a tick that does not go with its places");
	if (make_room(r, t.n_rows))
		return err_set(err, SL_ENOMEM, "record: out of memory");
	set_in(r, &t);
	take(c, r->vendor, t.n_vendors * sizeof(r->vendor[0]));
	take(c, r->region, t.n_regions * sizeof(r->region[0]));
	take(c, r->service, t.n_services * sizeof(r->service[0]));
	if (c->short_of || !read_rows(r, c, &t) || !read_doors(r, c, t.n_doors))
		return bad(err, "a tick's rows");
	take(c, r->fact, t.n_facts * sizeof(r->fact[0]));
	take(c, r->meter, t.n_meters * sizeof(r->meter[0]));
	take(c, r->note, t.n_notes * sizeof(r->note[0]));
	r->n_meters = t.n_meters;
	return c->short_of || !input_good(r) ? bad(err, "a tick's figures") : 0;
}

int replay_rig_new(const uint8_t *p, size_t n, struct replay_rig **ret_rig, struct errbuf *err)
{
	struct replay_rig *r = calloc(1, sizeof(*r)); /* large and sparse */
	struct cursor c = {0};
	uint32_t kind = 0;
	int rc;

	if (!r)
		return err_set(err, SL_ENOMEM, "record: out of memory");
	r->p = p;
	r->end = p + n;
	r->loop.kept = &r->kept;
	r->loop.seat = r->seat;
	r->loop.cell = r->cell;
	for (uint32_t i = 0; i < LOOP_LEVELS; i++)
		r->loop.coarse[i] = r->coarse[i];
	rc = next_frame(r, &kind, &c, err);
	if (rc == SL_ENOENT || (rc == 0 && kind != RECORD_STATE))
		rc = bad(err, "it does not begin with a state");
	if (rc == 0)
		rc = read_state(r, &c, err);
	if (rc) {
		replay_rig_free(r);
		return rc;
	}
	*ret_rig = r;
	return 0;
}

void replay_rig_free(struct replay_rig *r)
{
	if (!r)
		return;
	free(r->loop.ledger);
	free(r->loop.live);
	free(r->loop.row);
	free(r->loop.row_out);
	free(r->loop.work);
	free(r->row);
	free(r);
}

int replay_next(struct replay_rig *r, struct errbuf *err)
{
	for (;;) {
		struct cursor c;
		uint32_t kind;
		int rc = next_frame(r, &kind, &c, err);

		if (rc)
			return rc;
		if (kind == RECORD_TICK)
			return read_tick(r, &c, err);
		if (kind == RECORD_PLACES)
			rc = read_places(r, &c, err);
		if (rc)
			return rc;
	}
}

const uint64_t *replay_outcome(struct replay_rig *r, uint32_t *ret_n)
{
	const uint8_t *was = r->p;
	struct errbuf ignored;
	struct cursor c;
	uint32_t kind;

	if (next_frame(r, &kind, &c, &ignored) || kind != RECORD_OUTCOME) {
		r->p = was;
		return NULL;
	}
	*ret_n = (uint32_t)(c.n / sizeof(uint64_t));
	return (const uint64_t *)(const void *)c.p;
}
