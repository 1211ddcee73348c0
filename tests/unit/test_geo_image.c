/* SPDX-License-Identifier: Apache-2.0 */
/* Small databases written here octet by octet, sound ones and such as a reader must not trust. */
#include "test.h"

#include "geo/image.h"

enum { TREE = 6, SEPARATOR = 16 }; /* one node of 24-bit records */

#define MARKER     "\xab\xcd\xefMaxMind.com"
#define NODE_COUNT "\x4anode_count"
#define REST                                                                                       \
	"\x4brecord_size\xa1\x18"                                                                  \
	"\x4aip_version\xa1\x04"                                                                   \
	"\x5b"                                                                                     \
	"binary_format_major_version\xa1\x02"
#define META "\xe4" NODE_COUNT "\xa1\x01" REST

struct file {
	uint8_t p[4096];
	size_t n;
};

static void add(struct file *f, const void *p, size_t n)
{
	assert_true(f->n + n <= sizeof(f->p));
	memcpy(f->p + f->n, p, n);
	f->n += n;
}

static int init(struct file *f, struct geo_image *im, const void *data, size_t data_n,
	const void *meta, size_t meta_n)
{
	static const uint8_t zeros[TREE + SEPARATOR];

	f->n = 0;
	add(f, zeros, sizeof(zeros));
	add(f, data, data_n);
	add(f, MARKER, sizeof(MARKER) - 1);
	add(f, meta, meta_n);
	return geo_image_init(im, f->p, f->n, NULL);
}

#define INIT(f, im, data, meta) init(f, im, data, sizeof(data) - 1, meta, sizeof(meta) - 1)

static void reads_metadata(void **state)
{
	struct geo_image im;
	struct file f;

	(void)state;
	assert_int_equal(INIT(&f, &im, "\xe0", META), 0);
	assert_int_equal(im.node_count, 1);
	assert_int_equal(im.record_size, 24);
	assert_int_equal(im.ip_version, 4);
	assert_int_equal(im.data_n, 1);
	assert_int_equal(geo_image_check(&im, 0, NULL), 0);
	assert_int_equal(geo_image_check(&im, 1, NULL), SL_EFORMAT);
}

static void refuses_bad_metadata(void **state)
{
	struct geo_image im;
	struct file f;

	(void)state;
	assert_int_equal(INIT(&f, &im, "\xe0", ""), SL_EFORMAT);
	assert_int_equal(INIT(&f, &im, "\xe0", "\xe0"), SL_EFORMAT);
	assert_int_equal(INIT(&f, &im, "\xe0", "\xa1\x01"), SL_EFORMAT);
	assert_int_equal(INIT(&f, &im, "\xe0", "\xe4" NODE_COUNT "\xa1\x00" REST), SL_EFORMAT);
	assert_int_equal(INIT(&f, &im, "\xe0", "\xe4" NODE_COUNT "\xa1\x02" REST), SL_EFORMAT);
	assert_int_equal(
		INIT(&f, &im, "\xe0", "\xe4" NODE_COUNT "\xc4\xff\xff\xff\xff" REST), SL_EFORMAT);
	assert_int_equal(INIT(&f, &im, "\xe0", "\xe4" NODE_COUNT "\x41x" REST), SL_EFORMAT);
	assert_int_equal(INIT(&f, &im, "\xe0", "\xe5" NODE_COUNT "\xa1\x01" REST), SL_EFORMAT);
}

/* Texts are all that languages and description may hold. */
static void refuses_odd_lists_in_metadata(void **state)
{
#define META5 "\xe5" NODE_COUNT "\xa1\x01" REST
	struct geo_image im;
	struct file f;

	(void)state;
	assert_int_equal(INIT(&f, &im, "\xe0",
				 META5 "\x49languages\x01\x04\x42"
				       "en"),
		0);
	assert_int_equal(INIT(&f, &im, "\xe0", META5 "\x49languages\x00\x04"), 0);
	assert_int_equal(INIT(&f, &im, "\xe0",
				 META5 "\x49languages\x42"
				       "en"),
		SL_EFORMAT);
	assert_int_equal(INIT(&f, &im, "\xe0",
				 META5 "\x49languages\x02\x04\x42"
				       "en\xa1\x01"),
		SL_EFORMAT);
	assert_int_equal(INIT(&f, &im, "\xe0",
				 META5 "\x4b"
				       "description\xe1\x42"
				       "en\x41x"),
		0);
	assert_int_equal(INIT(&f, &im, "\xe0",
				 META5 "\x4b"
				       "description\xe1\x42"
				       "en\xe0"),
		SL_EFORMAT);
#undef META5
}

static void checks_values(void **state)
{
#define V(octets, want)                                                                            \
	{                                                                                          \
		octets, sizeof(octets) - 1, want                                                   \
	}
	static const struct {
		const char *p;
		size_t n;
		int want;
	} rows[] = {
		V("\x42hi", 0), V("\x43hi", SL_EFORMAT), /* text past the end */
		V("\x5d", SL_EFORMAT),                   /* a size past the end */
		V("\x68\0\0\0\0\0\0\0\0", 0),            /* a double */
		V("\x67\0\0\0\0\0\0\0", SL_EFORMAT),     /* of 7 octets */
		V("\xa2\1\2", 0),                        /* uint16 */
		V("\xa3\1\2\3", SL_EFORMAT),             /* of 3 octets */
		V("\xc4\1\2\3\4", 0),                    /* uint32 */
		V("\x01\x07", 0),                        /* true */
		V("\x02\x07", SL_EFORMAT),               /* neither */
		V("\x00\x05", SL_EFORMAT),               /* a container */
		V("\x00\x06", SL_EFORMAT),               /* an end marker */
		V("\x00\x00", SL_EFORMAT),               /* type 7 by the long way */
		V("\x00\x09", SL_EFORMAT),               /* type 16 */
		V("\x00", SL_EFORMAT),                   /* and no type */
		V("\xe1\x41k\x41v", 0),                  /* {"k": "v"} */
		V("\xe1\xa1\x01\x41v", SL_EFORMAT),      /* a key that is a number */
		V("\xe2\x41k\x41v", SL_EFORMAT),         /* a member short */
		V("\xe1\x41k\x20\x01", 0),               /* {"k": -> "k"} */
		V("\xe1\x20\x03\x41k", 0),               /* key -> "k", which is the value too */
		V("\xe1\x20\x05\x20\x05\x41k", 0),       /* key and value -> "k" */
		V("\x20\x00", SL_EFORMAT),               /* points to itself */
		V("\x20\x02\x20\x00", SL_EFORMAT),       /* a pointer to a pointer */
		V("\x20\x7f", SL_EFORMAT),               /* outside */
		V("\x38\xff\xff\xff\xff", SL_EFORMAT),   /* far outside */
		V("\x27", SL_EFORMAT),                   /* cut off */
		V("\x02\x04\x41"
		  "a\x41"
		  "b",
			0),                            /* ["a", "b"] */
		V("\x01\x04\x20\x00", SL_EFORMAT),     /* an array that holds itself */
		V("\x1f\x04\xff\xff\xff", SL_EFORMAT), /* 16.8 million members */
	};
#undef V

	(void)state;
	for (size_t i = 0; i < SL_COUNT(rows); i++) {
		struct geo_image im;
		struct file f;

		assert_int_equal(init(&f, &im, rows[i].p, rows[i].n, META, sizeof(META) - 1), 0);
		assert_int_equal(geo_image_check(&im, 0, NULL), rows[i].want);
	}
}

/* A key's pointer whose last octet is the head of the text it points to: the value is what comes
 * behind the pointer, as for any reader, though the text ends further on. */
static void a_pointer_may_point_into_itself(void **state)
{
	static const char sound[] = "\xe1\x28\x00\x41\xa1\x01",
			  odd[] = "\xe1\x28\x00\x41\xa3\x40\x40\x40";
	uint8_t data[2200] = {0};
	struct geo_image im;
	struct file f;
	size_t at = 2048 + 0x41 - 3;

	(void)state;
	memcpy(data + at, sound, sizeof(sound));
	assert_int_equal(init(&f, &im, data, sizeof(data), META, sizeof(META) - 1), 0);
	assert_int_equal(geo_image_check(&im, at, NULL), 0);
	memcpy(data + at, odd, sizeof(odd));
	assert_int_equal(init(&f, &im, data, sizeof(data), META, sizeof(META) - 1), 0);
	assert_int_equal(geo_image_check(&im, at, NULL), SL_EFORMAT);
}

static void nests_to_its_limit(void **state)
{
	struct geo_image im;
	struct file f;
	uint8_t data[256];

	(void)state;
	for (int depth = 31; depth <= 34; depth++) {
		for (int i = 0; i < depth; i++)
			memcpy(data + 2 * i, "\x01\x04", 2);
		memcpy(data + 2 * depth, "\x41x", 2);
		assert_int_equal(
			init(&f, &im, data, 2 * (size_t)depth + 2, META, sizeof(META) - 1), 0);
		assert_int_equal(geo_image_check(&im, 0, NULL), depth <= 32 ? 0 : SL_EFORMAT);
	}
}

/* Each array points 28 times to the next: 28^20 values in some hundred octets. */
static void work_is_bounded(void **state)
{
	struct geo_image im;
	struct file f;
	uint8_t data[2048];
	size_t n = 0;

	(void)state;
	for (int level = 0; level < 20; level++) {
		size_t next = n + 2 + 2 * 28;

		data[n++] = 28;
		data[n++] = 4;
		for (int i = 0; i < 28; i++) {
			data[n++] = (uint8_t)(0x20 | next >> 8);
			data[n++] = (uint8_t)next;
		}
	}
	data[n++] = 0x40;
	assert_int_equal(init(&f, &im, data, n, META, sizeof(META) - 1), 0);
	assert_int_equal(geo_image_check(&im, 0, NULL), SL_EFORMAT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_metadata),
		cmocka_unit_test(refuses_bad_metadata),
		cmocka_unit_test(refuses_odd_lists_in_metadata),
		cmocka_unit_test(checks_values),
		cmocka_unit_test(a_pointer_may_point_into_itself),
		cmocka_unit_test(nests_to_its_limit),
		cmocka_unit_test(work_is_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
