/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What outlives the process: the tables of the books in one piece of memory, which the supervisor
 * holds while collect is being restarted. The process may have ended at any instruction, or because
 * of what stands here, so nothing of it is believed: what points outside is taken out, and where
 * the head is not sound all of it is begun anew.
 */
#include "base/os.h"
#include "collect/books_int.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static const char magic[8] = {'S', 'L', 'U', 'C', 'O', 'L', 1, 3};

static size_t whole_pages(size_t n)
{
	return (n + 4095) & ~(size_t)4095;
}

/* Where everything lies; mem NULL: only how much it is. */
static size_t lay_out(struct collect_books *b, char *mem)
{
	const struct collect_limits *l = &b->limits;
	size_t at = whole_pages(sizeof(struct collect_kept));

#define ARRAY(member, n)                                                                           \
	if (mem)                                                                                   \
		b->member = (void *)(mem + at);                                                    \
	at += whole_pages((n) * sizeof(*b->member));
#define TABLE(member, room, entry)                                                                 \
	if (mem)                                                                                   \
		collect_table_over(&b->member, (room), sizeof(struct entry), mem + at);            \
	at += whole_pages(collect_table_octets((room), sizeof(struct entry)));
	ARRAY(pull, l->pulls)
	ARRAY(cell, COLLECT_MAX_CELLS)
	ARRAY(names, COLLECT_NAMES)
	TABLE(sessions, l->sessions, collect_session)
	TABLE(users, l->users, collect_user)
	TABLE(caps, l->caps, collect_cap)
	TABLE(streams, l->streams, collect_stream_name)
	TABLE(logs, l->logs, collect_log)
	TABLE(pushers, l->pushers, collect_pusher)
#undef ARRAY
#undef TABLE
	if (mem)
		b->k = (void *)mem;
	return at;
}

/* --- the check ------------------------------------------------------------------------------ */

struct check {
	const struct collect_books *b;
	uint64_t latest_ms; /* nothing has been seen after that */
};

static bool session_sound(void *ctx, void *entry)
{
	const struct check *c = ctx;
	const struct collect_session *s = entry;

	return s->cell < c->b->k->n_cells && s->e.seen_ms <= c->latest_ms &&
	       s->stalled_ms <= c->latest_ms && s->starved_ms <= c->latest_ms &&
	       s->pulls_ms <= c->latest_ms && s->definition < COLLECT_WORDS &&
	       s->client < COLLECT_WORDS;
}

static bool user_sound(void *ctx, void *entry)
{
	const struct check *c = ctx;
	const struct collect_user *u = entry;

	return u->cell < c->b->k->n_cells && u->e.seen_ms <= c->latest_ms &&
	       u->stalled_ms <= c->latest_ms && u->definition < COLLECT_WORDS &&
	       u->client < COLLECT_WORDS;
}

static bool cap_sound(void *ctx, void *entry)
{
	const struct check *c = ctx;
	const struct collect_cap *cap = entry;

	return cap->e.seen_ms <= c->latest_ms;
}

static bool name_sound(void *ctx, void *entry)
{
	const struct check *c = ctx;
	const struct collect_stream_name *s = entry;

	return s->e.seen_ms <= c->latest_ms &&
	       (!s->text || (uint64_t)s->text - 1 + s->n <= c->b->k->names_used);
}

static bool log_sound(void *ctx, void *entry)
{
	const struct check *c = ctx;
	const struct collect_log *l = entry;

	return l->cell < c->b->k->n_cells && l->e.seen_ms <= c->latest_ms &&
	       l->minute <= c->latest_ms / COLLECT_MINUTE_MS;
}

static bool pusher_sound(void *ctx, void *entry)
{
	const struct check *c = ctx;
	const struct collect_pusher *p = entry;

	return p->e.seen_ms <= c->latest_ms && p->group < SL_MAX_GROUPS &&
	       p->service < SL_MAX_SERVICES;
}

static bool pull_sound(const struct check *c, const struct collect_pull *p)
{
	return p->cell < c->b->k->n_cells && p->came_ms <= c->latest_ms &&
	       p->definition < COLLECT_WORDS && p->client < COLLECT_WORDS &&
	       (p->first_frame_us == UINT32_MAX || p->first_frame_us <= COLLECT_FIRST_FRAME_MAX);
}

static bool head_sound(const struct collect_books *b)
{
	const struct collect_kept *k = b->k;

	if (memcmp(k->magic, magic, sizeof(magic)) != 0 || k->size != b->mem_size ||
		memcmp(&k->limits, &b->limits, sizeof(k->limits)) != 0 ||
		k->n_cells > COLLECT_MAX_CELLS || k->names_used > COLLECT_NAMES ||
		k->pull_end - k->pull_first > b->limits.pulls)
		return false;
	for (uint32_t i = 0; i < k->n_cells; i++)
		if (b->cell[i].vendor >= SL_MAX_VENDORS || b->cell[i].group >= SL_MAX_GROUPS)
			return false;
	return true;
}

/* A pull attempt that cannot be right is one that no window shows. */
static void check_pulls(struct collect_books *b, const struct check *c)
{
	for (uint64_t i = b->k->pull_first; i < b->k->pull_end; i++) {
		struct collect_pull *p = &b->pull[i % b->limits.pulls];

		if (!pull_sound(c, p))
			*p = (struct collect_pull){.first_frame_us = UINT32_MAX};
	}
}

static void forget_names(struct collect_books *b)
{
	for (void *e = NULL; (e = collect_table_next(&b->streams, e));)
		collect_table_remove(&b->streams, e);
	b->k->names_used = 0;
	collect_settle();
	b->k->compacting = false;
}

static void check_all(struct collect_books *b, uint64_t latest_ms)
{
	struct check c = {b, latest_ms};

	check_pulls(b, &c);
	collect_table_check(&b->sessions, session_sound, &c);
	collect_table_check(&b->users, user_sound, &c);
	collect_table_check(&b->caps, cap_sound, &c);
	collect_table_check(&b->streams, name_sound, &c);
	collect_table_check(&b->logs, log_sound, &c);
	collect_table_check(&b->pushers, pusher_sound, &c);
}

void collect_kept_back(struct collect_books *b, uint64_t now_ms)
{
	check_all(b, now_ms);
	for (size_t i = 0; i < SL_COUNT(b->k->kept); i++)
		if (b->k->kept[i].from_ms > now_ms)
			b->k->kept[i].from_ms = 0;
}

static void adopt(struct collect_books *b, uint64_t now_ms)
{
	if (b->k->compacting)
		forget_names(b);
	for (uint32_t i = 0; i < b->k->n_cells; i++)
		b->cell_of[b->cell[i].vendor * SL_MAX_GROUPS + b->cell[i].group] = i + 1;
	check_all(b, now_ms + COLLECT_MINUTE_MS);
	b->evicted_before = b->k->evicted;
	b->adopted = true;
}

/* --- opening -------------------------------------------------------------------------------- */

static void *map(int fd, size_t size)
{
	int kind = fd < 0 ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_SHARED;
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, kind | MAP_NORESERVE, fd, 0);

	return p == MAP_FAILED ? NULL : p;
}

/* Empties the memory and begins in it. */
static int begin(struct collect_books *b, int fd, uint64_t now_ms)
{
	if (b->mem)
		(void)munmap(b->mem, b->mem_size);
	b->mem = NULL;
	if (fd >= 0 && (ftruncate(fd, 0) < 0 || ftruncate(fd, (off_t)b->mem_size) < 0))
		return SL_ENOMEM;
	b->mem = map(fd, b->mem_size);
	if (!b->mem)
		return SL_ENOMEM;
	(void)lay_out(b, b->mem);
	b->k->size = b->mem_size;
	b->k->limits = b->limits;
	b->k->seed = os_random64();
	b->k->started_ms = now_ms;
	collect_settle();
	memcpy(b->k->magic, magic, sizeof(magic));
	return 0;
}

int collect_kept_open(struct collect_books *b, int fd, uint64_t now_ms, struct errbuf *err)
{
	struct stat st;
	int rc = 0;

	b->mem_size = lay_out(b, NULL);
	if (fd >= 0 && fstat(fd, &st) == 0 && (uint64_t)st.st_size == b->mem_size)
		b->mem = map(fd, b->mem_size);
	if (b->mem)
		(void)lay_out(b, b->mem);
	if (b->mem && head_sound(b))
		adopt(b, now_ms);
	else
		rc = begin(b, fd, now_ms);
	return rc ? err_set(err, rc, "collect: no memory for the books") : 0;
}

void collect_kept_close(struct collect_books *b)
{
	if (b->mem)
		(void)munmap(b->mem, b->mem_size);
	b->mem = NULL;
}

void collect_kept_compact(struct collect_books *b, uint64_t now_ms)
{
	char *old;
	uint32_t at = 0;

	if (b->k->names_used <= COLLECT_NAMES / 4 * 3)
		return;
	old = malloc(b->k->names_used);
	if (!old)
		return; /* new names are told again later */
	memcpy(old, b->names, b->k->names_used);
	b->k->compacting = true;
	collect_settle();
	for (struct collect_stream_name *s = NULL; (s = collect_table_next(&b->streams, s));) {
		if (s->e.seen_ms + COLLECT_MINUTE_MS <= now_ms) {
			collect_table_remove(&b->streams, s);
			continue;
		}
		if (!s->text)
			continue;
		memcpy(b->names + at, old + s->text - 1, s->n);
		s->text = at + 1;
		at += s->n;
	}
	b->k->names_used = at;
	collect_settle();
	b->k->compacting = false;
	free(old);
}
