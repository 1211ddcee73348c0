/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A plan: a named switch with a trigger over facts, what it does by commands of the table, and how
 * far it may go by itself. Definitions are YAML or JSON (docs/plans.md): those of plans.yaml, and
 * operators' own in the store under "plan|NAME", which win.
 */
#pragma once

#include "control/facts.h"
#include "ctl/commands.h"

struct cJSON;
struct control_call;

enum plan_mode { PLAN_MANUAL, PLAN_SUGGEST, PLAN_AUTOMATIC, PLAN_MODES };
enum plan_state {
	PLAN_IDLE,
	PLAN_ARMED,
	PLAN_HOLDING,
	PLAN_SUGGESTED,
	PLAN_ANNOUNCED,
	PLAN_FIRED,
	PLAN_VETOED,
	PLAN_GUARDED,
	PLAN_BLIND,
	PLAN_STATES
};

enum {
	PLAN_MAX = 64,
	PLAN_MAX_ACTIONS = 64,
	PLAN_ARMED_MS = 600000, /* armed this long, then it must be armed again */
	PLAN_VETO_MS = 600000,  /* a vetoed one does not announce again before */
	PLAN_WORLD_MS = 30000,  /* it reads no tick that is older */
};

/* The parts of a definition that the loop looks at; the rest stays JSON. */
struct plan_def {
	char name[65];
	enum plan_mode mode;
	bool has_when;
	struct condition when, fresh;
	bool has_fresh;
	uint64_t hold_ms, announce_ms, for_ms;
	double max_moves_percent;
	struct cJSON *json; /* owned */
};

const char *control_plan_mode(enum plan_mode mode);
const char *control_plan_state(enum plan_state state);

/* Checks a definition; SL_EFORMAT with text. Done with control_plan_done. */
int control_plan_parse(const char *name, const char *text, struct plan_def *ret, struct errbuf *err)
	SL_NONNULL(1, 2, 3);
void control_plan_done(struct plan_def *d) SL_NONNULL_ALL;

/* Lines of plans.yaml, NULL behind the last. */
extern const char *const control_plans_yaml[];

/* The plans that ship: an object of definitions by name. NULL with text. Caller deletes. */
struct cJSON *control_plans_shipped(struct errbuf *err);

/* What is carried from round to round for one plan. */
struct plan_run {
	char name[65];
	enum plan_state state, told; /* told: what the journal has */
	uint64_t since_ms, veto_until_ms;
	struct cJSON *params; /* of arming, or of the fact that triggered; owned */
	char note[160];
};
