/* SPDX-License-Identifier: Apache-2.0 */
/* The alerts of alerts.def and what is known of each, for the loop and the commands. */
#pragma once

#include "control/control_int.h"
#include "control/facts.h"
#include "control/send.h"

enum { ALERT_MAX = 256 };

struct alert_rule {
	const char *name;
	enum notice_severity severity;
	struct condition condition;
	double clears;
	uint64_t for_ms;
	const char *causes; /* names of rules, divided by blanks */
	const char *text;
};

extern const struct alert_rule control_alert_rules[];
extern const uint32_t control_n_alert_rules;

/* A rule whose condition holds for one set of labels. */
struct alert {
	uint32_t rule;
	char labels[160];
	double value;
	uint64_t since_ms;
	bool firing, seen;
	bool held; /* by a cause that holds too */
};

const struct alert *control_alerts_list(const struct control *c, uint32_t *ret_n) SL_NONNULL_ALL;

/* Whether operators keep it silent now. */
bool control_alert_silent(struct control *c, const char *name, uint64_t now_ms) SL_NONNULL_ALL;

/* How it goes with each receiver; returns how many. */
uint32_t control_alerts_sending(
	struct control *c, struct control_send_state ret[static NOTICE_TARGETS]) SL_NONNULL_ALL;
