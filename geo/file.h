/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A compiled table in a file of its own, with the names of its groups: what sluice-geo writes and
 * reads. (The daemon's blob holds the table alone; names are in its dictionary.)
 *
 *   struct geo_file | names: per id its octets and a NUL | zeros to a multiple of 8 | table
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/str.h"
#include "geo/table.h"

#define GEO_FILE_MAGIC "SLGEOTAB"

enum { GEO_FILE_VERSION = 1 };

struct geo_file {
	char magic[8];
	uint32_t version, n_names;
	uint64_t size, checksum; /* XXH3 of all behind this header */
	uint32_t names_size, zero;
	uint64_t table; /* octet offset */
};

_Static_assert(sizeof(struct geo_file) == 48, "layout");

/* Names by id, as an intern callback fills them. Caller storage; geo_names_done frees. */
struct geo_names {
	char **name;
	size_t n;
};

struct geo_place;

/* A geo_intern_fn; ctx = struct geo_names. Gives ids from 0, SL_MAX_GROUPS at most. */
uint16_t geo_names_intern(void *ctx, struct str name, const struct geo_place *place);
void geo_names_done(struct geo_names *names) SL_NONNULL(1);

/* The octets of such a file. The caller frees *ret_file. */
int geo_file_build(const struct geo_names *names, const struct geo_table *table,
	struct geo_file **ret_file, struct errbuf *err) SL_NONNULL(1, 2, 3) SL_WUNUSED;

/* Whether the n octets at p, aligned to 8, are such a file, wholly checked. */
int geo_file_check(const void *p, size_t n, struct errbuf *err) SL_NONNULL(1) SL_WUNUSED;

/* Of a checked file. */
const struct geo_table *geo_file_table(const struct geo_file *f) SL_NONNULL(1);

/* All names of a checked file, as views into it; ret_names holds n_names. */
void geo_file_names(const struct geo_file *f, struct str *ret_names) SL_NONNULL(1, 2);
