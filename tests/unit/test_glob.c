/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "base/glob.h"

static void matches_text(void **state)
{
	static const struct {
		const char *pattern, *text;
		bool fold, want;
	} rows[] = {
		{"", "", false, true},
		{"", "a", false, false},
		{"*", "", false, true},
		{"*", "anything at all", false, true},
		{"a*", "a", false, true},
		{"a*c", "abbbc", false, true},
		{"a*c", "abbb", false, false},
		{"*telecom*", "China Telecom Guangdong", false, false},
		{"*telecom*", "China Telecom Guangdong", true, true},
		{"a*b*c", "aXbYbZc", false, true},
		{"ab", "abc", false, false},
		{"abc", "ab", false, false},
		{"**a**", "bab", false, true},
	};

	(void)state;
	for (size_t i = 0; i < SL_COUNT(rows); i++)
		assert_int_equal(rows[i].want, glob_match(str_from(rows[i].pattern),
						       str_from(rows[i].text), rows[i].fold));
}

static void matches_groups(void **state)
{
	static const struct {
		const char *pattern, *name;
		bool want;
	} rows[] = {
		{"CN/GD/telecom", "CN/GD/telecom", true},
		{"CN/GD/telecom", "CN/GD/telecom2", false},
		{"CN/GD/*", "CN/GD/telecom", true},
		{"CN/GD/*", "CN/GD", false},
		{"CN/*", "CN/GD/telecom", true},
		{"CN", "CN", true},
		{"CN", "CN/GD/telecom", true},
		{"CN", "CNX/GD", false},
		{"*", "US", true},
		{"*", "CN/GD/telecom", true},
		{"*/*/telecom", "CN/GD/telecom", true},
		{"CN/*/tele*", "CN/GD/telecom", true},
		{"C*", "CN/GD/telecom", true},
		{"C*m", "CN/GD/telecom", false},
		{"CN/*/telecom", "CN/GD/x/telecom", false},
		{"cn", "CN", false},
	};

	(void)state;
	for (size_t i = 0; i < SL_COUNT(rows); i++)
		assert_int_equal(rows[i].want,
			glob_group_match(str_from(rows[i].pattern), str_from(rows[i].name)));
}

static void finds_overlaps(void **state)
{
	static const struct {
		const char *a, *b;
		bool want;
	} rows[] = {
		{"CN/GD/*", "CN/GX/*", false},
		{"CN/G*/*", "CN/GX/telecom", true},
		{"CN", "CN/GD/telecom", true},
		{"*", "US", true},
		{"CN/*/telecom", "CN/GD/*", true},
		{"CN/*/telecom", "CN/GD/unicom", false},
		{"CN/G*", "CN/*D", true},
		{"CN/G*X", "CN/G*D", false},
		{"CN/A*", "CN/B*", false},
		{"CN/ab*", "CN/a*bc", true},
		{"CN/a*b*c", "CN/ac", false},
		{"CN/GD", "CN/GD", true},
		{"CN/GD", "CN/GDX", false},
		{"CN/GD", "CN/GD*", true},
		{"CN/GD/*", "CN/GD*", true},
		{"CN/GD/x", "CN/GDX*/x", false},
		{"CN/*/a*", "CN/GD/*b", true},
	};

	(void)state;
	for (size_t i = 0; i < SL_COUNT(rows); i++) {
		struct str a = str_from(rows[i].a), b = str_from(rows[i].b);

		assert_int_equal(rows[i].want, glob_group_overlap(a, b));
		assert_int_equal(rows[i].want, glob_group_overlap(b, a));
	}
}

/* Against trying every short word: the same verdict for all patterns over {a, b, *} up to 4. */
static void overlap_is_exact(void **state)
{
	char pat[120][5], word[400][8];
	size_t np = 0, nw = 0;

	(void)state;
	for (unsigned len = 1; len <= 4; len++)
		for (unsigned v = 0; v < 81 && np < SL_COUNT(pat); v++) {
			unsigned x = v, top = len == 1 ? 3 : len == 2 ? 9 : len == 3 ? 27 : 81;

			if (v >= top)
				break;
			for (unsigned i = 0; i < len; i++, x /= 3)
				pat[np][i] = "ab*"[x % 3];
			pat[np++][len] = 0;
		}
	for (unsigned len = 1; len <= 7; len++)
		for (unsigned v = 0; v < 1U << len; v++) {
			for (unsigned i = 0; i < len; i++)
				word[nw][i] = "ab"[v >> i & 1];
			word[nw++][len] = 0;
		}
	for (size_t i = 0; i < np; i++)
		for (size_t j = i; j < np; j++) {
			struct str a = str_from(pat[i]), b = str_from(pat[j]);
			bool any = false;

			for (size_t w = 0; w < nw && !any; w++)
				any = glob_match(a, str_from(word[w]), false) &&
				      glob_match(b, str_from(word[w]), false);
			assert_int_equal(any, glob_group_overlap(a, b));
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(matches_text),
		cmocka_unit_test(matches_groups),
		cmocka_unit_test(finds_overlaps),
		cmocka_unit_test(overlap_is_exact),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
