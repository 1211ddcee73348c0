/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An answer of the admin API for people: single values as `name value`, a list of objects as a
 * table whose columns are their members. Knows no command: what an answer holds, and in which
 * order, is the daemon's business.
 */
#pragma once

#include <stdbool.h>
#include <stdio.h>

#include "base/attr.h"

struct cJSON;

/* How wide the terminal at fd is, INT_MAX where it does not say; 0: it is none. */
int ctl_width(int fd);

/* width: of the terminal, which has headings bold and words of trouble red, and headings of what
 * would be too wide in several lines; 0: it is none. */
void ctl_view(const struct cJSON *json, int width, FILE *out) SL_NONNULL_ALL;

/* The same with single values side by side, for a screen that shows all at once. */
void ctl_view_dense(const struct cJSON *json, int width, FILE *out) SL_NONNULL_ALL;

/* The upper left of a text, as much as the terminal at fd has room for, over what it shows. */
void ctl_view_screen(const char *text, int fd, FILE *out) SL_NONNULL_ALL;

/* Shows an answer on the terminal and has a word typed there. false: another was, or none. */
bool ctl_ask(const struct cJSON *json, const char *word) SL_NONNULL_ALL;
