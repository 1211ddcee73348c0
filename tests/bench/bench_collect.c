/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What reports cost, per core: reading bodies of 100 reports of 230 octets into records (the
 * worker), booking them (the tick thread), the facts of a tick; with a bare parse by cJSON of the
 * same octets beside. usage: bench_collect [SESSIONS]   (default 100000; the tables hold a million)
 */
#include "base/os.h"
#include "collect/intake.h"
#include "collect/books.h"
#include "testworld.h"

#include <cjson/cJSON.h>
#include <stdlib.h>
#include <sys/resource.h>

enum { ITEMS = 100, BODIES = 4000, CHUNK = 1000, ROOM = ITEMS * 320 };

struct bench {
	struct collect_intake in;
	uint64_t taken, refused;
};

static struct collect_verdict take(void *ctx, const struct collect_report *r)
{
	struct bench *b = ctx;

	b->taken++;
	return collect_intake_report(&b->in, r);
}

static void refused(void *ctx, uint32_t index, struct collect_verdict v)
{
	struct bench *b = ctx;

	(void)index;
	(void)v;
	b->refused++;
}

/* A body of 100 reports; session ids come around after `sessions`. */
static size_t make_body(char *to, uint32_t first, uint32_t sessions, uint64_t now_ms)
{
	static const char *const vendor[] = {"alpha", "beta", "gamma"};
	size_t n = (size_t)snprintf(to, ROOM, "{\"reports\":[");

	for (uint32_t i = 0; i < ITEMS; i++) {
		uint32_t id = (first + i) % sessions;

		n += (size_t)snprintf(to + n, ROOM - n,
			"%s{\"t_ms\":%llu,\"session\":\"5f0c8a3e-%08x\",\"user\":\"u-%010u\","
			"\"stream\":\"live/room-%03u\",\"vendor\":\"%s\",\"node\":\"edge-%02u\","
			"\"definition\":\"fhd\",\"client_kind\":\"android\",\"ok\":true,"
			"\"first_frame_ms\":%u.5,\"bitrate_kbps\":3500,\"cache_hit\":true,"
			"\"ip\":\"10.%u.%u.%u\"}",
			i ? "," : "", (unsigned long long)(now_ms - i), id, id, id % 500,
			vendor[id % 3], id % 40, 200 + id % 900, 1 + id % 3, id / 250 % 250,
			1 + id % 250);
	}
	return n + (size_t)snprintf(to + n, ROOM - n, "]}");
}

/* User time: what others do on the machine does not count. */
static double seconds(uint64_t since_ns)
{
	return (double)(os_thread_user_ns() - since_ns) / 1e9;
}

static double read_chunk(struct bench *b, char *const *body, const size_t *size)
{
	static const struct ip loopback = {{127, 0, 0, 1}, IP_V4};
	uint64_t began = os_thread_user_ns();

	for (uint32_t i = 0; i < CHUNK; i++) {
		collect_intake_begin(&b->in, COLLECT_QOS, loopback, true);
		(void)collect_report_parse((struct str){body[i], size[i]}, take, refused, b);
	}
	return seconds(began);
}

static double book_chunk(struct collect_books *books, struct collect_batch *batch, uint64_t now_ms)
{
	uint64_t began = os_thread_user_ns();
	double s;

	collect_books_take(books, batch, false, now_ms);
	s = seconds(began);
	batch->n = batch->text_used = 0;
	memset(batch->counts, 0, sizeof(batch->counts));
	return s;
}

static void say(const char *what, double items, double s)
{
	(void)printf("%-44s %10.0f items/s %8.0f ns\n", what, items / s, s / items * 1e9);
}

static double bare_cjson(char *const *body, const size_t *size)
{
	uint64_t began = os_thread_user_ns();

	for (uint32_t i = 0; i < BODIES / 4; i++)
		cJSON_Delete(cJSON_ParseWithLength(body[i], size[i]));
	return seconds(began) * 4;
}

static long resident_mb(void)
{
	struct rusage u;

	(void)getrusage(RUSAGE_SELF, &u);
	return u.ru_maxrss / 1024;
}

int main(int argc, char **argv)
{
	static const struct collect_limits limits = COLLECT_LIMITS_DEFAULT;
	uint32_t sessions = argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 10) : 100000;
	uint64_t now_ms = os_now_ms(), began;
	char **body = calloc(BODIES, sizeof(*body));
	size_t *size = calloc(BODIES, sizeof(*size));
	struct bench *b = calloc(1, sizeof(*b));
	struct collect_batch *batch = calloc(1, sizeof(*batch));
	struct collect_books *books;
	struct testworld tw;
	struct errbuf err = {""};
	double read_s = 0, book_s = 0;
	long before_mb;

	if (!body || !size || !b || !batch || sessions < 1 || testworld_init(&tw, NULL) ||
		collect_books_new(&limits, -1, now_ms, &books, &err))
		return 1;
	for (uint32_t i = 0; i < BODIES; i++) {
		body[i] = malloc(ROOM);
		if (!body[i])
			return 1;
		size[i] = make_body(body[i], i * ITEMS, sessions, now_ms);
	}
	before_mb = resident_mb();
	b->in.seed = 7;
	b->in.batch = batch;
	collect_intake_round(&b->in, world_of(tw.file), now_ms, COLLECT_PPM);
	for (uint32_t round = 0; round < 3; round++) { /* the first touches the memory */
		if (round == 1)
			read_s = book_s = 0;
		for (uint32_t i = 0; i < BODIES; i += CHUNK) {
			read_s += read_chunk(b, body + i, size + i);
			book_s += book_chunk(books, batch, now_ms);
		}
	}
	if (b->refused)
		return 1;
	(void)printf("bodies of %d reports, %.0f octets each, %u sessions\n", ITEMS,
		(double)size[1] / ITEMS, sessions);
	say("read into records (per core of a worker)", 2.0 * BODIES * ITEMS, read_s);
	say("booked (the one tick thread)", 2.0 * BODIES * ITEMS, book_s);
	say("both on one core", 2.0 * BODIES * ITEMS, read_s + book_s);
	say("bare cJSON parse of the same octets", BODIES * ITEMS, bare_cjson(body, size));
	began = os_thread_user_ns();
	for (uint32_t i = 0; i < 5; i++) {
		void *blob = NULL;
		size_t n;

		if (collect_books_facts(books, now_ms, COLLECT_PPM, &blob, &n, &err))
			return 1;
		free(blob);
	}
	(void)printf("%-44s %10.1f ms\n", "facts of one tick", seconds(began) * 1000 / 5);
	(void)printf("%-44s %10ld MiB\n", "memory of the books", resident_mb() - before_mb);
	return 0;
}
