/* SPDX-License-Identifier: Apache-2.0 */
/* Reports in, qualities and breakers out: windows and levels as the daemon keeps them. */
#include "sim/policy_int.h"

#include <math.h>
#include <string.h>

void policy_sense_init(struct policy *p)
{
	struct policy_sense *s = &p->sense;
	const struct scenario_group *g = p->world->s->f.audience.groups;

	s->params = (struct quality_params)QUALITY_PARAMS_DEFAULT;
	for (uint32_t i = 0; i < p->world->n_groups; i++) {
		const char *isp = strrchr(g[i].name, '/');
		uint16_t k = 0;

		for (; k < i; k++) {
			const char *other = strrchr(g[k].name, '/');

			if (isp && other && strcmp(isp, other) == 0)
				break;
		}
		s->isp[i] = k;
	}
}

static struct quality_facts facts_of(const struct plant_facts *f)
{
	return (struct quality_facts){.pulls = f->pulls,
		.ok = f->ok,
		.frames = f->frames,
		.frame_ms = f->frame_ms,
		.users = f->users,
		.stalled = f->stalled};
}

/* The 5 s that end now. */
static struct quality_facts window(const struct policy_sense *s, uint32_t g, uint32_t v)
{
	struct quality_facts w = {0};

	for (uint32_t i = 0; i < POLICY_WINDOW_S; i++) {
		const struct plant_facts *f = &s->ring[i][g][v];

		w.pulls += f->pulls;
		w.ok += f->ok;
		w.frames += f->frames;
		w.frame_ms += f->frame_ms * f->frames;
	}
	w.frame_ms = w.frames > 0 ? w.frame_ms / w.frames : 0;
	w.users = s->ring[s->at][g][v].users;
	w.stalled = s->ring[s->at][g][v].stalled;
	return w;
}

/* What one /24 says counts as far as collect lets one place speak: 256 pulls in 5 s and 256 users
 * in a minute, or two in a hundred. */
static void take_net(struct plant_facts *f)
{
	double pulls = fmin(f->net_pulls, fmax(256.0 / POLICY_WINDOW_S, 0.02 * f->pulls));
	double users = fmin(f->net_users, fmax(256, 0.02 * f->users));

	f->pulls += pulls;
	f->users += users;
	f->stalled += users;
}

static void count(struct policy *p)
{
	struct policy_sense *s = &p->sense;
	const struct plant *w = p->world;

	s->at = (s->at + 1) % POLICY_WINDOW_S;
	memcpy(s->ring[s->at], w->facts, sizeof(w->facts));
	for (uint32_t g = 0; g < w->n_groups; g++)
		for (uint32_t v = 0; v < w->n_vendors; v++)
			take_net(&s->ring[s->at][g][v]);
	for (uint32_t v = 0; v < w->n_vendors; v++) {
		quality_fade(&s->vendor[v], &s->params, 1);
		for (uint32_t g = 0; g < w->n_groups; g++)
			quality_fade(&s->carrier[g][v], &s->params, 1);
		for (uint32_t g = 0; g < w->n_groups; g++) {
			struct quality_facts f = facts_of(&s->ring[s->at][g][v]);

			quality_fade(&s->group[g][v], &s->params, 1);
			quality_add(&s->vendor[v], &f, 1);
			quality_add(&s->carrier[s->isp[g]][v], &f, 1);
			quality_add(&s->group[g][v], &f, 1);
		}
	}
}

static void judge(struct policy *p, uint32_t g, const struct quality_estimate *e,
	struct breaker_region *region)
{
	static const struct breaker_params params = BREAKER_PARAMS_DEFAULT;
	struct policy_sense *s = &p->sense;
	struct breaker_in in[SL_MAX_SLOTS];
	struct breaker_event event[SL_MAX_SLOTS];
	uint32_t n = p->world->n_vendors, events;

	for (uint32_t v = 0; v < n; v++)
		in[v] = (struct breaker_in){
			.usable = !p->world->drained[v] && p->world->maximum[v] > 0,
			.window = window(s, g, v),
			.estimate = e[v],
			.audience_mbps = p->world->facts[g][v].live_mbps};
	events = breaker_tick(&params, s->breaker[g], in, n, region, p->now_ms, event);
	for (uint32_t i = 0; i < events; i++)
		s->trips += event[i].to == BREAKER_OPEN && event[i].from != BREAKER_OPEN;
	for (uint32_t v = 0; v < n; v++)
		s->withheld[g][v] =
			SCORE_PPM - breaker_allows_ppm(&s->breaker[g][v], &in[v], p->now_ms);
}

/* What the guards look at, in reported load: the whole audience is one region. */
static struct breaker_region region_of(const struct policy *p)
{
	const struct plant *w = p->world;
	struct breaker_region r = {0};

	for (uint32_t g = 0; g < w->n_groups; g++) {
		bool out = false;

		for (uint32_t v = 0; v < w->n_vendors; v++) {
			r.audience_mbps += w->facts[g][v].live_mbps;
			if (p->sense.breaker[g][v].state == BREAKER_OPEN) {
				r.out_mbps += w->facts[g][v].live_mbps;
				out = true;
			}
		}
		r.groups_out += out;
	}
	for (uint32_t v = 0; v < w->n_vendors; v++)
		r.room_mbps += p->vendor_out[v].room_total_mbps * w->s->f.audience.reports;
	return r;
}

void policy_sense_tick(struct policy *p)
{
	struct policy_sense *s = &p->sense;
	struct breaker_region region = region_of(p);
	struct quality_estimate vendor[SIM_MAX_VENDORS];
	uint32_t n = p->world->n_vendors;

	count(p);
	for (uint32_t v = 0; v < n; v++)
		vendor[v] = quality_shrink(&s->params, &s->vendor[v], NULL);
	for (uint32_t g = 0; g < p->world->n_groups; g++) {
		struct quality_estimate e[SIM_MAX_VENDORS];

		for (uint32_t v = 0; v < n; v++) {
			struct quality_estimate carrier =
				quality_shrink(&s->params, &s->carrier[s->isp[g]][v], &vendor[v]);

			e[v] = quality_shrink(&s->params, &s->group[g][v], &carrier);
		}
		quality_of_group(&s->params, e, n, s->quality[g]);
		judge(p, g, e, &region);
	}
}
