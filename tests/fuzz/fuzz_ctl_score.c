/* SPDX-License-Identifier: Apache-2.0 */
/* Fleets as JSON lines: answered or refused, and what is answered is JSON. */
#include "fuzz.h"

#include "ctl/score.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *out = NULL, *why = NULL;
	size_t n = 0, m = 0;
	FILE *in, *to, *errs;
	int rc;

	if (size == 0)
		return 0;
	in = fmemopen((void *)(uintptr_t)data, size, "r");
	to = open_memstream(&out, &n);
	errs = open_memstream(&why, &m);
	fuzz_check(in && to && errs);
	rc = ctl_score_file(in, to, errs, data[0] != 't');
	(void)fclose(in);
	(void)fclose(to);
	(void)fclose(errs);
	fuzz_check((rc != 0) == (m != 0));
	free(out);
	free(why);
	return 0;
}
