/* SPDX-License-Identifier: Apache-2.0 */
#include "sense/loop.h"

#include "base/os.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

enum { EVENTS = 256, SPARE = 64, CONNECTIONS = 4096 };

struct sense_loop {
	int epoll;
	CURLM *multi;
	uint64_t curl_due_ms; /* 0: curl waits for nothing */
	struct sense_timer **heap;
	uint32_t n, room;
	CURL *spare[SPARE];
	uint32_t n_spare;
};

/* Descriptors of curl are told from those of ours by the low bit of the event's data. */
static int on_socket(CURL *easy, curl_socket_t fd, int what, void *ctx, void *known)
{
	struct sense_loop *l = ctx;
	struct epoll_event e = {.data.u64 = (uint64_t)(unsigned)fd << 1 | 1};

	(void)easy;
	if (what == CURL_POLL_REMOVE) {
		(void)epoll_ctl(l->epoll, EPOLL_CTL_DEL, fd, NULL);
		return 0;
	}
	e.events = (what & CURL_POLL_IN ? EPOLLIN : 0u) | (what & CURL_POLL_OUT ? EPOLLOUT : 0u);
	if (epoll_ctl(l->epoll, known ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd, &e) && errno == EEXIST)
		(void)epoll_ctl(l->epoll, EPOLL_CTL_MOD, fd, &e);
	(void)curl_multi_assign(l->multi, fd, l);
	return 0;
}

static int on_timer(CURLM *multi, long timeout_ms, void *ctx)
{
	struct sense_loop *l = ctx;

	(void)multi;
	l->curl_due_ms = timeout_ms < 0 ? 0 : os_mono_ms() + (uint64_t)timeout_ms;
	return 0;
}

int sense_loop_new(struct sense_loop **ret_loop, struct errbuf *err)
{
	struct sense_loop *l = calloc(1, sizeof(*l));

	if (!l)
		return err_set(err, SL_ENOMEM, "sense: out of memory");
	l->epoll = epoll_create1(EPOLL_CLOEXEC);
	l->multi = curl_multi_init();
	if (l->epoll < 0 || !l->multi) {
		sense_loop_free(l);
		return err_set(err, SL_ENOMEM, "sense: no epoll or no libcurl");
	}
	(void)curl_multi_setopt(l->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
	(void)curl_multi_setopt(l->multi, CURLMOPT_SOCKETDATA, l);
	(void)curl_multi_setopt(l->multi, CURLMOPT_TIMERFUNCTION, on_timer);
	(void)curl_multi_setopt(l->multi, CURLMOPT_TIMERDATA, l);
	(void)curl_multi_setopt(l->multi, CURLMOPT_MAXCONNECTS, (long)CONNECTIONS);
	*ret_loop = l;
	return 0;
}

void sense_loop_free(struct sense_loop *l)
{
	if (!l)
		return;
	while (l->n_spare)
		curl_easy_cleanup(l->spare[--l->n_spare]);
	if (l->multi)
		(void)curl_multi_cleanup(l->multi);
	if (l->epoll >= 0)
		(void)close(l->epoll);
	free(l->heap);
	free(l);
}

static void put(struct sense_loop *l, uint32_t at, struct sense_timer *t)
{
	l->heap[at - 1] = t;
	t->place = at;
}

static void sift_up(struct sense_loop *l, uint32_t at, struct sense_timer *t)
{
	while (at > 1 && l->heap[at / 2 - 1]->due_ms > t->due_ms) {
		put(l, at, l->heap[at / 2 - 1]);
		at /= 2;
	}
	put(l, at, t);
}

static void sift_down(struct sense_loop *l, uint32_t at, struct sense_timer *t)
{
	for (uint32_t child; (child = at * 2) <= l->n; at = child) {
		if (child < l->n && l->heap[child]->due_ms < l->heap[child - 1]->due_ms)
			child++;
		if (l->heap[child - 1]->due_ms >= t->due_ms)
			break;
		put(l, at, l->heap[child - 1]);
	}
	put(l, at, t);
}

int sense_timer_set(struct sense_loop *l, struct sense_timer *t, uint64_t due_ms)
{
	sense_timer_clear(l, t);
	if (l->n == l->room) {
		uint32_t room = l->room ? l->room * 2 : 256;
		struct sense_timer **heap = realloc(l->heap, room * sizeof(struct sense_timer *));

		if (!heap)
			return SL_ENOMEM;
		l->heap = heap;
		l->room = room;
	}
	t->due_ms = due_ms;
	sift_up(l, ++l->n, t);
	return 0;
}

void sense_timer_clear(struct sense_loop *l, struct sense_timer *t)
{
	uint32_t at = t->place;
	struct sense_timer *last;

	if (!at)
		return;
	t->place = 0;
	last = l->heap[--l->n];
	if (last == t)
		return;
	if (at > 1 && l->heap[at / 2 - 1]->due_ms > last->due_ms)
		sift_up(l, at, last);
	else
		sift_down(l, at, last);
}

int sense_io_add(struct sense_loop *l, struct sense_io *io)
{
	struct epoll_event e = {.events = EPOLLIN, .data.ptr = io};

	return epoll_ctl(l->epoll, EPOLL_CTL_ADD, io->fd, &e) ? -errno : 0;
}

int sense_io_turn(struct sense_loop *l, struct sense_io *io, bool writing)
{
	struct epoll_event e = {.events = writing ? EPOLLOUT : EPOLLIN, .data.ptr = io};

	return epoll_ctl(l->epoll, EPOLL_CTL_MOD, io->fd, &e) ? -errno : 0;
}

void sense_io_remove(struct sense_loop *l, struct sense_io *io)
{
	(void)epoll_ctl(l->epoll, EPOLL_CTL_DEL, io->fd, NULL);
}

CURL *sense_fetch_take(struct sense_loop *l, struct sense_fetch *f)
{
	CURL *easy = l->n_spare ? l->spare[--l->n_spare] : curl_easy_init();

	f->easy = easy;
	if (!easy)
		return NULL;
	(void)curl_easy_setopt(easy, CURLOPT_PRIVATE, f);
	(void)curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	(void)curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
	(void)curl_easy_setopt(easy, CURLOPT_PROXY, "");
	(void)curl_easy_setopt(easy, CURLOPT_USERAGENT, "sluice/" PACKAGE_VERSION);
	return easy;
}

int sense_fetch_start(struct sense_loop *l, struct sense_fetch *f)
{
	if (curl_multi_add_handle(l->multi, f->easy) == CURLM_OK)
		return 0;
	curl_easy_cleanup(f->easy);
	f->easy = NULL;
	return SL_ENOMEM;
}

static void give_back(struct sense_loop *l, CURL *easy)
{
	(void)curl_multi_remove_handle(l->multi, easy);
	if (l->n_spare == SPARE) {
		curl_easy_cleanup(easy);
		return;
	}
	curl_easy_reset(easy);
	l->spare[l->n_spare++] = easy;
}

void sense_fetch_stop(struct sense_loop *l, struct sense_fetch *f)
{
	if (f->easy)
		give_back(l, f->easy);
	f->easy = NULL;
}

static void finish(struct sense_loop *l)
{
	struct sense_fetch *f;
	CURLMsg *m;
	int left;

	while ((m = curl_multi_info_read(l->multi, &left))) {
		CURL *easy = m->easy_handle;
		CURLcode rc = m->data.result;

		if (m->msg != CURLMSG_DONE ||
			curl_easy_getinfo(easy, CURLINFO_PRIVATE, (char **)&f) != CURLE_OK)
			continue;
		f->done(f, rc);
		if (f->easy == easy)
			f->easy = NULL;
		give_back(l, easy);
	}
}

static int wait_ms(const struct sense_loop *l, int timeout_ms)
{
	uint64_t now = os_mono_ms(), due = now + (uint64_t)timeout_ms;

	if (l->n)
		due = SL_MIN(due, l->heap[0]->due_ms);
	if (l->curl_due_ms)
		due = SL_MIN(due, l->curl_due_ms);
	return due > now ? (int)(due - now) : 0;
}

static void serve(struct sense_loop *l, const struct epoll_event *e)
{
	int running, bits = (e->events & EPOLLIN ? CURL_CSELECT_IN : 0) |
			    (e->events & EPOLLOUT ? CURL_CSELECT_OUT : 0) |
			    (e->events & (EPOLLERR | EPOLLHUP) ? CURL_CSELECT_ERR : 0);

	if (e->data.u64 & 1)
		(void)curl_multi_socket_action(
			l->multi, (curl_socket_t)(e->data.u64 >> 1), bits, &running);
	else
		((struct sense_io *)e->data.ptr)->ready(e->data.ptr);
}

void sense_loop_round(struct sense_loop *l, int timeout_ms)
{
	struct epoll_event event[EVENTS];
	int n = epoll_wait(l->epoll, event, EVENTS, wait_ms(l, timeout_ms)), running;
	uint64_t now;

	for (int i = 0; i < n; i++)
		serve(l, &event[i]);
	now = os_mono_ms();
	if (l->curl_due_ms && l->curl_due_ms <= now) {
		l->curl_due_ms = 0;
		(void)curl_multi_socket_action(l->multi, CURL_SOCKET_TIMEOUT, 0, &running);
	}
	finish(l);
	for (uint32_t k = l->n; k && l->n && l->heap[0]->due_ms <= now; k--) {
		struct sense_timer *t = l->heap[0];

		sense_timer_clear(l, t);
		t->fire(t);
	}
}
