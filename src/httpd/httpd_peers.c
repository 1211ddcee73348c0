/* SPDX-License-Identifier: Apache-2.0 */
#include "httpd/httpd_peers.h"

#include "base/err.h"
#include "base/hash.h"

#include <stdlib.h>

struct ip httpd_peer_key(struct ip a)
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};

	if (a.family != IP_V6)
		return a;
	if (memcmp(a.b, mapped, sizeof(mapped)) == 0) {
		struct ip v4 = {.family = IP_V4};

		memcpy(v4.b, a.b + 12, 4);
		return v4;
	}
	return ip_mask(a, 64);
}

int httpd_peers_init(struct httpd_peers *t, uint32_t max, uint64_t seed)
{
	uint32_t n = 16;

	while (n < max * 2)
		n *= 2;
	*t = (struct httpd_peers){.mask = n - 1, .seed = seed};
	t->entries = calloc(max, sizeof(*t->entries));
	t->buckets = calloc(n, sizeof(*t->buckets));
	if (!t->entries || !t->buckets) {
		httpd_peers_done(t);
		return SL_ENOMEM;
	}
	memset(t->buckets, 0xff, n * sizeof(*t->buckets));
	for (uint32_t i = 0; i < max; i++)
		t->entries[i].next = i + 1 < max ? i + 1 : HTTPD_PEERS_NONE;
	return 0;
}

void httpd_peers_done(struct httpd_peers *t)
{
	free(t->entries);
	free(t->buckets);
	*t = (struct httpd_peers){.mask = 0};
}

static uint32_t *bucket_of(struct httpd_peers *t, struct ip key)
{
	return &t->buckets[hash64(&key, sizeof(key), t->seed) & t->mask];
}

uint32_t httpd_peers_add(struct httpd_peers *t, struct ip key)
{
	uint32_t *b = bucket_of(t, key), i;

	for (i = *b; i != HTTPD_PEERS_NONE; i = t->entries[i].next) {
		if (ip_eq(t->entries[i].ip, key)) {
			t->entries[i].count++;
			return i;
		}
	}
	i = t->free;
	if (i == HTTPD_PEERS_NONE)
		return i;
	t->free = t->entries[i].next;
	t->entries[i] = (struct httpd_peer){.ip = key, .count = 1, .next = *b};
	*b = i;
	return i;
}

void httpd_peers_drop(struct httpd_peers *t, uint32_t index)
{
	struct httpd_peer *e = &t->entries[index];
	uint32_t *at = bucket_of(t, e->ip);

	sl_assert(e->count > 0);
	if (--e->count)
		return;
	while (*at != index)
		at = &t->entries[*at].next;
	*at = e->next;
	e->next = t->free;
	t->free = index;
}
