/* SPDX-License-Identifier: Apache-2.0 */
/* Reports in, facts out: the sliding minute and the last 5 s, as the daemon's collect makes them.
 */
#include "sim/policy_int.h"

#include <math.h>
#include <string.h>

/* What one /24 may say; of a vendor that is ill by itself collect lets less through
 * (docs/reports.md). */
enum { PER_NET = 256, MANY_NETS = 20, BAD_MORE = 6 };
#define BAD_PART 0.03

/* Groups of one province, and of one carrier: the first of them stands for all. */
void policy_sense_init(struct policy *p)
{
	const struct scenario_group *g = p->world->s->f.audience.groups;
	struct policy_sense *s = &p->l->sense;

	for (uint32_t i = 0; i < p->world->n_groups; i++) {
		const char *isp = strrchr(g[i].name, '/');
		size_t province = isp ? (size_t)(isp - g[i].name) : strlen(g[i].name);

		s->level[0][i] = s->level[1][i] = (uint16_t)i;
		for (uint32_t k = i; k-- > 0;) {
			const char *other = strrchr(g[k].name, '/');

			if (strncmp(g[k].name, g[i].name, province + 1) == 0)
				s->level[0][i] = (uint16_t)k;
			if (isp && other && strcmp(isp, other) == 0)
				s->level[1][i] = (uint16_t)k;
		}
	}
}

static void slide(
	struct policy_counts *sum, const struct policy_counts *in, const struct policy_counts *out)
{
	sum->pulls += in->pulls - out->pulls;
	sum->ok += in->ok - out->ok;
	sum->frames += in->frames - out->frames;
	sum->frames_ms = fmax(0, sum->frames_ms + in->frames_ms - out->frames_ms);
}

static struct quality_facts facts_of(const struct policy_counts *c)
{
	return (struct quality_facts){.pulls = c->pulls,
		.ok = c->ok,
		.frames = c->frames,
		.frame_ms = c->frames > 0 ? c->frames_ms / c->frames : 0};
}

/* What one /24 says counts as far as collect lets one place speak: little where many speak well. */
static double of_net(double said, double others, double others_bad, double per_s)
{
	if (others >= MANY_NETS && others_bad < BAD_PART * others)
		return fmin(said, BAD_MORE / 60.0);
	return fmin(said, fmax(per_s, 0.02 * others));
}

static void count(struct policy *p, uint32_t g, uint32_t v, struct loop_fact *ret)
{
	struct policy_sense *s = &p->l->sense;
	const struct plant_facts *f = &p->world->facts[g][v];
	struct policy_counts *now = &s->ring[s->at][g][v], out = *now;
	uint32_t left = (s->at + POLICY_MINUTE_S - POLICY_WINDOW_S) % POLICY_MINUTE_S;
	const struct policy_counts *m = &s->minute[g][v];
	double users = of_net(f->net_users, f->users, f->stalled, PER_NET);

	*now = (struct policy_counts){
		.pulls = f->pulls + of_net(f->net_pulls, m->pulls, m->pulls - m->ok, PER_NET / 5.0),
		.ok = f->ok,
		.frames = f->frames,
		.frames_ms = f->frames * f->frame_ms};
	slide(&s->minute[g][v], now, &out);
	slide(&s->window[g][v], now, &s->ring[left][g][v]);
	*ret = (struct loop_fact){.group = (uint16_t)g,
		.vendor = (uint16_t)v,
		.minute = facts_of(&s->minute[g][v]),
		.window = facts_of(&s->window[g][v]),
		.sessions = f->live,
		.mbps = f->live_mbps};
	ret->minute.users = ret->window.users = f->users + users;
	ret->minute.stalled = ret->window.stalled = f->stalled + users;
}

void policy_sense_tick(struct policy *p)
{
	struct policy_sense *s = &p->l->sense;
	struct loop_in *in = &p->l->in;

	s->at = (s->at + 1) % POLICY_MINUTE_S;
	in->n_facts = 0;
	for (uint32_t g = 0; g < p->world->n_groups; g++)
		for (uint32_t v = 0; v < p->world->n_vendors; v++)
			count(p, g, v, &s->fact[in->n_facts++]);
	in->fact = s->fact;
	in->level[0] = s->level[0];
	in->level[1] = s->level[1];
	in->sampled = 1;
	in->news = p->world->s->f.audience.reports > 0;
}
