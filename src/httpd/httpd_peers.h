/* SPDX-License-Identifier: Apache-2.0 */
/* How many connections each address has: an exact, bounded table. Owned by one thread. */
#pragma once

#include <stdint.h>

#include "base/attr.h"
#include "base/ip.h"

#define HTTPD_PEERS_NONE UINT32_MAX

struct httpd_peers {
	struct httpd_peer {
		struct ip ip;
		uint32_t count, next;
	} * entries;
	uint32_t *buckets;
	uint32_t mask, free;
	uint64_t seed;
};

/* What counts as one client: a v4 address (v4-mapped ones too), or an IPv6 /64. */
struct ip httpd_peer_key(struct ip a) SL_PURE;

/* Room for max addresses at once. seed: unpredictable, so that nobody can choose collisions. */
int httpd_peers_init(struct httpd_peers *t, uint32_t max, uint64_t seed) SL_NONNULL(1);
void httpd_peers_done(struct httpd_peers *t) SL_NONNULL(1);

/* Counts one more for the key; its index, or HTTPD_PEERS_NONE when the table is full. */
uint32_t httpd_peers_add(struct httpd_peers *t, struct ip key) SL_NONNULL(1);
void httpd_peers_drop(struct httpd_peers *t, uint32_t index) SL_NONNULL(1);
