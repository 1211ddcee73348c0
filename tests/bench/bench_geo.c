/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench_geo FILE.mmdb: nanoseconds per lookup in the compiled table, beside libmaxminddb on the
 * same addresses (search alone, and with the three values that make a group).
 */
#include "base/os.h"
#include "geo/build.h"
#include "geo/file.h"

#include <math.h>
#include <maxminddb.h>
#include <netinet/in.h>
#include <stdlib.h>

enum { N = 1 << 20, ROUNDS = 4, VIEWERS = 1 << 16 };

struct bench {
	struct geo_names names;
	struct geo_table *table;
	MMDB_s db;
	struct ip *addrs; /* N */
	uint64_t seed, sum;
};

/* xorshift64*: the same addresses in every run */
static uint64_t next(struct bench *b)
{
	b->seed ^= b->seed >> 12;
	b->seed ^= b->seed << 25;
	b->seed ^= b->seed >> 27;
	return b->seed * UINT64_C(2685821657736338717);
}

static struct ip v4(uint32_t v)
{
	return (struct ip){
		.b = {(uint8_t)(v >> 24), (uint8_t)(v >> 16), (uint8_t)(v >> 8), (uint8_t)v},
		.family = IP_V4};
}

static void fill_v4(struct bench *b)
{
	for (size_t i = 0; i < N; i++)
		b->addrs[i] = v4((uint32_t)(next(b) >> 32));
}

/* Networks of Chinese viewers, the first ones seen far more often than the last (1/rank). */
static void fill_viewers(struct bench *b)
{
	static uint32_t nets[VIEWERS];
	struct geo_hit hit;

	for (size_t i = 0; i < VIEWERS;) {
		nets[i] = (uint32_t)(next(b) >> 32);
		geo_lookup(b->table, v4(nets[i]), &hit);
		i += strncmp(b->names.name[hit.group], "CN/", 3) == 0;
	}
	for (size_t i = 0; i < N; i++) {
		double u = (double)(next(b) >> 11) * 0x1p-53;
		size_t rank = (size_t)exp(u * log(VIEWERS)) - 1;

		b->addrs[i] = v4((nets[rank] & 0xffffff00) | (next(b) >> 56));
	}
}

static void fill_v6(struct bench *b)
{
	static const uint8_t top[] = {0x20, 0x24, 0x26, 0x28, 0x2a};

	for (size_t i = 0; i < N; i++) {
		uint64_t hi = next(b), lo = next(b);

		memcpy(b->addrs[i].b, &hi, 8);
		memcpy(b->addrs[i].b + 8, &lo, 8);
		b->addrs[i].b[0] = top[lo % sizeof(top)];
		b->addrs[i].family = IP_V6;
	}
}

static void table_one(struct bench *b, struct ip a)
{
	struct geo_hit hit;

	geo_lookup(b->table, a, &hit);
	b->sum += hit.group + hit.len;
}

static MMDB_lookup_result_s search(struct bench *b, struct ip a)
{
	struct sockaddr_in6 v6s = {.sin6_family = AF_INET6};
	struct sockaddr_in v4s = {.sin_family = AF_INET};
	int rc = 0;

	memcpy(&v6s.sin6_addr, a.b, 16);
	memcpy(&v4s.sin_addr, a.b, 4);
	return MMDB_lookup_sockaddr(&b->db, a.family == IP_V4 ? (void *)&v4s : (void *)&v6s, &rc);
}

static void search_one(struct bench *b, struct ip a)
{
	b->sum += search(b, a).netmask;
}

static void values_one(struct bench *b, struct ip a)
{
	MMDB_lookup_result_s r = search(b, a);
	MMDB_entry_data_s d;

	if (!r.found_entry)
		return;
	if (MMDB_get_value(&r.entry, &d, "country", "iso_code", NULL) == 0 && d.has_data)
		b->sum += d.data_size;
	if (MMDB_get_value(&r.entry, &d, "subdivisions", "0", "iso_code", NULL) == 0 && d.has_data)
		b->sum += d.data_size;
	if (MMDB_get_value(&r.entry, &d, "isp", NULL) == 0 && d.has_data)
		b->sum += d.data_size;
}

static double ns(struct bench *b, void (*one)(struct bench *, struct ip))
{
	double best = 1e9;

	for (int round = 0; round < ROUNDS; round++) {
		uint64_t t = os_mono_ns();

		for (size_t i = 0; i < N; i++)
			one(b, b->addrs[i]);
		best = fmin(best, (double)(os_mono_ns() - t) / N);
	}
	return best;
}

static void run(struct bench *b, const char *what, void (*fill)(struct bench *))
{
	fill(b);
	(void)printf("%-24s %10.1f %14.1f %14.1f\n", what, ns(b, table_one), ns(b, search_one),
		ns(b, values_one));
}

int main(int argc, char **argv)
{
	struct bench b = {.seed = UINT64_C(0x9E3779B97F4A7C15)};
	const char *path = argc == 2 ? argv[1] : NULL;
	struct geo_input in = {
		.dbs = &path, .n_dbs = 1, .intern = geo_names_intern, .ctx = &b.names};
	struct errbuf err = {""};
	uint64_t t = os_mono_ns();
	size_t size;

	in.isps = geo_isp_default(&in.n_isps);
	if (!path || geo_build(&in, &b.table, &size, &err) != 0 ||
		MMDB_open(path, MMDB_MODE_MMAP, &b.db) != MMDB_SUCCESS) {
		(void)fprintf(stderr, "usage: bench_geo FILE.mmdb\n%s\n", err.s);
		return 1;
	}
	b.addrs = calloc(N, sizeof(*b.addrs));
	if (!b.addrs)
		return 1;
	(void)printf("compiled in %.2f s: %zu octets, %u nodes, %u leaves, %u groups\n",
		(double)(os_mono_ns() - t) / 1e9, size, b.table->n_nodes, b.table->n_leaves,
		b.table->stats.groups);
	(void)printf(
		"%-24s %10s %14s %14s\n", "ns per lookup", "table", "libmaxminddb", "with values");
	run(&b, "v4, any address", fill_v4);
	run(&b, "v4, Chinese viewers", fill_viewers);
	run(&b, "v6, any address in use", fill_v6);
	(void)printf("(%llu)\n", (unsigned long long)b.sum);
	MMDB_close(&b.db);
	geo_names_done(&b.names);
	free(b.table);
	free(b.addrs);
	return 0;
}
