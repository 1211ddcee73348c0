/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A breaker per (vendor, group): takes a vendor that fails out of one group within seconds, and
 * lets it back step by step. It trips on facts that are bad, significant and worse than what the
 * others in the same group show at the same time: an ISP that is down for everybody is nobody's
 * fault. Pure; states are plain structs.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "scoring/quality.h"

enum breaker_state {
	BREAKER_CLOSED,
	BREAKER_OPEN,
	BREAKER_10,
	BREAKER_25,
	BREAKER_50,
	BREAKER_STATES
};

/* Part of its share that a vendor gets in a state, ppm. */
uint32_t breaker_pass_ppm(uint32_t state) SL_PURE;
const char *breaker_state_text(uint32_t state);

/* Why a state changed, or a trip was held back: name, text. */
#define BREAKER_CAUSE_MAP(X)                                                                       \
	X(BREAKER_NOTHING, "nothing")                                                              \
	X(BREAKER_BY_SUCCESS, "pull success")                                                      \
	X(BREAKER_BY_FIRST_FRAME, "first frame")                                                   \
	X(BREAKER_BY_STALLS, "stall rate")                                                         \
	X(BREAKER_BY_HOLD, "hold is over")                                                         \
	X(BREAKER_BY_PROOF, "good again")                                                          \
	X(BREAKER_HELD_LAST, "held: last usable vendor")                                           \
	X(BREAKER_HELD_PANIC, "held: less than half would be healthy")                             \
	X(BREAKER_HELD_AUDIENCE, "held: more than a third of the region")

enum breaker_cause {
#define X(name, text) name,
	BREAKER_CAUSE_MAP(X)
#undef X
		BREAKER_CAUSES
};
const char *breaker_cause_text(uint32_t cause);

struct breaker_params {
	double success;                  /* a window below is bad: 0.9 */
	double success_margin;           /* and below the others by: 0.05 */
	double first_frame_ms;           /* above is bad: 2000 */
	double frame_times;              /* and above the others' by this factor: 2 */
	double stall_rate;               /* of users in the minute: 0.05 */
	double stall_times;              /* and above the others' by this factor: 2 */
	double z;                        /* of the confidence bounds: 2.33 (1 % one-sided) */
	double least_pulls, least_users; /* in a window: 10; in a minute: 30 */
	double others_weight;            /* of the others' longer estimate, in samples: 20 */
	uint32_t hold_ms, max_hold_ms;   /* 30 s, doubling up to 15 min */
	uint32_t step_ms;                /* per step on the way back: 20 s */
	uint32_t forgive_ms;             /* closed for so long: no relapse any more. 10 min */
};
#define BREAKER_PARAMS_DEFAULT                                                                     \
	{                                                                                          \
		.success = 0.9, .success_margin = 0.05, .first_frame_ms = 2000, .frame_times = 2,  \
		.stall_rate = 0.05, .stall_times = 2, .z = 2.33, .least_pulls = 10,                \
		.least_users = 30, .others_weight = 20, .hold_ms = 30000, .max_hold_ms = 900000,   \
		.step_ms = 20000, .forgive_ms = 600000                                             \
	}

enum { BREAKER_WINDOW_MS = 5000, BREAKER_SPAN_MS = 15000, BREAKER_BADS = 16 };

/* Of one (vendor, group). All zero: closed, nothing seen. */
struct breaker {
	uint8_t state, relapses;
	uint8_t n_bad; /* bad windows of the last 15 s, by their end */
	uint8_t cause; /* of the last change */
	uint32_t hold_ms;
	uint64_t since_ms; /* of the state */
	uint64_t back_ms;  /* when it was last let back */
	uint64_t bad_ms[BREAKER_BADS];
	double proof; /* pulls seen in this step */
	double value, bound,
		samples; /* evidence of the last change: seen, wanted, out of how many */
};

struct breaker_region;

/* One vendor of a group at a tick. */
struct breaker_in {
	bool usable; /* for other reasons: not drained, on no blacklist of the operator's ... */
	struct quality_facts window; /* the 5 s that end now; users and stalled: the last minute */
	struct quality_estimate estimate; /* the longer, shrunk view of this vendor in this group */
	double audience_mbps;             /* of the group on this vendor now */
	double room_mbps; /* what the vendor could take in all groups, counted as audiences are */
	struct breaker_region *region; /* the vendor's own around this group; NULL: the caller's */
};

/* What the guards of a region look at, a vendor's or all groups; kept over the groups of one tick
 * by the caller, who fills it in before the first. */
struct breaker_region {
	double audience_mbps; /* of the whole region */
	double out_mbps;      /* of it, by automatic breakers that are open; updated */
	uint32_t groups_out;  /* groups with one open; updated */
	double moved_mbps;    /* what trips of this tick took of the others' room; updated */
};

struct breaker_event {
	uint8_t slot, from, to, cause;
	double value, bound, samples;
};

/* Text of an event with its numbers, for log and explain; returns ret. */
char *breaker_event_text(const struct breaker_event *e, char *ret, size_t size) SL_NONNULL_ALL;

/* Whether a window could convict a vendor, whatever the others show: cheap, and false for nearly
 * all.
 */
bool breaker_suspects(
	const struct breaker_params *p, const struct quality_facts *window) SL_NONNULL_ALL SL_PURE;

/* Whether a tick without a suspect leaves this state as it is. */
static inline bool breaker_rests(const struct breaker *b)
{
	return b->state == BREAKER_CLOSED && b->relapses == 0;
}

/*
 * One tick of a group's n vendors (n <= SL_MAX_SLOTS). Returns the number of events, transitions
 * and trips held back (a trip held back is told once per hold_ms), at most n.
 */
uint32_t breaker_tick(const struct breaker_params *p, struct breaker *b,
	const struct breaker_in *in, uint32_t n, struct breaker_region *region, uint64_t now_ms,
	struct breaker_event *ret) SL_NONNULL(1, 2, 3, 5, 7);

/* The clock was set ahead, which is no time gone by: holds and proofs go on. */
void breaker_clock_ahead(struct breaker *b, uint64_t by_ms) SL_NONNULL(1);
