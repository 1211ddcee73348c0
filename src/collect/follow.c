/* SPDX-License-Identifier: Apache-2.0 */
#include "collect/follow.h"

#include "base/hash.h"
#include "base/os.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	CHUNK = 256 << 10,        /* octets read at once; a longer line is none */
	CHUNKS = 16,              /* of one file in one round */
	HEAD = 256,               /* octets at the begin that a file is known by */
	LINGER_MS = 1500,         /* a renamed file may still be written to for so long */
	SLOTS = 2,                /* of a position: one is whole while the other is written */
	ROOM = COLLECT_BATCH / 2, /* records of a batch that are left to one chunk */
};

static const char magic[8] = {'S', 'L', 'U', 'F', 'O', 'L', 1, 1};

/* How far one file has been read. */
struct position {
	uint64_t sequence; /* the larger is the newer; 0: none */
	uint64_t name;     /* hash of the configured path */
	uint64_t device, inode, offset;
	uint64_t head; /* hash of its first octets */
	uint64_t n_head;
	uint64_t check; /* hash of what stands above */
};

struct positions {
	char magic[8];
	struct position slot[COLLECT_MAX_FOLLOW][SLOTS];
};

struct file {
	const struct collect_follow *conf;
	uint64_t name;
	int fd; /* -1: not open */
	struct position at;
	uint64_t noted;    /* offset that was noted last */
	uint64_t moved_ms; /* when another file was seen in its place; 0: none is */
	uint32_t row;
};

struct collect_follower {
	struct file file[COLLECT_MAX_FOLLOW];
	uint32_t n;
	struct positions *kept; /* mapped shared; NULL: not kept */
	int inotify;
	char chunk[CHUNK];
};

/* --- positions ------------------------------------------------------------------------------ */

static uint64_t check_of(const struct position *p)
{
	return hash64(p, offsetof(struct position, check), 1);
}

/* The newest whole note of a path, or NULL. */
static const struct position *find(const struct collect_follower *f, uint64_t name, uint32_t *row)
{
	const struct position *best = NULL;

	for (uint32_t i = 0; i < COLLECT_MAX_FOLLOW; i++)
		for (int s = 0; s < SLOTS; s++) {
			const struct position *p = &f->kept->slot[i][s];

			if (p->sequence && p->name == name && p->check == check_of(p) &&
				(!best || p->sequence > best->sequence)) {
				best = p;
				*row = i;
			}
		}
	return best;
}

static bool used(const struct collect_follower *f, uint32_t row)
{
	for (uint32_t i = 0; i < f->n; i++)
		if (f->file[i].row == row)
			return true;
	return false;
}

/* A row of nobody who is followed. */
static uint32_t free_row(const struct collect_follower *f)
{
	uint32_t row = 0;

	while (row < COLLECT_MAX_FOLLOW && used(f, row))
		row++;
	return row;
}

static void note(struct collect_follower *f, struct file *l)
{
	struct position *to;

	if (!f->kept || l->row >= COLLECT_MAX_FOLLOW || l->noted == l->at.offset)
		return;
	l->noted = l->at.offset;
	l->at.name = l->name;
	l->at.sequence++;
	l->at.check = check_of(&l->at);
	to = &f->kept->slot[l->row][l->at.sequence % SLOTS];
	*to = l->at;
}

static struct positions *map_positions(const char *path, struct errbuf *err)
{
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	struct positions *p;
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0 ||
		((uint64_t)st.st_size != sizeof(*p) &&
			(ftruncate(fd, 0) < 0 || (errno = posix_fallocate(fd, 0, sizeof(*p)))))) {
		(void)err_set_errno(err, "%s", path);
		if (fd >= 0)
			(void)close(fd);
		return NULL;
	}
	p = mmap(NULL, sizeof(*p), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	(void)close(fd);
	if (p == MAP_FAILED) {
		(void)err_set_errno(err, "%s: mmap", path);
		return NULL;
	}
	if (memcmp(p->magic, magic, sizeof(magic)) != 0) {
		memset(p, 0, sizeof(*p));
		memcpy(p->magic, magic, sizeof(magic));
	}
	return p;
}

/* --- which file ----------------------------------------------------------------------------- */

static uint64_t head_of(int fd, uint64_t n)
{
	char head[HEAD];
	ssize_t got = pread(fd, head, SL_MIN(n, (uint64_t)HEAD), 0);

	return got < 0 || (uint64_t)got != n ? 0 : hash64(head, n, 2);
}

/* Whether the file behind fd is the one that was read up to `at`. */
static bool is_it(int fd, const struct position *at)
{
	struct stat st;

	return fstat(fd, &st) == 0 && (uint64_t)st.st_ino == at->inode &&
	       (uint64_t)st.st_dev == at->device && (uint64_t)st.st_size >= at->offset &&
	       at->n_head <= HEAD && (at->n_head == 0 || head_of(fd, at->n_head) == at->head);
}

static int open_one(const char *path)
{
	return open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
}

/* Begins with a file; takes fd, which is closed where it is no plain file. */
static void begin(struct file *l, int fd, uint64_t offset)
{
	struct stat st;

	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
		(void)close(fd);
		return;
	}
	l->fd = fd;
	l->moved_ms = 0;
	l->at.device = (uint64_t)st.st_dev;
	l->at.inode = (uint64_t)st.st_ino;
	l->at.offset = SL_MIN(offset, (uint64_t)st.st_size);
	l->at.n_head = SL_MIN(l->at.offset, (uint64_t)HEAD);
	l->at.head = head_of(fd, l->at.n_head);
	l->noted = UINT64_MAX;
}

static struct str folder_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	if (!slash)
		return STR_LIT(".");
	return (struct str){path, slash == path ? 1 : (size_t)(slash - path)};
}

/* The file that was read before the restart, under another name in the same folder; -1: gone. */
static int find_renamed(const struct file *l, const struct position *at)
{
	struct str dir = folder_of(l->conf->file);
	char path[SL_MAX_PATH + 300];
	struct dirent *e;
	int found = -1;
	DIR *d;

	(void)snprintf(path, sizeof(path), STR_FMT, STR_ARG(dir));
	d = opendir(path);
	while (d && found < 0 && (e = readdir(d))) {
		int fd;

		if ((uint64_t)e->d_ino != at->inode)
			continue;
		(void)snprintf(path, sizeof(path), STR_FMT "/%s", STR_ARG(dir), e->d_name);
		fd = open_one(path);
		if (fd >= 0 && is_it(fd, at))
			found = fd;
		else if (fd >= 0)
			(void)close(fd);
	}
	if (d)
		(void)closedir(d);
	return found;
}

/* Where to go on after a start. */
static void resume(struct collect_follower *f, struct file *l)
{
	int fd = open_one(l->conf->file), old;
	const struct position *at = f->kept ? find(f, l->name, &l->row) : NULL;

	if (!at) {
		l->row = free_row(f);
		if (fd >= 0)
			begin(l, fd, UINT64_MAX); /* what stands there is not new */
		return;
	}
	l->at = *at;
	if (fd >= 0 && is_it(fd, at)) {
		begin(l, fd, at->offset);
		return;
	}
	old = find_renamed(l, at);
	if (old >= 0) {
		begin(l, old, at->offset);
		if (fd >= 0)
			(void)close(fd); /* its turn comes when the old one is read */
	} else if (fd >= 0) {
		begin(l, fd, 0);
	}
}

/* Truncated, replaced, or come into being since. */
static void look_after(struct file *l, uint64_t mono_ms)
{
	struct stat st;
	int fd;

	if (l->fd >= 0 && !is_it(l->fd, &l->at)) { /* cut under us: all of it is new */
		l->at.offset = l->at.n_head = l->at.head = 0;
		l->moved_ms = 0;
	}
	if (stat(l->conf->file, &st) < 0 || (l->fd >= 0 && (uint64_t)st.st_ino == l->at.inode &&
						    (uint64_t)st.st_dev == l->at.device)) {
		l->moved_ms = 0;
		return;
	}
	if (l->fd >= 0) {
		if (!l->moved_ms)
			l->moved_ms = mono_ms;
		if (fstat(l->fd, &st) == 0 && (uint64_t)st.st_size > l->at.offset &&
			mono_ms < l->moved_ms + (uint64_t)20 * LINGER_MS)
			return; /* to its end first */
		if (mono_ms < l->moved_ms + LINGER_MS)
			return;
		(void)close(l->fd);
		l->fd = -1;
	}
	fd = open_one(l->conf->file);
	if (fd >= 0)
		begin(l, fd, 0);
}

/* --- lines ---------------------------------------------------------------------------------- */

static void take_line(
	struct collect_intake *in, const struct collect_log_format *format, struct str text)
{
	struct collect_line line;
	enum collect_refusal why;

	if (text.n == 0 || text.p[0] == '#')
		return;
	why = collect_log_line(format, text, &line);
	if (!why)
		why = collect_intake_line(in, &line).refusal;
	if (why)
		collect_intake_refused(in, why);
}

/* One chunk of whole lines; how many octets were taken. */
static size_t take_chunk(struct collect_follower *f, struct file *l, struct collect_intake *in)
{
	ssize_t got = pread(l->fd, f->chunk, CHUNK, (off_t)l->at.offset);
	struct str text = {f->chunk, got > 0 ? (size_t)got : 0};
	size_t taken = 0;

	while (text.n) {
		const char *end = memchr(text.p, '\n', text.n);
		size_t n = end ? (size_t)(end - text.p) : text.n;

		if (!end && !(taken == 0 && text.n == CHUNK))
			break; /* the rest of the line is not written yet */
		if (end)
			take_line(in, &l->conf->format, (struct str){text.p, n});
		else
			collect_intake_refused(in, COLLECT_LENGTH);
		n += end != NULL;
		taken += n;
		text.p += n;
		text.n -= n;
	}
	return taken;
}

static void read_on(struct collect_follower *f, struct file *l, struct collect_intake *in)
{
	for (int i = 0; i < CHUNKS && l->fd >= 0 && in->batch->n < ROOM; i++) {
		size_t n = take_chunk(f, l, in);

		if (n == 0)
			break;
		l->at.offset += n;
		if (l->at.n_head < HEAD) {
			l->at.n_head = SL_MIN(l->at.offset, (uint64_t)HEAD);
			l->at.head = head_of(l->fd, l->at.n_head);
		}
	}
}

void collect_follow_round(struct collect_follower *f, struct collect_intake *in, uint64_t mono_ms)
{
	in->source = COLLECT_LOGS;
	for (uint32_t i = 0; i < f->n; i++) {
		look_after(&f->file[i], mono_ms);
		if (f->file[i].fd < 0)
			continue;
		read_on(f, &f->file[i], in);
		note(f, &f->file[i]);
	}
}

void collect_follow_wait(struct collect_follower *f, int timeout_ms)
{
	struct pollfd p = {.fd = f->inotify, .events = POLLIN};
	char events[4096];

	if (poll(&p, 1, timeout_ms) > 0)
		while (read(f->inotify, events, sizeof(events)) > 0)
			continue;
}

/* --- open and close ------------------------------------------------------------------------- */

static void watch(struct collect_follower *f, const char *file)
{
	struct str dir = folder_of(file);
	char path[SL_MAX_PATH];

	(void)snprintf(path, sizeof(path), STR_FMT, STR_ARG(dir));
	(void)inotify_add_watch(
		f->inotify, path, IN_MODIFY | IN_CREATE | IN_MOVED_FROM | IN_MOVED_TO);
}

int collect_follow_open(const struct collect_follow *files, uint32_t n, const char *state,
	struct collect_follower **ret_follower, struct errbuf *err)
{
	struct collect_follower *f = calloc(1, sizeof(*f));

	if (!f || n > COLLECT_MAX_FOLLOW) {
		free(f);
		return err_set(err, f ? SL_ELIMIT : SL_ENOMEM, "follow: cannot follow %u files", n);
	}
	for (uint32_t i = 0; i < COLLECT_MAX_FOLLOW; i++)
		f->file[i] = (struct file){.fd = -1, .row = COLLECT_MAX_FOLLOW};
	f->inotify = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	f->kept = map_positions(state, err);
	if (f->inotify < 0 || !f->kept) {
		int rc = f->kept ? err_set_errno(err, "follow: inotify") : SL_EIO;

		collect_follow_close(f);
		return rc;
	}
	f->n = n;
	for (uint32_t i = 0; i < n; i++) { /* rows that are taken, before any is given */
		f->file[i].conf = &files[i];
		f->file[i].name = hash64(files[i].file, strlen(files[i].file), 3);
		(void)find(f, f->file[i].name, &f->file[i].row);
	}
	for (uint32_t i = 0; i < n; i++) {
		resume(f, &f->file[i]);
		watch(f, files[i].file);
	}
	*ret_follower = f;
	return 0;
}

void collect_follow_close(struct collect_follower *f)
{
	if (!f)
		return;
	for (uint32_t i = 0; i < f->n; i++)
		if (f->file[i].fd >= 0)
			(void)close(f->file[i].fd);
	if (f->kept)
		(void)munmap(f->kept, sizeof(*f->kept));
	if (f->inotify >= 0)
		(void)close(f->inotify);
	free(f);
}
