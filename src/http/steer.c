/* SPDX-License-Identifier: Apache-2.0 */
/*
 * GET /steer/SERVICE[/STREAM]: content steering for HLS and DASH players
 * (draft-pantos-content-steering-05, ETSI TS 103 998), one manifest for both. A pathway is a
 * vendor, by its name.
 *
 * A player stays where it is unless there is cause. What it was told last stands in the RELOAD-URI,
 * and nothing is kept here: without it, it asks for the first time. Whatever else is in the query
 * (tokens, the client's id) is in the RELOAD-URI again, octet by octet.
 *
 * The players fix the rest: always a TTL, never 429 (which ends steering in hls.js), two pathways
 * where there are two (one ends failover in hls.js), a list also when nobody has room, a RELOAD-URI
 * always (video.js resolves it against its own, so a query alone does).
 */
#include "base/hash.h"
#include "http/url.h"
#include "http/write.h"
#include "httpd/httpd_query.h"

enum {
	TTL_MOVING_S = 10,
	CALM_REFRESHES = 10, /* TTL otherwise, in refresh_s of the service: 300 s by default */
	PACE_S = 60,         /* over which what is above a maximum is moved away */
};

#define PATH_PREFIX "/steer/"

/* What a player says; all empty where it does not. */
struct said {
	struct str pathways;    /* it plays from, with commas, the latest last */
	struct str throughputs; /* of each, bit/s */
	struct str told;        /* the first of the list that it got last */
	struct str declared;    /* pathways of its playlist */
	bool dash;              /* a DASH player; its first request does not show it */
};

/* A player as slots of the service; SCORE_NONE where there is none. */
struct seat {
	uint32_t at, told;
	uint32_t can; /* bit per slot: the player has its pathway, or may have by a clone */
	uint32_t declared;
	bool dash;
};

/* What the player is told, best first. */
struct list {
	uint8_t slot[SL_MAX_SLOTS];
	uint32_t n, mask;
};

/* --- the question -------------------------------------------------------------------------- */

static struct str unquoted(struct str s)
{
	if (s.n >= 2 && s.p[0] == '"' && s.p[s.n - 1] == '"')
		return (struct str){s.p + 1, s.n - 2};
	return s;
}

/* Where a parameter of the players or of ours goes; NULL: it is none. */
static struct str *place_of(struct said *said, struct str name)
{
	if (str_eq(name, STR_LIT("_HLS_pathway")) || str_eq(name, STR_LIT("_DASH_pathway")))
		return &said->pathways;
	if (str_eq(name, STR_LIT("_HLS_throughput")) || str_eq(name, STR_LIT("_DASH_throughput")))
		return &said->throughputs;
	return str_eq(name, STR_LIT("_told")) ? &said->told : NULL;
}

/* NULL, or what is wrong. What a player sends by itself is never wrong. */
static const char *read_query(
	const struct httpd_request *rq, struct http_query *query, struct said *said)
{
	const char *wrong = NULL;

	for (uint16_t i = 0; i < rq->n_params && !wrong; i++) {
		struct str name = rq->params[i].name, value = rq->params[i].value;
		struct str *place = place_of(said, name);

		said->dash |= name.n > 6 && memcmp(name.p, "_DASH_", 6) == 0;
		if (place)
			*place = unquoted(value);
		else if (str_eq(name, STR_LIT("pathways")))
			said->declared = value;
		else if (str_eq(name, STR_LIT("client")) || str_eq(name, STR_LIT("ip")))
			wrong = http_query_set(query, name, value);
	}
	return wrong;
}

/* The service of the path, with the stream into the query; BLOB_NONE: no such service. */
static uint32_t read_path(struct http_worker *w, struct str path, struct http_query *query)
{
	const struct cat_view *c = &w->worker.world->cat;
	struct buf b = buf_over(w->scratch, sizeof(w->scratch));
	uint32_t service;

	path = (struct str){path.p + sizeof(PATH_PREFIX) - 1, path.n - (sizeof(PATH_PREFIX) - 1)};
	service = cat_find_service(c, str_cut(&path, '/'));
	if (!httpd_unescape(path, &b, &query->stream) || query->stream.n > SL_HTTP_STREAM_MAX)
		return BLOB_NONE;
	return service;
}

/* --- who it is ----------------------------------------------------------------------------- */

static uint32_t slots_named(
	const struct cat_view *c, const struct cat_service *s, struct str names, uint32_t *ret_last)
{
	uint32_t mask = 0;

	*ret_last = SCORE_NONE;
	while (names.n) {
		uint32_t slot = http_slot_of(c, s, str_cut(&names, ','));

		if (slot == SCORE_NONE)
			continue;
		*ret_last = slot;
		mask |= 1u << slot;
	}
	return mask;
}

/* The declared pathway that a slot may be cloned from, or SCORE_NONE. */
static uint32_t base_of(
	const struct world *w, const struct http_decision *d, uint32_t declared, uint8_t slot)
{
	for (uint8_t i = 0; i < d->service->slots.count; i++)
		if (declared >> i & 1 && http_same_but_host(w, d, i, slot))
			return i;
	return SCORE_NONE;
}

static uint32_t reason_of(const struct tick_row *row, uint32_t slot)
{
	return (uint32_t)(row->reasons >> (4 * slot) & 15);
}

/* Restricted here, or without the stream: not even to fill the list up. */
static uint32_t forbidden(const struct world *w, const struct http_decision *d)
{
	const struct tick_row *row = world_row(w, d->q.service, d->q.group);
	const struct cat_slot *slot = w->cat.slots + d->service->slots.first;
	uint32_t mask = 0;

	for (uint32_t i = 0; i < d->service->slots.count; i++) {
		bool carried = !d->q.stream || d->q.stream->vendors >> slot[i].vendor & 1;

		mask |= (uint32_t)(!carried || reason_of(row, i) == SCORE_RESTRICTED) << i;
	}
	return mask;
}

static struct seat seat_of(
	const struct world *w, const struct http_decision *d, const struct said *said)
{
	uint32_t all = (1u << d->service->slots.count) - 1, last;
	struct seat seat = {.told = http_slot_of(&w->cat, d->service, said->told),
		.can = all,
		.dash = said->dash};

	seat.declared = slots_named(&w->cat, d->service, said->declared, &last);
	(void)slots_named(&w->cat, d->service, said->pathways, &seat.at);
	for (uint8_t i = 0; seat.declared && i < d->service->slots.count; i++)
		if (!(seat.declared >> i & 1) && base_of(w, d, seat.declared, i) == SCORE_NONE)
			seat.can &= ~(1u << i);
	if (seat.can & ~forbidden(w, d))
		seat.can &= ~forbidden(w, d);
	return seat;
}

/* --- whether it stays ---------------------------------------------------------------------- */

/* By how much of its load a vendor is above its maximum, or above that of its region here. */
static uint32_t over_ppm(const struct world *w, const struct http_decision *d, uint32_t slot)
{
	uint32_t v = w->cat.slots[d->service->slots.first + slot].vendor, over = 0;
	uint16_t r = w->cat.region_of[world_cell(w, d->q.group, v)].v;
	const uint32_t cell[] = {v, r == UINT16_MAX ? v : w->cat.n_vendors + r};

	for (size_t i = 0; i < SL_COUNT(cell); i++) {
		const struct tick_figure *f = &w->tick.figures[cell[i]];
		double load = SL_MAX(f->current_mbps, f->forecast_mbps);

		if (load > f->max_mbps)
			over = SL_MAX(over, (uint32_t)((load - f->max_mbps) / load * SCORE_PPM));
	}
	return over;
}

/* Cause to leave a vendor that sessions may keep otherwise: it is drained, or it is over its
 * maximum and the lot falls on this player. A stale tick is no cause. */
static bool has_cause(const struct http_worker *hw, const struct http_decision *d, uint32_t slot)
{
	const struct worker *w = &hw->worker;
	uint32_t over;

	if (slot == SCORE_NONE || w->stale)
		return false;
	if (reason_of(world_row(w->world, d->q.service, d->q.group), slot) == SCORE_DRAINED)
		return true;
	over = over_ppm(w->world, d, slot);
	return over && hash_mix(d->q.key, w->now_ms) % SCORE_PPM < over / (PACE_S / TTL_MOVING_S);
}

/* Decides. What it is told for the first time is new; the same again is a refresh; another than it
 * was told is a move, whether we or the player chose it. */
static void decide(
	struct http_worker *w, const struct seat *seat, bool asks_again, struct http_decision *d)
{
	d->q.avoid = ~seat->can;
	if (asks_again) {
		d->q.by_sequence = true;
		d->q.cur = seat->at == SCORE_NONE ? seat->told : seat->at;
		if (has_cause(w, d, d->q.cur)) {
			d->q.avoid |= 1u << d->q.cur;
			if (seat->told != d->q.cur && !has_cause(w, d, seat->told))
				d->q.cur = seat->told; /* it is still on its way */
		}
	}
	worker_decide(&w->worker, &d->q, &d->a);
	if (asks_again && seat->told != SCORE_NONE && d->a.n)
		d->a.kind = d->a.slot[0] == seat->told ? ANSWER_REFRESH : ANSWER_MOVE;
}

/* --- what it has seen ---------------------------------------------------------------------- */

static uint32_t vendor_of(const struct http_worker *w, const struct http_decision *d, uint32_t slot)
{
	return w->worker.world->cat.slots[d->service->slots.first + slot].vendor;
}

static void put_note(struct http_worker *w, const struct http_decision *d, enum tally_kind kind,
	uint32_t slot, uint64_t kbps)
{
	const struct tally_note note = {.kind = kind,
		.vendor = vendor_of(w, d, slot),
		.group = d->q.group,
		.kbps = (uint32_t)kbps};

	if (w->worker.now_ms - w->notes_ms >= 1000) {
		w->notes_ms = w->worker.now_ms;
		w->notes = 0;
	}
	if (w->notes++ < SL_STEER_NOTES_PER_S)
		tally_put_note(w->worker.tally, &note);
}

static void note_throughputs(
	struct http_worker *w, const struct said *said, const struct http_decision *d)
{
	struct str pathways = said->pathways, throughputs = said->throughputs;

	for (uint32_t i = 0; i < SL_MAX_SLOTS && pathways.n; i++) {
		struct str name = str_cut(&pathways, ','), value = str_cut(&throughputs, ',');
		uint32_t slot = http_slot_of(&w->worker.world->cat, d->service, name);
		uint64_t bps;

		value = str_cut(&value, '.'); /* some tell fractions of a bit */
		if (slot == SCORE_NONE || !str_parse_u64(value, 15, &bps) || bps < 1000 ||
			bps / 1000 > SL_STEER_MAX_KBPS)
			continue;
		put_note(w, d, TALLY_THROUGHPUT, slot, bps / 1000);
		tally_count(w->worker.tally, TALLY_STEER_THROUGHPUT);
	}
}

/* Throughputs of a first request are the player's own guess. Who plays from another vendor than it
 * was told of, which it could have kept, has left that one. */
static void note(struct http_worker *w, const struct said *said, const struct seat *seat,
	const struct http_decision *d)
{
	static const enum tally_id kinds[ANSWER_KINDS] = {
		TALLY_STEER_NEW, TALLY_STEER_KEPT, TALLY_STEER_MOVED};
	struct tally *t = w->worker.tally;

	tally_count(t, kinds[said->told.n ? d->a.kind : ANSWER_NEW]);
	if (said->told.n == 0)
		return;
	note_throughputs(w, said, d);
	if (seat->told == SCORE_NONE || seat->at == SCORE_NONE || seat->at == seat->told ||
		d->a.n == 0 || d->a.slot[0] != seat->at)
		return;
	tally_count(t, TALLY_STEER_LEFT);
	put_note(w, d, TALLY_LEFT, seat->told, 0);
}

/* --- the answer ---------------------------------------------------------------------------- */

static void add(struct list *l, uint32_t can, uint32_t slot)
{
	if (slot >= SCORE_NONE || !(can >> slot & 1) || l->mask >> slot & 1)
		return;
	l->slot[l->n++] = (uint8_t)slot;
	l->mask |= 1u << slot;
}

/* The decision; where nobody has room, the vendor it has; then others until there are two, those
 * first that sessions may keep, and barred ones last. */
static struct list list_of(const struct seat *seat, const struct http_decision *d)
{
	struct list l = {.n = 0};
	uint32_t n = d->service->slots.count, seated = d->a.row->seated;

	for (uint32_t i = 0; i < d->a.n; i++)
		add(&l, seat->can, d->a.slot[i]);
	if (l.n == 0) {
		add(&l, seat->can, seat->at);
		add(&l, seat->can, seat->told);
	}
	for (uint32_t i = 0; i < n && (d->a.n == 0 || l.n < 2); i++)
		add(&l, seat->can & seated, i);
	for (uint32_t i = 0; i < n && l.n < 2; i++)
		add(&l, seat->can, i);
	return l;
}

/* Whether this group's vendors change just now. When all behind is dead nothing does. */
static bool is_moving(const struct http_worker *hw, const struct http_decision *d)
{
	const struct world *w = hw->worker.world;
	bool moving = d->a.kind == ANSWER_MOVE || d->a.n == 0;

	for (uint32_t i = 0; i < d->service->slots.count; i++) {
		uint32_t reason = reason_of(d->a.row, i);

		moving |= reason == SCORE_DRAINED || reason == SCORE_EVACUATED ||
			  reason == SCORE_BLACKLISTED || reason == SCORE_DOWN ||
			  over_ppm(w, d, i) > 0 ||
			  w->tick.breakers[world_cell(w, d->q.group, vendor_of(hw, d, i))].v !=
				  TICK_CLOSED;
	}
	return moving && !hw->worker.stale;
}

static uint32_t ttl_of(const struct http_worker *w, const struct http_decision *d)
{
	uint32_t calm = CALM_REFRESHES * d->service->refresh_s;

	if (is_moving(w, d))
		return TTL_MOVING_S;
	return SL_MAX((uint32_t)TTL_MOVING_S, http_refresh_s(calm, d->q.key, w->worker.now_ms));
}

static struct str name_of(const struct http_worker *w, const struct http_decision *d, uint32_t slot)
{
	const struct cat_view *c = &w->worker.world->cat;

	return cat_text(c, c->vendors[vendor_of(w, d, slot)].name);
}

/* A query alone: it resolves against the address that the player came by, whatever that is. */
static void put_reload_uri(
	struct buf *out, struct http_worker *w, const struct httpd_request *rq, struct str told)
{
	struct buf b = buf_over(w->scratch, sizeof(w->scratch));
	struct str rest = {NULL, 0};
	struct said none = {.pathways = rest};

	if (rq->n_params) {
		rest = httpd_target(rq);
		(void)str_cut(&rest, '?');
	}
	buf_put_u8(&b, '?');
	while (rest.n) {
		struct str one = str_cut(&rest, '&'), value = one, name = str_cut(&value, '=');

		if (place_of(&none, name))
			continue;
		buf_put_str(&b, one);
		buf_put_u8(&b, '&');
	}
	BUF_PUT_LIT(&b, "_told=");
	buf_put_str(&b, told);
	BUF_PUT_LIT(out, ",\"RELOAD-URI\":");
	http_write_text(out, (struct str){(char *)b.base, buf_len(&b)});
}

/* HLS players put HOST in place of the name and leave the port; dash.js puts it in place of both.
 */
static void put_clone(struct buf *b, const struct http_worker *w, const struct http_decision *d,
	const struct seat *seat, uint8_t slot)
{
	struct str host = http_slot_host(w->worker.world, d, slot);

	BUF_PUT_LIT(b, "{\"BASE-ID\":");
	http_write_text(b, name_of(w, d, base_of(w->worker.world, d, seat->declared, slot)));
	BUF_PUT_LIT(b, ",\"ID\":");
	http_write_text(b, name_of(w, d, slot));
	BUF_PUT_LIT(b, ",\"URI-REPLACEMENT\":{\"HOST\":");
	http_write_text(b, seat->dash ? host : str_cut(&host, ':'));
	BUF_PUT_LIT(b, ",\"PARAMS\":{}}}"); /* video.js fails without */
}

/* All vendors that the playlist does not have, listed just now or not: video.js takes them from its
 * first manifest only. Nothing but the host is replaced, so tokens stay as they are. */
static void put_clones(struct buf *b, const struct http_worker *w, const struct http_decision *d,
	const struct seat *seat)
{
	uint32_t missing = seat->declared ? seat->can & ~seat->declared : 0;
	bool first = true;

	for (uint8_t i = 0; i < d->service->slots.count; i++) {
		if (!(missing >> i & 1))
			continue;
		if (first)
			BUF_PUT_LIT(b, ",\"PATHWAY-CLONES\":[");
		else
			buf_put_u8(b, ',');
		put_clone(b, w, d, seat, i);
		first = false;
	}
	if (!first)
		buf_put_u8(b, ']');
}

static void put_manifest(struct buf *b, struct http_worker *w, const struct httpd_request *rq,
	const struct http_decision *d, const struct seat *seat)
{
	struct list l = list_of(seat, d);

	BUF_PUT_LIT(b, "{\"VERSION\":1,\"TTL\":");
	buf_put_u64_dec(b, ttl_of(w, d));
	put_reload_uri(b, w, rq, name_of(w, d, l.slot[0]));
	BUF_PUT_LIT(b, ",\"PATHWAY-PRIORITY\":[");
	for (uint32_t i = 0; i < l.n; i++) {
		if (i)
			buf_put_u8(b, ',');
		http_write_text(b, name_of(w, d, l.slot[i]));
	}
	buf_put_u8(b, ']');
	put_clones(b, w, d, seat);
	buf_put_u8(b, '}');
}

void http_door_steer(struct http_worker *w, const struct httpd_request *rq, struct httpd_reply *rp)
{
	const struct cat_view *c = &w->worker.world->cat;
	struct http_query query = http_query_of(rq->client);
	struct said said = {.pathways = {NULL, 0}};
	const char *wrong = read_query(rq, &query, &said);
	uint32_t service = read_path(w, rq->path, &query);
	struct http_decision d;
	struct seat seat;

	if (service == BLOB_NONE || c->services[service].slots.count == 0) {
		httpd_reply_error(rp, 404, "unknown_service", "no such service is steered here");
		return;
	}
	if (c->services[service].no_steer) {
		httpd_reply_error(rp, 410, "no_steering", "this service is not steered any more");
		return;
	}
	if (wrong) {
		httpd_reply_error(rp, 400, "bad_request", wrong);
		return;
	}
	http_locate_service(w, &query, service, &d);
	seat = seat_of(w->worker.world, &d, &said);
	decide(w, &seat, said.told.n != 0, &d);
	if (d.a.n || said.told.n == 0) /* who stays for want of room elsewhere is no new demand */
		worker_record(&w->worker, &d.q, &d.a, 1, false);
	note(w, &said, &seat, &d);
	put_manifest(&rp->body, w, rq, &d, &seat);
	rp->type = "application/vnd.apple.steering-list";
}
