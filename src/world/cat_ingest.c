/* SPDX-License-Identifier: Apache-2.0 */
/* Where a stream is pushed to, first and second, of two units that fail apart. */
#include "base/hash.h"
#include "world/catalogue.h"

static bool avoided(const struct cat_view *c, const struct cat_ingest *in, struct str avoid)
{
	while (avoid.n)
		if (str_eq(str_cut(&avoid, ','), cat_text(c, in->name)))
			return true;
	return false;
}

/* The highest of a rendezvous hash; not_unit: of another unit than this one. What is to be avoided
 * comes after all others. */
static const struct cat_ingest *best(const struct cat_view *c, struct blob_span ingests,
	uint64_t stream, const struct cat_ingest *not_unit, struct str avoid)
{
	const struct cat_ingest *found = NULL;
	uint64_t top = 0;

	for (uint32_t i = 0; i < ingests.count; i++) {
		const struct cat_ingest *in = &c->ingests[ingests.first + i];
		struct str name = cat_text(c, in->name);
		uint64_t rank = hash64(name.p, name.n, stream) >> 1;

		if (not_unit && str_eq(cat_text(c, not_unit->unit), cat_text(c, in->unit)))
			continue;
		if (!avoided(c, in, avoid))
			rank |= UINT64_C(1) << 63;
		if (!found || rank > top) {
			found = in;
			top = rank;
		}
	}
	return found;
}

struct cat_ingest_pair cat_pick_ingests(const struct cat_view *c, uint32_t service,
	struct str stream, uint16_t named, struct str avoid)
{
	struct blob_span ingests =
		c->n_service_plays ? c->service_plays[service].ingests : (struct blob_span){0, 0};
	uint64_t key = hash64(stream.p, stream.n, 0);
	struct cat_ingest_pair p = {.named = named && named <= ingests.count};

	if (p.named) {
		p.first = &c->ingests[ingests.first + named - 1];
		p.named = !avoided(c, p.first, avoid);
	}
	if (!p.named)
		p.first = best(c, ingests, key, NULL, avoid);
	if (p.first)
		p.second = best(c, ingests, key, p.first, avoid);
	return p;
}
