/* SPDX-License-Identifier: Apache-2.0 */
#include "dns/rrl.h"

#include "base/hash.h"

/* A cell is the time at which its blocks are even again, in units of 1/1024 ms. Blocks that fall on
 * one cell share it. */
enum { UNIT = 1024 };

void dns_rrl_init(struct dns_rrl *r, uint32_t rate, uint64_t seed)
{
	r->step = UINT64_C(1000) * UNIT / SL_MIN(SL_MAX(rate, 1U), (uint32_t)DNS_RRL_RATE_MAX);
	r->seed = seed;
}

/* Of an answer to a client's block, which lies within the first 8 octets of its address. */
static _Atomic uint64_t *cell_of(struct dns_rrl *r, struct ip client, uint64_t answer)
{
	uint64_t of[2] = {0, answer};

	memcpy(&of[0], client.b, sizeof(of[0]));
	of[0] &= ip_upper_bits(client.family == IP_V4 ? DNS_RRL_PREFIX_V4 : DNS_RRL_PREFIX_V6);
	return &r->cell[hash64(of, sizeof(of), r->seed) % DNS_RRL_CELLS];
}

bool dns_rrl_count(struct dns_rrl *r, struct ip client, uint64_t answer, uint64_t now_ms)
{
	_Atomic uint64_t *cell = cell_of(r, client, answer);
	uint64_t burst = UINT64_C(1000) * UNIT * DNS_RRL_BURST_S;
	uint64_t now = now_ms * UNIT, even = atomic_load_explicit(cell, memory_order_relaxed);

	if (even < now || even > now + burst + r->step) /* a pause, or a clock that went back */
		even = now;
	if (even > now + burst)
		return false;
	atomic_store_explicit(cell, even + r->step, memory_order_relaxed);
	return true;
}

/* A cell of learned: 32 bits of tag, then seconds until which it holds. */
static _Atomic uint64_t *learned_cell(const struct dns_rrl *r, struct ip client, uint64_t *ret_tag)
{
	uint64_t h = hash64(&client, sizeof(client), r->seed);

	*ret_tag = h >> 32;
	return (_Atomic uint64_t *)(uintptr_t)&r->learned[h % DNS_RRL_LEARNED];
}

void dns_rrl_learn(struct dns_rrl *r, struct ip client, uint64_t now_ms)
{
	uint64_t tag, until = now_ms / 1000 + DNS_RRL_LEARNED_S;
	_Atomic uint64_t *cell = learned_cell(r, client, &tag);

	if (atomic_load_explicit(cell, memory_order_relaxed) != (tag << 32 | until))
		atomic_store_explicit(cell, tag << 32 | until, memory_order_relaxed);
}

bool dns_rrl_learned(const struct dns_rrl *r, struct ip client, uint64_t now_ms)
{
	uint64_t tag, v;

	v = atomic_load_explicit(learned_cell(r, client, &tag), memory_order_relaxed);
	return v >> 32 == tag && (v & UINT32_MAX) > now_ms / 1000;
}
