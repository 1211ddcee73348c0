/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a worker remembers while nothing it was made from changes. Of its decisions: a sticky
 * answer depends on (service, group, slot of the key) only. Direct-mapped; an entry of another view
 * is no entry. Holds indexes, never pointers into a world, and only the vendor that is answered.
 * Owned by one thread.
 */
#pragma once

#include "answer/decide.h"
#include "base/hash.h"
#include "dns/wire.h"

enum { MEMO_SIZE = 1 << 14, ASKED_SIZE = 1 << 6, ASKED_HEAD = 2 * sizeof(uint64_t) };

struct memo {
	uint32_t view; /* of the worker when it was made; 0: never */
	uint32_t tag;
	uint32_t slot;  /* index in the catalogue, of the target */
	uint32_t addrs; /* likewise; BLOB_NONE for TARGET_CNAME */
};

/* Where a question's name led, as it came, octet for octet: crowds ask for few names.
 * Direct-mapped; an entry of another view is no entry. */
struct asked {
	uint32_t view;
	uint32_t name; /* index in the catalogue */
	struct dns_known known;
};

/* By the first ASKED_HEAD octets of a question, of which a short name is fewer. */
static inline struct asked *asked_at(struct asked *table, const uint8_t *question)
{
	uint64_t head[2];

	memcpy(head, question, sizeof(head));
	return &table[hash_mix(head[0], head[1]) % ASKED_SIZE];
}

static inline uint32_t memo_tag(uint32_t service, uint32_t group, uint32_t slot)
{
	return (service * SL_MAX_GROUPS + group) * SL_MAX_SLOTS + slot;
}

static inline struct memo *memo_at(struct memo *table, uint32_t tag)
{
	return &table[(tag ^ tag >> 14) & (MEMO_SIZE - 1)];
}
