/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A strict scanner of JSON (RFC 8259) over octets in memory: no tree, no copies, no allocation. It
 * is for bodies whose fields are known beforehand; a tree of cJSON costs several times as much
 * (make bench-collect prints both). The first fault is kept and everything after it fails.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/str.h"

enum { COLLECT_JSON_DEPTH = 16 }; /* of what is skipped over */

struct collect_json {
	const char *p, *end;
	bool bad;      /* not JSON; sticky */
	bool too_deep; /* bad for that reason */
};

static inline struct collect_json collect_json_over(struct str s)
{
	return (struct collect_json){.p = s.p, .end = s.p + s.n};
}

/* The octet the next value or sign begins with, blanks skipped; '\0' at the end or once bad. */
char collect_json_peek(struct collect_json *j) SL_NONNULL_ALL;

/* Takes this one octet; bad when another is there. */
bool collect_json_take(struct collect_json *j, char c) SL_NONNULL_ALL;

/* Only blanks are left. */
bool collect_json_end(struct collect_json *j) SL_NONNULL_ALL;

/* A string without its quotes, escapes kept; *ret_escaped says whether there are any. Octets are
 * checked to be UTF-8. */
bool collect_json_string(
	struct collect_json *j, struct str *ret_raw, bool *ret_escaped) SL_NONNULL_ALL;

/* Writes the text of a raw string with escapes to dst; octets used, or -1 when it does not fit, a
 * surrogate stands alone, or the text would hold a NUL. */
int collect_json_unescape(struct str raw, char *dst, size_t size) SL_NONNULL(2);

/* A number; what a double cannot hold comes out as HUGE_VAL or 0. */
bool collect_json_number(struct collect_json *j, double *ret_v) SL_NONNULL_ALL;

/* true, false. */
bool collect_json_bool(struct collect_json *j, bool *ret_v) SL_NONNULL_ALL;

/* Any value, checked and left behind. */
bool collect_json_skip(struct collect_json *j) SL_NONNULL_ALL;

/* Walks an object or array: call with *first = true at its opening sign, then before each element;
 * false at its end or once bad. For an object the key follows, then ':'. */
bool collect_json_next(struct collect_json *j, char open, char close, bool *first) SL_NONNULL_ALL;

/* The key of the next member, and its colon. Escaped keys come out raw: they match no field. */
bool collect_json_key(struct collect_json *j, struct str *ret_key) SL_NONNULL_ALL;
