/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The 95th percentile that vendors bill by: the month's five-minute means in falling order, the
 * first twentieth of all the month's slots struck out; the next one is what is paid. So a twentieth
 * of the slots may be over the guarantee for nothing: those are the free ones. A vendor's month is
 * the calendar's, in the local time of its bill. Pure.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"

enum { BILLING_SLOT_MS = 300000, BILLING_MAX_SLOTS = 31 * 288 };

/* First moment of the month that holds now_ms (unix) in local time, and of the next. */
void billing_month(uint64_t now_ms, int32_t utc_offset_min, uint64_t *ret_start_ms,
	uint64_t *ret_end_ms) SL_NONNULL_ALL;

struct billing_position {
	uint32_t slots;     /* of the whole month */
	uint32_t samples;   /* there are so far */
	uint32_t free;      /* slots that are struck out: a twentieth of all */
	uint32_t used;      /* samples over the guarantee */
	uint32_t free_left; /* 0: the bill is over the guarantee already */
	uint64_t p95_kbps;  /* what would be billed if nothing more came */
};

/* sample: kbps of the month's slots so far, any order; it is sorted. n <= BILLING_MAX_SLOTS. */
void billing_position(uint64_t *sample, uint32_t n, uint32_t slots, uint64_t guaranteed_kbps,
	struct billing_position *ret) SL_NONNULL(5);

/* The five-minute mean that is being formed. */
struct billing_slot {
	uint64_t start_ms; /* 0: none yet */
	double sum;        /* Mbps times ms */
	uint64_t covered_ms, last_ms;
};

/* Adds what was in use until now_ms. true: the slot before is full and its mean is in *ret; one
 * that was covered for less than half gives none (the daemon was down, its mean is unknown). */
bool billing_add(struct billing_slot *s, double mbps, uint64_t now_ms, uint64_t *ret_start_ms,
	uint64_t *ret_kbps) SL_NONNULL_ALL;
