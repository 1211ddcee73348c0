/* SPDX-License-Identifier: Apache-2.0 */
/* The commands that need no daemon. */
#pragma once

#include "ctl/request.h"

/* Carries out a LOCAL command; returns the exit status. */
int ctl_local(const struct ctl_request *r) SL_NONNULL_ALL;
