/* SPDX-License-Identifier: Apache-2.0 */
/* The Aliyun doors, both versions: exact replies, known signatures, what is refused and by which
 * word. Requests built by another implementation are in tests/func/http_dialects.py. */
#include "test.h"

#include "http/cipher.h"
#include "http/decision.h"
#include "http/sign.h"
#include "httpkeys.h"

enum { NOW = 1534316000 }; /* a little before the time of the known signatures */

static struct httpworld h;
static struct httpkeys keys;

static const char *const secrets[][2] = {{"sign", "IAmASecret"}, {"next", "another"},
	{"hex", "00112233445566778899aabbccddeeff"}, {"aes", "000102030405060708090a0b0c0d0e0f"},
	{NULL, NULL}};

static const char accounts[] = "accounts: [{name: '100000', key: sign, backup_key: next}, {name: "
			       "'2', key: hex, aes_key: aes},"
			       " {name: '3', key: hex}]\n";

static struct httpkeys_spec spec = {&h, &keys, secrets, accounts, NOW};

static void ask(const char *path, const char *query, unsigned status, const char *body)
{
	assert_true(httpworld_says(&h, path, query, status, body));
}

static void test_single(void **state)
{
	(void)state;
	ask("/100000/d", "host=drill.sluice.example&ip=10.1.2.3&sdns-cur=beta", 200,
		"{\"host\":\"drill.sluice.example\",\"ips\":[\"198.51.100.1\",\"198.51.100.2\"],"
		"\"ttl\":20,\"origin_ttl\":20,\"client_ip\":\"10.1.2.3\","
		"\"extra\":\"{&quot;vendor&quot;:&quot;beta&quot;}\"}");
	ask("/100000/d", "host=Drill.Sluice.example&query=6,4&sdns-cur=beta&ip=2001:db8:1::1", 200,
		"{\"host\":\"Drill.Sluice.example\",\"ips\":[\"198.51.100.1\",\"198.51.100.2\"],"
		"\"ipsv6\":[\"2001:db8:1::1\",\"2001:db8:1::2\"],"
		"\"ttl\":20,\"origin_ttl\":20,\"client_ip\":\"2001:db8:1::1\","
		"\"extra\":\"{&quot;vendor&quot;:&quot;beta&quot;}\"}");
	ask("/100000/d", "host=drill.sluice.example&query=6&sdns-cur=alpha&sdns-x=y", 200,
		"{\"host\":\"drill.sluice.example\",\"ips\":[],"
		"\"ipsv6\":[\"2001:db8::1\",\"2001:db8::2\"],"
		"\"ttl\":20,\"origin_ttl\":20,\"client_ip\":\"10.1.2.3\","
		"\"extra\":\"{&quot;vendor&quot;:&quot;alpha&quot;}\"}");
}

/* Vendors without addresses are passed over; where none has any, local DNS has to do. */
static void test_addresses_only(void **state)
{
	(void)state;
	ask("/100000/d", "host=mixed.sluice.example", 200,
		"{\"host\":\"mixed.sluice.example\",\"ips\":[\"192.0.2.1\",\"192.0.2.2\"],\"ttl\":"
		"20,"
		"\"origin_ttl\":20,\"client_ip\":\"10.1.2.3\"}");
}

static void test_several(void **state)
{
	(void)state;
	ask("/100000/resolve", "host=drill.sluice.example,no.example&sdns-cur=alpha", 200,
		"{\"dns\":[{\"host\":\"drill.sluice.example\",\"client_ip\":\"10.1.2.3\","
		"\"ips\":[\"192.0.2.1\",\"192.0.2.2\"],\"type\":1,\"ttl\":20,\"origin_ttl\":20,"
		"\"extra\":\"{&quot;vendor&quot;:&quot;alpha&quot;}\"},"
		"{\"host\":\"no.example\",\"client_ip\":\"10.1.2.3\",\"ips\":[],\"type\":1,"
		"\"ttl\":60,\"origin_ttl\":60,\"extra\":\"\"}]}");
	assert_int_equal(httpworld_get(&h, "/100000/resolve",
				 "host=drill.sluice.example&ip=10.1.0.1,10.2.0.1&query=4,6"),
		200);
	assert_non_null(strstr((char *)h.body, "\"client_ip\":\"10.2.0.1\""));
	assert_non_null(strstr((char *)h.body, "\"type\":28"));
}

static void test_refusals(void **state)
{
	static const struct {
		const char *path, *query;
		unsigned status;
		const char *body;
	} rows[] = {
		{"/100000/d", "", 400, "{\"code\":\"MissingArgument\"}"},
		{"/100000/d", "host=", 400, "{\"code\":\"MissingArgument\"}"},
		{"/100000/d", "host=drill.sluice.example&query=5", 400,
			"{\"code\":\"MissingArgument\"}"},
		{"/100000/d", "host=drill.sluice.example&ip=x", 400,
			"{\"code\":\"MissingArgument\"}"},
		{"/100000/d", "host=drill.sluice.example&sdns-cur=a&sdns-cur=b", 400,
			"{\"code\":\"MissingArgument\"}"},
		{"/100000/d", "host=no.example", 400, "{\"code\":\"InvalidHost\"}"},
		{"/100000/d", "host=..", 400, "{\"code\":\"InvalidHost\"}"},
		{"/100000/d", "host=a%ff", 400, "{\"code\":\"InvalidHost\"}"},
		{"/100000/resolve", "host=drill.sluice.example,%ff", 400,
			"{\"code\":\"InvalidHost\"}"},
		{"/100000/resolve", "host=drill.sluice.example,,", 400,
			"{\"code\":\"InvalidHost\"}"},
		{"/100000/d", "host=a,b", 400, "{\"code\":\"TooManyHosts\"}"},
		{"/100000/resolve", "host=a,b,c,d,e,f", 400, "{\"code\":\"TooManyHosts\"}"},
		{"/100000/resolve", "host=a,b,c,d,e", 400, "{\"code\":\"InvalidHost\"}"},
		{"/100000/resolve", "host=a,b&ip=1.1.1.1,2.2.2.2", 400,
			"{\"code\":\"TooManyHosts\"}"},
		{"/100000/resolve", "host=a&ip=1.1.1.1,2.2.2.2,3.3.3.3,4.4.4.4,5.5.5.5,6.6.6.6",
			400, "{\"code\":\"TooManyHosts\"}"},
		{"/nobody/d", "host=drill.sluice.example", 403, "{\"code\":\"InvalidAccount\"}"},
		{"/100000/sign_d", "host=drill.sluice.example", 400,
			"{\"code\":\"MissingArgument\"}"},
		{"/100000/ss", "n=abc&t=1&s=0123", 403, "{\"code\":\"InvalidSignature\"}"},
		{"/nobody/ss", "", 403, "{\"code\":\"InvalidAccount\"}"},
	};

	(void)state;
	for (size_t i = 0; i < SL_COUNT(rows); i++)
		ask(rows[i].path, rows[i].query, rows[i].status, rows[i].body);
	assert_int_equal(
		httpworld_ask(&h, HTTPD_POST, "/100000/d", STR_LIT("host=a"), (struct str){NULL, 0},
			h.w.worker.world ? (struct ip){{10, 1}, IP_V4} : (struct ip){{0}, 0}),
		405);
	assert_string_equal((char *)h.body, "{\"code\":\"MethodNotAllowed\"}");
}

/* 1000 octets of custom parameters are taken, one more is not. */
static void test_custom_limit(void **state)
{
	char query[2048];

	(void)state;
	for (int more = 0; more < 2; more++) {
		int n = snprintf(query, sizeof(query), "host=drill.sluice.example&sdns-abc=");

		memset(query + n, 'v', 992 + (size_t)more);
		query[n + 992 + more] = '\0';
		assert_int_equal(httpworld_get(&h, "/100000/d", query), more ? 400 : 200);
	}
}

/*
 * Two signatures that another client's tests call the example of the vendor's documentation, where
 * we have not read them ourselves; both are what python3's hashlib makes of HOST-SECRET-T. They
 * fit, so what is wrong is the host.
 */
static void test_known_signatures(void **state)
{
	static const struct {
		const char *path, *query, *code;
	} rows[] = {
		{"/100000/sign_d",
			"host=www.aliyun.com&t=1534316400&s=60c71e98b6d7fcbb366243e224eab457",
			"InvalidHost"},
		{"/100000/sign_resolve",
			"host=www.aliyun.com,www.taobao.com&t=1534316400"
			"&s=12a3f6b1b14a46ca813ca6439beb59a4",
			"InvalidHost"},
		{"/100000/sign_d",
			"host=www.aliyun.com&t=1534316401&s=60c71e98b6d7fcbb366243e224eab457",
			"InvalidSignature"},
		{"/100000/sign_d",
			"host=www.taobao.com&t=1534316400&s=60c71e98b6d7fcbb366243e224eab457",
			"InvalidSignature"},
		{"/2/sign_d", "host=www.aliyun.com&t=1534316400&s=60c71e98b6d7fcbb366243e224eab457",
			"InvalidSignature"},
	};
	char want[64];

	(void)state;
	for (size_t i = 0; i < SL_COUNT(rows); i++) {
		(void)snprintf(want, sizeof(want), "{\"code\":\"%s\"}", rows[i].code);
		ask(rows[i].path, rows[i].query, strcmp(rows[i].code, "InvalidHost") ? 403 : 400,
			want);
	}
	h.w.worker.now_ms = (uint64_t)1534316401 * 1000;
	ask(rows[0].path, rows[0].query, 403, "{\"code\":\"SignatureExpired\"}");
	h.w.worker.now_ms = (uint64_t)(1534316400 - 86401) * 1000;
	ask(rows[0].path, rows[0].query, 400, "{\"code\":\"InvalidDuration\"}");
	h.w.worker.now_ms = (uint64_t)(1534316400 - 86400) * 1000;
	ask(rows[0].path, rows[0].query, 400, "{\"code\":\"InvalidHost\"}");
}

static void test_servers(void **state)
{
	static const struct ip told[] = {{{192, 0, 2, 53}, IP_V4}, {{0x20, 1}, IP_V6}};

	(void)state;
	ask("/100000/ss", "region=cn", 200, "{\"service_ip\":[],\"service_ipv6\":[]}");
	h.w.servers = told;
	h.w.n_servers = 2;
	ask("/100000/ss", "", 200,
		"{\"service_ip\":[\"192.0.2.53\"],\"service_ipv6\":[\"2001::\"]}");
}

static void test_without_accounts(void **state)
{
	(void)state;
	h.w.worker.keys = NULL;
	assert_int_equal(httpworld_get(&h, "/anybody/d", "host=drill.sluice.example"), 200);
	assert_int_equal(httpworld_get(&h, "/v2/d", "id=anybody&dn=drill.sluice.example"), 200);
	ask("/anybody/sign_d", "host=drill.sluice.example&t=1534316400&s=00", 403,
		"{\"code\":\"InvalidSignature\"}");
	ask("/v2/d", "id=anybody&dn=drill.sluice.example&exp=1534316400&s=00", 403,
		"{\"code\":\"InvalidSignature\"}");
	ask("/v2/d", "id=anybody&m=1&enc=00", 403, "{\"code\":\"InvalidSignature\"}");
}

static void test_v2_plain(void **state)
{
	(void)state;
	ask("/v2/d",
		"id=100000&m=0&dn=drill.sluice.example,no.example&q=4,6&cip=10.2.0.1&sdns-cur="
		"gamma",
		200,
		"{\"code\":\"success\",\"mode\":0,\"data\":{\"cip\":\"10.2.0.1\",\"answers\":["
		"{\"dn\":\"drill.sluice.example\",\"v4\":{\"ips\":[\"203.0.113.1\",\"203.0.113.2\"]"
		","
		"\"ttl\":20,\"extra\":\"{&quot;vendor&quot;:&quot;gamma&quot;}\"},"
		"\"v6\":{\"ips\":[],\"ttl\":20,"
		"\"extra\":\"{&quot;vendor&quot;:&quot;gamma&quot;}\",\"no_ip_code\":"
		"\"RRNotExist\"}},"
		"{\"dn\":\"no.example\",\"v4\":{\"ips\":[],\"ttl\":60,\"extra\":\"\","
		"\"no_ip_code\":\"DomainNotExist\"},\"v6\":{\"ips\":[],\"ttl\":60,\"extra\":\"\","
		"\"no_ip_code\":\"DomainNotExist\"}}]}}");
}

static void test_v2_refusals(void **state)
{
	static const struct {
		const char *query;
		unsigned status;
		const char *code;
	} rows[] = {
		{"dn=drill.sluice.example", 400, "MissingArgument"},
		{"id=100000", 400, "MissingArgument"},
		{"id=100000&m=3&dn=a", 400, "MissingArgument"},
		{"id=100000&m=00&dn=a", 400, "MissingArgument"},
		{"id=100000&dn=a&q=46", 400, "MissingArgument"},
		{"id=100000&dn=a&cip=x", 400, "MissingArgument"},
		{"id=9&dn=a", 403, "InvalidAccount"}, {"id=100000&dn=a..b", 400, "InvalidHost"},
		{"id=100000&dn=a%22b", 400, "InvalidHost"},
		{"id=100000&dn=a,b,c,d,e,f", 400, "TooManyHosts"},
		{"id=2&dn=a&s=00", 403, "InvalidSignature"}, {"id=2&m=1", 403, "InvalidSignature"},
		{"id=2&m=2&enc=0", 403, "InvalidSignature"},
		{"id=3&m=1&enc=00", 403, "InvalidSignature"}, /* it has no such key */
	};
	char want[64];

	(void)state;
	for (size_t i = 0; i < SL_COUNT(rows); i++) {
		(void)snprintf(want, sizeof(want), "{\"code\":\"%s\"}", rows[i].code);
		ask("/v2/d", rows[i].query, rows[i].status, want);
	}
}

static void put_sealed(struct buf *b, char mode, const char *text)
{
	static const char key[] =
		"\x00\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f";
	uint8_t sealed[1024];
	struct buf s = buf_over(sealed, sizeof(sealed));

	assert_true(http_cipher_seal(mode == '1' ? HTTP_AES_CBC : HTTP_AES_GCM,
		(struct str){key, 16}, str_from(text), &s));
	BUF_PUT_LIT(b, "&enc=");
	http_put_hex(b, sealed, buf_len(&s));
}

/* What is inside counts as outside, and what does not open or read gets one word. */
static void test_v2_sealed(void **state)
{
	static const struct {
		const char *text;
		unsigned status;
		const char *code;
	} rows[] = {
		{"{\"dn\":\"drill.sluice.example\",\"q\":\"4,6\",\"sdns-cur\":\"beta\",\"tags\":"
		 "\"x\"}",
			200, "success"},
		{"{\"dn\":[\"drill.sluice.example\",\"no.example\"],\"more\":{\"a\":[1]}}", 200,
			"success"},
		{"{\"q\":\"4\"}", 400, "MissingArgument"},
		{"{\"dn\":\"a,b,c,d,e,f\"}", 400, "TooManyHosts"},
		{"{\"dn\":\"a", 403, "InvalidSignature"},
		{"[]", 403, "InvalidSignature"},
		{"", 403, "InvalidSignature"},
		{"{\"dn\":\"drill.sluice.example\",\"sdns-cur\":\"a\",\"sdns-cur\":\"b\"}", 403,
			"InvalidSignature"},
	};

	(void)state;
	for (char mode = '1'; mode <= '2'; mode++) {
		for (size_t i = 0; i < SL_COUNT(rows); i++) {
			char query[4096], want[64];
			struct buf b = buf_over(query, sizeof(query) - 1);

			BUF_PUT_LIT(&b, "id=2&m=");
			buf_put_u8(&b, (uint8_t)mode);
			put_sealed(&b, mode, rows[i].text);
			*b.p = '\0';
			assert_int_equal(httpworld_get(&h, "/v2/d", query), rows[i].status);
			(void)snprintf(want, sizeof(want), "{\"code\":\"%s\"", rows[i].code);
			assert_memory_equal(h.body, want, strlen(want));
		}
	}
}

/* The signature is over sorted parameters that are not empty; SDK's own additions are not in it. */
static void test_v2_signature(void **state)
{
	static const char key[] =
		"\x00\x11\x22\x33\x44\x55\x66\x77\x88\x99\xaa\xbb\xcc\xdd\xee\xff";
	static const struct str text = {
		"cip=10.1.2.3&dn=drill.sluice.example&exp=1534316600&id=2&m=0&q=4&sdns-a=b&v=1.0",
		79};
	char mac[65] = "", query[512];

	(void)state;
	http_sign_hmac_parts((struct str){key, 16}, &text, 1, mac);
	(void)snprintf(query, sizeof(query),
		"v=1.0&id=2&m=0&dn=drill.sluice.example&q=4&cip=10.1.2.3&tags=&sdns-a=b&exp="
		"1534316600"
		"&s=%s&sdk=android_2.6.5&sid=abcdefghijkl",
		mac);
	assert_int_equal(httpworld_get(&h, "/v2/d", query), 200);
	query[4] ^= 1;
	ask("/v2/d", query, 403, "{\"code\":\"InvalidSignature\"}");
	query[4] ^= 1;
	h.w.worker.now_ms = (uint64_t)1534316601 * 1000;
	ask("/v2/d", query, 403, "{\"code\":\"SignatureExpired\"}");
}

static void test_signed_only(void **state)
{
	static const char strict[] =
		"accounts: [{name: '100000', key: sign}]\nrequire_signature: true\n";

	(void)state;
	httpkeys_done(&keys, &h);
	assert_true(httpkeys_init(&keys, &h, secrets, strict, NOW));
	ask("/100000/d", "host=drill.sluice.example", 403,
		"{\"code\":\"UnsignedInterfaceDisabled\"}");
	ask("/100000/ss", "", 200, "{\"service_ip\":[],\"service_ipv6\":[]}");
	ask("/nobody/ss", "", 403, "{\"code\":\"InvalidAccount\"}");
	ask("/v2/d", "id=100000&dn=drill.sluice.example", 403,
		"{\"code\":\"UnsignedInterfaceDisabled\"}");
	ask("/100000/sign_d", "host=www.aliyun.com&t=1534316400&s=60c71e98b6d7fcbb366243e224eab457",
		400, "{\"code\":\"InvalidHost\"}");
}

/* Asked again and again, by the same client, an answer is one dispatch. */
static void test_counting(void **state)
{
	const struct tally *t = h.w.worker.tally;
	uint64_t fresh = 0, refresh = 0;

	(void)state;
	for (int i = 0; i < 5; i++)
		assert_int_equal(httpworld_get(&h, "/100000/d", "host=drill.sluice.example"), 200);
	for (uint32_t g = 0; g < h.w.worker.world->cat.n_groups; g++) {
		for (uint32_t s = 0; s < TW_VENDORS; s++) {
			fresh += tally_get(&t->row[TW_DRILL][g].slot[s].fresh);
			refresh += tally_get(&t->row[TW_DRILL][g].slot[s].refresh);
		}
	}
	assert_int_equal(fresh, 1);
	assert_int_equal(refresh, 4);
}

#define CASE(fn)                                                                                   \
	cmocka_unit_test_prestate_setup_teardown(fn, httpkeys_setup, httpkeys_teardown, &spec)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_single),
		CASE(test_addresses_only),
		CASE(test_several),
		CASE(test_refusals),
		CASE(test_custom_limit),
		CASE(test_known_signatures),
		CASE(test_servers),
		CASE(test_without_accounts),
		CASE(test_v2_plain),
		CASE(test_v2_refusals),
		CASE(test_v2_sealed),
		CASE(test_v2_signature),
		CASE(test_signed_only),
		CASE(test_counting),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
