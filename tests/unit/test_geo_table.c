/* SPDX-License-Identifier: Apache-2.0 */
/* Scopes, and tables that were damaged on purpose: refused, or harmless to look up in. */
#include "test.h"

#include "base/hash.h"
#include "geo/emit.h"

static struct geo_table *sample(size_t *size)
{
	static const struct geo_stats none;
	struct geo_cover v4, v6;
	struct geo_table *t;

	assert_int_equal(geo_cover_init(&v4, 32), 0);
	assert_int_equal(geo_cover_init(&v6, 128), 0);
	for (unsigned i = 0; i < 40; i++) {
		geo_addr a = (geo_addr)i << 26 | i * 331, b = (geo_addr)(0x20 + i) << 120 | i;

		assert_int_equal(geo_cover_put(&v4, a, a + i * 1000, i % 7), 0);
		assert_int_equal(geo_cover_put(&v6, b, b + ((geo_addr)i << (2 * i)), i % 5), 0);
	}
	assert_int_equal(geo_emit(&v4, &v6, 7, 1, &none, &t, size), 0);
	geo_cover_done(&v4);
	geo_cover_done(&v6);
	return t;
}

static struct ip random_ip(uint64_t seed)
{
	struct ip a = {.family = seed & 1 ? IP_V4 : IP_V6};
	uint64_t r = hash_mix(seed, 1);

	memcpy(a.b, &r, 8);
	a.b[0] = (uint8_t)(seed >> 1);
	if (a.family == IP_V4)
		memset(a.b + 4, 0, 12);
	return a;
}

/* What geo_table_check promises: ids in range, and blocks that do not overlap. */
static void use(const struct geo_table *t, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		struct ip a = random_ip(i), edge;
		struct geo_hit hit, other;

		geo_lookup(t, a, &hit);
		assert_true(hit.group < t->n_groups);
		assert_true(hit.len <= ip_bits(a));
		if (!ip_eq(ip_embedded_v4(a), a))
			continue;
		edge = ip_mask(a, hit.len);
		if (!ip_eq(ip_embedded_v4(edge), edge))
			continue;
		geo_lookup(t, edge, &other);
		assert_int_equal(other.len, hit.len);
	}
}

static void refuses_or_survives(struct geo_table *t, size_t size, unsigned *refused)
{
	if (geo_table_check(t, size, NULL) == 0)
		use(t, 256);
	else
		(*refused)++;
}

static void damaged_header(void **state)
{
	static const uint32_t values[] = {0, 1, 8, 0x7fffffff, 0x80000000, UINT32_MAX};
	size_t size;
	struct geo_table *t = sample(&size), good = *t;
	unsigned refused = 0;

	(void)state;
	assert_int_equal(geo_table_check(t, size, NULL), 0);
	for (size_t w = 0; w < sizeof(*t) / 4; w++) {
		for (size_t v = 0; v < SL_COUNT(values); v++) {
			memcpy((uint32_t *)t + w, &values[v], 4);
			refuses_or_survives(t, size, &refused);
			*t = good;
		}
		for (int d = -1; d <= 1; d += 2) {
			((uint32_t *)t)[w] += (uint32_t)d;
			refuses_or_survives(t, size, &refused);
			*t = good;
		}
	}
	assert_true(refused > 60);
	free(t);
}

/* Words of the roots, nodes and leaves, one or a few at a time. */
static void damaged_body(void **state)
{
	unsigned n = getenv("SLUICE_LONG") ? 100000 : 2000, refused = 0;
	size_t size, words;
	struct geo_table *t = sample(&size);
	uint32_t *w = (uint32_t *)t;

	(void)state;
	words = size / 4;
	for (unsigned i = 0; i < n; i++) {
		uint64_t r = hash_mix(i, 3);
		/* mostly nodes and leaves: the roots are large, and dull */
		size_t from = r & 3 ? t->nodes / 4 : sizeof(*t) / 4;
		size_t at = from + (size_t)(r >> 8) % (words - from), keep = at;
		uint32_t old[3];

		for (unsigned k = 0; k < 3; k++) {
			at = SL_MIN(keep + k, words - 1);
			old[k] = w[at];
			if (k == 0 || r & 4)
				w[at] = r & 8 ? (uint32_t)(r >> 32)
					      : w[at] ^ (1u << (r >> 16) % 32);
		}
		refuses_or_survives(t, size, &refused);
		for (unsigned k = 3; k-- > 0;)
			w[SL_MIN(keep + k, words - 1)] = old[k];
	}
	assert_int_equal(geo_table_check(t, size, NULL), 0);
	assert_true(refused > n / 4);
	free(t);
}

static void cut_short(void **state)
{
	size_t size;
	struct geo_table *t = sample(&size);

	(void)state;
	for (size_t n = 0; n < size; n += n < 200 ? 1 : 4099) {
		void *cut = malloc(n ? n : 1);

		memcpy(cut, t, n);
		assert_int_not_equal(geo_table_check(cut, n, NULL), 0);
		free(cut);
	}
	free(t);
}

static void scopes(void **state)
{
	static const struct {
		uint8_t len;
		enum ip_family family;
		uint8_t source, want;
	} rows[] = {
		{8, IP_V4, 24, 24},
		{8, IP_V4, 16, 24},  /* the floor */
		{8, IP_V4, 32, 32},  /* not wider than what the client told */
		{28, IP_V4, 24, 28}, /* the group changes within the source */
		{20, IP_V6, 48, 56},
		{20, IP_V6, 64, 64},
		{60, IP_V6, 56, 60},
		{128, IP_V6, 56, 128},
		{0, IP_V4, 0, 24},
		{0, IP_V6, 0, 56},
	};

	(void)state;
	for (size_t i = 0; i < SL_COUNT(rows); i++) {
		struct geo_hit hit = {0, rows[i].len};

		assert_int_equal(geo_scope(hit, rows[i].family, rows[i].source), rows[i].want);
	}
}

/* Two clients of equal source length: overlapping scopes are the same. */
static void scopes_never_overlap(void **state)
{
	size_t size;
	struct geo_table *t = sample(&size);

	(void)state;
	for (unsigned i = 0; i < 20000; i++) {
		uint64_t r = hash_mix(i, 9);
		struct ip a = random_ip(r), b = a;
		uint8_t source = (uint8_t)(r % (ip_bits(a) + 1)), sa, sb;
		struct geo_hit ha, hb;

		b.b[(r >> 8) % (ip_bits(a) / 8)] ^= (uint8_t)(1u << (r >> 16) % 8);
		a = ip_mask(a, source);
		b = ip_mask(b, source);
		if (!ip_eq(ip_embedded_v4(a), a) || !ip_eq(ip_embedded_v4(b), b))
			continue;
		geo_lookup(t, a, &ha);
		geo_lookup(t, b, &hb);
		sa = geo_scope(ha, a.family, source);
		sb = geo_scope(hb, b.family, source);
		if (ip_eq(ip_mask(a, SL_MIN(sa, sb)), ip_mask(b, SL_MIN(sa, sb))))
			assert_int_equal(sa, sb);
	}
	free(t);
}

static void nothing_asked(void **state)
{
	size_t size;
	struct geo_table *t = sample(&size);
	struct geo_hit hit;

	(void)state;
	geo_lookup(t, (struct ip){.family = IP_NONE}, &hit);
	assert_int_equal(hit.group, 1);
	assert_int_equal(hit.len, 0);
	free(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(damaged_header),
		cmocka_unit_test(damaged_body),
		cmocka_unit_test(cut_short),
		cmocka_unit_test(scopes),
		cmocka_unit_test(scopes_never_overlap),
		cmocka_unit_test(nothing_asked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
