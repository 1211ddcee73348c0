/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The life of a connection: accepted by us, handed to the library, moved from state to state, shut
 * down when its time is over. The library closes the socket; we only ever shut it down.
 */
#include "base/os.h"
#include "httpd/httpd_int.h"
#include "httpd/httpd_query.h"

#include <fcntl.h>
#include <linux/tcp.h> /* its tcp_info is whole */
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/un.h>
#include <unistd.h>

enum { ACCEPTS_PER_ROUND = 1024, ACCEPT_PAUSE_MS = 100, FULL_PAUSE_MS = 2, LOOK_MS = 1000 };

static void list_add(struct conn_list *l, struct conn *c)
{
	c->prev = l->head.prev;
	c->next = &l->head;
	l->head.prev->next = c;
	l->head.prev = c;
	if (l->unseen == &l->head)
		l->unseen = c;
}

static void list_remove(struct conn *c)
{
	struct conn_list *l = &c->h->lists[c->state];

	if (l->unseen == c)
		l->unseen = c->next;
	c->prev->next = c->next;
	c->next->prev = c->prev;
}

static struct conn *list_oldest(struct conn_list *l)
{
	return l->head.next == &l->head ? NULL : l->head.next;
}

int httpd_conn_table_init(struct httpd *h, struct errbuf *err)
{
	const struct httpd_limits *m = &h->conf.limits;
	uint32_t n = m->connections + HTTPD_SPARE_CONNS;
	const uint32_t limits[CONN_N_STATES] = {
		[CONN_IDLE] = m->idle_ms,
		[CONN_HEAD] = m->head_ms,
		[CONN_BODY] = m->body_ms,
		[CONN_SEND] = m->send_ms,
		[CONN_SEND_LONG] = m->send_ms * 15,
		[CONN_DYING] = 1000,
	};

	for (int i = 0; i < CONN_N_STATES; i++) {
		h->lists[i].head.prev = h->lists[i].head.next = &h->lists[i].head;
		h->lists[i].unseen = &h->lists[i].head;
		h->lists[i].limit_ms = limits[i];
	}
	h->conns = calloc(n, sizeof(*h->conns));
	if (!h->conns || httpd_peers_init(&h->peers, n, os_random64()))
		return err_set(err, SL_ENOMEM, "table of %u connections", n);
	for (uint32_t i = n; i-- > 0;) {
		h->conns[i].h = h;
		h->conns[i].next = h->free;
		h->free = &h->conns[i];
	}
	return 0;
}

void httpd_conn_table_done(struct httpd *h)
{
	for (uint32_t i = 0; i < h->n_lingering; i++)
		(void)close(h->lingering[i].fd);
	httpd_peers_done(&h->peers);
	free(h->conns);
}

void httpd_conn_enter(struct conn *c, enum conn_state state)
{
	list_remove(c);
	c->h->n_dying += (state == CONN_DYING) - (uint32_t)(c->state == CONN_DYING);
	c->state = (uint8_t)state;
	c->since_ms = c->h->now_ms;
	list_add(&c->h->lists[state], c);
}

static struct conn *conn_take(struct httpd *h)
{
	struct conn *c = h->free;

	h->free = c->next;
	*c = (struct conn){.h = h,
		.state = CONN_HEAD,
		.since_ms = h->now_ms,
		.peer = HTTPD_PEERS_NONE,
		.uid = -1,
		.refused = -1};
	list_add(&h->lists[CONN_HEAD], c);
	h->n_conns++;
	atomic_store_explicit(&h->stats.open, h->n_conns, memory_order_relaxed);
	return c;
}

static void conn_give_back(struct conn *c)
{
	struct httpd *h = c->h;

	list_remove(c);
	h->n_dying -= c->state == CONN_DYING;
	httpd_conn_release_body(c);
	if (c->peer != HTTPD_PEERS_NONE)
		httpd_peers_drop(&h->peers, c->peer);
	if (h->head.owner == c)
		h->head.owner = NULL;
	c->next = h->free;
	h->free = c;
	h->n_conns--;
	atomic_store_explicit(&h->stats.open, h->n_conns, memory_order_relaxed);
}

void httpd_conn_release_body(struct conn *c)
{
	if (!c->body)
		return;
	c->h->bodies -= c->body_cap;
	free(c->body);
	c->body = NULL;
	c->body_n = c->body_cap = 0;
}

/* The library sees the hang-up in its next run and closes. While it waits for the end of a chunk
 * extension in a full buffer it looks at nothing but its own clock, of whole seconds. */
static void conn_shut(struct conn *c)
{
	if (c->chunked && c->state == CONN_BODY)
		(void)MHD_set_connection_option(c->mc, MHD_CONNECTION_OPTION_TIMEOUT, 1u);
	httpd_conn_enter(c, CONN_DYING);
	(void)shutdown(c->fd, SHUT_RDWR);
}

/* Who makes room, in this order, and from what age on. */
static const struct {
	uint8_t state;
	uint16_t after_ms;
} evictable[] = {
	{CONN_IDLE, 0},
	{CONN_HEAD, 20},
	{CONN_BODY, 200},
	{CONN_SEND, 200},
	{CONN_SEND_LONG, 2000},
	{CONN_BODY, 20},
	{CONN_SEND, 20},
};

static bool conn_evict(struct httpd *h)
{
	for (size_t i = 0; i < SL_COUNT(evictable); i++) {
		struct conn *c = list_oldest(&h->lists[evictable[i].state]);

		if (!c || h->now_ms - c->since_ms < evictable[i].after_ms)
			continue;
		stat_refused(h, HTTPD_REFUSED_EVICTED);
		conn_shut(c);
		return true;
	}
	return false;
}

/* Those that came while nobody was old enough to go have used up the spare places. */
static void make_room(struct httpd *h)
{
	while (h->n_conns - h->n_dying >= h->conf.limits.connections && conn_evict(h))
		continue;
}

static void read_peer(struct conn *c, const struct listener *l, const struct sockaddr *sa)
{
	struct ucred cred;
	socklen_t n = sizeof(cred);

	if (l->local) {
		if (getsockopt(c->fd, SOL_SOCKET, SO_PEERCRED, &cred, &n) == 0)
			c->uid = (int64_t)cred.uid;
		return;
	}
	c->ip = ip_from_sockaddr(sa);
	if (c->ip.family == IP_V6 && httpd_peer_key(c->ip).family == IP_V4)
		c->ip = httpd_peer_key(c->ip);
	c->port = l->port;
}

/* false: this address has too many already. A trusted proxy speaks for many. */
static bool count_peer(struct httpd *h, struct conn *c)
{
	bool loopback = ip_is_loopback(c->ip);

	if (c->ip.family == IP_NONE)
		return true;
	c->peer = httpd_peers_add(&h->peers, httpd_peer_key(c->ip));
	if (c->peer == HTTPD_PEERS_NONE ||
		h->peers.entries[c->peer].count <= h->conf.limits.per_address ||
		(!loopback && httpd_is_trusted(c->ip, h->conf.trusted, h->conf.n_trusted)))
		return true;
	stat_refused(h, HTTPD_REFUSED_PER_ADDRESS);
	return loopback;
}

static void adopt(
	struct httpd *h, const struct listener *l, int fd, const struct sockaddr *sa, socklen_t len)
{
	struct conn *c;

	stat_add(&h->stats.accepted, 1);
	if (h->n_conns >= h->conf.limits.connections)
		(void)conn_evict(h);
	c = conn_take(h);
	c->fd = fd;
	c->tls = l->tls;
	read_peer(c, l, sa);
	if (!count_peer(h, c)) {
		(void)close(fd);
		conn_give_back(c);
		return;
	}
	h->adding = c;
	/* Closes fd itself on failure, and says so only to connections it had opened. */
	if (MHD_add_connection(l->tls ? h->secure : h->plain, fd, sa, len) != MHD_YES) {
		stat_refused(h, HTTPD_REFUSED_LIBRARY);
		if (h->adding)
			conn_give_back(c);
	}
	h->adding = NULL;
}

/* Out of descriptors: give up the spare one to take and drop a client, so that the listener does
 * not spin, and pause. accept says so also where nobody waits: then true, and nobody has to go. */
static bool accept_without_room(struct httpd *h, int listen_fd)
{
	bool empty;
	int fd;

	(void)close(h->sparefd);
	fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC);
	empty = fd < 0 && errno == EAGAIN;
	if (fd >= 0)
		(void)close(fd);
	h->sparefd = dup(h->epfd);
	if (empty)
		return true;
	stat_refused(h, HTTPD_REFUSED_CONNECTIONS);
	(void)conn_evict(h);
	h->accept_after_ms = h->now_ms + ACCEPT_PAUSE_MS;
	return false;
}

bool httpd_conn_accept(struct httpd *h, const struct listener *l)
{
	union {
		struct sockaddr sa;
		struct sockaddr_storage ss;
		struct sockaddr_un un;
	} u;

	for (int i = 0; i < ACCEPTS_PER_ROUND; i++) {
		socklen_t len = sizeof(u);
		int fd;

		/* What was evicted leaves in the library's next run; until then the spare slots
		 * serve, and when they are used up the rest waits in the listener's queue. */
		if (!h->free) {
			make_room(h);
			return false;
		}
		memset(&u.sa, 0, sizeof(u.sa));
		fd = accept4(l->fd, &u.sa, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd >= 0) {
			adopt(h, l, fd, &u.sa, len);
			continue;
		}
		if (errno == ECONNABORTED || errno == EINTR)
			continue;
		if (errno == EAGAIN)
			return true;
		return accept_without_room(h, l->fd);
	}
	return false;
}

static void linger_add(struct httpd *h, int fd)
{
	struct epoll_event ev = {.events = EPOLLIN | EPOLLRDHUP};
	int copy;

	if (h->n_lingering == HTTPD_MAX_LINGERING)
		return;
	copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	if (copy < 0)
		return;
	ev.data.u64 = UINT64_C(1) << 32 | (uint32_t)copy;
	if (epoll_ctl(h->epfd, EPOLL_CTL_ADD, copy, &ev) < 0) {
		(void)close(copy);
		return;
	}
	h->lingering[h->n_lingering++] =
		(struct lingering){.fd = copy, .until_ms = h->now_ms + HTTPD_LINGER_MS};
}

static void linger_end(struct httpd *h, uint32_t i)
{
	int fd = h->lingering[i].fd;

	(void)epoll_ctl(h->epfd, EPOLL_CTL_DEL, fd, NULL);
	(void)close(fd);
	h->lingering[i] = h->lingering[--h->n_lingering];
}

void httpd_conn_linger_read(struct httpd *h, uint32_t fd)
{
	char waste[16384];

	for (uint32_t i = 0; i < h->n_lingering; i++) {
		if (h->lingering[i].fd != (int)fd)
			continue;
		ssize_t n = recv((int)fd, waste, sizeof(waste), MSG_DONTWAIT);

		if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
			linger_end(h, i);
		return;
	}
}

/*
 * true when the library gave up on what came and said nothing: octets that are not HTTP, or that
 * its pool cannot hold together with an answer; the peer is still there. Where the library did
 * answer it has told that the request is completed, if we know of one; else this is the first on
 * its connection, and nothing has been sent at all. Over TLS the session has ended by now.
 */
static bool left_unanswered(const struct conn *c)
{
	struct tcp_info info;
	socklen_t n = sizeof(info);
	char octet;

	if (c->state != CONN_HEAD || c->head_seen || c->tls)
		return false;
	if (recv(c->fd, &octet, 1, MSG_PEEK | MSG_DONTWAIT) == 0)
		return false;
	return c->uri_seen || (getsockopt(c->fd, IPPROTO_TCP, TCP_INFO, &info, &n) == 0 &&
				      info.tcpi_segs_out > 0 && info.tcpi_data_segs_out == 0);
}

/* Refusals of heads have been logged, and counted then. */
static void answer_unanswered(struct conn *c)
{
	if (!c->uri_seen)
		stat_refused(c->h, HTTPD_REFUSED_LIBRARY);
	httpd_reply_raw(c, c->uri_seen ? httpd_reply_overfull(c) : 400);
}

static void conn_closing(struct conn *c)
{
	if (left_unanswered(c))
		answer_unanswered(c);
	(void)shutdown(c->fd, SHUT_WR);
	if (c->linger)
		linger_add(c->h, c->fd);
	httpd_tls_session_ended(c);
	conn_give_back(c);
}

void httpd_conn_notify(void *cls, struct MHD_Connection *mc, void **socket_context,
	enum MHD_ConnectionNotificationCode code)
{
	struct httpd *h = cls;
	struct conn *c;

	if (code == MHD_CONNECTION_NOTIFY_CLOSED) {
		conn_closing(*socket_context);
		return;
	}
	c = *socket_context = h->adding;
	h->adding = NULL;
	c->mc = mc;
	if (c->tls)
		httpd_tls_session_started(c);
}

static const int8_t expiry_reason[CONN_N_STATES] = {
	[CONN_IDLE] = -1,
	[CONN_HEAD] = HTTPD_REFUSED_HEAD_TIME,
	[CONN_BODY] = HTTPD_REFUSED_BODY_TIME,
	[CONN_SEND] = HTTPD_REFUSED_SEND_TIME,
	[CONN_SEND_LONG] = HTTPD_REFUSED_SEND_TIME,
	[CONN_DYING] = -1,
};

static void conn_expire(struct conn *c)
{
	int8_t reason = expiry_reason[c->state];

	if (reason >= 0)
		stat_refused(c->h, (enum httpd_refusal)reason);
	if (c->state == CONN_HEAD || c->state == CONN_BODY)
		httpd_reply_raw(c, 408);
	conn_shut(c);
}

/* States in which the peer's end is the end, whatever we are about to do. */
static bool looked_at(int state)
{
	return state == CONN_IDLE || state == CONN_HEAD || state == CONN_BODY;
}

/*
 * Of an end that comes with the last octets there is one event for both, and the library reads
 * until it has what there was: it never learns of the end. So what has stood still for a second is
 * asked once.
 */
static void look_for_ends(struct httpd *h, int state)
{
	struct conn_list *l = &h->lists[state];
	char octet;

	while (l->unseen != &l->head && h->now_ms - l->unseen->since_ms >= LOOK_MS) {
		struct conn *c = l->unseen;

		l->unseen = c->next;
		if (recv(c->fd, &octet, 1, MSG_PEEK | MSG_DONTWAIT) == 0)
			conn_shut(c);
	}
}

void httpd_conn_sweep(struct httpd *h)
{
	for (int s = 0; s < CONN_N_STATES; s++)
		if (looked_at(s))
			look_for_ends(h, s);
	for (int s = 0; s < CONN_N_STATES; s++) {
		struct conn *c;

		while ((c = list_oldest(&h->lists[s])) &&
			h->now_ms - c->since_ms >= h->lists[s].limit_ms)
			conn_expire(c);
	}
	for (uint32_t i = h->n_lingering; i-- > 0;) {
		if (h->now_ms >= h->lingering[i].until_ms)
			linger_end(h, i);
	}
}

int httpd_conn_next_deadline(const struct httpd *h, int max)
{
	uint64_t best = max < 0 ? UINT64_MAX : (uint64_t)max;

	for (int s = 0; s < CONN_N_STATES; s++) {
		const struct conn *c = h->lists[s].head.next;
		uint64_t age = h->now_ms - c->since_ms;

		if (c != &h->lists[s].head)
			best = SL_MIN(
				best, age < h->lists[s].limit_ms ? h->lists[s].limit_ms - age : 0);
		c = h->lists[s].unseen;
		age = h->now_ms - c->since_ms;
		if (looked_at(s) && c != &h->lists[s].head)
			best = SL_MIN(best, age < LOOK_MS ? LOOK_MS - age : 0);
	}
	if (h->accept_after_ms > h->now_ms)
		best = SL_MIN(best, h->accept_after_ms - h->now_ms);
	else if (h->accept_ready)
		best = SL_MIN(best, h->free ? UINT64_C(0) : (uint64_t)FULL_PAUSE_MS);
	if (h->n_lingering)
		best = SL_MIN(best, (uint64_t)ACCEPT_PAUSE_MS);
	return best > INT32_MAX ? -1 : (int)best;
}

void httpd_conn_end_blocked(struct httpd *h, uint64_t for_ms)
{
	struct conn *end = &h->lists[CONN_BODY].head, *next;

	for (struct conn *c = end->next; c != end; c = next) {
		next = c->next;
		if (!c->chunked || h->now_ms - c->body_ms < for_ms)
			continue;
		stat_refused(h, HTTPD_REFUSED_CHUNKED);
		httpd_reply_raw(c, 400);
		conn_shut(c);
	}
}

void httpd_conn_shut_idle(struct httpd *h)
{
	struct conn *c;

	while ((c = list_oldest(&h->lists[CONN_IDLE])))
		conn_shut(c);
}
