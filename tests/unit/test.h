/* SPDX-License-Identifier: Apache-2.0 */
/* cmocka with the headers it wants before it. Every unit test includes this first. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/attr.h"

/* The folder of data that is not ours to ship, or NULL where it is absent (then skip() with a
 * word). */
static inline const char *test_shared(char *path, size_t size, const char *name)
{
	const char *top = getenv("top_srcdir");
	FILE *f;

	(void)snprintf(path, size, "%s/../shared/%s", top ? top : ".", name);
	f = fopen(path, "r");
	if (!f) {
		(void)fprintf(stderr, "skipped: %s is absent\n", path);
		return NULL;
	}
	(void)fclose(f);
	return path;
}
