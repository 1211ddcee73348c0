/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/offline.h"

#include "base/os.h"
#include "store/store.h"
#include "world/world.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *state_of(const struct ctl_request *r)
{
	const char *dir = ctl_value(r, "state");

	return dir ? dir : SL_STATEDIR;
}

static int check_dead(const char *state, struct errbuf *err)
{
	char path[SL_MAX_PATH + 64];
	int fd;

	(void)snprintf(path, sizeof(path), "%s/admin.sock", state);
	fd = os_unix_connect(path, NULL);
	if (fd < 0)
		return 0;
	(void)close(fd);
	return err_set(
		err, SL_EREFUSED, "the control process answers on %s: leave it to that", path);
}

/* Copies a blob out of the world's folder into the state's. */
static int copy_blob(
	const char *from, const char *state, const char *kind, uint64_t sum, struct errbuf *err)
{
	char path[SL_MAX_PATH + 64];
	const void *blob;
	size_t size;
	int rc;

	(void)snprintf(path, sizeof(path), "%s/%s-%016" PRIx64 ".blob", from, kind, sum);
	rc = os_map_file(path, SL_MAX_BLOB_OCTETS, &blob, &size, err);
	if (rc)
		return rc;
	(void)snprintf(path, sizeof(path), "%s/world", state);
	rc = world_write(path, blob, size, err);
	os_unmap(blob, size);
	return rc;
}

/* The newest stamp that answers may have, so that ours is above it. */
static struct blob_stamp stamp_now(const char *state)
{
	struct blob_stamp s = {1, 0, 0};
	char path[SL_MAX_PATH + 64];
	struct errbuf err;
	const void *tick;
	size_t size;

	(void)snprintf(path, sizeof(path), "%s/world/tick.blob", state);
	if (os_map_file(path, SL_MAX_BLOB_OCTETS, &tick, &size, &err))
		return s;
	if (blob_check(&tick_def, tick, size, &err) == 0) {
		s.epoch = ((const struct blob_head *)tick)->epoch;
		s.generation = ((const struct blob_head *)tick)->generation;
	}
	os_unmap(tick, size);
	return s;
}

/* Old shares under a new generation. Budgets of the past do not hold for the tallies of now, so
 * they are lifted; the shares and the blacklist stay. */
static int write_tick(
	const char *from, const char *state, uint64_t *ret_generation, struct errbuf *err)
{
	struct blob_stamp now = stamp_now(state);
	char path[SL_MAX_PATH + 64], *tick = NULL;
	struct blob_head *head;
	struct tick_view view;
	size_t size;
	int rc;

	(void)snprintf(path, sizeof(path), "%s/tick.blob", from);
	rc = os_read_file(path, SL_MAX_BLOB_OCTETS, &tick, &size, err);
	if (!rc)
		rc = blob_check(&tick_def, tick, size, err);
	if (!rc) {
		tick_view_init(&view, tick);
		for (uint32_t i = 0; i < view.n_budgets; i++)
			((struct tick_budget *)(uintptr_t)view.budgets)[i].v = UINT64_MAX;
		head = (struct blob_head *)(void *)tick;
		head->epoch = now.epoch;
		*ret_generation = head->generation = now.generation + 1;
		head->time_ms = os_now_ms();
		head->checksum = blob_checksum(tick, size);
		(void)snprintf(path, sizeof(path), "%s/world", state);
		rc = world_write(path, tick, size, err);
	}
	free(tick);
	return rc;
}

static int install(const char *from, const char *state, struct errbuf *err)
{
	struct world_file *f;
	uint64_t catalogue, geo, generation = 0;
	int rc = world_open(from, NULL, &f, err);

	if (rc)
		return rc;
	catalogue = world_of(f)->tick.meta->catalogue;
	geo = world_of(f)->tick.meta->geo;
	world_close(f);
	rc = copy_blob(from, state, "catalogue", catalogue, err);
	if (!rc)
		rc = copy_blob(from, state, "geo", geo, err);
	if (!rc)
		rc = write_tick(from, state, &generation, err);
	if (!rc)
		(void)printf("{\"world\":\"%s\",\"generation\":%" PRIu64 "}\n", from, generation);
	return rc;
}

struct moment {
	uint64_t number, time_ms; /* of the first change that is undone */
};

static void find_change(void *ctx, const struct store_change_row *row)
{
	struct moment *m = ctx;

	if (row->number == m->number)
		m->time_ms = row->time_ms;
}

/* The newest world of the history from before a moment; 0 for none. */
static uint64_t world_before(const char *state, uint64_t time_ms)
{
	char dir[SL_MAX_PATH];
	struct dirent *e;
	uint64_t best = 0;
	DIR *d;

	(void)snprintf(dir, sizeof(dir), "%s/history", state);
	d = opendir(dir);
	while (d && (e = readdir(d))) {
		char *end;
		uint64_t made = strtoull(e->d_name, &end, 10);

		if (end != e->d_name && !*end && made <= time_ms && made > best)
			best = made;
	}
	if (d)
		(void)closedir(d);
	return best;
}

static int undo_decisions(
	const struct ctl_request *r, const char *state, uint64_t *ret_time_ms, struct errbuf *err)
{
	static const char *const keep[] = {"token|", "catalogue|", NULL};
	char path[SL_MAX_PATH + 16], key[SL_MAX_PATH + 16], who[32];
	const char *text = ctl_value(r, "to");
	struct store_author a = {.who = who,
		.origin = "offline",
		.why = ctl_value(r, "why"),
		.command = "rollback --offline",
		.now_ms = os_now_ms()};
	struct store_audit_row row = {.time_ms = a.now_ms,
		.who = who,
		.origin = "offline",
		.role = "admin",
		.command = a.command,
		.args = text ? text : "",
		.result = "done"};
	struct store_result result;
	struct moment m = {0, 0};
	struct store *s;
	uint64_t last;
	double to = 0;
	int rc;

	(void)snprintf(who, sizeof(who), "uid:%u", (unsigned)geteuid());
	(void)snprintf(path, sizeof(path), "%s/store.db", state);
	(void)snprintf(key, sizeof(key), "%s/audit.key", state);
	if (access(path, W_OK))
		return err_set_errno(err, "%s", path);
	rc = store_open(path, key, &s, err);
	if (rc)
		return rc;
	last = store_last(s);
	to = last ? (double)last - 1 : 0;
	if (text)
		(void)commands_parse_number(text, &to);
	m.number = (uint64_t)to + 1;
	if (last == 0 || to < 0 || to >= (double)last)
		rc = err_set(err, SL_ENOENT, "nothing to undo: the last change is %" PRIu64, last);
	if (!rc)
		rc = store_history(s, (uint64_t)to, UINT32_MAX, find_change, &m);
	if (!rc)
		rc = store_begin(s, err);
	if (!rc) {
		rc = store_rollback(s, &a, (uint64_t)to, keep, &result, err);
		if (!rc)
			rc = store_audit(s, &row, err);
		if (rc)
			store_undo(s);
		if (store_commit(s, rc ? NULL : err) && !rc)
			rc = SL_EIO;
	}
	*ret_time_ms = m.time_ms;
	store_close(s);
	return rc;
}

/* What needs the allocator or the loop cannot be had on the files: better said than left undone. */
static int check_options(const struct ctl_request *r, struct errbuf *err)
{
	static const char *const live[] = {"dry-run", "for", "ramp"};

	for (size_t i = 0; i < SL_COUNT(live); i++)
		if (ctl_value(r, live[i]))
			return err_set(err, SL_EINVAL,
				"--%s wants the control process; offline, world diff shows what a "
				"kept world has different",
				live[i]);
	return 0;
}

int ctl_offline(const struct ctl_request *r)
{
	const char *state = state_of(r), *from = ctl_value(r, "world");
	char path[SL_MAX_PATH];
	struct errbuf err = {""};
	uint64_t time_ms = 0, made;
	int rc = check_options(r, &err);

	if (!rc)
		rc = check_dead(state, &err);
	if (!rc && !from) {
		rc = undo_decisions(r, state, &time_ms, &err);
		made = rc ? 0 : world_before(state, time_ms);
		(void)snprintf(path, sizeof(path), "%s/history/%" PRIu64, state, made);
		from = path;
		if (!rc && !made)
			rc = err_set(&err, SL_ENOENT,
				"decisions are rolled back, but no world from before is kept");
	}
	if (!rc)
		rc = install(from, state, &err);
	if (rc)
		(void)fprintf(stderr, "sluicectl: %s\n", err.s[0] ? err.s : sl_strerror(rc));
	return rc ? 1 : 0;
}
