/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include <sys/stat.h>
#include <unistd.h>

#include "base/os.h"
#include "control/token.h"

static void bearer(void **state)
{
	static const struct {
		const char *header, *token;
	} rows[] = {{"Bearer abc", "abc"}, {"bearer  abc", "abc"}, {"Basic abc", ""}, {"", ""},
		{"Bearer", ""}, {"Bearerabc", ""}};

	(void)state;
	for (size_t i = 0; i < SL_COUNT(rows); i++)
		assert_true(
			str_eq_z(control_token_bearer(str_from(rows[i].header)), rows[i].token));
}

static void digests(void **state)
{
	struct token_digest a, b;
	/* FIPS 180-2, appendix B.1 */
	static const uint8_t abc[4] = {0xba, 0x78, 0x16, 0xbf};

	(void)state;
	control_token_digest(STR_LIT("abc"), &a);
	assert_memory_equal(a.v, abc, sizeof(abc));
	control_token_digest(STR_LIT("abd"), &b);
	assert_false(control_token_equal(&a, &b));
	control_token_digest(STR_LIT("abc"), &b);
	assert_true(control_token_equal(&a, &b));
}

static void a_file_is_made_once(void **state)
{
	char dir[] = "/tmp/sluice-test-token-XXXXXX", path[64], *text = NULL;
	struct token_digest made, read, own;
	struct errbuf err = {""};
	struct stat st;
	size_t n;

	(void)state;
	assert_non_null(mkdtemp(dir));
	(void)snprintf(path, sizeof(path), "%s/t", dir);
	assert_int_equal(control_token_file(path, &made, &err), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(control_token_file(path, &read, &err), 0);
	assert_true(control_token_equal(&made, &read));
	assert_int_equal(os_read_file(path, 4096, &text, &n, &err), 0);
	assert_int_equal(n, TOKEN_TEXT + 1);
	control_token_digest((struct str){text, TOKEN_TEXT}, &own);
	assert_true(control_token_equal(&made, &own));
	free(text);
	assert_int_equal(chmod(path, 0644), 0);
	assert_int_equal(control_token_file(path, &read, &err), SL_EACCES);
	assert_int_equal(os_write_file(path, "short\n", 6, 0600, &err), 0);
	assert_int_equal(control_token_file(path, &read, &err), SL_EFORMAT);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(rmdir(dir), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bearer),
		cmocka_unit_test(digests),
		cmocka_unit_test(a_file_is_made_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
