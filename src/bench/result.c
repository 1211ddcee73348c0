/* SPDX-License-Identifier: Apache-2.0 */
#include "base/hash.h"
#include "bench/bench.h"

/* Log-linear: BENCH_HIST_SUB buckets per power of two. */
static unsigned hist_index(uint64_t ns)
{
	unsigned top;

	if (ns < BENCH_HIST_SUB)
		return (unsigned)ns;
	top = 63u - (unsigned)__builtin_clzll(ns);
	return (top - 4) * BENCH_HIST_SUB + (unsigned)(ns >> (top - 5)) - BENCH_HIST_SUB;
}

static uint64_t hist_value(unsigned index)
{
	unsigned top = index / BENCH_HIST_SUB + 4;

	if (index < BENCH_HIST_SUB)
		return index;
	return (uint64_t)(BENCH_HIST_SUB + index % BENCH_HIST_SUB) << (top - 5);
}

void bench_hist_add(struct bench_result *r, uint64_t ns)
{
	r->hist[hist_index(ns)]++;
	if (ns > r->max_ns)
		r->max_ns = ns;
}

uint64_t bench_hist_at(const struct bench_result *r, double part)
{
	uint64_t total = 0, sum = 0;

	for (unsigned i = 0; i < BENCH_HIST; i++)
		total += r->hist[i];
	for (unsigned i = 0; i < BENCH_HIST; i++) {
		sum += r->hist[i];
		if (sum && (double)sum >= part * (double)total)
			return SL_MIN(hist_value(i), r->max_ns);
	}
	return r->max_ns;
}

static void share_add(struct bench_result *r, struct str name, uint64_t n)
{
	size_t len = SL_MIN(name.n, (size_t)BENCH_NAME - 1);

	for (uint32_t i = 0; i < r->n_shares; i++) {
		if (strlen(r->shares[i].name) == len &&
			memcmp(r->shares[i].name, name.p, len) == 0) {
			r->shares[i].n += n;
			return;
		}
	}
	if (r->n_shares == BENCH_MAX_NAMES) {
		r->other += n;
		return;
	}
	memcpy(r->shares[r->n_shares].name, name.p, len);
	r->shares[r->n_shares].name[len] = '\0';
	r->shares[r->n_shares++].n = n;
}

void bench_share_add(struct bench_result *r, struct str name)
{
	if (name.n)
		share_add(r, name, 1);
}

void bench_merge(struct bench_result *to, const struct bench_result *from)
{
	atomic_store_explicit(&to->answered, to->answered + from->answered, memory_order_relaxed);
	to->sent += from->sent;
	to->lost += from->lost;
	to->errors += from->errors;
	to->octets += from->octets;
	to->other += from->other;
	to->max_ns = SL_MAX(to->max_ns, from->max_ns);
	for (size_t i = 0; i < SL_COUNT(to->status); i++)
		to->status[i] += from->status[i];
	for (size_t i = 0; i < BENCH_HIST; i++)
		to->hist[i] += from->hist[i];
	for (uint32_t i = 0; i < from->n_shares; i++)
		share_add(to, str_from(from->shares[i].name), from->shares[i].n);
}

struct str bench_name_of_ip(
	const struct bench_options *o, struct ip a, char text[static IP_TEXT_MAX])
{
	for (uint32_t i = 0; i < o->n_names; i++) {
		const struct bench_prefix *p = &o->names[i].addresses;

		if (p->ip.family == a.family && ip_eq(ip_mask(a, p->len), p->ip))
			return str_from(o->names[i].name);
	}
	ip_format(a, text);
	return str_from(text);
}

struct str bench_name_of_cname(const struct bench_options *o, struct str cname)
{
	for (uint32_t i = 0; i < o->n_names; i++)
		if (str_eq_ci(str_from(o->names[i].cname), cname))
			return str_from(o->names[i].name);
	return cname;
}

struct ip bench_client(const struct bench_options *o, uint64_t draw)
{
	struct ip a = {.family = IP_V4};
	uint64_t more = hash_mix(draw, 1);

	if (o->n_ecs) {
		const struct bench_prefix *p = &o->ecs[draw % o->n_ecs];
		uint8_t noise[16];

		memcpy(noise, &more, 8);
		more = hash_mix(more, 2);
		memcpy(noise + 8, &more, 8);
		a = p->ip;
		for (uint8_t i = p->len; i < ip_bits(a); i++)
			a.b[i / 8] |= (uint8_t)(noise[i / 8] & 0x80 >> i % 8);
		return a;
	}
	a.b[0] = (uint8_t)(1 + draw % 222);
	if (a.b[0] == 10 || a.b[0] == 127)
		a.b[0]++;
	memcpy(a.b + 1, &more, 3);
	return a;
}
