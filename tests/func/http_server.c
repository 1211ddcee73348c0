/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The HTTP doors over the test world, without the rest of the daemon.
 * usage: http_server [PORT [THREADS [SECRET [CERT KEY]]]]   prints "ready PORT TLSPORT" (0: no
 * TLS), republishes the world ten times a second, serves until SIGTERM, then prints what it
 * counted. With a secret (32 hexadecimal digits, - for none) there is an account "bench" that signs
 * and seals with it.
 */
#include "http/http.h"
#include "testworld.h"

#include <signal.h>
#include <stdlib.h>

static volatile sig_atomic_t stopping;

static void on_signal(int sig)
{
	(void)sig;
	stopping = 1;
}

static int make_workers(struct workers *all, struct testworld *tw, uint32_t threads)
{
	struct world_file *world = testworld_take(tw);

	all->publish = publish_new();
	all->seen = seen_new();
	all->n = threads;
	for (uint32_t i = 0; i < threads; i++)
		all->tally[i] = calloc(1, sizeof(struct tally));
	if (!world || !all->publish || !all->seen || !all->tally[threads - 1])
		return SL_ENOMEM;
	publish_swap(all->publish, world);
	return 0;
}

/* The account, as control would have written it. */
static struct keys_file *make_keys(const char *secret)
{
	struct blob_writer *w = blob_writer_new(&keys_def);
	struct blob_span name = blob_add_octets(w, KEYS_text, "bench", 5);
	struct blob_span octets =
		blob_add_octets(w, KEYS_secrets, secret, (uint32_t)strlen(secret));
	struct keys_meta *meta = blob_add(w, KEYS_meta, 1, NULL);
	struct keys_key *key = blob_add(w, KEYS_keys, 1, NULL);
	struct keys_account *account = blob_add(w, KEYS_accounts, 1, NULL);
	struct keys_file *f = NULL;
	void *blob = NULL;
	size_t size;

	*meta = (struct keys_meta){.window_s = 300};
	*key = (struct keys_key){name, octets};
	*account = (struct keys_account){
		.name = name, .backup = BLOB_NONE, .des = BLOB_NONE, .token = BLOB_NONE};
	if (blob_writer_finish(w, (struct blob_stamp){1, 1, 1}, &blob, &size, NULL) ||
		keys_copy(blob, size, &f, NULL))
		f = NULL;
	blob_writer_free(w);
	free(blob);
	return f;
}

static void say(const struct workers *all)
{
	uint64_t requests = 0, bad = 0;

	for (uint32_t i = 0; i < all->n; i++) {
		requests += tally_get(&all->tally[i]->counters[TALLY_HTTP_REQUESTS]);
		bad += tally_get(&all->tally[i]->counters[TALLY_HTTP_5XX]);
	}
	(void)printf(
		"requests %llu 5xx %llu\n", (unsigned long long)requests, (unsigned long long)bad);
}

int main(int argc, char **argv)
{
	const struct timespec nap = {0, 100000000};
	struct sigaction sa = {.sa_handler = on_signal};
	char text[32];
	struct testworld tw;
	struct workers all = {0};
	struct os_addr addr[2];
	struct http_options o = {.listen = addr, .n_listen = 1, .first_tls = 1, .workers = &all};
	struct http_server *s = NULL;
	struct keys_file *keys = argc > 3 && strcmp(argv[3], "-") != 0 ? make_keys(argv[3]) : NULL;
	struct errbuf err = {""};

	o.threads = argc > 2 ? (uint32_t)strtoul(argv[2], NULL, 10) : 1;
	(void)snprintf(text, sizeof(text), "127.0.0.1:%s", argc > 1 ? argv[1] : "0");
	if (argc > 5) {
		o.n_listen = 2;
		o.tls_cert = argv[4];
		o.tls_key = argv[5];
	}
	(void)sigaction(SIGTERM, &sa, NULL);
	if (testworld_init(&tw, NULL) || make_workers(&all, &tw, o.threads) ||
		os_addr_parse(text, &addr[0], &err) ||
		os_addr_parse("127.0.0.1:0", &addr[1], &err) || http_open(&o, &s, &err) ||
		http_run(s, &err)) {
		(void)fprintf(stderr, "http_server: %s%s\n", tw.err.s, err.s);
		return 1;
	}
	if (keys)
		publish_swap_keys(all.publish, keys);
	(void)printf("ready %u %u\n", http_port(s, 0), argc > 5 ? http_port(s, 1) : 0);
	(void)fflush(stdout);
	while (!stopping) {
		publish_swap(all.publish, testworld_take(&tw));
		(void)nanosleep(&nap, NULL);
	}
	http_stop(s, 2000);
	say(&all);
	publish_free(all.publish);
	free(all.seen);
	for (uint32_t i = 0; i < all.n; i++)
		free(all.tally[i]);
	testworld_done(&tw);
	return 0;
}
