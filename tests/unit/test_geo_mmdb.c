/* SPDX-License-Identifier: Apache-2.0 */
/* Real layouts are read; corrupt files are refused or harmless, whatever is wrong with them. */
#include "test.h"

#include "base/hash.h"
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
		{"GeoIP2-City-Test", "175.16.199.1", "CN/JL/-"}, /* the file says 22 */
		{"GeoIP2-City-Test", "2001:218::1", "JP/-/-"},
		{"GeoIP2-City-Test", "9.9.9.9", "-/-/-"},
		{"GeoLite2-City-Test", "81.2.69.142", "GB/ENG/-"},
		{"GeoIP2-Country-Test", "81.2.69.142", "GB/-/-"},
		{"GeoLite2-Country-Test", "2001:218::1", "JP/-/-"},
		{"GeoIP2-Enterprise-Test", "74.209.24.4", "US/NY/-"},
		{"GeoIP2-ISP-Test", "49.64.0.1", "-/-/telecom"},
		{"GeoIP2-ISP-Test", "101.64.0.1", "-/-/unicom"},
		{"GeoIP2-ISP-Test", "240e::1", "-/-/telecom"},
		{"GeoIP2-ISP-Test", "1.128.0.1", "-/-/-"},
		{"GeoLite2-ASN-Test", "240e::1", "-/-/telecom"},
	};

	(void)state;
	for (size_t i = 0; i < SL_COUNT(rows); i++) {
		char name[128], path[512];
		struct read r;

		(void)snprintf(name, sizeof(name), "data/maxmind/test-data/%s.mmdb", rows[i].file);
		if (!test_shared(path, sizeof(path), name))
			skip();
		assert_int_equal(read_db(&r, path), 0);
		assert_string_equal(what(&r, rows[i].addr), rows[i].want);
		read_done(&r);
	}
}

/* CORRUPT: refused. NOTHING: sound as far as it is read, but no record has anything of use. */
enum { CORRUPT = SL_EFORMAT, NOTHING = SL_ENOENT };

static void survives_bad_data(void **state)
{
	static const struct {
		const char *file;
		int want;
	} rows[] = {
		{"bad-data/libmaxminddb/libmaxminddb-corrupt-search-tree", NOTHING},
		{"bad-data/libmaxminddb/libmaxminddb-deep-array-nesting", CORRUPT},
		{"bad-data/libmaxminddb/libmaxminddb-deep-nesting", CORRUPT},
		{"bad-data/libmaxminddb/libmaxminddb-empty-array-last-in-metadata", NOTHING},
		{"bad-data/libmaxminddb/libmaxminddb-empty-map-last-in-metadata", NOTHING},
		{"bad-data/libmaxminddb/libmaxminddb-metadata-marker-only", CORRUPT},
		{"bad-data/libmaxminddb/libmaxminddb-offset-integer-overflow", CORRUPT},
		{"bad-data/libmaxminddb/libmaxminddb-oversized-array", CORRUPT},
		{"bad-data/libmaxminddb/libmaxminddb-oversized-map", CORRUPT},
		{"bad-data/libmaxminddb/libmaxminddb-separator-record-max-left", CORRUPT},
		{"bad-data/libmaxminddb/libmaxminddb-separator-record-min-left", CORRUPT},
		{"bad-data/libmaxminddb/libmaxminddb-separator-record-min-right", CORRUPT},
		{"bad-data/libmaxminddb/libmaxminddb-uint64-max-epoch", NOTHING},
		{"bad-data/maxminddb-golang/cyclic-data-structure", CORRUPT},
		{"bad-data/maxminddb-golang/invalid-bytes-length", CORRUPT},
		{"bad-data/maxminddb-golang/invalid-data-record-offset", CORRUPT},
		{"bad-data/maxminddb-golang/invalid-map-key-length", CORRUPT},
		{"bad-data/maxminddb-golang/invalid-string-length", CORRUPT},
		{"bad-data/maxminddb-golang/metadata-is-an-uint128", CORRUPT},
		{"bad-data/maxminddb-golang/unexpected-bytes", CORRUPT},
		{"bad-data/maxminddb-python/bad-unicode-in-map-key", CORRUPT},
		{"test-data/GeoIP2-City-Test-Broken-Double-Format", CORRUPT},
		{"test-data/GeoIP2-City-Test-Invalid-Node-Count", CORRUPT},
		{"test-data/MaxMind-DB-test-broken-pointers-24", CORRUPT},
		{"test-data/MaxMind-DB-test-broken-search-tree-24", CORRUPT},
		{"test-data/MaxMind-DB-test-metadata-pointers", NOTHING},
		{"test-data/MaxMind-DB-no-ipv4-search-tree", NOTHING},
		{"test-data/MaxMind-DB-string-value-entries", NOTHING},
	};

	(void)state;
	for (size_t i = 0; i < SL_COUNT(rows); i++) {
		char name[160], path[512];
		struct read r;

		(void)snprintf(name, sizeof(name), "data/maxmind/%s.mmdb", rows[i].file);
		if (!test_shared(path, sizeof(path), name))
			skip();
		assert_int_equal(read_db(&r, path), rows[i].want);
		/* says which file, and what */
		assert_int_equal(strncmp(r.err.s, path, strlen(path)), 0);
		assert_true(strlen(r.err.s) > strlen(path) + 10);
		read_done(&r);
	}
}

static void refuses_what_is_no_file(void **state)
{
	static const char *const rows[] = {"/nonexistent.mmdb", "/", "/dev/null"};
	struct read r;

	(void)state;
	for (size_t i = 0; i < SL_COUNT(rows); i++) {
		assert_true(read_db(&r, rows[i]) < 0);
		assert_int_equal(strncmp(r.err.s, rows[i], strlen(rows[i])), 0);
		read_done(&r);
	}
}

/* One to eight octets, or a piece from elsewhere, or cut short. */
static size_t mutate(uint8_t *p, size_t n, uint64_t seed)
{
	static const uint8_t nasty[] = {0x00, 0xff, 0x20, 0x3f, 0xe0, 0x5f, 0x01, 0x80};
	uint64_t r = hash_mix(seed, 1);

	if (r % 16 == 0)
		return (size_t)(r >> 8) % n;
	if (r % 16 == 1) {
		size_t len = 1 + (size_t)(r >> 40) % 64;

		memmove(p + (r >> 8) % (n - len), p + (r >> 20) % (n - len), len);
		return n;
	}
	for (unsigned i = 0; i <= (r >> 4) % 8; i++) {
		uint64_t q = hash_mix(seed, i + 2);
		/* the last octets are metadata, of which little changes much */
		size_t at = q & 7 ? (size_t)(q >> 8) % n : n - 1 - (size_t)(q >> 8) % 300;

		p[at] = q & 16 ? nasty[q >> 5 & 7] : (uint8_t)(q >> 48);
	}
	return n;
}

static void read_mutant(const uint8_t *p, size_t n, unsigned *refused)
{
	int fd = memfd_create("mutant", MFD_CLOEXEC);
	char path[64];
	struct read r;

	assert_true(fd >= 0);
	assert_int_equal(write(fd, p, n), n);
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (read_db(&r, path) != 0) {
		(*refused)++;
		assert_true(strlen(r.err.s) > strlen(path));
	}
	assert_true(r.v4.n > 0 && r.v6.n > 0);
	read_done(&r);
	(void)close(fd);
}

static void survives_mutations(void **state)
{
	static const char *const files[] = {"City", "ISP", "Country", "Enterprise"};
	unsigned n = getenv("SLUICE_LONG") ? 100000 : 1000, refused = 0;

	(void)state;
	for (size_t f = 0; f < SL_COUNT(files); f++) {
		char name[128], path[512], *good;
		uint8_t *copy;
		size_t size;

		(void)snprintf(
			name, sizeof(name), "data/maxmind/test-data/GeoIP2-%s-Test.mmdb", files[f]);
		if (!test_shared(path, sizeof(path), name))
			skip();
		assert_int_equal(os_read_file(path, 1 << 20, &good, &size, NULL), 0);
		copy = malloc(size);
		for (unsigned i = 0; i < n / SL_COUNT(files); i++) {
			memcpy(copy, good, size);
			read_mutant(copy, mutate(copy, size, i * 4 + f), &refused);
		}
		free(copy);
		free(good);
	}
	print_message("%u of %u mutants refused\n", refused, n);
	assert_true(refused > n / 20);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_the_known_layouts),
		cmocka_unit_test(survives_bad_data),
		cmocka_unit_test(refuses_what_is_no_file),
		cmocka_unit_test(survives_mutations),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
