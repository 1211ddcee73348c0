/* SPDX-License-Identifier: Apache-2.0 */
/* Ranges of a whole address space, appended in order, fused by a sweep. Knows no meaning. */
#include "geo/cover.h"

#include <stdlib.h>

int geo_cover_init(struct geo_cover *c, uint8_t bits)
{
	*c = (struct geo_cover){.bits = bits, .cap = 64};
	c->r = calloc(c->cap, sizeof(*c->r));
	if (!c->r)
		return SL_ENOMEM;
	c->n = 1;
	return 0;
}

void geo_cover_done(struct geo_cover *c)
{
	free(c->r);
	*c = (struct geo_cover){.bits = c->bits};
}

/* From start on, val. A range that begins at the same place is replaced, an equal one goes on. */
static int put_from(struct geo_cover *c, geo_addr start, uint64_t val)
{
	struct geo_range *last = &c->r[c->n - 1], *grown;

	if (last->start == start) {
		last->val = val;
		if (c->n > 1 && last[-1].val == val)
			c->n--;
		return 0;
	}
	sl_assert(start > last->start);
	if (last->val == val)
		return 0;
	if (c->n == c->cap) {
		if (c->cap >= GEO_MAX_RANGES)
			return SL_ELIMIT;
		grown = realloc(c->r, 2 * c->cap * sizeof(*grown));
		if (!grown)
			return SL_ENOMEM;
		c->r = grown;
		c->cap *= 2;
	}
	c->r[c->n++] = (struct geo_range){start, val};
	return 0;
}

static geo_addr space_last(uint8_t bits)
{
	return bits == 128 ? ~(geo_addr)0 : ((geo_addr)1 << bits) - 1;
}

int geo_cover_put(struct geo_cover *c, geo_addr first, geo_addr last, uint64_t val)
{
	int rc = put_from(c, first, val);

	if (rc == 0 && last != space_last(c->bits))
		rc = put_from(c, last + 1, 0);
	return rc;
}

geo_addr geo_cover_last(const struct geo_cover *c, size_t i)
{
	return i + 1 < c->n ? c->r[i + 1].start - 1 : space_last(c->bits);
}

/* The nearest place after which some source changes. */
static geo_addr next_change(const struct geo_cover *const *in, const size_t *pos, size_t n)
{
	geo_addr last = geo_cover_last(in[0], pos[0]);

	for (size_t k = 1; k < n; k++) {
		geo_addr l = geo_cover_last(in[k], pos[k]);

		last = SL_MIN(last, l);
	}
	return last;
}

int geo_cover_fuse(const struct geo_cover *const *in, size_t n, geo_combine_fn *combine, void *ctx,
	struct geo_cover *out)
{
	size_t pos[GEO_MAX_SOURCES] = {0};
	geo_addr start = 0, last;
	int rc;

	sl_assert(n > 0 && n <= GEO_MAX_SOURCES);
	do {
		uint64_t vals[GEO_MAX_SOURCES];

		last = next_change(in, pos, n);
		for (size_t k = 0; k < n; k++) {
			vals[k] = in[k]->r[pos[k]].val;
			pos[k] += geo_cover_last(in[k], pos[k]) == last;
		}
		rc = put_from(out, start, combine(ctx, vals, n));
		start = last + 1;
	} while (rc == 0 && last != space_last(out->bits));
	return rc;
}

uint64_t geo_cover_at(const struct geo_cover *c, geo_addr a)
{
	size_t lo = 0, hi = c->n;

	while (hi - lo > 1) {
		size_t mid = lo + (hi - lo) / 2;

		if (c->r[mid].start <= a)
			lo = mid;
		else
			hi = mid;
	}
	return c->r[lo].val;
}

geo_addr geo_addr_from(struct ip a)
{
	geo_addr v = 0;

	for (int i = 0; i < ip_bits(a) / 8; i++)
		v = v << 8 | a.b[i];
	return v;
}

geo_addr geo_addr_last(geo_addr a, uint8_t len, uint8_t bits)
{
	return len == 0 ? space_last(bits) : a | (((geo_addr)1 << (bits - len)) - 1);
}
