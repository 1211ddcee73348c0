/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One DNS message in, one out, from the worker's world: what UDP, TCP and tests call. No system
 * call, no allocation, no lock, no log; the worker's counters are all it changes.
 */
#pragma once

#include "dns/wire.h"
#include "tally/worker.h"

enum dnsd_proto { DNSD_UDP, DNSD_TCP };

/* Constant while the server runs; shared by its threads. */
struct dnsd_settings {
	struct str nsid; /* empty: not told */
};

/* A worker with what DNS adds to it. Owned by one thread. */
struct dnsd_worker {
	struct worker w;
	const struct dnsd_settings *set;
};

enum { DNSD_OUT_MAX = SL_DNS_TCP_MAX };

/*
 * Answers a message of n octets from a client. Returns the octets written to out, 0 for no answer.
 * room: at least SL_DNS_UDP_MAX for UDP, DNSD_OUT_MAX for TCP. worker_round has been called.
 */
size_t dnsd_handle(struct dnsd_worker *d, const uint8_t *msg, size_t n, struct ip client,
	enum dnsd_proto proto, uint8_t *out, size_t room) SL_NONNULL_ALL;
