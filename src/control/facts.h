/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Facts that conditions of plans and alerts are about: the samples of /metrics at one moment, by
 * the names that are documented there. Pure but for memory; no clock.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/attr.h"

struct fact {
	const char *name;
	const char *labels; /* vendor="alpha",service="live"; empty for none */
	double value;
};

struct control_facts {
	char *text; /* what the facts point into */
	struct fact *fact;
	uint32_t n;
};

enum { FACTS_MAX = 65536 };

/* Takes malloc'd Prometheus text apart; owns it, also on failure. SL_ENOMEM, SL_ELIMIT. */
int control_facts_init(struct control_facts *f, char *text) SL_NONNULL_ALL;
void control_facts_done(struct control_facts *f) SL_NONNULL_ALL;

/* FACT_RISES: of a counter, its increase a second; alerts only. */
enum fact_op { FACT_ABOVE, FACT_BELOW, FACT_RISES };

/* One numeric condition. */
struct condition {
	char metric[96],
		over[96]; /* over: what it is divided by, of the same labels; empty: nothing */
	char labels[160]; /* each must be there, divided by commas; empty: any */
	enum fact_op op;
	double value;
};

/* The value of the condition for a fact of its metric; false: it is not about this one, or there
 * is nothing to divide by. */
bool control_condition_value(const struct condition *c, const struct control_facts *f,
	const struct fact *fact, double *ret) SL_NONNULL_ALL;

/* Whether a value is past a bound in the condition's direction. */
bool control_condition_past(const struct condition *c, double value, double bound) SL_NONNULL_ALL;

/* Whether any fact holds the condition; *ret_value is the farthest one, *ret_fact what it is of
 * (may be NULL). With no fact at all: false. */
bool control_condition_holds(const struct condition *c, const struct control_facts *f,
	double *ret_value, const struct fact **ret_fact) SL_NONNULL(1, 2, 3);
