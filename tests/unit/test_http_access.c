/* SPDX-License-Identifier: Apache-2.0 */
/* Who may ask and how often: prefixes at their edges, groups by the first quota that holds them,
 * accounts, the limits of the lists; all through the keys blob of a configuration. */
#include "test.h"

#include "base/os.h"
#include "conf/conf.h"
#include "http/access.h"
#include "testworld.h"
#include "tmpdir.h"

static char dir[] = "/tmp/test-access-XXXXXX";
static struct testworld tw;

static const char catalog[] =
	"vendors: [{name: a, max_mbps: 1}]\n"
	"services: [{name: s, hosts: [h.x.example], vendors: [{vendor: a, cname: a.a.example}]}]\n"
	"zones: [{name: x.example, file: /dev/null}]\n";

static int load(const char *more, struct conf **ret_conf, struct errbuf *err)
{
	static char text[1 << 16];

	(void)snprintf(text, sizeof(text), "state: %s\n%s", dir, more);
	return conf_load_mem(text, strlen(text), catalog, strlen(catalog), ret_conf, err);
}

static struct keys_file *keys_from(const char *more)
{
	struct errbuf err = {""};
	struct keys_file *f;
	struct conf *conf;
	char path[256];

	if (load(more, &conf, &err) || keys_write(conf, (struct str){NULL, 0}, 1000, &err))
		fail_msg("%s", err.s);
	conf_free(conf);
	(void)snprintf(path, sizeof(path), "%s/keys", dir);
	assert_int_equal(keys_open(path, "answer", &f, &err), 0);
	return f;
}

static struct ip addr(const char *text)
{
	struct ip a = {.family = IP_NONE};

	if (text[0])
		assert_true(ip_parse(str_from(text), &a));
	return a;
}

static void prefixes_hold_to_their_edges(void **state)
{
	static const char lists[] =
		"http: {allow: [10.0.0.0/8, 192.0.2.128/25, 2001:db8::/33, 2001:db9::1/128],"
		" deny: [10.9.0.0/16, 2001:db8:1::/48]}\n";
	static const char denies[] = "http: {deny: [198.51.100.7/32, 0.0.0.0/1]}\n";
	static const struct {
		const char *lists, *ip;
		bool passes;
	} rows[] = {
		{lists, "10.0.0.0", true},
		{lists, "10.255.255.255", true},
		{lists, "9.255.255.255", false},
		{lists, "11.0.0.0", false},
		{lists, "192.0.2.127", false},
		{lists, "192.0.2.128", true},
		{lists, "10.8.255.255", true},
		{lists, "10.9.0.0", false},
		{lists, "10.9.255.255", false},
		{lists, "10.10.0.0", true},
		{lists, "2001:db8::", true},
		{lists, "2001:db8:7fff:ffff:ffff:ffff:ffff:ffff", true},
		{lists, "2001:db8:8000::", false},
		{lists, "2001:db8:1:ffff::", false},
		{lists, "2001:db8:2::", true},
		{lists, "2001:db9::1", true},
		{lists, "2001:db9::2", false},
		{lists, "a00::", false}, /* the octets of 10.0.0.0 */
		{lists, "", true},
		{denies, "198.51.100.7", false},
		{denies, "198.51.100.6", true},
		{denies, "127.255.255.255", false},
		{denies, "128.0.0.0", true},
		{denies, "::1", true},
		{"http: {deny: [\"::/0\"]}\n", "::1", false},
		{"http: {deny: [\"::/0\"]}\n", "10.0.0.1", true},
		{"", "10.0.0.1", true},
	};

	(void)state;
	for (size_t i = 0; i < SL_COUNT(rows); i++) {
		struct keys_file *f = keys_from(rows[i].lists);

		if (http_access_admits(keys_of(f), addr(rows[i].ip)) != rows[i].passes)
			fail_msg("row %zu: %s", i, rows[i].ip);
		keys_close(f);
	}
	assert_true(http_access_admits(NULL, addr("10.0.0.1")));
}

static unsigned passes(
	struct http_access *a, const struct keys_file *f, const char *ip, uint64_t now_ms)
{
	unsigned n = 0;

	for (int i = 0; i < 100; i++)
		n += http_access_group(a, keys_of(f), world_of(tw.file), addr(ip), now_ms) ==
		     HTTP_ACCESS_PASSES;
	return n;
}

static void groups_have_rates(void **state)
{
	static struct http_access a;
	struct keys_file *f =
		keys_from("http: {quotas: [{groups: [CN/SH, CN/*/telecom], rate_per_s: 5},"
			  " {groups: [CN], rate_per_s: 10}, {groups: [US], rate_per_s: 0}]}\n");

	(void)state;
	assert_int_equal(passes(&a, f, "10.1.0.1", 1000), 10);
	assert_int_equal(passes(&a, f, "10.1.200.1", 1000), 0); /* the group's, not the address's */
	assert_int_equal(passes(&a, f, "10.2.0.1", 1000), 20);  /* the second that holds it */
	assert_int_equal(passes(&a, f, "10.1.0.1", 1200), 1);
	assert_int_equal(passes(&a, f, "10.9.0.1", 1000), 100); /* of no group named */
	assert_int_equal(passes(&a, f, "127.0.0.1", 1000), 100);
	assert_int_equal(http_access_group(&a, keys_of(f), world_of(tw.file), addr("10.3.0.1"), 1),
		HTTP_ACCESS_NEVER);
	assert_int_equal(
		http_access_group(&a, keys_of(f), world_of(tw.file), addr("10.1.0.1"), 1200),
		HTTP_ACCESS_LATER);
	keys_close(f);
	f = keys_from("http: {quotas: [{groups: [CN/GD/unicom], rate_per_s: 1}]}\n");
	assert_int_equal(passes(&a, f, "10.1.0.1", 1300), 100); /* other rules hold at once */
	assert_int_equal(passes(&a, f, "10.2.0.1", 1300), 2);
	keys_close(f);
	f = keys_from("");
	assert_int_equal(passes(&a, f, "10.2.0.1", 1300), 100);
	keys_close(f);
	assert_int_equal(http_access_group(&a, NULL, world_of(tw.file), addr("10.2.0.1"), 1),
		HTTP_ACCESS_PASSES);
}

static void accounts_have_rates(void **state)
{
	static struct http_access a;
	struct keys_file *f = keys_from("keys: [{name: k, file: /dev/null}]\n"
					"accounts: [{name: x, key: k, rate_per_s: 3},"
					" {name: y, key: k}, {name: z, key: k, rate_per_s: 1}]\n");
	const struct keys_view *keys = keys_of(f);
	const unsigned want[] = {6, 50, 2};

	(void)state;
	for (uint32_t i = 0; i < 3; i++) {
		unsigned n = 0;

		for (int k = 0; k < 50; k++)
			n += http_access_account(&a, keys, &keys->accounts[i], 1000);
		assert_int_equal(n, want[i]);
	}
	assert_true(http_access_account(&a, keys, &keys->accounts[0], 1334));
	assert_false(http_access_account(&a, keys, &keys->accounts[0], 1334));
	keys_close(f);
}

static void lists_have_limits(void **state)
{
	static const struct {
		const char *head, *entry, *tail;
		unsigned limit;
	} rows[] = {
		{"http: {allow: [", "10.0.0.0/8", "]}\n", SL_MAX_ACCESS},
		{"http: {deny: [", "10.0.0.0/8", "]}\n", SL_MAX_ACCESS},
		{"http: {quotas: [", "{groups: [US], rate_per_s: 1}", "]}\n", SL_MAX_QUOTAS},
		{"http: {quotas: [{rate_per_s: 1, groups: [", "US", "]}]}\n", SL_MAX_QUOTA_GLOBS},
	};
	static char text[1 << 15];

	(void)state;
	for (size_t i = 0; i < SL_COUNT(rows) * 2; i++) {
		struct buf b = buf_over(text, sizeof(text) - 1);
		struct errbuf err = {""};
		struct conf *conf;

		buf_put_str(&b, str_from(rows[i / 2].head));
		for (unsigned k = 0; k < rows[i / 2].limit + (i & 1); k++) {
			buf_put_str(&b, k ? STR_LIT(", ") : STR_LIT(""));
			buf_put_str(&b, str_from(rows[i / 2].entry));
		}
		buf_put_str(&b, str_from(rows[i / 2].tail));
		*b.p = '\0';
		if (i & 1) {
			assert_int_equal(load(text, &conf, &err), SL_ELIMIT);
			assert_non_null(strstr(err.s, "too many"));
		} else {
			keys_close(keys_from(text));
		}
	}
}

static int setup(void **state)
{
	(void)state;
	return mkdtemp(dir) ? testworld_init(&tw, NULL) : -1;
}

static int teardown(void **state)
{
	(void)state;
	testworld_done(&tw);
	return tmpdir_remove(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(prefixes_hold_to_their_edges),
		cmocka_unit_test(groups_have_rates),
		cmocka_unit_test(accounts_have_rates),
		cmocka_unit_test(lists_have_limits),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
