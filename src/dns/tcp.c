/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The TCP loop (RFC 7766): pipelined queries, answered in order as they come. Connections are a
 * fixed table in order of their last whole query: the head is the first to go idle, and gives way
 * when the table is full, so neither idle nor dripping ones keep a new one out. A connection that
 * does not read its answers is not read from either.
 */
#include "dns/server_int.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <unistd.h>

enum {
	EVENTS = 64,
	ACCEPTS = 64, /* of one listener in one round */

	LENGTH = 2,
	OUT_SIZE = 2 * (LENGTH + SL_DNS_TCP_MAX),
	PENDING = 64, /* connections that are behind with reading, at most */
	PAUSE_MS = 100,
};

struct pending {
	struct pending *next; /* in the free list */
	uint32_t at, n;
	uint8_t octets[OUT_SIZE];
};

struct conn {
	struct conn *prev, *next; /* in order of active_ms; next also in the free list */
	int fd;                   /* -1: free */
	uint32_t n_in;
	uint64_t born_ms, active_ms;
	struct ip client;
	struct pending *pending;
	uint8_t in[LENGTH + SL_DNS_TCP_QUERY_MAX];
};

/* Owned by the thread. The big arrays take pages as they come into use. */
struct tcp {
	int epoll;
	uint64_t now_ms;
	struct conn list; /* head of the ring */
	struct conn *free_conn;
	struct pending *free_pending;
	struct conn *conn;
	struct pending *pending;
	uint32_t n_conn;
	bool starved; /* somebody waits for a descriptor, and no connection could give way */
	uint32_t n_out;
	uint8_t out[OUT_SIZE];
};

static void *map(size_t n)
{
	void *p = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

int dnsd_tcp_init(struct dnsd_thread *t)
{
	uint32_t n = SL_MAX(t->server->o.tcp_conns, 1U);
	struct tcp *x = calloc(1, sizeof(*x));

	if (!x)
		return SL_ENOMEM;
	t->state = x;
	x->n_conn = n;
	x->epoll = epoll_create1(EPOLL_CLOEXEC);
	x->conn = map(n * sizeof(*x->conn));
	x->pending = map(PENDING * sizeof(*x->pending));
	if (x->epoll < 0 || !x->conn || !x->pending)
		return SL_ENOMEM;
	x->list.prev = x->list.next = &x->list;
	for (uint32_t i = n; i-- > 0;) {
		x->conn[i].fd = -1;
		x->conn[i].next = x->free_conn;
		x->free_conn = &x->conn[i];
	}
	for (uint32_t i = 0; i < PENDING; i++) {
		x->pending[i].next = x->free_pending;
		x->free_pending = &x->pending[i];
	}
	return 0;
}

void dnsd_tcp_done(struct dnsd_thread *t)
{
	struct tcp *x = t->state;

	if (!x)
		return;
	for (uint32_t i = 0; x->conn && i < x->n_conn; i++)
		if (x->conn[i].fd >= 0)
			(void)close(x->conn[i].fd);
	if (x->epoll >= 0)
		(void)close(x->epoll);
	if (x->conn)
		(void)munmap(x->conn, x->n_conn * sizeof(*x->conn));
	if (x->pending)
		(void)munmap(x->pending, PENDING * sizeof(*x->pending));
	free(x);
	t->state = NULL;
}

static void unlink_conn(struct conn *c)
{
	c->prev->next = c->next;
	c->next->prev = c->prev;
}

static void to_tail(struct tcp *x, struct conn *c)
{
	c->active_ms = x->now_ms;
	c->prev = x->list.prev;
	c->next = &x->list;
	c->prev->next = c;
	x->list.prev = c;
}

static void drop(struct tcp *x, struct conn *c)
{
	if (c->pending) {
		c->pending->next = x->free_pending;
		x->free_pending = c->pending;
		c->pending = NULL;
	}
	(void)close(c->fd); /* leaves the epoll set with it */
	c->fd = -1;
	unlink_conn(c);
	c->next = x->free_conn;
	x->free_conn = c;
}

static bool watch(struct tcp *x, int fd, int op, uint32_t events, void *ptr)
{
	struct epoll_event e = {.events = events, .data.ptr = ptr};

	return epoll_ctl(x->epoll, op, fd, &e) == 0;
}

static void accept_one(struct tcp *x, int fd, const struct sockaddr_storage *ss)
{
	struct conn *c;
	int on = 1;

	if (!x->free_conn)
		drop(x, x->list.next);
	c = x->free_conn;
	if (!watch(x, fd, EPOLL_CTL_ADD, EPOLLIN, c)) {
		(void)close(fd);
		return;
	}
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	x->free_conn = c->next;
	c->fd = fd;
	c->n_in = 0;
	c->pending = NULL;
	c->born_ms = x->now_ms;
	dnsd_peer(ss, &c->client);
	to_tail(x, c);
}

/* There is no descriptor, which accept also says where nobody waits. If somebody does, the one that
 * was silent for longest gives way; false: there is none, or no need. */
static bool make_room(struct tcp *x, int listener)
{
	struct pollfd p = {.fd = listener, .events = POLLIN};

	if (poll(&p, 1, 0) <= 0)
		return false;
	x->starved = x->list.next == &x->list;
	if (!x->starved)
		drop(x, x->list.next);
	return !x->starved;
}

static void accept_some(struct tcp *x, int listener)
{
	for (int i = 0; i < ACCEPTS; i++) {
		struct sockaddr_storage ss;
		socklen_t len = sizeof(ss);
		int fd = accept4(
			listener, (struct sockaddr *)&ss, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd < 0 && (errno == EMFILE || errno == ENFILE) && make_room(x, listener))
			continue;
		if (fd < 0)
			return;
		accept_one(x, fd, &ss);
	}
}

/* Octets sent, or -1 when the peer is gone. */
static ssize_t send_some(int fd, const uint8_t *p, size_t n)
{
	size_t at = 0;

	while (at < n) {
		ssize_t k = send(fd, p + at, n - at, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (k < 0 && errno == EINTR)
			continue;
		if (k < 0)
			return errno == EAGAIN || errno == EWOULDBLOCK ? (ssize_t)at : -1;
		at += (size_t)k;
	}
	return (ssize_t)at;
}

/* Sends what has been gathered; what does not go now is kept with the connection. false: close. */
static bool flush(struct tcp *x, struct conn *c)
{
	ssize_t sent = send_some(c->fd, x->out, x->n_out);
	uint32_t n = x->n_out;

	x->n_out = 0;
	if (sent < 0)
		return false;
	if ((uint32_t)sent == n)
		return true;
	if (!x->free_pending)
		return false;
	c->pending = x->free_pending;
	x->free_pending = c->pending->next;
	c->pending->at = 0;
	c->pending->n = n - (uint32_t)sent;
	memcpy(c->pending->octets, x->out + sent, c->pending->n);
	return watch(x, c->fd, EPOLL_CTL_MOD, EPOLLOUT, c);
}

/* Answers the whole queries in the buffer. false: close. */
static bool answer(struct dnsd_thread *t, struct tcp *x, struct conn *c)
{
	uint32_t at = 0;
	bool lies = false;

	while (!c->pending && c->n_in - at >= LENGTH) {
		size_t n = dns_be16(c->in + at), len;

		lies = n < DNS_HEADER || n > SL_DNS_TCP_QUERY_MAX;
		if (lies) /* no such message: the rest cannot be trusted either */
			break;
		if (c->n_in - at < LENGTH + n)
			break;
		len = dnsd_handle(&t->d, c->in + at + LENGTH, n, c->client, DNSD_TCP,
			x->out + x->n_out + LENGTH, SL_DNS_TCP_MAX);
		at += LENGTH + (uint32_t)n;
		if (len) {
			dns_put_be16(x->out + x->n_out, (unsigned)len);
			x->n_out += LENGTH + (uint32_t)len;
		}
		unlink_conn(c);
		to_tail(x, c);
		if (x->n_out > OUT_SIZE / 2 && !flush(x, c))
			return false;
	}
	memmove(c->in, c->in + at, c->n_in - at);
	c->n_in -= at;
	if (x->n_out && !flush(x, c))
		return false;
	return !lies && x->now_ms - c->born_ms < t->server->o.tcp_total_ms;
}

/* Reads what is there, within bounds: the others have their turn too. false: close. */
static bool read_some(struct dnsd_thread *t, struct tcp *x, struct conn *c)
{
	ssize_t n = recv(c->fd, c->in + c->n_in, sizeof(c->in) - c->n_in, MSG_DONTWAIT);

	if (n < 0)
		return errno == EAGAIN || errno == EINTR;
	if (n == 0)
		return false;
	c->n_in += (uint32_t)n;
	return answer(t, x, c);
}

/* Goes on with what could not be sent; then with the queries that wait behind it. */
static bool write_some(struct dnsd_thread *t, struct tcp *x, struct conn *c)
{
	struct pending *p = c->pending;
	ssize_t sent = send_some(c->fd, p->octets + p->at, p->n - p->at);

	if (sent < 0)
		return false;
	p->at += (uint32_t)sent;
	if (p->at < p->n)
		return true;
	p->next = x->free_pending;
	x->free_pending = p;
	c->pending = NULL;
	if (!answer(t, x, c))
		return false;
	return c->pending || watch(x, c->fd, EPOLL_CTL_MOD, EPOLLIN, c);
}

/* What has happened is left to the call to find out: the event may be of one that gave way in this
 * round, and whose place another has. */
static void serve(struct dnsd_thread *t, struct tcp *x, struct conn *c)
{
	if (c->fd < 0)
		return;
	x->n_out = 0;
	if (!(c->pending ? write_some(t, x, c) : read_some(t, x, c)))
		drop(x, c);
}

static void expire(struct dnsd_thread *t, struct tcp *x)
{
	while (x->list.next != &x->list &&
		x->now_ms - x->list.next->active_ms >= t->server->o.tcp_idle_ms)
		drop(x, x->list.next);
}

void dnsd_tcp_loop(struct dnsd_thread *t)
{
	struct tcp *x = t->state;
	struct epoll_event e[EVENTS];

	for (uint32_t i = 0; i < t->n_fd; i++)
		(void)watch(x, t->fd[i], EPOLL_CTL_ADD, EPOLLIN, &t->fd[i]);
	while (!dnsd_stopping(t)) {
		int n;

		publish_offline();
		if (x->starved) /* the listener would wake us at once, again and again */
			(void)poll(NULL, 0, PAUSE_MS);
		x->starved = false;
		n = epoll_wait(x->epoll, e, EVENTS, DNSD_WAKE_MS);
		publish_online();
		x->now_ms = os_mono_ms();
		dnsd_round(&t->d);
		for (int i = 0; i < n; i++) {
			int *fd = e[i].data.ptr;

			if (fd >= t->fd && fd < t->fd + t->n_fd)
				accept_some(x, *fd);
			else
				serve(t, x, e[i].data.ptr);
		}
		expire(t, x);
	}
}
