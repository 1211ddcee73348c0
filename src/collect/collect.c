/* SPDX-License-Identifier: Apache-2.0 */
#include "collect/collect.h"

#include "collect/cdnlog.h"
#include "collect/collect_int.h"

#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

enum {
	BACKLOG = 4096,
	FOLLOW_MS = 500,     /* followed logs are looked after so often */
	ROUND_MS = 50,       /* a worker hands over at least so often */
	FETCH_MS = 20,       /* the tick thread fetches so often */
	SLOW_ROUND_MS = 500, /* what came at the start of such a round has waited for too long */
	HOT_TICKS = 3,
	LEAST_PPM = 1000,    /* is always kept */
	ROOM_FOR_MS = 20000, /* what comes must fit for so long into books that are nearly full */
};

struct thread {
	struct collect_worker w; /* owned by its thread */
	struct collect *c;
	struct httpd *httpd;
	struct collect_batch *batches[2]; /* to free them; who holds them is in the mailbox */
	struct collect_mailbox mailbox;
	_Atomic uint32_t stop;             /* patience in ms, plus 1 */
	_Atomic uint64_t rounds_over;      /* relaxed counter, one writer: slow rounds */
	struct collect_follower *follower; /* instead of httpd: the thread that follows logs */
	pthread_t id;
	bool running;
};

enum { COLLECT_ROUTES = 3 };

struct collect {
	struct collect_options o;
	struct os_addr bound[COLLECT_MAX_LISTEN];
	char facts[SL_MAX_PATH], facts_test[SL_MAX_PATH];
	struct collect_books *books; /* owned by the tick thread */
	struct collect_books *test;  /* of load tests; NULL before the first */
	_Atomic uint32_t keep_ppm;   /* relaxed, one writer: the tick thread */
	_Atomic uint32_t stop;       /* of the tick thread */
	pthread_t tick;
	bool ticking;
	struct httpd_route routes[COLLECT_ROUTES];
	uint32_t n_threads;     /* those of the listeners, and maybe one that follows logs */
	struct thread thread[]; /* the latter is the last */
};

static const struct httpd_route routes[COLLECT_ROUTES] = {
	{.path = "/v1/qos",
		.methods = HTTPD_POST,
		.max_body = COLLECT_MAX_BODY,
		.fn = collect_qos,
		.flags = HTTPD_CORS | HTTPD_RATED},
	{.path = "/v1/cmcd",
		.methods = HTTPD_POST | HTTPD_GET,
		.max_body = COLLECT_MAX_BODY,
		.fn = collect_cmcd,
		.flags = HTTPD_CORS | HTTPD_RATED},
	{.path = "/v1/logs",
		.methods = HTTPD_POST,
		.max_body = COLLECT_LOG_BODY,
		.fn = collect_logs},
};

static bool ready(void *ctx)
{
	return ((struct collect_worker *)ctx)->intake.world != NULL;
}

/* --- a worker ------------------------------------------------------------------------------- */

static void round_once(struct thread *t, int timeout_ms)
{
	uint64_t began;

	publish_offline();
	httpd_wait(t->httpd, timeout_ms);
	publish_online();
	began = os_mono_ns();
	t->w.keys = publish_read_keys(t->c->o.publish);
	collect_intake_round(&t->w.intake, publish_read(t->c->o.publish), os_now_ms(),
		atomic_load_explicit(&t->c->keep_ppm, memory_order_relaxed));
	(void)httpd_run(t->httpd);
	collect_hand_over(&t->mailbox, &t->w.intake.batch);
	if (os_mono_ns() - began > SLOW_ROUND_MS * UINT64_C(1000000))
		atomic_store_explicit(&t->rounds_over,
			atomic_load_explicit(&t->rounds_over, memory_order_relaxed) + 1,
			memory_order_relaxed);
}

static void *work(void *arg)
{
	struct thread *t = arg;
	uint32_t stop;
	uint64_t until_ms;

	publish_reader_start();
	do {
		round_once(t, ROUND_MS);
		stop = atomic_load_explicit(&t->stop, memory_order_relaxed);
	} while (!stop);
	httpd_drain(t->httpd);
	until_ms = os_mono_ms() + stop - 1;
	while (httpd_connections(t->httpd) && os_mono_ms() < until_ms)
		round_once(t, 10);
	publish_reader_stop();
	return NULL;
}

/* The thread that follows logs: as a worker, without a listener. */
static void *follow(void *arg)
{
	const struct timespec nap = {0, ROUND_MS * 1000000L};
	struct thread *t = arg;

	publish_reader_start();
	while (!atomic_load_explicit(&t->stop, memory_order_relaxed)) {
		publish_offline();
		collect_follow_wait(t->follower, FOLLOW_MS);
		(void)nanosleep(&nap, NULL); /* many lines at once cost less than one each */
		publish_online();
		collect_intake_round(
			&t->w.intake, publish_read(t->c->o.publish), os_now_ms(), COLLECT_PPM);
		if (t->w.intake.world)
			collect_follow_round(t->follower, &t->w.intake, os_mono_ms());
		collect_hand_over(&t->mailbox, &t->w.intake.batch);
	}
	publish_reader_stop();
	return NULL;
}

/* --- the tick thread ------------------------------------------------------------------------ */

/* Facts are of the moment: renamed into place, and no waiting for the disk. */
static int write_facts(const char *path, const void *blob, size_t size)
{
	char temporary[SL_MAX_PATH + 8];
	FILE *f;
	bool good;

	(void)snprintf(temporary, sizeof(temporary), "%s.new", path);
	f = fopen(temporary, "we");
	if (!f)
		return -errno;
	good = fwrite(blob, 1, size, f) == size;
	good = fclose(f) == 0 && good;
	if (!good || rename(temporary, path))
		return SL_EIO;
	return 0;
}

static void tell(struct collect *c, struct collect_books *books, const char *path)
{
	struct errbuf err = {""};
	void *blob = NULL;
	size_t size;
	int rc = collect_books_facts(books, os_now_ms(),
		atomic_load_explicit(&c->keep_ppm, memory_order_relaxed), &blob, &size, &err);

	if (!rc) {
		rc = write_facts(path, blob, size);
		if (rc)
			(void)err_set(&err, rc, "%.900s: %s", path, sl_strerror(rc));
	}
	if (rc && c->o.failed)
		c->o.failed(err.s);
	free(blob);
}

static void tick(struct collect *c)
{
	tell(c, c->books, c->facts);
	if (c->test)
		tell(c, c->test, c->facts_test);
}

static bool has_test(const struct collect_batch *b)
{
	for (int i = 0; i < COLLECT_SOURCES; i++)
		if (b->counts[1][i].accepted)
			return true;
	return false;
}

/* Load tests have books of their own, made when the first one comes. */
static void take_test(struct collect *c, const struct collect_batch *b)
{
	const struct collect_limits *l = &c->o.limits;
	struct collect_limits quarter = {.sessions = l->sessions / 4,
		.users = l->users / 4,
		.caps = l->caps / 4,
		.pulls = l->pulls / 4,
		.streams = l->streams / 4,
		.pushers = l->pushers / 4,
		.logs = l->logs / 4,
		.test = 1};
	struct errbuf err = {""};

	if (!c->facts_test[0] || (!c->test && !has_test(b)))
		return;
	if (!c->test && collect_books_new(&quarter, -1, os_now_ms(), &c->test, &err)) {
		if (c->o.failed)
			c->o.failed(err.s);
		return;
	}
	collect_books_take(c->test, b, true, os_now_ms());
}

/* Books what has been handed over; whether some worker filled a batch. */
static bool fetch(struct collect *c)
{
	bool full = false;

	for (uint32_t i = 0; i < c->n_threads; i++) {
		struct collect_mailbox *m = &c->thread[i].mailbox;
		struct collect_batch *b = collect_fetch(m);

		if (!b)
			continue;
		full |= b->n == COLLECT_BATCH;
		collect_books_take(c->books, b, false, os_now_ms());
		take_test(c, b);
		collect_give_back(m, b);
	}
	return full;
}

/* What sampling goes by, from tick to tick. */
struct sampling {
	uint32_t hot_ticks;
	uint64_t pulls; /* that were booked at the last tick */
	double offered; /* pull attempts per tick, those sampled away included; smoothed */
};

/* The part of the pull attempts for which there is room: attempts leave the books a minute after
 * they came, so the room that is left must do for a while, the longer the less of it there is. */
static uint32_t room_ppm(const struct collect *c, struct sampling *s, uint32_t keep)
{
	uint64_t pulls = collect_books_pulls(c->books), came = pulls - s->pulls;
	double room = (double)collect_books_room(c->books), used = c->o.limits.pulls - room;
	double may = room * c->o.limits.pulls / SL_MAX(used, 1.0) * c->o.tick_ms / ROOM_FOR_MS;

	s->pulls = pulls;
	s->offered += ((double)came * COLLECT_PPM / keep - s->offered) / 4;
	if (room < 1)
		return LEAST_PPM;
	return s->offered <= may ? (uint32_t)COLLECT_PPM
				 : (uint32_t)(may / s->offered * COLLECT_PPM);
}

/* Keeps a part of the reports that can be dealt with: cut by a third, raised by a tenth per tick,
 * and no more than there is room for. A batch that was full cuts at once; load must last for some
 * ticks, because tables that fill for the first time cost page faults. A worker that is always busy
 * but answers at once is no overload: senders that wait for their replies keep any worker busy. */
static void set_sampling(struct collect *c, bool full, bool hot, struct sampling *s)
{
	uint32_t keep = atomic_load_explicit(&c->keep_ppm, memory_order_relaxed);
	uint32_t room = room_ppm(c, s, keep);

	s->hot_ticks = hot ? s->hot_ticks + 1 : 0;
	if (full || s->hot_ticks >= HOT_TICKS)
		keep = keep / 3 * 2;
	else if (!hot)
		keep = SL_MIN(keep + keep / 10, (uint32_t)COLLECT_PPM);
	keep = SL_MAX(SL_MIN(keep, room), (uint32_t)LEAST_PPM);
	atomic_store_explicit(&c->keep_ppm, keep, memory_order_relaxed);
}

static uint64_t slow_rounds(struct collect *c)
{
	uint64_t n = 0;

	for (uint32_t i = 0; i < c->o.threads; i++)
		n += atomic_load_explicit(&c->thread[i].rounds_over, memory_order_relaxed);
	return n;
}

static void *tick_loop(void *arg)
{
	const struct timespec nap = {0, FETCH_MS * 1000000L};
	struct collect *c = arg;
	uint64_t own_ns = 0, began_ns = os_mono_ns(), slow = 0, due = os_mono_ms() + c->o.tick_ms;
	struct sampling sampling = {.pulls = collect_books_pulls(c->books)};
	bool full = false;

	while (!atomic_load_explicit(&c->stop, memory_order_relaxed)) {
		uint64_t at = os_mono_ns();
		bool ticks = os_mono_ms() >= due;

		full |= fetch(c);
		if (ticks)
			tick(c);
		own_ns += os_mono_ns() - at;
		if (ticks) {
			uint64_t now_slow = slow_rounds(c), span_ns = os_mono_ns() - began_ns;
			bool hot = now_slow != slow || own_ns > span_ns / 10 * 9;

			set_sampling(c, full, hot, &sampling);
			due = SL_MAX(due + c->o.tick_ms, os_mono_ms());
			began_ns = os_mono_ns();
			own_ns = 0;
			slow = now_slow;
			full = false;
		}
		(void)nanosleep(&nap, NULL);
	}
	return NULL;
}

/* --- start and stop ------------------------------------------------------------------------- */

static int listen_all(struct collect *c, struct thread *t, bool first, struct errbuf *err)
{
	for (uint32_t i = 0; i < c->o.n_listen; i++) {
		int fd = os_tcp_listen(&c->bound[i], BACKLOG, err), rc;

		if (fd < 0)
			return fd;
		if (first) {
			c->bound[i].len = sizeof(c->bound[i].ss);
			(void)getsockname(fd, (struct sockaddr *)&c->bound[i].ss, &c->bound[i].len);
		}
		rc = httpd_listen(t->httpd, fd, false, err);
		if (rc)
			return rc;
	}
	return 0;
}

static int open_intake(struct collect *c, struct thread *t, uint64_t seed, struct errbuf *err)
{
	t->c = c;
	t->w.trusted = c->o.trusted_senders;
	t->w.n_trusted = c->o.n_trusted_senders;
	t->w.intake.seed = seed;
	for (int i = 0; i < 2; i++) {
		t->batches[i] = calloc(1, sizeof(*t->batches[i]));
		if (!t->batches[i])
			return err_set(err, SL_ENOMEM, "collect: no memory for a worker");
	}
	t->w.intake.batch = t->batches[0];
	atomic_store_explicit(&t->mailbox.empty, t->batches[1], memory_order_relaxed);
	return 0;
}

static int open_thread(struct collect *c, uint32_t index, uint64_t seed, struct errbuf *err)
{
	struct thread *t = &c->thread[index];
	struct httpd_config conf = {.routes = c->routes,
		.n_routes = COLLECT_ROUTES,
		.ctx = &t->w,
		.ready = ready,
		.trusted = c->o.trusted_proxies,
		.n_trusted = c->o.n_trusted_proxies,
		.limits = c->o.http};
	int rc = open_intake(c, t, seed, err);

	if (!rc && index == c->o.threads)
		return collect_follow_open(
			c->o.follow, c->o.n_follow, c->o.follow_state, &t->follower, err);
	if (!rc)
		rc = httpd_new(&conf, &t->httpd, err);
	return rc ? rc : listen_all(c, t, index == 0, err);
}

/* The table, with the limits of bodies that were asked for. */
static void take_routes(struct collect *c)
{
	memcpy(c->routes, routes, sizeof(routes));
	for (size_t i = 0; i < COLLECT_ROUTES; i++) {
		size_t own = routes[i].max_body == COLLECT_LOG_BODY ? c->o.log_octets
								    : c->o.batch_octets;

		if (own)
			c->routes[i].max_body = own;
	}
}

int collect_open(const struct collect_options *o, struct collect **ret_collect, struct errbuf *err)
{
	uint32_t n_threads = o->threads + (o->n_follow != 0);
	size_t size = sizeof(struct collect) + n_threads * sizeof(struct thread);
	struct collect *c;
	int rc;

	if (o->n_listen > COLLECT_MAX_LISTEN || !o->threads || o->threads > COLLECT_MAX_THREADS)
		return err_set(err, SL_ELIMIT, "collect: got %u listeners and %u threads",
			o->n_listen, o->threads);
	size = (size + 63) & ~(size_t)63;
	c = aligned_alloc(64, size);
	if (!c)
		return err_set(err, SL_ENOMEM, "collect: out of memory");
	memset(c, 0, size);
	c->o = *o;
	c->n_threads = n_threads;
	if (o->n_listen)
		memcpy(c->bound, o->listen, o->n_listen * sizeof(c->bound[0]));
	(void)snprintf(c->facts, sizeof(c->facts), "%s", o->facts);
	(void)snprintf(
		c->facts_test, sizeof(c->facts_test), "%s", o->facts_test ? o->facts_test : "");
	atomic_store_explicit(&c->keep_ppm, (uint32_t)COLLECT_PPM, memory_order_relaxed);
	take_routes(c);
	rc = collect_books_new(&o->limits, o->kept, os_now_ms(), &c->books, err);
	for (uint32_t i = 0; i < n_threads && !rc; i++)
		rc = open_thread(c, i, collect_books_seed(c->books), err);
	if (rc)
		collect_stop(c, 0);
	else
		*ret_collect = c;
	return rc;
}

bool collect_adopted(const struct collect *c)
{
	return collect_books_adopted(c->books);
}

int collect_run(struct collect *c, struct errbuf *err)
{
	int rc = pthread_create(&c->tick, NULL, tick_loop, c);

	c->ticking = rc == 0;
	for (uint32_t i = 0; i < c->n_threads && !rc; i++) {
		rc = pthread_create(&c->thread[i].id, NULL, c->thread[i].follower ? follow : work,
			&c->thread[i]);
		c->thread[i].running = rc == 0;
	}
	return rc ? err_set(err, -rc, "collect: cannot start a thread") : 0;
}

/* Once no worker runs: books what is still with them, for the last facts too. A batch stays with
 * its worker where the one before it had not been fetched. */
static void end_ticks(struct collect *c)
{
	atomic_store_explicit(&c->stop, 1, memory_order_relaxed);
	(void)pthread_join(c->tick, NULL);
	(void)fetch(c);
	for (uint32_t i = 0; i < c->n_threads; i++)
		collect_hand_over(&c->thread[i].mailbox, &c->thread[i].w.intake.batch);
	(void)fetch(c);
	tick(c);
}

void collect_stop(struct collect *c, uint32_t patience_ms)
{
	if (!c)
		return;
	for (uint32_t i = 0; i < c->n_threads; i++) {
		atomic_store_explicit(&c->thread[i].stop, patience_ms + 1, memory_order_relaxed);
		if (c->thread[i].running && c->thread[i].httpd)
			httpd_wake(c->thread[i].httpd);
	}
	for (uint32_t i = 0; i < c->n_threads; i++)
		if (c->thread[i].running)
			(void)pthread_join(c->thread[i].id, NULL);
	if (c->ticking)
		end_ticks(c);
	for (uint32_t i = 0; i < c->n_threads; i++) {
		httpd_free(c->thread[i].httpd);
		collect_follow_close(c->thread[i].follower);
		free(c->thread[i].batches[0]);
		free(c->thread[i].batches[1]);
	}
	collect_books_free(c->books);
	collect_books_free(c->test);
	free(c);
}

uint16_t collect_port(const struct collect *c, uint32_t index)
{
	return os_addr_port((const struct sockaddr *)&c->bound[index].ss);
}
