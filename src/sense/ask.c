/* SPDX-License-Identifier: Apache-2.0 */
#include "sense/ask.h"

#include "base/os.h"
#include "sense/dnsmsg.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LENGTH = 2 };

void sense_ask_init(struct sense_ask *a)
{
	*a = (struct sense_ask){.io = {.fd = -1}};
}

void sense_ask_stop(struct sense_ask *a)
{
	if (a->io.fd < 0)
		return;
	sense_io_remove(a->loop, &a->io);
	sense_timer_clear(a->loop, &a->timer);
	(void)close(a->io.fd);
	a->io.fd = -1;
	free(a->message);
	a->message = NULL;
}

static void fail(struct sense_ask *a, enum sense_refusal why)
{
	sense_ask_stop(a);
	a->failed(a, why);
}

static void on_time(struct sense_timer *t)
{
	fail((struct sense_ask *)((char *)t - offsetof(struct sense_ask, timer)), SENSE_TIMEOUT);
}

static void read_udp(struct sense_ask *a)
{
	uint8_t octets[SENSE_DNS_MAX];
	ssize_t n;

	while (a->io.fd >= 0 && (n = recv(a->io.fd, octets, sizeof(octets), MSG_DONTWAIT)) != 0) {
		if (n > 0)
			a->reply(a, octets, (size_t)n);
		else if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)
			return;
		else
			fail(a, SENSE_CONNECT);
	}
}

/* Connected: the question, length first. It is short, so it goes at once or not at all. */
static void send_tcp(struct sense_ask *a)
{
	if (send(a->io.fd, a->query, a->n_query, MSG_DONTWAIT | MSG_NOSIGNAL) !=
			(ssize_t)a->n_query ||
		sense_io_turn(a->loop, &a->io, false)) {
		fail(a, SENSE_CONNECT);
		return;
	}
	a->sending = false;
}

/* Room for what is told to come. */
static bool grow(struct sense_ask *a)
{
	size_t want = LENGTH;
	uint8_t *more;

	if (a->n >= LENGTH)
		want += (size_t)a->message[0] << 8 | a->message[1];
	if (want <= a->want)
		return true;
	more = realloc(a->message, want);
	if (!more)
		return false;
	a->message = more;
	a->want = want;
	return true;
}

static void read_tcp(struct sense_ask *a)
{
	ssize_t n;

	while (grow(a) && a->n < a->want) {
		n = recv(a->io.fd, a->message + a->n, a->want - a->n, MSG_DONTWAIT);
		if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
			return;
		if (n <= 0)
			break;
		a->n += (size_t)n;
	}
	if (a->n > LENGTH && a->n == a->want)
		a->reply(a, a->message + LENGTH, a->n - LENGTH);
	if (a->io.fd >= 0)
		fail(a, a->n ? SENSE_WIRE : SENSE_CONNECT);
}

static void on_ready(struct sense_io *io)
{
	struct sense_ask *a = (struct sense_ask *)((char *)io - offsetof(struct sense_ask, io));

	if (!a->tcp)
		read_udp(a);
	else if (a->sending)
		send_tcp(a);
	else
		read_tcp(a);
}

int sense_ask_start(struct sense_ask *a, const char *server, bool tcp, const uint8_t *query,
	size_t n, uint32_t timeout_ms)
{
	int kind = (tcp ? SOCK_STREAM : SOCK_DGRAM) | SOCK_CLOEXEC | SOCK_NONBLOCK, rc;
	struct os_addr to;

	if (n > SENSE_ASK_MAX || os_addr_parse(server, &to, NULL))
		return SL_EINVAL;
	sense_ask_stop(a);
	a->io = (struct sense_io){on_ready, socket(to.ss.ss_family, kind, 0)};
	if (a->io.fd < 0)
		return -errno;
	a->tcp = a->sending = tcp;
	a->n = a->want = 0;
	a->query[0] = (uint8_t)(n >> 8);
	a->query[1] = (uint8_t)n;
	memcpy(a->query + LENGTH, query, n);
	a->n_query = LENGTH + n;
	a->timer.fire = on_time;
	rc = connect(a->io.fd, (struct sockaddr *)&to.ss, to.len) < 0 && errno != EINPROGRESS
		     ? -errno
		     : 0;
	if (!rc && !tcp && send(a->io.fd, query, n, MSG_DONTWAIT) < 0)
		rc = -errno;
	if (!rc)
		rc = sense_io_add(a->loop, &a->io);
	if (!rc && tcp)
		rc = sense_io_turn(a->loop, &a->io, true);
	if (!rc)
		rc = sense_timer_set(a->loop, &a->timer, os_mono_ms() + timeout_ms);
	if (rc)
		sense_ask_stop(a);
	return rc;
}
