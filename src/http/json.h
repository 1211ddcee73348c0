/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading cursor over one JSON text (RFC 8259) with a sticky error: read all, check once. Builds no
 * tree and allocates nothing; strings are views into the text, or into the scratch buffer where
 * they had escapes. Pure; one thread per cursor.
 */
#pragma once

#include "base/attr.h"
#include "base/buf.h"
#include "base/str.h"

enum { HTTP_JSON_DEPTH = 16 };

struct http_json {
	const char *start, *p, *end;
	const char *wrong; /* static text, NULL while all is well */
	size_t wrong_at;   /* octets before the value or member that is wrong */
	struct buf scratch;
	uint32_t depth;
};

struct http_json http_json_over(struct str text, struct buf scratch);

/* The octet that the next value begins with, 0 at the end of the text. */
char http_json_peek(struct http_json *j) SL_NONNULL_ALL;

/* Into an object ('{') or an array ('['); false and the error set when the next value is none. */
bool http_json_enter(struct http_json *j, char open) SL_NONNULL_ALL;

/* Within an object: the next member's name, whose value has to be read or skipped then. false at
 * the end of the object, which has been left, or after an error. *first: true before the first
 * call. */
bool http_json_member(struct http_json *j, bool *first, struct str *ret_name) SL_NONNULL_ALL;

/* Within an array: whether another element follows; ends as http_json_member. */
bool http_json_element(struct http_json *j, bool *first) SL_NONNULL_ALL;

/* A string's text, a number or a literal as written, null as empty; an array of those with commas
 * between. */
struct str http_json_text(struct http_json *j) SL_NONNULL_ALL;

/* Over any value. */
void http_json_skip(struct http_json *j) SL_NONNULL_ALL;

/* Nothing but blanks may follow. true when the whole text was good. */
bool http_json_done(struct http_json *j) SL_NONNULL_ALL;
