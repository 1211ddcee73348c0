/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The UDP loop: a batch in, a batch out, two system calls. The thread is offline for publish while
 * it waits in receive, so a grace period never waits for a packet.
 */
#include "dns/server_int.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>

enum {
	BATCH = 64,
	IN_MAX = 2048,         /* longer ones are no queries */
	IN_STEP = IN_MAX + 64, /* no power of two: the heads of a batch share no set of the cache */
	CONTROL = 64,          /* in_pktinfo or in6_pktinfo */
};

/* Owned by the thread. */
struct udp {
	struct mmsghdr rx[BATCH], tx[BATCH];
	struct iovec rx_iov[BATCH], tx_iov[BATCH];
	struct sockaddr_storage peer[BATCH];
	struct dnsd_job job[BATCH];
	bool any; /* bound to all addresses: answers must leave from the one that was asked */
	SL_ALIGNED(16) uint8_t control[BATCH][CONTROL];
	SL_ALIGNED(64) uint8_t in[BATCH][IN_STEP];
	SL_ALIGNED(64) uint8_t out[BATCH][SL_DNS_UDP_MAX + 16];
};

int dnsd_udp_init(struct dnsd_thread *t)
{
	struct udp *u = aligned_alloc(64, (sizeof(*u) + 63) / 64 * 64);

	if (!u)
		return SL_ENOMEM;
	memset(u, 0, sizeof(*u));
	for (unsigned i = 0; i < BATCH; i++) {
		u->rx_iov[i] = (struct iovec){u->in[i], IN_MAX};
		u->rx[i].msg_hdr.msg_iov = &u->rx_iov[i];
		u->rx[i].msg_hdr.msg_iovlen = 1;
		u->rx[i].msg_hdr.msg_name = &u->peer[i];
		u->tx[i].msg_hdr.msg_iov = &u->tx_iov[i];
		u->tx[i].msg_hdr.msg_iovlen = 1;
	}
	t->state = u;
	return 0;
}

void dnsd_udp_done(struct dnsd_thread *t)
{
	free(t->state);
	t->state = NULL;
}

static bool is_any(const struct sockaddr_storage *ss)
{
	static const uint8_t zero[16];
	struct ip a = ip_from_sockaddr((const struct sockaddr *)ss);

	return memcmp(a.b, zero, sizeof(zero)) == 0;
}

static void prepare(struct dnsd_thread *t, struct udp *u)
{
	struct timeval wake = {.tv_usec = DNSD_WAKE_MS * 1000};
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);
	int on = 1;

	(void)setsockopt(t->fd[0], SOL_SOCKET, SO_RCVTIMEO, &wake, sizeof(wake));
	if (getsockname(t->fd[0], (struct sockaddr *)&ss, &len) < 0 || !is_any(&ss))
		return;
	u->any = true;
	if (ss.ss_family == AF_INET6)
		(void)setsockopt(t->fd[0], IPPROTO_IPV6, IPV6_RECVPKTINFO, &on, sizeof(on));
	else
		(void)setsockopt(t->fd[0], IPPROTO_IP, IP_PKTINFO, &on, sizeof(on));
}

/* The kernel has written over the lengths of those it filled. */
static void rearm(struct udp *u, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		struct msghdr *h = &u->rx[i].msg_hdr;

		h->msg_namelen = sizeof(u->peer[i]);
		if (u->any) {
			h->msg_control = u->control[i];
			h->msg_controllen = CONTROL;
		}
	}
}

/* The answer goes by any route, from the address that was asked. */
static void forget_interface(struct msghdr *h)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(h); c; c = CMSG_NXTHDR(h, c)) {
		if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO)
			((struct in_pktinfo *)(void *)CMSG_DATA(c))->ipi_ifindex = 0;
		else if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO)
			((struct in6_pktinfo *)(void *)CMSG_DATA(c))->ipi6_ifindex = 0;
	}
}

/* Answers the batch, step by step; returns how many are to be sent. */
static unsigned answer(struct dnsd_thread *t, struct udp *u, unsigned n)
{
	unsigned out = 0;

	for (unsigned i = 0; i < n; i++) {
		dnsd_peer(&u->peer[i], &u->job[i].client);
		dnsd_read(&t->d, &u->job[i], u->in[i], u->rx[i].msg_len);
		/* the one before: what was just written in parts cannot be read at once */
		dnsd_approach(&t->d, &u->job[i ? i - 1 : i], 0);
	}
	for (unsigned part = 1; part < DNSD_APPROACHES; part++)
		for (unsigned i = 0; i < n; i++)
			dnsd_approach(&t->d, &u->job[i], part);
	for (unsigned i = 0; i < n; i++)
		dnsd_locate(&t->d, &u->job[i]);
	for (unsigned i = 0; i < n; i++)
		dnsd_approach_seat(&t->d, &u->job[i]);
	for (unsigned i = 0; i < n; i++)
		dnsd_seat(&t->d, &u->job[i]);
	for (unsigned i = 0; i < n; i++) {
		struct msghdr *from = &u->rx[i].msg_hdr, *to = &u->tx[out].msg_hdr;
		size_t len;

		if (from->msg_flags & MSG_TRUNC)
			u->job[i].rc = DNS_DROP;
		len = dnsd_answer(&t->d, &u->job[i], DNSD_UDP, u->out[out], SL_DNS_UDP_MAX);
		if (len == 0)
			continue;
		u->tx_iov[out] = (struct iovec){u->out[out], len};
		to->msg_name = from->msg_name;
		to->msg_namelen = from->msg_namelen;
		if (u->any) {
			forget_interface(from);
			to->msg_control = from->msg_control;
			to->msg_controllen = from->msg_controllen;
		}
		out++;
	}
	return out;
}

/* What the kernel does not take is lost, as on any network; the client asks again. */
static void send_all(struct dnsd_thread *t, struct udp *u, unsigned n)
{
	for (unsigned at = 0; at < n;) {
		int sent = sendmmsg(t->fd[0], u->tx + at, n - at, 0);

		if (sent < 0) {
			if (errno == EINTR)
				continue;
			tally_count(t->d.w.tally, TALLY_DNS_SEND_ERRORS);
			sent = 1; /* the first is the one that failed */
		}
		at += (unsigned)sent;
	}
}

void dnsd_udp_loop(struct dnsd_thread *t)
{
	struct udp *u = t->state;

	prepare(t, u);
	rearm(u, BATCH);
	while (!dnsd_stopping(t)) {
		uint64_t start_ns;
		int n;

		publish_offline();
		n = recvmmsg(t->fd[0], u->rx, BATCH, MSG_WAITFORONE, NULL);
		publish_online();
		if (n <= 0)
			continue;
		start_ns = os_mono_ns();
		dnsd_round(&t->d);
		send_all(t, u, answer(t, u, (unsigned)n));
		tally_time(&t->d.w.tally->dns_time, os_mono_ns() - start_ns, (unsigned)n);
		rearm(u, (unsigned)n);
	}
}
