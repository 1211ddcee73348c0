/* SPDX-License-Identifier: Apache-2.0 */
/* The file of a compiled table with its names: built and checked in memory, written by others. */
#include "geo/file.h"

#include "base/hash.h"
#include "base/limits.h"
#include "geo/build.h"

#include <stdlib.h>

uint16_t geo_names_intern(void *ctx, struct str name, const struct geo_place *place)
{
	struct geo_names *names = ctx;
	char **grown;

	(void)place;
	if (names->n == SL_MAX_GROUPS)
		return GEO_REFUSED;
	grown = realloc(names->name, (names->n + 1) * sizeof(*grown));
	if (!grown)
		return GEO_REFUSED;
	names->name = grown;
	grown[names->n] = strndup(name.p, name.n);
	return grown[names->n] ? (uint16_t)names->n++ : GEO_REFUSED;
}

void geo_names_done(struct geo_names *names)
{
	for (size_t i = 0; i < names->n; i++)
		free(names->name[i]);
	free(names->name);
	*names = (struct geo_names){0};
}

static uint64_t checksum(const struct geo_file *f)
{
	return hash64(f + 1, (size_t)f->size - sizeof(*f), 0);
}

int geo_file_build(const struct geo_names *names, const struct geo_table *table,
	struct geo_file **ret_file, struct errbuf *err)
{
	struct geo_file h = {.magic = GEO_FILE_MAGIC, .version = GEO_FILE_VERSION}, *f;
	char *at;

	for (size_t i = 0; i < names->n; i++)
		h.names_size += (uint32_t)strlen(names->name[i]) + 1;
	h.n_names = (uint32_t)names->n;
	h.table = (sizeof(h) + h.names_size + 7) & ~(uint64_t)7;
	h.size = h.table + table->size;
	f = calloc(1, (size_t)h.size);
	if (!f)
		return err_set(err, SL_ENOMEM, "geo file: out of memory");
	*f = h;
	at = (char *)(f + 1);
	for (size_t i = 0; i < names->n; i++) {
		size_t n = strlen(names->name[i]) + 1;

		memcpy(at, names->name[i], n);
		at += n;
	}
	memcpy((char *)f + f->table, table, (size_t)table->size);
	f->checksum = checksum(f);
	*ret_file = f;
	return 0;
}

static int check_names(const struct geo_file *f, struct errbuf *err)
{
	struct str rest = {(const char *)(f + 1), f->names_size};
	uint32_t n = 0;

	if (rest.n == 0 || rest.p[rest.n - 1] != '\0')
		return err_set(err, SL_EFORMAT, "geo file: names do not end");
	for (; rest.n; n++) {
		struct str name = str_cut(&rest, '\0');

		if (name.n == 0 || name.n >= SL_MAX_NAME)
			return err_set(
				err, SL_EFORMAT, "geo file: name %u of %zu octets", n, name.n);
	}
	if (n != f->n_names)
		return err_set(err, SL_EFORMAT, "geo file: %u names, says %u", n, f->n_names);
	return 0;
}

int geo_file_check(const void *p, size_t n, struct errbuf *err)
{
	const struct geo_file *f = p;
	int rc;

	if (n < sizeof(*f) || memcmp(f->magic, GEO_FILE_MAGIC, sizeof(f->magic)) != 0)
		return err_set(err, SL_EFORMAT, "geo file: not one of sluice-geo");
	if (f->version != GEO_FILE_VERSION)
		return err_set(err, SL_EVERSION, "geo file: version %u, want %d", f->version,
			GEO_FILE_VERSION);
	if (f->size != n || f->zero != 0 || f->names_size > n - sizeof(*f) ||
		f->table != ((sizeof(*f) + f->names_size + 7) & ~(uint64_t)7) || f->table > n)
		return err_set(err, SL_EFORMAT, "geo file: parts do not fit its %zu octets", n);
	if (f->checksum != checksum(f))
		return err_set(err, SL_ECHECKSUM, "geo file: the checksum does not match");
	if ((rc = check_names(f, err)) != 0)
		return rc;
	rc = geo_table_check(geo_file_table(f), n - (size_t)f->table, err);
	if (rc == 0 && geo_file_table(f)->n_groups > f->n_names)
		return err_set(err, SL_EFORMAT, "geo file: %u groups, %u names",
			geo_file_table(f)->n_groups, f->n_names);
	return rc;
}

const struct geo_table *geo_file_table(const struct geo_file *f)
{
	return (const void *)((const char *)f + f->table);
}

void geo_file_names(const struct geo_file *f, struct str *ret_names)
{
	struct str rest = {(const char *)(f + 1), f->names_size};

	for (uint32_t i = 0; i < f->n_names; i++)
		ret_names[i] = str_cut(&rest, '\0');
}
