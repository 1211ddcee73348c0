/* SPDX-License-Identifier: Apache-2.0 */
/* Plans undone: what their changes left as it was goes back to what it had been before. */
#include "control/passing.h"
#include "control/plan_do.h"
#include "store/list.h"

#include <stdlib.h>
#include <string.h>

struct reverting {
	struct control_call *call;
	struct store_list list;
};

/* Undoes an item where it is still as the plan left it. */
static void revert_item(
	void *ctx, uint64_t number, const char *key, const char *before, const char *after)
{
	struct reverting *r = ctx;
	char *now;

	(void)number;
	if (strncmp(key, "rule|", 5) != 0 && strncmp(key, "stream|", 7) != 0 &&
		strncmp(key, "lapse|", 6) != 0)
		return;
	now = store_get(r->call->c->store, key);
	if ((now == NULL) == (after == NULL) && (!now || strcmp(now, after) == 0))
		store_list_add(&r->list, key, before);
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
		store_list_add(&r.list, key, NULL);
		rc = r.list.failed ? err_set(&call->err, SL_ENOMEM, "out of memory")
				   : control_need_world(call);
	}
	if (!rc)
		rc = control_weigh_items(call, r.list.item, r.list.n);
	if (!rc && control_flag(call, "dry-run"))
		control_put_bool(call->out, "dry_run", true);
	else if (!rc)
		rc = control_change_passing(call, r.list.item, r.list.n);
	if (!rc && !control_flag(call, "dry-run"))
		control_plan_set_state(run, PLAN_IDLE, call->now_ms, "reverted");
	store_list_free(&r.list);
	free(state);
	return rc;
}
