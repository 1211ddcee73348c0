/* SPDX-License-Identifier: Apache-2.0 */
/* Signed requests and the keys blob behind them: what passes, what does not and why; secrets that
 * cannot be read; the file's mode. */
#include "test.h"

#include "base/os.h"
#include "conf/conf.h"
#include "http/account.h"
#include "http/sign.h"
#include "tmpdir.h"

#include <sys/stat.h>
#include <unistd.h>

static char dir[] = "/tmp/test-account-XXXXXX";
static struct keys_file *keys;

static const char catalog[] =
	"vendors: [{name: a, max_mbps: 1}]\n"
	"services: [{name: s, hosts: [h.x.example], vendors: [{vendor: a, cname: a.a.example}]}]\n"
	"zones: [{name: x.example, file: /dev/null}]\n";

static struct conf *load(const char *more)
{
	char text[2048];
	struct conf *conf;
	struct errbuf err = {""};

	(void)snprintf(text, sizeof(text), "state: %s\n%s", dir, more);
	if (conf_load_mem(text, strlen(text), catalog, strlen(catalog), &conf, &err))
		fail_msg("%s", err.s);
	return conf;
}

static void put(const char *name, const char *content)
{
	char path[256];

	(void)snprintf(path, sizeof(path), "%s/%s", dir, name);
	assert_int_equal(os_write_file(path, content, strlen(content), 0400, NULL), 0);
}

static int setup(void **state)
{
	char text[1024], path[256];
	struct errbuf note = {""};
	struct conf *conf;

	(void)state;
	if (!mkdtemp(dir))
		return -1;
	put("one", "first secret\n");
	put("two", "second");
	(void)snprintf(text, sizeof(text),
		"keys: [{name: one, file: %s/one}, {name: two, file: %s/two}, {name: gone, file: "
		"%s/gone}, {name: lost, file: /nonexistent}]\n"
		"accounts: [{name: app, key: one, backup_key: two, sign_replies: true},"
		" {name: shut, key: gone}]\nsignature_window_s: 60\n",
		dir, dir, dir);
	conf = load(text);
	assert_int_equal(keys_write(conf, (struct str){0}, 1000, &note), 0);
	/* said, and nothing else is closed */
	assert_non_null(strstr(note.s, "2 secrets are missing, the last: /nonexistent"));
	conf_free(conf);
	(void)snprintf(path, sizeof(path), "%s/keys", dir);
	return keys_open(path, "answer", &keys, &note);
}

static int teardown(void **state)
{
	(void)state;
	keys_close(keys);
	return tmpdir_remove(dir);
}

static char target[512], sign_text[65];

/* A request at time t, signed with this secret. */
static struct http_account_request signed_with(const char *secret, const char *t)
{
	struct http_account_request rq = {.method = STR_LIT("GET"),
		.account = STR_LIT("app"),
		.t = str_from(t),
		.now_s = 1700000000};
	struct str parts[4] = {STR_LIT("GET "), {target, 0}, STR_LIT("\n"), {"", 0}};
	int n = snprintf(target, sizeof(target), "/v1/resolve?host=a%%20b&account=app&t=%s", t);

	parts[1].n = (size_t)n;
	http_sign_hmac_parts(str_from(secret), parts, 4, sign_text);
	(void)snprintf(target + n, sizeof(target) - (size_t)n, "&sign=%s", sign_text);
	rq.target = str_from(target);
	rq.sign = str_from(sign_text);
	return rq;
}

static const char *code(const struct http_account_request *rq)
{
	struct http_account_verdict v = http_account_check(keys_of(keys), rq);

	return v.code ? v.code : "passed";
}

static void test_file(void **state)
{
	char path[256];
	struct stat st;

	(void)state;
	(void)snprintf(path, sizeof(path), "%s/keys/answer.blob", dir);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0400);
	assert_true(str_eq_z(keys_secret(keys_of(keys), STR_LIT("one")), "first secret"));
	assert_int_equal(keys_secret(keys_of(keys), STR_LIT("gone")).n, 0);
	assert_int_equal(keys_secret(NULL, STR_LIT("one")).n, 0);
}

static void test_both_keys_pass(void **state)
{
	struct http_account_request rq = signed_with("first secret", "1700000000");

	(void)state;
	assert_string_equal(code(&rq), "passed");
	rq = signed_with("second", "1700000000");
	assert_string_equal(code(&rq), "passed");
	rq = signed_with("third", "1700000000");
	assert_string_equal(code(&rq), "bad_signature");
}

static void test_window(void **state)
{
	static const struct {
		const char *t, *want;
	} rows[] = {{"1699999940", "passed"}, {"1699999939", "signature_expired"},
		{"1700000060", "passed"}, {"1700000061", "signature_expired"},
		{"", "bad_signature"}, {"17e8", "bad_signature"}, {"-1", "bad_signature"},
		{"1700000000000", "bad_signature"}};

	(void)state;
	for (size_t i = 0; i < SL_COUNT(rows); i++) {
		struct http_account_request rq = signed_with("second", rows[i].t);

		assert_string_equal(code(&rq), rows[i].want);
	}
}

static void test_forged(void **state)
{
	struct http_account_request good = signed_with("second", "1700000000"), rq = good;

	(void)state;
	rq.body = STR_LIT("x");
	assert_string_equal(code(&rq), "bad_signature");
	rq = good;
	rq.method = STR_LIT("POST");
	assert_string_equal(code(&rq), "bad_signature");
	rq = good;
	rq.sign.n--;
	assert_string_equal(code(&rq), "bad_signature");
	target[20] ^= 1;
	assert_string_equal(code(&good), "bad_signature");
	target[20] ^= 1;
	assert_string_equal(code(&good), "passed");
	sign_text[63] = sign_text[63] == '0' ? '1' : '0';
	assert_string_equal(code(&good), "bad_signature");
	rq = signed_with("second", "1700000000");
	rq.account = STR_LIT("other");
	assert_string_equal(code(&rq), "unknown_account");
	rq.account = STR_LIT("shut"); /* its secret is not there: nothing fits, not even none */
	assert_string_equal(code(&rq), "bad_signature");
	rq.account.n = 0;
	assert_string_equal(code(&rq), "unknown_account");
}

static void test_sign_is_last(void **state)
{
	struct http_account_request rq = signed_with("second", "1700000000");
	static char longer[600];

	(void)state;
	(void)snprintf(longer, sizeof(longer), "%s&cur=x", target);
	rq.target = str_from(longer);
	assert_string_equal(code(&rq), "bad_signature");
}

static void test_required(void **state)
{
	struct http_account_request rq = {
		.method = STR_LIT("GET"), .target = STR_LIT("/v1/resolve")};
	struct errbuf note = {""};
	struct conf *conf = load("require_signature: true\n");
	struct keys_file *strict;
	char path[256];

	(void)state;
	assert_string_equal(code(&rq), "passed");
	assert_null(http_account_check(NULL, &rq).code);
	assert_int_equal(keys_write(conf, (struct str){0}, 2000, &note), 0);
	conf_free(conf);
	(void)snprintf(path, sizeof(path), "%s/keys", dir);
	assert_int_equal(keys_open(path, "answer", &strict, &note), 0);
	assert_string_equal(http_account_check(keys_of(strict), &rq).code, "signature_wanted");
	keys_close(strict);
}

/* So many keys, and so many accounts, as there may be; a secret of so many octets. One more of the
 * former is refused, of the latter is missing. */
static void test_limits(void **state)
{
	static const struct {
		const char *head, *before, *after;
		unsigned limit;
	} rows[] = {{"keys: [", "{name: k", ", file: /dev/null}", SL_MAX_KEYS},
		{"keys: [{name: k, file: /dev/null}]\naccounts: [", "{name: a", ", key: k}",
			SL_MAX_ACCOUNTS}};
	static char text[1 << 16], secret[SL_MAX_SECRET + 2];

	(void)state;
	for (size_t i = 0; i < SL_COUNT(rows) * 2; i++) {
		int n = snprintf(text, sizeof(text), "%s", rows[i / 2].head);
		struct errbuf err = {""};
		struct conf *conf;

		for (unsigned k = 0; k < rows[i / 2].limit + (i & 1); k++) {
			n += snprintf(text + n, sizeof(text) - (size_t)n, "%s%s%u%s", k ? ", " : "",
				rows[i / 2].before, k, rows[i / 2].after);
		}
		n += snprintf(text + n, sizeof(text) - (size_t)n, "]\n");
		assert_in_range(n, 0, sizeof(text) - 1);
		assert_int_equal(
			conf_load_mem(text, (size_t)n, catalog, strlen(catalog), &conf, &err),
			i & 1 ? SL_ELIMIT : 0);
		if (i & 1)
			assert_non_null(strstr(err.s, "too many"));
		else
			conf_free(conf);
	}
	memset(secret, 'x', sizeof(secret) - 1);
	for (unsigned over = 2; over-- > 0;) {
		struct errbuf note = {""};
		struct keys_file *f;
		struct conf *conf;
		char path[256];

		secret[SL_MAX_SECRET + over] = '\0';
		put("long", secret);
		(void)snprintf(text, sizeof(text), "keys: [{name: long, file: %s/long}]\n", dir);
		conf = load(text);
		assert_int_equal(keys_write(conf, (struct str){0}, 3000, &note), 0);
		assert_int_equal(note.s[0] != '\0', over);
		conf_free(conf);
		(void)snprintf(path, sizeof(path), "%s/keys", dir);
		assert_int_equal(keys_open(path, "answer", &f, &note), 0);
		assert_int_equal(
			keys_secret(keys_of(f), STR_LIT("long")).n, over ? 0 : SL_MAX_SECRET);
		keys_close(f);
	}
}

static void test_damaged(void **state)
{
	struct keys_file *f;
	char junk[4096] = {0};

	(void)state;
	assert_true(keys_copy(junk, sizeof(junk), &f, NULL) < 0);
	assert_true(keys_copy(junk, 0, &f, NULL) < 0);
	assert_int_equal(keys_open(dir, "nothing", &f, NULL), SL_ENOENT);
}

/* The words of the configuration are the schemes there are, in their order. */
static void test_schemes_of_configuration(void **state)
{
	static const char *const words[] = {
#define X(id, word) word,
		CONF_SIGN_MAP(X)
#undef X
	};
	static const char *const rows[] = {
#define SIGN(name, ...) #name,
#include "http/sign.def"
#undef SIGN
	};

	(void)state;
	assert_int_equal(SL_COUNT(words), SL_COUNT(rows));
	for (size_t i = 0; i < SL_COUNT(rows); i++) {
		assert_string_equal(words[i], rows[i]);
		assert_non_null(http_sign_find(str_from(words[i])));
	}
	assert_int_equal(CONF_DIGEST_HMAC_SHA256 - 1, SIGN_HMAC_SHA256);
	assert_int_equal(CONF_TIME_MINUTE_CN - 1, SIGN_T_MINUTE_CN);
	assert_int_equal(CONF_MEANS_EXPIRY - 1, SIGN_EXPIRY);
}

static void test_reply(void **state)
{
	char a[65], b[65];

	(void)state;
	http_account_sign_reply(STR_LIT("k"), STR_LIT("1"), STR_LIT("{}"), a);
	http_account_sign_reply(STR_LIT("k"), STR_LIT("2"), STR_LIT("{}"), b);
	assert_int_equal(strlen(a), 64);
	assert_string_not_equal(a, b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_file),
		cmocka_unit_test(test_both_keys_pass),
		cmocka_unit_test(test_window),
		cmocka_unit_test(test_forged),
		cmocka_unit_test(test_sign_is_last),
		cmocka_unit_test(test_required),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_damaged),
		cmocka_unit_test(test_schemes_of_configuration),
		cmocka_unit_test(test_reply),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
