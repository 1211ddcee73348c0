/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The three processes of sluiced. Each role runs until SIGTERM or SIGINT, then returns 0; 1 when it
 * cannot start. SIGHUP makes control read the configuration again.
 */
#pragma once

#include <signal.h>
#include <stdbool.h>

#include "conf/conf.h"

enum { ROLE_MAX_STORED = 5 };

struct role {
	const char *name;
	/* Stored inputs, below the state folder: what is set aside after two crashes in a row. */
	const char *stored[ROLE_MAX_STORED];
	/* Whether the supervisor holds memory for it that outlives it; given up after two crashes.
	 */
	bool keeps;
	/* conf is taken. path is the configuration's file, to read again. */
	int (*run)(const char *path, struct conf *conf);
};

int role_collect(const char *path, struct conf *conf);
int role_control(const char *path, struct conf *conf);
int role_answer(const char *path, struct conf *conf);

extern const struct role roles[3];

/* Set by the signal handlers; read by the loops of the roles and of the supervisor. */
extern volatile sig_atomic_t role_stop, role_reload;

/* The memory that the supervisor holds for this process; -1: none. */
extern int role_kept;

/* Installs the handlers; SIGPIPE is ignored. */
void role_signals(void);

/* Becomes the user of the configuration, if started as root and one is named, so that every file is
 * that user's; only what binding listeners takes is kept, until role_drop_capabilities. */
int role_become_user(const struct conf *conf, struct errbuf *err) SL_NONNULL(1);
int role_drop_capabilities(const struct conf *conf, struct errbuf *err) SL_NONNULL(1);

/* Runs all three as children of this process and restarts the fallen; state is the folder with the
 * last good configuration, locked meanwhile. Returns the exit code: 1 if another has the lock. */
int supervise(const char *program, const char *path, const char *state) SL_NONNULL_ALL;
