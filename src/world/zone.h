/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Builds the DNS part of the catalogue: zone files are read through ldns and laid down as ready
 * records by name, together with the scheduled hosts. For the control plane: reads files,
 * allocates.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "world/blob.h"

enum {
	ZONE_MAX_RECORDS = 1 << 20, /* of all zone files */
	ZONE_MAX_RRSET = 65000,     /* octets of one answer section, so that it fits TCP */
	ZONE_MAX_RRS = 255,         /* records of one rrset */
};

/* All text is borrowed for the call. */
struct zone_input {
	const char *name; /* apex, any case, final dot or none */
	const char *file; /* RFC 1035 section 5; no $INCLUDE */
};

struct zone_host {
	const char *name;
	uint32_t service; /* index that the host's dname gets */
	bool explain;     /* _sluice.HOST answers TXT */
};

/*
 * Fills CAT_wire, CAT_zones, CAT_dnames, CAT_name_index, CAT_rrsets and CAT_hosts (in the order
 * given, so that a service's hosts are one span when they were given side by side). Services must
 * be in the writer already or be added before it is finished. *ret_max_labels: of the longest name.
 * Errors begin with FILE:LINE where a line is at fault, otherwise with FILE or the host.
 */
int zones_build(struct blob_writer *w, const struct zone_input *zones, uint32_t n_zones,
	const struct zone_host *hosts, uint32_t n_hosts, uint32_t *ret_max_labels,
	struct errbuf *err) SL_NONNULL(1, 6) SL_WUNUSED;
