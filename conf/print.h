/* SPDX-License-Identifier: Apache-2.0 */
/* Rows in words, shared by the printers of conf/. */
#pragma once

#include <stdio.h>

#include "conf/rows.h"

/* "whole number, 100 to 10000 ms" */
void conf_print_kind(FILE *out, const struct conf_row *row) SL_NONNULL_ALL;
