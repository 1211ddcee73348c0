/* SPDX-License-Identifier: Apache-2.0 */
#include "conf/lines.h"

#include "conf/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

enum { PATH_SIZE = 256, WANT_SIZE = 256, SHOWN_MAX = 40 };

struct reader {
	yaml_parser_t parser;
	yaml_event_t ev; /* the current event; owned */
	struct conf_lines *lines;
	struct arena *arena;
	struct errbuf *err;
	struct str text;
	char path[PATH_SIZE];
	size_t path_len;
};

static int fault(struct reader *r, uint32_t line, int code, const char *fmt, ...) SL_PRINTF(4, 5);

static int fault(struct reader *r, uint32_t line, int code, const char *fmt, ...)
{
	char text[SL_ERRBUF_SIZE];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	return err_set(r->err, code, "%s:%u: %s%s%s", r->lines->file, line, r->path,
		r->path_len ? ": " : "", text);
}

/* A value as it may be shown: quoted, cut, without what a terminal would act on. */
static const char *shown(struct str s, char out[static SHOWN_MAX + 8])
{
	size_t n = 0;

	if (s.n == 0)
		return "nothing";
	out[n++] = '"';
	for (size_t i = 0; i < s.n && i < SHOWN_MAX; i++) {
		unsigned char c = (unsigned char)s.p[i];
		out[n++] = c < 0x20 || c >= 0x7f ? '?' : (char)c;
	}
	out[n++] = '"';
	out[n] = 0;
	if (s.n > SHOWN_MAX)
		memcpy(out + n, "...", 4);
	return out;
}

static uint32_t here(const struct reader *r)
{
	return (uint32_t)r->ev.start_mark.line + 1;
}

static struct str scalar(const struct reader *r)
{
	return (struct str){(const char *)r->ev.data.scalar.value, r->ev.data.scalar.length};
}

/* The length to go back to with path_cut. */
static size_t path_add(struct reader *r, const char *fmt, ...) SL_PRINTF(2, 3);

static size_t path_add(struct reader *r, const char *fmt, ...)
{
	size_t was = r->path_len;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(r->path + was, sizeof(r->path) - was, fmt, ap);
	va_end(ap);
	sl_assert(n >= 0 && was + (size_t)n < sizeof(r->path));
	r->path_len = was + (size_t)n;
	return was;
}

static void path_cut(struct reader *r, size_t len)
{
	r->path_len = len;
	r->path[len] = 0;
}

static int node_new(struct reader *r, uint32_t line, uint32_t row, uint32_t *ret_node)
{
	struct conf_lines *l = r->lines;
	uint32_t i = l->used, chunk = i / CONF_LINES_CHUNK;

	if (chunk >= CONF_LINES_CHUNKS)
		return fault(r, line, SL_ELIMIT, "too many values in the file");
	if (!l->chunks[chunk]) {
		l->chunks[chunk] =
			arena_alloc(r->arena, CONF_LINES_CHUNK * sizeof(struct conf_line_node));
		if (!l->chunks[chunk])
			return fault(r, line, SL_ENOMEM, "out of memory for this file");
	}
	*conf_lines_at(l, i) = (struct conf_line_node){.line = line, .row = (uint16_t)row};
	l->used++;
	*ret_node = i;
	return 0;
}

/* What libyaml says; of octets that are no text it knows only the offset. */
static int not_yaml(struct reader *r)
{
	const yaml_parser_t *p = &r->parser;
	size_t line = SL_MAX(p->problem_mark.line, p->mark.line) + 1;

	memset(&r->ev, 0, sizeof(r->ev));
	if (p->error == YAML_READER_ERROR) {
		line = 1;
		for (size_t i = 0; i < r->text.n && i < p->problem_offset; i++)
			line += r->text.p[i] == '\n';
	}
	path_cut(r, 0);
	return fault(r, (uint32_t)line, p->error == YAML_MEMORY_ERROR ? SL_ENOMEM : SL_EFORMAT,
		"not readable as YAML, %s", p->problem ? p->problem : "no reason given");
}

/* Steps to the next event. Aliases, anchors and tags are refused: nothing here needs them. */
static int step(struct reader *r)
{
	const unsigned char *anchor = NULL, *tag = NULL;

	yaml_event_delete(&r->ev);
	if (!yaml_parser_parse(&r->parser, &r->ev))
		return not_yaml(r);
	if (r->ev.type == YAML_SCALAR_EVENT) {
		anchor = r->ev.data.scalar.anchor;
		tag = r->ev.data.scalar.tag;
	} else if (r->ev.type == YAML_SEQUENCE_START_EVENT) {
		anchor = r->ev.data.sequence_start.anchor;
		tag = r->ev.data.sequence_start.tag;
	} else if (r->ev.type == YAML_MAPPING_START_EVENT) {
		anchor = r->ev.data.mapping_start.anchor;
		tag = r->ev.data.mapping_start.tag;
	}
	if (anchor || r->ev.type == YAML_ALIAS_EVENT)
		return fault(r, here(r), SL_EFORMAT, "anchor or alias, want plain values");
	if (tag)
		return fault(r, here(r), SL_EFORMAT, "tag, want plain values");
	return 0;
}

static const char *kind_of_event(const struct reader *r)
{
	switch (r->ev.type) {
	case YAML_SEQUENCE_START_EVENT:
		return "a list";
	case YAML_MAPPING_START_EVENT:
		return "a mapping";
	default:
		return scalar(r).n ? "a single value" : "nothing";
	}
}

static int want_event(struct reader *r, yaml_event_type_t type, const char *want)
{
	if (r->ev.type == type)
		return 0;
	return fault(r, here(r), SL_EFORMAT, "wrong kind, got %s, want %s", kind_of_event(r), want);
}

static int read_scalar(struct reader *r, const struct conf_row *row)
{
	char want[WANT_SIZE], got[SHOWN_MAX + 8];
	const char *what;

	if (r->ev.type != YAML_SCALAR_EVENT)
		return want_event(r, YAML_SCALAR_EVENT, "a single value");
	if (conf_scalar_check(row, scalar(r), &what, want, sizeof(want)))
		return 0;
	return fault(
		r, here(r), SL_EFORMAT, "%s, got %s, want %s", what, shown(scalar(r), got), want);
}

static int read_map(struct reader *r, const struct conf_type *type, uint32_t node);

static int read_list(struct reader *r, const struct conf_row *row, uint32_t node)
{
	uint32_t line = here(r), last = 0, n = 0;
	int rc = want_event(r, YAML_SEQUENCE_START_EVENT, "a list");

	while (rc == 0 && (rc = step(r)) == 0 && r->ev.type != YAML_SEQUENCE_END_EVENT) {
		uint32_t item;
		size_t was;

		if (n >= row->max)
			return fault(r, here(r), SL_ELIMIT,
				"too many entries, got %u, want at most %.0f", n + 1, row->max);
		was = path_add(r, "[%u]", n++);
		rc = node_new(r, here(r), CONF_NO_ROW, &item);
		if (rc)
			return rc;
		*(last ? &conf_lines_at(r->lines, last)->next
		       : &conf_lines_at(r->lines, node)->child) = item;
		last = item;
		rc = row->type ? read_map(r, row->type, item) : read_scalar(r, row);
		if (rc == 0)
			path_cut(r, was);
	}
	if (rc == 0 && n < row->min)
		return fault(r, line, SL_EFORMAT, "too few entries, got %u, want at least %.0f", n,
			row->min);
	return rc;
}

static int read_value(struct reader *r, const struct conf_row *row, uint32_t node)
{
	if (row->kind == CONF_KIND_MAP)
		return read_map(r, row->type, node);
	return conf_kind_is_list(row->kind) ? read_list(r, row, node) : read_scalar(r, row);
}

static int unknown_key(struct reader *r, const struct conf_type *type)
{
	char got[SHOWN_MAX + 8], want[WANT_SIZE];
	size_t n = 0;

	for (uint32_t i = 0; i < type->row_count && n < sizeof(want); i++)
		n += (size_t)snprintf(
			want + n, sizeof(want) - n, "%s%s", i ? ", " : "", type->rows[i].key);
	return fault(r, here(r), SL_EFORMAT, "unknown key, got %s, want one of %s",
		shown(scalar(r), got), want);
}

/* The row of the key in the current event, marked in seen. */
static int read_key(
	struct reader *r, const struct conf_type *type, uint64_t *seen, uint32_t *ret_row)
{
	uint32_t i = 0;

	if (r->ev.type != YAML_SCALAR_EVENT)
		return want_event(r, YAML_SCALAR_EVENT, "a key");
	while (i < type->row_count && !str_eq_z(scalar(r), type->rows[i].key))
		i++;
	if (i == type->row_count)
		return unknown_key(r, type);
	if (*seen >> i & 1) {
		(void)path_add(r, "%s%s", r->path_len ? "." : "", type->rows[i].key);
		return fault(r, here(r), SL_EFORMAT, "key given twice, want it once");
	}
	*seen |= UINT64_C(1) << i;
	*ret_row = i;
	return 0;
}

static int missing_keys(
	struct reader *r, const struct conf_type *type, uint64_t seen, uint32_t line)
{
	for (uint32_t i = 0; i < type->row_count; i++) {
		if (type->rows[i].dflt || seen >> i & 1)
			continue;
		(void)path_add(r, "%s%s", r->path_len ? "." : "", type->rows[i].key);
		return fault(r, line, SL_EFORMAT, "missing, got nothing, want it given: %s",
			type->rows[i].doc);
	}
	return 0;
}

/* Depth is bounded by that of the rows: what nests deeper is of the wrong kind. */
static int read_map(struct reader *r, const struct conf_type *type, uint32_t node)
{
	uint32_t line = here(r), last = 0;
	uint64_t seen = 0;
	int rc = want_event(r, YAML_MAPPING_START_EVENT, "a mapping");

	sl_assert(type->row_count < 64);
	while (rc == 0 && (rc = step(r)) == 0 && r->ev.type != YAML_MAPPING_END_EVENT) {
		uint32_t row = 0, child = 0, key_line = here(r);
		size_t was;

		rc = read_key(r, type, &seen, &row);
		if (rc)
			return rc;
		was = path_add(r, "%s%s", r->path_len ? "." : "", type->rows[row].key);
		rc = node_new(r, key_line, row, &child);
		if (rc == 0)
			rc = step(r);
		if (rc)
			return rc;
		*(last ? &conf_lines_at(r->lines, last)->next
		       : &conf_lines_at(r->lines, node)->child) = child;
		last = child;
		rc = read_value(r, &type->rows[row], child);
		if (rc == 0)
			path_cut(r, was);
	}
	return rc ? rc : missing_keys(r, type, seen, line);
}

static int read_document(struct reader *r)
{
	uint32_t root;
	int rc = step(r);

	if (rc == 0)
		rc = step(r);
	if (rc)
		return rc;
	if (r->ev.type == YAML_STREAM_END_EVENT)
		return fault(r, 1, SL_EFORMAT, "the file is empty, want a mapping");
	rc = step(r);
	r->lines->used = 1;
	if (rc == 0)
		rc = node_new(r, here(r), CONF_NO_ROW, &root);
	if (rc == 0)
		rc = read_map(r, r->lines->type, root);
	if (rc == 0)
		rc = step(r);
	if (rc == 0)
		rc = step(r);
	if (rc == 0 && r->ev.type != YAML_STREAM_END_EVENT)
		return fault(r, here(r), SL_EFORMAT, "a second document, want one");
	return rc;
}

int conf_lines_build(struct arena *arena, const char *file, const struct conf_type *type,
	struct str text, struct conf_lines **ret_lines, struct errbuf *err)
{
	struct reader r = {.arena = arena, .err = err, .text = text};
	int rc;

	r.lines = arena_alloc(arena, sizeof(*r.lines));
	if (!r.lines || !yaml_parser_initialize(&r.parser))
		return err_set(err, SL_ENOMEM, "%s: out of memory", file);
	r.lines->file = file;
	r.lines->type = type;
	yaml_parser_set_input_string(&r.parser, (const unsigned char *)text.p, text.n);
	rc = read_document(&r);
	yaml_event_delete(&r.ev);
	yaml_parser_delete(&r.parser);
	if (rc == 0)
		*ret_lines = r.lines;
	return rc;
}

uint32_t conf_lines_find(const struct conf_lines *l, uint32_t node, uint32_t row)
{
	uint32_t i = node ? conf_lines_at(l, node)->child : 0;

	while (i && conf_lines_at(l, i)->row != row)
		i = conf_lines_at(l, i)->next;
	return i;
}

static uint32_t find_entry(const struct conf_lines *l, uint32_t node, unsigned long index)
{
	uint32_t i = conf_lines_at(l, node)->child;

	while (i && index--)
		i = conf_lines_at(l, i)->next;
	return i;
}

/* Takes KEY or KEY[N] off the path: the node below, or 0; *type becomes that of the mapping there.
 */
static uint32_t find_component(
	const struct conf_lines *l, uint32_t node, const struct conf_type **type, const char **path)
{
	size_t n = strcspn(*path, ".[");
	uint32_t row = 0, i;

	while (*type && row < (*type)->row_count &&
		!str_eq_z((struct str){*path, n}, (*type)->rows[row].key))
		row++;
	if (!*type || row == (*type)->row_count)
		return 0;
	i = conf_lines_find(l, node, row);
	*type = (*type)->rows[row].type;
	*path += n;
	return i;
}

uint32_t conf_lines_find_path(const struct conf_lines *l, const char *path, unsigned *ret_depth)
{
	const struct conf_type *type = l->type;
	uint32_t node = 1, below;
	unsigned depth = 0;

	while (*path) {
		if (*path == '[') {
			char *end;
			unsigned long index = strtoul(path + 1, &end, 10);
			below = find_entry(l, node, index);
			path = *end == ']' ? end + 1 : "";
		} else {
			path += *path == '.';
			below = find_component(l, node, &type, &path);
		}
		if (!below)
			break;
		node = below;
		depth++;
	}
	*ret_depth = depth;
	return conf_lines_at(l, node)->line;
}
