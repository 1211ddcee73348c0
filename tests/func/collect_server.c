/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The reports listener over the test world, without the rest of the daemon.
 * usage: collect_server FACTS [THREADS [TICK_MS [PULLS]]]   prints "ready PORT" and serves until
 * SIGTERM. PULLS: room for pull attempts.
 * Each line on standard input is answered by one line of JSON: the facts blob of that moment.
 */
#include "collect/collect.h"
#include "testworld.h"

#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

static volatile sig_atomic_t stopping;

static void on_signal(int sig)
{
	(void)sig;
	stopping = 1;
}

static void failed(const char *text)
{
	(void)fprintf(stderr, "facts: %s\n", text);
}

/* The facts as JSON on one line; "null" when there are none yet. */
static void say_facts(const char *path)
{
	const void *blob;
	struct errbuf err = {""};
	size_t size, n = 0;
	char *text = NULL;
	FILE *f;

	if (os_map_file(path, SL_MAX_BLOB_OCTETS, &blob, &size, &err)) {
		(void)puts("null");
		return;
	}
	f = open_memstream(&text, &n);
	if (f && blob_check(&facts_def, blob, size, &err) == 0)
		blob_dump(&facts_def, blob, f);
	else
		(void)fprintf(stderr, "facts: %s\n", err.s);
	if (f)
		(void)fclose(f);
	for (size_t i = 0; i < n; i++)
		(void)putchar(text[i] == '\n' ? ' ' : text[i]);
	(void)putchar('\n');
	free(text);
	os_unmap(blob, size);
}

static void serve(const char *facts)
{
	struct pollfd p = {.fd = 0, .events = POLLIN};
	char line[16];

	while (!stopping) {
		if (poll(&p, 1, 200) <= 0)
			continue;
		if (read(0, line, sizeof(line)) <= 0)
			return;
		say_facts(facts);
		(void)fflush(stdout);
	}
}

int main(int argc, char **argv)
{
	static const struct httpd_prefix loopback[] = {{{{127}, IP_V4}, 8}};
	struct sigaction sa = {.sa_handler = on_signal};
	struct testworld tw;
	struct os_addr addr;
	struct collect_options o = {.listen = &addr,
		.n_listen = 1,
		.threads = argc > 2 ? (uint32_t)strtoul(argv[2], NULL, 10) : 1,
		.tick_ms = argc > 3 ? (uint32_t)strtoul(argv[3], NULL, 10) : 200,
		.facts = argc > 1 ? argv[1] : "",
		.kept = -1,
		.trusted_senders = loopback,
		.n_trusted_senders = 1,
		.limits = COLLECT_LIMITS_DEFAULT,
		.failed = failed};
	struct publish *publish = publish_new();
	struct collect *c = NULL;
	struct errbuf err = {""};

	(void)sigaction(SIGTERM, &sa, NULL);
	o.publish = publish;
	if (argc > 4)
		o.limits.pulls = (uint32_t)strtoul(argv[4], NULL, 10);
	if (argc < 2 || !publish || testworld_init(&tw, NULL))
		return 1;
	publish_swap(publish, testworld_take(&tw));
	if (os_addr_parse("127.0.0.1:0", &addr, &err) || collect_open(&o, &c, &err) ||
		collect_run(c, &err)) {
		(void)fprintf(stderr, "collect_server: %s\n", err.s);
		return 1;
	}
	(void)printf("ready %u\n", collect_port(c, 0));
	(void)fflush(stdout);
	serve(argv[1]);
	collect_stop(c, 2000);
	publish_free(publish);
	testworld_done(&tw);
	return 0;
}
