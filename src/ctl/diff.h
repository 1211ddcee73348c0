/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "base/str.h"
#include "ctl/request.h"

struct world;

/* Prints what differs between two worlds on disk; 0, or why one cannot be read. */
int ctl_world_diff(const struct ctl_request *r, struct errbuf *err) SL_NONNULL_ALL;

/* Share of a vendor in a row, ppm; 0 where the vendor or the row is not there. */
uint32_t ctl_share_of(
	const struct world *w, uint32_t service, uint32_t group, struct str vendor) SL_NONNULL_ALL;
