/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "base/near.h"

static const char *asked(const char *typed, const char *const *names, struct near *n)
{
	near_init(n, str_from(typed));
	for (; *names; names++)
		near_offer(n, str_from(*names));
	return near_text(n);
}

static void the_nearest_is_asked_for(void **state)
{
	static const char *const names[] = {"alpha", "beta", "gamma", "vendor", "drain", "CN/GD",
		"a-name-that-is-longer-than-a-name-may-be-0123456789012345678901234567890123456789",
		"forecast", "", NULL};
	static const struct {
		const char *typed, *want;
	} rows[] = {
		{"gama", "gamma"},    /* a letter less */
		{"gammma", "gamma"},  /* one more */
		{"vendar", "vendor"}, /* another */
		{"drian", "drain"},   /* two that changed places */
		{"CN/DG", "CN/GD"},
		{"fourcast", "forecast"},
		{"beat", "beta"},
		{"bt", NULL}, /* half of it is wrong */
		{"zzzzz", NULL},
		{"z", NULL}, /* nothing is left of what was typed */
		{"", NULL},
		{"a-name-that-is-longer-than-a-name-may-be-"
		 "0123456789012345678901234567890123456789",
			NULL},
	};
	char want[100];
	struct near n;

	(void)state;
	for (size_t i = 0; i < SL_COUNT(rows); i++) {
		(void)snprintf(want, sizeof(want), "%s%s%s", rows[i].want ? "; did you mean " : "",
			rows[i].want ? rows[i].want : "", rows[i].want ? "?" : "");
		assert_string_equal(asked(rows[i].typed, names, &n), want);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(the_nearest_is_asked_for)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
