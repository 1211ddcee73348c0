/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Own edge nodes for a stream: nearest span first, inside a span by rendezvous hash of the stream,
 * passing over nodes that are down, full, or loaded beyond a bound relative to their span (so that
 * a popular stream cannot pile up on one). Query path: no state, no allocation.
 */
#pragma once

#include "base/attr.h"
#include "base/limits.h"

#include <stdbool.h>
#include <stdint.h>

/* Candidates at one distance (same province and ISP; same ISP in the nearest province; country):
 * indexes into the array of struct nodes_node. */
struct nodes_span {
	const uint16_t *node;
	uint32_t n;
};

struct nodes_node {
	uint32_t id; /* stable: the dictionary's */
	uint32_t cap_mbps, load_mbps;
	uint32_t up;
};

enum {
	NODES_MAX_PICK = 16,
	NODES_MAX_SPREAD = 64,
	NODES_BOUND_PERCENT = 125, /* of the span's mean utilisation */
};

/*
 * Up to want nodes (<= NODES_MAX_PICK) in order of preference. A stream is spread over the first
 * `spread` nodes of its rendezvous order in a span (1..NODES_MAX_SPREAD): client picks among them.
 * Where no node of any span is within bounds, nodes that are up are given in the same order; none
 * up: 0.
 */
uint32_t nodes_pick(const struct nodes_span *span, uint32_t n_spans, const struct nodes_node *node,
	uint64_t stream, uint64_t client, uint32_t spread, uint32_t want, uint16_t *ret_node)
	SL_NONNULL(3, 8);
