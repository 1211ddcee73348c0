/* SPDX-License-Identifier: Apache-2.0 */
/* Memory of an object that is built and dropped whole: configuration, geo table, world builder. */
#pragma once

#include <stdarg.h>
#include <stddef.h>

#include "base/attr.h"
#include "base/str.h"

struct arena;

/* A new arena that refuses to grow past max octets. NULL when out of memory. Caller frees. */
struct arena *arena_new(size_t max) SL_WUNUSED;

/* Frees the arena and all it gave out. NULL is fine. */
void arena_free(struct arena *a);

/* n zeroed octets aligned for any type, or NULL (out of memory, or past max). Owned by the arena.
 */
void *arena_alloc(struct arena *a, size_t n) SL_NONNULL(1) SL_WUNUSED;

/* NUL-terminated copies, or NULL. Owned by the arena. */
char *arena_strndup(struct arena *a, const char *p, size_t n) SL_NONNULL(1) SL_WUNUSED;
char *arena_printf(struct arena *a, const char *fmt, ...) SL_NONNULL(1) SL_PRINTF(2, 3) SL_WUNUSED;
