/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Compiles databases and overrides into the flat prefix table (table.h). For the control plane and
 * tools: reads files, takes seconds and some hundred megabytes for a whole world.
 *
 * Every field (country, province, carrier) comes from the first source that knows it: overrides,
 * then the databases in the order given. So a carrier database completes a country database. A
 * province counts only with its own country.
 *
 * Groups are named COUNTRY, COUNTRY/PROVINCE, COUNTRY/PROVINCE/isp or COUNTRY/-/isp; an address of
 * which no country is known is in the default group.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/str.h"
#include "geo/isp.h"
#include "geo/table.h"

/* The parts of a group's name; an absent one is empty. Valid during the call. */
struct geo_place {
	struct str country, province, isp;
};

enum { GEO_REFUSED = 0xffff, GEO_MAX_DBS = 15 };

/* The id of a group's name, the same for ever; GEO_REFUSED when there is no room for another.
 * Called once per group: the default one, then the rest in order of name. */
typedef uint16_t geo_intern_fn(void *ctx, struct str name, const struct geo_place *place);

/* All borrowed for the call. */
struct geo_input {
	const char *const *dbs; /* paths of .mmdb files, 0 to GEO_MAX_DBS */
	size_t n_dbs;
	const char *overrides_name; /* what errors call the text below */
	struct str overrides;       /* see overrides.h; may be empty */
	const struct geo_isp *isps; /* at most SL_MAX_ISPS */
	size_t n_isps;
	/* Lists of ISO codes that end with NULL; a NULL list is { "CN" }. */
	const char *const *province_countries; /* divided by province */
	const char *const *isp_countries;      /* divided by carriers that name no countries */
	const char *default_group;             /* NULL: "default" */
	geo_intern_fn *intern;
	void *ctx;
};

/*
 * Builds a table of *ret_size octets, aligned to 8; the caller frees it. Errors name the file and,
 * for overrides, the line. SL_ELIMIT when groups, ranges or carriers are too many.
 */
int geo_build(const struct geo_input *in, struct geo_table **ret_table, size_t *ret_size,
	struct errbuf *err) SL_NONNULL(1, 2, 3) SL_WUNUSED;

/* Whether now covers less than 80 % of what old did, in addresses of a family with country or
 * carrier, or in groups: a damaged or cut file, which the caller refuses. */
bool geo_shrunken(const struct geo_stats *old, const struct geo_stats *now) SL_NONNULL(1, 2);
