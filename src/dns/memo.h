/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a worker remembers of its decisions while nothing they were made from changes: a sticky
 * answer depends on (service, group, slot of the key) only. Direct-mapped; an entry of another view
 * is no entry. Holds indexes, never pointers into a world, and only the vendor that is answered.
 * Owned by one thread.
 */
#pragma once

#include "answer/decide.h"

enum { MEMO_SIZE = 1 << 14 };

struct memo {
	uint32_t view; /* of the worker when it was made; 0: never */
	uint32_t tag;
	uint32_t slot;  /* index in the catalogue, of the target */
	uint32_t addrs; /* likewise; BLOB_NONE for TARGET_CNAME */
};

static inline uint32_t memo_tag(uint32_t service, uint32_t group, uint32_t slot)
{
	return (service * SL_MAX_GROUPS + group) * SL_MAX_SLOTS + slot;
}

static inline struct memo *memo_at(struct memo *table, uint32_t tag)
{
	return &table[(tag ^ tag >> 14) & (MEMO_SIZE - 1)];
}
