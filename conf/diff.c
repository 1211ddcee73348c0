/* SPDX-License-Identifier: Apache-2.0 */
/* What two configurations differ in, by the rows: keys that only a new start applies. */
#include "conf/rows.h"

#include <stdio.h>
#include <string.h>

#define AT(base, offset, type) ((type const *)(const void *)((const char *)(base) + (offset)))

static bool text_differs(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) != 0 : a != b;
}

static bool texts_differ(const struct conf_row *row, const void *a, const void *b)
{
	const char *const *va = *AT(a, row->offset, const char *const *);
	const char *const *vb = *AT(b, row->offset, const char *const *);
	uint32_t n = *AT(a, row->count, uint32_t);

	if (n != *AT(b, row->count, uint32_t))
		return true;
	for (uint32_t i = 0; i < n; i++)
		if (strcmp(va[i], vb[i]) != 0)
			return true;
	return false;
}

static bool find(const struct conf_type *type, const void *a, const void *b, const char *parent,
	char ret_key[static CONF_KEY_SIZE]);

/* Lists of structures whose rows are all START rows. */
static bool maps_differ(const struct conf_row *row, const void *a, const void *b)
{
	const char *va = *AT(a, row->offset, const char *), *vb = *AT(b, row->offset, const char *);
	uint32_t n = *AT(a, row->count, uint32_t);
	char key[CONF_KEY_SIZE];

	if (n != *AT(b, row->count, uint32_t))
		return true;
	for (uint32_t i = 0; i < n; i++)
		if (find(row->type, va + (size_t)i * row->type->size,
			    vb + (size_t)i * row->type->size, "", key))
			return true;
	return false;
}

/* The kinds that START rows have; a row of another kind belongs here with its case. */
static bool differs(const struct conf_row *row, const void *a, const void *b)
{
	switch (row->kind) {
	case CONF_KIND_TEXT:
		return text_differs(
			*AT(a, row->offset, const char *), *AT(b, row->offset, const char *));
	case CONF_KIND_TEXTS:
	case CONF_KIND_ADDRS: /* by their texts */
	case CONF_KIND_PREFIXES:
		return texts_differ(row, a, b);
	case CONF_KIND_BOOL:
		return *AT(a, row->offset, bool) != *AT(b, row->offset, bool);
	case CONF_KIND_I32:
	case CONF_KIND_U32:
		return *AT(a, row->offset, uint32_t) != *AT(b, row->offset, uint32_t);
	case CONF_KIND_MAPS:
		return maps_differ(row, a, b);
	default:
		sl_assert(!"a START row of a kind that can be compared");
		return true;
	}
}

static bool find(const struct conf_type *type, const void *a, const void *b, const char *parent,
	char ret_key[static CONF_KEY_SIZE])
{
	for (uint32_t i = 0; i < type->row_count; i++) {
		const struct conf_row *row = &type->rows[i];
		char below[CONF_KEY_SIZE];

		if (row->kind == CONF_KIND_MAP) {
			(void)snprintf(below, sizeof(below), "%s%s.", parent, row->key);
			if (find(row->type, AT(a, row->offset, char), AT(b, row->offset, char),
				    below, ret_key))
				return true;
		} else if (row->at_start && differs(row, a, b)) {
			(void)snprintf(ret_key, CONF_KEY_SIZE, "%s%s", parent, row->key);
			return true;
		}
	}
	return false;
}

bool conf_needs_restart(
	const struct conf *running, const struct conf *loaded, char ret_key[static CONF_KEY_SIZE])
{
	return find(&conf_type_conf_sluice, &running->sluice, &loaded->sluice, "", ret_key);
}
