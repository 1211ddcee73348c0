/* SPDX-License-Identifier: Apache-2.0 */
/* A plan's definition as YAML or JSON: taken or refused with text; what is taken is taken again. */
#include "fuzz.h"

#include <cjson/cJSON.h>
#include <string.h>

#include "control/plan.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = strndup((const char *)data, size), *again;
	struct errbuf err = {""};
	struct plan_def d, e;

	fuzz_check(text);
	if (control_plan_parse("p", text, &d, &err) == 0) {
		fuzz_check(d.mode < PLAN_MODES && d.json);
		again = cJSON_PrintUnformatted(d.json);
		fuzz_check(again);
		fuzz_check(control_plan_parse("p", again, &e, &err) == 0);
		fuzz_check(e.mode == d.mode && e.hold_ms == d.hold_ms && e.for_ms == d.for_ms &&
			   e.has_when == d.has_when);
		control_plan_done(&e);
		control_plan_done(&d);
		cJSON_free(again);
	} else {
		fuzz_check(err.s[0]);
	}
	free(text);
	return 0;
}
