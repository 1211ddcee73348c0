/* SPDX-License-Identifier: Apache-2.0 */
#include "collect/table.h"

#include "base/err.h"

#include <stdatomic.h>
#include <sys/mman.h>

static uint32_t buckets_for(uint32_t room)
{
	uint32_t n = 1;

	while (n < (1u << 26) && n * COLLECT_WAYS < room)
		n *= 2;
	return n;
}

static size_t octets_of(uint32_t n_buckets, uint32_t entry_size)
{
	return (size_t)n_buckets * COLLECT_WAYS * (1 + entry_size);
}

size_t collect_table_octets(uint32_t room, uint32_t entry_size)
{
	return octets_of(buckets_for(room), entry_size);
}

void collect_table_over(struct collect_table *t, uint32_t room, uint32_t entry_size, void *mem)
{
	uint8_t(*tags)[COLLECT_WAYS] = mem;

	*t = (struct collect_table){
		.tags = tags, .entry_size = entry_size, .n_buckets = buckets_for(room)};
	t->entries = tags[t->n_buckets];
}

int collect_table_init(struct collect_table *t, uint32_t room, uint32_t entry_size)
{
	void *p = mmap(NULL, collect_table_octets(room, entry_size), PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (p == MAP_FAILED) {
		t->own = NULL;
		return SL_ENOMEM;
	}
	collect_table_over(t, room, entry_size, p);
	t->own = p;
	return 0;
}

void collect_table_done(struct collect_table *t)
{
	if (t->own)
		(void)munmap(t->own, octets_of(t->n_buckets, t->entry_size));
	t->own = NULL;
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
	t->tags[bucket][way] = 0;
	e = entry_at(t, bucket * COLLECT_WAYS + way);
	/* in this order: the process may end here, and another go on with the table */
	atomic_signal_fence(memory_order_seq_cst);
	memset(e, 0, t->entry_size);
	e->key = key;
	atomic_signal_fence(memory_order_seq_cst);
	t->tags[bucket][way] = tag_of(key);
	return e;
}

void collect_table_check(struct collect_table *t, bool (*sound)(void *ctx, void *entry), void *ctx)
{
	for (struct collect_entry *e = NULL; (e = collect_table_next(t, e));) {
		size_t at = (size_t)((uint8_t *)e - t->entries) / t->entry_size;
		size_t bucket = at / COLLECT_WAYS;

		if ((e->key & (t->n_buckets - 1)) != bucket ||
			t->tags[bucket][at % COLLECT_WAYS] != tag_of(e->key) || !sound(ctx, e))
			t->tags[bucket][at % COLLECT_WAYS] = 0;
	}
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
