/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The decision: which vendor, and which addresses of it, for one client of one service. The same
 * function for DNS, HTTP, steering, explain and the simulator. Pure: the world, the question, the
 * worker's own rows and a mask of spent budgets go in; nothing is kept, read or called besides.
 */
#pragma once

#include "base/ip.h"
#include "scoring/pick.h"
#include "scoring/sticky.h"
#include "world/world.h"

/* How the first vendor was found, and why there is none; name, text. Closed list: counters and
 * explain carry the value, so rows are only ever added at the end. */
#define ANSWER_REASON_MAP(X)                                                                       \
	X(ANSWER_SEQUENCE, "by sequence")                                                          \
	X(ANSWER_STICKY, "by sticky key")                                                          \
	X(ANSWER_KEPT, "current vendor kept")                                                      \
	X(ANSWER_MOVED, "current vendor not usable")                                               \
	X(ANSWER_SPILLED, "budget of the picked vendor spent")                                     \
	X(ANSWER_FALLBACK, "tick too old: fallback shares")                                        \
	X(ANSWER_NO_VENDOR, "no vendor may take this group")                                       \
	X(ANSWER_NO_ROOM, "no vendor has room")                                                    \
	X(ANSWER_NO_STREAM, "no usable vendor carries the stream")                                 \
	X(ANSWER_NO_SERVICE, "service not active")                                                 \
	X(ANSWER_DENIED, "address denied by an operator")

enum answer_reason {
#define X(name, text) name,
	ANSWER_REASON_MAP(X)
#undef X
		ANSWER_REASONS
};

const char *answer_reason_text(uint8_t reason);

/* What an answer is to the vendor it names. Only new and moved sessions are dispatches. */
enum answer_kind { ANSWER_NEW, ANSWER_REFRESH, ANSWER_MOVE, ANSWER_KINDS };

struct question {
	uint32_t service;
	uint32_t group;                  /* of the client, from answer_locate */
	uint64_t key;                    /* sticky key: answer_key, or a hash of the client's id */
	const struct cat_stream *stream; /* NULL: any vendor of the service carries it */
	uint32_t cur;                    /* slot the session has now, or SCORE_NONE */
	uint32_t avoid;                  /* bit per slot: has just failed, never first */
	uint64_t denied;  /* bit per vendor id: not for this address, from answer_locate */
	bool by_sequence; /* the door knows client or cur */
	bool stale;       /* world_stale at this time */
	uint64_t now_ms;  /* unix; what is harvested ends by it */
};

/* Where the client is. */
struct place {
	uint32_t group;
	uint8_t block; /* prefix length over which the group is constant, in the client's family */
	uint8_t scope; /* ECS scope for this source length */
	uint64_t denied; /* vendors that may not serve it by operators' rules; bit per id */
};

/* Vendors and regions whose budget is spent; bit per vendor id, bit per region id. */
struct answer_full {
	uint64_t vendors;
	uint64_t regions[SL_MAX_REGIONS / 64];
};

/* What one worker keeps between rounds: rows of the sequence by service and group. Sized for any
 * world, pages touched only where used. Owned by one thread. */
struct answer_rows {
	struct pick_seq seq[SL_MAX_SERVICES][SL_MAX_GROUPS];
};

struct answer {
	uint32_t n;                  /* ranked vendors; 0: none may take this client */
	uint8_t slot[SL_MAX_RANKED]; /* best first */
	uint8_t reason;              /* enum answer_reason */
	uint8_t kind;                /* enum answer_kind of slot[0] */
	bool stale;
	const struct tick_row *row;
	uint8_t rung;  /* of the service's ladder that the session is asked to take; 0: as it likes
			*/
	uint32_t kbps; /* of that rung; 0: the service has told no ladder */
};

/* Holds a new or moved session to a rung where the row lowers some; hash: of the client, so that it
 * keeps its rung. For doors that can tell the client. */
void answer_lower(const struct world *w, const struct question *q, uint32_t hash,
	struct answer *a) SL_NONNULL_ALL;

/* Group and scope of a client. source_len: bits of the address that the asker told (32 or 128 when
 * it is the client itself). */
struct place answer_locate(const struct world *w, struct ip client, uint8_t source_len)
	SL_NONNULL(1);

/* The sticky key of an address for a service: a hash of the scope block, no wider than its /24 or
 * /56, the same at every door. */
uint64_t answer_key(struct ip client, struct place place, uint32_t service);

/* Which budgets are spent, from the sums of all workers' tallies: spent_kbps[vendor], then
 * spent_kbps[SL_MAX_VENDORS + region]. Once a batch. A stale tick has no budgets. */
void answer_full_update(struct answer_full *full, const struct world *w, const uint64_t *spent_kbps,
	bool stale) SL_NONNULL_ALL;

/* How long an answer of this row may be kept: less than the service says while something moves
 * here, so that who still holds it asks again soon. */
static inline uint32_t answer_ttl_s(const struct cat_service *s, const struct tick_row *row)
{
	return SL_MAX(s->ttl_s >> row->hold_shift, SL_MIN(s->ttl_s, 1U));
}

/* A length of scoring/hold.h in the client's family. */
static inline uint8_t answer_hold_length(uint8_t length, enum ip_family family)
{
	return family == IP_V4 ? length : (uint8_t)(length + GEO_FLOOR_V6 - GEO_FLOOR_V4);
}

/* The same that a slot of the row wants; TICK_HOLD_BASE or less: it does not care. */
static inline uint8_t answer_slot_hold(const struct tick_row *row, uint8_t slot)
{
	return (uint8_t)(TICK_HOLD_BASE + (row->hold_slots >> 4 * slot & 15));
}

/* Narrows place and sticky key of a client to the block for which the row answers, where that is
 * smaller than the one of answer_key: its parts are spread evenly over the hash space, from the key
 * on, and each half of a part begins where the part did, so that as few as possible move when the
 * length changes. */
void answer_narrow(const struct tick_row *row, struct ip client, struct place *place,
	uint64_t *key) SL_NONNULL_ALL;

/* The slot that the sticky key alone gives, before budgets and what has just failed; SCORE_NONE or
 * more where there is none, or the row has no table. */
static inline uint32_t answer_sticky_slot(
	const struct world *w, const struct tick_row *row, uint64_t key)
{
	if (row->sticky.count == 0)
		return SCORE_NONE;
	return sticky_lookup(
		&w->tick.sticky[row->sticky.first].v, row->sticky.count, (uint32_t)(key >> 32));
}

/* Decides. rows may be NULL (explain): then the sequence is looked at from a fresh row. */
void answer_decide(const struct world *w, const struct question *q, const struct answer_full *full,
	struct answer_rows *rows, struct answer *ret_answer) SL_NONNULL(1, 2, 3, 5);

/* Where a vendor's slot sends this client. */
enum target_kind { TARGET_NOTHING, TARGET_CNAME, TARGET_ADDRESSES, TARGET_NODES, TARGET_EDGES };

struct target {
	enum target_kind kind;
	uint32_t vendor;
	const struct cat_slot *slot;
	const struct cat_addrset *addrs; /* TARGET_ADDRESSES */
	const struct tick_edges *edges;  /* TARGET_EDGES: for this moment only */
	uint32_t turn;                   /* by so many addresses the list is rotated */
	uint32_t n_nodes;                /* TARGET_NODES, in order of preference */
	uint16_t node[SL_MAX_ADDRS];
};

/* By how many addresses a list is rotated for a client. Own nodes go by the client anyway. */
static inline uint32_t answer_turn(const struct cat_service *s, uint64_t key)
{
	return s->order == CAT_ORDER_ROTATED ? (uint32_t)key : 0;
}

/* Addresses where some are known (own nodes for the stream, what the vendor's DNS gave, what the
 * catalogue has), else the CNAME. want_nodes:
 * 1..16. stream: hash64 of its name, 0 for none. */
void answer_target(const struct world *w, const struct question *q, uint8_t slot, uint64_t stream,
	uint32_t want_nodes, struct target *ret_target) SL_NONNULL(1, 2, 6);

/* Copies ready records of a family (A of 16 octets, AAAA of 28) of a target, at most max; returns
 * how many. Addresses lie in the last 4 or 16 octets of each. */
uint32_t answer_records(const struct world *w, const struct target *t, bool v6, uint32_t max,
	uint8_t *ret_records) SL_NONNULL_ALL;
