/* SPDX-License-Identifier: Apache-2.0 */
#include "base/os.h"
#include "world/world_int.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

enum { LARGE_PAGE = 2 << 20 };

static void blob_path(char *ret, const char *dir, const struct blob_def *def, uint64_t sum)
{
	if (def == &tick_def)
		(void)snprintf(ret, SL_MAX_PATH, "%s/tick.blob", dir);
	else
		(void)snprintf(ret, SL_MAX_PATH, "%s/%s-%016" PRIx64 ".blob", dir, def->name, sum);
}

static void map_put(struct world_map *m)
{
	if (!m || --m->refs)
		return;
	if (m->copied)
		free((void *)(uintptr_t)m->p);
	else
		os_unmap(m->p, m->size);
	free(m);
}

/* The geo table is looked up in random places: in large pages that costs fewer misses. */
static void copy_to_large_pages(struct world_map *m)
{
	size_t n = (m->size + LARGE_PAGE - 1) / LARGE_PAGE * LARGE_PAGE;
	void *p = aligned_alloc(LARGE_PAGE, n);

	if (!p)
		return; /* it goes on where it is */
	(void)madvise(p, n, MADV_HUGEPAGE);
	memcpy(p, m->p, m->size);
	os_unmap(m->p, m->size);
	m->p = p;
	m->copied = true;
}

static int map_blob(const char *dir, const struct blob_def *def, uint64_t sum,
	struct world_map **ret_map, struct errbuf *err)
{
	struct world_map *m = calloc(1, sizeof(*m));
	char path[SL_MAX_PATH];
	int rc;

	if (!m)
		return err_set(err, SL_ENOMEM, "world: out of memory");
	m->refs = 1;
	*ret_map = m;
	blob_path(path, dir, def, sum);
	rc = os_map_file(path, SL_MAX_BLOB_OCTETS, &m->p, &m->size, err);
	if (rc)
		return rc;
	if (def == &geoblob_def)
		copy_to_large_pages(m);
	return blob_check(def, m->p, m->size, err);
}

/* As map_blob, unless the world before has it. */
static int map_or_share(const struct world_file *before, unsigned i, const char *dir,
	const struct blob_def *def, uint64_t sum, struct world_map **ret_map, struct errbuf *err)
{
	struct world_map *had = before ? before->map[i] : NULL;

	if (!had || ((const struct blob_head *)had->p)->checksum != sum)
		return map_blob(dir, def, sum, ret_map, err);
	had->refs++;
	*ret_map = had;
	return 0;
}

int world_open(const char *dir, const struct world_file *before, struct world_file **ret_world,
	struct errbuf *err)
{
	struct world_map *m[WORLD_MAPS] = {NULL};
	struct tick_view tick;
	int rc = map_blob(dir, &tick_def, 0, &m[WORLD_TICK], err);

	if (!rc) {
		tick_view_init(&tick, m[WORLD_TICK]->p);
		rc = map_or_share(before, WORLD_CATALOGUE, dir, &catalogue_def,
			tick.meta->catalogue, &m[WORLD_CATALOGUE], err);
	}
	if (!rc)
		rc = map_or_share(
			before, WORLD_GEO, dir, &geoblob_def, tick.meta->geo, &m[WORLD_GEO], err);
	if (!rc)
		rc = world_join(
			m[WORLD_CATALOGUE]->p, m[WORLD_GEO]->p, m[WORLD_TICK]->p, ret_world, err);
	for (unsigned i = 0; rc && i < WORLD_MAPS; i++)
		map_put(m[i]);
	if (!rc)
		memcpy((*ret_world)->map, m, sizeof(m));
	return rc;
}

void world_close(struct world_file *f)
{
	if (!f)
		return;
	for (unsigned i = 0; i < WORLD_MAPS; i++)
		map_put(f->map[i]);
	free(f);
}

int world_write(const char *dir, const void *blob, size_t size, struct errbuf *err)
{
	const struct blob_def *def = blob_def_of(blob, size);
	char path[SL_MAX_PATH];

	if (!def)
		return err_set(err, SL_EFORMAT, "not a blob");
	blob_path(path, dir, def, ((const struct blob_head *)blob)->checksum);
	if (def != &tick_def && access(path, R_OK) == 0)
		return 0;
	return os_write_file(path, blob, size, 0644, err);
}

static bool kept(const char *name, const uint64_t *keep, size_t n_keep)
{
	const char *dash = strchr(name, '-');
	char sum[17];

	if (!dash || (strncmp(name, "catalogue-", 10) && strncmp(name, "geo-", 4)))
		return true;
	for (size_t i = 0; i < n_keep; i++) {
		(void)snprintf(sum, sizeof(sum), "%016" PRIx64, keep[i]);
		if (strncmp(dash + 1, sum, 16) == 0)
			return true;
	}
	return false;
}

void world_sweep(const char *dir, const uint64_t *keep, size_t n_keep)
{
	DIR *d = opendir(dir);
	char path[SL_MAX_PATH];

	if (!d)
		return;
	for (struct dirent *e; (e = readdir(d));) {
		if (kept(e->d_name, keep, n_keep))
			continue;
		if ((size_t)snprintf(path, sizeof(path), "%s/%s", dir, e->d_name) < sizeof(path))
			(void)unlink(path);
	}
	(void)closedir(d);
}
