/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HTTP load of one thread: some connections in one epoll, one request under way on each. In a path
 * (and in a posted body) {ip} becomes a client address and {n} a number that is new every time.
 */
#include "base/hash.h"
#include "bench/bench.h"
#include "bench/tls.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <unistd.h>

enum { REQUEST_MAX = 16384, REPLY_KEEP = 65536, EVENTS = 256 };

struct conn {
	int fd;
	void *tls; /* session, NULL without TLS */
	bool connecting, shaking, done;
	uint64_t start_ns;
	size_t out_n, out_at;
	size_t in_n;   /* octets kept of the reply */
	size_t head_n; /* 0: the head has not ended */
	uint64_t body_left;
	unsigned status;
	bool server_closes;
	char *out, *in;
};

struct load {
	struct bench_run *b;
	struct bench_tls *tls; /* NULL without TLS */
	int ep;
	struct conn *conn;
	uint32_t n_conn, busy;
	uint64_t n;
};

static void put_template(struct load *l, struct buf *b, struct str t, uint64_t draw)
{
	while (t.n) {
		if (t.n >= 4 && memcmp(t.p, "{ip}", 4) == 0) {
			ip_put(b, bench_client(l->b->o, draw));
			t = (struct str){t.p + 4, t.n - 4};
		} else if (t.n >= 3 && memcmp(t.p, "{n}", 3) == 0) {
			buf_put_u64_dec(b, (uint64_t)l->b->index << 40 | l->n);
			t = (struct str){t.p + 3, t.n - 3};
		} else {
			const char *brace = memchr(t.p + 1, '{', t.n - 1);
			size_t n = brace ? (size_t)(brace - t.p) : t.n;

			buf_put(b, t.p, n);
			t = (struct str){t.p + n, t.n - n};
		}
	}
}

/* Room for a request with every {n} written out. */
static size_t request_room(const struct bench_options *o)
{
	return REQUEST_MAX + 6 * o->post_n;
}

static bool make_request(struct load *l, struct conn *c)
{
	const struct bench_options *o = l->b->o;
	uint64_t draw = hash_mix(l->n, l->b->seed);
	struct buf b = buf_over(c->out, request_room(o));
	char *length_at = NULL;
	size_t head_n;

	if (o->post)
		BUF_PUT_LIT(&b, "POST ");
	else
		BUF_PUT_LIT(&b, "GET ");
	put_template(l, &b, str_from(o->paths[draw % o->n_paths]), draw);
	BUF_PUT_LIT(&b, " HTTP/1.1\r\nHost: ");
	buf_put_str(&b, str_from(o->host_header));
	if (o->close)
		BUF_PUT_LIT(&b, "\r\nConnection: close");
	if (o->post) {
		BUF_PUT_LIT(&b, "\r\nContent-Type: application/json\r\nContent-Length: ");
		length_at = (char *)b.p;
		BUF_PUT_LIT(&b, "00000000");
	}
	BUF_PUT_LIT(&b, "\r\n\r\n");
	head_n = buf_len(&b);
	if (o->post && !b.overflow) {
		size_t n;

		put_template(l, &b, (struct str){o->post, o->post_n}, draw);
		n = buf_len(&b) - head_n;
		for (int i = 7; i >= 0; i--, n /= 10)
			length_at[i] = (char)('0' + n % 10);
	}
	c->out_n = buf_len(&b);
	c->out_at = 0;
	c->in_n = c->head_n = 0;
	c->status = 0;
	l->n++;
	l->b->r->sent++;
	c->start_ns = os_mono_ns();
	return !b.overflow;
}

static int watch(struct load *l, struct conn *c, uint32_t events, int op)
{
	struct epoll_event ev = {.events = events, .data.ptr = c};

	return epoll_ctl(l->ep, op, c->fd, &ev);
}

static bool open_conn(struct load *l, struct conn *c)
{
	const struct os_addr *a = &l->b->o->addr;
	int one = 1;

	c->fd = socket(a->ss.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (c->fd < 0)
		return false;
	(void)setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	c->connecting = true;
	c->shaking = l->tls != NULL;
	if (l->tls && !(c->tls = bench_tls_open(l->tls, c->fd, l->b->o->host_header)))
		return false;
	if (connect(c->fd, (const struct sockaddr *)&a->ss, a->len) && errno != EINPROGRESS)
		return false;
	return watch(l, c, EPOLLIN | EPOLLOUT, EPOLL_CTL_ADD) == 0;
}

static bool done(const struct load *l)
{
	const struct bench_run *b = l->b;

	return atomic_load_explicit(b->stop, memory_order_relaxed) || os_mono_ns() >= b->end_ns ||
	       (b->quota && l->n >= b->quota);
}

static void close_conn(struct conn *c)
{
	bench_tls_close(c->tls);
	c->tls = NULL;
	if (c->fd >= 0)
		(void)close(c->fd);
	c->fd = -1;
}

static void retire(struct load *l, struct conn *c)
{
	close_conn(c);
	if (!c->done)
		l->busy--;
	c->done = true;
}

/* false: the connection is of no use. Goes on with what is to be sent once the hands are shaken. */
static bool shake(struct load *l, struct conn *c)
{
	int rc = bench_tls_shake(c->tls);

	if (c->connecting) { /* from now on only what the peer says counts */
		c->connecting = false;
		if (watch(l, c, EPOLLIN, EPOLL_CTL_MOD))
			return false;
	}
	c->shaking = rc == 0;
	return rc >= 0;
}

static bool flush(struct load *l, struct conn *c)
{
	if (c->shaking && !shake(l, c))
		return false;
	if (c->shaking)
		return true;
	while (c->out_at < c->out_n) {
		const char *p = c->out + c->out_at;
		size_t left = c->out_n - c->out_at;
		ssize_t n = c->tls ? bench_tls_send(c->tls, p, left)
				   : send(c->fd, p, left, MSG_NOSIGNAL);

		if (n < 0)
			return errno == EAGAIN;
		c->out_at += (size_t)n;
	}
	if (c->connecting) {
		c->connecting = false;
		return watch(l, c, EPOLLIN, EPOLL_CTL_MOD) == 0;
	}
	return true;
}

/* The next request, on this connection or a new one. */
static void next(struct load *l, struct conn *c)
{
	bool again = c->fd >= 0 && !c->server_closes && !l->b->o->close;

	if (done(l)) {
		retire(l, c);
		return;
	}
	if (!again) {
		close_conn(c);
		c->server_closes = false;
	}
	if (!make_request(l, c) || (again ? !flush(l, c) : !open_conn(l, c))) {
		l->b->r->errors++;
		retire(l, c);
	}
}

static void failed(struct load *l, struct conn *c)
{
	l->b->r->errors++;
	c->server_closes = true;
	if (c->connecting)
		retire(l, c); /* nobody there: trying again would only spin */
	else
		next(l, c);
}

/* Value of a header in a head that ends with an empty line; any case. */
static struct str header(const char *head, size_t n, const char *name)
{
	struct str rest = {head, n}, want = str_from(name);

	while (rest.n) {
		struct str line = str_cut(&rest, '\n');

		if (line.n > want.n + 1 && line.p[want.n] == ':' &&
			strncasecmp(line.p, want.p, want.n) == 0) {
			line = (struct str){line.p + want.n + 1, line.n - want.n - 1};
			while (line.n && *line.p == ' ')
				line = (struct str){line.p + 1, line.n - 1};
			return line;
		}
	}
	return (struct str){NULL, 0};
}

/* true once the head is whole. */
static bool read_head(struct conn *c)
{
	char *end = memmem(c->in, c->in_n, "\r\n\r\n", 4);
	struct str length, closes;
	uint64_t want = 0;

	if (!end)
		return false;
	c->head_n = (size_t)(end - c->in) + 4;
	c->status =
		c->in_n > 12 && c->in[9] >= '1' && c->in[9] <= '5' ? (unsigned)(c->in[9] - '0') : 0;
	length = header(c->in, c->head_n, "content-length");
	closes = header(c->in, c->head_n, "connection");
	c->server_closes = closes.n >= 5 && strncasecmp(closes.p, "close", 5) == 0;
	for (size_t i = 0; i < length.n && length.p[i] >= '0' && length.p[i] <= '9'; i++)
		want = want * 10 + (uint64_t)(length.p[i] - '0');
	c->body_left = want - SL_MIN(want, (uint64_t)(c->in_n - c->head_n));
	return true;
}

/* Each reply's first vendor; of a batch every result's first. */
static void count_vendors(struct load *l, const struct conn *c)
{
	static const char answers[] = "\"answers\":[{\"vendor\":\"";
	const char *at = c->in + c->head_n, *end = c->in + c->in_n;

	while ((at = memmem(at, (size_t)(end - at), answers, sizeof(answers) - 1))) {
		const char *quote;

		at += sizeof(answers) - 1;
		quote = memchr(at, '"', (size_t)(end - at));
		if (!quote)
			return;
		bench_share_add(l->b->r, (struct str){at, (size_t)(quote - at)});
	}
}

static void finish(struct load *l, struct conn *c)
{
	struct bench_result *r = l->b->r;

	bench_hist_add(r, os_mono_ns() - c->start_ns);
	r->status[c->status]++;
	r->errors += c->status != 2 && c->status != 3;
	bench_answered(r);
	count_vendors(l, c);
	next(l, c);
}

/* Reads what is there; the reply is kept up to REPLY_KEEP octets, the rest only counted. */
static void readable(struct load *l, struct conn *c)
{
	char spill[65536];

	for (;;) {
		size_t room = REPLY_KEEP - c->in_n;
		char *to = room ? c->in + c->in_n : spill;
		size_t most = room ? room : sizeof(spill);
		ssize_t n = c->tls ? bench_tls_recv(c->tls, to, most) : recv(c->fd, to, most, 0);

		if (n < 0 && errno == EAGAIN)
			return;
		if (n <= 0) {
			failed(l, c);
			return;
		}
		l->b->r->octets += (uint64_t)n;
		c->in_n += room ? (size_t)n : 0;
		if (c->head_n)
			c->body_left -= SL_MIN(c->body_left, (uint64_t)n);
		else if (!read_head(c))
			continue;
		if (c->body_left == 0) {
			finish(l, c);
			return;
		}
	}
}

static void serve(struct load *l, struct conn *c, uint32_t events)
{
	int err = 0;
	socklen_t n = sizeof(err);

	if (c->fd < 0)
		return;
	if (c->connecting && events & (EPOLLERR | EPOLLHUP)) {
		(void)getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &err, &n);
		if (!l->b->err.s[0])
			err_set(&l->b->err, SL_EIO, "connect: %s", strerror(err));
		failed(l, c);
		return;
	}
	if ((events & EPOLLOUT || c->shaking) && !flush(l, c)) {
		failed(l, c);
		return;
	}
	if (events & (EPOLLIN | EPOLLHUP | EPOLLERR) && !c->shaking)
		readable(l, c);
}

static void give_up(struct load *l)
{
	uint64_t now_ns = os_mono_ns();

	for (uint32_t i = 0; i < l->n_conn; i++) {
		struct conn *c = &l->conn[i];

		if (c->done || now_ns - c->start_ns < BENCH_HTTP_TIMEOUT_MS * UINT64_C(1000000))
			continue;
		l->b->r->lost++;
		c->server_closes = true;
		next(l, c);
	}
}

static void run(struct load *l)
{
	struct epoll_event ev[EVENTS];
	uint64_t swept_ns = os_mono_ns();

	for (uint32_t i = 0; i < l->n_conn; i++)
		next(l, &l->conn[i]);
	while (l->busy) {
		int n = epoll_wait(l->ep, ev, EVENTS, 100);

		for (int i = 0; i < n; i++)
			serve(l, ev[i].data.ptr, ev[i].events);
		if (os_mono_ns() - swept_ns > UINT64_C(1000000000)) {
			give_up(l);
			swept_ns = os_mono_ns();
		}
	}
}

int bench_http_run(struct bench_run *b)
{
	uint32_t n = SL_MAX(b->o->connections / b->o->threads, 1u);
	struct load l = {.b = b, .ep = epoll_create1(EPOLL_CLOEXEC), .n_conn = n, .busy = n};
	size_t each = request_room(b->o) + REPLY_KEEP;
	char *memory = calloc(n, each);

	l.conn = calloc(n, sizeof(*l.conn));
	if (l.ep < 0 || !l.conn || !memory || (b->o->tls && bench_tls_new(&l.tls, &b->err))) {
		free(l.conn);
		free(memory);
		return err_set(&b->err, SL_ENOMEM, "no memory for %u connections", n);
	}
	for (uint32_t i = 0; i < n; i++)
		l.conn[i] = (struct conn){.fd = -1,
			.out = memory + i * each,
			.in = memory + i * each + request_room(b->o)};
	run(&l);
	bench_tls_free(l.tls);
	(void)close(l.ep);
	free(l.conn);
	free(memory);
	return 0;
}
