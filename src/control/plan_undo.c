/* SPDX-License-Identifier: Apache-2.0 */
/* Plans undone: what their changes left as it was goes back to what it had been before. */
#include "control/passing.h"
#include "control/plan_do.h"

#include <stdlib.h>
#include <string.h>

struct reverting {
	struct control_call *call;
	struct store_item *item;
	uint32_t n, room;
	bool failed;
};

static void revert_to(struct reverting *r, const char *key, const char *value)
{
	if (r->n == r->room) {
		uint32_t room = r->room ? 2 * r->room : 64;
		struct store_item *more = realloc(r->item, room * sizeof(*more));

		if (!more) {
			r->failed = true;
			return;
		}
		r->item = more;
		r->room = room;
	}
	r->item[r->n].key = strdup(key);
	r->item[r->n].value = value ? strdup(value) : NULL;
	r->failed |= !r->item[r->n].key || (value && !r->item[r->n].value);
	r->n++;
}

/* Undoes an item where it is still as the plan left it. */
static void revert_item(
	void *ctx, uint64_t number, const char *key, const char *before, const char *after)
{
	struct reverting *r = ctx;
	char *now;

	(void)number;
	if (strncmp(key, "rule|", 5) != 0 && strncmp(key, "stream|", 7) != 0)
		return;
	now = store_get(r->call->c->store, key);
	if ((now == NULL) == (after == NULL) && (!now || strcmp(now, after) == 0))
		revert_to(r, key, before);
	free(now);
}

int control_plan_revert(struct control_call *call, const char *name, struct plan_run *run)
{
	char key[SL_MAX_NAME + 16], *state = NULL;
	unsigned long long above, upto, at_ms;
	struct reverting r = {.call = call};
	int rc = control_need_store(call);

	(void)snprintf(key, sizeof(key), "planstate|%s", name);
	if (!rc)
		state = store_get(call->c->store, key);
	if (!rc && (!state || sscanf(state, PLAN_FIRED_FORMAT, &above, &upto, &at_ms) != 3))
		rc = err_set(&call->err, SL_EREFUSED, "%s has not fired", name);
	if (!rc)
		rc = store_items(call->c->store, above, upto, revert_item, &r);
	if (!rc) {
		revert_to(&r, key, NULL);
		rc = r.failed ? err_set(&call->err, SL_ENOMEM, "out of memory")
			      : control_need_world(call);
	}
	if (!rc)
		rc = control_weigh_items(call, r.item, r.n);
	if (!rc && control_flag(call, "dry-run"))
		control_put_bool(call->out, "dry_run", true);
	else if (!rc)
		rc = control_change_passing(call, r.item, r.n);
	if (!rc && !control_flag(call, "dry-run"))
		control_plan_set_state(run, PLAN_IDLE, call->now_ms, "reverted");
	for (uint32_t i = 0; i < r.n; i++) {
		free((char *)(uintptr_t)r.item[i].key);
		free((char *)(uintptr_t)r.item[i].value);
	}
	free(r.item);
	free(state);
	return rc;
}
