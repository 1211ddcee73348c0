/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Decisions per core in a batch: a POST of 1000 requests with two addresses each, JSON in and out,
 * beside what cJSON takes to parse the same body and memcpy to move the same octets; CPU time.
 * usage: bench_batch [ROUNDS]
 */
#include "httpworld.h"

#include <cjson/cJSON.h>
#include <sys/resource.h>

enum { REQUESTS = 1000 };

static struct httpworld h;
static char body[SL_HTTP_BATCH_OCTETS];

static uint64_t cpu_ns(void)
{
	struct rusage u;

	(void)getrusage(RUSAGE_THREAD, &u);
	return (uint64_t)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1000000000 +
	       (uint64_t)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) * 1000;
}

static struct str make_body(void)
{
	struct buf b = buf_over(body, sizeof(body));

	BUF_PUT_LIT(&b, "{\"host\":\"drill.sluice.example\",\"type\":\"A\",\"ranked\":1,"
			"\"fields\":\"answers,ttl\",\"requests\":[");
	for (unsigned i = 0; i < REQUESTS; i++) {
		struct ip a = {{10, (uint8_t)(1 + i % 3), (uint8_t)(i * 7), (uint8_t)i}, IP_V4};

		if (i)
			buf_put_u8(&b, ',');
		BUF_PUT_LIT(&b, "{\"ip\":\"");
		ip_put(&b, a);
		BUF_PUT_LIT(&b, "\",\"client\":\"viewer-");
		buf_put_u64_dec(&b, 1000000 + i);
		BUF_PUT_LIT(&b, "\"}");
	}
	BUF_PUT_LIT(&b, "]}");
	return (struct str){body, buf_len(&b)};
}

static void say(const char *what, uint64_t ns, unsigned rounds)
{
	double each = (double)ns / rounds / REQUESTS;

	(void)printf("%-12s %8.1f ns a request %10.0f /s\n", what, each, 1e9 / each);
}

int main(int argc, char **argv)
{
	static const struct ip client = {{10, 1, 2, 3}, IP_V4};
	static uint8_t copy[2 * HW_REPLY];
	unsigned rounds = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : 1000;
	struct str in;
	size_t out_n;
	uint64_t start, sum = 0;

	if (httpworld_init(&h, NULL)) {
		(void)fprintf(stderr, "bench_batch: %s\n", h.tw.err.s);
		return 1;
	}
	in = make_body();
	start = cpu_ns();
	for (unsigned i = 0; i < rounds; i++)
		if (httpworld_ask(&h, HTTPD_POST, "/v1/resolve", (struct str){NULL, 0}, in,
			    client) != 200)
			return 1;
	say("batch", cpu_ns() - start, rounds);
	out_n = buf_len(&h.rp.body);
	start = cpu_ns();
	for (unsigned i = 0; i < rounds; i++)
		cJSON_Delete(cJSON_ParseWithLength(in.p, in.n));
	say("cJSON parse", cpu_ns() - start, rounds);
	start = cpu_ns();
	for (unsigned i = 0; i < rounds; i++) {
		memcpy(copy, in.p, in.n);
		memcpy(copy + in.n, h.body, out_n);
		sum += copy[i % (in.n + out_n)];
	}
	say("memcpy", cpu_ns() - start, rounds);
	(void)printf("octets in %zu out %zu (%llu)\n", in.n, out_n, (unsigned long long)sum % 10);
	httpworld_done(&h);
	return 0;
}
