/* SPDX-License-Identifier: Apache-2.0 */
#include "collect/books.h"

#include "base/hash.h"
#include "collect/books_int.h"

#include <stdlib.h>
#include <sys/mman.h>

enum { NAMES_SIZE = 16 << 20, DENSE = SL_MAX_VENDORS * SL_MAX_GROUPS };

/* Zeroed memory that is touched as it is used. */
static void *room(size_t n, size_t size)
{
	void *p = mmap(NULL, n * size, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

/* The rows of what is made by room(): member, elements. */
#define BIG(X)                                                                                     \
	X(pull, b->limits.pulls)                                                                   \
	X(cell_of, DENSE)                                                                          \
	X(cell, COLLECT_MAX_CELLS)                                                                 \
	X(log, (size_t)COLLECT_MAX_SPANS *COLLECT_MAX_CELLS)                                       \
	X(names, NAMES_SIZE)                                                                       \
	X(fact, (size_t)COLLECT_WINDOWS *COLLECT_MAX_CELLS)                                        \
	X(spare, b->limits.pulls)                                                                  \
	X(sample, 2 * (size_t)b->limits.pulls)                                                     \
	X(sample_at, (size_t)COLLECT_WINDOWS *COLLECT_MAX_CELLS + 1)

void collect_books_free(struct collect_books *b)
{
	if (!b)
		return;
	collect_table_done(&b->sessions);
	collect_table_done(&b->users);
	collect_table_done(&b->caps);
	collect_table_done(&b->streams);
	collect_table_done(&b->uses);
#define X(member, n)                                                                               \
	if (b->member)                                                                             \
		(void)munmap(b->member, (n) * sizeof(*b->member));
	BIG(X)
#undef X
	free(b);
}

int collect_books_new(
	const struct collect_limits *limits, uint64_t now_ms, struct collect_books **ret_books)
{
	struct collect_books *b = calloc(1, sizeof(*b));
	int rc = 0;

	if (!b)
		return SL_ENOMEM;
	b->limits = *limits;
	b->started_ms = now_ms;
	b->names_size = NAMES_SIZE;
#define X(member, n)                                                                               \
	if (!rc)                                                                                   \
		rc = (b->member = room((n), sizeof(*b->member))) ? 0 : SL_ENOMEM;
	BIG(X)
#undef X
	if (!rc)
		rc = collect_table_init(
			&b->sessions, limits->sessions, sizeof(struct collect_session));
	if (!rc)
		rc = collect_table_init(&b->users, limits->users, sizeof(struct collect_user));
	if (!rc)
		rc = collect_table_init(&b->caps, limits->caps, sizeof(struct collect_cap));
	if (!rc)
		rc = collect_table_init(
			&b->streams, limits->streams, sizeof(struct collect_stream_name));
	if (!rc)
		rc = collect_table_init(&b->uses, limits->streams, sizeof(struct collect_use));
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
		if (b->n_cells == COLLECT_MAX_CELLS) {
			b->lost_cells++;
			return NULL;
		}
		b->cell[b->n_cells] = (struct collect_cell){.group = group, .vendor = vendor};
		*at = ++b->n_cells;
	}
	return &b->cell[*at - 1];
}

/* One more from a place in this bucket of arrival time; false when it has had its part. */
static bool spend(
	struct collect_books *b, uint64_t key, uint64_t bucket, uint32_t allowed, uint64_t now_ms)
{
	struct collect_cap *c = collect_table_get(
		&b->caps, key, now_ms > COLLECT_MINUTE_MS ? now_ms - COLLECT_MINUTE_MS : 0);

	c->e.seen_ms = now_ms;
	if (c->bucket != bucket) {
		c->bucket = bucket;
		c->used = 0;
	}
	if (c->used >= allowed)
		return false;
	c->used++;
	return true;
}

/* Both the address and its net must have room for one more to say of this cell. */
static bool may_speak(struct collect_books *b, const struct collect_record *r, uint32_t cell,
	uint64_t salt, uint64_t bucket, uint32_t all, uint64_t now_ms)
{
	uint32_t part = (uint32_t)((uint64_t)all * COLLECT_PER_CENT / 100);
	uint64_t key = hash_mix(salt, cell);
	bool may = spend(b, hash_mix(r->address, key), bucket, SL_MAX(part, COLLECT_PER_ADDRESS),
			   now_ms) &&
		   spend(b, hash_mix(r->net, ~key), bucket, SL_MAX(part, COLLECT_PER_NET), now_ms);

	b->capped += !may;
	return may;
}

static void take_pull(struct collect_books *b, struct collect_session *s,
	const struct collect_record *r, uint32_t cell, uint64_t now_ms)
{
	struct collect_cell *c = &b->cell[cell];
	uint64_t step = now_ms / COLLECT_STEP_MS;

	if (now_ms >= s->pulls_ms + COLLECT_MINUTE_MS) {
		s->pulls_ms = now_ms;
		s->pulls = 0;
	}
	if (s->pulls == COLLECT_PER_SESSION) {
		b->capped++;
		return;
	}
	s->pulls++;
	if (c->step != step) {
		c->step = step;
		c->step_pulls = 0;
	}
	if (!may_speak(b, r, cell, 'p', step, c->step_pulls, now_ms))
		return;
	c->step_pulls++;
	if (b->pull_end - b->pull_first == b->limits.pulls) {
		b->lost_pulls++;
		return;
	}
	b->pull[b->pull_end++ % b->limits.pulls] = (struct collect_pull){.t_ms = r->t_ms,
		.came_ms = now_ms,
		.cell = cell,
		.first_frame_us = r->flags & COLLECT_FIRST_FRAME ? r->first_frame_us : UINT32_MAX,
		.ok = r->flags & COLLECT_PULL_OK};
}

/* A user counts in the cells it reported of. Within a minute of arrival it costs its place once. */
static void take_user(
	struct collect_books *b, const struct collect_record *r, uint32_t cell, uint64_t now_ms)
{
	struct collect_cell *c = &b->cell[cell];
	uint64_t key = hash_mix(r->user, cell + 1), minute = now_ms / COLLECT_MINUTE_MS;
	struct collect_user *u = collect_table_find(&b->users, key);

	if (c->minute != minute) {
		c->minute = minute;
		c->minute_users = 0;
	}
	if (!u || u->counted_ms != minute) {
		if (!may_speak(b, r, cell, 'u', minute, c->minute_users, now_ms))
			return;
		c->minute_users++;
	}
	if (!u)
		u = collect_table_get(&b->users, key,
			now_ms > COLLECT_MINUTE_MS ? now_ms - COLLECT_MINUTE_MS : 0);
	u->cell = cell;
	u->counted_ms = minute;
	u->e.seen_ms = SL_MAX(u->e.seen_ms, r->t_ms);
	if (r->flags & COLLECT_STALLED)
		u->stalled_ms = SL_MAX(u->stalled_ms, r->t_ms);
}

static void take_report(struct collect_books *b, const struct collect_record *r, uint64_t now_ms)
{
	struct collect_cell *c = cell_for(b, r->vendor, r->group);
	struct collect_session *s;
	uint32_t cell;

	if (!c)
		return;
	cell = (uint32_t)(c - b->cell);
	s = collect_table_find(&b->sessions, r->session);
	if (!s) {
		if (!spend(b, hash_mix(r->net, 's'), now_ms / COLLECT_MINUTE_MS,
			    COLLECT_SESSIONS_PER_NET, now_ms)) {
			b->capped++;
			return;
		}
		s = collect_table_get(&b->sessions, r->session,
			now_ms > COLLECT_LIVE_MS ? now_ms - COLLECT_LIVE_MS : 0);
	}
	if (r->t_ms >= s->e.seen_ms) { /* a late report does not move a session back */
		s->e.seen_ms = r->t_ms;
		s->cell = cell;
		s->stream = r->stream;
		s->keep = r->keep;
		s->alive = !(r->flags & COLLECT_PULL) || r->flags & COLLECT_PULL_OK;
		if (r->flags & COLLECT_BITRATE)
			s->kbps = r->kbps;
	}
	if (r->flags & COLLECT_PULL)
		take_pull(b, s, r, cell, now_ms);
	take_user(b, r, cell, now_ms);
}

static void take_log(struct collect_books *b, const struct collect_record *r)
{
	struct collect_cell *c = cell_for(b, r->vendor, r->group);
	uint64_t minute = r->t_ms / COLLECT_MINUTE_MS;
	uint32_t span = (uint32_t)(minute % COLLECT_MAX_SPANS);
	struct collect_log *l;

	if (!c || minute < b->log_minute[span])
		return;
	if (minute > b->log_minute[span]) {
		b->log_minute[span] = minute;
		memset(&b->log[(size_t)span * COLLECT_MAX_CELLS], 0, b->n_cells * sizeof(*b->log));
	}
	l = &b->log[(size_t)span * COLLECT_MAX_CELLS + (size_t)(c - b->cell)];
	l->octets += r->octets;
	l->requests++;
	l->errors += r->flags & COLLECT_LOG_ERROR ? 1 : 0;
	l->slow += r->flags & COLLECT_LOG_SLOW ? 1 : 0;
}

/* Names of streams that workers have met. */
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
		if (!s->text && b->names_size - b->names_used >= n) {
			memcpy(b->names + b->names_used, p, n);
			s->text = b->names_used + 1;
			s->n = n;
			b->names_used += n;
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

void collect_books_take(struct collect_books *b, const struct collect_batch *from, uint64_t now_ms)
{
	take_names(b, from, now_ms);
	for (uint32_t i = 0; i < from->n; i++) {
		const struct collect_record *r = &from->record[i];

		if (i + 8 < from->n) { /* the table is far larger than the caches */
			const struct collect_table *t = &b->sessions;

			__builtin_prefetch(t->tags[r[8].session & (t->n_buckets - 1)]);
		}
		if (r->flags & COLLECT_LOG)
			take_log(b, r);
		else
			take_report(b, r, now_ms);
	}
	for (int i = 0; i < COLLECT_SOURCES; i++)
		add_counts(&b->counts[i], &from->counts[i]);
	if (from->catalogue)
		b->catalogue = from->catalogue;
}

uint32_t collect_books_fill_ppm(const struct collect_books *b)
{
	return (uint32_t)((b->pull_end - b->pull_first) * COLLECT_PPM / b->limits.pulls);
}

uint64_t collect_books_evicted(const struct collect_books *b)
{
	return b->sessions.evicted + b->users.evicted + b->lost_pulls + b->lost_cells;
}

uint64_t collect_books_capped(const struct collect_books *b)
{
	return b->capped;
}
