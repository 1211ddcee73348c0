/* SPDX-License-Identifier: Apache-2.0 */
/* node show: the operator's own edge nodes. */
#include "base/glob.h"
#include "control/control_int.h"

#include <string.h>

static const struct control_rule *rule_on(const struct control *c, struct str name)
{
	for (uint32_t i = 0; i < c->rules.n; i++)
		if (c->rules.rule[i].kind == RULE_NODE && str_eq_z(name, c->rules.rule[i].vendor))
			return &c->rules.rule[i];
	return NULL;
}

static void put_node(cJSON *row, const struct control_call *call, uint32_t i)
{
	const struct world *w = call->view->world;
	const struct cat_node *n = &w->cat.nodes[i];
	struct str name = cat_text(&w->cat, n->name);
	const struct control_rule *r = rule_on(call->c, name);
	uint16_t permille = w->tick.node_loads[i].v;

	control_put_str(row, "node", name);
	control_put_str(row, "vendor", control_vendor_name(call->view, n->vendor));
	control_put_str(row, "group", cat_text(&w->cat, w->cat.groups[n->group].name));
	control_put(row, "capacity_mbps", n->capacity_mbps);
	if (permille == TICK_NODE_DOWN) {
		cJSON_AddStringToObject(row, "state", r ? "drained" : "down");
	} else {
		cJSON_AddStringToObject(row, "state", "up");
		control_put(row, "load_percent", permille / 10.0);
	}
	if (!r)
		return;
	if (r->until_ms)
		control_put(row, "left_s",
			r->until_ms > call->now_ms ? (double)(r->until_ms - call->now_ms) / 1e3
						   : 0);
	cJSON_AddStringToObject(row, "why", r->why);
}

int control_do_NODE_SHOW(struct control_call *call)
{
	const char *pattern = control_arg(call, "node");
	int rc = control_need_world(call);
	cJSON *list;

	if (rc)
		return rc;
	list = cJSON_AddArrayToObject(call->out, "nodes");
	for (uint32_t i = 0; i < call->view->world->cat.n_nodes; i++)
		if (!pattern || glob_match(str_from(pattern),
					cat_text(&call->view->world->cat,
						call->view->world->cat.nodes[i].name),
					false))
			put_node(control_add_row(list), call, i);
	return list->child || !pattern
		       ? 0
		       : err_set(&call->err, SL_ENOENT, "no node is called %.64s", pattern);
}
