/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The dictionary of ids: names of groups, vendors, vendor regions and services to small integers,
 * append-only. What once had an id keeps it for the life of the state folder, so shares, tallies
 * and facts of any age mean the same. Kept as part of the catalogue. One thread.
 */
#pragma once

#include "world/catalogue.h"

enum dict_kind { DICT_GROUP, DICT_VENDOR, DICT_REGION, DICT_SERVICE, DICT_KINDS };

struct dict;

/* Empty, or with the names of a catalogue. Caller frees. NULL when out of memory. */
struct dict *dict_new(const struct cat_view *from) SL_WUNUSED;
void dict_free(struct dict *d);

/* The id of a name, given now if it had none. A region's name is VENDOR/REGION. BLOB_NONE when
 * there is no room for another (limits.h). */
uint32_t dict_intern(struct dict *d, enum dict_kind kind, struct str name) SL_NONNULL(1);

/* The id, or BLOB_NONE. */
uint32_t dict_find(const struct dict *d, enum dict_kind kind, struct str name)
	SL_NONNULL(1) SL_PURE;

uint32_t dict_count(const struct dict *d, enum dict_kind kind) SL_NONNULL(1) SL_PURE;
const char *dict_name(const struct dict *d, enum dict_kind kind, uint32_t id) SL_NONNULL(1) SL_PURE;
