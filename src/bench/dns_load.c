/* SPDX-License-Identifier: Apache-2.0 */
/*
 * DNS load of one thread: a window of questions over one connected UDP socket, in batches. What is
 * not answered in BENCH_DNS_TIMEOUT_MS is lost and gives its place in the window free.
 */
#include "base/hash.h"
#include "bench/bench.h"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BATCH = 32, QUERY_MAX = 512, REPLY_MAX = 4096, TYPE_CNAME = 5, TYPE_A = 1, TYPE_AAAA = 28 };

struct load {
	struct bench_run *b;
	int fd;
	uint16_t next_id;
	uint32_t outstanding, window;
	uint64_t n; /* questions made */
	size_t question_n;
	uint8_t question[300];     /* header and question */
	uint64_t sent_ns[1 << 16]; /* by id, 0: not under way */
	uint8_t out[BATCH][QUERY_MAX], in[BATCH][REPLY_MAX];
	struct mmsghdr tx[BATCH], rx[BATCH];
	struct iovec tx_iov[BATCH], rx_iov[BATCH];
};

static int make_question(struct load *l, const char *host, uint16_t qtype)
{
	struct buf b = buf_over(l->question, sizeof(l->question));
	struct str rest = str_from(host);

	buf_put(&b, "\0\0\0\0\0\1\0\0\0\0\0\1", 12);
	while (rest.n) {
		struct str label = str_cut(&rest, '.');

		if (label.n == 0 || label.n > 63)
			return SL_EINVAL;
		buf_put_u8(&b, (uint8_t)label.n);
		buf_put_str(&b, label);
	}
	buf_put_u8(&b, 0);
	buf_put_be16(&b, qtype);
	buf_put_be16(&b, 1);
	l->question_n = buf_len(&b);
	return b.overflow ? SL_EINVAL : 0;
}

/* OPT with UDP size 1232 and, when asked for, a client subnet of /24 or /56 (RFC 7871). */
static void put_opt(struct load *l, struct buf *b, uint64_t draw)
{
	const struct bench_options *o = l->b->o;
	struct ip client;
	uint8_t len, octets;

	buf_put(b, "\0\0\x29\x04\xd0\0\0\0\0", 9);
	if (!o->ecs_random && !o->n_ecs) {
		buf_put_be16(b, 0);
		return;
	}
	client = bench_client(o, draw);
	len = client.family == IP_V4 ? 24 : 56;
	octets = len / 8;
	buf_put_be16(b, (uint16_t)(8 + octets));
	buf_put_be16(b, 8);
	buf_put_be16(b, (uint16_t)(4 + octets));
	buf_put_be16(b, client.family == IP_V4 ? 1 : 2);
	buf_put_u8(b, len);
	buf_put_u8(b, 0);
	buf_put(b, client.b, octets);
}

static void fill(struct load *l, unsigned i, uint64_t now_ns)
{
	struct buf b = buf_over(l->out[i], QUERY_MAX);

	while (l->sent_ns[l->next_id])
		l->next_id++;
	buf_put_be16(&b, l->next_id);
	buf_put(&b, l->question + 2, l->question_n - 2);
	put_opt(l, &b, hash_mix(l->n++, l->b->seed));
	l->tx_iov[i].iov_len = buf_len(&b);
	l->sent_ns[l->next_id++] = now_ns;
}

static void send_some(struct load *l)
{
	struct bench_run *b = l->b;

	while (l->outstanding < l->window) {
		uint64_t left = b->quota ? b->quota - SL_MIN(l->n, b->quota) : UINT64_MAX;
		unsigned want = SL_MIN(l->window - l->outstanding, (unsigned)BATCH);
		uint64_t now_ns = os_mono_ns();
		int sent;

		want = (unsigned)SL_MIN((uint64_t)want, left);
		if (want == 0)
			return;
		for (unsigned i = 0; i < want; i++)
			fill(l, i, now_ns);
		sent = sendmmsg(l->fd, l->tx, want, 0);
		for (unsigned i = sent > 0 ? (unsigned)sent : 0; i < want; i++) {
			l->sent_ns[(uint16_t)(l->out[i][0] << 8 | l->out[i][1])] = 0;
			l->n--;
			b->r->errors += errno != EAGAIN;
		}
		if (sent <= 0)
			return;
		b->r->sent += (unsigned)sent;
		l->outstanding += (unsigned)sent;
	}
}

/* Octets of a possibly compressed name at `at`, 0 when it ends outside. */
static size_t name_octets(const uint8_t *p, size_t n, size_t at)
{
	size_t start = at;

	while (at < n) {
		if (p[at] == 0)
			return at + 1 - start;
		if (p[at] >= 0xc0)
			return at + 2 - start;
		at += 1u + p[at];
	}
	return 0;
}

/* Text of a name, following pointers, with final dot; into 256 octets. */
static struct str name_text(const uint8_t *p, size_t n, size_t at, char *text)
{
	size_t len = 0;

	for (unsigned hops = 0; at < n && p[at] && hops < 128; hops++) {
		if (p[at] >= 0xc0) {
			if (at + 1 >= n)
				break;
			at = (size_t)(p[at] & 63) << 8 | p[at + 1];
			continue;
		}
		if (at + 1 + p[at] > n || len + p[at] + 1 > 255)
			break;
		memcpy(text + len, p + at + 1, p[at]);
		len += p[at];
		text[len++] = '.';
		at += 1u + p[at];
	}
	return (struct str){text, len};
}

/* Counts the vendor of the first answer record. */
static void count_share(struct load *l, const uint8_t *p, size_t n)
{
	char text[256];
	size_t at = l->question_n, name = name_octets(p, n, at), len;
	uint16_t type;
	struct ip a = {0};

	if (!name || at + name + 10 > n)
		return;
	at += name;
	type = (uint16_t)(p[at] << 8 | p[at + 1]);
	len = (size_t)p[at + 8] << 8 | p[at + 9];
	at += 10;
	if (at + len > n)
		return;
	if (type == TYPE_CNAME) {
		bench_share_add(l->b->r, bench_name_of_cname(l->b->o, name_text(p, n, at, text)));
	} else if ((type == TYPE_A && len == 4) || (type == TYPE_AAAA && len == 16)) {
		a.family = type == TYPE_A ? IP_V4 : IP_V6;
		memcpy(a.b, p + at, len);
		bench_share_add(l->b->r, bench_name_of_ip(l->b->o, a, text));
	}
}

static void take(struct load *l, const uint8_t *p, size_t n, uint64_t now_ns)
{
	struct bench_result *r = l->b->r;
	uint16_t id;

	if (n < 12)
		return;
	id = (uint16_t)(p[0] << 8 | p[1]);
	if (!l->sent_ns[id])
		return; /* came too late and is counted as lost */
	bench_hist_add(r, now_ns - l->sent_ns[id]);
	l->sent_ns[id] = 0;
	l->outstanding--;
	r->octets += n;
	r->status[p[3] & 15]++;
	r->errors += (p[3] & 15) != 0;
	bench_answered(r);
	if ((p[6] | p[7]) && n > l->question_n)
		count_share(l, p, n);
}

static void receive(struct load *l)
{
	int n;

	do {
		uint64_t now_ns;

		n = recvmmsg(l->fd, l->rx, BATCH, MSG_DONTWAIT, NULL);
		now_ns = os_mono_ns();
		for (int i = 0; i < n; i++)
			take(l, l->in[i], l->rx[i].msg_len, now_ns);
	} while (n == BATCH);
}

static void give_up(struct load *l, uint64_t now_ns)
{
	for (uint32_t id = 0; id < SL_COUNT(l->sent_ns); id++) {
		if (l->sent_ns[id] == 0 ||
			now_ns - l->sent_ns[id] < BENCH_DNS_TIMEOUT_MS * UINT64_C(1000000))
			continue;
		l->sent_ns[id] = 0;
		l->outstanding--;
		l->b->r->lost++;
	}
}

static bool done(const struct load *l, uint64_t now_ns)
{
	const struct bench_run *b = l->b;

	return atomic_load_explicit(b->stop, memory_order_relaxed) || now_ns >= b->end_ns ||
	       (b->quota && l->n >= b->quota);
}

static void run(struct load *l)
{
	struct pollfd pfd = {.fd = l->fd, .events = POLLIN};
	uint64_t now_ns = os_mono_ns(), swept_ns = now_ns;

	while (!done(l, now_ns) || l->outstanding) {
		if (!done(l, now_ns))
			send_some(l);
		(void)poll(&pfd, 1, 10);
		receive(l);
		now_ns = os_mono_ns();
		if (now_ns - swept_ns > UINT64_C(100000000)) {
			give_up(l, now_ns);
			swept_ns = now_ns;
		}
	}
}

int bench_dns_run(struct bench_run *b)
{
	struct load *l = calloc(1, sizeof(*l));
	int rc, size = 4 << 20;

	if (!l)
		return err_set(&b->err, SL_ENOMEM, "no memory");
	l->b = b;
	l->window = SL_MAX(b->o->inflight / b->o->threads, 1u);
	rc = make_question(l, b->o->host, b->o->qtype);
	if (rc)
		err_set(&b->err, rc, "--host: no name: %s", b->o->host);
	l->fd = socket(b->o->addr.ss.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (l->fd >= 0)
		(void)setsockopt(l->fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	if (!rc && (l->fd < 0 ||
			   connect(l->fd, (const struct sockaddr *)&b->o->addr.ss, b->o->addr.len)))
		rc = err_set_errno(&b->err, "socket");
	for (unsigned i = 0; i < BATCH; i++) {
		l->tx_iov[i] = (struct iovec){l->out[i], 0};
		l->rx_iov[i] = (struct iovec){l->in[i], REPLY_MAX};
		l->tx[i].msg_hdr = (struct msghdr){.msg_iov = &l->tx_iov[i], .msg_iovlen = 1};
		l->rx[i].msg_hdr = (struct msghdr){.msg_iov = &l->rx_iov[i], .msg_iovlen = 1};
	}
	if (!rc)
		run(l);
	if (l->fd >= 0)
		(void)close(l->fd);
	free(l);
	return rc;
}
