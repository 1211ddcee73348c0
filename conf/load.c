/* SPDX-License-Identifier: Apache-2.0 */
/* From a path to a checked configuration: read, lines, libcyaml, defaults, checks, for each file.
 */
#include "base/arena.h"
#include "conf/check.h"
#include "conf/conf.h"
#include "conf/fill.h"
#include "conf/lines.h"
#include "conf/rows.h"
#include "conf/schema.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What is made of a file is bigger than it: lines, texts, and lists that grew. */
enum { ARENA_MAX = 4 * SL_MAX_CONF_OCTETS, READ_STEP = 64 * 1024 };

/* The whole file in a block the caller frees. what: "cannot read FILE" prefixed by where. */
static int read_file(const char *file, char **ret_data, size_t *ret_size)
{
	FILE *f = fopen(file, "re");
	size_t size = 0, room = 0;
	char *data = NULL, *more;
	int rc = f ? 0 : -errno;

	while (rc == 0) {
		room = size + (size > READ_STEP ? size : READ_STEP);
		more = realloc(data, room);
		if (!more) {
			rc = SL_ENOMEM;
			break;
		}
		data = more;
		errno = 0;
		size += fread(data + size, 1, room - size, f);
		if (ferror(f))
			rc = errno ? -errno : SL_EIO;
		else if (size > SL_MAX_CONF_OCTETS)
			rc = SL_ELIMIT;
		else if (size < room)
			break;
	}
	if (f)
		(void)fclose(f);
	if (rc) {
		free(data);
		return rc;
	}
	*ret_data = data;
	*ret_size = size;
	return 0;
}

static int parse(struct arena *arena, const char *file, const struct conf_type *type,
	struct str text, void *ret_struct, const struct conf_lines **ret_lines, struct errbuf *err)
{
	struct conf_lines *lines;
	void *data = NULL;
	int rc = conf_lines_build(arena, file, type, text, &lines, err);

	if (rc == 0)
		rc = conf_schema_load(arena, file, type, text, &data, err);
	if (rc == 0)
		rc = conf_fill(arena, lines, data, err);
	if (rc)
		return rc;
	memcpy(ret_struct, data, type->size);
	*ret_lines = lines;
	return 0;
}

static int parse_sluice(struct conf *c, const char *file, struct str text, struct errbuf *err)
{
	int rc;

	c->sluice_file = arena_strndup(c->arena, file, strlen(file));
	if (!c->sluice_file)
		return err_set(err, SL_ENOMEM, "%s: out of memory", file);
	rc = parse(c->arena, c->sluice_file, &conf_type_conf_sluice, text, &c->sluice,
		&c->sluice_lines, err);
	if (rc == 0 && !c->sluice.store) {
		c->sluice.store = arena_printf(c->arena, "%s/store.db", c->sluice.state);
		rc = c->sluice.store ? 0 : err_set(err, SL_ENOMEM, "%s: out of memory", file);
	}
	return rc;
}

static int parse_catalog(struct conf *c, const char *file, struct str text, struct errbuf *err)
{
	c->catalog_file = file;
	return parse(
		c->arena, file, &conf_type_conf_catalog, text, &c->catalog, &c->catalog_lines, err);
}

/* catalog: what to read instead of its file; NULL: that. */
static int load_files(
	struct conf *c, const char *path, const struct str *catalog, struct errbuf *err)
{
	char *data = NULL;
	size_t size = 0;
	int rc = read_file(path, &data, &size);

	if (rc)
		return err_set(err, rc, "%s: cannot read: %s", path, sl_strerror(rc));
	rc = parse_sluice(c, path, (struct str){data, size}, err);
	free(data);
	if (rc)
		return rc;
	if (catalog)
		return parse_catalog(c, c->sluice.catalog, *catalog, err);
	rc = read_file(c->sluice.catalog, &data, &size);
	if (rc)
		return conf_refuse(c, err, rc, "catalog", "cannot read %s: %s", c->sluice.catalog,
			sl_strerror(rc));
	rc = parse_catalog(c, c->sluice.catalog, (struct str){data, size}, err);
	free(data);
	return rc;
}

static struct conf *conf_new(void)
{
	struct arena *arena = arena_new(ARENA_MAX);
	struct conf *c = arena ? arena_alloc(arena, sizeof(*c)) : NULL;

	if (c)
		c->arena = arena;
	else
		arena_free(arena);
	return c;
}

/* The end of both ways to load. */
static int finish(struct conf *c, int rc, struct conf **ret_conf, struct errbuf *err)
{
	if (rc == 0)
		rc = conf_check(c, err);
	if (rc == 0)
		*ret_conf = c;
	else
		conf_free(c);
	return rc;
}

int conf_load(const char *path, struct conf **ret_conf, struct errbuf *err)
{
	struct conf *c = conf_new();

	if (!c)
		return err_set(err, SL_ENOMEM, "%s: out of memory", path);
	return finish(c, load_files(c, path, NULL, err), ret_conf, err);
}

int conf_load_with(const char *path, const void *catalog, size_t catalog_size,
	struct conf **ret_conf, struct errbuf *err)
{
	struct str text = {catalog, catalog_size};
	struct conf *c = conf_new();

	if (!c)
		return err_set(err, SL_ENOMEM, "%s: out of memory", path);
	return finish(c, load_files(c, path, &text, err), ret_conf, err);
}

int conf_load_mem(const void *sluice, size_t sluice_size, const void *catalog, size_t catalog_size,
	struct conf **ret_conf, struct errbuf *err)
{
	struct conf *c = conf_new();
	int rc;

	if (!c)
		return err_set(err, SL_ENOMEM, "out of memory");
	rc = parse_sluice(c, "sluice.yaml", (struct str){sluice, sluice_size}, err);
	if (rc == 0)
		rc = parse_catalog(c, "catalog.yaml", (struct str){catalog, catalog_size}, err);
	return finish(c, rc, ret_conf, err);
}

void conf_free(struct conf *c)
{
	if (c)
		arena_free(c->arena);
}

unsigned conf_line(const struct conf *c, const char *path, const char **ret_file)
{
	unsigned depth = 0, line;

	if (c->catalog_lines) {
		line = conf_lines_find_path(c->catalog_lines, path, &depth);
		if (depth) {
			*ret_file = c->catalog_file;
			return line;
		}
	}
	*ret_file = c->sluice_file;
	return conf_lines_find_path(c->sluice_lines, path, &depth);
}

int conf_refuse(
	const struct conf *c, struct errbuf *err, int code, const char *path, const char *fmt, ...)
{
	char text[SL_ERRBUF_SIZE];
	const char *file;
	unsigned line = conf_line(c, path, &file);
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	return err_set(err, code, "%s:%u: %s: %s", file, line, path, text);
}

int conf_find_vendor(const struct conf_catalog *c, const char *name)
{
	for (uint32_t i = 0; i < c->vendors_count; i++)
		if (strcmp(c->vendors[i].name, name) == 0)
			return (int)i;
	return -1;
}

int conf_find_service(const struct conf_catalog *c, const char *name)
{
	for (uint32_t i = 0; i < c->services_count; i++)
		if (strcmp(c->services[i].name, name) == 0)
			return (int)i;
	return -1;
}
