/* SPDX-License-Identifier: Apache-2.0 */
/* A fleet as it came in one line of JSON, ready for alloc_run; shared by score.c and fleet.c. */
#pragma once

#include <cjson/cJSON.h>

#include "base/err.h"
#include "scoring/allocate.h"

/* What nobody gets stands in the list of vendors under this name. */
#define CTL_FLEET_NONE "none"

/* The single service holds all vendors, in the order of the input; ids go by name, so that the
 * order of the input does not matter. */
struct ctl_fleet {
	cJSON *json; /* owns the names */
	uint32_t n_vendors, n_groups, n_regions;
	const char *vendor_name[SL_MAX_SLOTS]; /* in the order of the input */
	const char **group_name;
	struct alloc_vendor vendor[SL_MAX_SLOTS]; /* by id */
	struct alloc_region region[SL_MAX_REGIONS];
	struct alloc_service service;
	struct alloc_row *row;
	uint16_t *region_of;
};

/* Reads and checks a fleet. 0, SL_EFORMAT with the reason in err, or SL_ENOMEM. The caller calls
 * ctl_fleet_done in every case. */
int ctl_fleet_parse(
	struct ctl_fleet *f, const char *text, size_t size, struct errbuf *err) SL_NONNULL_ALL;
void ctl_fleet_done(struct ctl_fleet *f) SL_NONNULL_ALL;

/* What alloc_run wants to see. */
struct alloc_fleet ctl_fleet_view(const struct ctl_fleet *f) SL_NONNULL_ALL;
