/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The simulated world: viewers, resolvers, vendors and their meters, second by second. It shares no
 * formula and no parameter with the scheduler (a lint row holds that nothing of scoring/ is
 * included here): session lengths are a heavy-tailed mixture, true bitrates are off the ladder,
 * meters are means over windows that come late, and an answer by DNS is kept by resolvers that
 * stand for one viewer or for ten thousand.
 *
 * A second is: plant_begin (events, who asks now), then the doors seat sessions, then plant_end
 * (sessions end, vendors are metered, players report).
 */
#pragma once

#include "sim/scenario.h"

enum plant_door { PLANT_HTTP, PLANT_DIALECT, PLANT_DNS, PLANT_DOORS };
enum {
	PLANT_PHASES = 5,
	PLANT_MINUTE_S = 60,
	PLANT_MAX_METERS = 2 * (SIM_MAX_VENDORS + SIM_MAX_REGIONS)
};

/* 1 January 2026, so that no difference of times is near zero. */
#define PLANT_EPOCH_MS UINT64_C(1767225600000)

/* What is true of a vendor in a group now. */
struct plant_truth {
	double success, first_frame_ms, zero_stall;
};

struct plant_meter {
	uint16_t vendor, region; /* region: of all regions in order; SIM_NONE: the total */
	double mbps;
	uint64_t start_ms, end_ms;
};

/* Reports of one second on a vendor in a group; users and stalled of the minute before. */
struct plant_facts {
	double pulls, ok, frames, frame_ms, users, stalled;
	double net_pulls, net_users; /* failed and stalled more, told by one /24 */
	double live, live_mbps; /* sessions alive that report, and their bitrates; last heard */
};

/* Clients that share an answer: those behind a resolver, or in a /24. */
struct plant_block {
	double weight;   /* part of the group's sessions by this door */
	uint32_t hash;   /* sticky key */
	uint32_t vendor; /* of the answer it has; SIM_NONE: none */
	double expires_s;
	double live[PLANT_PHASES]; /* dialects: sessions, which move with the answer */
};

struct plant_viewers;

struct plant {
	const struct scenario *s;
	struct plant_viewers *viewers; /* NULL: the audience is a fluid */
	uint32_t n_vendors, n_groups, n_regions, now_s;
	uint64_t seed;

	/* of now */
	double guaranteed[SIM_MAX_VENDORS], maximum[SIM_MAX_VENDORS], weight[SIM_MAX_VENDORS];
	double external[SIM_MAX_VENDORS], load[SIM_MAX_VENDORS];
	bool drained[SIM_MAX_VENDORS], scheduler_down;
	uint16_t region_of[SIM_MAX_GROUPS][SIM_MAX_VENDORS]; /* SIM_NONE: none */
	double region_guaranteed[SIM_MAX_REGIONS], region_maximum[SIM_MAX_REGIONS];
	double region_load[SIM_MAX_REGIONS];
	struct plant_truth truth[SIM_MAX_GROUPS][SIM_MAX_VENDORS];

	/* who asks in this second */
	double fresh[SIM_MAX_GROUPS][PLANT_DOORS];
	double retry[SIM_MAX_GROUPS][SIM_MAX_VENDORS]; /* over HTTP, avoiding this vendor */

	/* what the scheduler may see */
	struct plant_meter meter[PLANT_MAX_METERS];
	uint32_t n_meters;
	struct plant_facts facts[SIM_MAX_GROUPS][SIM_MAX_VENDORS];

	/* hidden */
	double kbps[SIM_MAX_GROUPS]; /* true mean of a session */
	double mean_kbps;            /* of the whole audience */
	double part[SIM_MAX_GROUPS]; /* of the audience */
	double spread[SIM_MAX_GROUPS][SIM_MAX_VENDORS];
	double phase_part[PLANT_PHASES], phase_keep[PLANT_PHASES], phase_mean[PLANT_PHASES];
	double live[PLANT_DOORS][SIM_MAX_GROUPS][SIM_MAX_VENDORS][PLANT_PHASES];
	double scale[SIM_MAX_GROUPS][SIM_MAX_VENDORS]; /* mean bitrate over what was wanted */
	double waiting[SIM_MAX_GROUPS][PLANT_DOORS];   /* asks again next second */
	double broken[SIM_MAX_GROUPS][SIM_MAX_VENDORS];
	double pulls[SIM_MAX_GROUPS][SIM_MAX_VENDORS], ok[SIM_MAX_GROUPS][SIM_MAX_VENDORS];
	/* part of the users that report who stalled, by second */
	double stalled[SIM_MAX_GROUPS][SIM_MAX_VENDORS][PLANT_MINUTE_S];
	double *sum; /* integral of the load: [second][vendors, then regions], Mbps s */
	struct plant_block *block;                     /* [group][door - 1][resolver] */
	double would_be[SIM_MAX_GROUPS][PLANT_PHASES]; /* audience if nobody were refused */
	uint64_t draws;                                /* state of the generator */
};

/* NULL when out of memory. Caller frees. */
struct plant *plant_new(const struct scenario *s, uint64_t seed) SL_NONNULL_ALL SL_WUNUSED;
void plant_free(struct plant *p);

void plant_begin(struct plant *p) SL_NONNULL_ALL;
void plant_end(struct plant *p) SL_NONNULL_ALL;

/* Sessions of a group begin, or go on, at a vendor. scale: their bitrate over what they wanted. */
void plant_seat(struct plant *p, enum plant_door door, uint32_t group, uint32_t vendor,
	double sessions, double scale) SL_NONNULL_ALL;

/* Takes seated sessions of HTTP doors away from a vendor; returns how many. part: 0..1 */
double plant_unseat(struct plant *p, uint32_t group, uint32_t vendor, double part) SL_NONNULL_ALL;

/* Moves the sessions of a dialect's block to where its new answer points; returns how many. */
double plant_move_block(
	struct plant *p, uint32_t group, struct plant_block *b, uint32_t vendor) SL_NONNULL_ALL;

/* Refused sessions: half ask again in a second, as players do that fall back to nothing else. */
void plant_refuse(
	struct plant *p, enum plant_door door, uint32_t group, double sessions) SL_NONNULL_ALL;

/* Blocks of a door (not HTTP) in a group; s->f.audience.resolvers of them. */
struct plant_block *plant_blocks(
	struct plant *p, uint32_t group, enum plant_door door) SL_NONNULL_ALL;

/* Whether a block asks in this second: its answer has run out and somebody comes. */
bool plant_block_asks(struct plant *p, const struct plant_block *b, double sessions) SL_NONNULL_ALL;

/* Seated sessions of a group on a vendor by all doors. */
double plant_live(const struct plant *p, uint32_t group, uint32_t vendor) SL_NONNULL_ALL;

/* True demand of a group, Mbps, if nobody were refused: for the optimum. */
double plant_demand_mbps(const struct plant *p, uint32_t group) SL_NONNULL_ALL;

/* Whether the vendor truly serves the group worse than by its contract now. */
bool plant_faulty(const struct plant *p, uint32_t group, uint32_t vendor) SL_NONNULL_ALL;

/* Uniform in [0, 1), from the seed. */
double plant_uniform(struct plant *p) SL_NONNULL_ALL;
double plant_normal(struct plant *p) SL_NONNULL_ALL;
