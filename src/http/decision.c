/* SPDX-License-Identifier: Apache-2.0 */
#include "http/decision.h"

#include "base/hash.h"
#include "geo/table.h"

uint32_t http_slot_of(const struct cat_view *c, const struct cat_service *s, struct str name)
{
	const struct cat_slot *slot = c->slots + s->slots.first;

	for (uint32_t i = 0; i < s->slots.count; i++)
		if (str_eq(cat_text(c, c->vendors[slot[i].vendor].name), name))
			return i;
	return SCORE_NONE;
}

/* Names that are not of this service are passed over: a vendor may have left it while players still
 * sit there. */
static uint32_t avoid_mask(const struct cat_view *c, const struct cat_service *s, struct str names)
{
	uint32_t mask = 0;

	while (names.n) {
		uint32_t slot = http_slot_of(c, s, str_cut(&names, ','));

		if (slot != SCORE_NONE)
			mask |= 1u << slot;
	}
	return mask;
}

/* A client that is known keeps its rung; of a block that is not, a part is lowered. */
static uint32_t rung_hash(const struct http_query *query, uint64_t key, uint64_t now_ms)
{
	return (uint32_t)(hash_mix(key, query->client.n ? 0 : now_ms) >> 32);
}

void http_locate_service(struct http_worker *hw, const struct http_query *query, uint32_t service,
	struct http_decision *ret_decision)
{
	struct worker *w = &hw->worker;
	const struct cat_view *c = &w->world->cat;
	struct http_decision d = {.service = &c->services[service]};

	d.place = answer_locate(w->world, query->ip, ip_bits(query->ip));
	d.q = (struct question){.service = service,
		.group = d.place.group,
		.key = query->client.n ? hash64(query->client.p, query->client.n, service)
				       : answer_key(query->ip, d.place, service),
		.cur = query->cur.n ? http_slot_of(c, d.service, query->cur) : SCORE_NONE,
		.avoid = avoid_mask(c, d.service, query->avoid),
		.by_sequence = query->client.n || query->cur.n,
		.denied = d.place.denied,
		.stale = w->stale,
		.now_ms = w->now_ms};
	if (!query->client.n)
		answer_narrow(
			world_row(w->world, service, d.q.group), query->ip, &d.place, &d.q.key);
	if (query->stream.n) {
		d.stream = hash64(query->stream.p, query->stream.n, 0);
		d.q.stream = cat_find_stream(c, service, query->stream);
	}
	*ret_decision = d;
}

int http_locate(
	struct http_worker *hw, const struct http_query *query, struct http_decision *ret_decision)
{
	const struct world *w = hw->worker.world;
	const struct cat_dname *host;

	geo_prefetch(w->geo, query->ip, 0); /* far away; the host takes its time meanwhile */
	host = cat_find_host(&w->cat, query->host);
	if (!host)
		return SL_ENOENT;
	http_locate_service(hw, query, host->service, ret_decision);
	ret_decision->host = host;
	return 0;
}

int http_decide(
	struct http_worker *hw, const struct http_query *query, struct http_decision *ret_decision)
{
	struct http_decision *d = ret_decision;
	int rc = http_locate(hw, query, d);

	if (rc)
		return rc;
	worker_decide(&hw->worker, &d->q, &d->a);
	answer_lower(hw->worker.world, &d->q, rung_hash(query, d->q.key, hw->worker.now_ms), &d->a);
	return 0;
}

void http_give(struct http_decision *d, uint32_t i)
{
	uint8_t slot;

	if (i >= d->a.n) {
		d->a.n = 0;
		return;
	}
	slot = d->a.slot[i];
	if (i && d->a.kind == ANSWER_REFRESH)
		d->a.kind = ANSWER_MOVE; /* what it had is what it does not get */
	memmove(d->a.slot + 1, d->a.slot, i);
	d->a.slot[0] = slot;
}

void http_record(
	struct http_worker *hw, const struct http_query *query, const struct http_decision *d)
{
	struct worker *w = &hw->worker;
	bool seen = false;

	if (!d->q.by_sequence)
		seen = seen_before(w->all->seen,
			hash_mix(hash64(&query->ip, sizeof(query->ip), 0), d->q.service));
	worker_record(w, &d->q, &d->a, 1, seen);
	if (d->a.rung && !seen)
		tally_add(&w->tally->row[d->q.service][d->q.group].lowered, 1);
}

uint32_t http_refresh_s(uint32_t base_s, uint64_t key, uint64_t now_ms)
{
	uint32_t fifth = base_s / 5;

	return base_s - fifth + (uint32_t)(hash_mix(key, now_ms) % (2 * fifth + 1));
}

const char *http_refusal_code(uint8_t reason)
{
	switch (reason) {
	case ANSWER_NO_ROOM:
		return "no_room";
	case ANSWER_NO_STREAM:
		return "no_stream";
	case ANSWER_DENIED:
		return "denied";
	case ANSWER_NO_SERVICE:
		return "no_service";
	default:
		return "no_vendor";
	}
}
