/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sluice-bench: load over DNS or HTTP, and what came back. Threads share nothing while they run but
 * the stop flag; each fills a struct bench_result of its own, merged at the end.
 */
#pragma once

#include <stdatomic.h>

#include "base/os.h"

enum {
	BENCH_MAX_THREADS = 64,
	BENCH_MAX_NAMES = 256,  /* distinct targets counted apart */
	BENCH_MAX_PATHS = 4096, /* requests to choose from */
	BENCH_MAX_PREFIXES = 65536,
	BENCH_NAME = 80,
	BENCH_HIST_SUB = 32, /* buckets per power of two: 3 % */
	BENCH_HIST = 64 * BENCH_HIST_SUB,
	BENCH_DNS_INFLIGHT_MAX = 16384,
	BENCH_DNS_TIMEOUT_MS = 1000,
	BENCH_HTTP_TIMEOUT_MS = 10000,
};

struct bench_prefix {
	struct ip ip;
	uint8_t len;
};

/* A vendor by its name, its addresses or its CNAME; and the share that is expected. */
struct bench_name {
	char name[BENCH_NAME];
	char cname[SL_ERRBUF_SIZE / 2]; /* lower case, with final dot */
	struct bench_prefix addresses;  /* family IP_NONE: none */
	double expect;                  /* below 0: none */
};

struct bench_options {
	bool http, tls, json, remote, close;
	struct os_addr addr;
	char host_header[256];
	double seconds;
	uint64_t count; /* 0: until the time is over */
	uint32_t inflight, connections, threads;
	const char *host; /* DNS question */
	uint16_t qtype;
	bool ecs_random;
	struct bench_prefix *ecs;
	uint32_t n_ecs;
	const char *paths[BENCH_MAX_PATHS];
	uint32_t n_paths;
	char *post; /* body of every request; NULL: GET */
	size_t post_n;
	struct bench_name names[BENCH_MAX_NAMES];
	uint32_t n_names; /* given by --map and --expect */
};

struct bench_share {
	char name[BENCH_NAME];
	uint64_t n;
};

struct bench_result {
	_Atomic uint64_t answered; /* relaxed, one writer; read for the progress line */
	uint64_t sent, lost, errors, octets;
	uint64_t status[16]; /* DNS rcode, or first digit of the HTTP status */
	uint64_t hist[BENCH_HIST];
	uint64_t max_ns;
	struct bench_share shares[BENCH_MAX_NAMES];
	uint32_t n_shares;
	uint64_t other; /* past BENCH_MAX_NAMES */
};

struct bench_run {
	const struct bench_options *o;
	struct bench_result *r;
	uint32_t index;
	uint64_t seed, end_ns, quota; /* quota: requests of this thread, 0 without end */
	const _Atomic bool *stop;     /* relaxed flag with one writer, the signal handler */
	struct errbuf err;
	int rc;
};

/* argv to options: 0 to go on, 1 for help shown, negative with a message in err. */
int bench_options_parse(
	struct bench_options *o, int argc, char **argv, struct errbuf *err) SL_NONNULL_ALL;

/* The load of one thread; returns when time, quota or patience is over. */
int bench_dns_run(struct bench_run *b) SL_NONNULL_ALL;
int bench_http_run(struct bench_run *b) SL_NONNULL_ALL;

void bench_hist_add(struct bench_result *r, uint64_t ns) SL_NONNULL_ALL;
/* The latency below which `part` (0..1) of the answers came, nanoseconds. */
uint64_t bench_hist_at(const struct bench_result *r, double part) SL_NONNULL_ALL;

void bench_share_add(struct bench_result *r, struct str name) SL_NONNULL(1);
void bench_merge(struct bench_result *to, const struct bench_result *from) SL_NONNULL_ALL;
void bench_report(
	const struct bench_options *o, const struct bench_result *r, double seconds) SL_NONNULL_ALL;

/* The name under which an address or CNAME counts: the mapped vendor's, or its own text. */
struct str bench_name_of_ip(
	const struct bench_options *o, struct ip a, char text[static IP_TEXT_MAX]);
struct str bench_name_of_cname(const struct bench_options *o, struct str cname) SL_NONNULL(1);

/* A client address: out of the prefixes, or anywhere in public unicast space. */
struct ip bench_client(const struct bench_options *o, uint64_t draw) SL_NONNULL_ALL;

static inline void bench_answered(struct bench_result *r)
{
	atomic_store_explicit(&r->answered,
		atomic_load_explicit(&r->answered, memory_order_relaxed) + 1, memory_order_relaxed);
}
