/* SPDX-License-Identifier: Apache-2.0 */
#include "answer/decide.h"

#include "base/hash.h"
#include "scoring/nodes.h"
#include "world/deny.h"

enum { KEY_LEN_V4 = 24, KEY_LEN_V6 = 56 };

const char *answer_reason_text(uint8_t reason)
{
	static const char *const text[] = {
#define X(name, words) words,
		ANSWER_REASON_MAP(X)
#undef X
	};

	return reason < SL_COUNT(text) ? text[reason] : "?";
}

struct place answer_locate(const struct world *w, struct ip client, uint8_t source_len)
{
	struct geo_hit hit;
	uint64_t denied = 0;

	geo_lookup(w->geo, client, &hit);
	if (w->tick.n_denied) {
		uint8_t len;

		denied = deny_find(w->tick.denied, w->tick.n_denied, client, &len);
		hit.len = SL_MAX(hit.len, len);
	}
	return (struct place){.group = hit.group,
		.block = hit.len,
		.scope = geo_scope(hit, client.family, source_len),
		.denied = denied};
}

uint64_t answer_key(struct ip client, struct place place, uint32_t service)
{
	uint8_t len = SL_MAX(place.block, client.family == IP_V4 ? KEY_LEN_V4 : KEY_LEN_V6);
	struct ip block = ip_mask(client, len);

	return hash_mix(hash64(block.b, sizeof(block.b), len), service);
}

void answer_narrow(const struct tick_row *row, struct ip client, struct place *place, uint64_t *key)
{
	uint8_t floor = client.family == IP_V4 ? KEY_LEN_V4 : KEY_LEN_V6;
	uint8_t from = SL_MAX(place->block, floor);
	uint8_t to = answer_hold_length(row->hold_length, client.family);
	uint8_t bits; /* of the address between the two, at the top */

	if (to <= from)
		return;
	bits = (uint8_t)(client.b[floor / 8] << (from - floor)) & (uint8_t)(0xff00 >> (to - from));
	*key += (uint64_t)bits << 56;
	place->scope = SL_MAX(place->scope, to);
}

void answer_full_update(
	struct answer_full *full, const struct world *w, const uint64_t *spent_kbps, bool stale)
{
	uint32_t n_vendors = w->cat.n_vendors;

	memset(full, 0, sizeof(*full));
	if (stale)
		return;
	for (uint32_t v = 0; v < n_vendors; v++)
		if (spent_kbps[v] >= w->tick.budgets[v].v)
			full->vendors |= UINT64_C(1) << v;
	for (uint32_t r = 0; r < w->cat.n_regions; r++)
		if (spent_kbps[SL_MAX_VENDORS + r] >= w->tick.budgets[n_vendors + r].v)
			full->regions[r / 64] |= UINT64_C(1) << (r % 64);
}

/* Slots of the service whose vendor, and region in this group, have budget left. */
static uint32_t slots_with_room(const struct world *w, const struct cat_service *s, uint32_t group,
	const struct answer_full *full)
{
	const struct cat_slot *slot = w->cat.slots + s->slots.first;
	uint32_t mask = 0;

	for (uint32_t i = 0; i < s->slots.count; i++) {
		uint32_t v = slot[i].vendor;
		uint16_t r = w->cat.region_of[world_cell(w, group, v)].v;
		bool spent = full->vendors >> v & 1;

		if (r != UINT16_MAX)
			spent |= full->regions[r / 64] >> (r % 64) & 1;
		mask |= (uint32_t)!spent << i;
	}
	return mask;
}

/* Slots whose vendor carries the stream and may serve the address. */
static uint32_t slots_carried(
	const struct world *w, const struct cat_service *s, const struct question *q)
{
	const struct cat_slot *slot = w->cat.slots + s->slots.first;
	uint64_t vendors = (q->stream ? q->stream->vendors : UINT64_MAX) & ~q->denied;
	uint32_t mask = 0;

	if (vendors == UINT64_MAX)
		return UINT32_MAX;
	for (uint32_t i = 0; i < s->slots.count; i++)
		mask |= (uint32_t)(vendors >> slot[i].vendor & 1) << i;
	return mask;
}

/* A slot of the mask by its share; SCORE_NONE where the mask has no share at all. */
static uint32_t pick_by_share(const uint32_t *share, uint32_t mask, uint64_t key)
{
	uint64_t sum = 0, at;

	for (uint32_t i = 0; i < SCORE_NONE; i++)
		sum += mask >> i & 1 ? share[i] : 0;
	if (sum == 0)
		return mask ? (uint32_t)__builtin_ctz(mask) : SCORE_NONE;
	at = (uint64_t)(((unsigned __int128)key * sum) >> 64);
	for (uint32_t i = 0; i < SCORE_NONE; i++) {
		uint64_t part = mask >> i & 1 ? share[i] : 0;

		if (at < part)
			return i;
		at -= part;
	}
	return SCORE_NONE;
}

/* The slots a session may be given, and how it came to fewer. */
struct choice {
	uint32_t carried; /* the stream is there, the address allowed */
	uint32_t usable;  /* and the row allows it */
	uint32_t open;    /* and there is budget */
	uint32_t wanted;  /* and it has not just failed, unless all have */
	const uint32_t *share;
};

static struct choice choices(const struct world *w, const struct question *q,
	const struct tick_row *row, const struct answer_full *full)
{
	const struct cat_service *s = &w->cat.services[q->service];
	struct choice c = {.carried = slots_carried(w, s, q)};
	uint32_t shares = q->stale ? row->fallback : row->shares;

	c.share = w->tick.shares[shares].ppm.v;
	c.usable = c.carried & row->usable;
	if (q->stale) /* fallback shares hold restrictions and blacklist of their own */
		for (uint32_t i = 0, all = c.carried, m = 0; i <= SCORE_NONE; i++) {
			if (i == SCORE_NONE)
				c.usable = m;
			else
				m |= (all >> i & 1) && c.share[i] ? 1u << i : 0;
		}
	c.open = c.usable & slots_with_room(w, s, q->group, full);
	c.wanted = c.open & ~q->avoid ? c.open & ~q->avoid : c.open;
	return c;
}

static uint32_t pick_sticky(const struct world *w, const struct question *q,
	const struct tick_row *row, const struct choice *c, uint8_t *ret_reason)
{
	uint32_t slot;

	*ret_reason = q->stale ? ANSWER_FALLBACK : ANSWER_STICKY;
	if (q->stale || row->sticky.count == 0)
		return pick_by_share(c->share, c->wanted, q->key);
	slot = answer_sticky_slot(w, row, q->key);
	if (slot == SCORE_NONE || c->wanted >> slot & 1)
		return slot;
	*ret_reason = ANSWER_SPILLED;
	return pick_by_share(c->share, c->wanted, hash_mix(q->key, 1));
}

static uint32_t pick_sequence(const struct question *q, const struct choice *c,
	struct answer_rows *rows, uint8_t *ret_reason)
{
	struct pick_seq fresh = {{0}};
	struct pick_seq *seq = rows ? &rows->seq[q->service][q->group] : &fresh;

	*ret_reason = q->stale ? ANSWER_FALLBACK : ANSWER_SEQUENCE;
	return pick_next(seq, c->share, c->wanted);
}

void answer_lower(const struct world *w, const struct question *q, uint32_t hash, struct answer *a)
{
	const struct cat_service *s = &w->cat.services[q->service];
	uint32_t rung;

	if (a->n == 0 || a->kind == ANSWER_REFRESH || a->stale || a->row->lower_ppm == 0)
		return;
	/* an operator may lower sessions of a service that has told no ladder */
	rung = pick_rung(w->tick.rungs[a->row->rungs].ppm.v, SL_MAX(s->ladder.count, 2U), hash);
	a->rung = (uint8_t)rung;
	if (rung && rung < s->ladder.count)
		a->kbps = w->cat.rungs[s->ladder.first + rung].kbps;
}

static uint8_t why_none(const struct question *q, const struct choice *c)
{
	if (!c->carried)
		return q->denied ? ANSWER_DENIED : ANSWER_NO_STREAM;
	return c->usable ? ANSWER_NO_ROOM : ANSWER_NO_VENDOR;
}

/* The ranked list behind the first. A seated session keeps its vendor before all. */
static void rank(const struct tick_row *row, const struct choice *c, const struct question *q,
	uint32_t first, struct answer *a)
{
	uint8_t order[SL_MAX_SLOTS];

	for (uint32_t i = 0; i < row->n_order; i++)
		order[i] = (uint8_t)(row->order >> (4 * i) & 15);
	a->n = pick_rank(
		order, row->n_order, c->open | 1u << first, q->avoid, SCORE_NONE, first, a->slot);
}

void answer_decide(const struct world *w, const struct question *q, const struct answer_full *full,
	struct answer_rows *rows, struct answer *ret_answer)
{
	const struct tick_row *row = world_row(w, q->service, q->group);
	struct answer a = {.row = row, .stale = q->stale, .kind = ANSWER_NEW};
	bool has_cur = q->cur < SCORE_NONE;
	struct choice c;
	uint32_t first;

	if (row->shares == BLOB_NONE) {
		a.reason = ANSWER_NO_SERVICE;
		*ret_answer = a;
		return;
	}
	c = choices(w, q, row, full);
	if (has_cur && (row->seated & c.carried & ~q->avoid) >> q->cur & 1) {
		first = q->cur;
		a.reason = ANSWER_KEPT;
		a.kind = ANSWER_REFRESH;
	} else {
		first = q->by_sequence ? pick_sequence(q, &c, rows, &a.reason)
				       : pick_sticky(w, q, row, &c, &a.reason);
		if (has_cur) {
			a.kind = ANSWER_MOVE;
			a.reason = ANSWER_MOVED;
		}
	}
	if (first >= SCORE_NONE)
		a.reason = why_none(q, &c);
	else
		rank(row, &c, q, first, &a);
	*ret_answer = a;
}
