/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Common Media Client Data (CTA-5004 and CTA-5004-A): what players send on their own. Reads version
 * 1 from a query parameter, from headers or as JSON, and version 2 events, one per line; each
 * becomes a report. Pure.
 *
 * The mapping: sid is the session, cid the stream, cdn (else the host of h or url) the vendor, msd
 * the first frame (once per session), bsd the stalls, bsda the sum of all so far and sta=r that the
 * player stands still (the books see by what it grows, and for how long), br the bitrate, an rr
 * event with its rc or an e event the end of a pull attempt, ts the time. Version 1 names no
 * vendor: the parameter `vendor` of the report's address does. Its bs (starved, no duration) is not
 * a stall by our definition and is left out.
 */
#pragma once

#include "collect/report.h"

enum { COLLECT_CMCD_MAX = 8192 }; /* octets of one set of keys */

/* Where a set of keys comes from says nothing of these. */
struct collect_cmcd_context {
	struct str vendor; /* of the report's address; empty: none */
};

/* "k=v,k,k=\"str\"" (query, headers, a line of events) into a report. A key that is not known is
 * left out; what has no session, stream or vendor is refused as MISSING. */
struct collect_verdict collect_cmcd_keys(
	struct str text, const struct collect_cmcd_context *c, struct collect_report *ret);

/* The same as a JSON object. */
struct collect_verdict collect_cmcd_json(
	struct str text, const struct collect_cmcd_context *c, struct collect_report *ret);
