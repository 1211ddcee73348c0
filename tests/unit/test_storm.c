/* SPDX-License-Identifier: Apache-2.0 */
/* Worlds published as fast as they can be while DNS and HTTP loops answer; made for the thread
 * sanitizer, worth running without. */
#include "test.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/os.h"
#include "dns/server.h"
#include "http/http.h"
#include "testworld.h"

enum { WORKERS = 8 };

static char dir[] = "/tmp/sluice-test-storm-XXXXXX";
static struct testworld tw;
static struct workers workers;
static struct dnsd *dns;
static struct http_server *http;
static _Atomic bool stop;
static _Atomic uint64_t dns_answers, http_answers, wrong;

static int connect_to(int type, uint16_t port)
{
	struct sockaddr_in sa = {.sin_family = AF_INET,
		.sin_port = htons(port),
		.sin_addr = {htonl(INADDR_LOOPBACK)}};
	struct timeval patience = {.tv_sec = 5};
	int fd = socket(AF_INET, type, 0);

	(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	assert_int_equal(connect(fd, (void *)&sa, sizeof(sa)), 0);
	return fd;
}

static void *ask_dns(void *arg)
{
	static const uint8_t query[] = "\0\7\1\0\0\1\0\0\0\0\0\0\5drill\6sluice\7example\0\0\1\0\1";
	int fd = connect_to(SOCK_DGRAM, dnsd_port(dns, 0));
	uint8_t reply[1500];

	(void)arg;
	while (!stop) {
		ssize_t n;

		(void)send(fd, query, sizeof(query) - 1, 0);
		n = recv(fd, reply, sizeof(reply), 0);
		if (n > 12 && (reply[3] & 15) == 0 && reply[7] > 0)
			dns_answers++;
		else
			wrong++;
	}
	(void)close(fd);
	return NULL;
}

static void *ask_http(void *arg)
{
	static const char request[] =
		"GET /v1/resolve?host=drill.sluice.example&ip=10.1.2.3&client=a "
		"HTTP/1.1\r\nHost: a\r\n\r\n";
	int fd = connect_to(SOCK_STREAM, http_port(http, 0));
	char reply[4096];

	(void)arg;
	while (!stop) {
		ssize_t n;

		(void)send(fd, request, sizeof(request) - 1, MSG_NOSIGNAL);
		n = recv(fd, reply, sizeof(reply) - 1, 0);
		if (n > 12 && memcmp(reply, "HTTP/1.1 200", 12) == 0)
			http_answers++;
		else
			wrong++;
	}
	(void)close(fd);
	return NULL;
}

static int setup(void **state)
{
	struct testworld_spec spec = {0};
	struct dnsd_options d = DNSD_OPTIONS_DEFAULT;
	struct http_options h = {.n_listen = 1, .threads = 2, .workers = &workers};
	struct os_addr any;
	struct errbuf err;

	(void)state;
	if (!mkdtemp(dir) || testworld_init(&tw, &spec) || os_addr_parse("127.0.0.1:0", &any, &err))
		return -1;
	workers.publish = publish_new();
	workers.seen = seen_new();
	for (workers.n = 0; workers.n < WORKERS; workers.n++) {
		char name[16];

		(void)snprintf(name, sizeof(name), "w%u", workers.n);
		if (tally_open(dir, name, &workers.tally[workers.n], &err))
			return -1;
	}
	publish_swap(workers.publish, testworld_take(&tw));
	d.listen = h.listen = &any;
	d.n_listen = 1;
	d.udp_threads = 2;
	d.workers = &workers;
	h.first_worker = dnsd_workers(&d);
	return dnsd_open(&d, &dns, &err) || http_open(&h, &http, &err) || dnsd_run(dns, &err) ||
	       http_run(http, &err);
}

static int teardown(void **state)
{
	(void)state;
	http_stop(http, 1000);
	dnsd_stop(dns);
	publish_free(workers.publish);
	free(workers.seen);
	for (uint32_t i = 0; i < workers.n; i++) {
		char path[64];

		tally_close(workers.tally[i]);
		(void)snprintf(path, sizeof(path), "%s/w%u.tally", dir, i);
		(void)unlink(path);
	}
	testworld_done(&tw);
	return rmdir(dir);
}

static void answers_through_a_storm_of_worlds(void **state)
{
	const int swaps = getenv("SLUICE_LONG") ? 20000 : 1000;
	pthread_t client[4];

	(void)state;
	for (int i = 0; i < 4; i++)
		assert_int_equal(
			pthread_create(&client[i], NULL, i % 2 ? ask_http : ask_dns, NULL), 0);
	for (int i = 0; i < swaps; i++) {
		publish_swap(workers.publish, testworld_take(&tw));
		seen_rotate(workers.seen, (uint64_t)i * 100, 1000);
	}
	while (dns_answers < 100 || http_answers < 100)
		publish_swap(workers.publish, testworld_take(&tw));
	stop = true;
	for (int i = 0; i < 4; i++)
		(void)pthread_join(client[i], NULL);
	assert_int_equal(wrong, 0);
	print_message("%d worlds, %llu DNS and %llu HTTP answers\n", swaps,
		(unsigned long long)dns_answers, (unsigned long long)http_answers);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(answers_through_a_storm_of_worlds),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
