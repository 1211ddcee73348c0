/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One structured line per event on standard error:
 *   2026-11-21T02:00:00.123Z info conf.reloaded file=sluice.yaml generation=3
 * Each event name is limited to a burst of 20 lines a second; what was held back is said in the
 * next line of that event (suppressed=N). Not for the query path. Any thread.
 */
#pragma once

#include "base/attr.h"

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };

/* What is written from now on: levels up to this one. Default LOG_INFO. */
void log_set_level(enum log_level level);
enum log_level log_level(void);

/* "error", "warn", "info" or "debug" to a level; -1 for anything else. */
int log_level_parse(const char *name) SL_NONNULL_ALL;

/* The role that stands in every line ("collect", "control", "answer"); static text. */
void log_set_role(const char *role);
const char *log_role(void);

/* event: "area.what" in lower case; fmt: "key=value ..." pairs, quoted by the caller where needed.
 */
void log_write(enum log_level level, const char *event, const char *fmt, ...) SL_PRINTF(3, 4);

#define LOG_E(...) log_write(LOG_ERROR, __VA_ARGS__)
#define LOG_W(...) log_write(LOG_WARN, __VA_ARGS__)
#define LOG_I(...) log_write(LOG_INFO, __VA_ARGS__)
