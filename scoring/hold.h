/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What caches may hold of DNS answers: over how much of the net one answer may be kept, so that it
 * brings a vendor no more than a set part of its room, and whether answers change so fast that
 * they should be kept for a shorter time. Pure; the state is the caller's, plain octets.
 *
 * An answer is expected to bring so much (sessions that stand behind one, times their bitrate) when
 * it is kept for the block at which DNS answers are sticky, a /24. Kept for a block of half the
 * size it brings half, and as much less for every further bit. Lengths are told for IPv4; those for
 * IPv6 are 32 more, since a /56 stands where the /24 does.
 */
#pragma once

#include "scoring/score.h"

enum {
	HOLD_BLOCK = 24, /* what an answer's figure is told for */
	HOLD_LONGEST = 32,
	HOLD_MOVING_PPM = 50000, /* of what caches hold: out of date */
	HOLD_SHARE_PPM = 50000,  /* of a vendor whose room counts for the block of a whole row */
	HOLD_SHIFT = 2,          /* halvings of the TTL while answers change */
};

/* Length of the block over which an answer brings no more than it may, 0..HOLD_LONGEST. Both in
 * Mbps, >= 0; what may bring nothing gives the longest. */
uint8_t hold_length(double answer_mbps, double may_mbps) SL_PURE;

/* Keeps a length that others go by steady: it grows at once and shrinks by what is over one bit. */
uint8_t hold_steady(uint8_t before, uint8_t now) SL_PURE;

/* The shares as caches have them, which follow what is answered within a TTL. All zero: none yet.
 */
struct hold_trail {
	double ppm[SCORE_ROW];
};

/* One tick of dt_s seconds with these shares. Returns by how many ppm caches are off: half the sum
 * of the differences. ttl_s > 0. */
double hold_follow(struct hold_trail *t, const uint32_t share[static SCORE_ROW], double dt_s,
	double ttl_s) SL_NONNULL_ALL;
