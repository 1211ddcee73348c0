/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The control process's face to operators: the admin API on the UNIX socket STATE/admin.sock and
 * on TCP listeners, /metrics, and what the commands do. One thread owns it together with the
 * engine: the caller runs rounds, and ticks the engine between them. Commands are rows of
 * ctl/commands.def.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"

struct conf;
struct control;
struct engine;
struct sense;

struct control_options {
	struct engine *engine;   /* borrowed for the life of the control */
	struct sense *sense;     /* likewise; NULL: nothing is pulled or probed */
	const struct conf *conf; /* state, store, listen.admin; read by control_new only */
	/* Reads the configuration anew; 0 or why not. NULL: the daemon cannot. */
	int (*reload)(void *ctx, struct errbuf *err);
	void *ctx;
};

/* Opens the listeners. The first start writes admin.token (mode 0600), a token of role admin.
 * Caller frees. */
int control_new(const struct control_options *options, struct control **ret_control,
	struct errbuf *err) SL_NONNULL(1, 2) SL_WUNUSED;
void control_free(struct control *c);

/* Whether geo files that have changed on disk are to be read by themselves. */
bool control_follows_geo(const struct control *c) SL_NONNULL_ALL;

/* Waits for requests at most timeout_ms and answers them. Never blocks longer on a client. */
void control_round(struct control *c, int timeout_ms) SL_NONNULL_ALL;

/* Hands what was pulled and probed since the last call to the engine. Before a tick. */
void control_take_sense(struct control *c) SL_NONNULL_ALL;

/* The wall clock was set by so much: what has lasted for a time goes on with that. */
void control_clock_set(struct control *c, int64_t by_ms) SL_NONNULL_ALL;

/* After each tick that passed: what breakers did goes to the log and the journal. */
void control_ticked(struct control *c) SL_NONNULL_ALL;

/* After the secrets were read: whether one could not be. */
void control_keys(struct control *c, bool missing) SL_NONNULL_ALL;

/* After the configuration was read again: whether it was refused, and why. */
void control_reloaded(struct control *c, bool refused, const char *why) SL_NONNULL_ALL;
