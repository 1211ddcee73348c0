/* SPDX-License-Identifier: Apache-2.0 */
/* Signed URLs: the vectors that vendors publish, the rest against digests computed elsewhere,
 * queries, limits, and keys that must not leak. Long because every vendor has its vectors here. */
#define SL_ALLOW_CLOCK /* a parameter in gnutls.h has the name of a poisoned generator */
#include "test.h"

#include "base/limits.h"
#include "http/sign.h"

#include <gnutls/x509.h>

static char out[8192];

static int sign(const struct http_sign_scheme *s, const struct http_sign_args *a)
{
	struct buf b = buf_over(out, sizeof(out) - 1);
	int rc = http_sign_url(s, a, &b);

	*b.p = '\0';
	return rc;
}

/* Input and MAC as published; {rand} and the time zone of type B are given by hand. */
static void test_published_vectors(void **state)
{
	static const struct {
		const char *scheme, *input, *path, *key;
		uint64_t t;
		const char *want;
	} rows[] = {
		{"type_a", "{path}-{t}-0-0-{key}", "/video/standard/1K.html", "aliyuncdnexp1234",
			1444435200, "80cd3862d699b7118eed99103f2a3a4f"},
		{"tencent_a", "{path}-{t}-im1acp76sx9sdqe601v-0-{key}", "/test.jpg",
			"dimtm5evg50ijsx2hvuwyfoiu65", 1582791032,
			"3fbb88382c9356b6faaf9d68c7b2ae3a"},
		{"type_a", "{path}-{t}-2e1ca42a1bb248408fc9cf435e5af744-0-{key}",
			"/img/volcano.png", "abc123def456", 1644406401,
			"54959c1ec3448bf8e992554476248fab"},
		{"type_b", NULL, "/4/44/44c0909bcfc20a01afaf256ca99a8b8b.mp3", "aliyuncdnexp1234",
			1439596800, "/201508150800/9044548ef1527deadafa49a890a377f0/4/44/"},
		{"type_b", NULL, "/foo.jpg", "DvYmqE81E1F9R791H6lmht", 1721028780,
			"/202407151533/d1f0b51c6894231fc12e054fcc7f0b3e/foo.jpg"},
		{"type_c", NULL, "/foo.jpg", "DvYmqE81E1F9R791H6lmht", 0x6694d30a,
			"/6688749e8906a726c12fe1be3aacd016/6694d30a/foo.jpg"},
		{"type_c_query", NULL, "/foo.jpg", "DvYmqE81E1F9R791H6lmht", 0x6694d30a,
			"/foo.jpg?KEY1=6688749e8906a726c12fe1be3aacd016&KEY2=6694d30a"},
		{"type_d", NULL, "/foo.jpg", "DvYmqE81E1F9R791H6lmht", 1721029907,
			"/foo.jpg?sign=cadcec4a04e67b9c2abf4b61c642a0dd&t=1721029907"},
		{"huawei_live_d", "huawei1{t}", "/live/huawei1.flv",
			"GCTbw44s6MPLh4GqgDpnfuFHgy25Enly", 0x5eed5888,
			"hwSecret=ce201856a0957413319e883c8ccae13602f01d3d91e21daf5161964cf708a6a8"
			"&hwTime=5eed5888"},
		{"volc_live_b", NULL, "/live/livestream.flv", "A1B2C3d4e5f6", 1653632422,
			"?volcTime=1653632422&volcSecret=e5bb77201cbaa2f9ccdd316fcda4c212"},
		{"qiniu", NULL, "/DIR1/dir2/vodfile.mp4", "12345678", 0x55bb9b80,
			"?sign=19eb212771e87cc3d478b9f32d6c7bf9&t=55bb9b80"},
	};

	(void)state;
	for (size_t i = 0; i < SL_COUNT(rows); i++) {
		struct http_sign_scheme s = *http_sign_find(str_from(rows[i].scheme));
		struct http_sign_args a = {.path = str_from(rows[i].path),
			.key = str_from(rows[i].key),
			.now_s = rows[i].t};

		if (rows[i].input)
			s.input = str_from(rows[i].input);
		assert_int_equal(sign(&s, &a), 0);
		if (!strstr(out, rows[i].want))
			fail_msg("row %zu: %s", i, out);
	}
}

/* Type C at Aliyun writes its time in capitals: the form is a field, not the scheme. */
static void test_time_form_is_a_field(void **state)
{
	struct http_sign_scheme s = *http_sign_find(STR_LIT("type_c"));
	struct http_sign_args a = {.path = STR_LIT("/test.flv"),
		.key = STR_LIT("aliyuncdnexp1234"),
		.now_s = 0x55CE8100};

	(void)state;
	s.time = SIGN_T_HEX_UPPER;
	assert_int_equal(sign(&s, &a), 0);
	assert_string_equal(out, "/a37fa50a5fb8f71214b1e7c95ec7a1bd/55CE8100/test.flv");
}

/* MACs of python3's hashlib and hmac over the formula's input. */
static void test_formulas(void **state)
{
	static const struct {
		const char *scheme, *path, *key, *want;
	} rows[] = {
		{"tencent_live", "/live/s1.flv", "key1",
			"/live/s1.flv?txSecret=ded589f76aa561233d04413aa3c495c2&txTime=6553F358"},
		{"huawei_live_b", "/live/s1.flv", "key1",
			"/live/s1.flv?txSecret=ded589f76aa561233d04413aa3c495c2&txTime=6553F358"},
		{"wangsu", "/live/s1.flv", "key1",
			"/live/s1.flv?wsSecret=b3c8235fff2dffe2bcfd3b22a0162f0e&wsTime=1700000600"},
		{"upyun", "/live/s1.flv", "key1", "/live/s1.flv?_upt=f82266ff1700000600"},
		{"akamai", "/live/s1.flv", "00112233445566778899aabbccddeeff",
			"/live/s1.flv?hdnts=exp=1700000600~acl=/live/"
			"*~hmac=c8b3ebc528e2ae183f326993b67849601215802f2d1e8f3cda3c9146f2c8b022"},
		{"cloudflare", "/live/s1.flv", "key1",
			"/live/"
			"s1.flv?verify=1700000000-EgS3JSdr5jjQL6W%2FQQ%2BO694Fqz%2Bx%"
			"2BmG2jpSQ4dW5Mgk%3D"},
		{"fastly", "/live/s1.flv", "ZmFzdGx5IHNlY3JldA==",
			"/live/s1.flv?token=1700000600_52980b874b4196c3af96893efb5d09fb256befc6"},
		{"bunny", "/live/s1.flv", "key1",
			"/live/s1.flv?token=s8gjX_8t_-K8_TsioBYvDg&expires=1700000600"},
	};

	(void)state;
	for (size_t i = 0; i < SL_COUNT(rows); i++) {
		struct http_sign_args a = {.path = str_from(rows[i].path),
			.key = str_from(rows[i].key),
			.now_s = 1700000000,
			.validity_s = 600};

		assert_int_equal(sign(http_sign_find(str_from(rows[i].scheme)), &a), 0);
		if (strcmp(out, rows[i].want) != 0)
			fail_msg("row %zu: %s, want %s", i, out, rows[i].want);
	}
}

/* Vectors of dualtoken_test.py in GoogleCloudPlatform/python-docs-samples, which python3's hmac
 * makes too: a directory, and by templates of one's own a whole path and SHA-1. */
static void test_google_media(void **state)
{
	static const struct {
		const char *input, *url, *want;
		uint8_t digest;
	} rows[] = {
		{NULL, NULL,
			"/example.m3u8?edge-cache-token=PathGlobs=/*~Expires=1663070400~hmac="
			"9439ecdd5c4919f76f915dea72afa85a045579794e63d8cda664f5a1140c8d93",
			SIGN_HMAC_SHA256},
		{NULL, NULL,
			"/example.m3u8?edge-cache-token=PathGlobs=/*~Expires=1663070400~hmac="
			"c1c446eea24faa31392519f975fea7eefb945625",
			SIGN_HMAC_SHA1},
		{"FullPath={path}~Expires={t}", "{path}?token=FullPath~Expires={t}~hmac={mac}",
			"/example.m3u8?token=FullPath~Expires=1663070400~hmac="
			"365b41fd77297371d890fc9a56e4e3d3baa4c7afbd230a0e9a81c8e1bcab9420",
			SIGN_HMAC_SHA256},
	};
	struct http_sign_args a = {.path = STR_LIT("/example.m3u8"),
		.key = STR_LIT("g_SlMILiIWKqsC6Z2L7gy0sReDOqtSrJrE7CXNr5Nl8="),
		.now_s = 1663070000,
		.validity_s = 400};

	(void)state;
	for (size_t i = 0; i < SL_COUNT(rows); i++) {
		struct http_sign_scheme s = *http_sign_find(STR_LIT("google_media"));

		s.digest = rows[i].digest;
		if (rows[i].input) {
			s.input = str_from(rows[i].input);
			s.url = str_from(rows[i].url);
		}
		assert_int_equal(sign(&s, &a), 0);
		assert_string_equal(out, rows[i].want);
	}
}

/* Vectors of snippets_test.py and dualtoken_test.py in the same place, signed by Ed25519. */
static void test_google_media_ed25519(void **state)
{
	static const char key_one[] = "BxwXXNjeGaoWqjr7GHEymRJkP4SaOC12dTGixk7Yr8I=",
			  key_two[] = "DJUcnLguVFKmVCFnWGubG1MZg7fWAnxacMjKDhVZMGI=";
	static const struct {
		const char *key, *base, *path, *input, *url, *want;
		uint64_t t;
	} rows[] = {
		{key_two, "", "/example.m3u8", NULL, NULL,
			"/example.m3u8?edge-cache-token=PathGlobs=/*~Expires=1663070400~Signature="
			"9pBdD_6O6LB-4V67HZ_SOc2G_jIkSZ_"
			"tMsKnVqElmPlwKB_xDiW7DKAnv8L8CmweeZquaLFlnLogbMcIV8bNCQ",
			1663070400},
		{key_two, "", "/example.m3u8", "FullPath={path}~Expires={t}",
			"{path}?token=FullPath~Expires={t}~Signature={mac}",
			"/example.m3u8?token=FullPath~Expires=1663070400~Signature="
			"X74OTNjtseIUmsab-YiOTZ8jyX_"
			"KG7v4YQWwcFpfFmjhzaX8NdweMc9Wglj8wxEsEW85g3_MBG3T9jzLZFQDCw",
			1663070400},
		{key_one, "http://35.186.234.33", "/index.html",
			"{base}{path}?Expires={t}&KeyName={id}",
			"{path}?Expires={t}&KeyName={id}&Signature={mac}==",
			"/index.html?Expires=1650848400&KeyName=my-key&Signature=16-oE9GZ5U9S_"
			"LYrW8RplZhvMfI7RGtGRY0C-"
			"Ahh6YAwiJ0UaEi6rQuPxfm6R-cBPfs8MwRGiu2fAoS1JOoKCA==",
			1650848400},
	};

	(void)state;
	for (size_t i = 0; i < SL_COUNT(rows); i++) {
		struct http_sign_scheme s = *http_sign_find(STR_LIT("google_media_ed25519"));
		struct http_sign_args a = {.path = str_from(rows[i].path),
			.base = str_from(rows[i].base),
			.id = STR_LIT("my-key"),
			.key = str_from(rows[i].key),
			.now_s = rows[i].t};

		if (rows[i].input) {
			s.input = str_from(rows[i].input);
			s.url = str_from(rows[i].url);
		}
		assert_int_equal(sign(&s, &a), 0);
		assert_string_equal(out, rows[i].want);
	}
}

/* RFC 8032 section 7.1, the second test; and with the public key behind the seed. */
static void test_ed25519(void **state)
{
	static const uint8_t key[65] = {0x4c, 0xcd, 0x08, 0x9b, 0x28, 0xff, 0x96, 0xda, 0x9d, 0xb6,
		0xc3, 0x46, 0xec, 0x11, 0x4e, 0x0f, 0x5b, 0x8a, 0x31, 0x9f, 0x35, 0xab, 0xa6, 0x24,
		0xda, 0x8c, 0xf6, 0xed, 0x4f, 0xb8, 0xa6, 0xfb};
	static const uint8_t want[] = {0x92, 0xa0, 0x09, 0xa9, 0xf0, 0xd4, 0xca, 0xb8, 0x72, 0x0e,
		0x82, 0x0b, 0x5f, 0x64, 0x25, 0x40};
	struct http_signature s;

	(void)state;
	for (size_t n = 31; n <= 65; n++) {
		struct str k = {(const char *)key, n};
		int rc = http_sign_ed25519(k, STR_LIT("\x72"), NULL, 0, &s);

		assert_int_equal(rc, n == 32 || n == 64 ? 0 : SL_EINVAL);
		if (rc == 0)
			assert_memory_equal(s.octets, want, sizeof(want));
	}
}

static const char rsa_pem[] = "-----BEGIN RSA PRIVATE KEY-----\n"
			      "MIICXQIBAAKBgQC7Exm4dyYSNTYwHEDjpO/6RAs6VBU1Yej9xEX9607MeeWp7ocR\n"
			      "oOOWd9OyqEH8snPU5Qk1wdWzbHtB7tMtpR30jIlI+XKYSzQ9IfN9BMqyH1TW78lW\n"
			      "Lylx01KrpNuY128l7nuCf1LHm3iFY2MdkDWf4R96dPImzvQs9IP0gbZyrwIDAQAB\n"
			      "AoGASK/LNplU+Y4jV94ieFEFzT/S/P7enrdESBWS/G4JV/mk+rnrUTYqN7SnVKt7\n"
			      "uCu+ReIYCgMefXCRE7Uv6HRXhpp8+3nA4P0O9z51MWZZSPtG5O70v7f5liBx/3/Y\n"
			      "FEaaLXTTiIQqz952XuROB3C019twhyPhzS4VPBqqaIoS64ECQQDynrBewC0+2aUw\n"
			      "rr2WUhWQTwCrVSaiObIv6OziGAFHVQ9B39pd4p8fh8jXvsFHQhYY42JKH/MdKXCS\n"
			      "cA3Mc4mHAkEAxWQ4/S0z+e++K9r8ww26/qg3r7oXIjJH8S9bAzDFVtpuBz1XoD0L\n"
			      "1tdEhWZQO8xx5HX54d01tNLq3v8Jz0j3mQJBAMgUceJRnX59Qis5j4ONwda2MBkb\n"
			      "KbcS2Y2FCwURQsyuqtxqXMyb/Rmlgs3Ys8+uAkcYDZCPdJASApHg8qAuj7UCQQCd\n"
			      "oZuhEygewEWt4ANaAO0D0HIn8wPmWyD4iki0E46D/YtAXMxNOnLp7p7ZqQsJtgp9\n"
			      "13jl1jG9ZXILAsBiuHKBAkAK0LkVKCGOlhh+rBVmR1KApMyksV1JImMj9bXxioBA\n"
			      "qsb5nokllNtp7XPSLyf1t+4SXeNoJfBTk/Z7ukO8qx7T\n"
			      "-----END RSA PRIVATE KEY-----\n";

/* The MAC is that of `openssl dgst -sha1 -sign` over the policy, PKCS#1 v1.5 being without chance.
 */
static void test_cloudfront(void **state)
{
	struct http_sign_args a = {.path = STR_LIT("/image.jpg"),
		.query = STR_LIT("color=red&size=medium"),
		.base = STR_LIT("https://d111111abcdef8.cloudfront.net"),
		.id = STR_LIT("K2JCJMDEHXQW5F"),
		.key = STR_LIT(rsa_pem),
		.now_s = 1767290361, /* the expiry is the end of that minute */
		.validity_s = 0};
	const struct http_sign_scheme *s = http_sign_find(STR_LIT("cloudfront"));

	(void)state;
	assert_int_equal(sign(s, &a), 0);
	assert_string_equal(out,
		"/image.jpg?color=red&size=medium&Expires=1767290400&Signature="
		"mSnHHZKfsLE7sLRXK~yQzX6C2LjxX7Zm9wo0E6THgfglVBGT34sHAJe9jC1Nf2scVMILG7SzuJrin2gAJG"
		"I0RrZJ34R2CICLa1WVPRUCmwgik7-W08umLotWgEyhO67pDdfG4YR4tY2mmZJeLkNspFzzwB8z17VAbtbC"
		"llGVXyg_&Key-Pair-Id=K2JCJMDEHXQW5F");
	assert_true(http_sign_by_key(s) && http_sign_binds_host(s));
	assert_false(http_sign_binds_host(http_sign_find(STR_LIT("google_media_ed25519"))));
	a.key = STR_LIT(
		"-----BEGIN RSA PRIVATE KEY-----\nnothing\n-----END RSA PRIVATE KEY-----\n");
	assert_int_equal(sign(s, &a), SL_EINVAL);
}

/* A signature has 512 octets at most: no key that makes longer ones is taken. */
static void test_cloudfront_key_size(void **state)
{
	static const struct {
		unsigned bits;
		int rc;
	} rows[] = {{4096, 0}, {4104, SL_EINVAL}};

	(void)state;
	for (size_t i = 0; i < SL_COUNT(rows); i++) {
		struct http_sign_args a = {.path = STR_LIT("/x"), .now_s = 1};
		gnutls_x509_privkey_t k;
		gnutls_datum_t pem;

		assert_int_equal(gnutls_x509_privkey_init(&k), 0);
		assert_int_equal(
			gnutls_x509_privkey_generate(k, GNUTLS_PK_RSA, rows[i].bits, 0), 0);
		assert_int_equal(gnutls_x509_privkey_export2(k, GNUTLS_X509_FMT_PEM, &pem), 0);
		a.key = (struct str){(const char *)pem.data, pem.size};
		assert_true(pem.size <= SL_MAX_SECRET);
		assert_int_equal(sign(http_sign_find(STR_LIT("cloudfront")), &a), rows[i].rc);
		gnutls_free(pem.data);
		gnutls_x509_privkey_deinit(k);
	}
}

/* The text in `openssl enc -d -aes-128-cbc` is the template's; with a key of 32 octets
 * -aes-256-cbc. */
static void test_huawei_live_c(void **state)
{
	struct http_sign_args a = {.path = STR_LIT("/live/stream01.flv"),
		.key = STR_LIT("0123456789abcdef"),
		.now_s = 1556449200,
		.nonce = 7};
	const struct http_sign_scheme *s = http_sign_find(STR_LIT("huawei_live_c"));

	(void)state;
	assert_int_equal(sign(s, &a), 0);
	assert_string_equal(out,
		"/live/stream01.flv?auth_info=6NIONdsiL5eiuTDcUBl9DAMKDeHizitRMZ8ChDBWVBY%3D."
		"496cd68728baa32dfef3271ebf994765");
	a.key = STR_LIT("0123456789abcdef0123456789abcdef");
	assert_int_equal(sign(s, &a), 0);
	assert_string_equal(out,
		"/live/stream01.flv?auth_info=IebqEzooO9z%2FlPKYypzAvlkQOw9iGHvykcFxQjkFgQU%3D."
		"496cd68728baa32dfef3271ebf994765");
	a.key.n = 31;
	assert_int_equal(sign(s, &a), SL_EINVAL);
}

/* What a viewer may choose must not become a pattern, another field or more of the policy. */
static void test_paths_mean_themselves(void **state)
{
	static const struct {
		const char *scheme, *key, *path, *query;
		int rc;
	} rows[] = {
		{"cloudfront", rsa_pem, "/a/x", "", 0},
		{"cloudfront", rsa_pem, "/a/*", "", SL_EINVAL},
		{"cloudfront", rsa_pem, "/a\"}]}/x", "", SL_EINVAL},
		{"cloudfront", rsa_pem, "/a\\/x", "", SL_EINVAL},
		{"cloudfront", rsa_pem, "/a/x", "q=*", SL_EINVAL},
		{"cloudfront", rsa_pem, "/a/x", "q=\"", SL_EINVAL},
		{"akamai", "0011", "/a/x", "", 0},
		{"akamai", "0011", "/a/x*", "", 0}, /* the last part is not in the pattern */
		{"akamai", "0011", "/*/x", "", SL_EINVAL},
		{"akamai", "0011", "/a?/x", "", SL_EINVAL},
		{"akamai", "0011", "/a!/x", "", SL_EINVAL},
		{"akamai", "0011", "/a~exp=9~acl=/b/x", "", SL_EINVAL},
		{"google_media", "AAAA", "/a~Expires=9/x", "", SL_EINVAL},
	};

	(void)state;
	for (size_t i = 0; i < SL_COUNT(rows); i++) {
		struct http_sign_args a = {.path = str_from(rows[i].path),
			.query = str_from(rows[i].query),
			.key = str_from(rows[i].key),
			.now_s = 1};

		if (sign(http_sign_find(str_from(rows[i].scheme)), &a) != rows[i].rc)
			fail_msg("row %zu: %s", i, out);
	}
}

/* A thread makes so many new signatures a second; what it has made it remembers, and by key. */
static void test_signatures_are_remembered(void **state)
{
	static struct http_sign_memo memo;
	static const char keys[2][32] = {"one", "two"};
	struct http_signature first, s;
	struct str key = {keys[0], 32};
	char text[16];

	(void)state;
	for (uint32_t i = 0; i <= SL_HTTP_KEY_SIGNS_PER_S; i++) {
		(void)snprintf(text, sizeof(text), "%u", i);
		assert_int_equal(http_sign_ed25519(key, str_from(text), &memo, 5, &s),
			i < SL_HTTP_KEY_SIGNS_PER_S ? 0 : SL_ELIMIT);
		if (i + 1 == SL_HTTP_KEY_SIGNS_PER_S)
			first = s;
	}
	(void)snprintf(text, sizeof(text), "%u", SL_HTTP_KEY_SIGNS_PER_S - 1);
	assert_int_equal(http_sign_ed25519(key, str_from(text), &memo, 5, &s), 0);
	assert_memory_equal(&s.octets, &first.octets, 64);
	key.p = keys[1];
	assert_int_equal(http_sign_ed25519(key, str_from(text), &memo, 5, &s), SL_ELIMIT);
	assert_int_equal(http_sign_ed25519(key, str_from(text), &memo, 6, &s), 0);
	assert_memory_not_equal(&s.octets, &first.octets, 64);
}

static void test_expiry_and_issue(void **state)
{
	struct http_sign_scheme s = *http_sign_find(STR_LIT("type_d"));
	struct http_sign_args a = {
		.path = STR_LIT("/x"), .key = STR_LIT("k"), .now_s = 1000, .validity_s = 50};

	(void)state;
	assert_int_equal(sign(&s, &a), 0);
	assert_non_null(strstr(out, "&t=1000"));
	s.means = SIGN_EXPIRY;
	assert_int_equal(sign(&s, &a), 0);
	assert_non_null(strstr(out, "&t=1050"));
}

static void test_query_is_kept(void **state)
{
	struct http_sign_args a = {.path = STR_LIT("/a/b.flv"),
		.query = STR_LIT("x=1&y=%20"),
		.key = STR_LIT("k"),
		.now_s = 1};
	struct http_sign_args plain = a;
	static char first[sizeof(out)];

	(void)state;
	plain.query.n = 0;
	assert_int_equal(sign(http_sign_find(STR_LIT("type_d")), &plain), 0);
	(void)snprintf(first, sizeof(first), "%s", out + strlen("/a/b.flv?"));
	assert_int_equal(sign(http_sign_find(STR_LIT("type_d")), &a), 0);
	assert_memory_equal(out, "/a/b.flv?x=1&y=%20&sign=", 24);
	assert_string_equal(out + strlen("/a/b.flv?x=1&y=%20&"), first);
	assert_int_equal(sign(http_sign_find(STR_LIT("type_c")), &a), 0);
	assert_non_null(strstr(out, "/1/a/b.flv?x=1&y=%20"));
}

static void test_every_time_form(void **state)
{
	static const struct {
		uint8_t form;
		uint64_t t;
		const char *want;
	} rows[] = {{SIGN_T_DEC, 0, "0"}, {SIGN_T_HEX, 0xabc, "abc"},
		{SIGN_T_HEX_UPPER, 0xabc, "ABC"}, {SIGN_T_MINUTE_CN, 0, "197001010800"},
		{SIGN_T_MINUTE_CN, 951782400, "200002290800"},
		{SIGN_T_MINUTE_CN, 1709222340, "202402292359"},
		{SIGN_T_MINUTE_CN, 1709222400, "202403010000"},
		{SIGN_T_MINUTE_CN, 4102415940, "209912312359"},
		{SIGN_T_SECOND_UTC, 1556449259, "20190428110059"}};

	(void)state;
	for (size_t i = 0; i < SL_COUNT(rows); i++) {
		struct http_sign_scheme s = *http_sign_find(STR_LIT("wangsu"));
		struct http_sign_args a = {
			.path = STR_LIT("/x"), .key = STR_LIT("k"), .now_s = rows[i].t};

		s.time = rows[i].form;
		s.url = STR_LIT("{t}");
		assert_int_equal(sign(&s, &a), 0);
		assert_string_equal(out, rows[i].want);
	}
}

static void test_refused(void **state)
{
	static const struct {
		const char *scheme, *key, *input, *url;
		int rc;
	} rows[] = {
		{"akamai", "abc", NULL, NULL, SL_EINVAL},
		{"akamai", "zz", NULL, NULL, SL_EINVAL},
		{"fastly", "****", NULL, NULL, SL_EINVAL},
		{"wangsu", "k", "{nothing}", NULL, SL_EINVAL},
		{"wangsu", "k", "{path", NULL, SL_EINVAL},
		{"wangsu", "k", NULL, "{path}?x={", SL_EINVAL},
	};
	char big[HTTP_SIGN_INPUT_MAX + 1], *key = big;
	struct http_sign_args a = {.path = STR_LIT("/x")};

	(void)state;
	for (size_t i = 0; i < SL_COUNT(rows); i++) {
		struct http_sign_scheme s = *http_sign_find(str_from(rows[i].scheme));

		a.key = str_from(rows[i].key);
		if (rows[i].input)
			s.input = str_from(rows[i].input);
		if (rows[i].url)
			s.url = str_from(rows[i].url);
		assert_int_equal(sign(&s, &a), rows[i].rc);
		assert_string_equal(out, "");
	}
	memset(big, 'a', sizeof(big));
	a.key = (struct str){key, HTTP_SIGN_KEY_MAX};
	assert_int_equal(sign(http_sign_find(STR_LIT("wangsu")), &a), 0);
	a.key.n++;
	assert_int_equal(sign(http_sign_find(STR_LIT("wangsu")), &a), SL_ELIMIT);
	a.key.n = 1;
	a.path = (struct str){big, HTTP_SIGN_INPUT_MAX - 1 - 1}; /* beside the key and the time 0 */
	big[0] = '/';
	assert_int_equal(sign(http_sign_find(STR_LIT("wangsu")), &a), 0);
	a.path.n++;
	assert_int_equal(sign(http_sign_find(STR_LIT("wangsu")), &a), SL_ELIMIT);
	assert_null(http_sign_find(STR_LIT("nothing")));
}

static void test_key_never_leaves(void **state)
{
	struct http_sign_scheme s = *http_sign_find(STR_LIT("wangsu"));
	struct http_sign_args a = {.path = STR_LIT("/x"), .key = STR_LIT("secret"), .now_s = 1};

	(void)state;
	s.url = STR_LIT("{path}?k={key}&m={mac}");
	assert_int_equal(sign(&s, &a), 0);
	assert_null(strstr(out, "secret"));
}

/* RFC 4231 section 4.3 */
static void test_hmac(void **state)
{
	static const struct str text[] = {{"what do ya ", 11}, {"want for nothing?", 17}};
	char hex[64];

	(void)state;
	http_sign_hmac_parts(STR_LIT("Jefe"), text, SL_COUNT(text), hex);
	assert_memory_equal(
		hex, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843", 64);
	assert_true(http_sign_equal("abc", "abc", 3));
	assert_false(http_sign_equal("abc", "abd", 3));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_published_vectors),
		cmocka_unit_test(test_time_form_is_a_field),
		cmocka_unit_test(test_formulas),
		cmocka_unit_test(test_google_media),
		cmocka_unit_test(test_google_media_ed25519),
		cmocka_unit_test(test_ed25519),
		cmocka_unit_test(test_cloudfront),
		cmocka_unit_test(test_cloudfront_key_size),
		cmocka_unit_test(test_huawei_live_c),
		cmocka_unit_test(test_paths_mean_themselves),
		cmocka_unit_test(test_signatures_are_remembered),
		cmocka_unit_test(test_expiry_and_issue),
		cmocka_unit_test(test_query_is_kept),
		cmocka_unit_test(test_every_time_form),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_key_never_leaves),
		cmocka_unit_test(test_hmac),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
