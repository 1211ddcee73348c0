/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Functions nobody here calls: unbounded copies, hidden state, clocks outside base/os.c. The system
 * headers that declare them come first, so that only our uses are poisoned.
 */
#pragma once

#ifndef SL_ALLOW_CLOCK
#include <time.h>
#include <sys/time.h>
#endif
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#undef sprintf /* a macro of fortified headers under clang; a macro cannot be poisoned */
#pragma GCC poison strcpy strcat sprintf vsprintf strncpy strncat gets atoi atol strtok
#ifndef SL_ALLOW_CLOCK
#pragma GCC poison gettimeofday rand srand random srandom
#endif
/* alloca is a macro and cannot be poisoned: the lint test looks for it. */
