/* SPDX-License-Identifier: Apache-2.0 */
/* libcyaml's view of the rows: fills the structures from text that conf_lines_build let through. */
#pragma once

#include "base/arena.h"
#include "base/str.h"
#include "conf/rows.h"

/*
 * Decodes the text of a file into a new structure of its type (struct conf_sluice or conf_catalog);
 * what is absent stays zero. All memory comes from the arena. SL_ENOMEM, or SL_EFORMAT where
 * libcyaml reads the text differently from the first pass.
 */
int conf_schema_load(struct arena *arena, const char *file, const struct conf_type *type,
	struct str text, void **ret_data, struct errbuf *err) SL_NONNULL(1, 2, 3, 5);

/* The same by a schema of the caller's own, for files that are not the daemon's; size: of the
 * structure. */
struct cyaml_schema_value;
int conf_schema_load_root(struct arena *arena, const char *file,
	const struct cyaml_schema_value *root, size_t size, struct str text, void **ret_data,
	struct errbuf *err) SL_NONNULL(1, 2, 3, 6);
