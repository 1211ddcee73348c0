/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The one hash of the project: XXH3, 64 bits. For tables, checksums and picks; it withstands
 * chance, not an adversary who knows the seed (cookies and signatures use real MACs).
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

static inline uint64_t hash64(const void *p, size_t n, uint64_t seed)
{
	return XXH3_64bits_withSeed(p, n, seed);
}

/* Mixes two 64-bit values; for keys that are already hashes or small integers. */
static inline uint64_t hash_mix(uint64_t a, uint64_t b)
{
	uint64_t x = (a ^ (b * UINT64_C(0x9E3779B97F4A7C15))) + UINT64_C(0xD6E8FEB86659FD93);

	x ^= x >> 32;
	x *= UINT64_C(0xD6E8FEB86659FD93);
	x ^= x >> 32;
	x *= UINT64_C(0xD6E8FEB86659FD93);
	return x ^ (x >> 32);
}
