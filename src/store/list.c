/* SPDX-License-Identifier: Apache-2.0 */
#include "store/list.h"

#include <stdlib.h>
#include <string.h>

static bool grow(struct store_list *l)
{
	uint32_t room = l->room ? 2 * l->room : 64;
	struct store_item *more = realloc(l->item, room * sizeof(*more));

	if (!more)
		return false;
	l->item = more;
	l->room = room;
	return true;
}

void store_list_add(struct store_list *l, const char *key, const char *value)
{
	struct store_item *to;

	l->failed = l->failed || (l->n == l->room && !grow(l));
	if (l->failed)
		return;
	to = &l->item[l->n++];
	*to = (struct store_item){strdup(key), value ? strdup(value) : NULL};
	l->failed = !to->key || (value && !to->value);
}

void store_list_free(struct store_list *l)
{
	for (uint32_t i = 0; i < l->n; i++) {
		free((char *)(uintptr_t)l->item[i].key);
		free((char *)(uintptr_t)l->item[i].value);
	}
	free(l->item);
}
