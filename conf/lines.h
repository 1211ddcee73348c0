/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The first pass over a file: holds the YAML against the rows (keys, kinds, bounds) and keeps the
 * line of every value. Internal to conf/.
 */
#pragma once

#include "base/arena.h"
#include "base/str.h"
#include "conf/rows.h"

enum { CONF_LINES_CHUNK = 4096, CONF_LINES_CHUNKS = 4096, CONF_NO_ROW = 0xffff };

/* A value: an entry of a list has row CONF_NO_ROW. Indices of 0 mean none; 1 is the root. */
struct conf_line_node {
	uint32_t line, next, child;
	uint16_t row; /* index into the rows of the parent's type */
	uint16_t unused;
};

struct conf_lines {
	const char *file;
	const struct conf_type *type;
	struct conf_line_node *chunks[CONF_LINES_CHUNKS];
	uint32_t used;
};

static inline struct conf_line_node *conf_lines_at(const struct conf_lines *l, uint32_t i)
{
	return &l->chunks[i / CONF_LINES_CHUNK][i % CONF_LINES_CHUNK];
}

/* The value of a row below a mapping's node, or 0. node 0 is an absent mapping. */
uint32_t conf_lines_find(const struct conf_lines *l, uint32_t node, uint32_t row) SL_NONNULL_ALL;

/* Reads and checks; SL_EFORMAT, SL_ELIMIT or SL_ENOMEM with err filled. The result is in the arena.
 */
int conf_lines_build(struct arena *arena, const char *file, const struct conf_type *type,
	struct str text, struct conf_lines **ret_lines, struct errbuf *err) SL_NONNULL(1, 2, 3, 5);

/* The line of a path, or of its nearest parent; *ret_depth: components found. */
uint32_t conf_lines_find_path(
	const struct conf_lines *l, const char *path, unsigned *ret_depth) SL_NONNULL_ALL;
