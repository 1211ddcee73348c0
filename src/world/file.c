/* SPDX-License-Identifier: Apache-2.0 */
#include "base/os.h"
#include "world/world_int.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>

static void blob_path(char *ret, const char *dir, const struct blob_def *def, uint64_t sum)
{
	if (def == &tick_def)
		(void)snprintf(ret, SL_MAX_PATH, "%s/tick.blob", dir);
	else
		(void)snprintf(ret, SL_MAX_PATH, "%s/%s-%016" PRIx64 ".blob", dir, def->name, sum);
}

struct maps {
	const void *map[3];
	size_t size[3];
};

static int map_blob(struct maps *m, int i, const char *dir, const struct blob_def *def,
	uint64_t sum, struct errbuf *err)
{
	char path[SL_MAX_PATH];
	int rc;

	blob_path(path, dir, def, sum);
	rc = os_map_file(path, SL_MAX_BLOB_OCTETS, &m->map[i], &m->size[i], err);
	return rc ? rc : blob_check(def, m->map[i], m->size[i], err);
}

static void unmap_all(const void *const map[static 3], const size_t size[static 3])
{
	for (int i = 0; i < 3; i++)
		os_unmap(map[i], size[i]);
}

int world_open(const char *dir, struct world_file **ret_world, struct errbuf *err)
{
	struct maps m = {{NULL}, {0}};
	struct tick_view tick;
	int rc = map_blob(&m, 2, dir, &tick_def, 0, err);

	if (!rc) {
		tick_view_init(&tick, m.map[2]);
		rc = map_blob(&m, 0, dir, &catalogue_def, tick.meta->catalogue, err);
	}
	if (!rc)
		rc = map_blob(&m, 1, dir, &geoblob_def, tick.meta->geo, err);
	if (!rc)
		rc = world_join(m.map[0], m.map[1], m.map[2], ret_world, err);
	if (rc) {
		unmap_all(m.map, m.size);
		return rc;
	}
	memcpy((*ret_world)->map, m.map, sizeof(m.map));
	memcpy((*ret_world)->size, m.size, sizeof(m.size));
	return 0;
}

void world_close(struct world_file *f)
{
	if (!f)
		return;
	unmap_all(f->map, f->size);
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
