/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The store around the calls: opened, recovered, one transaction per changing call, its audit row.
 * Beside the store a copy of the state is kept as JSON (store.json), written anew with each change:
 * what a damaged database is rebuilt from. Rows that wait: waiting.c.
 */
#include "base/log.h"
#include "base/os.h"
#include "control/control_int.h"
#include "control/waiting.h"

#include <stdlib.h>
#include <string.h>

enum { RETRY_MS = 2000, MAX_ARGS = 4096, MAX_MIRROR = 256 << 20 };
enum { LARGE_MIRROR = 1 << 20, MIRROR_PART = 20 }; /* it takes one part in so many of the time */

static void mirror_path(const struct control *c, char *ret, size_t size)
{
	(void)snprintf(ret, size, "%s/store.json", c->state_dir);
}

static void mirror_one(void *ctx, const char *key, const char *value)
{
	(void)cJSON_AddStringToObject(ctx, key, value);
}

/* After a commit, unless the last one took so long that it has to wait. Fails silently on a full
 * disk: the database has it. */
static void write_mirror(struct control *c)
{
	char path[SL_MAX_PATH + 16], *text;
	uint64_t began = os_mono_ms();
	cJSON *o;

	c->mirror_due = began < c->mirror_after_ms;
	if (c->mirror_due)
		return;
	o = cJSON_CreateObject();

	mirror_path(c, path, sizeof(path));
	(void)store_each(c->store, "", mirror_one, cJSON_AddObjectToObject(o, "state"));
	text = cJSON_PrintUnformatted(o);
	if (text)
		(void)os_write_file(path, text, strlen(text), 0600, NULL);
	c->mirror_after_ms = 0;
	if (text && strlen(text) > LARGE_MIRROR)
		c->mirror_after_ms = os_mono_ms() + MIRROR_PART * (os_mono_ms() - began);
	cJSON_free(text);
	cJSON_Delete(o);
}

int control_each(struct control *c, const char *prefix, store_each_fn *fn, void *ctx)
{
	char path[SL_MAX_PATH + 16], *text = NULL;
	const cJSON *v = NULL;
	size_t size;
	cJSON *o;

	if (c->store)
		return store_each(c->store, prefix, fn, ctx);
	mirror_path(c, path, sizeof(path));
	if (os_read_file(path, MAX_MIRROR, &text, &size, NULL))
		return 0; /* nothing had been decided yet */
	o = cJSON_ParseWithLength(text, size);
	cJSON_ArrayForEach (v, cJSON_GetObjectItemCaseSensitive(o, "state"))
		if (cJSON_IsString(v) && strncmp(v->string, prefix, strlen(prefix)) == 0)
			fn(ctx, v->string, v->valuestring);
	cJSON_Delete(o);
	free(text);
	return 0;
}

/* Fills a database that knows of no change from the copy: it is new in place of a damaged or lost
 * one, or an earlier attempt to fill it has failed. */
static int recover(struct control *c, struct errbuf *err)
{
	char path[SL_MAX_PATH + 16], *text = NULL;
	struct store_item *items;
	const cJSON *v = NULL;
	uint32_t n = 0;
	size_t size;
	cJSON *o, *state;
	int rc;

	mirror_path(c, path, sizeof(path));
	rc = os_read_file(path, MAX_MIRROR, &text, &size, err);
	if (rc)
		return rc == SL_ENOENT ? 0 : rc; /* nothing had been decided yet */
	o = cJSON_ParseWithLength(text, size);
	free(text);
	state = cJSON_GetObjectItemCaseSensitive(o, "state");
	items = calloc((size_t)cJSON_GetArraySize(state) + 1, sizeof(*items));
	cJSON_ArrayForEach (v, state) {
		if (items && cJSON_IsString(v))
			items[n++] = (struct store_item){v->string, v->valuestring};
	}
	if (!items)
		rc = err_set(err, SL_ENOMEM, "out of memory");
	else if (n)
		rc = control_journal_change(c, "recovery", "recover",
			"the database was damaged or lost", items, n, err);
	if (!rc && n)
		LOG_W("store.rebuilt", "from=%s keys=%u", path, n);
	free(items);
	cJSON_Delete(o);
	return rc;
}

static void set_aside(const struct control *c, uint64_t now_ms)
{
	static const char *const parts[] = {"", "-wal", "-shm"};
	char from[SL_MAX_PATH + 8], to[SL_MAX_PATH + 48];

	for (size_t i = 0; i < SL_COUNT(parts); i++) {
		(void)snprintf(from, sizeof(from), "%s%s", c->store_path, parts[i]);
		(void)snprintf(to, sizeof(to), "%s.damaged-%llu%s", c->store_path,
			(unsigned long long)now_ms, parts[i]);
		(void)rename(from, to);
	}
}

static int open_store(struct control *c, struct errbuf *err)
{
	char key[SL_MAX_PATH + 16];
	int rc;

	(void)snprintf(key, sizeof(key), "%s/audit.key", c->state_dir);
	rc = store_open(c->store_path, key, &c->store, err);
	if (rc == SL_EFORMAT) {
		LOG_E("store.damaged", "error=\"%s\" action=\"set aside, rebuilt from store.json\"",
			err->s);
		set_aside(c, os_now_ms());
		rc = store_open(c->store_path, key, &c->store, err);
	}
	if (!rc && store_last(c->store) == 0)
		rc = recover(c, err);
	if (rc) {
		store_close(c->store);
		c->store = NULL;
		(void)snprintf(c->store_error, sizeof(c->store_error), "%s", err->s);
	}
	c->rules_fresh = false;
	return rc;
}

/* A store that cannot be opened is no reason not to schedule: it is tried again. */
int control_journal_open(struct control *c, const struct conf *conf, struct errbuf *err)
{
	struct errbuf why = {""};

	(void)snprintf(c->store_path, sizeof(c->store_path), "%s", conf->sluice.store);
	if (control_waiting_open(c))
		return err_set(err, SL_ENOMEM, "out of memory");
	if (open_store(c, &why))
		LOG_E("store.unusable", "error=\"%s\"", why.s);
	return 0;
}

void control_journal_close(struct control *c)
{
	c->mirror_after_ms = 0;
	if (c->store && c->mirror_due)
		write_mirror(c);
	store_close(c->store);
	control_waiting_close(c);
	control_rules_clear(&c->rules);
}

bool control_store_usable(const struct control *c, uint64_t now_ms)
{
	return c->store && !store_stuck(c->store) && now_ms >= c->store_cut_ms;
}

int control_need_store(struct control_call *call)
{
	if (call->c->store && (call->transaction || call->command->method == METHOD_GET))
		return 0;
	return err_set(&call->err, SL_EBUSY, "the store cannot be used: %s",
		call->c->store_error[0] ? call->c->store_error : "it is locked");
}

static struct store_author author_of(const struct control_call *call, struct store_stamp *base)
{
	const char *seen = control_arg(call, "generation");
	unsigned long long epoch, generation;
	struct store_author a = {.id = control_arg(call, "id"),
		.who = call->who,
		.origin = call->origin,
		.why = control_arg(call, "why"),
		.command = call->command->group,
		.now_ms = call->now_ms};

	if (seen && sscanf(seen, "%llu.%llu", &epoch, &generation) == 2) {
		*base = (struct store_stamp){epoch, generation};
		a.base = base;
	}
	return a;
}

int control_change(struct control_call *call, const struct store_item *items, uint32_t n)
{
	char words[48], stamp[48];
	struct store_result r = {0};
	struct store_stamp base;
	struct store_author a = author_of(call, &base);
	int rc = control_need_store(call);

	if (rc)
		return rc;
	(void)snprintf(words, sizeof(words), "%s%s%s", call->command->group,
		call->command->name[0] ? " " : "", call->command->name);
	a.command = words;
	rc = store_change(call->c->store, &a, items, n, &r, &call->err);
	if (rc)
		return rc;
	(void)snprintf(stamp, sizeof(stamp), "%llu.%llu", (unsigned long long)r.stamp.epoch,
		(unsigned long long)r.stamp.generation);
	control_put(call->out, "change", (double)r.number);
	cJSON_AddStringToObject(call->out, "generation", stamp);
	if (r.repeated)
		control_put_bool(call->out, "repeated", true);
	return 0;
}

void control_journal_begin(struct control_call *call)
{
	struct control *c = call->c;
	struct errbuf err = {""};

	if (call->command->method != METHOD_POST || !c->store)
		return;
	if (call->now_ms < c->store_cut_ms) {
		(void)snprintf(c->store_error, sizeof(c->store_error), "cut by a drill");
		return;
	}
	call->transaction = store_begin(c->store, &err) == 0;
	if (!call->transaction)
		(void)snprintf(c->store_error, sizeof(c->store_error), "%s", err.s);
}

/* What the audit row says; secrets are never arguments. */
static struct store_audit_row row_of(const struct control_call *call, int rc, char *words,
	size_t n_words, char *args, char *result, size_t n_result)
{
	char *text = call->args ? cJSON_PrintUnformatted(call->args) : NULL;

	(void)snprintf(words, n_words, "%s%s%s", call->command->group,
		call->command->name[0] ? " " : "", call->command->name);
	(void)snprintf(args, MAX_ARGS, "%s", text ? text : "{}");
	(void)snprintf(result, n_result, "%s%s%s", rc ? "refused" : "done",
		call->err.s[0] ? ": " : "", call->err.s);
	cJSON_free(text);
	return (struct store_audit_row){.time_ms = call->now_ms,
		.who = call->who,
		.origin = call->origin,
		.role = commands_role_name(call->role),
		.command = words,
		.args = args,
		.result = result};
}

void control_journal_stranger(struct control_call *call)
{
	char words[48];
	struct store_audit_row row = {.time_ms = call->now_ms,
		.who = "unknown",
		.origin = call->origin,
		.role = "none",
		.command = words,
		.args = "{}",
		.result = "refused: no known token"};

	(void)snprintf(words, sizeof(words), "%s%s%s", call->command->group,
		call->command->name[0] ? " " : "", call->command->name);
	control_waiting_add(call->c, &row);
}

int control_journal_end(struct control_call *call, int rc)
{
	char words[48], args[MAX_ARGS], result[SL_ERRBUF_SIZE + 32];
	struct store_audit_row row =
		row_of(call, rc, words, sizeof(words), args, result, sizeof(result));
	struct control *c = call->c;
	struct store_stamp before;
	struct errbuf err = {""};
	int kept;

	if (!call->transaction) {
		control_waiting_add(c, &row);
		return rc;
	}
	if (rc)
		store_undo(c->store);
	before = c->rules_stamp;
	kept = control_waiting_flush(c, &err);
	if (!kept)
		kept = store_audit(c->store, &row, &err);
	if (kept)
		store_undo(c->store);
	if (store_commit(c->store, kept ? NULL : &err) && !kept)
		kept = SL_ENOSPC;
	call->transaction = false;
	if (kept || rc)
		control_keep_undo_catalogue(call);
	if (kept) {
		LOG_E("store.refused", "command=\"%s\" error=\"%s\"", words, err.s);
		(void)snprintf(c->store_error, sizeof(c->store_error), "%s", err.s);
		if (!rc)
			call->err = err;
		row = row_of(call, kept, words, sizeof(words), args, result, sizeof(result));
		control_waiting_add(c, &row);
		control_plans_recall(c);
		return rc ? rc : kept;
	}
	control_waiting_forget(c);
	if (store_stamp(c->store).generation != before.generation)
		write_mirror(c);
	return rc;
}

int control_journal_change(struct control *c, const char *who, const char *command, const char *why,
	const struct store_item *items, uint32_t n, struct errbuf *err)
{
	struct store_author a = {.who = who,
		.origin = "daemon",
		.why = why,
		.command = command,
		.now_ms = os_now_ms()};
	struct store_audit_row row = {.time_ms = a.now_ms,
		.who = who,
		.origin = "daemon",
		.role = "daemon",
		.command = command,
		.args = why,
		.result = "done"};
	struct store_result r;
	int rc = c->store ? store_begin(c->store, err) : err_set(err, SL_EBUSY, "no store");

	if (rc)
		return rc;
	for (uint32_t i = 0; !rc && i < n; i += STORE_MAX_ITEMS) /* a whole state may be more */
		rc = store_change(
			c->store, &a, items + i, SL_MIN(n - i, (uint32_t)STORE_MAX_ITEMS), &r, err);
	if (!rc)
		rc = store_audit(c->store, &row, err);
	if (rc)
		store_undo(c->store);
	if (store_commit(c->store, rc ? NULL : err) && !rc)
		rc = SL_ENOSPC;
	if (!rc)
		write_mirror(c);
	return rc;
}

void control_journal_round(struct control *c)
{
	struct errbuf err = {""};

	if (c->store && c->mirror_due)
		write_mirror(c);
	if (!control_due(&c->store_due_ms, RETRY_MS))
		return;
	if (!c->store && open_store(c, &err) == 0)
		LOG_I("store.usable", "path=%s", c->store_path);
	if (!c->store || (c->n_waiting == 0 && !store_stuck(c->store)) ||
		store_begin(c->store, &err))
		return;
	if (control_waiting_flush(c, &err))
		store_undo(c->store);
	if (store_commit(c->store, &err) == 0 && !err.s[0])
		control_waiting_forget(c);
}
