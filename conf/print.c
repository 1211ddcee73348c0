/* SPDX-License-Identifier: Apache-2.0 */
/* The rows as text: defaults with their documentation, and a loaded configuration as YAML. */
#include "conf/print.h"

#include "base/str.h"
#include "conf/lines.h"
#include "conf/text.h"

#include <stdlib.h>
#include <string.h>

#define AT(base, offset, type) ((type const *)(const void *)((const char *)(base) + (offset)))

static void print_words(FILE *out, const struct conf_words *w)
{
	for (uint32_t i = 0; i < w->n; i++)
		(void)fprintf(out, "%s%s", i ? ", " : "", w->v[i]);
}

void conf_print_kind(FILE *out, const struct conf_row *row)
{
	const char *space = *row->unit ? " " : "";

	switch (row->kind) {
	case CONF_KIND_TEXT:
	case CONF_KIND_CLOCK:
		(void)fputs(conf_text_want(row->text), out);
		break;
	case CONF_KIND_TEXTS:
	case CONF_KIND_ADDRS:
	case CONF_KIND_PREFIXES:
		(void)fprintf(out, "list, %.0f to %.0f entries, each %s", row->min, row->max,
			conf_text_want(row->text));
		break;
	case CONF_KIND_U32:
	case CONF_KIND_I32:
		(void)fprintf(out, "whole number, %.0f to %.0f%s%s", row->min, row->max, space,
			row->unit);
		break;
	case CONF_KIND_NUM:
	case CONF_KIND_MBPS:
		(void)fprintf(
			out, "number, %.10g to %.10g%s%s", row->min, row->max, space, row->unit);
		break;
	case CONF_KIND_U32S:
		(void)fprintf(out, "list of whole numbers, at most %.0f", row->max);
		break;
	case CONF_KIND_BOOL:
		(void)fputs("true or false", out);
		break;
	case CONF_KIND_ENUM:
		(void)fputs("one of ", out);
		print_words(out, row->words);
		break;
	case CONF_KIND_DAYS:
		(void)fputs("list of ", out);
		print_words(out, row->words);
		break;
	case CONF_KIND_MAP:
		(void)fputs("mapping", out);
		break;
	case CONF_KIND_MAPS:
		(void)fprintf(out, "list of mappings, %.0f to %.0f", row->min, row->max);
		break;
	}
}

static void quoted(FILE *out, struct str s)
{
	(void)fputc('"', out);
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '"' || s.p[i] == '\\')
			(void)fputc('\\', out);
		(void)fputc(s.p[i], out);
	}
	(void)fputc('"', out);
}

static void print_default(FILE *out, const struct conf_row *row)
{
	struct str rest = str_from(row->dflt);
	const char *comma = "";

	if (!conf_kind_is_list(row->kind)) {
		(void)fputs(row->dflt, out);
		return;
	}
	(void)fputc('[', out);
	while (rest.n) {
		(void)fputs(comma, out);
		quoted(out, str_cut(&rest, ' '));
		comma = ", ";
	}
	(void)fputc(']', out);
}

/* mark: "#" where the lines are a form to fill in, "" where they can stand as they are. */
static void defaults_of(
	FILE *out, const struct conf_type *type, int indent, const char *mark, const char *dash)
{
	for (uint32_t i = 0; i < type->row_count; i++) {
		const struct conf_row *row = &type->rows[i];
		bool given = row->dflt && *row->dflt;
		bool map = row->kind == CONF_KIND_MAP;

		(void)fprintf(out, "%s%*s# %s (", mark, indent, "", row->doc);
		conf_print_kind(out, row);
		(void)fprintf(out, "%s%s)\n%s%*s%s%s:", row->dflt ? "" : "; must be given",
			row->at_start ? "; read at start only" : "", given || map ? mark : "#",
			SL_MAX(0, indent - (int)strlen(dash)), "", dash, row->key);
		dash = "";
		if (given) {
			(void)fputc(' ', out);
			print_default(out, row);
		}
		(void)fputc('\n', out);
		if (row->type)
			defaults_of(out, row->type, indent + (map ? 2 : 4), map ? mark : "#",
				map ? "" : "- ");
	}
}

void conf_print_defaults(FILE *out)
{
	(void)fputs("# sluice.yaml\n", out);
	defaults_of(out, &conf_type_conf_sluice, 0, "", "");
	(void)fputs("---\n# catalog.yaml\n", out);
	defaults_of(out, &conf_type_conf_catalog, 0, "#", "");
}

static void dump_texts(FILE *out, const struct conf_row *row, const void *base)
{
	const char *const *v = *AT(base, row->offset, const char *const *);

	for (uint32_t i = 0; i < *AT(base, row->count, uint32_t); i++) {
		(void)fputs(i ? ", " : "", out);
		quoted(out, str_from(v[i]));
	}
}

static void dump_list(FILE *out, const struct conf_row *row, const void *base)
{
	const char *comma = "";

	(void)fputc('[', out);
	if (row->kind == CONF_KIND_U32S) {
		const uint32_t *v = *AT(base, row->offset, uint32_t *);
		for (uint32_t i = 0; i < *AT(base, row->count, uint32_t); i++, comma = ", ")
			(void)fprintf(out, "%s%u", comma, v[i]);
	} else if (row->kind == CONF_KIND_DAYS) {
		for (uint32_t i = 0; i < row->words->n; i++)
			if (*AT(base, row->offset, uint32_t) >> i & 1) {
				(void)fprintf(out, "%s%s", comma, row->words->v[i]);
				comma = ", ";
			}
	} else {
		dump_texts(out, row, base);
	}
	(void)fputc(']', out);
}

static bool is_absent(const struct conf_row *row, const void *base)
{
	if (row->kind == CONF_KIND_TEXT)
		return !*AT(base, row->offset, char *);
	if (row->kind == CONF_KIND_NUM || row->kind == CONF_KIND_MBPS)
		return *AT(base, row->offset, double) < 0;
	return row->kind == CONF_KIND_MAPS && *AT(base, row->count, uint32_t) == 0;
}

static void dump_scalar(FILE *out, const struct conf_row *row, const void *base)
{
	switch (row->kind) {
	case CONF_KIND_U32:
		(void)fprintf(out, "%u", *AT(base, row->offset, uint32_t));
		break;
	case CONF_KIND_I32:
		(void)fprintf(out, "%d", *AT(base, row->offset, int32_t));
		break;
	case CONF_KIND_NUM:
	case CONF_KIND_MBPS:
		(void)fprintf(out, "%.15g", *AT(base, row->offset, double));
		break;
	case CONF_KIND_BOOL:
		(void)fputs(*AT(base, row->offset, bool) ? "true" : "false", out);
		break;
	case CONF_KIND_ENUM:
		(void)fputs(row->words->v[*AT(base, row->offset, uint32_t)], out);
		break;
	default:
		quoted(out, str_from(*AT(base, row->offset, char *)));
		break;
	}
}

/* dash: what stands before the first key of a list's entry; the others are aligned with it. */
static void dump_map(
	FILE *out, const struct conf_type *type, const void *base, int indent, const char *dash)
{
	for (uint32_t i = 0; i < type->row_count; i++) {
		const struct conf_row *row = &type->rows[i];
		const char *entries;

		if (is_absent(row, base))
			continue;
		(void)fprintf(
			out, "%*s%s%s:", SL_MAX(0, indent - (int)strlen(dash)), "", dash, row->key);
		dash = "";
		if (row->kind == CONF_KIND_MAP) {
			(void)fputc('\n', out);
			dump_map(out, row->type, AT(base, row->offset, char), indent + 2, "");
			continue;
		}
		if (row->kind == CONF_KIND_MAPS) {
			(void)fputc('\n', out);
			entries = *AT(base, row->offset, char *);
			for (uint32_t k = 0; k < *AT(base, row->count, uint32_t); k++)
				dump_map(out, row->type, entries + (size_t)k * row->type->size,
					indent + 4, "- ");
			continue;
		}
		(void)fputc(' ', out);
		if (conf_kind_is_list(row->kind))
			dump_list(out, row, base);
		else
			dump_scalar(out, row, base);
		(void)fputc('\n', out);
	}
}

void conf_dump(const struct conf *c, FILE *out)
{
	(void)fprintf(out, "# %s\n", c->sluice_file);
	dump_map(out, &conf_type_conf_sluice, &c->sluice, 0, "");
	(void)fprintf(out, "---\n# %s\n", c->catalog_file);
	dump_map(out, &conf_type_conf_catalog, &c->catalog, 0, "");
}

enum { PATH_SIZE = 160 };

struct walk {
	const struct conf_lines *lines;
	conf_value_fn *fn;
	void *ctx;
};

/* The line where a row below a node was given, 0 where it was not. */
static unsigned line_of(const struct walk *w, uint32_t node, uint32_t row, uint32_t *ret_node)
{
	*ret_node = node && w->lines ? conf_lines_find(w->lines, node, row) : 0;
	return *ret_node ? conf_lines_at(w->lines, *ret_node)->line : 0;
}

static void tell(const struct walk *w, const struct conf_row *row, const void *base,
	const char *path, unsigned line)
{
	bool number = row->kind == CONF_KIND_U32 || row->kind == CONF_KIND_I32 ||
		      row->kind == CONF_KIND_NUM || row->kind == CONF_KIND_MBPS;
	char *text = NULL;
	size_t n;
	FILE *out = open_memstream(&text, &n);

	if (!out)
		return;
	if (conf_kind_is_list(row->kind))
		dump_list(out, row, base);
	else if (row->kind == CONF_KIND_TEXT || row->kind == CONF_KIND_CLOCK)
		(void)fputs(*AT(base, row->offset, char *), out);
	else
		dump_scalar(out, row, base);
	if (fclose(out) == 0)
		w->fn(w->ctx, path, text, number, w->lines ? w->lines->file : "", line);
	free(text);
}

static void each_of(const struct walk *w, const struct conf_type *type, const void *base,
	uint32_t node, const char *prefix)
{
	for (uint32_t i = 0; i < type->row_count; i++) {
		const struct conf_row *row = &type->rows[i];
		char path[PATH_SIZE], entry[PATH_SIZE + 16];
		const char *entries;
		uint32_t below;
		unsigned line = line_of(w, node, i, &below);

		if (is_absent(row, base))
			continue;
		(void)snprintf(path, sizeof(path), "%s%s%s", prefix, *prefix ? "." : "", row->key);
		if (row->kind == CONF_KIND_MAP) {
			each_of(w, row->type, AT(base, row->offset, char), below, path);
		} else if (row->kind == CONF_KIND_MAPS) {
			below = below ? conf_lines_at(w->lines, below)->child : 0;
			entries = *AT(base, row->offset, char *);
			for (uint32_t k = 0; k < *AT(base, row->count, uint32_t); k++) {
				(void)snprintf(entry, sizeof(entry), "%s[%u]", path, k);
				each_of(w, row->type, entries + (size_t)k * row->type->size, below,
					entry);
				below = below ? conf_lines_at(w->lines, below)->next : 0;
			}
		} else {
			tell(w, row, base, path, line);
		}
	}
}

void conf_each_value(const struct conf *c, conf_value_fn *fn, void *ctx)
{
	struct walk w = {c->sluice_lines, fn, ctx};

	each_of(&w, &conf_type_conf_sluice, &c->sluice, 1, "");
	w.lines = c->catalog_lines;
	each_of(&w, &conf_type_conf_catalog, &c->catalog, 1, "");
}
