/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Breakers over a restart: those that are not as good as new lie in a file that is mapped shared,
 * each with a check of its own, and are taken up again when the ids of the world on disk are.
 */
#include "base/hash.h"
#include "engine/engine_int.h"

#include <math.h>

static const char magic[8] = {'S', 'L', 'U', 'B', 'R', 'K', 1, 1};

enum { ROWS = 4096 };

struct engine_breakers {
	char magic[8];
	struct {
		uint16_t vendor, group;
		uint16_t used, unused;
		struct breaker state;
		uint64_t check; /* hash of what stands above */
	} row[ROWS];
};

#define CHECKED(r) offsetof(__typeof__(*(r)), check)

int engine_breaker_open(struct engine *e, struct errbuf *err)
{
	e->breakers = engine_state_begin(e->dir, "breaker.state", sizeof(*e->breakers), magic, err);
	return e->breakers ? 0 : SL_EIO;
}

size_t engine_breaker_octets(void)
{
	return sizeof(struct engine_breakers);
}

static bool sound(const struct breaker *b)
{
	return b->state < BREAKER_STATES && b->cause < BREAKER_CAUSES && b->n_bad <= BREAKER_BADS &&
	       isfinite(b->proof) && isfinite(b->value) && isfinite(b->bound) &&
	       isfinite(b->samples);
}

/* The clock may have been set back since: then it is of now. */
static struct breaker by_now(struct breaker b, uint64_t now_ms)
{
	b.since_ms = SL_MIN(b.since_ms, now_ms);
	b.back_ms = SL_MIN(b.back_ms, now_ms);
	return b;
}

void engine_breaker_resume(struct engine *e, uint64_t now_ms)
{
	for (uint32_t i = 0; i < ROWS; i++) {
		__typeof__(&e->breakers->row[i]) r = &e->breakers->row[i];

		if (r->used == 1 && r->check == hash64(r, CHECKED(r), 1) &&
			r->vendor < SL_MAX_VENDORS && r->group < SL_MAX_GROUPS && sound(&r->state))
			e->loop.cell[r->group][r->vendor].breaker = by_now(r->state, now_ms);
	}
}

/* Octet by octet, padding too: where that alone differs the row is written once more. */
static bool same(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct breaker)) == 0;
}

void engine_breaker_keep(struct engine *e)
{
	static const struct breaker good;
	uint32_t n = 0;

	for (uint32_t g = 0; g < e->cat.n_groups; g++)
		for (uint32_t v = 0; v < e->cat.n_vendors && n < ROWS; v++) {
			const struct breaker *b = &e->loop.cell[g][v].breaker;
			__typeof__(&e->breakers->row[0]) r = &e->breakers->row[n];

			if (same(b, &good))
				continue;
			n++;
			if (r->used == 1 && r->vendor == v && r->group == g && same(&r->state, b))
				continue;
			memset(r, 0, sizeof(*r));
			r->vendor = (uint16_t)v;
			r->group = (uint16_t)g;
			r->used = 1;
			memcpy(&r->state, b, sizeof(*b));
			r->check = hash64(r, CHECKED(r), 1);
		}
	for (; n < ROWS && e->breakers->row[n].used; n++)
		e->breakers->row[n].used = 0;
}
