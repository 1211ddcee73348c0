/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench_answer [WORLD]: user nanoseconds per answer in one thread, without a socket: the decision
 * by sticky key and by sequence, and a whole DNS message with a random client subnet. WORLD is the
 * world folder of a state folder (run/world); the small test world without.
 */
#include "../unit/dnsworld.h"

#include "base/os.h"
#include "dns/server.h"

enum { N = 4000000 };

static uint64_t seed = 88172645463325252u;
static volatile uint64_t sink; /* so that no answer is optimised away */

static uint64_t next(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed;
}

static struct ip random_v4(void)
{
	uint64_t r = next();
	struct ip ip = {.family = IP_V4};

	memcpy(ip.b, &r, 3);
	return ip;
}

static void report(const char *what, uint64_t began_ns, uint32_t n)
{
	(void)printf("%-44s %7.1f ns\n", what, (double)(os_thread_user_ns() - began_ns) / n);
}

static void decide(struct dnsworld *b, bool by_sequence)
{
	const struct world *w = b->d.w.world;
	uint64_t began = os_thread_user_ns(), sum = 0;

	for (uint32_t i = 0; i < N; i++) {
		struct ip ip = random_v4();
		struct place p = answer_locate(w, ip, 24);
		struct question q = {.group = p.group,
			.key = answer_key(ip, p, 0),
			.cur = SCORE_NONE,
			.by_sequence = by_sequence};
		struct answer a;

		worker_decide(&b->d.w, &q, &a);
		sum += a.slot[0];
	}
	sink = sum;
	report(by_sequence ? "locate and decide, by sequence" : "locate and decide, by sticky key",
		began, N);
}

static void message(struct dnsworld *b, const char *name, size_t n_name)
{
	static const uint8_t head[] = {0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 1};
	static const uint8_t tail[] = {
		0, 1, 0, 1, 0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 11, 0, 8, 0, 7, 0, 1, 24, 0, 0, 0, 0};
	uint8_t msg[512], out[DNSD_OUT_MAX];
	size_t n = 0;
	uint64_t began, sum = 0;
	struct ip client = {.b = {127, 0, 0, 1}, .family = IP_V4};

	memcpy(msg, head, sizeof(head));
	memcpy(msg + sizeof(head), name, n_name);
	memcpy(msg + sizeof(head) + n_name, tail, sizeof(tail));
	n = sizeof(head) + n_name + sizeof(tail);
	began = os_thread_user_ns();
	for (uint32_t i = 0; i < N; i++) {
		uint64_t r = next();

		memcpy(msg + n - 3, &r, 3);
		sum += dnsd_handle(&b->d, msg, n, client, DNSD_UDP, out, sizeof(out));
	}
	sink = sum;
	report("a DNS message with a random subnet", began, N);
}

int main(int argc, char **argv)
{
	static const char drill[] = "\5drill\6sluice\7example";
	struct testworld_spec spec = {0};
	struct dnsworld b;
	struct errbuf err = {""};
	struct world_file *f;

	publish_reader_start();
	if (dnsworld_init(&b, &spec)) {
		(void)fprintf(stderr, "bench_answer: %s\n", b.tw.err.s);
		return 1;
	}
	if (argc > 1) {
		if (world_open(argv[1], NULL, &f, &err)) {
			(void)fprintf(stderr, "bench_answer: %s\n", err.s);
			return 1;
		}
		publish_offline();
		publish_swap(b.workers.publish, f);
		publish_online();
		worker_round(&b.d.w);
	}
	decide(&b, false);
	decide(&b, true);
	message(&b, drill, sizeof(drill));
	publish_reader_stop();
	dnsworld_done(&b);
	return 0;
}
