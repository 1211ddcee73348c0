/* SPDX-License-Identifier: Apache-2.0 */
#include "world/deny.h"

#include <stdlib.h>

enum { MAPPED = 96, SIX_TO_FOUR = 16, BITS = 128 };

typedef unsigned __int128 key_t128;

/* v4 as ::ffff:0:0/96, so that one order holds both families. */
static key_t128 key_of(struct ip ip)
{
	key_t128 k = 0;

	for (int i = 0; i < (ip.family == IP_V4 ? 4 : 16); i++)
		k = k << 8 | ip.b[i];
	return ip.family == IP_V4 ? k | (key_t128)0xffff << 32 : k;
}

static uint8_t length_of(const struct deny_prefix *p)
{
	return (uint8_t)(p->ip.family == IP_V4 ? p->len + MAPPED : p->len);
}

/* The last address of a block. */
static key_t128 end_of(key_t128 start, unsigned len)
{
	return len ? start | (((key_t128)1 << (BITS - len)) - 1) : ~(key_t128)0;
}

/* By first address, the shorter first, what allows before what denies: so the last one counts. */
static int in_order(const void *a, const void *b)
{
	const struct deny_prefix *x = a, *y = b;
	key_t128 kx = key_of(x->ip), ky = key_of(y->ip);

	if (kx != ky)
		return kx < ky ? -1 : 1;
	if (length_of(x) != length_of(y))
		return length_of(x) < length_of(y) ? -1 : 1;
	return (int)y->allow - (int)x->allow;
}

struct sweep {
	struct tick_denied *range;
	uint32_t n;
};

/* From this address on; a range of no length is overwritten. */
static void begin(struct sweep *s, key_t128 at, uint64_t vendors)
{
	struct tick_denied r = {(uint64_t)(at >> 64), (uint64_t)at, vendors};

	if (s->n && s->range[s->n - 1].hi == r.hi && s->range[s->n - 1].lo == r.lo)
		s->n--;
	s->range[s->n++] = r;
}

void deny_sort(struct deny_prefix *prefix, uint32_t n)
{
	if (n)
		qsort(prefix, n, sizeof(*prefix), in_order);
}

uint32_t deny_ranges(const struct deny_prefix *prefix, uint32_t n, struct tick_denied *ret_range)
{
	struct {
		key_t128 end;
		uint64_t vendors;
	} open[2 * BITS + 2]; /* prefixes nest; alike ones are counted once below */
	struct sweep s = {.range = ret_range};
	uint32_t depth = 0;

	if (n == 0)
		return 0;
	open[0].end = ~(key_t128)0;
	open[0].vendors = 0;
	begin(&s, 0, 0);
	for (uint32_t i = 0; i < n; i++) {
		key_t128 at = key_of(prefix[i].ip), end = end_of(at, length_of(&prefix[i]));
		uint64_t vendors;

		for (; depth && open[depth].end < at; depth--)
			begin(&s, open[depth].end + 1, open[depth - 1].vendors);
		vendors = prefix[i].allow ? open[depth].vendors & ~prefix[i].vendors
					  : open[depth].vendors | prefix[i].vendors;
		if (depth == 0 || open[depth].end != end)
			depth++;
		open[depth].end = end;
		open[depth].vendors = vendors;
		begin(&s, at, vendors);
	}
	for (; depth; depth--)
		if (open[depth].end != ~(key_t128)0)
			begin(&s, open[depth].end + 1, open[depth - 1].vendors);
	return s.n;
}

uint32_t deny_build(struct deny_prefix *prefix, uint32_t n, struct tick_denied *ret_range)
{
	deny_sort(prefix, n);
	return deny_ranges(prefix, n, ret_range);
}

/* Bits of the asker's family for a block of so many bits of the v4 address within. */
static uint8_t length_in(struct ip asked, uint8_t len)
{
	if (asked.family == IP_V4)
		return len;
	if (asked.b[0] == 0x20 && asked.b[1] == 0x02)
		return (uint8_t)(len + SIX_TO_FOUR);
	return asked.b[0] ? BITS : (uint8_t)(len + MAPPED); /* Teredo hides it at the end */
}

uint64_t deny_find(const struct tick_denied *range, uint32_t n, struct ip ip, uint8_t *ret_len)
{
	struct ip plain = ip_embedded_v4(ip);
	key_t128 at = key_of(plain), first, last = ~(key_t128)0;
	uint32_t lo = 0, hi = n;
	unsigned len = 0;

	*ret_len = 0;
	if (n == 0 || ip.family == IP_NONE)
		return 0;
	while (hi - lo > 1) {
		uint32_t mid = lo + (hi - lo) / 2;

		if (((key_t128)range[mid].hi << 64 | range[mid].lo) <= at)
			lo = mid;
		else
			hi = mid;
	}
	first = (key_t128)range[lo].hi << 64 | range[lo].lo;
	if (hi < n)
		last = ((key_t128)range[hi].hi << 64 | range[hi].lo) - 1;
	if (plain.family == IP_V4)
		len = MAPPED;
	for (; len < BITS; len++) {
		key_t128 block = len ? at & ~(((key_t128)1 << (BITS - len)) - 1) : 0;

		if (block >= first && end_of(block, len) <= last)
			break;
	}
	*ret_len = plain.family == IP_V4 ? length_in(ip, (uint8_t)(len - MAPPED)) : (uint8_t)len;
	return range[lo].vendors;
}
