/* SPDX-License-Identifier: Apache-2.0 */
/* DNS over HTTPS: the octets are those of DNS, freshness ends with the first record, and the JSON
 * form says what the message says. */
#include "test.h"

#include "http/cipher.h"
#include "http/doh.h"
#include "httpworld.h"

static struct httpworld h;
static const struct ip client = {{10, 1, 2, 3}, IP_V4};

static int setup(void **state)
{
	(void)state;
	if (httpworld_init(&h, NULL))
		fail_msg("%s", h.tw.err.s);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	httpworld_done(&h);
	return 0;
}

/* A query for a name, id 0x1234; octets written. */
static size_t question(uint8_t *to, const char *name, uint16_t type)
{
	static const uint8_t head[] = {0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0};
	uint8_t wire[SL_DNS_NAME_MAX];
	size_t n = cat_wire_name(str_from(name), wire);
	struct buf b = buf_over(to, 512);

	buf_put(&b, head, sizeof(head));
	buf_put(&b, wire, n);
	buf_put_be16(&b, type);
	buf_put_be16(&b, 1);
	return buf_len(&b);
}

static void base64url(const uint8_t *p, size_t n, bool padded, char *to)
{
	struct buf b = buf_over(to, 1024);
	size_t len;

	http_put_base64(&b, (struct str){(const char *)p, n});
	len = buf_len(&b);
	for (size_t i = 0; i < len; i++)
		to[i] = (char)(to[i] == '+' ? '-' : to[i] == '/' ? '_' : to[i]);
	while (!padded && len && to[len - 1] == '=')
		len--;
	to[len] = '\0';
}

static void test_octets_are_those_of_dns(void **state)
{
	static const struct {
		const char *name, *cache;
		uint16_t type;
	} rows[] = {
		{"drill.sluice.example", "private, max-age=20", 1},
		{"drill.sluice.example", "private, max-age=20", 28},
		{"live.sluice.example", "private, max-age=20", 1},
		{"big.sluice.example", "private, max-age=300", 16},
		{"sluice.example", "private, max-age=300", 2},
		{"sluice.example", "private, max-age=60", 6},
		{"drill.sluice.example", "private, max-age=60", 99},
		{"no.sluice.example", "private, max-age=60", 1},
		{"x.sub.sluice.example", "private, max-age=300", 1},
		{"other.example", "no-store", 1},
	};

	(void)state;
	for (size_t i = 0; i < SL_COUNT(rows); i++) {
		uint8_t msg[512], want[8192];
		char query[1100] = "dns=";
		size_t n = question(msg, rows[i].name, rows[i].type);
		size_t len = dnsd_guest_handle(
			&h.w.dns, &h.w.worker, msg, n, client, want, sizeof(want));

		for (int padded = 0; padded < 2; padded++) {
			base64url(msg, n, padded, query + 4);
			assert_int_equal(httpworld_get(&h, "/dns-query", query), 200);
			assert_int_equal(buf_len(&h.rp.body), len);
			assert_memory_equal(h.body, want, len);
			assert_string_equal(h.rp.type, "application/dns-message");
			assert_string_equal(h.rp.cache_control, rows[i].cache);
		}
	}
	assert_true(tally_get(&h.w.worker.tally->counters[TALLY_DNS_HTTPS_QUERIES]) > 0);
}

static unsigned post(struct str body, const char *type)
{
	struct httpd_field field = {STR_LIT("content-type"), str_from(type)};
	struct httpd_request rq = {.method = HTTPD_POST,
		.path = STR_LIT("/dns-query"),
		.body = body,
		.client = client,
		.headers = &field,
		.n_headers = 1};

	h.rp = (struct httpd_reply){.status = 200, .body = buf_over(h.body, HW_REPLY)};
	http_door_doh(&h.w, &rq, &h.rp);
	return h.rp.status;
}

static void test_post(void **state)
{
	uint8_t msg[512];
	struct str body = {(const char *)msg, question(msg, "drill.sluice.example", 1)};

	(void)state;
	assert_int_equal(post(body, "application/dns-message"), 200);
	assert_memory_equal(h.body, msg, 2);
	assert_int_equal(post(body, "Application/DNS-Message; x=y"), 200);
	assert_memory_equal(h.body, msg, 2);
	assert_int_equal(post(body, "text/plain"), 415);
	assert_int_equal(post(body, ""), 415);
	assert_int_equal(post((struct str){NULL, 0}, "application/dns-message"), 400);
	body.n = 11;
	assert_int_equal(post(body, "application/dns-message"), 400);
}

static void test_refusals(void **state)
{
	static const char *const queries[] = {"", "dns=", "dns=A", "dns=AAAA", "dns=%2B%2B%2B%2B",
		"name=", "name=a..b", "name=a&type=0", "name=a&type=65536", "name=a&type=NONE",
		"name=a&edns_client_subnet=x", "name=a&edns_client_subnet=10.0.0.1/8",
		"dns=EjSBAAABAAAAAAAAAWEAAAEAAQ" /* a response */};

	(void)state;
	for (size_t i = 0; i < SL_COUNT(queries); i++)
		if (httpworld_get(&h, "/dns-query", queries[i]) != 400)
			fail_msg("%s: %s", queries[i], (char *)h.body);
}

/* 253 octets of a name, 63 of a label, and one more. */
static void test_name_limit(void **state)
{
	char query[300] = "name=", *at = query + 5;

	(void)state;
	memset(at, 'a', 254);
	for (int i = 63; i < 253; i += 64)
		at[i] = '.';
	at[253] = '\0';
	assert_int_equal(httpworld_get(&h, "/dns-query", query), 200);
	at[253] = 'a';
	at[254] = '\0';
	assert_int_equal(httpworld_get(&h, "/dns-query", query), 400);
	assert_int_equal(httpworld_get(&h, "/dns-query", "name=."), 200);
}

static void test_json(void **state)
{
	static const struct {
		const char *path, *query, *body;
	} rows[] = {
		{"/dns-query", "name=mail.sluice.example",
			"{\"Status\":0,\"TC\":false,\"RD\":true,\"RA\":false,\"AD\":false,\"CD\":"
			"false,"
			"\"Question\":[{\"name\":\"mail.sluice.example.\",\"type\":1}],"
			"\"Answer\":[{\"name\":\"mail.sluice.example.\",\"type\":1,\"TTL\":300,"
			"\"data\":\"192.0.2.25\"}]}"},
		{"/resolve", "name=Sluice.example.&type=mx&cd=1",
			"{\"Status\":0,\"TC\":false,\"RD\":true,\"RA\":false,\"AD\":false,\"CD\":"
			"true,"
			"\"Question\":[{\"name\":\"sluice.example.\",\"type\":15}],"
			"\"Answer\":[{\"name\":\"sluice.example.\",\"type\":15,\"TTL\":300,"
			"\"data\":\"10 mail.sluice.example.\"}]}"},
		{"/dns-query", "name=any.wild.sluice.example&type=16&random_padding=ab&ct=x",
			"{\"Status\":0,\"TC\":false,\"RD\":true,\"RA\":false,\"AD\":false,\"CD\":"
			"false,"
			"\"Question\":[{\"name\":\"any.wild.sluice.example.\",\"type\":16}],"
			"\"Answer\":[{\"name\":\"any.wild.sluice.example.\",\"type\":16,\"TTL\":"
			"300,"
			"\"data\":\"\\\"any\\\"\"}]}"},
		{"/dns-query", "name=no.sluice.example",
			"{\"Status\":3,\"TC\":false,\"RD\":true,\"RA\":false,\"AD\":false,\"CD\":"
			"false,"
			"\"Question\":[{\"name\":\"no.sluice.example.\",\"type\":1}],"
			"\"Authority\":[{\"name\":\"sluice.example.\",\"type\":6,\"TTL\":60,"
			"\"data\":\"ns1.sluice.example. admin.sluice.example. 1 3600 600 86400 "
			"60\"}]}"},
	};

	(void)state;
	for (size_t i = 0; i < SL_COUNT(rows); i++) {
		assert_int_equal(httpworld_get(&h, rows[i].path, rows[i].query), 200);
		assert_string_equal((char *)h.body, rows[i].body);
		assert_string_equal(h.rp.type, "application/dns-json");
	}
}

/* The client is whom the question names; the scope that comes back is the group's. */
static void test_json_subnet(void **state)
{
	(void)state;
	assert_int_equal(httpworld_get(&h, "/dns-query",
				 "name=drill.sluice.example&edns_client_subnet=10.2.0.9"),
		200);
	assert_non_null(strstr((char *)h.body, "\"edns_client_subnet\":\"10.2.0.0/"));
	assert_int_equal(httpworld_get(&h, "/dns-query",
				 "name=_sluice.drill.sluice.example&type=TXT&edns_client_subnet="
				 "2001:db8:1::/48"),
		200);
	assert_non_null(strstr((char *)h.body, "group=CN/GD/telecom"));
	assert_non_null(strstr((char *)h.body, "\"edns_client_subnet\":\"2001:db8:1::/"));
}

/* The error that a refusal is explained with. */
static void test_comment(void **state)
{
	static const struct testworld_spec spec = {.none = {[TW_DRILL] = true}};

	(void)state;
	httpworld_done(&h);
	assert_int_equal(httpworld_init(&h, &spec), 0);
	assert_int_equal(httpworld_get(&h, "/dns-query", "name=drill.sluice.example"), 200);
	assert_non_null(strstr((char *)h.body, "\"Comment\":\"no vendor may take this group\""));
	assert_string_equal(h.rp.cache_control, "private, max-age=5");
}

#define RR(ttl) "\xc0\x0c\0\1\0\1\0\0\0" ttl "\0\4\1\2\3\4"

static void test_freshness(void **state)
{
	static const struct {
		const char *text, *msg;
		size_t n;
		bool fresh;
		uint32_t max_age_s;
	} rows[] = {
#define ROW(text, msg, fresh, s) {text, msg, sizeof(msg) - 1, fresh, s}
		ROW("the least of two",
			"\0\0\x80\0\0\1\0\2\0\0\0\0\1a\0\0\1\0\1" RR("\x09") RR("\x07"), true, 7),
		ROW("the least may be the first",
			"\0\0\x80\0\0\1\0\2\0\0\0\0\1a\0\0\1\0\1" RR("\x07") RR("\x09"), true, 7),
		ROW("and 0", "\0\0\x80\0\0\1\0\2\0\0\0\0\1a\0\0\1\0\1" RR("\x07") RR("\x00"), true,
			0),
		ROW("other sections count",
			"\0\0\x80\0\0\1\0\1\0\0\0\1\1a\0\0\1\0\1" RR("\x09") RR("\x02"), true, 2),
		ROW("nothing to keep", "\0\0\x80\0\0\1\0\0\0\0\0\0\1a\0\0\1\0\1", false, 0),
		ROW("cut", "\0\0\x82\0\0\1\0\1\0\0\0\0\1a\0\0\1\0\1" RR("\x09"), false, 9),
		ROW("a failure", "\0\0\x80\2\0\1\0\1\0\0\0\0\1a\0\0\1\0\1" RR("\x09"), false, 9),
		ROW("a record is missing", "\0\0\x80\0\0\1\0\2\0\0\0\0\1a\0\0\1\0\1" RR("\x09"),
			false, 9),
		ROW("half a record", "\0\0\x80\0\0\1\0\1\0\0\0\0\1a\0\0\1\0\1\xc0\x0c\0\1\0\1\0",
			false, 0),
		ROW("no header", "\0\0\x80\0\0\1\0\1", false, 0),
		ROW("no end of the name", "\0\0\x80\0\0\1\0\1\0\0\0\0\x3f", false, 0),
#undef ROW
	};

	(void)state;
	for (size_t i = 0; i < SL_COUNT(rows); i++) {
		struct http_doh_note note = http_doh_read((const uint8_t *)rows[i].msg, rows[i].n);

		if (note.fresh != rows[i].fresh || note.max_age_s != rows[i].max_age_s)
			fail_msg("%s: %d %u", rows[i].text, note.fresh, note.max_age_s);
	}
}

#define CASE(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_octets_are_those_of_dns),
		CASE(test_post),
		CASE(test_refusals),
		CASE(test_name_limit),
		CASE(test_json),
		CASE(test_json_subnet),
		CASE(test_comment),
		cmocka_unit_test(test_freshness),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
