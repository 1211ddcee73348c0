/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where the provinces of China lie, for "the nearest province that has a node". A province stands
 * at its capital, Taiwan in its middle: for ranking, not for measuring.
 */
#pragma once

#include "base/attr.h"
#include "base/str.h"

#include <stdint.h>

struct geo_province {
	const char *code;   /* ISO 3166-2:CN, without CN- */
	const char *number; /* GB/T 2260, as older databases have it */
	const char *name;
	int16_t lat_cdeg, lon_cdeg; /* hundredths of a degree, north and east */
};

/* The province of this code or number, or NULL. Case does not count. Static. */
const struct geo_province *geo_province_find(struct str code);

/* Kilometres between two provinces, rounded, at most one off from either side; 0 to itself. -1 when
 * a code is not known. */
int geo_province_distance_km(struct str a, struct str b);
