/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which carrier an address belongs to: the many names and AS numbers of one carrier become one
 * short name. The table comes from the configuration; isp_default.def is what it has otherwise.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/str.h"

/* Borrowed, immutable. The lists end with NULL or 0; a list may be NULL. */
struct geo_isp {
	const char *name;           /* lower case, as in group names */
	const char *const *aliases; /* patterns of names in databases (base/glob.h), case ignored */
	const uint32_t *asns;       /* AS numbers */
	const char *const *countries; /* where it makes groups; NULL: see struct geo_input */
};

/* The built-in table. Static. */
const struct geo_isp *geo_isp_default(size_t *ret_n) SL_NONNULL(1);

/* Index of the carrier of this name or an alias that matches; n when none does. The first row that
 * matches wins. */
size_t geo_isp_by_name(const struct geo_isp *isps, size_t n, struct str name);

/* Index of the carrier with this AS number; n when there is none. */
size_t geo_isp_by_asn(const struct geo_isp *isps, size_t n, uint32_t asn);
