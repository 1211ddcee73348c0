/* SPDX-License-Identifier: Apache-2.0 */
/* A database: refused with a reason, or read into ranges that are in order. */
#include "fuzz.h"

#include "geo/mmdb.h"

#include <sys/mman.h>
#include <unistd.h>

static void check_order(const struct geo_cover *c)
{
	fuzz_check(c->n > 0 && c->r[0].start == 0);
	for (size_t i = 1; i < c->n; i++)
		fuzz_check(c->r[i - 1].start < c->r[i].start);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int fd = memfd_create("fuzz", MFD_CLOEXEC);
	struct geo_cover v4, v6;
	struct errbuf err = {""};
	char path[64];
	size_t n;
	const struct geo_isp *isps = geo_isp_default(&n);

	fuzz_check(fd >= 0 && write(fd, data, size) == (ssize_t)size);
	fuzz_check(geo_cover_init(&v4, 32) == 0 && geo_cover_init(&v6, 128) == 0);
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (geo_mmdb_read(path, isps, n, &v4, &v6, &err) != 0)
		fuzz_check(err.s[0]);
	check_order(&v4);
	check_order(&v6);
	geo_cover_done(&v4);
	geo_cover_done(&v6);
	(void)close(fd);
	return 0;
}
