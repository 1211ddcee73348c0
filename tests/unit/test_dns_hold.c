/* SPDX-License-Identifier: Apache-2.0 */
/* For how much of the net, and how long, resolvers are told to keep an answer. */
#include "test.h"

#include "dns/answer.h"

#include "dnsask.h"

/* One answer may be kept for a /28 or /60: two answers' worth of bits are told, or the TTL is
 * halved for each that is not. */
static void narrows_what_is_kept(void **state)
{
	static const struct testworld_spec spec = {
		.hold_length = 28, .ppm = {{1000000, 0, 0}, {1000000, 0, 0}, {1000000, 0, 0}}};
	static const struct row rows[] = {
		{"RFC 7871 7.2.1: the scope asks for more bits; kept for the /24, 20 s >> 4",
			"live.sluice.example.", "A", "0008 0007 0001 18 00 0a0200",
			"NOERROR aa | live.sluice.example. 1 IN CNAME live.alpha.example. | | | "
			"opt 000800070001181c"
			"0a0200"},
		{"two bits short", "live.sluice.example.", "A", "0008 0008 0001 1a 00 0a020040",
			"NOERROR aa | live.sluice.example. 5 IN CNAME live.alpha.example. | | | "
			"opt 0008000800011a1c"
			"0a020040"},
		{"enough bits: the service's TTL", "live.sluice.example.", "A",
			"0008 0008 0001 1c 00 0a020010",
			"NOERROR aa | live.sluice.example. 20 IN CNAME live.alpha.example. | | | "
			"opt 0008000800011c1c"
			"0a020010"},
		{"never wider than what was told", "live.sluice.example.", "A",
			"0008 0008 0001 20 00 0a020011",
			"NOERROR aa | live.sluice.example. 20 IN CNAME live.alpha.example. | | | "
			"opt 0008000800012020"
			"0a020011"},
		{"IPv6 is 32 longer", "live.sluice.example.", "A",
			"0008 000b 0002 38 00 20010db8000100",
			"NOERROR aa | live.sluice.example. 1 IN CNAME live.alpha.example. | | | "
			"opt 0008000b0002383c"
			"20010db8000100"},
		{"IPv6, enough", "live.sluice.example.", "A",
			"0008 000c 0002 40 00 20010db800010000",
			"NOERROR aa | live.sluice.example. 20 IN CNAME live.alpha.example. | | | "
			"opt 0008000c00024040"
			"20010db800010000"},
		{"a resolver that tells nothing", "live.sluice.example.", "A", NULL,
			"NOERROR aa | live.sluice.example. 1 IN CNAME live.alpha.example. | |"},
		{"addresses", "drill.sluice.example.", "A", "0008 0008 0001 1b 00 0a020020",
			"NOERROR aa | drill.sluice.example. 10 IN A 192.0.2.1; "
			"drill.sluice.example. 10 IN A 192.0.2.2 | | | "
			"opt 0008000800011b1c"
			"0a020020"},
		{"RFC 7871 7.4, negative", "drill.sluice.example.", "MX",
			"0008 0007 0001 18 00 0a0200",
			"NOERROR aa | | " SOA_RR " | | opt 0008000700011800"
			"0a0200"},
		{"static data is for everybody", "mail.sluice.example.", "A",
			"0008 0007 0001 18 00 0a0200",
			"NOERROR aa | mail.sluice.example. 300 IN A 192.0.2.25 | | | "
			"opt 0008000700011800"
			"0a0200"},
		{"explain", "_sluice.live.sluice.example.", "TXT", "0008 0008 0001 1c 00 0a020010",
			"NOERROR aa | _sluice.live.sluice.example. 20 IN TXT "
			"\"group=CN/GD/unicom scope=28 vendor=alpha view=1.17\" | | | "
			"opt 0008000800011c1c"
			"0a020010"},
	};
	struct dnsworld b;

	(void)state;
	begin(&b, &spec);
	check_rows(&b, rows, SL_COUNT(rows));
	dnsworld_done(&b);
}

/* An answer that is kept for a wide prefix is kept for a shorter time before any scope narrows. */
static void a_wide_prefix_is_kept_for_a_short_time(void **state)
{
	static const struct testworld_spec spec = {
		.hold_length = 20, .ppm = {{1000000, 0, 0}, {1000000, 0, 0}, {1000000, 0, 0}}};
	static const struct row rows[] = {
		{"/18 of /20", "live.sluice.example.", "A", "0008 0007 0001 12 00 0a0200",
			"NOERROR aa | live.sluice.example. 5 IN CNAME live.alpha.example. | | | "
			"opt 0008000700011218"
			"0a0200"},
		{"/24", "live.sluice.example.", "A", "0008 0007 0001 18 00 0a0200",
			"NOERROR aa | live.sluice.example. 20 IN CNAME live.alpha.example. | | | "
			"opt 0008000700011818"
			"0a0200"},
		{"no subnet", "live.sluice.example.", "A", NULL,
			"NOERROR aa | live.sluice.example. 20 IN CNAME live.alpha.example. | |"},
	};
	struct dnsworld b;

	(void)state;
	begin(&b, &spec);
	check_rows(&b, rows, SL_COUNT(rows));
	dnsworld_done(&b);
}

/* The vendor's slot of an address in `live`, and its scope. */
static uint32_t seat_at(const struct dnsworld *b, struct ip a, uint8_t source, struct place *ret)
{
	const struct world *w = b->d.w.world;
	const struct tick_row *row;
	uint64_t key;

	*ret = answer_locate(w, a, source);
	row = world_row(w, TW_LIVE, ret->group);
	key = answer_key(a, *ret, TW_LIVE);
	answer_narrow(row, a, ret, &key);
	return answer_sticky_slot(w, row, key);
}

static void narrow_blocks_are_spread_by_the_shares(void **state)
{
	static const char blocks[] =
		"10.1.0.0/16,CN,GD,telecom,test\n10.2.0.0/17,CN,GD,unicom,test\n"
		"10.2.128.64/26,US,,,test\n10.2.129.0/30,US,,,test\n";
	struct testworld_spec spec = {.overrides = blocks};
	uint32_t before[256] = {0}, moved, count[TW_VENDORS];
	struct dnsworld b;
	struct place p, q;

	(void)state;
	for (uint8_t length = 24; length <= 32; length++) {
		spec.hold_length = length;
		begin(&b, &spec);
		moved = 0;
		memset(count, 0, sizeof(count));
		for (uint32_t i = 0; i < 256; i++) {
			struct ip a = {.b = {10, 1, 7, (uint8_t)i}, .family = IP_V4};
			uint32_t slot = seat_at(&b, a, 32, &p);

			assert_true(slot < TW_VENDORS);
			count[slot]++;
			moved += length > 24 && before[i] != slot;
			before[i] = slot;
		}
		/* 50, 30, 20 %: a part of the block more or less at each border; a bit more moves
		 * half */
		if (length > 24)
			assert_true(moved <= 128 + 2);
		for (uint32_t v = 0; length > 25 && v < TW_VENDORS; v++) {
			static const double want[] = {128, 76.8, 51.2};

			assert_true(count[v] + (256U >> (length - 24)) >= want[v] - 1);
			assert_true(count[v] <= want[v] + 1 + (256U >> (length - 24)));
		}
		/* overlapping scopes are the same scope, with the same vendor, where the same was
		 * told */
		for (uint32_t n = 0; n < 20000; n++) {
			uint8_t source = (uint8_t)(1 + n % 32), low;
			uint32_t r = n * UINT32_C(2654435761), sa, sb;
			struct ip a = {
				.b = {10, 2, (uint8_t)(127 + (r >> 8 & 3)), (uint8_t)(r >> 16)},
				.family = IP_V4};
			struct ip c = a;

			c.b[3] ^= (uint8_t)(r >> 24 & 31);
			a = ip_mask(a, source);
			c = ip_mask(c, source);
			sa = seat_at(&b, a, source, &p);
			sb = seat_at(&b, c, source, &q);
			low = SL_MIN(p.scope, q.scope);
			if (!ip_eq(ip_mask(a, low), ip_mask(c, low)))
				continue;
			assert_int_equal(p.scope, q.scope);
			assert_int_equal(sa, sb);
			assert_true(p.scope >= source);
		}
		dnsworld_done(&b);
	}
}

/* What goes to the ledger of an answer for a part of a /24 is that part. */
static void counts_the_viewers_of_the_block(void **state)
{
	static const struct {
		const char *opt;
		uint64_t want;
	} rows[] = {
		{"0008 0007 0001 18 00 0a0100", 32},
		{"0008 0008 0001 1a 00 0a010180", 8},
		{"0008 0008 0001 1c 00 0a010210", 2},
		{"0008 0008 0001 20 00 0a010311", 2},
		{NULL, 32},
	};
	static const struct testworld_spec spec = {
		.hold_length = 28, .dns_viewers = 32, .ppm = {{1000000, 0, 0}}};
	struct dnsworld b;
	uint64_t before = 0;

	(void)state;
	begin(&b, &spec);
	for (size_t i = 0; i < SL_COUNT(rows); i++) {
		const tally_number *n = &b.d.w.tally->row[TW_LIVE][TW_TELECOM].slot[TW_ALPHA].fresh;

		(void)ask(&b, "live.sluice.example.", "A", rows[i].opt, DNSD_UDP);
		assert_int_equal(tally_get(n) - before, rows[i].want);
		before = tally_get(n);
	}
	dnsworld_done(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(narrows_what_is_kept),
		cmocka_unit_test(a_wide_prefix_is_kept_for_a_short_time),
		cmocka_unit_test(narrow_blocks_are_spread_by_the_shares),
		cmocka_unit_test(counts_the_viewers_of_the_block),
	};
	int rc;

	publish_reader_start();
	rc = cmocka_run_group_tests(tests, NULL, NULL);
	publish_reader_stop();
	return rc;
}
