/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who may ask, and how often, beyond what the fence counts by address: prefixes that are allowed or
 * denied, rates by group of the client (region and ISP) and by account. The rules come with the
 * keys blob; the levels are of one thread.
 */
#pragma once

#include "httpd/httpd_bucket.h"
#include "world/keys.h"
#include "world/world.h"

/* Owned by one thread; zeroed at the start. */
struct http_access {
	uint64_t catalogue, keys; /* checksums of what quota_of and the levels are of */
	/* the quota of a group: 1 + its index, HTTP_NO_QUOTA, or 0 before it was looked up */
	uint8_t quota_of[SL_MAX_GROUPS];
	struct httpd_level quota[SL_MAX_QUOTAS], account[SL_MAX_ACCOUNTS];
};

enum { HTTP_NO_QUOTA = 255 };

enum http_access_verdict { HTTP_ACCESS_PASSES, HTTP_ACCESS_NEVER, HTTP_ACCESS_LATER };

/* Whether this address may ask at all: not denied, and allowed if anybody is. keys may be NULL:
 * everybody. What is no IP address (a UNIX socket) may. Pure. */
bool http_access_admits(const struct keys_view *keys, struct ip client) SL_PURE;

/* Takes a token of the client's group. Loopback always passes. now_ms: monotonic. */
enum http_access_verdict http_access_group(struct http_access *a, const struct keys_view *keys,
	const struct world *w, struct ip client, uint64_t now_ms) SL_NONNULL(1, 3);

/* Takes a token of an account of keys; false when there is none left. */
bool http_access_account(struct http_access *a, const struct keys_view *keys,
	const struct keys_account *account, uint64_t now_ms) SL_NONNULL_ALL;
