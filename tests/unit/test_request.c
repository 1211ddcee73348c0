/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "ctl/request.h"

enum { WORDS = 12 };

static int parse(const char *const *words, struct ctl_request *r, struct errbuf *err)
{
	static char copy[WORDS][64];
	char *argv[WORDS + 1];
	int n = 0;

	for (; words[n]; n++) {
		(void)snprintf(copy[n], sizeof(copy[n]), "%s", words[n]);
		argv[n] = copy[n];
	}
	argv[n] = NULL;
	return ctl_parse(n, argv, r, err);
}

static void usages(void **state)
{
	static const struct {
		const char *words[WORDS];
		const char *error; /* part of it; NULL: good */
	} rows[] = {
		{{"x", "status"}, NULL},
		{{"x", "--json", "status"}, NULL},
		{{"x", "status", "--json"}, NULL},
		{{"x", "--socket", "/s", "status"}, NULL},
		{{"x", "--socket=/s", "status"}, NULL},
		{{"x", "status", "extra"}, "one argument too many"},
		{{"x", "status", "--ip", "1.2.3.4"}, "unknown option --ip"},
		{{"x", "--ip", "1.2.3.4", "status"}, "before the command"},
		{{"x", "explain", "--ip", "1.2.3.4", "--host", "h"}, NULL},
		{{"x", "explain", "--ip", "1.2.3", "--host", "h"}, "want an address"},
		{{"x", "explain", "--ip", "1.2.3.4"}, "--host is missing"},
		{{"x", "explain", "--ip"}, "wants a value"},
		{{"x", "meter", "push", "alpha", "100"}, NULL},
		{{"x", "meter", "push", "alpha", "-100"}, NULL},
		{{"x", "meter", "push", "-"}, NULL},
		{{"x", "meter", "push", "alpha", "--", "-100"}, NULL},
		{{"x", "meter", "push", "alpha", "fast"}, "want a number"},
		{{"x", "meter"}, NULL},
		{{"x", "meter", "--help"}, NULL},
		{{"x", "drill", "rn"}, "no such command: drill rn; there are run, "},
		{{"x", "nothing", "at"}, "no such command: nothing at"},
		{{"x", "vendr", "show"}, "no such command: vendr show; did you mean vendor?"},
		{{"x", "vendor", "drain", "a", "--dry-rnu"},
			"unknown option --dry-rnu of vendor drain; did you mean dry-run?"},
		{{"x", "--json=yes", "status"}, "takes no value"},
		{{"x", "world", "dump"}, "file is missing"},
		{{"x", "world", "dump", "--help"}, NULL},
		{{"x", "help", "meter", "push"}, NULL},
		{{"x"}, NULL},
	};

	(void)state;
	for (size_t i = 0; i < SL_COUNT(rows); i++) {
		struct ctl_request r;
		struct errbuf err = {""};
		int rc = parse(rows[i].words, &r, &err);

		if ((rc == 0) != (rows[i].error == NULL) || (rc && !strstr(err.s, rows[i].error)))
			fail_msg("row %zu: %d %s", i, rc, err.s);
	}
}

static void values_keep_their_names(void **state)
{
	static const char *const words[] = {
		"x", "meter", "push", "alpha", "12", "--region", "south", "--json", NULL};
	struct ctl_request r;
	struct errbuf err = {""};

	(void)state;
	assert_int_equal(parse(words, &r, &err), 0);
	assert_int_equal(r.command->id, COMMAND_METER_PUSH);
	assert_string_equal(ctl_value(&r, "vendor"), "alpha");
	assert_string_equal(ctl_value(&r, "mbps"), "12");
	assert_string_equal(ctl_value(&r, "region"), "south");
	assert_null(ctl_value(&r, "start"));
	assert_true(r.json);
	assert_false(r.help);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(usages),
		cmocka_unit_test(values_keep_their_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
