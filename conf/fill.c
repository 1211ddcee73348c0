/* SPDX-License-Identifier: Apache-2.0 */
#include "conf/fill.h"

#include "conf/text.h"

#include <string.h>

struct filler {
	struct arena *arena;
	const struct conf_lines *lines;
	struct str folder; /* of the file, with the final slash; empty for none */
};

#define AT(base, offset, type) ((type *)(void *)((char *)(base) + (offset)))

static int fill_map(struct filler *f, const struct conf_type *type, char *base, uint32_t node);

/* The entries of a default list, divided by spaces. */
static int default_texts(struct filler *f, const struct conf_row *row, char *base)
{
	struct str rest = str_from(row->dflt), count = rest;
	char **v;
	uint32_t n = 0;

	while (count.n) {
		(void)str_cut(&count, ' ');
		n++;
	}
	v = arena_alloc(f->arena, n * sizeof(*v));
	if (!v)
		return SL_ENOMEM;
	for (uint32_t i = 0; i < n; i++) {
		struct str word = str_cut(&rest, ' ');
		v[i] = arena_strndup(f->arena, word.p, word.n);
		if (!v[i])
			return SL_ENOMEM;
	}
	*AT(base, row->offset, char **) = v;
	*AT(base, row->count, uint32_t) = n;
	return 0;
}

static int default_text(struct filler *f, const struct conf_row *row, char *base)
{
	if (!*row->dflt)
		return 0;
	*AT(base, row->offset, char *) = arena_strndup(f->arena, row->dflt, strlen(row->dflt));
	return *AT(base, row->offset, char *) ? 0 : SL_ENOMEM;
}

/* The row's default; the test of the rows holds that each is valid. */
static int default_value(struct filler *f, const struct conf_row *row, char *base)
{
	double v = 0;

	switch (row->kind) {
	case CONF_KIND_U32:
	case CONF_KIND_I32:
		(void)conf_number_parse(str_from(row->dflt), true, &v);
		if (row->kind == CONF_KIND_U32)
			*AT(base, row->offset, uint32_t) = (uint32_t)v;
		else
			*AT(base, row->offset, int32_t) = (int32_t)v;
		return 0;
	case CONF_KIND_NUM:
	case CONF_KIND_MBPS:
		v = CONF_UNSET;
		(void)conf_number_parse(str_from(row->dflt), false, &v);
		*AT(base, row->offset, double) = v;
		return 0;
	case CONF_KIND_BOOL:
		*AT(base, row->offset, bool) = strcmp(row->dflt, "true") == 0;
		return 0;
	case CONF_KIND_ENUM:
		*AT(base, row->offset, uint32_t) =
			(uint32_t)conf_word_find(row->words, str_from(row->dflt));
		return 0;
	case CONF_KIND_DAYS:
		*AT(base, row->offset, uint32_t) = CONF_ALL_DAYS;
		return 0;
	case CONF_KIND_TEXT:
	case CONF_KIND_CLOCK:
		return default_text(f, row, base);
	case CONF_KIND_TEXTS:
	case CONF_KIND_ADDRS:
	case CONF_KIND_PREFIXES:
		return default_texts(f, row, base);
	default:
		return 0;
	}
}

/* A host in the form it is compared in. */
static void host_normalise(char *s)
{
	size_t n = strlen(s);

	if (n && s[n - 1] == '.')
		s[--n] = 0;
	for (size_t i = 0; i < n; i++)
		if (s[i] >= 'A' && s[i] <= 'Z')
			s[i] = (char)(s[i] + ('a' - 'A'));
}

static int decode_text(struct filler *f, enum conf_text kind, char **text)
{
	if (!*text)
		return 0;
	if (kind == CONF_TEXT_HOST)
		host_normalise(*text);
	if (kind == CONF_TEXT_PATH && **text != '/' && f->folder.n)
		*text = arena_printf(f->arena, STR_FMT "%s", STR_ARG(f->folder), *text);
	return *text ? 0 : SL_ENOMEM;
}

static int decode_texts(struct filler *f, const struct conf_row *row, char *base)
{
	char **v = *AT(base, row->offset, char **);
	uint32_t n = *AT(base, row->count, uint32_t);
	int rc = 0;

	for (uint32_t i = 0; i < n && rc == 0; i++)
		rc = decode_text(f, row->text, &v[i]);
	return rc;
}

static int decode_addrs(struct filler *f, const struct conf_row *row, char *base)
{
	char **text = *AT(base, row->offset, char **);
	uint32_t n = *AT(base, row->count, uint32_t);
	struct ip *v = arena_alloc(f->arena, n * sizeof(*v));

	if (!v)
		return SL_ENOMEM;
	for (uint32_t i = 0; i < n; i++)
		(void)ip_parse(str_from(text[i]), &v[i]);
	*AT(base, row->decoded, struct ip *) = v;
	return 0;
}

static int decode_prefixes(struct filler *f, const struct conf_row *row, char *base)
{
	char **text = *AT(base, row->offset, char **);
	uint32_t n = *AT(base, row->count, uint32_t);
	struct conf_prefix *v = arena_alloc(f->arena, n * sizeof(*v));

	if (!v)
		return SL_ENOMEM;
	for (uint32_t i = 0; i < n; i++)
		(void)ip_parse_prefix(str_from(text[i]), &v[i].ip, &v[i].len);
	*AT(base, row->decoded, struct conf_prefix *) = v;
	return 0;
}

static int decode_value(struct filler *f, const struct conf_row *row, char *base)
{
	switch (row->kind) {
	case CONF_KIND_TEXT:
		return decode_text(f, row->text, AT(base, row->offset, char *));
	case CONF_KIND_TEXTS:
		return decode_texts(f, row, base);
	case CONF_KIND_CLOCK:
		*AT(base, row->decoded, uint32_t) =
			conf_clock_parse(*AT(base, row->offset, const char *));
		return 0;
	case CONF_KIND_ADDRS:
		return decode_addrs(f, row, base);
	case CONF_KIND_PREFIXES:
		return decode_prefixes(f, row, base);
	default:
		return 0;
	}
}

static int fill_maps(struct filler *f, const struct conf_row *row, char *base, uint32_t node)
{
	char *v = *AT(base, row->offset, char *);
	uint32_t n = *AT(base, row->count, uint32_t);
	uint32_t item = node ? conf_lines_at(f->lines, node)->child : 0;
	int rc = 0;

	for (uint32_t i = 0; i < n && rc == 0; i++) {
		sl_assert(item);
		rc = fill_map(f, row->type, v + (size_t)i * row->type->size, item);
		item = conf_lines_at(f->lines, item)->next;
	}
	return rc;
}

static int fill_map(struct filler *f, const struct conf_type *type, char *base, uint32_t node)
{
	int rc = 0;

	for (uint32_t i = 0; i < type->row_count && rc == 0; i++) {
		const struct conf_row *row = &type->rows[i];
		uint32_t below = conf_lines_find(f->lines, node, i);

		if (row->kind == CONF_KIND_MAP) {
			rc = fill_map(f, row->type, base + row->offset, below);
		} else if (row->kind == CONF_KIND_MAPS) {
			rc = fill_maps(f, row, base, below);
		} else {
			rc = below ? 0 : default_value(f, row, base);
			if (rc == 0)
				rc = decode_value(f, row, base);
		}
	}
	return rc;
}

int conf_fill(struct arena *arena, const struct conf_lines *lines, void *data, struct errbuf *err)
{
	const char *slash = strrchr(lines->file, '/');
	struct filler f = {.arena = arena, .lines = lines};

	f.folder = (struct str){lines->file, slash ? (size_t)(slash - lines->file) + 1 : 0};
	if (fill_map(&f, lines->type, data, 1) == 0)
		return 0;
	return err_set(err, SL_ENOMEM, "%s: out of memory for this file", lines->file);
}
