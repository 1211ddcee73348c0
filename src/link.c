/* SPDX-License-Identifier: Apache-2.0 */
#include "link.h"

#include "base/log.h"
#include "base/os.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

struct link {
	char dir[SL_MAX_PATH];
	struct publish *publish;
	struct seen *seen;
	link_ready_fn *ready;
	void *ctx;
	int inotify;
	const struct world_file *file; /* published: only this thread replaces it */
	uint64_t epoch, generation;    /* of it */
	uint64_t refused_sum;          /* checksum of the last tick that was refused */
	bool again;                    /* the last look at the world failed for want of something */
	uint32_t period_ms;            /* longest TTL of the services */
	char keys_dir[SL_MAX_PATH];
	const char *keys;          /* whose */
	struct timespec keys_time; /* of the file that was read last */
	char level_path[SL_MAX_PATH];
	struct timespec level_time; /* the same; zero: there is none */
	enum log_level level;       /* of the configuration */
};

static uint32_t longest_ttl_ms(const struct world *w)
{
	uint32_t ttl_s = 1;

	for (uint32_t i = 0; i < w->cat.n_services; i++)
		ttl_s = SL_MAX(ttl_s, w->cat.services[i].ttl_s);
	return ttl_s * 1000;
}

static bool newer(const struct link *l, const struct blob_head *h)
{
	return h->epoch > l->epoch || (h->epoch == l->epoch && h->generation > l->generation);
}

/* Not the fault of what was read: a later look may go better. */
static bool passes(int rc)
{
	return rc == SL_ENOMEM || rc == SL_ENOSPC || rc == -EMFILE || rc == -ENFILE;
}

static void take(struct link *l)
{
	struct errbuf err = {""};
	struct world_file *f;
	const struct world *w;
	int rc = world_open(l->dir, l->file, &f, &err);

	l->again = passes(rc);
	if (rc == SL_ENOENT)
		return; /* before the first tick, or between a sweep and a tick: comes again */
	if (rc) {
		LOG_E("world.refused", "error=\"%s\"", err.s);
		return;
	}
	w = world_of(f);
	if (!newer(l, w->tick.head)) {
		if (w->tick.head->checksum != l->refused_sum &&
			w->tick.head->generation != l->generation)
			LOG_W("world.older", "epoch=%llu generation=%llu",
				(unsigned long long)w->tick.head->epoch,
				(unsigned long long)w->tick.head->generation);
		l->refused_sum = w->tick.head->checksum;
		world_close(f);
		return;
	}
	rc = l->ready ? l->ready(l->ctx, w, &err) : 0;
	if (rc) {
		LOG_E("world.refused", "error=\"%s\"", err.s);
		l->again = passes(rc);
		world_close(f);
		return;
	}
	if (l->generation == 0)
		LOG_I("world.first", "epoch=%llu generation=%llu age_ms=%lld services=%u groups=%u",
			(unsigned long long)w->tick.head->epoch,
			(unsigned long long)w->tick.head->generation,
			(long long)(os_now_ms() - w->tick.head->time_ms), w->cat.n_services,
			w->cat.n_groups);
	l->epoch = w->tick.head->epoch;
	l->generation = w->tick.head->generation;
	l->period_ms = longest_ttl_ms(w);
	l->file = f;
	publish_swap(l->publish, f);
}

/* The keys, when their file is another than the one read last. */
static void take_keys(struct link *l)
{
	char path[SL_MAX_PATH + 16];
	struct errbuf err = {""};
	struct keys_file *f;
	struct stat st;
	int rc;

	(void)snprintf(path, sizeof(path), "%s/%s.blob", l->keys_dir, l->keys);
	if (stat(path, &st) || (st.st_mtim.tv_sec == l->keys_time.tv_sec &&
				       st.st_mtim.tv_nsec == l->keys_time.tv_nsec))
		return;
	rc = keys_open(l->keys_dir, l->keys, &f, &err);
	if (!passes(rc))
		l->keys_time = st.st_mtim;
	if (rc) {
		LOG_E("keys.refused", "error=\"%s\"", err.s);
		return;
	}
	LOG_I("keys.taken", "keys=%u accounts=%u", keys_of(f)->n_keys, keys_of(f)->n_accounts);
	publish_swap_keys(l->publish, f);
}

/* The level an operator gave this process; when the file goes, the configuration's again. */
static void take_log_level(struct link *l)
{
	char *text = NULL;
	size_t n;
	struct stat st = {.st_size = 0};
	bool there = stat(l->level_path, &st) == 0;
	int level;

	if (!there)
		st.st_mtim = (struct timespec){0, 0};
	if (st.st_mtim.tv_sec == l->level_time.tv_sec &&
		st.st_mtim.tv_nsec == l->level_time.tv_nsec)
		return;
	l->level_time = st.st_mtim;
	level = (int)l->level;
	if (there && os_read_file(l->level_path, 64, &text, &n, NULL) == 0 &&
		log_level_parse(text) >= 0)
		level = log_level_parse(text);
	free(text);
	log_set_level((enum log_level)level);
	LOG_I("log.level", "level=%d", level);
}

int link_new(const char *dir, const char *keys, struct publish *publish, struct seen *seen,
	link_ready_fn *ready, void *ctx, struct link **ret_link, struct errbuf *err)
{
	struct link *l = calloc(1, sizeof(*l));
	int rc = l ? os_mkdirs(dir, 0755, err) : err_set(err, SL_ENOMEM, "out of memory");

	if (!rc) {
		(void)snprintf(l->dir, sizeof(l->dir), "%s", dir);
		(void)snprintf(l->keys_dir, sizeof(l->keys_dir), "%.900s/../keys", dir);
		(void)snprintf(l->level_path, sizeof(l->level_path), "%.900s/../log-level.%s", dir,
			log_role());
		l->level = log_level();
		l->keys = keys;
		l->publish = publish;
		l->seen = seen;
		l->ready = ready;
		l->ctx = ctx;
		l->period_ms = 1000;
		l->inotify = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
		if (l->inotify < 0 || inotify_add_watch(l->inotify, dir, IN_MOVED_TO) < 0)
			rc = err_set_errno(err, "%s: inotify", dir);
	}
	if (rc) {
		link_free(l);
		return rc;
	}
	take_keys(l); /* first: who answers from a world has its keys */
	take(l);
	*ret_link = l;
	return 0;
}

void link_free(struct link *l)
{
	if (!l)
		return;
	if (l->inotify > 0)
		(void)close(l->inotify);
	free(l);
}

void link_round(struct link *l, int timeout_ms)
{
	struct pollfd p = {.fd = l->inotify, .events = POLLIN};
	char events[4096];
	bool changed = false;

	if (poll(&p, 1, timeout_ms) > 0)
		while (read(l->inotify, events, sizeof(events)) > 0)
			changed = true;
	take_keys(l);
	take_log_level(l);
	if (changed || l->again)
		take(l);
	seen_rotate(l->seen, os_mono_ms(), l->period_ms);
}

uint64_t link_world_ms(const struct link *l)
{
	return l->file ? world_of(l->file)->tick.head->time_ms : 0;
}
