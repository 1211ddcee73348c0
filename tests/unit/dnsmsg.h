/* SPDX-License-Identifier: Apache-2.0 */
/* Queries built and answers read by ldns, so that our codec is not judged by itself. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { DNSMSG_MAX = 65536 };

/* A query with one question. opt: hex of the OPT record's options, NULL for no OPT at all. Returns
 * its length. */
size_t dnsmsg_query(uint8_t *to, const char *name, const char *type, const char *opt);

/* The answer as lines of text that tests compare:
 *   "NOERROR aa rd | q | a1; a2 | authority | additional | opt=HEX"
 * Sections hold "owner ttl type rdata", empty ones nothing. static buffer; "unreadable" when ldns
 * cannot read it. */
const char *dnsmsg_text(const uint8_t *msg, size_t n);
