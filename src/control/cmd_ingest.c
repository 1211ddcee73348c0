/* SPDX-License-Identifier: Apache-2.0 */
/* ingest show: what pushers say of each ingest point, and the weight that it has by that. */
#include "base/glob.h"
#include "control/quality.h"
#include "scoring/ingest.h"

#include <stdlib.h>
#include <string.h>

enum { SUMS_MAX = 4096 };

/* What is said of one point under one key; figures are weighted by the voices that tell them. */
struct sum {
	const struct facts_push *first;
	char key[SL_MAX_NAME + 1];
	double pushers, voices, ok, frame_rates, fps, bitrates, mbps, rtts, rtt_ms;
};

static struct str name_of(const struct facts_view *f, const struct facts_push *p)
{
	return (struct str){(const char *)&f->text[p->name.first].v, p->name.count};
}

static void add(struct sum *s, const struct facts_push *p)
{
	s->pushers += p->pushers;
	s->voices += p->voices;
	s->ok += p->voices * (p->ok_ppm / 1e6);
	s->frame_rates += p->frame_rates;
	s->fps += p->frame_rates * (p->frame_rate_mfps / 1e3);
	s->bitrates += p->bitrates;
	s->mbps += p->bitrates * (p->kbps / 1e3);
	s->rtts += p->rtts;
	s->rtt_ms += p->rtts * (p->rtt_us / 1e3);
}

/* The weight of a point in a group, in ppm; 0 where the catalogue has it no more. */
static uint32_t weight_of(const struct world *w, const struct facts_push *p, struct str name)
{
	const struct cat_view *c = &w->cat;
	uint32_t weight_ppm[INGEST_MAX];

	if (p->service >= c->n_service_plays || p->group >= c->n_groups)
		return 0;
	world_ingest_weights(w, p->service, p->group, weight_ppm);
	for (uint32_t i = 0; i < c->service_plays[p->service].ingests.count; i++)
		if (str_eq(name,
			    cat_text(c, c->ingests[c->service_plays[p->service].ingests.first + i]
						.name)))
			return weight_ppm[i];
	return 0;
}

static void put_sum(
	const struct control_call *call, cJSON *row, const struct sum *s, enum quality_by by)
{
	const struct world *w = call->view->world;
	struct str name = name_of(call->view->facts, s->first);

	control_put_str(row, "service", cat_text(&w->cat, w->cat.services[s->first->service].name));
	control_put_str(row, "ingest", name);
	cJSON_AddStringToObject(row, by == BY_ISP ? "isp" : "group", s->key);
	control_put(row, "pushers", s->pushers);
	control_put(row, "voices", s->voices);
	control_put(row, "success", s->voices > 0 ? s->ok / s->voices : 1);
	if (s->frame_rates > 0)
		control_put(row, "frame_rate", s->fps / s->frame_rates);
	if (s->bitrates > 0)
		control_put(row, "mbps", s->mbps / s->bitrates);
	if (s->rtts > 0)
		control_put(row, "rtt_ms", s->rtt_ms / s->rtts);
	if (by == BY_GROUP)
		control_put(row, "weight", weight_of(w, s->first, name) / 1e6);
}

static bool is_asked(const struct control_call *call, const struct facts_push *p, struct str group)
{
	const char *name = control_arg(call, "ingest"), *groups = control_arg(call, "groups");
	const char *service = control_arg(call, "service");
	const struct cat_view *c = &call->view->world->cat;

	return (!name || glob_match(str_from(name), name_of(call->view->facts, p), false)) &&
	       (!service || str_eq_z(cat_text(c, c->services[p->service].name), service)) &&
	       (!groups || glob_group_match(str_from(groups), group));
}

static uint32_t sum_up(const struct control_call *call, enum quality_by by, struct sum *s)
{
	const struct facts_view *f = call->view->facts;
	const struct cat_view *c = &call->view->world->cat;
	uint32_t n = 0;

	for (uint32_t i = 0; i < f->n_pushes; i++) {
		const struct facts_push *p = &f->pushes[i];
		struct str group, key;
		char text[SL_MAX_NAME + 1];
		uint32_t k = 0;

		if (p->service >= c->n_services || p->group >= c->n_groups)
			continue;
		group = cat_text(c, c->groups[p->group].name);
		if (!is_asked(call, p, group))
			continue;
		key = control_quality_key(by, group, text, sizeof(text));
		while (k < n && !(s[k].first->service == p->service && str_eq_z(key, s[k].key) &&
					str_eq(name_of(f, s[k].first), name_of(f, p))))
			k++;
		if (k == SUMS_MAX)
			continue;
		if (k == n) {
			s[n++] = (struct sum){.first = p};
			(void)snprintf(s[k].key, sizeof(s[k].key), STR_FMT, STR_ARG(key));
		}
		add(&s[k], p);
	}
	return n;
}

int control_do_INGEST_SHOW(struct control_call *call)
{
	cJSON *list = cJSON_AddArrayToObject(call->out, "ingests");
	enum quality_by by = BY_GROUP;
	struct sum *s;
	uint32_t n;
	int rc = control_need_world(call);

	if (!rc)
		rc = control_quality_by(call, BY_GROUP, &by);
	if (!rc && by != BY_GROUP && by != BY_ISP)
		rc = err_set(&call->err, SL_EINVAL, "by: got %.32s, want group or isp",
			control_arg(call, "by"));
	if (rc || !call->view->facts)
		return rc;
	s = malloc(SUMS_MAX * sizeof(*s));
	if (!s)
		return err_set(&call->err, SL_ENOMEM, "out of memory");
	n = sum_up(call, by, s);
	for (uint32_t i = 0; i < n; i++)
		put_sum(call, control_add_row(list), &s[i], by);
	free(s);
	return 0;
}
