/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a worker hands to the tick thread: records of checked reports and counts of refused ones,
 * in batches of fixed size that go back and forth through two mailboxes without a lock
 * (docs/concurrency.md).
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "collect/report.h"

enum {
	COLLECT_BATCH = 1 << 18,      /* records of one batch */
	COLLECT_BATCH_TEXT = 1 << 20, /* octets of names of streams */
	COLLECT_PPM = 1000000,
};

enum collect_flag {
	COLLECT_PULL = 1,        /* a pull attempt ended */
	COLLECT_PULL_OK = 2,     /* well */
	COLLECT_FIRST_FRAME = 4, /* first_frame_us counts */
	COLLECT_STALLED = 8,     /* the player stood still since the report before */
	COLLECT_BITRATE = 16,    /* kbps counts */
	COLLECT_LOG = 32,        /* a line of a CDN log, not a report: octets instead of session */
	COLLECT_LOG_ERROR = 64,
	COLLECT_LOG_SLOW = 128,
	COLLECT_STATE = 256,   /* the player said whether it stands still: COLLECT_STARVED or not */
	COLLECT_STARVED = 512, /* it does, for want of data */
	COLLECT_TEST = 2048,   /* of a load test: into books of its own */
	COLLECT_STALL_TOTAL = 1024, /* stall_total_ms counts */
	COLLECT_PUSHED = 4096,      /* a report of a pusher, with members of its own */
	COLLECT_FRAME_RATE = 8192,  /* frame_rate_mfps counts */
	COLLECT_RTT = 16384,        /* rtt_us counts */
};

/* One report or log line, ids instead of names. */
struct collect_record {
	union {
		uint64_t session; /* hashes, seeded */
		uint64_t octets;
	};
	union {
		uint64_t user;
		uint64_t ingest; /* of a push: hash of the point's service and name */
	};
	union {
		uint64_t stream;
		uint64_t service; /* of a push */
	};
	uint64_t address, net; /* hashes of where it came from */
	uint64_t t_ms;         /* unix, of the event; never after its arrival */
	union {
		uint32_t first_frame_us;
		uint32_t rtt_us; /* of a push */
	};
	uint32_t kbps;
	union {
		uint32_t stall_total_ms;  /* all stalls of the session so far */
		uint32_t frame_rate_mfps; /* of a push */
	};
	uint32_t keep; /* sampled away unless below the threshold of the time */
	uint16_t group;
	uint16_t flags; /* of enum collect_flag */
	uint8_t vendor;
	uint8_t definition, client; /* ids of words.def */
};

/* name, word in facts */
#define COLLECT_SOURCES_MAP(X)                                                                     \
	X(COLLECT_QOS, "qos")                                                                      \
	X(COLLECT_PUSH, "push")                                                                    \
	X(COLLECT_CMCD, "cmcd")                                                                    \
	X(COLLECT_LOGS, "logs")

enum collect_source {
#define X(id, word) id,
	COLLECT_SOURCES_MAP(X)
#undef X
		COLLECT_SOURCES
};

struct collect_counts {
	uint64_t accepted, shed, dropped; /* shed: sampled away; dropped: the batch was full */
	uint64_t refused[COLLECT_REFUSALS];
	uint64_t last_ms; /* of the last one that was accepted */
};

/* Owned by whoever holds it. */
struct collect_batch {
	uint32_t n, text_used;
	uint64_t catalogue; /* checksum of the catalogue the last ids come from */
	struct collect_counts counts[2][COLLECT_SOURCES]; /* live; of load tests */
	struct collect_record record[COLLECT_BATCH];
	uint8_t text[COLLECT_BATCH_TEXT]; /* hash (8 octets), length (2), name; again and again */
};

/* Between one worker and the tick thread. Each pointer is written by both sides, always by an
 * exchange or a store into what the same side has seen to be empty. */
struct collect_mailbox {
	_Atomic(struct collect_batch *) full;  /* to the tick thread */
	_Atomic(struct collect_batch *) empty; /* back to the worker */
} __attribute__((aligned(64)));

/* The worker's side, at the end of a round: hands over *at if it holds anything and the box is
 * free; *at is then an empty one. */
static inline void collect_hand_over(struct collect_mailbox *m, struct collect_batch **at)
{
	struct collect_batch *next;
	bool something = (*at)->n != 0;

	for (int i = 0; i < 2 * COLLECT_SOURCES && !something; i++) {
		const struct collect_counts *c =
			&(*at)->counts[i / COLLECT_SOURCES][i % COLLECT_SOURCES];

		something = c->accepted || c->shed;
		for (int r = 0; r < COLLECT_REFUSALS && !something; r++)
			something = c->refused[r];
	}
	if (!something || atomic_load_explicit(&m->full, memory_order_relaxed))
		return;
	next = atomic_exchange_explicit(&m->empty, NULL, memory_order_acquire);
	if (!next)
		return;
	atomic_store_explicit(&m->full, *at, memory_order_release);
	*at = next;
}

/* The tick thread's side: what there is, or NULL; and its return, emptied. */
static inline struct collect_batch *collect_fetch(struct collect_mailbox *m)
{
	return atomic_exchange_explicit(&m->full, NULL, memory_order_acquire);
}

static inline void collect_give_back(struct collect_mailbox *m, struct collect_batch *b)
{
	b->n = b->text_used = 0;
	memset(b->counts, 0, sizeof(b->counts));
	atomic_store_explicit(&m->empty, b, memory_order_release);
}
