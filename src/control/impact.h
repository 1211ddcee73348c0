/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who would move: the shares of every group by the real allocator, over the fleet of the last tick,
 * once under the rules of now and once under those that are wanted. Audiences are weighed by their
 * demand; in a region without any now, and where nothing is known, all groups alike.
 */
#pragma once

#include "engine/engine.h"

enum { IMPACT_MAX_REGIONS = 512, IMPACT_LIMIT_PERCENT = 33 };

struct impact_region {
	char name[SL_MAX_NAME + 1]; /* country and province: CN/GD */
	double weight;
	double moves;      /* part of its audience whose vendor changes, 0..1 */
	double moves_most; /* the same if every client that may have a denied address has one */
	double before[SL_MAX_VENDORS + 1], after[SL_MAX_VENDORS + 1]; /* the last is none */
};

struct impact {
	struct impact_region region[IMPACT_MAX_REGIONS], all;
	uint32_t n_regions;
	char vendor[SL_MAX_VENDORS][SL_MAX_NAME + 1]; /* by id, those to come among them */
	uint32_t n_vendors;
	uint32_t narrowed; /* groups that are left with one vendor and had more */
	uint32_t emptied;  /* groups that are left with none */
	bool denies;       /* other addresses are denied: how clients lie in them is a guess */
	bool by_sessions;  /* weights are live sessions that players report */
	double worst;      /* the largest `moves_most` of a region */
	char worst_region[SL_MAX_NAME + 1];
};

/* What another state of an automatic feature makes of the last tick's fleet. Borrowed. */
struct impact_feature {
	enum impact_feature_kind {
		IMPACT_QUALITY,  /* on: what players report counts */
		IMPACT_BREAKERS, /* barred: a bit per vendor, by group */
		IMPACT_LOADS,    /* forecast: by cell; as_metered: without what has come since */
		IMPACT_NODES     /* node: what is known of them */
	} kind;
	bool on, as_metered;
	const uint64_t *barred;
	const struct learn_forecast *forecast;
	const struct engine_node *node; /* by name */
	uint32_t n_nodes;
};

/* Rules that hold, and the configuration; conf NULL: the catalogue in use. Borrowed. feature NULL:
 * all are as they are; else conf is NULL. */
struct impact_side {
	const struct engine_rule *rule;
	uint32_t n;
	const struct conf *conf;
	const struct impact_feature *feature;
};

/* view must have a world; conf of `then` only. now_ms: unix. The result is malloc'd; caller frees.
 * SL_ENOMEM, or what is wrong with a configuration. */
int control_impact(const struct engine_view *view, const struct impact_side *now,
	const struct impact_side *then, uint64_t now_ms, struct impact **ret_impact,
	struct errbuf *err) SL_NONNULL(1, 2, 3, 5);

/* A stream that changes its vendors, by the hash of its name; bits per vendor id. */
struct impact_stream {
	uint64_t stream;
	uint64_t leave; /* carried it and do not any more */
	uint64_t stay;  /* may carry it from now on */
};

/* view must have a world; service: its id. The list is put in order. SL_ENOMEM; caller frees. */
int control_impact_streams(const struct engine_view *view, uint32_t service,
	struct impact_stream *list, uint32_t n, struct impact **ret_impact) SL_NONNULL(1, 5);

/* Hot streams spread over own nodes, or no more: who would be sent to another node of the vendor.
 * *ret_streams: how many streams that is about. view must have a world. SL_ENOMEM; caller frees. */
int control_impact_hot(const struct engine_view *view, uint32_t *ret_streams,
	struct impact **ret_impact) SL_NONNULL_ALL;

/* The region of a group, added to the list if it is new; and what ends a list that was filled with
 * weighted sums: means, names and the worst. */
struct impact_region *impact_region_of(
	struct impact *m, const struct cat_view *c, uint32_t group) SL_NONNULL_ALL;
void impact_finish(struct impact *m, const struct cat_view *c) SL_NONNULL_ALL;

/* Whether a change of this impact wants to be confirmed. */
bool control_impact_grave(const struct impact *i) SL_NONNULL_ALL SL_PURE;
