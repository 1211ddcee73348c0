/* SPDX-License-Identifier: Apache-2.0 */
/* The geo table in a blob's clothes: group ids are those of the catalogue's dictionary. */
#pragma once

#include "base/limits.h"
#include "geo/table.h"
#include "world/blob.h"

#define GEOBLOB_META(F, R)                                                                         \
	F(R, uint64_t, source, ANY, 0) /* hash of the databases and settings it was made from */   \
	F(R, uint32_t, n_groups, NUM, SL_MAX_GROUPS) /* all ids in the table are below */          \
	F(R, uint32_t, unused, NUM, 0)
#define GEOBLOB_OCTET(F, R) F(R, uint8_t, v, ANY, 0)

#define GEOBLOB(A)                                                                                 \
	A(geoblob_meta, meta, GEOBLOB_META, 1, 1)                                                  \
	A(geoblob_octet, table, GEOBLOB_OCTET, 1, SL_MAX_BLOB_OCTETS)

#define GEOBLOB_ENUM(R, array, FIELDS, min, max) GEOBLOB_##array,
enum geoblob_array { GEOBLOB(GEOBLOB_ENUM) GEOBLOB_N_ARRAYS };
GEOBLOB(BLOB_STRUCT)

extern const struct blob_def geoblob_def;

/* The table within a checked blob. */
const struct geo_table *geoblob_table(const void *blob) SL_NONNULL_ALL;
const struct geoblob_meta *geoblob_meta(const void *blob) SL_NONNULL_ALL;

/* Wraps a finished table. *ret_blob is malloc'd; caller frees. */
int geoblob_build(const struct geo_table *table, uint64_t source, struct blob_stamp stamp,
	void **ret_blob, size_t *ret_size, struct errbuf *err) SL_NONNULL(1, 4, 5);
