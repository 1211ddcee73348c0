/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a client asks at /v1/resolve, from query parameters or from the members of a JSON request
 * alike: one row per parameter. Pure; any thread.
 */
#pragma once

#include "base/ip.h"
#include "base/limits.h"
#include "base/str.h"

/* Keys of the answer, by which `fields` limits it. */
#define HTTP_FIELD_MAP(X)                                                                          \
	X(HOST, "host")                                                                            \
	X(GROUP, "group")                                                                          \
	X(TTL, "ttl")                                                                              \
	X(VIEW, "view")                                                                            \
	X(ANSWERS, "answers")                                                                      \
	X(REFRESH, "refresh_s")                                                                    \
	X(DEGRADE, "degrade")                                                                      \
	X(EXPLAIN, "explain")

enum http_field {
#define X(id, name) HTTP_FIELD_##id,
	HTTP_FIELD_MAP(X)
#undef X
		HTTP_FIELDS
};

/* name, what it must be */
#define HTTP_PARAM_MAP(X)                                                                          \
	X(host, "host must be host names with commas between, given once")                         \
	X(ip, "ip must be one address, given once")                                                \
	X(stream, "stream must be a name of at most 255 octets, given once")                       \
	X(client, "client must be an id of at most 128 octets, given once")                        \
	X(cur, "cur must be the name of a vendor, given once")                                     \
	X(avoid, "avoid must be names of vendors with commas between, given once")                 \
	X(type, "type must be A, AAAA or both with a comma between, given once")                   \
	X(n, "n must be 1 to 16, given once")                                                      \
	X(ranked, "ranked must be 1 to 16, given once")                                            \
	X(fields, "fields must be of host,group,ttl,view,answers,refresh_s,degrade,explain, "      \
		  "given once")                                                                    \
	X(explain, "explain must be 0 or 1, given once")

enum http_param {
#define X(name, wrong) HTTP_PARAM_##name,
	HTTP_PARAM_MAP(X)
#undef X
		HTTP_PARAMS
};

/* Texts are borrowed from the request. */
struct http_query {
	struct str host, stream, client, cur, avoid; /* empty: not given */
	struct ip ip;
	uint32_t given;  /* bit per enum http_param */
	uint32_t fields; /* bit per enum http_field */
	bool a, aaaa, explain;
	uint8_t n;      /* nodes per vendor, 0: not given */
	uint8_t ranked; /* vendors in the answer at most */
};

/* Nothing given yet; ip: of the client itself. */
struct http_query http_query_of(struct ip ip);

/* What a parameter must be; NULL: it is none of ours. */
const char *http_query_rule(struct str name);

/* One parameter. NULL, or static text that says what it must be. Names that are none of ours are
 * passed over: SDKs add some of their own. */
const char *http_query_set(struct http_query *q, struct str name, struct str value)
	SL_NONNULL(1) SL_WUNUSED;
