/* SPDX-License-Identifier: Apache-2.0 */
/* The doors of Baidu and Volcengine: exact replies, the published signatures, refusals. */
#include "test.h"

#include "http/cipher.h"
#include "httpkeys.h"

enum { NOW = 1513602000, VOLC_NOW = 1566808387 };

static struct httpworld h;
static struct httpkeys keys;

static const char *const secrets[][2] = {
	{"baidu", "1234567890"}, {"volc", "QlgAuFMwNUwN"}, {"old", "older"}, {NULL, NULL}};

static const char accounts[] =
	"accounts: [{name: '107080', key: baidu}, {name: '1023', key: volc, backup_key: old}]\n";

static struct httpkeys_spec spec = {&h, &keys, secrets, accounts, NOW};

static void ask(const char *path, const char *query, unsigned status, const char *body)
{
	assert_true(httpworld_says(&h, path, query, status, body));
}

static const char *sign(const char *text)
{
	static char hex[33];
	struct str part = str_from(text);

	http_md5_parts(&part, 1, hex);
	return hex;
}

#define TAIL ",\"clientip\":\"10.1.2.3\",\"timestamp\":1513602000}"

/* The example of Baidu's documentation. */
static void test_baidu_published(void **state)
{
	static const char good[] = "account_id=107080&dn=www.baidu.com&t=1513602734"
				   "&sign=9d4eac35c33b8fa1610476ff1532643d";

	(void)state;
	ask("/v4/resolve", good, 200, "{\"msg\":\"ok\",\"data\":{\"www.baidu.com\":{}}" TAIL);
	h.w.worker.now_ms = (uint64_t)1513602735 * 1000;
	ask("/v4/resolve", good, 403,
		"{\"msg\":\"SignatureExpired\",\"clientip\":\"10.1.2.3\",\"timestamp\":"
		"1513602735}");
	h.w.worker.now_ms = (uint64_t)(1513602734 - 86401) * 1000;
	assert_int_equal(httpworld_get(&h, "/v4/resolve", good), 403);
}

static void baidu(
	const char *what, const char *value, const char *more, unsigned status, const char *body)
{
	char text[512], query[1024];

	(void)snprintf(text, sizeof(text), "%s-1234567890-1513602734", value);
	(void)snprintf(query, sizeof(query), "account_id=107080&%s=%s&t=1513602734&sign=%s%s", what,
		value, sign(text), more);
	ask("/v4/resolve", query, status, body);
}

static void test_baidu(void **state)
{
	static const struct ip told[] = {{{192, 0, 2, 53}, IP_V4}, {{0x20, 1}, IP_V6}};

	(void)state;
	baidu("dn", "mixed.sluice.example", "", 200,
		"{\"msg\":\"ok\",\"data\":{\"mixed.sluice.example\":{\"ipv4\":{\"ip\":[\"192.0.2."
		"1\","
		"\"192.0.2.2\"],\"ttl\":20,\"msg\":\"ok\"}}}" TAIL);
	baidu("dn", "mixed.sluice.example,no.example", "&type=dual_stack", 200,
		"{\"msg\":\"ok\",\"data\":{\"mixed.sluice.example\":{\"ipv4\":{\"ip\":[\"192.0.2."
		"1\","
		"\"192.0.2.2\"],\"ttl\":20,\"msg\":\"ok\"},\"ipv6\":{\"ip\":[\"2001:db8::1\","
		"\"2001:db8::2\"],\"ttl\":20,\"msg\":\"ok\"}},\"no.example\":{}}" TAIL);
	baidu("tag", "mixed", "&type=ipv6", 200,
		"{\"msg\":\"ok\",\"data\":{\"mixed.sluice.example\":{\"ipv6\":{\"ip\":[\"2001:db8::"
		"1\","
		"\"2001:db8::2\"],\"ttl\":20,\"msg\":\"ok\"}}}" TAIL);
	baidu("tag", "none", "", 200, "{\"msg\":\"ok\",\"data\":{}" TAIL);
	h.w.servers = told;
	h.w.n_servers = 2;
	baidu("tag", "none", "&alt_server_ip=true&ip=10.2.0.1", 200,
		"{\"msg\":\"ok\",\"data\":{},\"clientip\":\"10.2.0.1\",\"timestamp\":1513602000,"
		"\"serverip\":{\"ipv4\":[\"192.0.2.53\"],\"ipv6\":[\"2001::\"]}}");
}

static void test_baidu_refusals(void **state)
{
	static const struct {
		const char *query;
		unsigned status;
		const char *msg;
	} rows[] = {
		{"", 400, "MissingParameter"},
		{"account_id=107080&dn=a&tag=b", 400, "MissingParameter"},
		{"account_id=107080&dn=a", 400, "MissingParameter"},
		{"account_id=1&dn=a&t=1513602734&sign=00", 403, "InvalidAccount"},
		{"account_id=107080&dn=a&t=1513602734&sign=00", 403, "InvalidSignature"},
		{"account_id=107080&dn=www.baidu.co&t=1513602734&sign="
		 "9d4eac35c33b8fa1610476ff1532643d",
			403, "InvalidSignature"},
	};
	char want[160];

	(void)state;
	for (size_t i = 0; i < SL_COUNT(rows); i++) {
		(void)snprintf(want, sizeof(want), "{\"msg\":\"%s\"" TAIL, rows[i].msg);
		ask("/v4/resolve", rows[i].query, rows[i].status, want);
	}
	baidu("dn", "a", "&type=ipv5", 400, "{\"msg\":\"InvalidParameter\"" TAIL);
	baidu("dn", "a", "&ip=x", 400, "{\"msg\":\"InvalidParameter\"" TAIL);
	baidu("dn", "a_b,c/", "", 400, "{\"msg\":\"InvalidParameter\"" TAIL);
	baidu("dn", "a,b,c,d,e,f,g,h,i,j,k", "", 400, "{\"msg\":\"TooManyDomains\"" TAIL);
	baidu("dn", "a,b,c,d,e,f,g,h,i,j", "", 200,
		"{\"msg\":\"ok\",\"data\":{\"a\":{},\"b\":{},\"c\":{},\"d\":{},\"e\":{},\"f\":{},"
		"\"g\":{},"
		"\"h\":{},\"i\":{},\"j\":{}}" TAIL);
	assert_int_equal(httpworld_ask(&h, HTTPD_POST, "/v4/resolve", STR_LIT(""),
				 (struct str){NULL, 0}, (struct ip){{10}, IP_V4}),
		405);
	assert_non_null(strstr((char *)h.body, "MethodNotAllowed"));
}

/* The example of volcengine.com/docs/6758/174756; python3's hashlib makes the same of what is
 * signed. */
static void test_volcengine_published(void **state)
{
	static const char good[] =
		"domain=www.a.com,www.b.com&account_id=1023&timestamp=1566808387000"
		"&sign=4b00a808d49a334991b7e50d324a9287&appid=7";
	static const struct {
		uint64_t now_s;
		unsigned status;
	} rows[] = {{VOLC_NOW, 200}, {VOLC_NOW + 300, 200}, {VOLC_NOW + 301, 403},
		{VOLC_NOW - 86400, 200}, {VOLC_NOW - 86401, 403}};

	(void)state;
	for (size_t i = 0; i < SL_COUNT(rows); i++) {
		h.w.worker.now_ms = rows[i].now_s * 1000;
		assert_int_equal(httpworld_get(&h, "/resolve", good), rows[i].status);
	}
	h.w.worker.now_ms = (uint64_t)VOLC_NOW * 1000;
	ask("/resolve", good, 200,
		"[{\"cip\":\"10.1.2.3\",\"host\":\"www.a.com\",\"ips\":[],\"ttl\":60},"
		"{\"cip\":\"10.1.2.3\",\"host\":\"www.b.com\",\"ips\":[],\"ttl\":60}]");
}

/* domain, ip, type, and how they stand sorted with the rest */
static void volc(const char *query, const char *sorted, unsigned status, const char *body)
{
	char all[512];

	(void)snprintf(all, sizeof(all), "%s&account_id=1023&timestamp=1566808387000&sign=%s",
		query, sign(sorted));
	ask("/resolve", all, status, body);
}

static void test_volcengine(void **state)
{
	(void)state;
	h.w.worker.now_ms = (uint64_t)VOLC_NOW * 1000;
	volc("domain=mixed.sluice.example",
		"__1023_1566808387000_QlgAuFMwNUwN_mixed.sluice.example", 200,
		"{\"cip\":\"10.1.2.3\",\"host\":\"mixed.sluice.example\",\"ips\":[\"2001:db8::1\","
		"\"2001:db8::2\",\"192.0.2.1\",\"192.0.2.2\"],\"ttl\":20}");
	volc("domain=mixed.sluice.example&ip=10.2.0.1&type=A",
		"10.2.0.1_1023_1566808387000_A_mixed.sluice.example_older", 200,
		"{\"cip\":\"10.2.0.1\",\"host\":\"mixed.sluice.example\",\"ips\":[\"192.0.2.1\","
		"\"192.0.2.2\"],\"ttl\":20}");
	volc("domain=a&type=MX", "_1023_1566808387000_MX_QlgAuFMwNUwN_a", 403,
		"{\"message\":\"type must be A, AAAA or both\"}");
	volc("domain=a&ip=x", "_1023_1566808387000_QlgAuFMwNUwN_a_x", 403,
		"{\"message\":\"ip must be an address\"}");
	volc("domain=", "___1023_1566808387000_QlgAuFMwNUwN", 403,
		"{\"message\":\"domain must be 1 to 5 host names\"}");
	volc("domain=a,b,c,d,e&type=A", "_1023_1566808387000_A_QlgAuFMwNUwN_a,b,c,d,e", 200,
		"[{\"cip\":\"10.1.2.3\",\"host\":\"a\",\"ips\":[],\"ttl\":60},"
		"{\"cip\":\"10.1.2.3\",\"host\":\"b\",\"ips\":[],\"ttl\":60},"
		"{\"cip\":\"10.1.2.3\",\"host\":\"c\",\"ips\":[],\"ttl\":60},"
		"{\"cip\":\"10.1.2.3\",\"host\":\"d\",\"ips\":[],\"ttl\":60},"
		"{\"cip\":\"10.1.2.3\",\"host\":\"e\",\"ips\":[],\"ttl\":60}]");
	volc("domain=a,b,c,d,e,f", "__1023_1566808387000_QlgAuFMwNUwN_a,b,c,d,e,f", 403,
		"{\"message\":\"domain must be 1 to 5 host names\"}");
	volc("domain=a", "__1023_1566808387000_QlgAuFMwNUwN_b", 403,
		"{\"message\":\"sign does not fit\"}");
	ask("/resolve", "domain=a&account_id=1", 403, "{\"message\":\"unknown account_id\"}");
	assert_int_equal(httpworld_ask(&h, HTTPD_PUT, "/resolve", STR_LIT("domain=a"),
				 (struct str){NULL, 0}, (struct ip){{10}, IP_V4}),
		405);
	h.w.worker.keys = NULL;
	ask("/resolve", "domain=a&account_id=1023", 403, "{\"message\":\"unknown account_id\"}");
}

#define CASE(fn)                                                                                   \
	cmocka_unit_test_prestate_setup_teardown(fn, httpkeys_setup, httpkeys_teardown, &spec)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_baidu_published),
		CASE(test_baidu),
		CASE(test_baidu_refusals),
		CASE(test_volcengine_published),
		CASE(test_volcengine),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
