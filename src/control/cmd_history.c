/* SPDX-License-Identifier: Apache-2.0 */
/* history, diff, rollback, audit. */
#include "control/passing.h"
#include "store/list.h"

#include <string.h>

enum { DEFAULT_LIMIT = 20, MAX_LIMIT = 10000 };

/* What a rollback leaves alone: rights are no decision about traffic. */
static const char *const kept[] = {"token|", NULL};

static uint32_t limit_of(const struct control_call *call)
{
	double n = control_number(call, "limit", DEFAULT_LIMIT);

	return n < 1 ? 1 : n > MAX_LIMIT ? MAX_LIMIT : (uint32_t)n;
}

static void put_change(void *ctx, const struct store_change_row *row)
{
	cJSON *o = control_add_row(ctx);
	char stamp[48];

	(void)snprintf(stamp, sizeof(stamp), "%llu.%llu", (unsigned long long)row->stamp.epoch,
		(unsigned long long)row->stamp.generation);
	control_put(o, "change", (double)row->number);
	control_put(o, "time", (double)row->time_ms / 1e3);
	cJSON_AddStringToObject(o, "generation", stamp);
	cJSON_AddStringToObject(o, "who", row->who);
	cJSON_AddStringToObject(o, "from", row->origin);
	cJSON_AddStringToObject(o, "command", row->command);
	cJSON_AddStringToObject(o, "why", row->why);
	cJSON_AddStringToObject(o, "id", row->id);
}

static void put_item(
	void *ctx, uint64_t number, const char *key, const char *before, const char *after)
{
	cJSON *o;

	if (strncmp(key, "token|", 6) == 0) /* digests are nobody's business */
		before = before ? "(token)" : NULL, after = after ? "(token)" : NULL;
	o = control_add_row(ctx);
	control_put(o, "change", (double)number);
	cJSON_AddStringToObject(o, "key", key);
	cJSON_AddStringToObject(o, "before", before ? before : "");
	cJSON_AddStringToObject(o, "after", after ? after : "");
}

int control_do_HISTORY(struct control_call *call)
{
	int rc = control_need_store(call);

	if (rc)
		return rc;
	return store_history(call->c->store, 0, limit_of(call), put_change,
		cJSON_AddArrayToObject(call->out, "changes"));
}

int control_do_DIFF(struct control_call *call)
{
	int rc = control_need_store(call);
	double last, from, to;

	if (rc)
		return rc;
	last = (double)store_last(call->c->store);
	from = control_number(call, "from", last - 1);
	to = control_number(call, "to", last);
	if (from < 0 || to < from || to > last)
		return last == 0 ? 0
				 : err_set(&call->err, SL_EINVAL, "want 0 <= from <= to <= %.0f",
					   last);
	return store_items(call->c->store, (uint64_t)from, (uint64_t)to, put_item,
		cJSON_AddArrayToObject(call->out, "items"));
}

/* The keys as a rollback would leave them. */
static void undo_one(void *ctx, const char *key, const char *before)
{
	/* the ramp of a catalogue goes with the catalogue */
	if (strcmp(key, "catalogue|passing") != 0)
		store_list_add(ctx, key, before);
}

static int check_rollback(struct control_call *call, double *ret_to)
{
	uint64_t last;
	int rc = control_need_store(call);

	if (rc)
		return rc;
	if (control_flag(call, "offline"))
		return err_set(&call->err, SL_EINVAL, "offline: the daemon is not");
	if (call->service[0])
		return err_set(&call->err, SL_EACCES, "%s may change only --service %s", call->who,
			call->service);
	last = store_last(call->c->store);
	*ret_to = control_number(call, "to", last ? (double)last - 1 : 0);
	if (last == 0 || *ret_to < 0 || *ret_to >= (double)last)
		return err_set(&call->err, SL_ENOENT, "nothing to undo: the last change is %llu",
			(unsigned long long)last);
	return 0;
}

static int roll_back(struct control_call *call, const struct store_list *u, double to)
{
	bool catalogue;
	int rc = control_change_passing(call, u->item, u->n);

	if (!rc)
		rc = control_keep_restore_catalogue(call, &catalogue);
	if (rc)
		return rc;
	control_put(call->out, "as_after_change", to);
	control_put_bool(call->out, "catalogue_restored", catalogue);
	control_plans_recall(call->c);
	return 0;
}

int control_do_ROLLBACK(struct control_call *call)
{
	struct store_list u = {0};
	double to = 0;
	int rc = check_rollback(call, &to);

	if (!rc)
		rc = store_since(call->c->store, (uint64_t)to, kept, undo_one, &u);
	if (!rc && u.failed)
		rc = err_set(&call->err, SL_ENOMEM, "out of memory");
	if (!rc && call->view->world)
		rc = control_weigh_items(call, u.item, u.n);
	if (!rc && control_flag(call, "dry-run"))
		control_put_bool(call->out, "dry_run", true);
	else if (!rc)
		rc = roll_back(call, &u, to);
	store_list_free(&u);
	return rc;
}

static void put_audit(void *ctx, const struct store_audit_row *row)
{
	cJSON *o = control_add_row(ctx);

	control_put(o, "row", (double)row->number);
	control_put(o, "time", (double)row->time_ms / 1e3);
	cJSON_AddStringToObject(o, "who", row->who);
	cJSON_AddStringToObject(o, "from", row->origin);
	cJSON_AddStringToObject(o, "role", row->role);
	cJSON_AddStringToObject(o, "command", row->command);
	cJSON_AddStringToObject(o, "result", row->result);
	cJSON_AddStringToObject(o, "args", row->args);
}

int control_do_AUDIT_LIST(struct control_call *call)
{
	int rc = control_need_store(call);

	if (rc)
		return rc;
	return store_audit_each(call->c->store, limit_of(call), put_audit,
		cJSON_AddArrayToObject(call->out, "rows"));
}

int control_do_AUDIT_VERIFY(struct control_call *call)
{
	uint64_t rows = 0;
	int rc = control_need_store(call);

	if (!rc)
		rc = store_audit_verify(call->c->store, &rows, &call->err);
	if (rc)
		return rc == SL_ECHECKSUM ? SL_EREFUSED : rc;
	cJSON_AddStringToObject(call->out, "audit", "every row is as it was written");
	control_put(call->out, "rows", (double)rows);
	return 0;
}
