/* SPDX-License-Identifier: Apache-2.0 */
/* Attributes that are part of a prototype, and the assertion that stays on in release builds. */
#pragma once

#include "base/banned.h"

#define SL_NONNULL(...) __attribute__((nonnull(__VA_ARGS__)))
#define SL_NONNULL_ALL  __attribute__((nonnull))
#define SL_PURE         __attribute__((pure))
#define SL_WUNUSED      __attribute__((warn_unused_result))
#define SL_PRINTF(f, a) __attribute__((format(printf, f, a)))
#define SL_NORETURN     __attribute__((noreturn))
#define SL_UNUSED       __attribute__((unused))
/* All that it calls becomes part of it: for the steps of the query path, whose callees have other
 * callers too. */
#define SL_FLATTEN    __attribute__((flatten))
#define SL_ALIGNED(n) __attribute__((aligned(n)))
#define SL_LIKELY(x)  __builtin_expect(!!(x), 1)

#define SL_COUNT(a)  (sizeof(a) / sizeof((a)[0]))
#define SL_MIN(a, b) ((a) < (b) ? (a) : (b))
#define SL_MAX(a, b) ((a) > (b) ? (a) : (b))

/* Says where and what, then aborts. Defined in err.c. */
SL_NORETURN void sl_assert_failed(const char *file, int line, const char *what);

/* States what cannot happen. Stays on in release; never a side effect, never for input. */
#define sl_assert(x) (SL_LIKELY(x) ? (void)0 : sl_assert_failed(__FILE__, __LINE__, #x))
