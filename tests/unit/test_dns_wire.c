/* SPDX-License-Identifier: Apache-2.0 */
/* Queries as octets: every form of header, question and OPT, and what each asks for. */
#include "test.h"

#include "dns/wire.h"

#define HEAD(flags, qd, an, ns, ar) "1234" flags qd an ns ar
#define Q1                          HEAD("0100", "0001", "0000", "0000", "0000")
#define Q1O                         HEAD("0100", "0001", "0000", "0000", "0001")
#define A_IN                        "0001 0001"
#define NAME                        "0161 0162 00" /* a.b */
#define OPT(len)                    "00 0029 04d0 00000000" len

static size_t from_hex(const char *hex, uint8_t *to)
{
	size_t n = 0;
	unsigned v = 0, digits = 0;

	for (; *hex; hex++) {
		if (*hex == ' ')
			continue;
		v = v << 4 | (unsigned)(*hex <= '9' ? *hex - '0' : *hex - 'a' + 10);
		if (++digits % 2 == 0) {
			to[n++] = (uint8_t)v;
			v = 0;
		}
	}
	return n;
}

/* What is read is the same where the name is known, octet for octet, and where it is not. */
static void parse_known(const uint8_t *msg, size_t n, int rc, const struct dns_query *q)
{
	static const struct dns_known known = {.n = 5, .labels = 2, .octets = "\1a\1b"};
	struct dns_query other;

	assert_int_equal(dns_parse(msg, n, &known, &other), rc);
	assert_false(q->is_known);
	if (q->question_n)
		assert_true(other.is_known ==
			    (q->name_n == 5 && memcmp(dns_name(q), known.octets, 5) == 0));
	assert_int_equal(other.question_n, q->question_n);
	assert_int_equal(other.type, q->type);
	assert_int_equal(other.class, q->class);
	if (q->question_n) {
		assert_int_equal(other.name_n, q->name_n);
		assert_int_equal(other.labels, q->labels);
	}
	assert_int_equal(other.opt.there, q->opt.there);
	assert_int_equal(other.opt.ecs_octets, q->opt.ecs_octets);
	assert_int_equal(other.opt.cookie_n, q->opt.cookie_n);
}

/* Parses a copy of exactly that size, so that a sanitizer sees a step past its end. */
static int parse(const char *hex, struct dns_query *q)
{
	static uint8_t octets[70000];
	size_t n = from_hex(hex, octets);
	uint8_t *copy = malloc(n ? n : 1);
	int rc;

	memcpy(copy, octets, n);
	rc = dns_parse(copy, n, NULL, q);
	parse_known(copy, n, rc, q);
	q->msg = octets;
	free(copy);
	return rc;
}

static void judges_every_form(void **state)
{
	static const struct {
		const char *why, *hex;
		int want;
	} rows[] = {
		{"RFC 1035 4.1.1: short of a header", "1234 0100 0001 0000 0000 00", DNS_DROP},
		{"nothing", "", DNS_DROP},
		{"a response is never answered",
			HEAD("8100", "0001", "0000", "0000", "0000") NAME A_IN, DNS_DROP},
		{"a response of another opcode", HEAD("a800", "0000", "0000", "0000", "0000"),
			DNS_DROP},
		{"RFC 1035 query", Q1 NAME A_IN, DNS_NOERROR},
		{"the root", Q1 "00" A_IN, DNS_NOERROR},
		{"RFC 8906 3.1.5: flags that mean nothing in a query",
			HEAD("07f0", "0001", "0000", "0000", "0000") NAME A_IN, DNS_NOERROR},
		{"RFC 8906 3.1.4: inverse query",
			HEAD("0900", "0001", "0000", "0000", "0000") NAME A_IN, DNS_NOTIMP},
		{"status", HEAD("1100", "0000", "0000", "0000", "0000"), DNS_NOTIMP},
		{"RFC 1996 notify", HEAD("2100", "0001", "0000", "0000", "0000") NAME A_IN,
			DNS_NOTIMP},
		{"RFC 2136 update", HEAD("2900", "0001", "0000", "0000", "0000") NAME A_IN,
			DNS_NOTIMP},
		{"RFC 8490 DSO", HEAD("3100", "0000", "0000", "0000", "0000"), DNS_NOTIMP},
		{"opcode 15", HEAD("7900", "0000", "0000", "0000", "0000"), DNS_NOTIMP},
		{"RFC 9619: no question", HEAD("0100", "0000", "0000", "0000", "0000"),
			DNS_FORMERR},
		{"RFC 9619: two questions",
			HEAD("0100", "0002", "0000", "0000", "0000") NAME A_IN NAME A_IN,
			DNS_FORMERR},
		{"65535 questions", HEAD("0100", "ffff", "0000", "0000", "0000") NAME A_IN,
			DNS_FORMERR},
		{"RFC 7873 5.4: no question but a cookie",
			HEAD("0100", "0000", "0000", "0000", "0001")
				OPT("000c") "000a 0008 0102030405060708",
			DNS_NOERROR},
		{"no question and an OPT without cookie",
			HEAD("0100", "0000", "0000", "0000", "0001") OPT("0000"), DNS_FORMERR},
		{"pointer to itself", Q1 "c00c" A_IN, DNS_FORMERR},
		{"pointer to the header", Q1 "c000" A_IN, DNS_FORMERR},
		{"pointer ahead", Q1 "c012" A_IN "0161 00", DNS_FORMERR},
		{"label, then a pointer back to it: a loop", Q1 "0161 c00c" A_IN, DNS_FORMERR},
		{"RFC 6891 5: extended label", Q1 "4161 00" A_IN, DNS_FORMERR},
		{"reserved label", Q1 "8161 00" A_IN, DNS_FORMERR},
		{"name without end", Q1 "0161 0162", DNS_FORMERR},
		{"label beyond the message", Q1 "3f61", DNS_FORMERR},
		{"no type", Q1 NAME, DNS_FORMERR},
		{"no class", Q1 NAME "0001", DNS_FORMERR},
		{"half a class", Q1 NAME "0001 00", DNS_FORMERR},
		{"trailing octets", Q1 NAME A_IN "00", DNS_FORMERR},
		{"counted record is not there", Q1O NAME A_IN, DNS_FORMERR},
		{"RFC 6891", Q1O NAME A_IN OPT("0000"), DNS_NOERROR},
		{"OPT cut in its head", Q1O NAME A_IN "00 0029 04d0 000000", DNS_FORMERR},
		{"OPT longer than the message", Q1O NAME A_IN OPT("0004") "0000", DNS_FORMERR},
		{"octets behind the OPT", Q1O NAME A_IN OPT("0000") "00", DNS_FORMERR},
		{"RFC 6891 6.1.1: two",
			HEAD("0100", "0001", "0000", "0000", "0002") NAME A_IN OPT("0000")
				OPT("0000"),
			DNS_FORMERR},
		{"RFC 6891 6.1.2: owner is the root", Q1O NAME A_IN "0161" OPT("0000"),
			DNS_FORMERR},
		{"OPT among the answers",
			HEAD("0100", "0001", "0001", "0000", "0000") NAME A_IN OPT("0000"),
			DNS_FORMERR},
		{"RFC 6891 6.1.3: version 1", Q1O NAME A_IN "00 0029 04d0 00010000 0000",
			DNS_BADVERS},
		{"version 1, options unread", Q1O NAME A_IN "00 0029 04d0 00010000 0002 0008",
			DNS_BADVERS},
		{"records of an IXFR, RFC 1995",
			HEAD("0000", "0001", "0000", "0001", "0000") NAME
			"00fb 0001"
			"c00c 0006 0001 00000000 0000",
			DNS_NOERROR},
		{"unknown record beside", Q1O NAME A_IN "00 ff01 0001 00000000 0001 00",
			DNS_NOERROR},
		{"owner cut in a pointer", Q1O NAME A_IN "c0", DNS_FORMERR},
		{"unknown option", Q1O NAME A_IN OPT("0006") "fde9 0002 abcd", DNS_NOERROR},
		{"option cut in its head", Q1O NAME A_IN OPT("0003") "fde9 00", DNS_FORMERR},
		{"option longer than the OPT", Q1O NAME A_IN OPT("0004") "fde9 0001", DNS_FORMERR},
		{"RFC 7873 5.2.2: cookie of 7",
			Q1O NAME A_IN OPT("000b") "000a 0007 01020304050607", DNS_FORMERR},
		{"cookie of 9", Q1O NAME A_IN OPT("000d") "000a 0009 010203040506070809",
			DNS_FORMERR},
		{"cookie of 15",
			Q1O NAME A_IN OPT("0013") "000a 000f 010203040506070809101112131415",
			DNS_FORMERR},
		{"RFC 7871 6: ECS without address",
			Q1O NAME A_IN OPT("0008") "0008 0004 0001 00 00", DNS_NOERROR},
		{"ECS /24", Q1O NAME A_IN OPT("000b") "0008 0007 0001 18 00 0a0203", DNS_NOERROR},
		{"ECS /20 with a bit beyond",
			Q1O NAME A_IN OPT("000b") "0008 0007 0001 14 00 0a0208", DNS_FORMERR},
		{"ECS /20", Q1O NAME A_IN OPT("000b") "0008 0007 0001 14 00 0a0210", DNS_NOERROR},
		{"ECS /24 with four octets",
			Q1O NAME A_IN OPT("000c") "0008 0008 0001 18 00 0a020300", DNS_FORMERR},
		{"ECS /24 with two octets", Q1O NAME A_IN OPT("000a") "0008 0006 0001 18 00 0a02",
			DNS_FORMERR},
		{"ECS /33", Q1O NAME A_IN OPT("000d") "0008 0009 0001 21 00 0a02030400",
			DNS_FORMERR},
		{"ECS v6 /128",
			Q1O NAME A_IN OPT("0018") "0008 0014 0002 80 00"
						  "20010db8000000000000000000000001",
			DNS_NOERROR},
		{"ECS v6 /129",
			Q1O NAME A_IN OPT("0019") "0008 0015 0002 81 00"
						  "20010db800000000000000000000000100",
			DNS_FORMERR},
		{"ECS family 3", Q1O NAME A_IN OPT("0008") "0008 0004 0003 00 00", DNS_FORMERR},
		{"ECS family 0 with bits", Q1O NAME A_IN OPT("0009") "0008 0005 0000 08 00 0a",
			DNS_FORMERR},
		{"ECS with a scope", Q1O NAME A_IN OPT("000b") "0008 0007 0001 18 18 0a0203",
			DNS_FORMERR},
		{"ECS cut in its head", Q1O NAME A_IN OPT("0007") "0008 0003 0001 18", DNS_FORMERR},
	};

	(void)state;
	for (size_t i = 0; i < SL_COUNT(rows); i++) {
		struct dns_query q;
		int got = parse(rows[i].hex, &q);

		if (got != rows[i].want)
			fail_msg("%s: %d, want %d", rows[i].why, got, rows[i].want);
	}
}

/* A name of `octets` octets in all, in labels of 63 and less; then type and class. */
static size_t long_name(uint8_t *to, unsigned octets, unsigned label)
{
	size_t n = 12;

	memcpy(to, (const uint8_t[12]){0, 0, 0, 0, 0, 1}, 12);
	for (octets--; octets > 1;) {
		unsigned take = SL_MIN(label, octets - 1);

		to[n++] = (uint8_t)take;
		memset(to + n, 'A', take);
		n += take;
		octets -= 1 + take;
	}
	memcpy(to + n, (const uint8_t[5]){0, 0, 1, 0, 1}, 5);
	return n + 5;
}

static void bounds_names(void **state)
{
	static const struct {
		unsigned octets, label;
		int want;
	} rows[] = {{255, 63, DNS_NOERROR}, {256, 63, DNS_FORMERR}, {255, 1, DNS_NOERROR},
		{257, 1, DNS_FORMERR}, {600, 1, DNS_FORMERR}};
	uint8_t msg[700];

	(void)state;
	for (size_t i = 0; i < SL_COUNT(rows); i++) {
		struct dns_query q;
		size_t n = long_name(msg, rows[i].octets, rows[i].label);

		assert_int_equal(dns_parse(msg, n, NULL, &q), rows[i].want);
		if (rows[i].want == DNS_NOERROR) {
			uint8_t name[SL_DNS_NAME_MAX];

			dns_name_lower(&q, name);
			assert_int_equal(q.name_n, rows[i].octets);
			assert_int_equal(name[1], 'a');
		}
	}
}

static void reads_what_was_asked(void **state)
{
	struct dns_query q;
	uint8_t name[SL_DNS_NAME_MAX];

	(void)state;
	assert_int_equal(parse(HEAD("0100", "0001", "0000", "0000",
				       "0001") "0341625a 025b40 00 001c 0001"
					       "00 0029 1000 00008000 0023"
					       "0008 0007 0001 18 00 0a0203"
					       "0003 0000"
					       "000a 0010 01020304050607081112131415161718",
				 &q),
		DNS_NOERROR);
	assert_int_equal(q.name_n, 8);
	dns_name_lower(&q, name);
	assert_memory_equal(name, "\3abz\2[@", 8); /* letters only */
	assert_int_equal(q.labels, 2);
	assert_int_equal(q.type, DNS_AAAA);
	assert_int_equal(q.class, DNS_CLASS_IN);
	assert_int_equal(q.question_n, 12);
	assert_int_equal(q.opt.udp_size, 4096);
	assert_true(q.opt.dnssec_ok);
	assert_true(q.opt.nsid);
	assert_true(q.opt.has_ecs);
	assert_int_equal(q.opt.ecs_source, 24);
	assert_int_equal(q.opt.ecs.family, IP_V4);
	assert_memory_equal(q.opt.ecs.b, "\x0a\x02\x03\x00", 4);
	assert_int_equal(q.opt.cookie_n, 16);
	assert_int_equal(q.opt.cookie[8], 0x11);
}

static void writes_no_more_than_there_is_room(void **state)
{
	struct dns_opt in = {.there = true, .nsid = true, .has_ecs = true, .ecs_octets = 3};
	struct dns_opt_out out = {.ede = DNS_EDE_OTHER,
		.ede_text = STR_LIT("why"),
		.nsid = STR_LIT("n1"),
		.cookie = true};
	uint8_t to[128];
	size_t need = dns_opt_size(&in, &out);
	struct buf b = buf_over(to, need);

	(void)state;
	assert_int_equal(need, 11 + 4 + 4 + 3 + 4 + 24 + 4 + 2);
	dns_opt_put(&b, &in, &out); /* the error does not fit and is left out */
	assert_false(b.overflow);
	assert_int_equal(buf_len(&b), need);
	assert_int_equal(dns_be16(to + 9), need - 11);
	b = buf_over(to, need + 4 + 2 + 3);
	dns_opt_put(&b, &in, &out);
	assert_int_equal(buf_len(&b), need + 9);
	assert_memory_equal(to + need, "\0\x0f\0\5\0\0why", 9);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(judges_every_form),
		cmocka_unit_test(bounds_names),
		cmocka_unit_test(reads_what_was_asked),
		cmocka_unit_test(writes_no_more_than_there_is_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
