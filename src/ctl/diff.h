/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "ctl/request.h"

/* Prints what differs between two worlds on disk; 0, or why one cannot be read. */
int ctl_world_diff(const struct ctl_request *r, struct errbuf *err) SL_NONNULL_ALL;
