/* SPDX-License-Identifier: Apache-2.0 */
/* The loader over octets: the machine's file, the line "# catalogue", then the catalogue. */
#include "fuzz.h"

#include <string.h>

#include "conf/conf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char mark[] = "# catalogue\n";
	const uint8_t *at = size ? memmem(data, size, mark, sizeof(mark) - 1) : NULL;
	size_t head = at ? (size_t)(at - data) : 0;
	struct errbuf err = {{0}};
	struct conf *c;
	int rc = conf_load_mem(
		at ? (const void *)data : "{}", at ? head : 2, data + head, size - head, &c, &err);

	if (rc == 0) {
		FILE *null = fopen("/dev/null", "w");
		fuzz_check(null);
		conf_dump(c, null);
		(void)fclose(null);
		conf_free(c);
	} else {
		fuzz_check(err.s[0]);
	}
	return 0;
}
