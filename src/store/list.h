/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "store/store.h"

/* Items that are gathered, their texts its own. All zero is an empty one. */
struct store_list {
	struct store_item *item;
	uint32_t n, room;
	bool failed; /* out of memory: not all are there */
};

/* Copies both; value may be NULL. Once failed it stays so. */
void store_list_add(struct store_list *l, const char *key, const char *value) SL_NONNULL(1, 2);
void store_list_free(struct store_list *l) SL_NONNULL_ALL;
