/* SPDX-License-Identifier: Apache-2.0 */
/* Threads and sockets: batches over UDP; pipelining, lies, limits and deadlines over TCP. */
#include "test.h"

#include "dns/server.h"

#include <poll.h>
#include <unistd.h>

#include "dnsmsg.h"
#include "dnsworld.h"

enum { UDP_THREADS = 2, WAIT_MS = 60000 };

struct fixture {
	struct testworld tw;
	struct workers workers;
	struct dnsd *server;
	struct os_addr to;
};

static void start_with(
	struct fixture *f, const char *listen, uint32_t conns, uint32_t idle_ms, uint32_t total_ms)
{
	static const struct testworld_spec spec = {.ppm = {{1000000, 0, 0}}};
	struct dnsd_options o = DNSD_OPTIONS_DEFAULT;
	struct os_addr addr;
	struct errbuf err;

	memset(f, 0, sizeof(*f));
	if (testworld_init(&f->tw, &spec))
		fail_msg("%s", f->tw.err.s);
	f->workers.publish = publish_new();
	f->workers.seen = seen_new();
	publish_swap(f->workers.publish, testworld_take(&f->tw));
	assert_int_equal(os_addr_parse(listen, &addr, &err), 0);
	o.listen = &addr;
	o.n_listen = 1;
	o.udp_threads = UDP_THREADS;
	o.tcp_conns = conns;
	o.tcp_idle_ms = idle_ms;
	if (total_ms)
		o.tcp_total_ms = total_ms;
	o.workers = &f->workers;
	f->workers.n = dnsd_workers(&o);
	assert_int_equal(f->workers.n, UDP_THREADS + 1);
	for (uint32_t i = 0; i < f->workers.n; i++)
		f->workers.tally[i] = dnsworld_tally();
	if (dnsd_open(&o, &f->server, &err) || dnsd_run(f->server, &err))
		fail_msg("%s", err.s);
	(void)snprintf(err.s, sizeof(err.s), "127.0.0.1:%u", dnsd_port(f->server, 0));
	assert_int_equal(os_addr_parse(err.s, &f->to, &err), 0);
}

static void start(struct fixture *f, const char *listen, uint32_t conns, uint32_t idle_ms)
{
	start_with(f, listen, conns, idle_ms, 0);
}

static uint64_t counted(const struct fixture *f, enum tally_id id)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < f->workers.n; i++)
		sum += tally_get(&f->workers.tally[i]->counters[id]);
	return sum;
}

static void stop(struct fixture *f)
{
	dnsd_stop(f->server);
	for (uint32_t i = 0; i < f->workers.n; i++)
		(void)munmap(f->workers.tally[i], sizeof(struct tally));
	publish_free(f->workers.publish);
	free(f->workers.seen);
	testworld_done(&f->tw);
}

static int dial(const struct fixture *f, int type)
{
	int fd = socket(AF_INET, type, 0);

	assert_true(fd >= 0);
	assert_int_equal(connect(fd, (const struct sockaddr *)&f->to.ss, f->to.len), 0);
	return fd;
}

static bool readable(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};

	return poll(&p, 1, WAIT_MS) == 1;
}

/* Octets of a query with its length before it. */
static size_t framed(uint8_t *to, const char *name, const char *type)
{
	size_t n = dnsmsg_query(to + 2, name, type, NULL);

	dns_put_be16(to, (unsigned)n);
	return n + 2;
}

static bool read_exactly(int fd, uint8_t *to, size_t n)
{
	for (size_t at = 0; at < n;) {
		ssize_t k = readable(fd) ? recv(fd, to + at, n - at, 0) : -1;

		if (k <= 0)
			return false;
		at += (size_t)k;
	}
	return true;
}

/* The next answer of a connection as text; "closed" when there is none. */
static const char *next_answer(int fd)
{
	static uint8_t msg[65536];
	uint8_t len[2];

	if (!read_exactly(fd, len, 2) || !read_exactly(fd, msg, dns_be16(len)))
		return "closed";
	return dnsmsg_text(msg, dns_be16(len));
}

static bool closed(int fd)
{
	uint8_t octet;

	return readable(fd) && recv(fd, &octet, 1, 0) <= 0;
}

#define MAIL "NOERROR aa | mail.sluice.example. 300 IN A 192.0.2.25 | |"

static void answers_over_udp(void **state)
{
	static const char *const listens[] = {"127.0.0.1:0", "0.0.0.0:0", "0"};

	(void)state;
	for (size_t i = 0; i < SL_COUNT(listens); i++) {
		struct fixture f;
		uint8_t msg[1500];
		ssize_t n;
		int fd;

		start(&f, listens[i], 8, 1000);
		fd = dial(&f, SOCK_DGRAM);
		for (int k = 0; k < 300; k++) {
			size_t len = dnsmsg_query(msg, "mail.sluice.example.", "A", NULL);
			assert_int_equal(send(fd, msg, len, 0), len);
			assert_true(readable(fd));
			n = recv(fd, msg, sizeof(msg), 0);
			assert_string_equal(dnsmsg_text(msg, (size_t)n), MAIL);
		}
		/* silence for these, then life goes on */
		assert_int_equal(send(fd, "x", 1, 0), 1);
		memset(msg, 0, sizeof(msg));
		msg[2] = 0x80;
		assert_int_equal(send(fd, msg, 40, 0), 40);
		n = (ssize_t)dnsmsg_query(msg, "big.sluice.example.", "TXT", NULL);
		assert_int_equal(send(fd, msg, (size_t)n, 0), n);
		assert_true(readable(fd));
		n = recv(fd, msg, sizeof(msg), 0);
		assert_string_equal(dnsmsg_text(msg, (size_t)n), "NOERROR aa tc | | |");
		assert_int_equal(counted(&f, TALLY_DNS_UDP_QUERIES), 303);
		assert_int_equal(counted(&f, TALLY_DNS_DROPPED), 2);
		(void)close(fd);
		stop(&f);
	}
}

/* RFC 7766 section 6.2.1.1 */
static void answers_pipelined_queries(void **state)
{
	struct fixture f;
	uint8_t msg[200 * 64];
	size_t n = 0;
	int fd;

	(void)state;
	start(&f, "127.0.0.1:0", 8, 5000);
	fd = dial(&f, SOCK_STREAM);
	for (int i = 0; i < 100; i++)
		n += framed(msg + n, i % 2 ? "big.sluice.example." : "mail.sluice.example.",
			i % 2 ? "TXT" : "A");
	for (size_t at = 0; at < n; at += 7) /* in pieces that respect no border */
		assert_true(send(fd, msg + at, SL_MIN((size_t)7, n - at), MSG_NOSIGNAL) > 0);
	assert_int_equal(shutdown(fd, SHUT_WR), 0);
	for (int i = 0; i < 100; i++) {
		const char *got = next_answer(fd);
		if (i % 2)
			assert_non_null(strstr(got, "big.sluice.example. 300 IN TXT \"y"));
		else
			assert_string_equal(got, MAIL);
	}
	assert_true(closed(fd));
	(void)close(fd);
	stop(&f);
}

/* A client that asks on and on and reads late: nothing is lost, and nothing grows. */
static void keeps_answers_for_a_slow_reader(void **state)
{
	enum { QUERIES = 3000 };
	struct fixture f;
	static uint8_t msg[QUERIES * 64];
	size_t n = 0, at = 0;
	int fd, small = 4096;

	(void)state;
	start(&f, "127.0.0.1:0", 8, 20000);
	fd = socket(AF_INET, SOCK_STREAM, 0);
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
	assert_int_equal(connect(fd, (const struct sockaddr *)&f.to.ss, f.to.len), 0);
	for (int i = 0; i < QUERIES; i++)
		n += framed(msg + n, "big.sluice.example.", "TXT");
	for (int got = 0; got < QUERIES;) {
		ssize_t k = at < n ? send(fd, msg + at, n - at, MSG_DONTWAIT | MSG_NOSIGNAL) : -1;

		if (k > 0) {
			at += (size_t)k;
		} else {
			assert_non_null(strstr(next_answer(fd), "IN TXT"));
			got++;
		}
	}
	(void)close(fd);
	stop(&f);
}

static void closes_on_lengths_that_lie(void **state)
{
	static const uint8_t rows[][2] = {{0, 0}, {0, 11}, {0x10, 0x01}, {0xff, 0xff}};
	struct fixture f;

	(void)state;
	start(&f, "127.0.0.1:0", 8, 5000);
	for (size_t i = 0; i < SL_COUNT(rows); i++) {
		int fd = dial(&f, SOCK_STREAM);

		assert_int_equal(send(fd, rows[i], 2, MSG_NOSIGNAL), 2);
		assert_true(closed(fd));
		(void)close(fd);
	}
	stop(&f);
}

static void ends_idle_and_dripping_ones(void **state)
{
	struct fixture f;
	uint8_t msg[64];
	int idle, drip;
	size_t n = framed(msg, "mail.sluice.example.", "A"), at = 0;

	(void)state;
	start(&f, "127.0.0.1:0", 8, 600);
	idle = dial(&f, SOCK_STREAM);
	drip = dial(&f, SOCK_STREAM);
	for (;;) { /* an octet now and then does not keep it open */
		struct pollfd p = {.fd = drip, .events = POLLIN};

		if (poll(&p, 1, 100))
			break;
		assert_true(at + 1 < n);
		(void)send(drip, msg + at++, 1, MSG_NOSIGNAL);
	}
	assert_true(closed(drip));
	assert_true(closed(idle));
	(void)close(idle);
	(void)close(drip);
	stop(&f);
}

/* RFC 7766 section 6.2.3: one that always asks holds its place for so long and no longer. */
static void ends_one_that_never_rests(void **state)
{
	enum { TOTAL_MS = 300, PATIENCE_MS = 20000 };
	uint64_t began_ms = os_mono_ms();
	struct fixture f;
	uint8_t q[512];
	unsigned answered = 0;
	size_t n;
	int fd;

	(void)state;
	start_with(&f, "127.0.0.1:0", 16, 600000, TOTAL_MS);
	n = framed(q, "www.example.test", "A");
	fd = dial(&f, SOCK_STREAM);
	while (send(fd, q, n, MSG_NOSIGNAL) == (ssize_t)n &&
		strcmp(next_answer(fd), "closed") != 0) {
		answered++;
		assert_true(os_mono_ms() - began_ms < PATIENCE_MS);
	}
	assert_true(os_mono_ms() - began_ms >= TOTAL_MS);
	assert_true(answered > 0);
	(void)close(fd);
	fd = dial(&f, SOCK_STREAM);
	assert_int_equal(send(fd, q, n, MSG_NOSIGNAL), n);
	assert_string_not_equal(next_answer(fd), "closed");
	(void)close(fd);
	stop(&f);
}

static void makes_room_for_new_ones(void **state)
{
	enum { IDLE = 200, CONNS = 64 };
	struct fixture f;
	uint8_t msg[64];
	size_t n = framed(msg, "mail.sluice.example.", "A");
	int fd[IDLE], last;

	(void)state;
	start(&f, "127.0.0.1:0", CONNS, 60000);
	for (int i = 0; i < IDLE; i++)
		fd[i] = dial(&f, SOCK_STREAM);
	last = dial(&f, SOCK_STREAM);
	assert_int_equal(send(last, msg, n, MSG_NOSIGNAL), n);
	assert_string_equal(next_answer(last), MAIL);
	assert_true(closed(fd[0])); /* the oldest gave way */
	(void)close(last);
	for (int i = 0; i < IDLE; i++)
		(void)close(fd[i]);
	stop(&f);
}

static void refuses_what_it_cannot_have(void **state)
{
	struct fixture f;
	struct dnsd_options o = DNSD_OPTIONS_DEFAULT;
	struct os_addr addrs[DNSD_MAX_LISTEN + 1] = {0};
	struct workers workers = {.n = 64};
	struct dnsd *s = NULL;
	struct errbuf err = {""};

	(void)state;
	start(&f, "127.0.0.1:0", 8, 1000);
	o.listen = addrs;
	o.workers = &workers;
	assert_int_equal(dnsd_open(&o, &s, &err), SL_ELIMIT);
	o.n_listen = DNSD_MAX_LISTEN + 1;
	assert_int_equal(dnsd_open(&o, &s, &err), SL_ELIMIT);
	o.n_listen = 1;
	workers.n = 1; /* one for UDP, one for TCP */
	assert_int_equal(dnsd_open(&o, &s, &err), SL_ELIMIT);
	workers.n = 2;
	assert_int_equal(os_addr_parse("192.0.2.1:53", &addrs[0], &err), 0);
	assert_true(dnsd_open(&o, &s, &err) < 0); /* not an address of this machine */
	assert_non_null(strstr(err.s, "192.0.2.1:53"));
	assert_null(s);
	stop(&f);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(answers_over_udp),
		cmocka_unit_test(answers_pipelined_queries),
		cmocka_unit_test(keeps_answers_for_a_slow_reader),
		cmocka_unit_test(closes_on_lengths_that_lie),
		cmocka_unit_test(ends_idle_and_dripping_ones),
		cmocka_unit_test(ends_one_that_never_rests),
		cmocka_unit_test(makes_room_for_new_ones),
		cmocka_unit_test(refuses_what_it_cannot_have),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
