/* SPDX-License-Identifier: Apache-2.0 */
/* What the books keep over the end of their process, whenever and however it ends. */
#include "test.h"

#include "base/hash.h"
#include "base/os.h"
#include "collect/books.h"

#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { NOW = 1000000000, ROUNDS = 100, PER_BATCH = 50, PER_ROUND = 2000 };

static const struct collect_limits limits = {.sessions = 1 << 20,
	.users = 1 << 20,
	.caps = 1 << 20,
	.pulls = 1 << 18,
	.streams = 1 << 12,
	.logs = 1 << 12};
static struct collect_batch *batch;

static struct collect_books *books(int fd, const struct collect_limits *l)
{
	struct collect_books *b = NULL;
	struct errbuf err = {""};

	if (collect_books_new(l, fd, NOW, &b, &err))
		fail_msg("%s", err.s);
	return b;
}

/* A good pull of a session, user and place of its own; each fiftieth names a stream. */
static void add(uint64_t id)
{
	uint64_t h = hash_mix(id, 77);

	batch->record[batch->n++] = (struct collect_record){.session = h,
		.user = h,
		.stream = 1 + id / 50,
		.address = hash_mix(h, 1),
		.net = hash_mix(h, 2),
		.t_ms = NOW,
		.kbps = 1000,
		.group = (uint16_t)(id % 7),
		.vendor = (uint8_t)(id % 3),
		.definition = COLLECT_WORD_FIRST,
		.flags = COLLECT_PULL | COLLECT_PULL_OK | COLLECT_BITRATE | COLLECT_FIRST_FRAME,
		.first_frame_us = 1 + (uint32_t)(id % 1000)};
	if (id % 50 == 0) {
		uint64_t stream = 1 + id / 50;
		uint16_t n = 5;
		uint8_t *p = batch->text + batch->text_used;

		memcpy(p, &stream, 8);
		memcpy(p + 8, &n, 2);
		memcpy(p + 10, "ABCDE", 5);
		batch->text_used += 15;
	}
}

static void book(struct collect_books *b, uint64_t first, uint32_t n)
{
	batch->n = batch->text_used = 0;
	for (uint32_t i = 0; i < n; i++)
		add(first + i);
	collect_books_take(b, batch, false, NOW);
}

struct sums {
	uint64_t pulls, users, sessions, kbps, streams, kinds;
};

/* Of the minute; the facts pass their check, and names are what they were. */
static struct sums sum(struct collect_books *b)
{
	struct sums s = {0};
	struct facts_view v;
	struct errbuf err = {""};
	void *blob = NULL;
	size_t size;

	if (collect_books_facts(b, NOW, COLLECT_PPM, &blob, &size, &err))
		fail_msg("%s", err.s);
	facts_view_init(&v, blob);
	for (uint32_t i = 0; i < v.n_cells; i++) {
		if (v.cells[i].window)
			continue;
		s.pulls += v.cells[i].pulls;
		s.users += v.cells[i].users;
		s.sessions += v.cells[i].sessions;
		s.kbps += v.cells[i].kbps;
	}
	for (uint32_t i = 0; i < v.n_streams; i++)
		s.streams += v.streams[i].sessions;
	for (uint32_t i = 0; i < v.n_kinds; i++)
		s.kinds += v.kinds[i].pulls;
	free(blob);
	return s;
}

static int memory(void)
{
	int fd = memfd_create("test", MFD_CLOEXEC);

	assert_true(fd >= 0);
	return fd;
}

static void is_gone_on_with(void **state)
{
	int fd = memory();
	struct collect_books *b = books(fd, &limits);
	uint64_t seed = collect_books_seed(b);
	struct collect_limits other = limits;
	struct sums s;

	(void)state;
	assert_false(collect_books_adopted(b));
	book(b, 0, 1000);
	collect_books_free(b);
	b = books(fd, &limits);
	assert_true(collect_books_adopted(b));
	assert_int_equal(collect_books_seed(b), seed);
	s = sum(b);
	assert_int_equal(s.pulls, 1000);
	assert_int_equal(s.users, 1000);
	assert_int_equal(s.sessions, 1000);
	assert_int_equal(s.kbps, 1000000);
	assert_int_equal(s.streams, 1000);
	assert_int_equal(s.kinds, 1000);
	book(b, 500, 1000); /* half of them are known */
	assert_int_equal(sum(b).sessions, 1500);
	assert_int_equal(sum(b).users, 1500);
	collect_books_free(b);
	other.users /= 2;
	b = books(fd, &other);
	assert_false(collect_books_adopted(b));
	assert_int_equal(sum(b).pulls, 0);
	collect_books_free(b);
	(void)close(fd);
}

struct progress {
	_Atomic uint64_t booked;
};

static void be_killed(int fd, struct progress *p, uint64_t first)
{
	struct collect_books *b = books(fd, &limits);

	for (uint32_t i = 0; i < PER_ROUND / PER_BATCH; i++) {
		book(b, first + (uint64_t)i * PER_BATCH, PER_BATCH);
		atomic_fetch_add(&p->booked, PER_BATCH);
		if (i % 8 == 3)
			(void)sum(b);
	}
	for (;;)
		(void)pause();
}

static void may_be_killed_at_any_moment(void **state)
{
	struct progress *p =
		mmap(NULL, sizeof(*p), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int fd = memory();
	uint64_t before = 0, rng = 1, in_work = 0;

	(void)state;
	for (uint64_t round = 0; round < ROUNDS; round++) {
		struct timespec nap = {0, (long)((rng = hash_mix(rng, round)) % 4000000)};
		struct collect_books *b;
		struct sums s;
		uint64_t least;
		pid_t child;
		int status;

		atomic_store(&p->booked, 0);
		child = fork();
		assert_true(child >= 0);
		if (child == 0)
			be_killed(fd, p, round * PER_ROUND);
		(void)nanosleep(&nap, NULL);
		assert_int_equal(kill(child, SIGKILL), 0);
		assert_int_equal(waitpid(child, &status, 0), child);
		assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
		b = books(fd, &limits);
		s = sum(b);
		assert_in_range(s.pulls, before + p->booked, before + p->booked + PER_BATCH);
		/* the record that was being booked may have its session and not its pull */
		least = s.pulls > round + 1 ? s.pulls - round - 1 : 0;
		assert_in_range(s.sessions, least, s.pulls + round + 1);
		assert_in_range(s.users, least, s.pulls + round + 1);
		assert_true(s.streams <= s.sessions && s.kinds == s.pulls);
		in_work += p->booked < PER_ROUND;
		before = s.pulls;
		collect_books_free(b);
	}
	assert_true(before > 0 && in_work > ROUNDS / 10); /* else nothing was tried */
	(void)munmap(p, sizeof(*p));
	(void)close(fd);
}

/* Whatever stands in the memory, facts come out that pass their check. */
static void is_not_believed(void **state)
{
	static const struct collect_limits few = {.sessions = 256,
		.users = 256,
		.caps = 256,
		.pulls = 256,
		.streams = 64,
		.logs = 64};
	uint64_t rng = 3;

	(void)state;
	for (uint32_t round = 0; round < 300; round++) {
		int fd = memory();
		struct collect_books *b = books(fd, &few);
		struct stat st;

		book(b, 0, 200);
		collect_books_free(b);
		assert_int_equal(fstat(fd, &st), 0);
		for (uint32_t i = 0; i < 400; i++) {
			uint64_t word = i % 3 ? (rng = hash_mix(rng, i)) : UINT64_MAX;
			/* not the first octets, or nothing would be read */
			uint64_t at = 64 + (rng = hash_mix(rng, i)) % (uint64_t)(st.st_size - 72);

			if (i % 2) /* the names are most of it */
				at = 64 + at % (64 << 10);
			assert_int_equal(pwrite(fd, &word, 1 + i % 8, (off_t)at), 1 + i % 8);
		}
		b = books(fd, &few);
		(void)sum(b);
		book(b, 100, 200);
		(void)sum(b);
		collect_books_free(b);
		(void)close(fd);
	}
}

/* Names that nobody tells any more give their room to new ones. */
static void names_make_room(void **state)
{
	struct collect_books *b = books(-1, &limits);
	uint64_t now_ms = NOW;

	(void)state;
	for (uint64_t id = 1; id <= 400000; id++) {
		uint16_t n = 250;
		uint8_t *p = batch->text;

		memcpy(p, &id, 8);
		memcpy(p + 8, &n, 2);
		memset(p + 10, 'n', n);
		batch->n = 0;
		batch->text_used = 260;
		collect_books_take(b, batch, false, now_ms);
		if (id % 2000 == 0) {
			struct errbuf err = {""};
			void *blob = NULL;
			size_t size;

			now_ms += 61000;
			assert_int_equal(
				collect_books_facts(b, now_ms, COLLECT_PPM, &blob, &size, &err), 0);
			free(blob);
		}
	}
	book(b, 0, 100);
	assert_int_equal(sum(b).streams, 100);
	collect_books_free(b);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(is_gone_on_with),
		cmocka_unit_test(may_be_killed_at_any_moment),
		cmocka_unit_test(is_not_believed),
		cmocka_unit_test(names_make_room),
	};
	int failed;

	batch = calloc(1, sizeof(*batch));
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	free(batch);
	return failed;
}
