/* SPDX-License-Identifier: Apache-2.0 */
#include "tally/tally.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static const char magic[8] = {'S', 'L', 'U', 'T', 'A', 'L', 1, 2};

static bool is_ours(const struct tally *t)
{
	return memcmp(t->magic, magic, sizeof(magic)) == 0 && t->layout == TALLY_LAYOUT &&
	       t->size_check == (uint32_t)sizeof(*t);
}

/* Opens and locks; *ret_size is what the file has. */
static int open_locked(const char *path, uint64_t *ret_size, struct errbuf *err)
{
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
	struct stat st;

	if (fd < 0)
		return err_set_errno(err, "%s", path);
	if (flock(fd, LOCK_EX | LOCK_NB) < 0 || fstat(fd, &st) < 0) {
		(void)close(fd);
		return err_set(err, SL_EBUSY, "%s: written by another process", path);
	}
	*ret_size = (uint64_t)st.st_size;
	return fd;
}

static struct tally *map_shared(int fd)
{
	struct tally *t = mmap(NULL, sizeof(*t), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	return t == MAP_FAILED ? NULL : t;
}

/* Makes the pages of a range, now: on a full disk that is an error here, and SIGBUS where one is
 * written or, in a tmpfs, read for the first time. Kernels before 5.14 cannot. */
static int populate(struct tally *t, size_t from, size_t to, struct errbuf *err)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE), start = from / page * page;

	if (madvise((char *)t + start, to - start, MADV_POPULATE_WRITE) == 0 || errno == EINVAL)
		return 0;
	return err_set(err, SL_ENOSPC, "tally: no room on the disk");
}

int tally_reserve(struct tally *t, uint32_t n_services, uint32_t n_groups, struct errbuf *err)
{
	int rc = 0;

	for (uint32_t s = 0; !rc && s < n_services; s++) {
		size_t from = offsetof(struct tally, row) + s * sizeof(t->row[0]);

		rc = populate(t, from, from + n_groups * sizeof(t->row[0][0]), err);
	}
	return rc;
}

/* All but the rows. */
static int populate_rest(struct tally *t, struct errbuf *err)
{
	int rc = populate(t, 0, offsetof(struct tally, row), err);

	return rc ? rc : populate(t, offsetof(struct tally, n_records), sizeof(*t), err);
}

/* An old file of another layout is left to who maps it and replaced by a new one. On success the
 * descriptor stays open as long as the process: it holds the lock. */
int tally_open(const char *dir, const char *name, struct tally **ret_tally, struct errbuf *err)
{
	char path[SL_MAX_PATH];
	struct tally *t;

	(void)snprintf(path, sizeof(path), "%s/%s.tally", dir, name);
	for (int again = 0; again < 2; again++) {
		uint64_t size = 0;
		int fd = open_locked(path, &size, err);

		if (fd < 0)
			return fd;
		if (size == 0 && ftruncate(fd, sizeof(*t)) < 0) {
			int rc = err_set_errno(err, "%s", path);
			(void)close(fd);
			return rc;
		}
		t = size == 0 || size == sizeof(*t) ? map_shared(fd) : NULL;
		if (t && populate_rest(t, err)) {
			tally_close(t);
			(void)close(fd);
			return SL_ENOSPC;
		}
		if (t && size == 0) {
			memcpy(t->magic, magic, sizeof(magic));
			t->layout = TALLY_LAYOUT;
			t->size_check = (uint32_t)sizeof(*t);
		}
		if (t && is_ours(t)) {
			t->pid = (uint64_t)getpid();
			*ret_tally = t;
			return 0;
		}
		tally_close(t);
		(void)unlink(path);
		(void)close(fd);
	}
	return err_set(err, SL_EIO, "%s: cannot be made anew", path);
}

int tally_map(const char *path, const struct tally **ret_tally, struct errbuf *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), rc = 0;
	const struct tally *t = MAP_FAILED;
	struct stat st;

	if (fd < 0)
		return err_set_errno(err, "%s", path);
	if (fstat(fd, &st) < 0 || (uint64_t)st.st_size != sizeof(*t))
		rc = err_set(err, SL_EFORMAT, "%s: not a tally of this layout", path);
	else
		t = mmap(NULL, sizeof(*t), PROT_READ, MAP_SHARED, fd, 0);
	if (!rc && t == MAP_FAILED)
		rc = err_set_errno(err, "%s: mmap", path);
	(void)close(fd);
	if (!rc && !is_ours(t)) {
		tally_close(t);
		rc = err_set(err, SL_EFORMAT, "%s: not a tally of this layout", path);
	}
	if (!rc)
		*ret_tally = t;
	return rc;
}

void tally_close(const struct tally *t)
{
	if (t)
		(void)munmap((void *)(uintptr_t)t, sizeof(*t));
}

void tally_sum_spent(struct tally *const *tallies, uint32_t n, uint32_t n_vendors,
	uint32_t n_regions, uint64_t ret_kbps[static TALLY_CELLS])
{
	memset(ret_kbps, 0, TALLY_CELLS * sizeof(*ret_kbps));
	for (uint32_t i = 0; i < n; i++) {
		const tally_number *from = tallies[i]->spent_kbps;

		for (uint32_t v = 0; v < n_vendors; v++)
			ret_kbps[v] += tally_get(&from[v]);
		for (uint32_t r = SL_MAX_VENDORS; r < SL_MAX_VENDORS + n_regions; r++)
			ret_kbps[r] += tally_get(&from[r]);
	}
}
