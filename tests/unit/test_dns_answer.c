/* SPDX-License-Identifier: Apache-2.0 */
/* Whole messages through the packet path, over a world in memory. (long because a rule is a row) */
#include "test.h"

#include "dns/answer.h"

#include "dnsask.h"

#define SOA_5                                                                                      \
	"sluice.example. 5 IN SOA ns1.sluice.example. admin.sluice.example. 1 3600 600 86400 60"
#define SOA_20                                                                                     \
	"sluice.example. 20 IN SOA ns1.sluice.example. admin.sluice.example. 1 3600 600 86400 60"
#define NS_GLUE                                                                                    \
	"ns1.sluice.example. 300 IN A 192.0.2.53; ns1.sluice.example. 300 IN AAAA 2001:db8::53"

static void answers_from_the_zone(void **state)
{
	static const struct row rows[] = {
		{"RFC 1035 3.7", "mail.sluice.example.", "A", NULL,
			"NOERROR aa | mail.sluice.example. 300 IN A 192.0.2.25 | |"},
		{"names compare without case, 0x20", "MaiL.sluice.EXAMPLE.", "A", NULL,
			"NOERROR aa | MaiL.sluice.EXAMPLE. 300 IN A 192.0.2.25 | |"},
		{"RFC 2308 2.2 NODATA", "mail.sluice.example.", "AAAA", NULL,
			"NOERROR aa | | " SOA_RR " |"},
		{"RFC 2308 2.1 NXDOMAIN", "no.sluice.example.", "A", NULL,
			"NXDOMAIN aa | | " SOA_RR " |"},
		{"NXDOMAIN below a leaf", "x.y.mail.sluice.example.", "A", NULL,
			"NXDOMAIN aa | | " SOA_RR " |"},
		{"RFC 4592 2.2.2 empty non-terminal", "b.sluice.example.", "A", NULL,
			"NOERROR aa | | " SOA_RR " |"},
		{"empty non-terminal, ANY", "a.b.sluice.example.", "ANY", NULL,
			"NOERROR aa | | " SOA_RR " |"},
		{"RFC 4592 3.3.1 wildcard", "x.y.wild.sluice.example.", "TXT", NULL,
			"NOERROR aa | x.y.wild.sluice.example. 300 IN TXT \"any\" | |"},
		{"RFC 4592 wildcard, NODATA", "q.wild.sluice.example.", "MX", NULL,
			"NOERROR aa | | " SOA_RR " |"},
		{"RFC 4592 what is there hides the wildcard", "x.wild.sluice.example.", "TXT", NULL,
			"NOERROR aa | | " SOA_RR " |"},
		{"the wildcard itself", "*.wild.sluice.example.", "A", NULL,
			"NOERROR aa | *.wild.sluice.example. 300 IN A 192.0.2.99 | |"},
		{"RFC 1034 3.6.2 CNAME", "www.sluice.example.", "CNAME", NULL,
			"NOERROR aa | www.sluice.example. 300 IN CNAME live.sluice.example. | |"},
		{"SOA", "sluice.example.", "SOA", NULL,
			"NOERROR aa | sluice.example. 300 IN SOA ns1.sluice.example. "
			"admin.sluice.example. 1 3600 600 86400 60 | |"},
		{"NS with addresses", "sluice.example.", "NS", NULL,
			"NOERROR aa | sluice.example. 300 IN NS ns2.other.test.; "
			"sluice.example. 300 IN NS ns1.sluice.example. | | " NS_GLUE},
		{"referral at the cut, RFC 1034 4.3.2", "sub.sluice.example.", "A", NULL,
			"NOERROR | | sub.sluice.example. 300 IN NS ns.elsewhere.test.; "
			"sub.sluice.example. 300 IN NS ns.sub.sluice.example. | "
			"ns.sub.sluice.example. 300 IN A 192.0.2.54"},
		{"referral below the cut", "A.b.Sub.sluice.example.", "AAAA", NULL,
			"NOERROR | | Sub.sluice.example. 300 IN NS ns.elsewhere.test.; "
			"Sub.sluice.example. 300 IN NS ns.sub.sluice.example. | "
			"ns.sub.sluice.example. 300 IN A 192.0.2.54"},
		{"glue is not ours to answer", "ns.sub.sluice.example.", "A", NULL,
			"NOERROR | | sub.sluice.example. 300 IN NS ns.elsewhere.test.; "
			"sub.sluice.example. 300 IN NS ns.sub.sluice.example. | "
			"ns.sub.sluice.example. 300 IN A 192.0.2.54"},
		{"RFC 4035 3.1.4.1 DS is the parent's", "sub.sluice.example.", "DS", NULL,
			"NOERROR aa | sub.sluice.example. 300 IN DS 12345 13 2 "
			"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef | |"},
		{"RFC 6672 3 DNAME", "a.b.old.sluice.example.", "A", NULL,
			"NOERROR aa | old.sluice.example. 300 IN DNAME new.test.; "
			"a.b.old.sluice.example. 300 IN CNAME a.b.new.test. | |"},
		{"RFC 6672 the owner itself", "old.sluice.example.", "A", NULL,
			"NOERROR aa | | " SOA_RR " |"},
		{"RFC 8482 4.2 ANY", "mail.sluice.example.", "ANY", NULL,
			"NOERROR aa | mail.sluice.example. 3600 IN HINFO \"RFC8482\" \"\" | |"},
		{"RFC 8482 ANY, CNAME", "www.sluice.example.", "ANY", NULL,
			"NOERROR aa | www.sluice.example. 300 IN CNAME live.sluice.example. | |"},
		{"TC with empty sections", "big.sluice.example.", "TXT", NULL,
			"NOERROR aa tc | | |"},
		{"TC keeps the OPT", "big.sluice.example.", "TXT", "",
			"NOERROR aa tc | | | | opt "},
		{"not ours", "example.", "A", NULL, "REFUSED | | |"},
		{"not ours, RFC 8914", "www.other.test.", "A", "",
			"REFUSED | | | | opt 000f00020014"},
		{"the root", ".", "NS", NULL, "REFUSED | | |"},
		{"RFC 5936 AXFR", "sluice.example.", "AXFR", NULL, "REFUSED | | |"},
		{"RFC 1995 IXFR", "sluice.example.", "IXFR", NULL, "REFUSED | | |"},
		{"RFC 6895 MAILB", "sluice.example.", "MAILB", NULL, "NOTIMP | | |"},
		{"RFC 9824 NXNAME", "sluice.example.", "TYPE128", "",
			"FORMERR | | | | opt 000f0002001e"},
		{"RFC 8906 unknown type", "mail.sluice.example.", "TYPE1000", NULL,
			"NOERROR aa | | " SOA_RR " |"},
	};
	struct dnsworld b;

	(void)state;
	begin(&b, NULL);
	check_rows(&b, rows, SL_COUNT(rows));
	assert_non_null(strstr(ask(&b, "big.sluice.example.", "TXT", NULL, DNSD_TCP),
		"NOERROR aa | big.sluice.example. 300 IN TXT \"y"));
	dnsworld_done(&b);
}

static const char alias_zone[] = "$TTL 300\n"
				 "@ IN SOA ns1 admin 1 3600 600 86400 60\n"
				 "@ NS NS1\n"
				 "ns1 A 192.0.2.53\n"
				 "mail A 192.0.2.25\n"
				 "mail A 192.0.2.26\n"
				 "a CNAME B\n"
				 "b CNAME MaiL\n"
				 "gone CNAME not.there\n"
				 "away CNAME other.test.\n"
				 "any CNAME q.wild\n"
				 "*.wild TXT \"any\"\n"
				 "*.round CNAME x.y.round\n"
				 "*.to CNAME x.fro\n"
				 "*.fro CNAME x.to\n"
				 "cut CNAME x.sub\n"
				 "sub NS ns.sub\n"
				 "ns.sub A 192.0.2.54\n"
				 "old DNAME new\n"
				 "mail.new A 192.0.2.27\n"
				 "www CNAME live\n"
				 "pin CNAME drill\n"
				 "apex CNAME apex.example.\n"
				 "drill HTTPS 1 . alpn=h2\n";

#define TO(from, to) from ".sluice.example. 300 IN CNAME " to ".sluice.example."

/* All of alpha, so that answers are known. */
static const struct testworld_spec all_alpha = {
	.ppm = {{1000000, 0, 0}, {1000000, 0, 0}, {1000000, 0, 0}}, .apex_host = true};

static void steers(void **state)
{
	static const struct row rows[] = {
		{"CNAME for A", "live.sluice.example.", "A", NULL,
			"NOERROR aa | live.sluice.example. 20 IN CNAME live.alpha.example. | |"},
		{"CNAME for AAAA", "live.sluice.example.", "AAAA", NULL,
			"NOERROR aa | live.sluice.example. 20 IN CNAME live.alpha.example. | |"},
		{"CNAME", "live.sluice.example.", "CNAME", NULL,
			"NOERROR aa | live.sluice.example. 20 IN CNAME live.alpha.example. | |"},
		{"CNAME for any other type", "live.sluice.example.", "MX", NULL,
			"NOERROR aa | live.sluice.example. 20 IN CNAME live.alpha.example. | |"},
		{"CNAME for ANY", "live.sluice.example.", "ANY", NULL,
			"NOERROR aa | live.sluice.example. 20 IN CNAME live.alpha.example. | |"},
		{"static beside", "live.sluice.example.", "TXT", NULL,
			"NOERROR aa | live.sluice.example. 300 IN TXT \"beside the steering\" | |"},
		{"nothing below a host", "x.live.sluice.example.", "A", NULL,
			"NXDOMAIN aa | | " SOA_RR " |"},
		{"addresses, as many as the service says", "drill.sluice.example.", "A", NULL,
			"NOERROR aa | drill.sluice.example. 20 IN A 192.0.2.1; "
			"drill.sluice.example. 20 IN A 192.0.2.2 | |"},
		{"IPv6", "drill.sluice.example.", "AAAA", NULL,
			"NOERROR aa | drill.sluice.example. 20 IN AAAA 2001:db8::1; "
			"drill.sluice.example. 20 IN AAAA 2001:db8::2 | |"},
		{"address host has no CNAME", "drill.sluice.example.", "CNAME", NULL,
			"NOERROR aa | | " SOA_RR " |"},
		{"address host, other type", "drill.sluice.example.", "MX", NULL,
			"NOERROR aa | | " SOA_RR " |"},
		{"address host, ANY", "drill.sluice.example.", "ANY", NULL,
			"NOERROR aa | drill.sluice.example. 3600 IN HINFO \"RFC8482\" \"\" | |"},
		{"RFC 9460: hints are the vendor's", "drill.sluice.example.", "HTTPS", NULL,
			"NOERROR aa | drill.sluice.example. 20 IN HTTPS 2 alt.test. alpn=h3; "
			"drill.sluice.example. 20 IN HTTPS 1 . alpn=h2 port=8443 "
			"ipv4hint=192.0.2.1,192.0.2.2 ech=AQID "
			"ipv6hint=2001:db8::1,2001:db8::2 | |"},
		{"RFC 9460: with a CNAME, the vendor's own", "live.sluice.example.", "HTTPS", NULL,
			"NOERROR aa | live.sluice.example. 20 IN CNAME live.alpha.example. | |"},
		{"no SVCB in the zone", "drill.sluice.example.", "SVCB", NULL,
			"NOERROR aa | | " SOA_RR " |"},
		{"apex host", "apex.example.", "A", NULL,
			"NOERROR aa | apex.example. 20 IN A 192.0.2.1; "
			"apex.example. 20 IN A 192.0.2.2 | |"},
		{"ECS, RFC 7871 7.2.1", "live.sluice.example.", "A", "0008 0007 0001 18 00 0a0200",
			"NOERROR aa | live.sluice.example. 20 IN CNAME live.alpha.example. | | | "
			"opt 0008000700011818"
			"0a0200"},
		{"ECS of 16 bits: not to be kept for more than a /24", "live.sluice.example.", "A",
			"0008 0006 0001 10 00 0a02",
			"NOERROR aa | live.sluice.example. 20 IN CNAME live.alpha.example. | | | "
			"opt 0008000600011018"
			"0a02"},
		{"ECS, IPv6", "live.sluice.example.", "A", "0008 000b 0002 38 00 20010db8000100",
			"NOERROR aa | live.sluice.example. 20 IN CNAME live.alpha.example. | | | "
			"opt 0008000b00023838"
			"20010db8000100"},
		{"ECS source 0: scope 0", "live.sluice.example.", "A", "0008 0004 0001 00 00",
			"NOERROR aa | live.sluice.example. 20 IN CNAME live.alpha.example. | | | "
			"opt 0008000400010000"},
		{"ECS family 0 as dig +subnet=0", "live.sluice.example.", "A",
			"0008 0004 0000 00 00",
			"NOERROR aa | live.sluice.example. 20 IN CNAME live.alpha.example. | | | "
			"opt 0008000400000000"},
		{"ECS twice: once", "live.sluice.example.", "A",
			"0008 0007 0001 18 00 0a0200 0008 0007 0001 18 00 0a0300",
			"NOERROR aa | live.sluice.example. 20 IN CNAME live.alpha.example. | | | "
			"opt 0008000700011818"
			"0a0200"},
		{"ECS on static data: scope 0", "mail.sluice.example.", "A",
			"0008 0007 0001 18 00 0a0200",
			"NOERROR aa | mail.sluice.example. 300 IN A 192.0.2.25 | | | "
			"opt 0008000700011800"
			"0a0200"},
		{"ECS on negative answers: scope 0", "drill.sluice.example.", "MX",
			"0008 0007 0001 18 00 0a0200",
			"NOERROR aa | | " SOA_RR " | | opt 0008000700011800"
			"0a0200"},
		{"explain", "_sluice.live.sluice.example.", "TXT", NULL,
			"NOERROR aa | _sluice.live.sluice.example. 20 IN TXT "
			"\"group=CN/GD/telecom scope=32 vendor=alpha view=1.17\" | |"},
		{"explain, ECS", "_sluice.live.sluice.example.", "TXT",
			"0008 0007 0001 18 00 0a0200",
			"NOERROR aa | _sluice.live.sluice.example. 20 IN TXT "
			"\"group=CN/GD/unicom scope=24 vendor=alpha view=1.17\" | | | "
			"opt 0008000700011818"
			"0a0200"},
		{"explain has no addresses", "_sluice.live.sluice.example.", "A", NULL,
			"NOERROR aa | | " SOA_RR " |"},
	};
	struct dnsworld b;

	(void)state;
	begin(&b, &all_alpha);
	check_rows(&b, rows, SL_COUNT(rows));
	dnsworld_done(&b);
}

/* RFC 1034 section 4.3.2, 3a: the answer goes on at the target, in every zone of ours. */
static void goes_on_behind_a_cname(void **state)
{
	static const struct testworld_spec spec = {.zone = alias_zone,
		.ppm = {{1000000, 0, 0}, {1000000, 0, 0}, {1000000, 0, 0}},
		.apex_host = true};
	static const struct row rows[] = {
		{"two of them, then two records", "a.sluice.example.", "A", NULL,
			"NOERROR aa | a.sluice.example. 300 IN CNAME B.sluice.example.; "
			"B.sluice.example. 300 IN CNAME MaiL.sluice.example.; "
			"MaiL.sluice.example. 300 IN A 192.0.2.25; "
			"MaiL.sluice.example. 300 IN A 192.0.2.26 | |"},
		{"RFC 2308 2.2, NODATA of the last", "b.sluice.example.", "MX", NULL,
			"NOERROR aa | b.sluice.example. 300 IN CNAME MaiL.sluice.example. | " SOA_RR
			" |"},
		{"RFC 6604 3, the code of the last", "gone.sluice.example.", "A", NULL,
			"NXDOMAIN aa | gone.sluice.example. 300 IN CNAME "
			"not.there.sluice.example. | " SOA_RR " |"},
		{"not ours to go on", "away.sluice.example.", "A", NULL,
			"NOERROR aa | away.sluice.example. 300 IN CNAME other.test. | |"},
		{"RFC 4592, to a wildcard", "any.sluice.example.", "TXT", NULL,
			"NOERROR aa | any.sluice.example. 300 IN CNAME q.wild.sluice.example.; "
			"q.wild.sluice.example. 300 IN TXT \"any\" | |"},
		{"round a wildcard: it ends", "q.round.sluice.example.", "A", NULL,
			"NOERROR aa | " TO("q.round", "x.y.round") "; " TO(
				"x.y.round", "x.y.round") " | |"},
		{"two wildcards round each other", "q.to.sluice.example.", "A", NULL,
			"NOERROR aa | " TO("q.to", "x.fro") "; " TO("x.fro", "x.to") "; " TO(
				"x.to", "x.fro") "; " TO("x.fro", "x.to") "; " TO("x.to",
				"x.fro") "; " TO("x.fro", "x.to") "; " TO("x.to",
				"x.fro") "; " TO("x.fro", "x.to") "; " TO("x.to", "x.fro") " | |"},
		{"RFC 1034 4.3.2, into a delegation", "cut.sluice.example.", "A", NULL,
			"NOERROR aa | cut.sluice.example. 300 IN CNAME x.sub.sluice.example. | "
			"sub.sluice.example. 300 IN NS ns.sub.sluice.example. | "
			"ns.sub.sluice.example. 300 IN A 192.0.2.54"},
		{"RFC 6672 3.2, and behind a DNAME", "mail.old.sluice.example.", "A", NULL,
			"NOERROR aa | old.sluice.example. 300 IN DNAME new.sluice.example.; "
			"mail.old.sluice.example. 300 IN CNAME mail.new.sluice.example.; "
			"mail.new.sluice.example. 300 IN A 192.0.2.27 | |"},
		{"a scheduled host by CNAME, ECS", "www.sluice.example.", "A",
			"0008 0007 0001 18 00 0a0200",
			"NOERROR aa | www.sluice.example. 300 IN CNAME live.sluice.example.; "
			"live.sluice.example. 20 IN CNAME live.alpha.example. | | | "
			"opt 0008000700011818"
			"0a0200"},
		{"a scheduled host by address", "pin.sluice.example.", "A", NULL,
			"NOERROR aa | pin.sluice.example. 300 IN CNAME drill.sluice.example.; "
			"drill.sluice.example. 20 IN A 192.0.2.1; "
			"drill.sluice.example. 20 IN A 192.0.2.2 | |"},
		{"HTTPS of it", "pin.sluice.example.", "HTTPS", NULL,
			"NOERROR aa | pin.sluice.example. 300 IN CNAME drill.sluice.example.; "
			"drill.sluice.example. 20 IN HTTPS 1 . alpn=h2 "
			"ipv4hint=192.0.2.1,192.0.2.2 ipv6hint=2001:db8::1,2001:db8::2 | |"},
		{"negative of it: scope 0", "pin.sluice.example.", "MX",
			"0008 0007 0001 18 00 0a0200",
			"NOERROR aa | pin.sluice.example. 300 IN CNAME drill.sluice.example. "
			"| " SOA_RR " | | opt 0008000700011800"
			"0a0200"},
		{"into another zone of ours", "apex.sluice.example.", "A", NULL,
			"NOERROR aa | apex.sluice.example. 300 IN CNAME apex.example.; "
			"apex.example. 20 IN A 192.0.2.1; apex.example. 20 IN A 192.0.2.2 | |"},
		{"the CNAME itself", "a.sluice.example.", "CNAME", NULL,
			"NOERROR aa | a.sluice.example. 300 IN CNAME B.sluice.example. | |"},
		{"RFC 8482", "a.sluice.example.", "ANY", NULL,
			"NOERROR aa | a.sluice.example. 300 IN CNAME B.sluice.example. | |"},
		{"addresses beside an NS set written in other case", "sluice.example.", "NS", NULL,
			"NOERROR aa | sluice.example. 300 IN NS NS1.sluice.example. | | "
			"ns1.sluice.example. 300 IN A 192.0.2.53"},
	};
	struct dnsworld b;

	(void)state;
	begin(&b, &spec);
	check_rows(&b, rows, SL_COUNT(rows));
	dnsworld_done(&b);
}

static void says_when_nobody_may_serve(void **state)
{
	static const struct testworld_spec spec = {.none = {true, true, false},
		.ppm = {[TW_DRILL] = {0, 0, 1000000}, [TW_MIXED] = {0, 0, 1000000}},
		.dns_mode = {[TW_MIXED] = CAT_DNS_ADDRESS}};
	static const struct row rows[] = {
		{"none: NODATA, short, RFC 8914", "live.sluice.example.", "A",
			"0008 0007 0001 18 00 0a0200",
			"NOERROR aa | | " SOA_5 " | | opt 0008000700011800"
			"0a0200"
			"000f001f0000"
			"6e6f2076656e646f72206d61792074616b6520746869732067726f7570"},
		{"gamma has no IPv6: NODATA, as long as the steering", "mixed.sluice.example.",
			"AAAA", NULL, "NOERROR aa | | " SOA_20 " |"},
		{"addresses though there is a CNAME", "mixed.sluice.example.", "A", NULL,
			"NOERROR aa | mixed.sluice.example. 20 IN A 203.0.113.1; "
			"mixed.sluice.example. 20 IN A 203.0.113.2 | |"},
	};
	static const struct row none_known = {"no addresses here, and no CNAME wanted",
		"mixed.sluice.example.", "A", "0008 0007 0001 18 00 0a0300",
		"NOERROR aa | | " SOA_5 " | | opt 0008000700011800"
		"0a0300"
		"000f00270000"
		"6e6f2076656e646f72206861732077686174207468697320646f6f722063616e2067697665"};
	struct dnsworld b;

	(void)state;
	begin(&b, &spec);
	check_rows(&b, rows, SL_COUNT(rows));
	check_rows(&b, &none_known, 1);
	assert_true(tally_get(&b.d.w.tally->row[TW_LIVE][TW_UNICOM].none) == 2);
	dnsworld_done(&b);
}

static void skips_vendors_the_door_cannot_name(void **state)
{
	/* alpha has no CNAME in `mixed`; drill has none at all */
	static const struct testworld_spec spec = {
		.ppm = {[TW_DRILL] = {1000000, 0, 0}, [TW_MIXED] = {999998, 1, 1}},
		.dns_mode = {[TW_DRILL] = CAT_DNS_CNAME, [TW_MIXED] = CAT_DNS_CNAME}};
	struct dnsworld b;
	const struct tally_row *row;

	(void)state;
	begin(&b, &spec);
	assert_string_equal(ask(&b, "mixed.sluice.example.", "A", NULL, DNSD_UDP),
		"NOERROR aa | mixed.sluice.example. 20 IN CNAME live.beta.example. | |");
	row = &b.d.w.tally->row[TW_MIXED][1];
	assert_true(tally_get(&row->slot[TW_BETA].fresh) == 1); /* counted where it went */
	assert_string_equal(ask(&b, "drill.sluice.example.", "A", "", DNSD_UDP),
		"NOERROR aa | | " SOA_5 " | | opt "
		"000f00270000"
		"6e6f2076656e646f72206861732077686174207468697320646f6f722063616e2067697665");
	dnsworld_done(&b);
}

static void gives_a_cname_where_no_address_is_known(void **state)
{
	static const struct testworld_spec spec = {.ppm = {[TW_MIXED] = {0, 0, 1000000}}};
	static const struct row rows[] = {
		{"known", "mixed.sluice.example.", "A", NULL,
			"NOERROR aa | mixed.sluice.example. 20 IN A 203.0.113.1; "
			"mixed.sluice.example. 20 IN A 203.0.113.2 | |"},
		{"not known", "mixed.sluice.example.", "A", "0008 0007 0001 18 00 0a0300",
			"NOERROR aa | mixed.sluice.example. 20 IN CNAME live.gamma.example. | | | "
			"opt 0008000700011818"
			"0a0300"},
		{"not known, the same for AAAA", "mixed.sluice.example.", "AAAA",
			"0008 0007 0001 18 00 0a0300",
			"NOERROR aa | mixed.sluice.example. 20 IN CNAME live.gamma.example. | | | "
			"opt 0008000700011818"
			"0a0300"},
	};
	struct dnsworld b;

	(void)state;
	begin(&b, &spec);
	check_rows(&b, rows, SL_COUNT(rows));
	dnsworld_done(&b);
}

static void hurries_while_a_vendor_drains(void **state)
{
	static const struct testworld_spec spec = {.drains = true, .ppm = {{1000000, 0, 0}}};
	struct dnsworld b;

	(void)state;
	begin(&b, &spec);
	assert_string_equal(ask(&b, "live.sluice.example.", "A", NULL, DNSD_UDP),
		"NOERROR aa | live.sluice.example. 5 IN CNAME live.alpha.example. | |");
	dnsworld_done(&b);
}

static void counts_new_and_refreshed(void **state)
{
	struct dnsworld b;
	const struct tally_row *row;

	(void)state;
	begin(&b, &all_alpha);
	(void)ask(&b, "live.sluice.example.", "A", NULL, DNSD_UDP);
	(void)ask(&b, "live.sluice.example.", "AAAA", NULL, DNSD_TCP);
	row = &b.d.w.tally->row[TW_LIVE][1];
	assert_true(tally_get(&row->slot[TW_ALPHA].fresh) == 1);
	assert_true(tally_get(&row->slot[TW_ALPHA].refresh) == 1);
	assert_true(tally_get(&b.d.w.tally->spent_kbps[TW_ALPHA]) == 3000);
	(void)ask(&b, "_sluice.live.sluice.example.", "TXT", NULL, DNSD_UDP);
	assert_true(tally_get(&row->slot[TW_ALPHA].refresh) == 1); /* looking is no dispatch */
	assert_true(tally_get(&b.d.w.tally->counters[TALLY_DNS_NOERROR]) == 3);
	assert_true(tally_get(&b.d.w.tally->counters[TALLY_DNS_UDP_QUERIES]) == 2);
	assert_true(tally_get(&b.d.w.tally->counters[TALLY_DNS_TCP_QUERIES]) == 1);
	dnsworld_done(&b);
}

static void says_that_it_has_no_world(void **state)
{
	struct dnsworld b;

	(void)state;
	begin(&b, NULL);
	b.d.secrets.n = 1;
	worker_round_at(&b.d.w, NULL, 5000);
	assert_string_equal(ask(&b, "live.sluice.example.", "A", "", DNSD_UDP),
		"SERVFAIL | | | | opt 000f0002000e");
	/* it has the time all the same: without it every cookie is too old */
	assert_non_null(
		strstr(ask(&b, "live.sluice.example.", "A", "000a 0008 0102030405060708", DNSD_UDP),
			"| opt 000a001801020304050607080100000000000005"));
	dnsworld_done(&b);
}

static void tells_its_name_when_asked(void **state)
{
	struct dnsworld b;

	(void)state;
	begin(&b, &all_alpha);
	assert_string_equal(ask(&b, "mail.sluice.example.", "A", "0003 0000", DNSD_UDP),
		"NOERROR aa | mail.sluice.example. 300 IN A 192.0.2.25 | | | opt ");
	b.set.nsid = STR_LIT("n1");
	assert_string_equal(ask(&b, "mail.sluice.example.", "A", "0003 0000 0003 0000", DNSD_UDP),
		"NOERROR aa | mail.sluice.example. 300 IN A 192.0.2.25 | | | opt 000300026e31");
	dnsworld_done(&b);
}

static void shares_cookies(void **state)
{
	struct dnsworld b;
	char opt[80];
	const char *got, *hex;

	(void)state;
	begin(&b, &all_alpha);
	assert_string_equal(
		ask(&b, "mail.sluice.example.", "A", "000a 0008 0102030405060708", DNSD_UDP),
		"NOERROR aa | mail.sluice.example. 300 IN A 192.0.2.25 | | | opt ");
	b.d.secrets.n = 1;
	got = ask(&b, "mail.sluice.example.", "A",
		"000a 0008 0102030405060708 000a 0008 1112131415161718", DNSD_UDP);
	hex = strstr(got, "| opt 000a0018010203040506070801000000");
	assert_non_null(hex);
	assert_int_equal(strlen(hex), strlen("| opt ") + 2 * (4 + DNS_COOKIE_OURS)); /* once */
	(void)snprintf(opt, sizeof(opt), "%s", hex + strlen("| opt "));
	/* given back, it opens the way to what is over ten times the question */
	assert_non_null(strstr(ask(&b, "apex.example.", "NS", opt, DNSD_UDP), "NOERROR aa | apex"));
	assert_non_null(strstr(ask(&b, "wide.sluice.example.", "TXT", opt, DNSD_UDP), " TXT "));
	opt[strlen(opt) - 1] ^= 1;
	assert_non_null(strstr(ask(&b, "wide.sluice.example.", "TXT", opt, DNSD_UDP), "aa tc | |"));
	assert_non_null(strstr(ask(&b, "wide.sluice.example.", "TXT", opt, DNSD_TCP), " TXT "));
	dnsworld_done(&b);
}

/* RFC 7873 section 5.4 */
static void answers_a_cookie_alone(void **state)
{
	static uint8_t out[DNSD_OUT_MAX];
	struct dnsworld b;
	uint8_t msg[64] = {0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 41, 4, 0xd0, 0, 0, 0, 0, 0, 28,
		0, 10, 0, 24, 1, 2, 3, 4, 5, 6, 7, 8, 1};
	size_t n;

	(void)state;
	begin(&b, &all_alpha);
	b.d.secrets.n = 1;
	n = dnsd_handle(&b.d, msg, 51, ip("10.1.2.3"), DNSD_UDP, out, sizeof(out));
	assert_non_null(strstr(dnsmsg_text(out, n), "BADCOOKIE | | | | opt 000a0018010203"));
	memcpy(msg, out, n); /* now a good one */
	msg[2] = msg[3] = msg[17] = 0;
	n = dnsd_handle(&b.d, msg, n, ip("10.1.2.3"), DNSD_UDP, out, sizeof(out));
	assert_non_null(strstr(dnsmsg_text(out, n), "NOERROR | | | | opt 000a0018010203"));
	dnsworld_done(&b);
}

static void never_sends_over_ten_times_the_question(void **state)
{
	static const char *const types[] = {
		"A", "AAAA", "TXT", "NS", "SOA", "ANY", "HTTPS", "MX", "DS"};
	static const char *const names[] = {"sluice.example.", "live.sluice.example.", ".",
		"drill.sluice.example.", "wide.sluice.example.", "big.sluice.example.", "x.",
		"a.sub.sluice.example.", "_sluice.live.sluice.example."};
	static const char *const opts[] = {NULL, "", "0003 0000",
		"0008 0007 0001 18 00 0a0200 0003 0000 000a 0008 0102030405060708"};
	static uint8_t out[DNSD_OUT_MAX];
	struct dnsworld b;

	(void)state;
	begin(&b, NULL);
	b.d.secrets.n = 1;
	b.set.nsid = STR_LIT("a-name-of-sixty-four-octets-which-is-the-most-that-is-ever-told-");
	for (size_t i = 0; i < SL_COUNT(types) * SL_COUNT(names) * SL_COUNT(opts); i++) {
		uint8_t msg[600];
		size_t n = dnsmsg_query(msg, names[i % SL_COUNT(names)],
			types[i / SL_COUNT(names) % SL_COUNT(types)],
			opts[i / SL_COUNT(names) / SL_COUNT(types)]);
		size_t len = dnsd_handle(&b.d, msg, n, ip("10.1.2.3"), DNSD_UDP, out, sizeof(out));

		assert_in_range(len, DNS_HEADER, DNSD_AMPLIFICATION * n);
		assert_string_not_equal(dnsmsg_text(out, len), "unreadable");
	}
	dnsworld_done(&b);
}

static unsigned answers_of(struct dnsworld *b, const char *client, enum dnsd_proto proto,
	unsigned n, unsigned *ret_cut)
{
	static uint8_t out[DNSD_OUT_MAX];
	uint8_t msg[600];
	size_t len = dnsmsg_query(msg, "mail.sluice.example.", "A", NULL);
	unsigned whole = 0;

	*ret_cut = 0;
	for (unsigned i = 0; i < n; i++) {
		size_t k = dnsd_handle(&b->d, msg, len, ip(client), proto, out, sizeof(out));

		if (k)
			*(out[2] & 2 ? ret_cut : &whole) += 1;
	}
	return whole;
}

static void holds_to_the_rate(void **state)
{
	static const struct dnsd_prefix listed = {{{10, 9, 0, 0}, IP_V4}, 16};
	struct dnsworld b;
	unsigned cut;

	(void)state;
	begin(&b, &all_alpha);
	b.set.rrl = calloc(1, sizeof(*b.set.rrl));
	dns_rrl_init(b.set.rrl, 10, 1);
	b.set.slip = 4;
	b.set.exempt = &listed;
	b.set.n_exempt = 1;
	assert_int_equal(answers_of(&b, "10.1.2.3", DNSD_UDP, 101, &cut), 21);
	assert_int_equal(cut, 20);
	assert_int_equal(tally_get(&b.d.w.tally->counters[TALLY_DNS_RRL_SLIPPED]), 20);
	assert_int_equal(tally_get(&b.d.w.tally->counters[TALLY_DNS_RRL_DROPPED]), 60);
	assert_int_equal(answers_of(&b, "10.9.2.3", DNSD_UDP, 101, &cut), 101);  /* listed */
	assert_int_equal(answers_of(&b, "127.0.0.1", DNSD_UDP, 101, &cut), 101); /* counted only */
	assert_int_equal(tally_get(&b.d.w.tally->counters[TALLY_DNS_RRL_DROPPED]), 140);
	assert_int_equal(answers_of(&b, "10.1.2.3", DNSD_TCP, 101, &cut), 101);
	assert_int_equal(answers_of(&b, "10.1.2.3", DNSD_UDP, 101, &cut), 101); /* learned */
	assert_int_equal(answers_of(&b, "10.1.2.4", DNSD_UDP, 100, &cut), 0); /* its block is not */
	b.set.dry_run = true;
	assert_int_equal(answers_of(&b, "10.1.2.4", DNSD_UDP, 100, &cut), 100);
	free(b.set.rrl);
	dnsworld_done(&b);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(answers_from_the_zone),
		cmocka_unit_test(steers),
		cmocka_unit_test(goes_on_behind_a_cname),
		cmocka_unit_test(says_when_nobody_may_serve),
		cmocka_unit_test(skips_vendors_the_door_cannot_name),
		cmocka_unit_test(gives_a_cname_where_no_address_is_known),
		cmocka_unit_test(hurries_while_a_vendor_drains),
		cmocka_unit_test(counts_new_and_refreshed),
		cmocka_unit_test(says_that_it_has_no_world),
		cmocka_unit_test(tells_its_name_when_asked),
		cmocka_unit_test(shares_cookies),
		cmocka_unit_test(answers_a_cookie_alone),
		cmocka_unit_test(never_sends_over_ten_times_the_question),
		cmocka_unit_test(holds_to_the_rate),
	};
	int rc;

	publish_reader_start();
	rc = cmocka_run_group_tests(tests, NULL, NULL);
	publish_reader_stop();
	return rc;
}
