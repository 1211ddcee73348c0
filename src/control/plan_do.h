/* SPDX-License-Identifier: Apache-2.0 */
/* How plans are found, carried out and undone: for the commands, the drills and the loop. */
#pragma once

#include "control/control_int.h"
#include "control/plan.h"

/* What the store has of a plan that fired, under planstate|NAME: the changes above the first and up
 * to the second number are its. */
#define PLAN_FIRED_FORMAT "{\"above\":%llu,\"upto\":%llu,\"at_ms\":%llu}"

/* Names of the plans that ship, NULL past the last; and whether an operator's own is of this name.
 */
const char *control_plan_ready_made(const struct control *c, uint32_t i) SL_NONNULL_ALL;
bool control_plan_is_own(const struct control *c, const char *name) SL_NONNULL_ALL;

/* Whether what the plan names as its data is within its limit; labels: of the fact or vendor it is
 * about, where the plan says none. */
bool control_plan_fresh(const struct plan_def *def, const struct control_facts *facts,
	const char *labels) SL_NONNULL_ALL;

/* One carrying out of a plan. */
struct plan_doing {
	struct control_call *call;
	const struct plan_def *def;
	const cJSON *params;
	const char *service; /* of a drill: only there; NULL: wherever the plan says */
	bool dry;
	double worst; /* largest part of a region that moves, percent */
};

/* The definition: an operator's own before the ready-made. Caller ends with control_plan_done. */
int control_plan_find_def(struct control *c, const char *name, struct plan_def *ret,
	struct errbuf *err) SL_NONNULL(1, 2, 3);

/* What is carried for a plan; NULL past PLAN_MAX. */
struct plan_run *control_plan_run_of(struct control *c, const char *name) SL_NONNULL_ALL;
void control_plan_set_state(struct plan_run *r, enum plan_state state, uint64_t now_ms,
	const char *note) SL_NONNULL_ALL;

/* Every plan that something has been done with. */
typedef void control_plan_run_fn(void *ctx, const char *name, enum plan_state state);
void control_plan_each_run(const struct control *c, control_plan_run_fn *fn, void *ctx)
	SL_NONNULL(1, 2);

/* Changes of state into the journal. */
void control_plan_tell(struct control *c) SL_NONNULL_ALL;

/* All actions of d->def; their answers are in call->out "actions". */
int control_plan_do_plan(struct plan_doing *d) SL_NONNULL_ALL;

/* Dry run, guard, then in earnest; within the call's transaction. */
int control_plan_fire(struct control_call *call, const struct plan_def *def, struct plan_run *r,
	double max_percent) SL_NONNULL_ALL;

/* Undoes what the plan's changes left as it was. */
int control_plan_revert(
	struct control_call *call, const char *name, struct plan_run *run) SL_NONNULL_ALL;

/* Parameters of the call, as the plan's; caller deletes. */
cJSON *control_plan_params_of(const struct control_call *call) SL_NONNULL_ALL;

/* Definition and run of the call's plan. */
int control_plan_open_plan(
	struct control_call *call, struct plan_def *def, struct plan_run **ret_run) SL_NONNULL_ALL;

/* Of the test service that drills may touch; NULL: there is none. */
const char *control_plan_test_service(
	const struct engine_view *view, char *ret, size_t size) SL_NONNULL_ALL;
