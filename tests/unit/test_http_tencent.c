/* SPDX-License-Identifier: Apache-2.0 */
/* The Tencent doors: each form of reply, each way to be asked, and that nothing tells a text that
 * does not open from a host that is not there. */
#include "test.h"

#include "http/cipher.h"
#include "httpkeys.h"

enum { NOW = 1700000000 };

static struct httpworld h;
static struct httpkeys keys;

static const char *const secrets[][2] = {{"sign", "x"}, {"aes", "short key"}, {"des", "12345678+"},
	{"tok", "800654663"}, {"long", "0123456789abcdef0"}, {"brief", "1234567"}, {NULL, NULL}};

static const char accounts[] =
	"accounts: [{name: '1', key: sign, aes_key: aes, des_key: des, token_key: tok},"
	" {name: '2', key: sign, aes_key: long, des_key: brief}, {name: '3', key: sign}]\n";

static struct httpkeys_spec spec = {&h, &keys, secrets, accounts, NOW};

static void ask(const char *path, const char *query, unsigned status, const char *body)
{
	assert_true(httpworld_says(&h, path, query, status, body));
	assert_string_equal(h.rp.type, "text/plain");
}

/* By its sticky key this client gets alpha of mixed, as the only one there with addresses. */
#define V4 "192.0.2.1;192.0.2.2"
#define V6 "2001:db8::1;2001:db8::2"

static void test_forms(void **state)
{
	static const struct {
		const char *query, *body;
	} rows[] = {
		{"dn=mixed.sluice.example", V4},
		{"dn=mixed.sluice.example.", V4},
		{"dn=mixed.sluice.example&ttl=1", V4 ",20"},
		{"dn=mixed.sluice.example&ttl=2", V4},
		{"dn=mixed.sluice.example&clientip=1", V4 "|10.1.2.3"},
		{"dn=mixed.sluice.example&ttl=1&clientip=1&ip=10.2.0.9", V4 ",20|10.2.0.9"},
		{"dn=mixed.sluice.example&type=AAAA&ttl=1", V6 ",20"},
		{"dn=mixed.sluice.example&type=addrs", V4 "-" V6},
		{"dn=mixed.sluice.example&type=addrs&ttl=1&clientip=1",
			V4 ",20-" V6 ",20|10.1.2.3"},
		{"dn=mixed.sluice.example&query=1&ttl=1", "mixed.sluice.example.:" V4 ",20"},
		{"dn=mixed.sluice.example,no.example&ttl=1&clientip=1",
			"mixed.sluice.example.:" V4 ",20|10.1.2.3\nno.example.:0|10.1.2.3"},
		{"dn=no.example", ""},
		{"dn=no.example&ttl=1&clientip=1", ""},
		{"dn=no.example&type=addrs", ""},
		{"dn=no.example&query=1", "no.example.:0"},
		{"dn=no.example&type=addrs&query=1", "no.example.:0-0"},
		{"dn=", ""},
		{"", ""},
		{"dn=a..b", ""},
		{"dn=a%0ab,c", ""},
		{"dn=mixed.sluice.example,%ff", ""},
		{"dn=mixed.sluice.example&ip=x", ""},
		{"dn=a,b,c,d,e,f,g,h,i,j,k", ""},
		{"dn=a,b,c,d,e,f,g,h,i,j",
			"a.:0\nb.:0\nc.:0\nd.:0\ne.:0\nf.:0\ng.:0\nh.:0\ni.:0\nj.:0"},
		{"token=800654663&dn=mixed.sluice.example&ttl=1", V4 ",20"},
	};

	(void)state;
	for (size_t i = 0; i < SL_COUNT(rows); i++)
		ask("/d", rows[i].query, 200, rows[i].body);
}

static void test_refusals(void **state)
{
	static const char *const queries[] = {"token=1&dn=a", "id=9&dn=00", "id=9&alg=aes&dn=00",
		"alg=des&dn=00", "id=1&alg=rc4&dn=00", "id=2&alg=aes&dn=00", "id=2&dn=00",
		"id=3&alg=aes&dn=00", "id=3&alg=des&dn=00"};
	static const enum httpd_method others[] = {HTTPD_PUT, HTTPD_DELETE, HTTPD_PATCH};
	static const struct ip client = {{10, 1, 2, 3}, IP_V4};

	(void)state;
	for (size_t i = 0; i < SL_COUNT(queries); i++) {
		ask("/d", queries[i], 404, "");
		ask("/conf", queries[i], 404, "");
	}
	for (size_t i = 0; i < SL_COUNT(others); i++)
		assert_int_equal(httpworld_ask(&h, others[i], "/d", STR_LIT("dn=no.example"),
					 (struct str){NULL, 0}, client),
			501);
	assert_int_equal(httpworld_ask(&h, HTTPD_POST, "/d", STR_LIT("dn=mixed.sluice.example"),
				 (struct str){NULL, 0}, client),
		200);
	assert_string_equal((char *)h.body, V4);
}

struct way {
	enum http_cipher cipher;
	const char *query, *key;
};

static const struct way ways[] = {{HTTP_AES_CBC, "id=1&alg=aes", "short key0000000"},
	{HTTP_DES_ECB, "id=1&alg=des", "12345678"}, {HTTP_DES_ECB, "id=1", "12345678"}};

static struct str key_of(const struct way *way)
{
	return (struct str){way->key, way->cipher == HTTP_DES_ECB ? 8 : 16};
}

static void put_sealed(struct buf *b, const struct way *way, const char *name, const char *text)
{
	uint8_t sealed[1024];
	struct buf s = buf_over(sealed, sizeof(sealed));

	assert_true(http_cipher_seal(way->cipher, key_of(way), str_from(text), &s));
	buf_put_u8(b, '&');
	buf_put_str(b, str_from(name));
	buf_put_u8(b, '=');
	http_put_hex(b, sealed, buf_len(&s));
}

/* Opens the reply of a door, NUL-terminated. */
static const char *opened(const struct way *way)
{
	static char room[4096];
	struct buf b = buf_over(room, sizeof(room) - 1);
	struct str sealed, plain;

	assert_true(http_unhex(str_from((char *)h.body), &b, &sealed));
	assert_true(http_cipher_open(way->cipher, key_of(way), sealed, &b, &plain));
	((char *)(uintptr_t)plain.p)[plain.n] = '\0';
	return plain.p;
}

static void ask_sealed(
	const struct way *way, const char *dn, const char *ip, const char *more, const char *want)
{
	char query[2048];
	struct buf b = buf_over(query, sizeof(query) - 1);

	buf_put_str(&b, str_from(way->query));
	put_sealed(&b, way, "dn", dn);
	if (ip)
		put_sealed(&b, way, "ip", ip);
	buf_put_str(&b, str_from(more));
	*b.p = '\0';
	assert_int_equal(httpworld_get(&h, "/d", query), 200);
	assert_string_equal(opened(way), want);
}

static void test_sealed(void **state)
{
	(void)state;
	for (size_t i = 0; i < SL_COUNT(ways); i++) {
		ask_sealed(&ways[i], "mixed.sluice.example", NULL, "&ttl=1&clientip=1",
			V4 ",20|10.1.2.3");
		ask_sealed(&ways[i], "mixed.sluice.example", "10.2.0.9", "&clientip=1",
			V4 "|10.2.0.9");
		ask_sealed(&ways[i], "mixed.sluice.example", NULL, "&clientip=1&ip=10.3.0.9",
			V4 "|10.3.0.9");
		ask_sealed(&ways[i], "mixed.sluice.example,no.example", NULL, "&type=addrs",
			"mixed.sluice.example.:" V4 "-" V6 "\nno.example.:0-0");
		ask_sealed(&ways[i], "no.example", NULL, "", "");
		ask_sealed(&ways[i], "mixed.sluice.example", "nowhere", "", "");
		ask_sealed(&ways[i], "", NULL, "", "");
	}
}

/* Noise of every length gets a sealed nothing, and so does a good text with an octet changed. */
static void test_noise(void **state)
{
	char query[512];

	(void)state;
	for (size_t i = 0; i < SL_COUNT(ways); i++) {
		for (int n = 0; n < 130; n++) {
			int at = snprintf(query, sizeof(query), "%s&dn=", ways[i].query);

			for (int k = 0; k < n; k++)
				query[at + k] = "0123456789abcdef"[(k * 7 + n) % 16];
			query[at + n] = '\0';
			assert_int_equal(httpworld_get(&h, "/d", query), 200);
			assert_string_equal(opened(&ways[i]), "");
		}
	}
}

static void test_conf(void **state)
{
	static const struct ip told[] = {
		{{192, 0, 2, 53}, IP_V4}, {{0x20, 1}, IP_V6}, {{192, 0, 2, 54}, IP_V4}};

	(void)state;
	ask("/conf", "token=800654663", 200, "log:0|domain:0|ip:|ttl:60");
	h.w.servers = told;
	h.w.n_servers = 3;
	ask("/conf", "token=800654663", 200, "log:0|domain:0|ip:192.0.2.53;192.0.2.54|ttl:60");
	for (size_t i = 0; i < SL_COUNT(ways); i++) {
		assert_int_equal(httpworld_get(&h, "/conf", ways[i].query), 200);
		assert_string_equal(
			opened(&ways[i]), "log:0|domain:0|ip:192.0.2.53;192.0.2.54|ttl:60");
	}
}

static void test_signed_only(void **state)
{
	static const char strict[] =
		"accounts: [{name: '1', key: sign, token_key: tok}]\nrequire_signature: true\n";

	(void)state;
	httpkeys_done(&keys, &h);
	assert_true(httpkeys_init(&keys, &h, secrets, strict, NOW));
	ask("/d", "dn=mixed.sluice.example", 404, "");
	ask("/d", "token=800654663&dn=mixed.sluice.example", 200, V4);
}

#define CASE(fn)                                                                                   \
	cmocka_unit_test_prestate_setup_teardown(fn, httpkeys_setup, httpkeys_teardown, &spec)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_forms),
		CASE(test_refusals),
		CASE(test_sealed),
		CASE(test_noise),
		CASE(test_conf),
		CASE(test_signed_only),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
