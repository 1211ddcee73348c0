/* SPDX-License-Identifier: Apache-2.0 */
/* A rule as the store has it: taken or refused; what is taken is printed and taken again alike, and
 * expands to at most what there is room for. */
#include "fuzz.h"

#include <cjson/cJSON.h>
#include <string.h>

#include "control/rules.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = strndup((const char *)data, size), *again, key[RULE_KEY];
	struct control_rule r, back;
	struct control_rules list = {0};
	struct engine_rule out[4];
	double done;

	fuzz_check(text);
	if (control_rule_parse(text, &r)) {
		control_rule_key(&r, key);
		fuzz_check(strncmp(key, "rule|", 5) == 0);
		again = control_rule_print(&r);
		fuzz_check(again && control_rule_parse(again, &back));
		fuzz_check(back.kind == r.kind && strcmp(back.vendor, r.vendor) == 0 &&
			   strcmp(back.groups, r.groups) == 0 && back.back == r.back);
		done = control_rule_progress(&r, 1000000);
		fuzz_check(done >= 0 && done <= 1);
		fuzz_check(control_rules_add(&list, &r) == 0);
		fuzz_check(control_rules_expand(&list, NULL, 1000000, out, 4) <= 1);
		control_rules_clear(&list);
		cJSON_free(again);
	}
	free(text);
	return 0;
}
