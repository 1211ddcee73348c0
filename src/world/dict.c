/* SPDX-License-Identifier: Apache-2.0 */
#include "world/dict.h"

#include "base/arena.h"
#include "base/hash.h"

#include <stdlib.h>

enum { DICT_OCTETS = 8 << 20 };

static const uint32_t limit[DICT_KINDS] = {
	SL_MAX_GROUPS, SL_MAX_VENDORS, SL_MAX_REGIONS, SL_MAX_SERVICES};

enum { INDEX_SIZE = 4 * SL_MAX_GROUPS };

struct names {
	const char *name[SL_MAX_GROUPS];
	uint16_t index[INDEX_SIZE]; /* id + 1 by hash, open addressing */
	uint32_t n;
};

struct dict {
	struct arena *arena;
	struct names kind[DICT_KINDS];
};

/* false when a name stands there twice. */
static bool take_all(struct dict *d, const struct cat_view *c)
{
	bool good = true;

	for (uint32_t i = 0; i < c->n_groups; i++)
		good &= dict_intern(d, DICT_GROUP, cat_text(c, c->groups[i].name)) == i;
	for (uint32_t i = 0; i < c->n_vendors; i++)
		good &= dict_intern(d, DICT_VENDOR, cat_text(c, c->vendors[i].name)) == i;
	for (uint32_t i = 0; i < c->n_services; i++)
		good &= dict_intern(d, DICT_SERVICE, cat_text(c, c->services[i].name)) == i;
	for (uint32_t i = 0; i < c->n_regions; i++) {
		struct str v = cat_text(c, c->vendors[c->regions[i].vendor].name);
		struct str r = cat_text(c, c->regions[i].name);
		char *both = arena_printf(d->arena, STR_FMT "/" STR_FMT, STR_ARG(v), STR_ARG(r));

		good &= both && dict_intern(d, DICT_REGION, str_from(both)) == i;
	}
	return good;
}

struct dict *dict_new(const struct cat_view *from)
{
	struct dict *d = calloc(1, sizeof(*d));

	if (!d)
		return NULL;
	d->arena = arena_new(DICT_OCTETS);
	if (!d->arena || (from && !take_all(d, from))) {
		dict_free(d);
		return NULL;
	}
	return d;
}

void dict_free(struct dict *d)
{
	if (!d)
		return;
	arena_free(d->arena);
	free(d);
}

/* Where the name stands in the index, or the free place for it. */
static uint32_t place_of(const struct names *k, struct str name)
{
	uint32_t at = (uint32_t)hash64(name.p, name.n, 0) % INDEX_SIZE;

	while (k->index[at] && !str_eq_z(name, k->name[k->index[at] - 1]))
		at = (at + 1) % INDEX_SIZE;
	return at;
}

uint32_t dict_find(const struct dict *d, enum dict_kind kind, struct str name)
{
	const struct names *k = &d->kind[kind];
	uint16_t id = k->index[place_of(k, name)];

	return id ? id - 1u : BLOB_NONE;
}

uint32_t dict_intern(struct dict *d, enum dict_kind kind, struct str name)
{
	struct names *k = &d->kind[kind];
	uint32_t at = place_of(k, name);
	char *copy;

	if (k->index[at])
		return k->index[at] - 1u;
	if (k->n >= limit[kind])
		return BLOB_NONE;
	copy = arena_strndup(d->arena, name.p, name.n);
	if (!copy)
		return BLOB_NONE;
	k->name[k->n] = copy;
	k->index[at] = (uint16_t)++k->n;
	return k->n - 1;
}

uint32_t dict_count(const struct dict *d, enum dict_kind kind)
{
	return d->kind[kind].n;
}

const char *dict_name(const struct dict *d, enum dict_kind kind, uint32_t id)
{
	sl_assert(id < d->kind[kind].n);
	return d->kind[kind].name[id];
}
