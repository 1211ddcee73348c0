/* SPDX-License-Identifier: Apache-2.0 */
/* What every fuzz target has: one entry point, and a check that ends the run. */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define fuzz_check(x) ((x) ? (void)0 : fuzz_failed(#x, __FILE__, __LINE__))

static inline void fuzz_failed(const char *what, const char *file, int line)
{
	(void)fprintf(stderr, "%s:%d: %s does not hold\n", file, line, what);
	abort();
}
