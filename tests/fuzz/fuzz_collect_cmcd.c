/* SPDX-License-Identifier: Apache-2.0 */
/* A set of CMCD keys as text and as JSON: what is taken has what a report must have. */
#include "fuzz.h"

#include "collect/cmcd.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct collect_cmcd_context vendor = {{"v", 1}};
	struct str text = {(const char *)data, size};

	for (int json = 0; json < 2; json++) {
		struct collect_report r;
		struct collect_verdict v = json ? collect_cmcd_json(text, &vendor, &r)
						: collect_cmcd_keys(text, &vendor, &r);

		fuzz_check(v.refusal < COLLECT_REFUSALS);
		if (v.refusal)
			continue;
		fuzz_check(collect_has(&r, COLLECT_F_session) && r.text.session.n <= 64);
		fuzz_check(collect_has(&r, COLLECT_F_stream) && r.text.stream.n <= 128);
		fuzz_check(!collect_has(&r, COLLECT_F_t_ms) || r.num.t_ms >= 0);
	}
	return 0;
}
