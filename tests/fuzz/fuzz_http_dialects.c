/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The doors of other HTTPDNS services. The first octet says what the rest is: the query of one of
 * them, a text that is sealed first and so reaches what reads it behind a cipher, or a sealed text.
 * Whatever comes, a reply is well-formed in its service's way, ASCII, and sealed where it has to
 * be.
 */
#include "fuzz.h"

#include "http/cipher.h"
#include "httpkeys.h"

#include <cjson/cJSON.h>

static struct httpworld h;
static struct httpkeys keys;

static const char *const secrets[][2] = {{"sign", "s"}, {"hex", "00112233445566778899aabbccddeeff"},
	{"aes", "000102030405060708090a0b0c0d0e0f"}, {"word", "0123456789abcdef"},
	{"des", "01234567"}, {"tok", "7"}, {NULL, NULL}};

static const char accounts[] =
	"accounts: [{name: a, key: sign}, {name: b, key: hex, aes_key: aes},"
	" {name: c, key: sign, aes_key: word, des_key: des, token_key: tok}]\n";

static const char *const paths[] = {"/a/d", "/a/sign_d", "/a/resolve", "/a/sign_resolve", "/a/ss",
	"/v2/d", "/d", "/conf", "/v4/resolve", "/resolve"};

/* What a sealed parameter goes to, and what its reply is sealed with. */
static const struct way {
	const char *path, *query;
	struct str key;
	enum http_cipher cipher;
	bool json;
} ways[] = {
	{"/v2/d", "id=b&m=1&enc=",
		{"\x00\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f", 16},
		HTTP_AES_CBC, true},
	{"/v2/d", "id=b&m=2&enc=",
		{"\x00\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f", 16},
		HTTP_AES_GCM, true},
	{"/d", "id=c&alg=aes&clientip=1&type=addrs&dn=", {"0123456789abcdef", 16}, HTTP_AES_CBC,
		false},
	{"/d", "id=c&alg=des&ttl=1&dn=", {"01234567", 8}, HTTP_DES_ECB, false},
	{"/d", "id=c&alg=aes&dn=00&ip=", {"0123456789abcdef", 16}, HTTP_AES_CBC, false},
};

enum { TEXT_MAX = 2000 };

static void check_text(const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++)
		fuzz_check((uint8_t)s[i] < 0x7f);
}

static void check_json(void)
{
	cJSON *json = cJSON_Parse((const char *)h.body);

	fuzz_check(cJSON_IsObject(json) || cJSON_IsArray(json));
	cJSON_Delete(json);
}

static void check_sealed(const struct way *way)
{
	static uint8_t room[65536];
	struct buf b = buf_over(room, sizeof(room));
	struct str sealed, plain;

	fuzz_check(http_unhex((struct str){(char *)h.body, buf_len(&h.rp.body)}, &b, &sealed));
	fuzz_check(http_cipher_open(way->cipher, way->key, sealed, &b, &plain));
	check_text(plain.p, plain.n);
}

static void ask(const char *path, struct str query, bool json, const struct way *way)
{
	static const struct ip client = {{10, 1, 2, 3}, IP_V4};
	unsigned status = httpworld_ask(&h, HTTPD_GET, path, query, (struct str){NULL, 0}, client);

	if (status == 0)
		return; /* the fence refuses such a query */
	fuzz_check(status == 200 || status == 400 || status == 403 || status == 404);
	check_text((char *)h.body, buf_len(&h.rp.body));
	if (json)
		check_json();
	else if (way && status == 200)
		check_sealed(way);
}

static void ask_sealed(const struct way *way, const uint8_t *data, size_t n, bool is_sealed)
{
	static char query[8192];
	uint8_t room[TEXT_MAX + HTTP_CIPHER_OVERHEAD];
	struct buf b = buf_over(query, sizeof(query)), s = buf_over(room, sizeof(room));

	if (is_sealed)
		buf_put(&s, data, n);
	else
		fuzz_check(http_cipher_seal(
			way->cipher, way->key, (struct str){(const char *)data, n}, &s));
	buf_put_str(&b, str_from(way->query));
	http_put_hex(&b, room, buf_len(&s));
	ask(way->path, (struct str){query, buf_len(&b)}, way->json, way);
}

static void forget(void)
{
	httpkeys_done(&keys, &h);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	unsigned what;

	if (size == 0 || size > TEXT_MAX)
		return 0;
	if (!h.w.worker.rows) {
		fuzz_check(httpworld_init(&h, NULL) == 0);
		fuzz_check(httpkeys_init(&keys, &h, secrets, accounts, 1700000000));
		(void)atexit(forget);
	}
	what = *data++ % (SL_COUNT(paths) + 2 * SL_COUNT(ways));
	size--;
	if (what < SL_COUNT(paths))
		ask(paths[what], (struct str){(const char *)data, size},
			strcmp(paths[what], "/d") != 0 && strcmp(paths[what], "/conf") != 0, NULL);
	else
		ask_sealed(&ways[(what - SL_COUNT(paths)) / 2], data, size,
			(what - SL_COUNT(paths)) % 2);
	return 0;
}
