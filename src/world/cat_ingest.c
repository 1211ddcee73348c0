/* SPDX-License-Identifier: Apache-2.0 */
/* Where a stream is pushed to, first and second, of two units that fail apart. */
#include "base/hash.h"
#include "scoring/ingest.h"
#include "world/catalogue.h"

/* What is asked for one stream. */
struct pick {
	const struct cat_view *c;
	struct blob_span ingests;
	uint64_t stream;
	struct str avoid;
	const uint32_t *weight_ppm;
	uint32_t barred;
};

static bool avoided(const struct pick *p, const struct cat_ingest *in)
{
	struct str avoid = p->avoid;

	while (avoid.n)
		if (str_eq(str_cut(&avoid, ','), cat_text(p->c, in->name)))
			return true;
	return false;
}

static uint64_t hash_of(const struct pick *p, uint32_t i)
{
	struct str name = cat_text(p->c, p->c->ingests[p->ingests.first + i].name);

	return hash64(name.p, name.n, p->stream);
}

static uint32_t weight_of(const struct pick *p, uint32_t i)
{
	return p->weight_ppm ? p->weight_ppm[i] : (uint32_t)INGEST_WHOLE_PPM;
}

/* The first by rendezvous hash; not_unit: of another unit than this one. What is to be avoided
 * comes after all others. */
static const struct cat_ingest *best(const struct pick *p, const struct cat_ingest *not_unit)
{
	const struct cat_ingest *found = NULL;
	bool found_avoided = false;
	uint32_t at = 0;

	for (uint32_t i = 0; i < p->ingests.count; i++) {
		const struct cat_ingest *in = &p->c->ingests[p->ingests.first + i];
		bool last = avoided(p, in);

		if (p->barred >> i & 1 || (not_unit && str_eq(cat_text(p->c, not_unit->unit),
							       cat_text(p->c, in->unit))))
			continue;
		if (found && (last != found_avoided ? last
						    : !ingest_before(hash_of(p, i), weight_of(p, i),
							      hash_of(p, at), weight_of(p, at))))
			continue;
		found = in;
		found_avoided = last;
		at = i;
	}
	return found;
}

/* Why this one, which would be first else, is not. */
static enum cat_ingest_choice passed_over(const struct pick *p, uint32_t i)
{
	return weight_of(p, i) ? CAT_BY_REPORTS : CAT_BY_PROBE;
}

struct cat_ingest_pair cat_pick_ingests(const struct cat_view *c, uint32_t service,
	struct str stream, uint16_t named, struct str avoid, const uint32_t *weight_ppm,
	uint32_t barred)
{
	struct pick p = {.c = c,
		.ingests = c->n_service_plays ? c->service_plays[service].ingests
					      : (struct blob_span){0, 0},
		.stream = hash64(stream.p, stream.n, 0),
		.avoid = avoid,
		.weight_ppm = weight_ppm,
		.barred = barred};
	struct cat_ingest_pair pair = {.chosen = CAT_BY_HASH};
	const struct cat_ingest *plain;

	if (named && named <= p.ingests.count && !(barred >> (named - 1u) & 1)) {
		pair.first = &c->ingests[p.ingests.first + named - 1];
		pair.chosen = avoided(&p, pair.first) ? CAT_BY_HASH
			      : weight_of(&p, named - 1u) < INGEST_POOR_PPM
				      ? passed_over(&p, named - 1u)
				      : CAT_BY_NAME;
	}
	if (pair.chosen != CAT_BY_NAME) {
		pair.first = best(&p, NULL);
		p.weight_ppm = NULL;
		plain = best(&p, NULL);
		p.weight_ppm = weight_ppm;
		if (pair.first != plain)
			pair.chosen =
				passed_over(&p, (uint32_t)(plain - c->ingests) - p.ingests.first);
	}
	if (pair.first)
		pair.second = best(&p, pair.first);
	return pair;
}
