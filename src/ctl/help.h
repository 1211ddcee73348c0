/* SPDX-License-Identifier: Apache-2.0 */
/* What the table of commands says to people: help, manual page, bash completion. */
#pragma once

#include <stdio.h>

#include "ctl/commands.h"

/* A line each: every command, those of a group. */
void ctl_help_all(FILE *out) SL_NONNULL_ALL;
void ctl_help_group(const char *group, FILE *out) SL_NONNULL_ALL;

void ctl_help_command(const struct command *c, FILE *out) SL_NONNULL_ALL;

/* The manual page (roff, man macros) and the completion that are kept in man/ and contrib/; a test
 * holds those to this. */
void ctl_help_man(FILE *out) SL_NONNULL_ALL;
void ctl_help_completion(FILE *out) SL_NONNULL_ALL;
