/* SPDX-License-Identifier: Apache-2.0 */
/* What the last tick would have known were a feature on that is off, or the other way. */
#include "engine/engine_if.h"

#include "engine/engine_int.h"

/* The input of the last tick; the catalogue to come may be there already. */
static struct loop_in last(const struct engine *e)
{
	const struct cat_view *c = &e->view.world->cat;
	struct loop_in in = e->in;

	in.n_vendors = c->n_vendors;
	in.n_regions = c->n_regions;
	in.n_groups = c->n_groups;
	in.region_of = c->n_regions ? &c->region_of->v : NULL;
	return in;
}

void engine_would_bar(struct engine *e, uint64_t ret_barred[static SL_MAX_GROUPS])
{
	struct loop_in in;

	engine_facts_again(e);
	in = last(e);
	memset(ret_barred, 0, SL_MAX_GROUPS * sizeof(*ret_barred));
	loop_would_bar(&e->loop, &in, ret_barred);
}

struct learn_forecast engine_forecast_if(
	const struct engine *e, uint32_t cell, const struct loop_push *push)
{
	struct loop_in in = last(e);
	uint32_t at = cell < in.n_vendors ? cell : SL_MAX_VENDORS + cell - in.n_vendors;

	return loop_forecast_if(&e->loop, &in, at, push);
}
