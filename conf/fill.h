/* SPDX-License-Identifier: Apache-2.0 */
/* After libcyaml: defaults for what is absent, and texts turned into what they mean. */
#pragma once

#include "base/arena.h"
#include "conf/lines.h"

/*
 * Walks the structure beside its lines. Paths are resolved against the folder of the file. Fails
 * only with SL_ENOMEM.
 */
int conf_fill(struct arena *arena, const struct conf_lines *lines, void *data, struct errbuf *err)
	SL_NONNULL(1, 2, 3);
