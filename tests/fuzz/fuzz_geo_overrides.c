/* SPDX-License-Identifier: Apache-2.0 */
/* Corrections: refused with the line, or compiled into a table that passes its check. */
#include "fuzz.h"

#include <string.h>

#include "geo/build.h"
#include "geo/file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct geo_names names = {0};
	struct geo_input in = {.overrides_name = "x",
		.overrides = {(const char *)data, size},
		.intern = geo_names_intern,
		.ctx = &names};
	struct errbuf err = {""};
	struct geo_table *t;
	size_t n;

	in.isps = geo_isp_default(&in.n_isps);
	if (geo_build(&in, &t, &n, &err) == 0) {
		fuzz_check(geo_table_check(t, n, &err) == 0);
		free(t);
	} else {
		fuzz_check(strncmp(err.s, "x:", 2) == 0 || strstr(err.s, "groups"));
	}
	geo_names_done(&names);
	return 0;
}
