/* SPDX-License-Identifier: Apache-2.0 */
/*
 * main of a fuzz target where there is no libFuzzer: runs every file of its corpus
 * (tests/fuzz/corpus/NAME for fuzz_NAME), then FUZZ_ROUNDS mutations in all (default 1000), the
 * same ones every time. An input that fails is left in fuzz_NAME.crash.
 */
#include "fuzz.h"

#include <dirent.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>

enum { FILES_MAX = 4096, SIZE_MAX_INPUT = 1 << 20, DEFAULT_ROUNDS = 1000, EDITS_MAX = 8 };

struct input {
	uint8_t *p;
	size_t n;
};

static struct input corpus[FILES_MAX];
static size_t corpus_count;
static uint64_t seed = UINT64_C(0x9E3779B97F4A7C15);

/* xorshift64*: the rounds must be the same on every machine. */
static uint64_t next(void)
{
	seed ^= seed >> 12;
	seed ^= seed << 25;
	seed ^= seed >> 27;
	return seed * UINT64_C(0x2545F4914F6CDD1D);
}

static size_t below(size_t n)
{
	return n ? (size_t)(next() % n) : 0;
}

static void read_input(const char *path)
{
	FILE *f = fopen(path, "re");
	struct input in = {malloc(SIZE_MAX_INPUT), 0};

	if (!f || !in.p || corpus_count == FILES_MAX) {
		(void)fprintf(stderr, "%s: cannot read\n", path);
		exit(1);
	}
	in.n = fread(in.p, 1, SIZE_MAX_INPUT, f);
	(void)fclose(f);
	corpus[corpus_count++] = in;
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static void read_corpus(const char *name)
{
	const char *top = getenv("top_srcdir");
	char path[2048];
	struct dirent **list;
	size_t used = (size_t)snprintf(
		path, sizeof(path), "%s/tests/fuzz/corpus/%s/", top ? top : ".", name);
	int n = scandir(path, &list, NULL, by_name);

	for (int i = 0; i < n; i++) {
		if (list[i]->d_name[0] != '.') {
			(void)snprintf(path + used, sizeof(path) - used, "%s", list[i]->d_name);
			read_input(path);
		}
		free(list[i]);
	}
	if (n < 0 || corpus_count == 0) {
		(void)fprintf(stderr, "%s: no corpus\n", path);
		exit(1);
	}
	free(list);
}

static struct input current;
static char crash_path[256];

/* Only what is safe in a handler's last moments. */
static void keep_input(int sig)
{
	FILE *f = fopen(crash_path, "w");

	if (f) {
		(void)fwrite(current.p, 1, current.n, f);
		(void)fclose(f);
	}
	(void)raise(sig); /* again, now with the default action */
}

/* From a block of its exact size, so that a sanitizer sees a read past the end. */
static void run(const uint8_t *p, size_t n)
{
	current.p = malloc(n ? n : 1);
	current.n = n;
	if (!current.p)
		exit(1);
	if (n)
		memcpy(current.p, p, n);
	(void)LLVMFuzzerTestOneInput(current.p, n);
	free(current.p);
}

/* One edit in place: flip, set, delete a run, repeat a run, or splice from another input. */
static size_t edit(uint8_t *p, size_t n)
{
	static const uint8_t odd[] = {0, 1, 0x7f, 0x80, 0xff, '\n', '"', '[', '{', '-', '0', '9'};
	size_t at = below(n), len = 1 + below(16), from;
	const struct input *other = &corpus[below(corpus_count)];

	if (n == 0)
		return 0;
	if (len > n - at)
		len = n - at;
	switch (next() % 5) {
	case 0:
		p[at] ^= (uint8_t)(1U << (next() % 8));
		break;
	case 1:
		p[at] = odd[below(sizeof(odd))];
		break;
	case 2:
		memmove(p + at, p + at + len, n - at - len);
		n -= len;
		break;
	case 3:
		if (n + len <= SIZE_MAX_INPUT) {
			memmove(p + at + len, p + at, n - at);
			n += len;
		}
		break;
	default:
		from = below(other->n);
		if (len > other->n - from)
			len = other->n - from;
		if (len)
			memcpy(p + at, other->p + from, len);
		break;
	}
	return n;
}

static void mutate(unsigned long rounds)
{
	uint8_t *p = malloc(SIZE_MAX_INPUT);

	if (!p)
		exit(1);
	for (unsigned long i = 0; i < rounds; i++) {
		const struct input *in = &corpus[below(corpus_count)];
		size_t n = in->n;

		memcpy(p, in->p, n);
		for (size_t k = below(EDITS_MAX) + 1; k > 0; k--)
			n = edit(p, n);
		run(p, n);
	}
	free(p);
}

int main(int argc, char **argv)
{
	const char *slash = strrchr(argv[0], '/'), *base = slash ? slash + 1 : argv[0];
	const char *name = strstr(base, "fuzz_");
	const char *rounds = getenv("FUZZ_ROUNDS");
	const struct sigaction act = {.sa_handler = keep_input, .sa_flags = (int)SA_RESETHAND};

	(void)snprintf(crash_path, sizeof(crash_path), "%s.crash", base);
	(void)sigaction(SIGABRT, &act, NULL);
	(void)sigaction(SIGSEGV, &act, NULL);
	if (argc > 1)
		for (int i = 1; i < argc; i++)
			read_input(argv[i]);
	else
		read_corpus(name ? name + strlen("fuzz_") : base);
	for (size_t i = 0; i < corpus_count; i++)
		run(corpus[i].p, corpus[i].n);
	if (argc == 1)
		mutate(rounds ? strtoul(rounds, NULL, 10) : DEFAULT_ROUNDS);
	for (size_t i = 0; i < corpus_count; i++)
		free(corpus[i].p);
	return 0;
}
