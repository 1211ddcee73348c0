/* SPDX-License-Identifier: Apache-2.0 */
/* The table against the ranges that it was made of: same group, and the largest constant block. */
#include "test.h"

#include "base/hash.h"
#include "geo/emit.h"
#include "geo/key.h"

static struct ip to_ip(geo_addr v, uint8_t bits)
{
	struct ip a = {.family = bits == 32 ? IP_V4 : IP_V6};

	for (int i = bits / 8 - 1; i >= 0; i--, v >>= 8)
		a.b[i] = (uint8_t)v;
	return a;
}

/* The longest range search there is: widen the block while all of it says the same. */
static unsigned block_of(const struct geo_cover *c, geo_addr a)
{
	unsigned len = c->bits;
	size_t i = 0;

	while (geo_cover_last(c, i) < a)
		i++;
	for (; len > 0; len--) {
		geo_addr first = a & ~(geo_addr_last(0, (uint8_t)(len - 1), c->bits));
		geo_addr last = geo_addr_last(first, (uint8_t)(len - 1), c->bits);

		if (first < c->r[i].start || last > geo_cover_last(c, i))
			break;
	}
	return len;
}

static void compare(const struct geo_table *t, const struct geo_cover *c, geo_addr a)
{
	uint64_t want = geo_cover_at(c, a);
	struct ip ip = to_ip(a, c->bits);
	struct geo_hit hit;

	if (!ip_eq(ip_embedded_v4(ip), ip))
		return;
	geo_lookup(t, ip, &hit);
	assert_int_equal(hit.group, want);
	assert_int_equal(hit.len, block_of(c, a));
}

/* n ranges of random sizes; groups few, so that neighbours are often equal. */
static void fill(struct geo_cover *c, uint64_t seed, unsigned n)
{
	geo_addr at = 0, end = geo_addr_last(0, 0, c->bits);

	assert_int_equal(geo_cover_init(c, c->bits), 0);
	for (unsigned i = 0; i < n; i++) {
		uint64_t r = hash_mix(seed, i);
		geo_addr size = (geo_addr)1 << (r >> 32) % (c->bits - 2);

		size += r & 1 ? (geo_addr)(r & 0xffff) % size : 0;
		if (size > end - at)
			break;
		assert_int_equal(geo_cover_put(c, at, at + size - 1, r % 3), 0);
		at += size + (r & 2 ? 1 : 0);
	}
}

static void compare_all(const struct geo_table *t, const struct geo_cover *c, uint64_t seed)
{
	for (size_t i = 0; i < c->n; i++) {
		compare(t, c, c->r[i].start);
		compare(t, c, geo_cover_last(c, i));
	}
	for (unsigned i = 0; i < 500; i++) {
		geo_addr a = (geo_addr)hash_mix(seed, i) << 64 | hash_mix(seed, ~i);

		compare(t, c, a & geo_addr_last(0, 0, c->bits));
	}
}

static void equals_its_ranges(void **state)
{
	static const struct geo_stats none;

	(void)state;
	for (uint64_t seed = 1; seed <= 200; seed++) {
		struct geo_cover v4 = {.bits = 32}, v6 = {.bits = 128};
		struct geo_table *t;
		struct errbuf err;
		size_t size;

		fill(&v4, seed, (unsigned)seed);
		fill(&v6, ~seed, (unsigned)seed);
		assert_int_equal(geo_emit(&v4, &v6, 3, 0, &none, &t, &size), 0);
		assert_int_equal(geo_table_check(t, size, &err), 0);
		compare_all(t, &v4, seed);
		compare_all(t, &v6, seed);
		free(t);
		geo_cover_done(&v4);
		geo_cover_done(&v6);
	}
}

/* One group everywhere: blocks of v6 still end where embedded v4 begins. */
static void embedded_stretches_stay_apart(void **state)
{
	static const struct geo_stats none;
	static const struct {
		const char *addr;
		int len;
	} rows[] = {{"2003::1", 16}, {"2001:1::1", 32}, {"2001::1", 128}, {"::fffe:0:0", 96},
		{"2002::1", 16}, {"::ffff:1.2.3.4", 96}, {"8000::1", 1}, {"9.9.9.9", 0}};
	struct geo_cover v4, v6;
	struct geo_table *t;
	geo_addr mapped = (geo_addr)0xffff << 32, teredo = (geo_addr)0x20010000 << 96,
		 sixto4 = (geo_addr)0x2002 << 112;
	size_t size;

	(void)state;
	assert_int_equal(geo_cover_init(&v4, 32), 0);
	assert_int_equal(geo_cover_init(&v6, 128), 0);
	assert_int_equal(
		geo_cover_put(&v6, mapped, geo_addr_last(mapped, 96, 128), GEO_KEY_EMBEDDED), 0);
	assert_int_equal(
		geo_cover_put(&v6, teredo, geo_addr_last(teredo, 32, 128), GEO_KEY_EMBEDDED), 0);
	assert_int_equal(
		geo_cover_put(&v6, sixto4, geo_addr_last(sixto4, 16, 128), GEO_KEY_EMBEDDED), 0);
	assert_int_equal(geo_emit(&v4, &v6, 1, 0, &none, &t, &size), 0);
	assert_int_equal(geo_table_check(t, size, NULL), 0);
	for (size_t i = 0; i < SL_COUNT(rows); i++) {
		struct geo_hit hit;
		struct ip a;

		assert_true(ip_parse(str_from(rows[i].addr), &a));
		geo_lookup(t, a, &hit);
		assert_int_equal(hit.group, 0);
		assert_int_equal(hit.len, rows[i].len);
	}
	free(t);
	geo_cover_done(&v4);
	geo_cover_done(&v6);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(equals_its_ranges),
		cmocka_unit_test(embedded_stretches_stay_apart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
