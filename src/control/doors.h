/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Our own doors seen as a client sees them: a thread that asks each DNS and HTTP listener of the
 * configuration now and then. DNS: SOA of the first zone, over UDP and TCP; HTTP: /readyz. Neither
 * counts as a decision.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"

struct conf;
struct control_doors;

enum { DOORS_MAX = 96, DOORS_FAILS = 2, DOORS_TIMEOUT_MS = 2000 };

struct control_door {
	const char *door;  /* dns-udp, dns-tcp, http, https, reports */
	const char *plane; /* answer or collect: who is behind it */
	char address[64];  /* as configured */
	bool known;        /* it was asked at least once */
	bool up;           /* false after DOORS_FAILS failures in a row */
	double seconds;    /* what the last answer took */
	uint64_t failures; /* ever */
};

/* Starts the thread. Caller frees. */
int control_doors_new(struct control_doors **ret_doors, struct errbuf *err)
	SL_NONNULL(1) SL_WUNUSED;
void control_doors_free(struct control_doors *d);

/* Listeners (of the first configuration: a reload opens none), zone and interval from now on;
 * copied.
 */
void control_doors_configure(struct control_doors *d, const struct conf *conf) SL_NONNULL_ALL;

/* What is known of each; returns how many. */
uint32_t control_doors_states(
	struct control_doors *d, struct control_door ret[static DOORS_MAX]) SL_NONNULL_ALL;
