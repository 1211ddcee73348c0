/* SPDX-License-Identifier: Apache-2.0 */
/* `sluicectl score --file`: fleets as JSON lines in, scores, shares and reasons out; no daemon. */
#pragma once

#include <stdbool.h>
#include <stdio.h>

#include "base/attr.h"

/*
 * Reads fleets from `in`, one per line (empty lines are skipped), writes one line of JSON each, or
 * a table where !json. A bad line writes "line N: why" to errs and nothing to out; the lines after
 * it are still answered. Returns 0, or 1 if any line was bad (or the output failed).
 */
int ctl_score_file(FILE *in, FILE *out, FILE *errs, bool json) SL_NONNULL(1, 2, 3);
