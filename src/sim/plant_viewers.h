/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The audience as single sessions: each has a group, a door, an address, a bitrate and an end of
 * its own, and asks by itself. Drawn from what the fluid of plant_step.c flows by, so both
 * audiences are the same in the mean. The plant owns it; one thread.
 *
 * A second is: plant_begin, then plant_next_ask until nobody asks, each with plant_tell, then
 * plant_end.
 */
#pragma once

#include "base/ip.h"
#include "sim/plant.h"

/* One who asks. */
struct plant_ask {
	uint32_t viewer; /* for plant_tell */
	uint32_t id;     /* of the client, the same for as long as it watches */
	uint16_t group;
	uint16_t block;      /* of its door: resolver, or net of clients */
	uint16_t cur, avoid; /* vendor that it has, and that has just failed it; SIM_NONE: none */
	enum plant_door door;
};

/* Seats who is there at the start. NULL when out of memory. Caller frees. */
struct plant_viewers *plant_viewers_new(struct plant *p) SL_NONNULL_ALL SL_WUNUSED;
void plant_viewers_free(struct plant_viewers *a);

/* The next who asks in this second: who was refused or failed before, who asks again in its turn,
 * who comes. false: nobody more. Viewers behind resolvers ask only for a new session. */
bool plant_next_ask(struct plant *p, struct plant_ask *ret_ask) SL_NONNULL_ALL;

/* What it was told: a vendor, or SIM_NONE. scale: its bitrate over what it wants; of no account
 * where it stays. */
void plant_tell(
	struct plant *p, const struct plant_ask *ask, uint32_t vendor, double scale) SL_NONNULL_ALL;

/* Address of a client, or of a resolver as the DNS sees it. A group has a /16 of its own, a block
 * a /56 of that. */
struct ip plant_client_ip(const struct plant_ask *ask) SL_NONNULL_ALL SL_PURE;
struct ip plant_resolver_ip(const struct plant_ask *ask) SL_NONNULL_ALL SL_PURE;

/* The first address of a group. */
struct ip plant_group_ip(uint32_t group);

/* plant_step.c: at the begin and the end of a second. */
void plant_viewers_begin(struct plant *p) SL_NONNULL_ALL;
void plant_viewers_end(struct plant *p) SL_NONNULL_ALL;
