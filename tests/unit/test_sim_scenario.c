/* SPDX-License-Identifier: Apache-2.0 */
/* Scenario files: what is refused, with its line, and what the curves and events give. */
#include "test.h"

#include "sim/scenario.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define VENDOR "vendors:\n  - {name: a, guaranteed_mbps: 10, max_mbps: 20}\n"
#define AUDIENCE                                                                                   \
	"audience:\n  groups:\n    - {name: CN/GD/telecom}\n  curve:\n    - {at_s: 0, per_s: 5}\n" \
	"    - {at_s: 10, per_s: 15}\n  ladder:\n    - {kbps: 1000, part: 1}\n"
#define REGION_VENDOR                                                                              \
	"vendors:\n  - name: a\n    guaranteed_mbps: 10\n    max_mbps: 20\n    regions:\n"
#define REGION(name, groups)                                                                       \
	"      - {name: " name ", groups: \"" groups "\", guaranteed_mbps: 1, max_mbps: 2}\n"
#define HEAD "name: x\nduration_s: 60\n"

static int load(const char *text, struct scenario **ret, struct errbuf *err)
{
	char name[] = "/tmp/sim-test-XXXXXX";
	int fd = mkstemp(name), rc;

	assert_true(fd >= 0);
	assert_true(write(fd, text, strlen(text)) == (ssize_t)strlen(text));
	(void)close(fd);
	rc = scenario_load(name, ret, err);
	(void)unlink(name);
	return rc;
}

static void refusals(void **state)
{
	static const struct {
		const char *what, *text, *want;
	} rows[] = {
		{"nothing", "", ":1: the file is empty"},
		{"no vendors", HEAD AUDIENCE, "vendors: missing"},
		{"unknown key", HEAD VENDOR AUDIENCE "colour: red\n", ":13: unknown key"},
		{"guarantee above maximum",
			HEAD
			"vendors:\n  - {name: a, guaranteed_mbps: 30, max_mbps: 20}\n" AUDIENCE,
			":4: vendors[0].guaranteed_mbps: above the maximum, got 30, want at most "
			"20"},
		{"a vendor twice",
			HEAD VENDOR "  - {name: a, guaranteed_mbps: 1, max_mbps: 2}\n" AUDIENCE,
			":5: vendors[1].name: given twice"},
		{"unknown event", HEAD VENDOR AUDIENCE "events:\n  - {at_s: 1, kind: flood}\n",
			":14: events[0].kind"},
		{"an event that ends first",
			HEAD VENDOR AUDIENCE "events:\n  - {at_s: 9, until_s: 3, kind: drain}\n",
			":14: events[0].until_s: ends before it begins"},
		{"a negative figure",
			HEAD "vendors:\n  - {name: a, guaranteed_mbps: -1, max_mbps: 2}\n" AUDIENCE,
			":4: vendors[0].guaranteed_mbps"},
		{"a group twice",
			HEAD VENDOR
			"audience:\n  groups:\n    - {name: CN}\n    - {name: CN}\n"
			"  curve: [{at_s: 0, per_s: 5}]\n  ladder: [{kbps: 1, part: 1}]\n",
			":8: audience.groups[1].name: given twice"},
		{"a region of nobody", HEAD REGION_VENDOR REGION("south", "CN/ZJ/*") AUDIENCE,
			":8: vendors[0].regions[0].groups: no group of the audience, got "
			"\"CN/ZJ/*\""},
		{"a region twice",
			HEAD REGION_VENDOR REGION("south", "CN") REGION("south", "*") AUDIENCE,
			":9: vendors[0].regions[1].name: given twice"},
		{"an event of no vendor",
			HEAD VENDOR AUDIENCE "events:\n  - {at_s: 1, kind: drain, vendor: b}\n",
			":14: events[0].vendor: no vendor, got \"b\""},
		{"an event of no group",
			HEAD VENDOR AUDIENCE "events:\n  - {at_s: 1, kind: down, groups: US}\n",
			":14: events[0].groups: no group of the audience, got \"US\""},
		{"a drain of some groups",
			HEAD VENDOR AUDIENCE
			"events:\n  - {at_s: 1, kind: drain, vendor: a, groups: CN/GD}\n",
			":14: events[0].groups: this kind is of all groups, got \"CN/GD\", want *"},
		{"demand of a vendor",
			HEAD VENDOR AUDIENCE
			"events:\n  - {at_s: 1, kind: demand, value: 2, vendor: a}\n",
			":14: events[0].vendor: this kind is of no vendor, got \"a\", want *"},
		{"an event of no region",
			HEAD REGION_VENDOR REGION("south", "CN") AUDIENCE
			"events:\n  - {at_s: 1, kind: maximum, value: 1, region: north}\n",
			":18: events[0].region: no region of such a vendor, got \"north\""},
		{"an event of another vendor's region",
			HEAD REGION_VENDOR REGION("south",
				"CN") "  - {name: b, guaranteed_mbps: 1, max_mbps: 2}\n" AUDIENCE
				      "events:\n"
				      "  - {at_s: 1, kind: guaranteed, value: 1, vendor: b, "
				      "region: s*}\n",
			":19: events[0].region: no region of such a vendor, got \"s*\""},
		{"a weight of a region",
			HEAD REGION_VENDOR REGION("south", "CN") AUDIENCE
			"events:\n  - {at_s: 1, kind: weight, value: 1, region: south}\n",
			":18: events[0].region: this kind is of no region, got \"south\", want "
			"none"},
		{"an event after the end",
			HEAD VENDOR AUDIENCE "events:\n  - {at_s: 60, kind: drain}\n",
			":14: events[0].at_s: begins after the scenario's end, got 60, want under "
			"60"},
		{"five times all pulls",
			HEAD VENDOR AUDIENCE "events:\n  - {at_s: 1, kind: down, value: 5}\n",
			":14: events[0].value: out of range for its kind, got 5, want at most 1"},
		{"steady after the end", HEAD "steady: {from_s: 10, to_s: 61}\n" VENDOR AUDIENCE,
			":3: steady.to_s: after the scenario's end, got 61, want at most 60"},
	};

	(void)state;
	for (uint32_t i = 0; i < SL_COUNT(rows); i++) {
		struct errbuf err = {""};
		struct scenario *s = NULL;

		if (load(rows[i].text, &s, &err) == 0 || !strstr(err.s, rows[i].want))
			fail_msg("%s: got \"%s\"", rows[i].what, err.s);
	}
}

static void curve_and_events(void **state)
{
	struct errbuf err = {""};
	struct scenario *s = NULL;
	const struct scenario_event on_off = {.at_s = 10, .until_s = 100, .period_s = 20};
	double start; /* what the file says is later by what is played before it counts */

	(void)state;
	assert_int_equal(load(HEAD VENDOR AUDIENCE, &s, &err), 0);
	start = s->f.scheduler.warm_s;
	assert_true(start > 0);
	assert_true(scenario_arrivals(&s->f.audience, start) == 5);
	assert_true(scenario_arrivals(&s->f.audience, start + 5) == 10);
	assert_true(scenario_arrivals(&s->f.audience, start + 99) == 15);
	assert_true(scenario_mean_kbps(&s->f.audience) == 1000);
	assert_true(s->f.vendors[0].meter.window_s == 60);
	assert_false(scenario_event_holds(&on_off, 9));
	assert_true(scenario_event_holds(&on_off, 29));
	assert_false(scenario_event_holds(&on_off, 31));
	assert_true(scenario_event_holds(&on_off, 51));
	assert_false(scenario_event_holds(&on_off, 100));
	scenario_free(s);
	scenario_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(refusals),
		cmocka_unit_test(curve_and_events),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
