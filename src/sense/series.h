/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A reply of a meter's API to points of bandwidth, and points to windows. Knows JSON and units;
 * where the reply came from is not its business. Pure.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"

struct cJSON;

enum {
	SENSE_MAX_POINTS = 4096,      /* of different times, over all pages */
	SENSE_MAX_MEMBERS = 200000,   /* of the lists of one reply */
	SENSE_MAX_REPLY = 4 << 20,    /* octets */
	SENSE_MAX_TOKEN = 512,        /* octets of {next} and {cursor} */
	SENSE_MAX_POINTER_PARTS = 32, /* of a JSON pointer */
};

/* How a reply is read; texts are JSON pointers (RFC 6901), "/" + "*" for each member of a list. */
struct sense_form {
	const char *series, *value, *time; /* time empty: one point, of no time */
	uint32_t unit;                     /* enum conf_unit, not API */
	uint32_t step_s;
	int32_t utc_offset_min; /* of times without a zone */
};

struct sense_points {
	uint32_t n;
	struct sense_point {
		uint64_t t_ms;  /* unix, begin; 0 where the reply has no time */
		double v;       /* Mbps, or octets of a counter; equal times are added up */
	} at[SENSE_MAX_POINTS]; /* by time */
};

/* Adds a reply's points. SL_EFORMAT or SL_ELIMIT with text; what stood before it is then kept and
 * what came before the fault may be there. */
int sense_series_read(const struct sense_form *form, const struct cJSON *reply,
	struct sense_points *points, struct errbuf *err) SL_NONNULL(1, 3);

/* What a pointer says as text into ret (size of it); false where it names nothing, null, false or
 * an empty text. */
bool sense_series_text(const struct cJSON *reply, const char *pointer, char *ret, size_t size)
	SL_NONNULL(2, 3);

/* Unix ms of a number of seconds or milliseconds, or of "2026-11-21T05:41:00Z" and its like. */
bool sense_series_time(const struct cJSON *v, int32_t utc_offset_min, uint64_t *ret_ms)
	SL_NONNULL(3);

/*
 * The mean of the window that begins at start_ms, of points of step_s. false: less than half of it
 * is there, or its last step is not and a later point neither (it is still being filled).
 */
bool sense_series_window(const struct sense_points *points, uint64_t start_ms, uint32_t window_s,
	uint32_t step_s, double *ret_mbps) SL_NONNULL(1, 5);
