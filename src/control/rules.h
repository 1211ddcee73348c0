/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Operators' rules as the store has them, and as the engine takes them: a rule of the store has a
 * beginning, a ramp and an end; the engine's are what holds at one moment.
 */
#pragma once

#include "engine/engine.h"

struct control;

enum { RULE_KEY = 320 };

struct control_rule {
	enum engine_rule_kind kind;
	char vendor[SL_MAX_NAME + 1];         /* of RULE_NODE the node; RULE_STATIC has none */
	char service[SL_MAX_NAME + 1];        /* pattern; empty: all */
	char groups[SL_MAX_NAME + 1];         /* pattern; of DENY and ALLOW a prefix; empty: all */
	double value;                         /* weight, Mbps or percent at the end of the ramp */
	double from;                          /* at its beginning */
	uint64_t start_ms, ramp_ms, until_ms; /* unix; until 0: for good */
	bool sleeps;                          /* until start_ms */
	bool back; /* on its way out: the ramp leads from the rule to nothing */
	char why[256], who[SL_MAX_NAME + 1];
};

struct control_rules {
	struct control_rule *rule;
	uint32_t n, room;
};

const char *control_rule_kind(enum engine_rule_kind kind);

/* Its key in the store: "rule|drain|alpha||CN/GD". */
void control_rule_key(const struct control_rule *r, char ret_key[static RULE_KEY]) SL_NONNULL_ALL;

/* Its value in the store, JSON; malloc'd by cJSON. */
char *control_rule_print(const struct control_rule *r) SL_NONNULL_ALL;

/* false: not a rule. */
bool control_rule_parse(const char *json, struct control_rule *ret) SL_NONNULL_ALL;

/* All rules of the state. The list is cleared first; SL_ENOMEM. */
int control_rules_read(struct control *c, struct control_rules *ret) SL_NONNULL_ALL;
int control_rules_add(struct control_rules *list, const struct control_rule *r) SL_NONNULL_ALL;
void control_rules_clear(struct control_rules *list) SL_NONNULL_ALL;

/* How much of a ramp is done, 0..1. One that would begin more than a minute ahead began before the
 * clock was set back: nobody knows when, and it counts as done. */
double control_ramp_done(uint64_t start_ms, uint64_t ramp_ms, uint64_t now_ms) SL_PURE;

/* How far a rule holds, 0..1: along its ramp, 0 while it sleeps. */
double control_rule_progress(const struct control_rule *r, uint64_t now_ms) SL_NONNULL_ALL SL_PURE;

/*
 * What holds at now_ms. A drain of a vendor in all groups ramps by its weight, in some groups or
 * for what moves seated sessions by the part of the groups it holds in; weights, caps and parts
 * ramp along a line; nodes, prefixes and services are taken one by one, by their hash. world may be
 * NULL (before the first tick, and to see what comes of it): then ramps count as done. Returns how
 * many were written, at most max; a ramp in many parts leaves room for each rule after it, and is
 * coarser for that.
 */
uint32_t control_rules_expand(const struct control_rules *list, const struct world *world,
	uint64_t now_ms, struct engine_rule *ret, uint32_t max) SL_NONNULL(1, 4);

/* Whether what was expanded at then_ms changes by time alone: a ramp was under way or an end was to
 * come. */
bool control_rules_moving(const struct control_rules *list, uint64_t then_ms) SL_NONNULL_ALL;
