/* SPDX-License-Identifier: Apache-2.0 */
#include "base/hash.h"
#include "base/limits.h"
#include "world/blob.h"

#include <stdlib.h>
#include <string.h>

enum { ALIGN = 8, MAX_ARRAYS = 48 };

struct grown {
	char *p;
	uint32_t count, room;
};

/* Open addressing over the spans of one array of octets, to store equal octets once. */
struct seen {
	struct blob_span *slots;
	uint32_t used, size; /* size is a power of two, or 0 */
};

struct blob_writer {
	const struct blob_def *def;
	struct grown arrays[MAX_ARRAYS];
	struct seen seen[MAX_ARRAYS];
	int failed;         /* sticky: SL_ENOMEM or SL_ELIMIT */
	uint32_t failed_at; /* array */
};

struct blob_writer *blob_writer_new(const struct blob_def *def)
{
	struct blob_writer *w = calloc(1, sizeof(*w));

	sl_assert(def->n_arrays <= MAX_ARRAYS);
	if (w)
		w->def = def;
	return w;
}

void blob_writer_free(struct blob_writer *w)
{
	if (!w)
		return;
	for (uint32_t i = 0; i < w->def->n_arrays; i++) {
		free(w->arrays[i].p);
		free(w->seen[i].slots);
	}
	free(w);
}

void blob_writer_clear(struct blob_writer *w)
{
	for (uint32_t i = 0; i < w->def->n_arrays; i++) {
		struct seen *s = &w->seen[i];

		w->arrays[i].count = 0;
		s->used = 0;
		if (s->size)
			memset(s->slots, 0, s->size * sizeof(*s->slots));
	}
	w->failed = 0;
}

static bool fail(struct blob_writer *w, uint32_t array, int rc)
{
	if (!w->failed) {
		w->failed = rc;
		w->failed_at = array;
	}
	return false;
}

static bool grow(struct blob_writer *w, uint32_t array, uint64_t room)
{
	struct grown *g = &w->arrays[array];
	char *p = realloc(g->p, room * w->def->arrays[array].elem_size);

	if (!p)
		return false;
	g->p = p;
	g->room = (uint32_t)room;
	return true;
}

void blob_reserve(struct blob_writer *w, uint32_t array, uint32_t n)
{
	uint32_t room = SL_MIN(n, w->def->arrays[array].max);

	if (room > w->arrays[array].room)
		(void)grow(w, array, room);
}

static bool reserve(struct blob_writer *w, uint32_t array, uint32_t n)
{
	const struct blob_array *a = &w->def->arrays[array];
	const struct grown *g = &w->arrays[array];
	uint64_t want = (uint64_t)g->count + n;

	if (w->failed)
		return false;
	if (want > a->max)
		return fail(w, array, SL_ELIMIT);
	if (want <= g->room)
		return true;
	if (!grow(w, array, SL_MIN(SL_MAX(want, (uint64_t)g->room * 2 + 64), (uint64_t)a->max)))
		return fail(w, array, SL_ENOMEM);
	return true;
}

void *blob_add(struct blob_writer *w, uint32_t array, uint32_t n, uint32_t *ret_first)
{
	struct grown *g = &w->arrays[array];
	size_t elem = w->def->arrays[array].elem_size;
	char *p;

	if (ret_first)
		*ret_first = g->count;
	if (!reserve(w, array, n))
		return NULL;
	p = g->p ? g->p + g->count * elem : NULL; /* of nothing, nothing */
	if (n)
		memset(p, 0, n * elem);
	g->count += n;
	return p;
}

void *blob_at(struct blob_writer *w, uint32_t array, uint32_t index)
{
	sl_assert(index < w->arrays[array].count);
	return w->arrays[array].p + (size_t)index * w->def->arrays[array].elem_size;
}

uint32_t blob_count(const struct blob_writer *w, uint32_t array)
{
	return w->arrays[array].count;
}

/* The slot where these octets are, or where they belong. The table has a free slot. */
static struct blob_span *seen_slot(
	const struct blob_writer *w, uint32_t array, const void *p, uint32_t n)
{
	const struct seen *s = &w->seen[array];
	const char *base = w->arrays[array].p;

	for (uint64_t at = hash64(p, n, 0);; at++) {
		struct blob_span *slot = &s->slots[at & (s->size - 1)];

		if (slot->count == 0 || (slot->count == n && memcmp(base + slot->first, p, n) == 0))
			return slot;
	}
}

static bool seen_grow(struct blob_writer *w, uint32_t array)
{
	struct seen *s = &w->seen[array], old = *s;

	if (s->used * 2 < s->size)
		return true;
	s->size = s->size ? s->size * 2 : 64;
	s->slots = calloc(s->size, sizeof(*s->slots));
	if (!s->slots) {
		*s = old;
		return fail(w, array, SL_ENOMEM);
	}
	for (uint32_t i = 0; i < old.size; i++)
		if (old.slots[i].count)
			*seen_slot(w, array, w->arrays[array].p + old.slots[i].first,
				old.slots[i].count) = old.slots[i];
	free(old.slots);
	return true;
}

struct blob_span blob_add_octets(struct blob_writer *w, uint32_t array, const void *p, uint32_t n)
{
	struct blob_span none = {0, 0}, *slot;
	uint32_t first;
	void *to;

	sl_assert(w->def->arrays[array].elem_size == 1);
	if (n == 0 || w->failed || !seen_grow(w, array))
		return none;
	slot = seen_slot(w, array, p, n);
	if (slot->count)
		return *slot;
	to = blob_add(w, array, n, &first);
	if (!to)
		return none;
	memcpy(to, p, n);
	*slot = (struct blob_span){first, n};
	w->seen[array].used++;
	return *slot;
}

static size_t aligned(size_t n)
{
	return (n + ALIGN - 1) / ALIGN * ALIGN;
}

/* Offsets of all arrays; returns the size of the whole. */
static size_t lay_out(const struct blob_writer *w, struct blob_dir *dir)
{
	size_t at = sizeof(struct blob_head) + w->def->n_arrays * sizeof(*dir);

	for (uint32_t i = 0; i < w->def->n_arrays; i++) {
		at = aligned(at);
		dir[i] = (struct blob_dir){at, w->arrays[i].count, w->def->arrays[i].elem_size};
		at += (size_t)dir[i].count * dir[i].elem_size;
	}
	return aligned(at);
}

/* What the whole would be with every array as large as there is room for. */
static size_t largest(const struct blob_writer *w)
{
	size_t at = sizeof(struct blob_head) + w->def->n_arrays * sizeof(struct blob_dir);

	for (uint32_t i = 0; i < w->def->n_arrays; i++)
		at = aligned(at) + (size_t)w->arrays[i].room * w->def->arrays[i].elem_size;
	return aligned(at);
}

static bool make_room(void **blob, size_t *room, size_t size, size_t wanted)
{
	void *p;

	if (size <= *room)
		return true;
	p = malloc(wanted);
	if (!p)
		return false;
	free(*blob);
	*blob = p;
	*room = wanted;
	return true;
}

static int finish(struct blob_writer *w, struct blob_stamp stamp, bool again, void **blob,
	size_t *room, size_t *ret_size, struct errbuf *err)
{
	const struct blob_def *def = w->def;
	struct blob_dir dir[MAX_ARRAYS];
	struct blob_head *h;
	size_t size, at;
	char *to;
	int rc;

	if (w->failed)
		return err_set(err, w->failed, "%s.%s: %s (at most %u)", def->name,
			def->arrays[w->failed_at].name, sl_strerror(w->failed),
			def->arrays[w->failed_at].max);
	size = lay_out(w, dir);
	if (size > SL_MAX_BLOB_OCTETS)
		return err_set(err, SL_ELIMIT, "%s: %zu octets", def->name, size);
	if (!make_room(blob, room, size, again ? largest(w) : size))
		return err_set(err, SL_ENOMEM, "%s: out of memory", def->name);
	to = *blob;
	h = *blob;
	memset(h, 0, sizeof(*h));
	memcpy(h->magic, def->magic, sizeof(h->magic));
	h->layout = def->layout;
	h->n_arrays = def->n_arrays;
	h->size = size;
	h->epoch = stamp.epoch;
	h->generation = stamp.generation;
	h->time_ms = stamp.time_ms;
	at = sizeof(*h) + def->n_arrays * sizeof(*dir);
	memcpy(to + sizeof(*h), dir, at - sizeof(*h));
	for (uint32_t i = 0; i < def->n_arrays; i++) {
		size_t n = (size_t)dir[i].count * dir[i].elem_size;

		memset(to + at, 0, dir[i].off - at); /* between two arrays */
		if (n)
			memcpy(to + dir[i].off, w->arrays[i].p, n);
		at = dir[i].off + n;
	}
	memset(to + at, 0, size - at);
	h->checksum = blob_checksum(to, size);
	rc = blob_check(def, to, size, err);
	if (!rc)
		*ret_size = size;
	return rc;
}

int blob_writer_finish_in(struct blob_writer *w, struct blob_stamp stamp, void **blob, size_t *room,
	size_t *ret_size, struct errbuf *err)
{
	return finish(w, stamp, true, blob, room, ret_size, err);
}

int blob_writer_finish(struct blob_writer *w, struct blob_stamp stamp, void **ret_blob,
	size_t *ret_size, struct errbuf *err)
{
	void *blob = NULL;
	size_t room = 0;
	int rc = finish(w, stamp, false, &blob, &room, ret_size, err);

	if (rc)
		free(blob);
	else
		*ret_blob = blob;
	return rc;
}
