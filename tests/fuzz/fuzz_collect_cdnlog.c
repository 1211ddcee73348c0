/* SPDX-License-Identifier: Apache-2.0 */
/* The first line declares a format (separator, then columns), or names one behind '!'; the rest is
 * a log. What is taken has a time and a client. */
#include "fuzz.h"

#include "collect/cdnlog.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str text = {(const char *)data, size}, head = str_cut(&text, '\n');
	struct collect_log_format f;
	int rc;

	if (head.n < 1)
		return 0;
	if (head.p[0] == '!')
		rc = collect_log_named((struct str){head.p + 1, head.n - 1}, &f);
	else
		rc = collect_log_declared(head.p[0], (struct str){head.p + 1, head.n - 1}, &f);
	while (rc == 0 && text.n) {
		struct collect_line l;
		enum collect_refusal r = collect_log_line(&f, str_cut(&text, '\n'), &l);

		fuzz_check(r < COLLECT_REFUSALS);
		fuzz_check(r || (l.t_ms >= 0 && l.client.n > 0 && l.octets <= 1000000000000000));
	}
	return 0;
}
