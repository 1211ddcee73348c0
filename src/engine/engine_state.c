/* SPDX-License-Identifier: Apache-2.0 */
#include "base/os.h"
#include "engine/engine_int.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static const char kept_magic[8] = {'S', 'L', 'U', 'E', 'N', 'G', 2, 3};

/* A file of this size mapped shared, NULL with text; *ret_fresh says that it was not there (or of
 * another size), and is zeroed. */
static void *map_state(
	const char *dir, const char *name, size_t size, bool *ret_fresh, struct errbuf *err)
{
	char path[SL_MAX_PATH];
	struct stat st;
	void *p;
	int fd;

	if ((size_t)snprintf(path, sizeof(path), "%s/%s", dir, name) >= sizeof(path)) {
		(void)err_set(err, SL_ELIMIT, "%s: path too long", dir);
		return NULL;
	}
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0 || fstat(fd, &st) < 0) {
		(void)err_set_errno(err, "%s", path);
		if (fd >= 0)
			(void)close(fd);
		return NULL;
	}
	*ret_fresh = (uint64_t)st.st_size != size;
	if (*ret_fresh && (ftruncate(fd, 0) < 0 || (errno = posix_fallocate(fd, 0, (off_t)size)))) {
		(void)err_set_errno(err, "%s", path);
		(void)close(fd);
		return NULL;
	}
	p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	(void)close(fd);
	if (p == MAP_FAILED) {
		(void)err_set_errno(err, "%s: mmap", path);
		return NULL;
	}
	return p;
}

void *engine_state_begin(const char *dir, const char *name, size_t size, const char magic[static 8],
	struct errbuf *err)
{
	bool fresh;
	char *p = map_state(dir, name, size, &fresh, err);

	if (p && (fresh || memcmp(p, magic, 8) != 0)) {
		memset(p, 0, size);
		memcpy(p, magic, 8);
	}
	return p;
}

static bool meter_sound(const struct meter *m)
{
	return !m->present ||
	       (m->mbps >= 0 && m->mbps <= 1e12 && m->start_ms < m->end_ms && m->present == 1);
}

/* What was learned is bounded where it is used; here only that it is numbers. */
static bool learn_sound(const struct learn_cell *c)
{
	return isfinite(c->unexplained) && isfinite(c->unexplained_weight) && isfinite(c->slope) &&
	       isfinite(c->cover_log) && isfinite(c->cover_weight) && isfinite(c->ratio_log) &&
	       isfinite(c->ratio_weight) && isfinite(c->last_mbps) && isfinite(c->last_residual);
}

static bool doors_sound(const struct learn_doors *d)
{
	for (uint32_t i = 0; i < LEARN_DOORS; i++) {
		for (uint32_t k = 0; k < LEARN_DOORS; k++)
			if (!isfinite(d->a[i][k]))
				return false;
		if (!isfinite(d->b[i]) || !isfinite(d->factor_less_one[i]))
			return false;
	}
	return true;
}

static bool loop_sound(const struct loop_kept *k)
{
	if (!doors_sound(&k->doors) || !isfinite(k->length.lived_s) || !(k->length.ended >= 0) ||
		!isfinite(k->rate.kbps) || !isfinite(k->rate.sessions) ||
		!isfinite(k->rate.less_one))
		return false;
	for (int i = 0; i < LOOP_CELLS; i++)
		if (!meter_sound(&k->meter[i]) || !learn_sound(&k->learn[i]))
			return false;
	for (int i = 0; i < ALLOC_CELLS; i++)
		if (!(k->alloc.factor[i] >= -1e300 && k->alloc.factor[i] <= 1e300))
			return false;
	return true;
}

static bool kept_sound(const struct engine_kept *k)
{
	return memcmp(k->magic, kept_magic, sizeof(kept_magic)) == 0 && k->size == sizeof(*k) &&
	       loop_sound(&k->loop);
}

static int open_kept(struct engine *e, struct errbuf *err)
{
	bool fresh;

	e->kept = map_state(e->dir, "engine.state", sizeof(*e->kept), &fresh, err);
	if (!e->kept)
		return SL_EIO;
	if (!kept_sound(e->kept)) {
		if (!fresh)
			(void)err_set(err, 0, "%s/engine.state was damaged: begun anew", e->dir);
		memset(e->kept, 0, sizeof(*e->kept));
		memcpy(e->kept->magic, kept_magic, sizeof(kept_magic));
		e->kept->size = sizeof(*e->kept);
		e->kept->epoch = 1;
	}
	return 0;
}

static int open_ledger(struct engine *e, uint64_t now_ms, struct errbuf *err)
{
	size_t size;
	bool fresh;
	void *mem;

	e->ledger_octets = ledger_size(LOOP_LEDGER_CELLS);
	mem = map_state(e->dir, "ledger.state", e->ledger_octets, &fresh, err);
	if (!mem)
		return SL_EIO;
	e->ledger = mem;
	e->loop.kept = &e->kept->loop;
	e->loop.ledger = fresh ? NULL : ledger_check(mem, e->ledger_octets);
	if (!e->loop.ledger) {
		if (!fresh)
			(void)err_set(err, 0, "%s/ledger.state was damaged: begun anew", e->dir);
		memset(mem, 0, e->ledger_octets);
		e->loop.ledger = ledger_init(mem, e->ledger_octets, LOOP_LEDGER_CELLS, now_ms);
	}
	size = ledger_size(LOOP_CELLS);
	e->loop.live = malloc(size);
	return e->loop.live && ledger_init(e->loop.live, size, LOOP_CELLS, now_ms)
		       ? 0
		       : err_set(err, SL_ENOMEM, "engine: out of memory");
}

int engine_state_open(struct engine *e, uint64_t now_ms, struct errbuf *err)
{
	int rc = os_mkdirs(e->world_dir, 0755, err);

	if (!rc)
		rc = os_mkdirs(e->tally_dir, 0755, err);
	if (!rc)
		rc = open_kept(e, err);
	if (!rc)
		rc = engine_breaker_open(e, err);
	return rc ? rc : open_ledger(e, now_ms, err);
}

void engine_state_close(struct engine *e)
{
	if (e->kept)
		(void)munmap(e->kept, sizeof(*e->kept));
	if (e->ledger)
		(void)munmap(e->ledger, e->ledger_octets);
	if (e->breakers)
		(void)munmap(e->breakers, engine_breaker_octets());
	free(e->loop.live);
}
