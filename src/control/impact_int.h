/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the dry run share: a fleet under some rules and a catalogue, as allocated. */
#pragma once

#include "control/impact.h"

struct sim {
	const struct world *world;  /* geo and breakers of now */
	const struct cat_view *cat; /* the world's, or of the catalogue that is to come */
	struct alloc_vendor vendor[SL_MAX_VENDORS];
	struct alloc_region region[SL_MAX_REGIONS];
	struct alloc_service service[SL_MAX_SERVICES];
	struct alloc_vendor_out vendor_out[SL_MAX_VENDORS];
	struct alloc_state state;
	struct alloc_fleet fleet;
	struct alloc_row *row;
	struct alloc_row_out *out;
	uint32_t first_row[SL_MAX_SERVICES]; /* rows of a service stand by group; BLOB_NONE: none */
	const struct engine_rule *rule;      /* borrowed */
	uint32_t n_rules;
	const struct engine_node *node; /* what is known of own nodes, by name; borrowed */
	uint32_t n_nodes;
	bool denies; /* some of them deny addresses */
	/* part of a group's addresses that a vendor may not serve, the last for any vendor; and
	 * where all its clients may have such addresses (1), not only a few of them */
	float (*denied)[SL_MAX_VENDORS + 1];
	float (*may_deny)[SL_MAX_VENDORS + 1];
};

/* The fleet of the last tick under the rules of a side and its feature, allocated. cat NULL: under
 * the world's catalogue; else it has the world's ids and maybe more, and what is new starts idle.
 * now_ms: unix, for contract windows. SL_ENOMEM, or what the allocator says. Caller frees; side and
 * cat are borrowed.
 */
int impact_sim_new(const struct engine_view *view, const struct cat_view *cat,
	const struct impact_side *side, uint64_t now_ms, struct sim **ret_sim) SL_NONNULL(1, 3, 5);
void impact_sim_free(struct sim *s);

/* impact_feature.c: turns the fleet of the last tick into what it would be. */
void impact_feature_apply(struct sim *s, const struct engine_view *view,
	const struct impact_feature *f) SL_NONNULL_ALL;

/* Whether a pattern of a rule names it; empty: all. */
bool impact_names(const char *pattern, struct str name) SL_NONNULL_ALL SL_PURE;

/* Whether a reason is one that rules give, or a catalogue. */
bool impact_by_rule(uint8_t reason) SL_PURE;

/* Fills denied and may_deny of a sim that denies. SL_ENOMEM. */
int impact_survey(struct sim *s) SL_NONNULL_ALL;
