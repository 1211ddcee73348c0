/* SPDX-License-Identifier: Apache-2.0 */
/* sluice-bench: argv, threads, the progress line. Exit 0 done, 1 nothing was answered, 2 usage. */
#include "bench/bench.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static _Atomic bool stop; /* relaxed flag with one writer, the signal handler */

static void on_signal(int sig)
{
	(void)sig;
	atomic_store_explicit(&stop, true, memory_order_relaxed);
}

struct thread {
	struct bench_run run;
	pthread_t id;
	_Atomic bool done; /* relaxed flag with one writer, the thread */
};

static void *run(void *arg)
{
	struct thread *t = arg;

	t->run.rc = t->run.o->http ? bench_http_run(&t->run) : bench_dns_run(&t->run);
	atomic_store_explicit(&t->done, true, memory_order_release);
	return NULL;
}

static bool all_done(struct thread *t, uint32_t n, uint64_t *ret_answered)
{
	bool done = true;

	*ret_answered = 0;
	for (uint32_t i = 0; i < n; i++) {
		done &= atomic_load_explicit(&t[i].done, memory_order_acquire);
		*ret_answered += atomic_load_explicit(&t[i].run.r->answered, memory_order_relaxed);
	}
	return done;
}

/* A line that is written over once a second, on a terminal only. */
static void progress(struct thread *t, uint32_t n, uint64_t start_ns)
{
	const struct timespec nap = {0, 50000000};
	uint64_t answered, last = 0, said_ns = start_ns;
	bool tty = isatty(STDERR_FILENO);

	while (!all_done(t, n, &answered)) {
		uint64_t now_ns = os_mono_ns();

		if (tty && now_ns - said_ns > UINT64_C(1000000000)) {
			(void)fprintf(stderr, "\r%4.0f s  %llu answers  %.0f/s   ",
				(double)(now_ns - start_ns) / 1e9, (unsigned long long)answered,
				(double)(answered - last) * 1e9 / (double)(now_ns - said_ns));
			last = answered;
			said_ns = now_ns;
		}
		(void)nanosleep(&nap, NULL);
	}
	if (tty)
		(void)fprintf(stderr, "\r%60s\r", "");
}

static int start(struct thread *t, const struct bench_options *o, uint64_t start_ns)
{
	for (uint32_t i = 0; i < o->threads; i++) {
		t[i].run = (struct bench_run){.o = o,
			.r = calloc(1, sizeof(struct bench_result)),
			.index = i,
			.seed = os_random64(),
			.end_ns = start_ns + (uint64_t)(o->seconds * 1e9),
			.quota = o->count ? (o->count + o->threads - 1 - i) / o->threads : 0,
			.stop = &stop};
		if (o->count && !t[i].run.quota)
			t[i].done = true;
		if (!t[i].run.r)
			return SL_ENOMEM;
		if (!t[i].done && pthread_create(&t[i].id, NULL, run, &t[i]))
			return SL_EAGAIN;
	}
	return 0;
}

static int bench(struct bench_options *o)
{
	struct thread *t = calloc(o->threads, sizeof(*t));
	struct bench_result *sum = calloc(1, sizeof(*sum));
	uint64_t start_ns = os_mono_ns();
	int rc = t && sum ? start(t, o, start_ns) : SL_ENOMEM;

	if (rc) {
		(void)fprintf(stderr, "sluice-bench: %s\n", sl_strerror(rc));
		exit(1); /* threads may be running */
	}
	progress(t, o->threads, start_ns);
	for (uint32_t i = 0; i < o->threads; i++) {
		if (t[i].id)
			(void)pthread_join(t[i].id, NULL);
		bench_merge(sum, t[i].run.r);
		if (t[i].run.err.s[0])
			(void)fprintf(stderr, "sluice-bench: %s\n", t[i].run.err.s);
		free(t[i].run.r);
	}
	bench_report(o, sum, (double)(os_mono_ns() - start_ns) / 1e9);
	rc = sum->answered ? 0 : 1;
	free(sum);
	free(t);
	return rc;
}

int main(int argc, char **argv)
{
	static struct bench_options o;
	struct errbuf err = {""};
	struct sigaction sa = {.sa_handler = on_signal};
	int rc = bench_options_parse(&o, argc, argv, &err);

	if (rc) {
		if (rc < 0)
			(void)fprintf(stderr, "sluice-bench: %s\n", err.s);
		return rc < 0 ? 2 : 0;
	}
	(void)sigaction(SIGINT, &sa, NULL);
	(void)sigaction(SIGTERM, &sa, NULL);
	rc = bench(&o);
	free(o.ecs);
	free(o.post);
	return rc;
}
