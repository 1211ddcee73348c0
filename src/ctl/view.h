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

/* colour: headings bold, words of trouble red. */
void ctl_view(const struct cJSON *json, bool colour, FILE *out) SL_NONNULL_ALL;

/* Shows an answer on the terminal and has a word typed there. false: another was, or none. */
bool ctl_ask(const struct cJSON *json, const char *word) SL_NONNULL_ALL;
