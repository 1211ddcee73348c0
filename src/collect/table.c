/* SPDX-License-Identifier: Apache-2.0 */
#include "collect/table.h"

#include "base/err.h"

#include <sys/mman.h>

static void *map(size_t n)
{
	void *p = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
		-1, 0);

	return p == MAP_FAILED ? NULL : p;
}

static size_t entry_octets(const struct collect_table *t)
{
	return (size_t)t->n_buckets * COLLECT_WAYS * t->entry_size;
}

int collect_table_init(struct collect_table *t, uint32_t room, uint32_t entry_size)
{
	*t = (struct collect_table){.entry_size = entry_size, .n_buckets = 1};
	while (t->n_buckets < (1u << 26) && t->n_buckets * COLLECT_WAYS < room)
		t->n_buckets *= 2;
	t->tags = map((size_t)t->n_buckets * COLLECT_WAYS);
	t->entries = map(entry_octets(t));
	if (t->tags && t->entries)
		return 0;
	collect_table_done(t);
	return SL_ENOMEM;
}

void collect_table_done(struct collect_table *t)
{
	if (t->tags)
		(void)munmap(t->tags, (size_t)t->n_buckets * COLLECT_WAYS);
	if (t->entries)
		(void)munmap(t->entries, entry_octets(t));
	t->tags = NULL;
	t->entries = NULL;
}

static uint8_t tag_of(uint64_t key)
{
	return (uint8_t)(1 + (key >> 56) % 255);
}

static struct collect_entry *entry_at(const struct collect_table *t, size_t index)
{
	return (struct collect_entry *)(void *)(t->entries + index * t->entry_size);
}

void *collect_table_find(const struct collect_table *t, uint64_t key)
{
	size_t bucket = key & (t->n_buckets - 1);
	const uint8_t *tags = t->tags[bucket];
	uint8_t tag = tag_of(key);

	for (size_t i = 0; i < COLLECT_WAYS; i++) {
		struct collect_entry *e;

		if (tags[i] != tag)
			continue;
		e = entry_at(t, bucket * COLLECT_WAYS + i);
		if (e->key == key)
			return e;
	}
	return NULL;
}

/* A free way of the bucket, or the one that was seen longest ago. */
static size_t make_room(struct collect_table *t, size_t bucket, uint64_t stale_ms)
{
	uint64_t oldest_ms = UINT64_MAX;
	size_t oldest = 0;

	for (size_t i = 0; i < COLLECT_WAYS; i++) {
		uint64_t seen_ms;

		if (!t->tags[bucket][i])
			return i;
		seen_ms = entry_at(t, bucket * COLLECT_WAYS + i)->seen_ms;
		if (seen_ms < oldest_ms) {
			oldest_ms = seen_ms;
			oldest = i;
		}
	}
	t->evicted += oldest_ms >= stale_ms;
	return oldest;
}

void *collect_table_get(struct collect_table *t, uint64_t key, uint64_t stale_ms)
{
	struct collect_entry *e = collect_table_find(t, key);
	size_t bucket = key & (t->n_buckets - 1), way;

	if (e)
		return e;
	way = make_room(t, bucket, stale_ms);
	t->tags[bucket][way] = tag_of(key);
	e = entry_at(t, bucket * COLLECT_WAYS + way);
	memset(e, 0, t->entry_size);
	e->key = key;
	return e;
}

static size_t index_of(const struct collect_table *t, const void *at)
{
	return (size_t)((const uint8_t *)at - t->entries) / t->entry_size;
}

void *collect_table_next(const struct collect_table *t, const void *at)
{
	size_t n = (size_t)t->n_buckets * COLLECT_WAYS, i = at ? index_of(t, at) + 1 : 0;
	const uint8_t *tags = t->tags[0];

	for (; i < n; i++) {
		uint64_t eight;

		if (i % 8 == 0) { /* most of the table is free: eight at a time */
			memcpy(&eight, tags + i, sizeof(eight));
			if (eight == 0) {
				i += 7;
				continue;
			}
		}
		if (tags[i])
			return entry_at(t, i);
	}
	return NULL;
}

void collect_table_remove(struct collect_table *t, const void *at)
{
	size_t i = index_of(t, at);

	t->tags[i / COLLECT_WAYS][i % COLLECT_WAYS] = 0;
}
