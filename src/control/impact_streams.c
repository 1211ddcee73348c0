/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who would move when streams change their vendors, or are spread over own nodes: the live sessions
 * that players report. They say how many a stream has on a vendor, and how many a vendor has in a
 * group; a stream's are taken to lie in the groups as all of its vendor's do. Who has to leave goes
 * by the shares of the vendors that may carry the stream, as answers are made.
 */
#include "base/hash.h"
#include "control/impact.h"
#include "scoring/hot.h"
#include "scoring/nodes.h"
#include "world/facts.h"

#include <stdlib.h>

struct streams {
	const struct engine_view *view;
	uint32_t service;
	struct impact *m;
	double *part; /* [vendor * n_groups + group]: of a vendor's sessions those in the group */
	uint32_t n_groups;
};

static int by_stream(const void *a, const void *b)
{
	const struct impact_stream *x = a, *y = b;

	return x->stream < y->stream ? -1 : x->stream > y->stream;
}

/* The minute's sessions by vendor and group, as parts. */
static void take_parts(struct streams *s)
{
	const struct facts_view *f = s->view->facts;
	double all[SL_MAX_VENDORS] = {0};

	for (uint32_t i = 0; i < f->n_cells; i++) {
		const struct facts_cell *c = &f->cells[i];

		if (c->window != 0 || c->vendor >= SL_MAX_VENDORS || c->group >= s->n_groups)
			continue;
		s->part[c->vendor * s->n_groups + c->group] += c->sessions;
		all[c->vendor] += c->sessions;
	}
	for (uint32_t v = 0; v < SL_MAX_VENDORS; v++)
		for (uint32_t g = 0; all[v] > 0 && g < s->n_groups; g++)
			s->part[v * s->n_groups + g] /= all[v];
}

/* Where sessions go in a group by the shares of the vendors that may carry the stream. */
static void seat(const struct streams *s, uint32_t group, uint64_t may, double sessions,
	double to[SL_MAX_VENDORS + 1])
{
	uint32_t first = s->view->first_row[s->service];
	const struct alloc_service *svc = &s->view->fleet->service[s->service];
	double sum = 0;

	for (int pass = 0; first != BLOB_NONE && pass < 2; pass++)
		for (uint32_t k = 0; k < svc->n_slots; k++) {
			uint32_t v = svc->slot[k].vendor, ppm;

			ppm = s->view->rows[first + group].share_ppm[k];
			if (may >> v & 1 && pass == 0)
				sum += ppm;
			else if (may >> v & 1 && sum > 0)
				to[v] += sessions * ppm / sum;
		}
	if (!(sum > 0))
		to[SL_MAX_VENDORS] += sessions;
}

static void add(const struct streams *s, struct impact_region *to, uint32_t group, uint32_t vendor,
	const struct impact_stream *change, double sessions)
{
	to->weight += sessions;
	to->before[vendor] += sessions;
	if (!change || !(change->leave >> vendor & 1)) {
		to->after[vendor] += sessions;
		return;
	}
	to->moves += sessions;
	seat(s, group, change->stay, sessions, to->after);
}

static void add_stream(const struct streams *s, const struct facts_stream *f,
	const struct impact_stream *list, uint32_t n)
{
	const char *name = (const char *)s->view->facts->text + f->name.first;
	struct impact_stream key = {hash64(name, f->name.count, 0), 0, 0};
	const struct impact_stream *change =
		n ? bsearch(&key, list, n, sizeof(*list), by_stream) : NULL;

	for (uint32_t g = 0; g < s->n_groups; g++) {
		double sessions = f->sessions * s->part[f->vendor * s->n_groups + g];

		if (!(sessions > 0))
			continue;
		add(s, impact_region_of(s->m, &s->view->world->cat, g), g, f->vendor, change,
			sessions);
		add(s, &s->m->all, g, f->vendor, change, sessions);
	}
}

/* Part of a stream's sessions in a group that have other nodes when it is hot than when it is not:
 * all but those of its first one. */
static double spread(const struct streams *s, double part, uint32_t group, uint32_t vendor)
{
	const struct cat_view *c = &s->view->world->cat;
	uint32_t list = c->vendor_nodes[group * c->n_vendors + vendor].v, n;

	if (list == BLOB_NONE || !c->node_lists[list].tiers.count)
		return 0;
	n = c->node_tiers[c->node_lists[list].tiers.first].nodes.count;
	n = hot_spread(n * SL_MIN(part, 1.0), 1, NODES_MAX_SPREAD);
	return n > 1 ? 1 - 1.0 / n : 0;
}

static void add_spread(struct streams *s, const struct facts_stream *f, double part)
{
	for (uint32_t g = 0; g < s->n_groups; g++) {
		double sessions = f->sessions * s->part[f->vendor * s->n_groups + g];
		struct impact_region *of[] = {
			impact_region_of(s->m, &s->view->world->cat, g), &s->m->all};

		for (uint32_t i = 0; sessions > 0 && i < SL_COUNT(of); i++) {
			add(s, of[i], g, f->vendor, NULL, sessions);
			of[i]->moves += sessions * spread(s, part, g, f->vendor);
		}
	}
}

int control_impact_hot(
	const struct engine_view *view, uint32_t *ret_streams, struct impact **ret_impact)
{
	struct streams s = {view, 0, calloc(1, sizeof(*s.m)), NULL, view->world->cat.n_groups};
	int rc = 0;

	*ret_streams = 0;
	s.part = calloc((size_t)SL_MAX_VENDORS * s.n_groups + 1, sizeof(*s.part));
	if (!s.m || !s.part) {
		free(s.m);
		rc = SL_ENOMEM;
		goto done;
	}
	if (view->facts)
		take_parts(&s);
	for (uint32_t i = 0; view->facts && i < view->facts->n_streams; i++) {
		const struct facts_stream *f = &view->facts->streams[i];
		double part;

		if (f->vendor >= view->fleet->n_vendors)
			continue;
		part = engine_hot_part(&view->world->cat, f->vendor, (double)f->kbps / 1000);
		*ret_streams += part > 0;
		add_spread(&s, f, part);
	}
	s.m->by_sessions = true;
	impact_finish(s.m, &view->world->cat);
	*ret_impact = s.m;
done:
	free(s.part);
	return rc;
}

int control_impact_streams(const struct engine_view *view, uint32_t service,
	struct impact_stream *list, uint32_t n, struct impact **ret_impact)
{
	struct streams s = {
		view, service, calloc(1, sizeof(*s.m)), NULL, view->world->cat.n_groups};
	int rc = SL_ENOMEM;

	s.part = calloc((size_t)SL_MAX_VENDORS * s.n_groups + 1, sizeof(*s.part));
	if (s.m && s.part) {
		if (n)
			qsort(list, n, sizeof(*list), by_stream);
		if (view->facts)
			take_parts(&s);
		for (uint32_t i = 0; view->facts && i < view->facts->n_streams; i++)
			if (view->facts->streams[i].vendor < view->fleet->n_vendors)
				add_stream(&s, &view->facts->streams[i], list, n);
		s.m->by_sessions = true;
		impact_finish(s.m, &view->world->cat);
		*ret_impact = s.m;
		s.m = NULL;
		rc = 0;
	}
	free(s.m);
	free(s.part);
	return rc;
}
