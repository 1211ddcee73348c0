/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/offline.h"

#include "base/os.h"
#include "ctl/moves.h"
#include "ctl/view.h"
#include "store/store.h"
#include "world/world.h"

#include <cjson/cJSON.h>
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

static int install(const char *from, const char *state, cJSON *told, struct errbuf *err)
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
		cJSON_AddNumberToObject(told, "generation", (double)generation);
	return rc;
}

/* What is told of a world before it is installed; whether that is grave. One in use that cannot be
 * read is no reason to keep it. */
static int weigh(
	const char *from, const char *state, cJSON *told, bool *ret_grave, struct errbuf *err)
{
	char path[SL_MAX_PATH + 64];
	struct world_file *now, *then;
	struct errbuf ignored;
	int rc = world_open(from, NULL, &then, err);

	if (rc)
		return rc;
	cJSON_AddStringToObject(told, "world", from);
	(void)snprintf(path, sizeof(path), "%s/world", state);
	if (world_open(path, NULL, &now, &ignored) == 0) {
		*ret_grave = ctl_moves(world_of(now), world_of(then), told);
		world_close(now);
	}
	world_close(then);
	return 0;
}

static bool may_go_ahead(const struct ctl_request *r, const cJSON *told)
{
	const char *word = r->command->group, *given = ctl_value(r, "confirm");

	return (given && strcmp(given, word) == 0) || !isatty(STDIN_FILENO) ||
	       !isatty(STDERR_FILENO) || ctl_ask(told, word);
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

/* What is to be undone: everything after change `to`, the first of it at time_ms. */
struct undo {
	struct store *store; /* NULL: nothing is */
	uint64_t to, time_ms;
};

static int find_undo(
	const struct ctl_request *r, const char *state, struct undo *u, struct errbuf *err)
{
	char path[SL_MAX_PATH + 16], key[SL_MAX_PATH + 16];
	const char *text = ctl_value(r, "to");
	struct moment m = {0, 0};
	uint64_t last;
	double to = 0;
	int rc;

	(void)snprintf(path, sizeof(path), "%s/store.db", state);
	(void)snprintf(key, sizeof(key), "%s/audit.key", state);
	if (access(path, W_OK))
		return err_set_errno(err, "%s", path);
	rc = store_open(path, key, &u->store, err);
	if (rc)
		return rc;
	last = store_last(u->store);
	to = last ? (double)last - 1 : 0;
	if (text)
		(void)commands_parse_number(text, &to);
	if (last == 0 || to < 0 || to >= (double)last)
		return err_set(
			err, SL_ENOENT, "nothing to undo: the last change is %" PRIu64, last);
	u->to = (uint64_t)to;
	m.number = u->to + 1;
	rc = store_history(u->store, u->to, UINT32_MAX, find_change, &m);
	u->time_ms = m.time_ms;
	return rc;
}

static int undo_decisions(const struct ctl_request *r, const struct undo *u, struct errbuf *err)
{
	static const char *const keep[] = {"token|", "catalogue|", NULL};
	char who[32];
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
	int rc = store_begin(u->store, err);

	(void)snprintf(who, sizeof(who), "uid:%u", (unsigned)geteuid());
	if (rc)
		return rc;
	rc = store_rollback(u->store, &a, u->to, keep, &result, err);
	if (!rc)
		rc = store_audit(u->store, &row, err);
	if (rc)
		store_undo(u->store);
	if (store_commit(u->store, rc ? NULL : err) && !rc)
		rc = SL_EIO;
	return rc;
}

/* What needs the loop cannot be had on the files: better said than left undone. */
static int check_options(const struct ctl_request *r, struct errbuf *err)
{
	static const char *const live[] = {"for", "ramp"};

	for (size_t i = 0; i < SL_COUNT(live); i++)
		if (ctl_value(r, live[i]))
			return err_set(err, SL_EINVAL,
				"--%s wants the control process; offline, a world holds until "
				"that is back",
				live[i]);
	return 0;
}

/* from: NULL where no world is to be installed, only u undone. */
static int carry_out(const struct ctl_request *r, const char *state, const char *from,
	const struct undo *u, cJSON *told, struct errbuf *err)
{
	bool grave = false;
	int rc = from ? weigh(from, state, told, &grave, err) : 0;

	if (!rc && ctl_value(r, "dry-run")) {
		cJSON_AddTrueToObject(told, "dry_run");
		return 0;
	}
	if (!rc && grave && !may_go_ahead(r, told))
		rc = err_set(err, SL_EREFUSED, "not confirmed: nothing was changed");
	if (!rc && u->store)
		rc = undo_decisions(r, u, err);
	if (!rc && !from)
		rc = err_set(err, SL_ENOENT,
			"decisions are rolled back, but no world from before is kept");
	return rc ? rc : install(from, state, told, err);
}

static void show(const struct ctl_request *r, const cJSON *told)
{
	char *text = r->json ? cJSON_PrintUnformatted(told) : NULL;

	if (r->json)
		(void)puts(text ? text : "{}");
	else
		ctl_view(told, ctl_width(STDOUT_FILENO), stdout);
	cJSON_free(text);
}

int ctl_offline(const struct ctl_request *r)
{
	const char *state = state_of(r), *from = ctl_value(r, "world");
	cJSON *told = cJSON_CreateObject();
	char path[SL_MAX_PATH];
	struct errbuf err = {""};
	struct undo u = {NULL, 0, 0};
	uint64_t made;
	int rc = check_options(r, &err);

	if (!rc)
		rc = check_dead(state, &err);
	if (!rc && !from) {
		rc = find_undo(r, state, &u, &err);
		made = rc ? 0 : world_before(state, u.time_ms);
		(void)snprintf(path, sizeof(path), "%s/history/%" PRIu64, state, made);
		from = made ? path : NULL;
	}
	if (!rc)
		rc = carry_out(r, state, from, &u, told, &err);
	if (rc)
		(void)fprintf(stderr, "sluicectl: %s\n", err.s[0] ? err.s : sl_strerror(rc));
	else
		show(r, told);
	if (u.store)
		store_close(u.store);
	cJSON_Delete(told);
	return rc ? 1 : 0;
}
