/* SPDX-License-Identifier: Apache-2.0 */
#include "collect/books.h"

#include "base/hash.h"
#include "collect/books_int.h"

#include <stdlib.h>
#include <sys/mman.h>

enum { DENSE = SL_MAX_VENDORS * SL_MAX_GROUPS };

/* Zeroed memory that is touched as it is used. */
static void *room(size_t n, size_t size)
{
	void *p = mmap(NULL, n * size, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

/* The rows of what is made by room(): member, elements. It is made anew each tick, but for cell_of.
 */
#define BIG(X)                                                                                     \
	X(cell_of, DENSE)                                                                          \
	X(fact, (size_t)COLLECT_SPANS *COLLECT_MAX_CELLS)                                          \
	X(push_row, collect_pusher_rows(b))                                                        \
	X(push_sample, 5 * collect_pusher_rows(b))                                                 \
	X(spare, b->limits.pulls)                                                                  \
	X(sample, 4 * (size_t)b->limits.pulls)                                                     \
	X(sample_at, (size_t)COLLECT_SPANS *COLLECT_MAX_CELLS + 1)

void collect_books_free(struct collect_books *b)
{
	if (!b)
		return;
	collect_table_done(&b->uses);
	collect_kept_close(b);
#define X(member, n)                                                                               \
	if (b->member)                                                                             \
		(void)munmap(b->member, (n) * sizeof(*b->member));
	BIG(X)
#undef X
	free(b);
}

int collect_books_new(const struct collect_limits *limits, int fd, uint64_t now_ms,
	struct collect_books **ret_books, struct errbuf *err)
{
	struct collect_books *b = calloc(1, sizeof(*b));
	int rc = 0;

	if (!b)
		return err_set(err, SL_ENOMEM, "collect: no memory for the books");
	b->limits = *limits;
#define X(member, n)                                                                               \
	if (!rc)                                                                                   \
		rc = (b->member = room((n), sizeof(*b->member))) ? 0 : SL_ENOMEM;
	BIG(X)
#undef X
	if (!rc)
		rc = collect_table_init(&b->uses, limits->streams, sizeof(struct collect_use));
	if (rc)
		(void)err_set(err, rc, "collect: no memory for the books");
	else
		rc = collect_kept_open(b, fd, now_ms, err);
	if (rc)
		collect_books_free(b);
	else
		*ret_books = b;
	return rc;
}

/* The cell of a pair, made if there was none; NULL when there are too many. */
static struct collect_cell *cell_for(struct collect_books *b, uint8_t vendor, uint16_t group)
{
	uint32_t *at = &b->cell_of[vendor * SL_MAX_GROUPS + group];

	if (*at == 0) {
		if (b->k->n_cells == COLLECT_MAX_CELLS) {
			b->k->lost_cells++;
			return NULL;
		}
		b->cell[b->k->n_cells] = (struct collect_cell){.group = group, .vendor = vendor};
		collect_settle();
		*at = ++b->k->n_cells;
	}
	return &b->cell[*at - 1];
}

bool collect_spend(
	struct collect_books *b, uint64_t key, uint64_t bucket, uint32_t allowed, uint64_t now_ms)
{
	struct collect_cap *c = collect_table_get(
		&b->caps, key, now_ms > COLLECT_MINUTE_MS ? now_ms - COLLECT_MINUTE_MS : 0);

	c->e.seen_ms = now_ms;
	if (c->bucket != (uint32_t)bucket) {
		c->bucket = (uint32_t)bucket;
		c->used = 0;
	}
	if (c->used >= allowed)
		return false;
	c->used++;
	return true;
}

/* What a net may say at least, where `all` is what is usual in this time or has been said in it. */
static uint32_t floor_of_net(const struct collect_voice *v, uint32_t all)
{
	uint32_t part = (uint32_t)((uint64_t)all * COLLECT_CROWD_PER_CENT / 100);

	if (SL_MAX(v->nets[0], v->nets[1]) < COLLECT_CROWD)
		return COLLECT_PER_NET;
	return SL_MAX(SL_MIN(part, (uint32_t)COLLECT_PER_NET), (uint32_t)COLLECT_LEAST_PER_NET);
}

/* Both the address and its net must have room for one more to say of this cell. */
static bool may_speak(struct collect_books *b, const struct collect_record *r, uint32_t cell,
	uint64_t salt, uint64_t bucket, uint32_t all, uint32_t floor, uint64_t now_ms)
{
	uint32_t part = (uint32_t)((uint64_t)all * COLLECT_PER_CENT / 100);
	uint64_t key = hash_mix(salt, cell);
	bool may = collect_spend(b, hash_mix(r->address, key), bucket,
			   SL_MAX(part, COLLECT_PER_ADDRESS), now_ms) &&
		   collect_spend(b, hash_mix(r->net, ~key), bucket, SL_MAX(part, floor), now_ms);

	b->k->capped += !may;
	return may;
}

static void turn(struct collect_voice *v, uint64_t minute)
{
	bool follows = v->minute + 1 == minute;

	if (v->minute == minute)
		return;
	v->minute = minute;
	v->nets[1] = follows ? v->nets[0] : 0;
	v->said[1] = follows ? v->said[0] : 0;
	v->bad[1] = follows ? v->bad[0] : 0;
	v->over[1] = follows ? v->over[0] : 0;
	v->nets[0] = v->said[0] = v->bad[0] = v->over[0] = 0;
}

static void turn_net(struct collect_cap *c, uint32_t minute)
{
	bool follows = c->bucket + 1 == minute;

	if (c->bucket == minute)
		return;
	c->bucket = minute;
	c->used_before = follows ? c->used & INT32_MAX : 0;
	c->bad_before = follows ? c->bad : 0;
	c->used = c->bad = c->over = 0;
}

/* Whether this net has said all the bad that it may, in this minute and the one before. */
static bool is_over(const struct collect_voice *v, const struct collect_cap *c)
{
	uint64_t used = (uint64_t)c->used + c->used_before, bad = (uint64_t)c->bad + c->bad_before;
	uint64_t all = (uint64_t)v->said[0] + v->said[1], said = all - SL_MIN(all, used);
	uint64_t all_bad = (uint64_t)v->bad[0] + v->bad[1],
		 others_bad = all_bad - SL_MIN(all_bad, bad);

	return SL_MAX(v->nets[0], v->nets[1]) + (used == 0) >= COLLECT_MANY_NETS &&
	       said >= COLLECT_MANY_SAID &&
	       bad >= COLLECT_BAD_MORE + COLLECT_BAD_TIMES * others_bad * used / said;
}

/* Whether a net may say so: that it alone is not well says more about it than about a vendor, whose
 * faults several nets see. */
static bool plausible(struct collect_books *b, const struct collect_record *r, uint32_t cell,
	struct collect_voice *v, bool bad, uint64_t now_ms)
{
	uint64_t minute = now_ms / COLLECT_MINUTE_MS;
	struct collect_cap *c = collect_table_get(&b->caps,
		hash_mix(r->net, hash_mix(v == &b->cell[cell].pulls ? 'b' : 'w', cell)),
		now_ms > COLLECT_MINUTE_MS ? now_ms - COLLECT_MINUTE_MS : 0);

	turn(v, minute);
	turn_net(c, (uint32_t)minute);
	c->e.seen_ms = now_ms;
	if (bad && is_over(v, c)) {
		v->over[0] += !c->over;
		c->over = 1;
		if (SL_MAX(v->over[0], v->over[1]) < COLLECT_OVER_NETS) {
			b->k->capped++;
			return false;
		}
	}
	v->nets[0] += c->used == 0;
	c->used++;
	v->said[0]++;
	c->bad += bad && c->bad < UINT16_MAX;
	v->bad[0] += bad;
	return true;
}

static void take_pull(struct collect_books *b, struct collect_session *s,
	const struct collect_record *r, uint32_t cell, uint64_t now_ms)
{
	struct collect_cell *c = &b->cell[cell];
	uint64_t step = now_ms / COLLECT_STEP_MS;
	uint32_t usual;

	if (now_ms >= s->pulls_ms + COLLECT_MINUTE_MS) {
		s->pulls_ms = now_ms;
		s->pulls = 0;
	}
	if (s->pulls == COLLECT_PER_SESSION) {
		b->k->capped++;
		return;
	}
	s->pulls++;
	if (c->step != step) {
		c->step = step;
		c->step_pulls = 0;
	}
	usual = SL_MAX(c->step_pulls, c->pulls.said[1] / (COLLECT_MINUTE_MS / COLLECT_STEP_MS));
	if (!may_speak(
		    b, r, cell, 'p', step, c->step_pulls, floor_of_net(&c->pulls, usual), now_ms) ||
		!plausible(b, r, cell, &c->pulls, !(r->flags & COLLECT_PULL_OK), now_ms))
		return;
	c->step_pulls++;
	if (b->k->pull_end - b->k->pull_first == b->limits.pulls) {
		b->k->lost_pulls++;
		return;
	}
	b->pull[b->k->pull_end % b->limits.pulls] = (struct collect_pull){.t_ms = r->t_ms,
		.came_ms = now_ms,
		.stream = r->stream,
		.cell = cell,
		.first_frame_us = r->flags & COLLECT_FIRST_FRAME ? r->first_frame_us : UINT32_MAX,
		.ok = (r->flags & COLLECT_PULL_OK) != 0,
		.definition = r->definition,
		.client = r->client};
	collect_settle();
	b->k->pull_end++;
}

/* A user counts in the cells it reported of. Within a minute of arrival it costs its place once. */
static void take_user(struct collect_books *b, const struct collect_record *r, uint32_t cell,
	bool stalled, uint64_t now_ms)
{
	struct collect_cell *c = &b->cell[cell];
	uint64_t key = hash_mix(r->user, cell + 1), minute = now_ms / COLLECT_MINUTE_MS;
	struct collect_user *u = collect_table_find(&b->users, key);

	if (c->minute != minute) {
		c->minute = minute;
		c->minute_users = 0;
	}
	if (!plausible(b, r, cell, &c->users, stalled, now_ms))
		return;
	if (!u || u->counted_ms != minute) {
		if (!may_speak(b, r, cell, 'u', minute, c->minute_users,
			    floor_of_net(&c->users, c->minute_users), now_ms))
			return;
		c->minute_users++;
	}
	if (!u)
		u = collect_table_get(&b->users, key,
			now_ms > COLLECT_MINUTE_MS ? now_ms - COLLECT_MINUTE_MS : 0);
	u->cell = cell;
	u->counted_ms = minute;
	u->definition = r->definition;
	u->client = r->client;
	u->e.seen_ms = SL_MAX(u->e.seen_ms, r->t_ms);
	if (stalled)
		u->stalled_ms = SL_MAX(u->stalled_ms, r->t_ms);
}

/* Whether a report tells of a stall: by itself, because the sum of all stalls has grown by as much,
 * or because the player said that it stands still and has not gone on for so long. */
static bool tells_of_stall(struct collect_session *s, const struct collect_record *r, bool known)
{
	bool stalled = r->flags & COLLECT_STALLED;

	if (r->flags & COLLECT_STALL_TOTAL) {
		stalled |= known && r->stall_total_ms >= s->stall_total_ms &&
			   r->stall_total_ms - s->stall_total_ms >= COLLECT_STALL_MS;
		s->stall_total_ms = r->stall_total_ms;
	}
	if (r->flags & COLLECT_STATE) {
		stalled |= s->starved_ms && r->t_ms >= s->starved_ms + COLLECT_STALL_MS;
		if (!(r->flags & COLLECT_STARVED))
			s->starved_ms = 0;
		else if (!s->starved_ms)
			s->starved_ms = r->t_ms;
	}
	if (stalled)
		s->stalled_ms = SL_MAX(s->stalled_ms, r->t_ms);
	return stalled;
}

static void take_report(struct collect_books *b, const struct collect_record *r, uint64_t now_ms)
{
	struct collect_cell *c = cell_for(b, r->vendor, r->group);
	struct collect_session *s;
	bool stalled = r->flags & COLLECT_STALLED, known;
	uint32_t cell;

	if (!c)
		return;
	cell = (uint32_t)(c - b->cell);
	s = collect_table_find(&b->sessions, r->session);
	known = s;
	if (!s) {
		if (!collect_spend(b, hash_mix(r->net, 's'), now_ms / COLLECT_MINUTE_MS,
			    COLLECT_SESSIONS_PER_NET, now_ms)) {
			b->k->capped++;
			return;
		}
		s = collect_table_get(&b->sessions, r->session,
			now_ms > COLLECT_LIVE_MS ? now_ms - COLLECT_LIVE_MS : 0);
	}
	if (r->t_ms >= s->e.seen_ms) { /* a late report does not move a session back */
		stalled = tells_of_stall(s, r, known);
		s->e.seen_ms = r->t_ms;
		s->cell = cell;
		s->stream = r->stream;
		s->keep = r->keep;
		s->definition = r->definition;
		s->client = r->client;
		s->alive = !(r->flags & COLLECT_PULL) || r->flags & COLLECT_PULL_OK;
		if (r->flags & COLLECT_BITRATE)
			s->kbps = r->kbps;
	}
	if (r->flags & COLLECT_PULL)
		take_pull(b, s, r, cell, now_ms);
	take_user(b, r, cell, stalled, now_ms);
}

static void take_log(struct collect_books *b, const struct collect_record *r, uint64_t now_ms)
{
	struct collect_cell *c = cell_for(b, r->vendor, r->group);
	uint64_t minute = r->t_ms / COLLECT_MINUTE_MS;
	uint32_t cell;
	struct collect_log *l;

	if (!c)
		return;
	cell = (uint32_t)(c - b->cell);
	l = collect_table_get(&b->logs, hash_mix(minute, cell), 0);
	l->cell = cell;
	l->minute = minute;
	l->e.seen_ms = now_ms;
	l->octets += r->octets;
	l->requests++;
	l->errors += r->flags & COLLECT_LOG_ERROR ? 1 : 0;
	l->slow += r->flags & COLLECT_LOG_SLOW ? 1 : 0;
}

/* Names of streams and ingests that workers have met. */
static void take_names(struct collect_books *b, const struct collect_batch *from, uint64_t now_ms)
{
	const uint8_t *p = from->text, *end = p + from->text_used;

	while (p < end) {
		struct collect_stream_name *s;
		uint64_t hash;
		uint16_t n;

		memcpy(&hash, p, sizeof(hash));
		memcpy(&n, p + sizeof(hash), sizeof(n));
		p += sizeof(hash) + sizeof(n);
		s = collect_table_get(&b->streams, hash, now_ms);
		s->e.seen_ms = now_ms;
		if (!s->text && COLLECT_NAMES - b->k->names_used >= n) {
			uint32_t at = b->k->names_used;

			memcpy(b->names + at, p, n);
			b->k->names_used += n;
			s->n = n;
			collect_settle();
			s->text = at + 1;
		}
		p += n;
	}
}

static void add_counts(struct collect_counts *to, const struct collect_counts *from)
{
	to->accepted += from->accepted;
	to->shed += from->shed;
	to->dropped += from->dropped;
	for (int i = 0; i < COLLECT_REFUSALS; i++)
		to->refused[i] += from->refused[i];
	to->last_ms = SL_MAX(to->last_ms, from->last_ms);
}

void collect_books_clock(struct collect_books *b, uint64_t now_ms)
{
	if (now_ms + COLLECT_AHEAD_MS < b->last_ms)
		collect_kept_back(b, now_ms);
	b->last_ms = now_ms;
}

void collect_books_take(
	struct collect_books *b, const struct collect_batch *from, bool test, uint64_t now_ms)
{
	collect_books_clock(b, now_ms);
	take_names(b, from, now_ms);
	for (uint32_t i = 0; i < from->n; i++) {
		const struct collect_record *r = &from->record[i];

		if (i + 8 < from->n) { /* the table is far larger than the caches */
			const struct collect_table *t = &b->sessions;

			__builtin_prefetch(t->tags[r[8].session & (t->n_buckets - 1)]);
		}
		if (test != !!(r->flags & COLLECT_TEST) || r->t_ms > now_ms + COLLECT_AHEAD_MS)
			continue; /* of the other books; from before the clock was set back */
		if (r->flags & COLLECT_LOG)
			take_log(b, r, now_ms);
		else if (r->flags & COLLECT_PUSHED)
			collect_push_take(b, r, now_ms);
		else
			take_report(b, r, now_ms);
	}
	for (int i = 0; i < COLLECT_SOURCES; i++)
		add_counts(&b->k->counts[i], &from->counts[test][i]);
	if (from->catalogue)
		b->k->catalogue = from->catalogue;
}

uint64_t collect_books_seed(const struct collect_books *b)
{
	return b->k->seed;
}

bool collect_books_adopted(const struct collect_books *b)
{
	return b->adopted;
}

uint64_t collect_books_pulls(const struct collect_books *b)
{
	return b->k->pull_end;
}

uint64_t collect_books_room(const struct collect_books *b)
{
	return b->limits.pulls - (b->k->pull_end - b->k->pull_first);
}

uint64_t collect_books_evicted(const struct collect_books *b)
{
	return b->evicted_before + b->sessions.evicted + b->users.evicted + b->logs.evicted +
	       b->pushers.evicted + b->k->lost_pulls + b->k->lost_cells;
}
