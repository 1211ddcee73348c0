/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a rollback goes back to, in STATE/history: the world after every change of the last ten
 * minutes and one a minute for a day (hard links to its blobs, a folder each), and the catalogues
 * that were last in use.
 */
#include "base/hash.h"
#include "base/log.h"
#include "base/os.h"
#include "control/control_int.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { EVERY_MS = 60000, KEEP_MS = 86400000, MAX_CATALOGUE = 64 << 20 };
enum { ALL_MS = 600000, MAX_KEPT = 65536 }; /* every world of the last minutes, then one each */
enum { CATALOGUES = 1000 };                 /* ten a day for three months */

static int link_file(const char *from_dir, const char *to_dir, const char *name)
{
	char from[SL_MAX_PATH + 300], to[SL_MAX_PATH + 300];

	(void)snprintf(from, sizeof(from), "%s/%s", from_dir, name);
	(void)snprintf(to, sizeof(to), "%s/%s", to_dir, name);
	return link(from, to);
}

static void remove_dir(const char *dir)
{
	char path[SL_MAX_PATH + 600];
	struct dirent *e;
	DIR *d = opendir(dir);

	while (d && (e = readdir(d))) {
		(void)snprintf(path, sizeof(path), "%s/%s", dir, e->d_name);
		if (e->d_name[0] != '.')
			(void)unlink(path);
	}
	if (d)
		(void)closedir(d);
	(void)rmdir(dir);
}

static int by_time(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/* Forgets worlds that are older than a day, and of older minutes all but the first. */
static void prune(const struct control *c, uint64_t now_ms)
{
	char dir[SL_MAX_PATH + 16], path[SL_MAX_PATH + 300];
	uint64_t *made = malloc(MAX_KEPT * sizeof(*made)), minute = 0;
	struct dirent *e;
	uint32_t n = 0;
	DIR *d;

	(void)snprintf(dir, sizeof(dir), "%s/history", c->state_dir);
	d = made ? opendir(dir) : NULL;
	while (d && n < MAX_KEPT && (e = readdir(d))) {
		char *end;

		made[n] = strtoull(e->d_name, &end, 10);
		n += end != e->d_name && !*end;
	}
	if (d)
		(void)closedir(d);
	if (n)
		qsort(made, n, sizeof(*made), by_time);
	for (uint32_t i = 0; i < n; i++) {
		bool first = made[i] / EVERY_MS != minute;

		minute = made[i] / EVERY_MS;
		if (made[i] + KEEP_MS > now_ms && (first || made[i] + ALL_MS > now_ms))
			continue;
		(void)snprintf(path, sizeof(path), "%s/%" PRIu64, dir, made[i]);
		remove_dir(path);
	}
	free(made);
}

static void keep_world(struct control *c, const struct world *w, uint64_t now_ms)
{
	char from[SL_MAX_PATH + 16], to[SL_MAX_PATH + 48], name[64];
	struct errbuf err = {""};

	(void)snprintf(from, sizeof(from), "%s/world", c->state_dir);
	(void)snprintf(to, sizeof(to), "%s/history/%" PRIu64, c->state_dir, now_ms);
	if (os_mkdirs(to, 0755, &err)) {
		LOG_W("history.refused", "error=\"%s\"", err.s);
		return;
	}
	(void)snprintf(
		name, sizeof(name), "catalogue-%016" PRIx64 ".blob", w->tick.meta->catalogue);
	if (link_file(from, to, name) == 0) {
		(void)snprintf(name, sizeof(name), "geo-%016" PRIx64 ".blob", w->tick.meta->geo);
		if (link_file(from, to, name) == 0 && link_file(from, to, "tick.blob") == 0)
			return;
	} else if (errno == EEXIST) {
		return; /* it was kept in this very millisecond */
	}
	remove_dir(to);
}

static void catalogue_path(const struct control *c, const char *sum, char *ret, size_t size)
{
	(void)snprintf(ret, size, "%s/history/catalog-%s.yaml", c->state_dir, sum);
}

struct kept_catalogue {
	struct timespec used; /* when it last came into use */
	char name[40];
};

static int by_use(const void *a, const void *b)
{
	const struct timespec *x = &((const struct kept_catalogue *)a)->used;
	const struct timespec *y = &((const struct kept_catalogue *)b)->used;

	if (x->tv_sec != y->tv_sec)
		return x->tv_sec < y->tv_sec ? -1 : 1;
	return x->tv_nsec < y->tv_nsec ? -1 : x->tv_nsec > y->tv_nsec;
}

static void prune_catalogues(const char *dir)
{
	struct kept_catalogue *kept = malloc(MAX_KEPT * sizeof(*kept));
	DIR *d = kept ? opendir(dir) : NULL;
	struct dirent *e;
	struct stat st;
	uint32_t n = 0;

	while (d && n < MAX_KEPT && (e = readdir(d))) {
		if (strncmp(e->d_name, "catalog-", 8) != 0 ||
			strlen(e->d_name) >= sizeof(kept[0].name) ||
			fstatat(dirfd(d), e->d_name, &st, 0) != 0)
			continue;
		kept[n].used = st.st_mtim;
		(void)snprintf(kept[n].name, sizeof(kept[0].name), "%s", e->d_name);
		n++;
	}
	if (n > CATALOGUES)
		qsort(kept, n, sizeof(*kept), by_use);
	for (uint32_t i = 0; i + CATALOGUES < n; i++)
		(void)unlinkat(dirfd(d), kept[i].name, 0);
	if (d)
		(void)closedir(d);
	free(kept);
}

int control_keep_read_catalogue(const struct control *c, const char *sum, char **ret_text,
	size_t *ret_n, struct errbuf *err)
{
	char path[SL_MAX_PATH + 64];
	int rc;

	catalogue_path(c, sum, path, sizeof(path));
	rc = os_read_file(path, MAX_CATALOGUE, ret_text, ret_n, err);
	return rc == SL_ENOENT
		       ? err_set(err, rc,
				 "the catalogue of that change is kept no more, the last %d are",
				 CATALOGUES)
		       : rc;
}

int control_keep_catalogue_text(
	struct control *c, const char *text, size_t n, char ret_sum[static 20], struct errbuf *err)
{
	char dir[SL_MAX_PATH + 16], path[SL_MAX_PATH + 64];
	int rc;

	(void)snprintf(ret_sum, 20, "%016" PRIx64, hash64(text, n, 0));
	(void)snprintf(dir, sizeof(dir), "%s/history", c->state_dir);
	rc = os_mkdirs(dir, 0755, err);
	catalogue_path(c, ret_sum, path, sizeof(path));
	if (rc || utimensat(AT_FDCWD, path, NULL, 0) == 0)
		return rc;
	rc = os_write_file(path, text, n, 0600, err);
	if (!rc)
		prune_catalogues(dir);
	return rc;
}

/* Notes which catalogue is in use, and keeps its text. One that came by another way than a call
 * ends the ramp of the one before. */
static void keep_catalogue(struct control *c, const struct conf *conf)
{
	char sum[20], *text = NULL, *had;
	struct store_item item[] = {{"catalogue|file", sum}, {"catalogue|passing", NULL}};
	struct errbuf err = {""};
	size_t n;

	if (os_read_file(conf->catalog_file, MAX_CATALOGUE, &text, &n, &err))
		return;
	if (control_keep_catalogue_text(c, text, n, sum, &err))
		LOG_W("history.refused", "error=\"%s\"", err.s);
	had = store_get(c->store, item[0].key);
	if ((!had || strcmp(had, sum) != 0) &&
		control_journal_change(
			c, "reload", "reload", conf->catalog_file, item, SL_COUNT(item), &err))
		LOG_W("history.refused", "error=\"%s\"", err.s);
	free(had);
	free(text);
}

int control_keep_put_catalogue(struct control_call *call, const char *text, size_t n)
{
	const struct control_options *opt = &call->c->opt;
	char file[SL_MAX_PATH], *old = NULL;
	size_t n_old = 0;
	int rc;

	if (!call->view->conf || !opt->reload)
		return err_set(&call->err, SL_EREFUSED, "this daemon cannot reload");
	(void)snprintf(file, sizeof(file), "%s", call->view->conf->catalog_file);
	rc = os_read_file(file, MAX_CATALOGUE, &old, &n_old, &call->err);
	if (!rc)
		rc = os_write_file(file, text, n, 0644, &call->err);
	if (!rc) {
		rc = opt->reload(opt->ctx, &call->err);
		if (rc)
			(void)os_write_file(file, old, n_old, 0644, NULL);
	}
	call->view = engine_view(call->c->engine);
	if (!rc)
		call->c->kept_conf = call->view->conf_loads; /* the call notes which it is */
	if (!rc && !call->old_catalogue) {
		call->old_catalogue = old;
		call->n_old_catalogue = n_old;
		old = NULL;
	}
	free(old);
	return rc;
}

void control_keep_undo_catalogue(struct control_call *call)
{
	const struct control_options *opt = &call->c->opt;
	struct errbuf err = {""};

	if (call->old_catalogue &&
		(os_write_file(call->view->conf->catalog_file, call->old_catalogue,
			 call->n_old_catalogue, 0644, &err) ||
			opt->reload(opt->ctx, &err)))
		LOG_E("catalogue.not_undone", "error=\"%s\"", err.s);
	call->view = engine_view(call->c->engine);
}

int control_keep_restore_catalogue(struct control_call *call, bool *ret_changed)
{
	struct control *c = call->c;
	const struct conf *conf = call->view->conf;
	char now[20], *want = store_get(c->store, "catalogue|file"), *text = NULL, *old = NULL;
	size_t n = 0, n_old = 0;
	int rc = 0;

	*ret_changed = false;
	if (want && conf &&
		os_read_file(conf->catalog_file, MAX_CATALOGUE, &old, &n_old, NULL) == 0) {
		(void)snprintf(now, sizeof(now), "%016" PRIx64, hash64(old, n_old, 0));
		if (strcmp(now, want) != 0) {
			rc = control_keep_read_catalogue(c, want, &text, &n, &call->err);
			if (!rc)
				rc = control_keep_put_catalogue(call, text, n);
			if (!rc) /* it is in use again */
				rc = control_keep_catalogue_text(c, text, n, now, &call->err);
			*ret_changed = !rc;
		}
	}
	free(text);
	free(old);
	free(want);
	return rc;
}

/* The tick on disk is still the one from before the change. */
void control_keep_before(struct control *c, uint64_t now_ms)
{
	const struct world *w = engine_view(c->engine)->world;

	if (w)
		keep_world(c, w, now_ms);
}

void control_keep_round(struct control *c, uint64_t now_ms)
{
	const struct engine_view *view = engine_view(c->engine);
	struct store_stamp stamp = {0, 0};

	if (!view->world || view->ticks == c->kept_tick)
		return;
	if (c->store)
		stamp = store_stamp(c->store);
	if (c->store && view->conf_loads != c->kept_conf) {
		char dir[SL_MAX_PATH + 16];

		(void)snprintf(dir, sizeof(dir), "%s/history", c->state_dir);
		(void)os_mkdirs(dir, 0755, NULL);
		keep_catalogue(c, view->conf);
		c->kept_conf = view->conf_loads;
	}
	if (os_mono_ms() < c->kept_due_ms && stamp.generation == c->kept_generation)
		return;
	/* the tick that was running when the rules changed does not show them yet */
	if (stamp.generation != c->kept_generation && view->tick_ms <= c->expanded_ms)
		return;
	c->kept_tick = view->ticks;
	c->kept_due_ms = os_mono_ms() + EVERY_MS;
	c->kept_generation = stamp.generation;
	keep_world(c, view->world, now_ms);
	prune(c, now_ms);
}
