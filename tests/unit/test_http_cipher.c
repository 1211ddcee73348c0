/* SPDX-License-Identifier: Apache-2.0 */
/* Ciphers of the dialects: published vectors, round trips of every length, and what must not open.
 */
#include "test.h"

#include "http/cipher.h"

static uint8_t room[4096];

static struct str octets(const char *hex, uint8_t *to, size_t size)
{
	struct buf b = buf_over(to, size);
	struct str out;

	assert_true(http_unhex(str_from(hex), &b, &out));
	return out;
}

/* The GCM specification's test case 3; the others by `openssl enc -aes-128-cbc` and `-des-ecb`. */
static void test_vectors(void **state)
{
	static const struct {
		enum http_cipher cipher;
		const char *key, *sealed, *plain;
	} rows[] = {
		{HTTP_AES_GCM, "feffe9928665731c6d6a8f9467308308",
			"cafebabefacedbaddecaf888"
			"42831ec2217774244b7221b784d0d49ce3aa212f2c02a4e035c17e2329aca12e"
			"21d514b25466931c7d8f6a5aac84aa051ba30b396a0aac973d58e091473f5985"
			"4d5c2af327cd64a62cf35abd2ba6fab4",
			"d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
			"1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b391aafd255"},
		{HTTP_AES_CBC, "000102030405060708090a0b0c0d0e0f",
			"101112131415161718191a1b1c1d1e1f83874109071ed8c106d4dcbecce05e23",
			"7777772e6578616d706c652e636f6d"},
		{HTTP_DES_ECB, "3132333435363738", "dd6990e5afc11b7fbc306acac03ec507",
			"7777772e6578616d706c652e636f6d"},
	};

	(void)state;
	for (size_t i = 0; i < SL_COUNT(rows); i++) {
		uint8_t key[16], sealed[256], plain[256];
		struct str k = octets(rows[i].key, key, sizeof(key));
		struct str s = octets(rows[i].sealed, sealed, sizeof(sealed));
		struct str want = octets(rows[i].plain, plain, sizeof(plain)), got;
		struct buf b = buf_over(room, sizeof(room));

		assert_true(http_cipher_open(rows[i].cipher, k, s, &b, &got));
		assert_true(str_eq(got, want));
	}
}

/* Whatever octet is changed, a sealed text is not what it was; under GCM it does not open. */
static void test_round_trips(void **state)
{
	static const struct str keys[] = {
		{"0123456789abcdef", 16}, {"0123456789abcdef", 16}, {"01234567", 8}};
	char text[70];

	(void)state;
	memset(text, 'x', sizeof(text));
	for (int c = HTTP_AES_CBC; c <= HTTP_DES_ECB; c++) {
		for (size_t n = 0; n <= sizeof(text); n++) {
			uint8_t sealed[128], again[128];
			struct buf s = buf_over(sealed, sizeof(sealed));
			struct buf b = buf_over(room, sizeof(room));
			struct str plain, in = {text, n}, whole;

			assert_true(http_cipher_seal((enum http_cipher)c, keys[c], in, &s));
			assert_in_range(buf_len(&s), n + 1, n + HTTP_CIPHER_OVERHEAD);
			whole = (struct str){(char *)sealed, buf_len(&s)};
			assert_true(
				http_cipher_open((enum http_cipher)c, keys[c], whole, &b, &plain));
			assert_true(str_eq(plain, in));
			for (size_t at = 0; at < whole.n; at++) {
				struct str other = {(char *)again, whole.n};

				memcpy(again, sealed, whole.n);
				again[at] ^= 1;
				b = buf_over(room, sizeof(room));
				if (http_cipher_open(
					    (enum http_cipher)c, keys[c], other, &b, &plain)) {
					assert_int_not_equal(c, HTTP_AES_GCM);
					assert_false(str_eq(plain, in));
				}
			}
		}
	}
}

static void test_fresh_iv(void **state)
{
	static const struct str key = {"0123456789abcdef", 16};
	uint8_t a[64], b[64];
	struct buf first = buf_over(a, sizeof(a)), second = buf_over(b, sizeof(b));

	(void)state;
	for (int c = HTTP_AES_CBC; c <= HTTP_AES_GCM; c++) {
		assert_true(http_cipher_seal((enum http_cipher)c, key, STR_LIT("x"), &first));
		assert_true(http_cipher_seal((enum http_cipher)c, key, STR_LIT("x"), &second));
		assert_memory_not_equal(a, b, 12);
		first.p = first.base;
		second.p = second.base;
	}
}

static void test_refused(void **state)
{
	static const struct {
		enum http_cipher cipher;
		size_t key, sealed, room;
	} rows[] = {
		{HTTP_AES_CBC, 15, 48, 64},
		{HTTP_AES_CBC, 17, 48, 64},
		{HTTP_AES_CBC, 0, 48, 64},
		{HTTP_AES_CBC, 16, 0, 64},
		{HTTP_AES_CBC, 16, 16, 64},
		{HTTP_AES_CBC, 16, 47, 64},
		{HTTP_AES_GCM, 16, 27, 64},
		{HTTP_AES_GCM, 16, 0, 64},
		{HTTP_AES_GCM, 8, 40, 64},
		{HTTP_DES_ECB, 7, 16, 64},
		{HTTP_DES_ECB, 8, 0, 64},
		{HTTP_DES_ECB, 8, 9, 64},
		{HTTP_AES_CBC, 16, 48, 31},
		{HTTP_AES_GCM, 16, 60, 31},
		{HTTP_DES_ECB, 8, 32, 31},
	};
	static const char key[17] = "0123456789abcdef", sealed[64] = {1};

	(void)state;
	for (size_t i = 0; i < SL_COUNT(rows); i++) {
		struct buf b = buf_over(room, rows[i].room);
		struct str plain;

		assert_false(http_cipher_open(rows[i].cipher, (struct str){key, rows[i].key},
			(struct str){sealed, rows[i].sealed}, &b, &plain));
	}
	for (int c = HTTP_AES_CBC; c <= HTTP_DES_ECB; c++) {
		struct buf b = buf_over(room, 7);

		assert_false(http_cipher_seal(
			(enum http_cipher)c, (struct str){key, 9}, STR_LIT("x"), &b));
		assert_true(http_cipher_seal((enum http_cipher)c,
			(struct str){key, c == HTTP_DES_ECB ? 8 : 16}, STR_LIT("x"), &b));
		assert_true(b.overflow);
	}
}

static void test_base64url(void **state)
{
	static const struct {
		const char *text, *want;
	} rows[] = {{"", ""}, {"Zg", "f"}, {"Zg==", "f"}, {"Zm8", "fo"}, {"Zm9v", "foo"},
		{"__79", "\xff\xfe\xfd"}, {"Zm9vYg", "foob"}, {"Z", NULL}, {"Zm9vY", NULL},
		{"Zg=", NULL}, {"Zh", NULL}, {"++++", NULL}, {"Zm 9v!", NULL}, {"Zg==Zg==", NULL}};

	(void)state;
	for (size_t i = 0; i < SL_COUNT(rows); i++) {
		struct buf b = buf_over(room, sizeof(room));
		struct str got;
		bool ok = http_unbase64url(str_from(rows[i].text), &b, &got);

		if (ok != (rows[i].want != NULL))
			fail_msg("%s", rows[i].text);
		if (ok)
			assert_true(str_eq_z(got, rows[i].want));
	}
}

static void test_hex_and_md5(void **state)
{
	static const struct str parts[] = {
		{"www.baidu.com", 13}, {"-", 1}, {"1234567890", 10}, {"-", 1}, {"1513602734", 10}};
	struct buf b = buf_over(room, sizeof(room));
	struct str got;
	char hex[33] = "";

	(void)state;
	http_md5_parts(parts, SL_COUNT(parts), hex);
	assert_string_equal(hex, "9d4eac35c33b8fa1610476ff1532643d");
	assert_true(http_unhex(STR_LIT("00fFa9"), &b, &got));
	assert_memory_equal(got.p, "\x00\xff\xa9", 3);
	assert_false(http_unhex(STR_LIT("0"), &b, &got));
	assert_false(http_unhex(STR_LIT("0g"), &b, &got));
	b = buf_over(room, 1);
	assert_false(http_unhex(STR_LIT("0000"), &b, &got));
	b = buf_over(hex, 32);
	http_put_base64(&b, STR_LIT("fo"));
	http_put_hex(&b, "\x0a\xf0", 2);
	assert_memory_equal(hex, "Zm8=0af0", 8);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_vectors),
		cmocka_unit_test(test_round_trips),
		cmocka_unit_test(test_fresh_iv),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_base64url),
		cmocka_unit_test(test_hex_and_md5),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
