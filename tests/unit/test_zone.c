/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "world/zone.h"

#include <stdlib.h>
#include <unistd.h>

#include "world/catalogue.h"

#define SOA "@ 300 IN SOA ns1 admin 1 3600 600 86400 60\n@ 300 NS ns1\n"

struct zones {
	struct blob_writer *w;
	uint32_t max_labels;
	struct errbuf err;
	int rc;
	char path[2][32];
};

/* Builds zone example.test (and sub.example.test from text2 if given) with one host. */
static struct zones build(const char *text, const char *text2, const char *host)
{
	struct zones z = {.w = blob_writer_new(&catalogue_def)};
	const char *texts[] = {text, text2};
	struct zone_input in[] = {{"example.TEST.", z.path[0]}, {"sub.example.test", z.path[1]}};
	struct zone_host h = {host, 0, true};

	for (int i = 0; i < 2 && texts[i]; i++) {
		int fd;

		(void)snprintf(z.path[i], sizeof(z.path[i]), "/tmp/test_zone-XXXXXX");
		fd = mkstemp(z.path[i]);
		assert_true(fd >= 0);
		assert_int_equal(write(fd, texts[i], strlen(texts[i])), strlen(texts[i]));
		(void)close(fd);
	}
	z.rc = zones_build(
		z.w, in, text2 ? 2 : 1, host ? &h : NULL, host != NULL, &z.max_labels, &z.err);
	for (int i = 0; i < 2 && texts[i]; i++)
		(void)unlink(z.path[i]);
	return z;
}

static void done(struct zones *z)
{
	blob_writer_free(z->w);
}

static const struct cat_dname *find(const struct zones *z, const char *name)
{
	uint8_t wire[SL_DNS_NAME_MAX];
	size_t n = cat_wire_name(str_from(name), wire);

	for (uint32_t i = 0; i < blob_count(z->w, CAT_dnames); i++) {
		const struct cat_dname *d = blob_at(z->w, CAT_dnames, i);
		if (d->name.count == n &&
			memcmp(blob_at(z->w, CAT_wire, d->name.first), wire, n) == 0)
			return d;
	}
	return NULL;
}

static const struct cat_rrset *rrset(const struct zones *z, const char *name, uint16_t type)
{
	const struct cat_dname *d = find(z, name);

	for (uint32_t i = 0; d && i < d->rrsets.count; i++) {
		const struct cat_rrset *s = blob_at(z->w, CAT_rrsets, d->rrsets.first + i);
		if (s->type == type)
			return s;
	}
	return NULL;
}

static void lays_down_names_of_every_kind(void **state)
{
	static const char text[] = SOA "ns1 A 192.0.2.1\nns1 600 A 192.0.2.2\nns1 A 192.0.2.1\n"
				       "x.y A 192.0.2.3\n*.w TXT a\nd NS ns.d\nd NS ns1\n"
				       "ns.d A 192.0.2.9\nlive TXT t\n";
	static const struct {
		const char *name;
		uint32_t kind;
		uint32_t n_rrsets;
	} rows[] = {
		{"example.test", CAT_DNAME_STATIC, 2},
		{"ns1.example.test", CAT_DNAME_STATIC, 1},
		{"y.example.test", CAT_DNAME_EMPTY, 0},
		{"x.y.example.test", CAT_DNAME_STATIC, 1},
		{"w.example.test", CAT_DNAME_EMPTY, 0},
		{"*.w.example.test", CAT_DNAME_STATIC, 1},
		{"d.example.test", CAT_DNAME_DELEGATION, 1},
		{"live.example.test", CAT_DNAME_SERVICE, 1},
		{"_sluice.live.example.test", CAT_DNAME_EXPLAIN, 0},
	};
	struct zones z = build(text, NULL, "LIVE.example.test.");
	const struct cat_rrset *s;

	(void)state;
	assert_string_equal(z.err.s, "");
	assert_int_equal(z.rc, 0);
	for (size_t i = 0; i < SL_COUNT(rows); i++) {
		const struct cat_dname *d = find(&z, rows[i].name);
		if (!d || d->kind != rows[i].kind || d->rrsets.count != rows[i].n_rrsets)
			fail_msg("%s: %d, %d rrsets", rows[i].name, d ? (int)d->kind : -1,
				d ? (int)d->rrsets.count : -1);
	}
	assert_int_equal(blob_count(z.w, CAT_dnames), SL_COUNT(rows));
	assert_int_equal(z.max_labels, 4);
	s = rrset(&z, "ns1.example.test", 1);
	assert_int_equal(s->n_rrs, 2); /* the same record twice is one */
	assert_int_equal(s->rrs.count, 32);
	s = rrset(&z, "d.example.test", 2);
	assert_int_equal(s->n_rrs, 2);
	assert_int_equal(s->n_glue, 3); /* ns.d, and ns1 twice */
	assert_int_equal(((const struct cat_dname *)blob_at(
				  z.w, CAT_dnames, find(&z, "w.example.test")->wildcard))
				 ->kind,
		CAT_DNAME_STATIC);
	assert_int_equal(((const struct cat_zone *)blob_at(z.w, CAT_zones, 0))->negative_ttl_s, 60);
	assert_int_equal(
		blob_count(z.w, CAT_name_index) & (blob_count(z.w, CAT_name_index) - 1), 0);
	done(&z);
}

static void keeps_the_smallest_ttl_of_a_set(void **state)
{
	struct zones z = build(SOA "a 500 A 192.0.2.1\na 100 A 192.0.2.2\n", NULL, NULL);
	const struct cat_rrset *s = rrset(&z, "a.example.test", 1);

	(void)state;
	assert_int_equal(s->ttl_s, 100); /* RFC 2181 section 5.2 */
	assert_int_equal(((uint8_t *)blob_at(z.w, CAT_wire, s->rrs.first))[9], 100);
	assert_int_equal(((uint8_t *)blob_at(z.w, CAT_wire, s->rrs.first + 16))[9], 100);
	done(&z);
}

static void gives_a_name_to_its_deepest_zone(void **state)
{
	struct zones z = build(SOA "sub NS ns.sub\nns.sub A 192.0.2.1\n",
		"@ 60 SOA ns a 1 2 3 4 5\n@ 60 NS ns\nns 60 A 192.0.2.1\n",
		"live.sub.example.test");
	const struct cat_dname *d = find(&z, "sub.example.test");

	(void)state;
	assert_string_equal(z.err.s, "");
	assert_int_equal(d->kind, CAT_DNAME_STATIC);
	assert_int_equal(d->zone, 1);
	assert_int_equal(find(&z, "live.sub.example.test")->zone, 1);
	done(&z);
}

static void reads_every_usual_type(void **state)
{
	static const char text[] = SOA
		"a A 192.0.2.1\na AAAA 2001:db8::1\na TXT \"x\" \"y\"\na MX 10 b\n"
		"a SRV 1 2 3 b\na CAA 0 issue \"ca\"\na NAPTR 1 2 \"s\" \"SIP\" \"\" b\n"
		"a SSHFP 1 1 0123456789abcdef0123456789abcdef01234567\n"
		"a TLSA 3 1 1 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\n"
		"a PTR b\na HINFO \"c\" \"o\"\na LOC 52 22 23.000 N 4 53 32.000 E -2m 0m 10000m "
		"10m\n"
		"a SPF \"v=spf1\"\na RP b c\na AFSDB 1 b\na URI 1 2 \"https://t.test\"\n"
		"a HTTPS 1 . alpn=h2\na SVCB 1 b alpn=h3\na TYPE65400 \\# 2 abcd\n"
		"c CNAME a\nd DNAME a\n";
	struct zones z = build(text, NULL, NULL);

	(void)state;
	assert_string_equal(z.err.s, "");
	assert_int_equal(find(&z, "a.example.test")->rrsets.count, 19);
	assert_non_null(rrset(&z, "a.example.test", 65400));
	assert_non_null(rrset(&z, "a.example.test", 65));
	done(&z);
}

static void refuses_mistakes_with_their_line(void **state)
{
	static const struct {
		const char *text, *host, *want;
	} rows[] = {
		{"@ 300 NS ns1\n", NULL, ":1: no SOA at example.TEST."},
		{"@ 300 SOA a b 1 2 3 4 5\n", NULL, ":1: no NS at"},
		{SOA "\n@ SOA ns2 admin 2 3600 600 86400 60\n", NULL,
			":4: example.test: second SOA"},
		{SOA "a SOA ns2 admin 2 3600 600 86400 60\n", NULL,
			":3: a.example.test: SOA that is "
			"not at the apex"},
		{SOA "a.other. A 192.0.2.1\n", NULL, ":3: a.other: record out of the zone"},
		{SOA "badexample.test. A 192.0.2.1\n", NULL, ":3: badexample.test: record out"},
		{SOA "a CNAME b\na TXT x\n", NULL, ":3: a.example.test: CNAME beside other data"},
		{SOA "a CNAME b\na CNAME c\n", NULL, "CNAME beside other data"},
		{SOA "a CNAME B\nb CNAME a\n", NULL,
			":3: a.example.test: CNAME in a circle, or before 8 others"},
		{SOA "a CNAME a\n", NULL, "CNAME in a circle"},
		{SOA "a A 1.2.3\n", NULL, ":3: "},
		{SOA "a CH TXT x\n", NULL, ":3: a.example.test: class is not IN"},
		{SOA "$INCLUDE /etc/passwd\n", NULL, ":3: "},
		{SOA "d NS x.\na.d TXT x\n", NULL, ":4: a.d.example.test: below a delegation only"},
		{SOA "d NS x.\nd TXT x\n", NULL, ":4: d.example.test: beside a delegation only"},
		{SOA "live A 192.0.2.1\n", "live.example.test",
			":3: live.example.test: a scheduled"},
		{SOA "live AAAA ::1\n", "live.example.test", ":3: live.example.test: a scheduled"},
		{SOA "live CNAME x\n", "live.example.test", ":3: live.example.test: a scheduled"},
		{SOA "live NS x\n", "live.example.test", ":3: live.example.test: delegates a"},
		{SOA "d NS x\n", "a.live.d.example.test",
			":3: d.example.test: delegates what a scheduled host is below"},
		{SOA "d DNAME x\n", "a.live.d.example.test",
			":3: d.example.test: DNAME above a scheduled host"},
		{SOA "d DNAME x\na.b.d A 192.0.2.1\n", NULL,
			":4: a.b.d.example.test: below a DNAME"},
		{SOA "@ DNAME x.\nlive TXT t\n", NULL, ":4: live.example.test: below a DNAME"},
		{SOA "_sluice.live TXT x\n", "live.example.test",
			":3: _sluice.live.example.test: the"},
		{SOA "*.w NS x\n", NULL, ":3: *.w.example.test: NS at a wildcard"},
		{SOA "a DNAME b\na DNAME c\n", NULL, "a.example.test: second DNAME"},
		{SOA, "live.other.test", "host live.other.test: under no zone"},
		{SOA, "..", "host ..: no domain name"},
	};

	(void)state;
	for (size_t i = 0; i < SL_COUNT(rows); i++) {
		struct zones z = build(rows[i].text, NULL, rows[i].host);
		if (z.rc == 0 || !strstr(z.err.s, rows[i].want))
			fail_msg("row %zu: %d \"%s\", want \"%s\"", i, z.rc, z.err.s, rows[i].want);
		done(&z);
	}
}

/* text holds SOA, then n records. */
static void many(char *text, size_t size, unsigned n, unsigned octets)
{
	size_t at = (size_t)snprintf(text, size, "%s", SOA);

	for (unsigned i = 0; i < n; i++) {
		at += (size_t)snprintf(text + at, size - at, "a TYPE65400 \\# %u %04x", octets, i);
		for (unsigned k = 2; k < octets; k++)
			at += (size_t)snprintf(text + at, size - at, "00");
		at += (size_t)snprintf(text + at, size - at, "\n");
	}
}

static void bounds_a_set(void **state)
{
	static const struct {
		unsigned n, octets;
		const char *want;
	} rows[] = {
		{255, 2, ""},
		{256, 2, "over 255 records"},
		{130, 488, ""}, /* 130 x (12 + 488) = 65000 */
		{130, 489, "over 65000 octets"},
	};
	static char text[1 << 18];

	(void)state;
	for (size_t i = 0; i < SL_COUNT(rows); i++) {
		struct zones z;

		many(text, sizeof(text), rows[i].n, rows[i].octets);
		z = build(text, NULL, NULL);
		if (*rows[i].want ? !strstr(z.err.s, rows[i].want) : z.rc != 0)
			fail_msg("row %zu: %s", i, z.err.s);
		done(&z);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(lays_down_names_of_every_kind),
		cmocka_unit_test(keeps_the_smallest_ttl_of_a_set),
		cmocka_unit_test(gives_a_name_to_its_deepest_zone),
		cmocka_unit_test(reads_every_usual_type),
		cmocka_unit_test(refuses_mistakes_with_their_line),
		cmocka_unit_test(bounds_a_set),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
