/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One DNS question to one server, over UDP or TCP, on a socket of its own. What is asked and what a
 * reply is worth is the caller's. Belongs to the thread of its loop.
 */
#pragma once

#include "sense/loop.h"
#include "sense/sense.h"

enum { SENSE_ASK_MAX = 512 }; /* octets of a question */

/* In its owner's storage; sense_ask_init before anything else. */
struct sense_ask {
	/* A whole message has come; borrowed. If it is the reply, calls sense_ask_stop; what else
	 * comes over UDP is waited past, over TCP it is a failure. */
	void (*reply)(struct sense_ask *a, const uint8_t *octets, size_t n);
	/* It has ended without one. May start it again. */
	void (*failed)(struct sense_ask *a, enum sense_refusal why);
	struct sense_loop *loop;
	/* its own */
	struct sense_io io; /* fd -1: not running */
	struct sense_timer timer;
	bool tcp, sending;
	uint8_t *message; /* over TCP, with its two octets of length */
	size_t n, want;   /* of it */
	size_t n_query;
	uint8_t query[2 + SENSE_ASK_MAX];
};

void sense_ask_init(struct sense_ask *a) SL_NONNULL_ALL;

/* Asks server (ADDR:PORT); neither callback is called from within. SL_EINVAL, SL_ENOMEM, -errno:
 * nothing was started. */
int sense_ask_start(struct sense_ask *a, const char *server, bool tcp, const uint8_t *query,
	size_t n, uint32_t timeout_ms) SL_NONNULL_ALL;

/* Ends it without a word; fine when it is not running. */
void sense_ask_stop(struct sense_ask *a) SL_NONNULL_ALL;
