/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A small world for tests, made with the real builders: vendors alpha, beta, gamma; services `live`
 * (CNAMEs), `drill` (addresses) and `mixed` (alpha by addresses, the others by CNAME) under zone
 * sluice.example; groups of 10.1/16 CN/GD/telecom, 10.2/16 CN/GD/unicom, 10.3/16 US and the
 * default.
 */
#pragma once

#include "base/err.h"
#include "world/world.h"

enum { TW_LIVE, TW_DRILL, TW_MIXED, TW_SERVICES };
enum { TW_ALPHA, TW_BETA, TW_GAMMA, TW_VENDORS };
enum { TW_DEFAULT, TW_TELECOM, TW_UNICOM, TW_US };

/* What may differ from test to test; zeroed is the usual world. */
struct testworld_spec {
	const char *zone;                      /* text of the zone file; NULL: testworld_zone */
	const char *overrides;                 /* of geo; NULL: as above */
	uint32_t ppm[TW_SERVICES][TW_VENDORS]; /* all zero: 500000, 300000, 200000 */
	bool drains; /* gamma keeps what it has and gets nothing new, the TTL is a quarter */
	uint8_t hold_length;           /* of all rows and slots: scoring/hold.h; 0: none */
	uint32_t dns_viewers;          /* of all services; 0: 1 */
	uint32_t lower_ppm;            /* of the new sessions, to the second and third rung */
	bool none[TW_SERVICES];        /* no vendor may take anybody */
	uint8_t dns_mode[TW_SERVICES]; /* enum cat_dns_mode; 0: by CNAME for live, else auto */
	uint64_t time_ms;              /* of the tick; 0: now is within it for ever */
	bool plays;     /* every service has URLs, signed for alpha and beta, and three ingests */
	bool apex_host; /* zone apex.example exists and its apex is a host of drill */
};

struct testworld {
	void *catalogue, *geo, *tick;
	struct world_file *file;
	struct errbuf err;
};

extern const char testworld_zone[];

/* 0, or an error with text in tw->err; call testworld_done either way. */
int testworld_init(struct testworld *tw, const struct testworld_spec *spec);

/* Frees all but what testworld_take gave away. */
void testworld_done(struct testworld *tw);

/* Another world over the same blobs, to publish; the caller (or publish) closes it. NULL on
 * failure.
 */
struct world_file *testworld_take(struct testworld *tw);
