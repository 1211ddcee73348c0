/* SPDX-License-Identifier: Apache-2.0 */
/* One policy over one seed, measured second by second. */
#include "base/glob.h"
#include "base/os.h"
#include "base/str.h"
#include "sim/report_int.h"

#include <math.h>
#include <string.h>

void report_quality(const struct plant *p, uint32_t group, double ret_q[static SIM_MAX_VENDORS])
{
	double best = 1e9;

	for (uint32_t v = 0; v < p->n_vendors; v++)
		best = fmin(best, p->truth[group][v].first_frame_ms);
	best = fmax(best, 200);
	for (uint32_t v = 0; v < p->n_vendors; v++) {
		const struct plant_truth *t = &p->truth[group][v];

		ret_q[v] = fmax(0.01, pow(t->success, 4) * pow(t->zero_stall, 2) *
					      sqrt(fmin(1, best / t->first_frame_ms)));
	}
}

bool report_in_steady(const struct plant *p)
{
	const struct scenario_span *s = &p->s->f.steady;

	return p->now_s >= s->from_s && p->now_s < s->to_s;
}

/* While pulls fail, and until breakers must have let back, commitments are not counted: what they
 * could hold is nobody's to say. */
static bool counts(const struct plant *p)
{
	for (uint32_t i = 0; i < p->s->f.events_count; i++) {
		const struct scenario_event *e = &p->s->f.events[i];

		if ((e->kind == SCENARIO_DOWN || e->kind == SCENARIO_STALL) &&
			p->now_s >= e->at_s && p->now_s < e->until_s + EXCUSE_S)
			return false;
	}
	return p->now_s % REPORT_SAMPLE_S == 0;
}

/* What a vendor's load fills of its commitment; by region as far as the region's own. */
static double filled(const struct plant *p, uint32_t v, uint32_t first_region, double commit)
{
	double open = 1 - p->s->f.scheduler.headroom, elsewhere = p->load[v], fill = 0;

	for (uint32_t i = 0; i < p->s->f.vendors[v].regions_count; i++) {
		uint32_t r = first_region + i;
		double load = p->region_load[r];

		fill += fmin(load, fmin(p->region_guaranteed[r], open * p->region_maximum[r]));
		elsewhere -= load;
	}
	return fmin(commit, fill + elsewhere);
}

/* What a vendor could still take under its commitment. */
static double unused_of(const struct plant *p, uint32_t v, uint32_t first_region, double most)
{
	double open = 1 - p->s->f.scheduler.headroom, area = 0, left = fmax(0, most - p->load[v]);
	uint32_t n = p->s->f.vendors[v].regions_count;

	for (uint32_t i = 0; i < n; i++) {
		uint32_t r = first_region + i;

		area += fmax(0, fmin(p->region_guaranteed[r], open * p->region_maximum[r]) -
					p->region_load[r]);
	}
	return p->drained[v] ? 0 : n ? fmin(area, left) : left;
}

static void observe_regions(struct report_meter *m, const struct plant *p)
{
	for (uint32_t r = 0; r < p->n_regions; r++) {
		double max = p->region_maximum[r];

		if (max > 0)
			m->overshoot = fmax(m->overshoot, p->region_load[r] / max);
		m->over_mbps_s += fmax(0, p->region_load[r] - max);
	}
}

/* commit: what of the load fills commitments; NULL: of the world itself. */
void report_observe_load(
	struct report_meter *m, const struct plant *p, const double *load, const double *commit)
{
	double open = 1 - p->s->f.scheduler.headroom, over = 0, unused = 0, guaranteed = 0;

	for (uint32_t v = 0, r = 0; v < p->n_vendors; v++) {
		double most = fmin(p->guaranteed[v], open * p->maximum[v]);
		double fill = commit ? commit[v] : filled(p, v, r, most);

		if (p->maximum[v] > 0)
			m->overshoot = fmax(m->overshoot, load[v] / p->maximum[v]);
		m->over_mbps_s += fmax(0, load[v] - p->maximum[v]);
		over += fmax(0, load[v] - p->guaranteed[v]);
		unused += commit ? most - fill : unused_of(p, v, r, most);
		guaranteed += p->guaranteed[v];
		if (counts(p))
			m->commit += fill;
		r += p->s->f.vendors[v].regions_count;
	}
	if (!commit)
		observe_regions(m, p);
	if (guaranteed > 0)
		m->burst += fmin(over, unused) / guaranteed /
			    (p->s->f.duration_s - p->s->f.scheduler.warm_s);
}

/* Mean quality of the seated audience, in the steady span where there is one. */
static void observe_quality(struct report_meter *m, const struct plant *p)
{
	const struct scenario_span *s = &p->s->f.steady;

	if ((s->to_s > s->from_s && !report_in_steady(p)) || p->now_s % REPORT_SAMPLE_S != 0)
		return;
	for (uint32_t g = 0; g < p->n_groups; g++) {
		double q[SIM_MAX_VENDORS];

		report_quality(p, g, q);
		for (uint32_t v = 0; v < p->n_vendors; v++) {
			double mbps = plant_live(p, g, v) * p->kbps[g];

			m->good += mbps * q[v];
			m->served += mbps;
		}
	}
}

static void observe_flips(
	struct report_meter *m, const struct plant *p, const struct policy *policy)
{
	const struct policy_decision *d = policy_decision(policy);
	bool sticky = !(p->s->f.audience.doors.http > 0), steady = report_in_steady(p);
	double flips = 0;

	for (uint32_t g = 0; g < p->n_groups; g++) {
		uint32_t now[SCORE_ROW];
		double half = 0;

		if (sticky)
			sticky_shares(&d->row[g].sticky, now);
		else
			memcpy(now, d->row[g].share, sizeof(now));
		for (uint32_t i = 0; i < SCORE_ROW; i++)
			half += fabs((double)now[i] - m->share[g][i]) / SCORE_PPM / 2;
		flips += half * p->part[g];
		for (uint32_t i = 0; i < SCORE_ROW; i++)
			m->share[g][i] = now[i];
	}
	if (steady && m->steady_s++)
		m->flips += flips;
}

/* From the first fault to where its vendors get a hundredth of what they got before. */
static void observe_shift(
	struct report_meter *m, const struct plant *p, const struct policy_trace *t)
{
	double now = 0, asked = 0;
	bool any = false;

	for (uint32_t g = 0; g < p->n_groups; g++) {
		double all = 0;
		bool here = false;

		for (uint32_t v = 0; v < p->n_vendors; v++)
			all += t->dispatched[g][v];
		for (uint32_t v = 0; v < p->n_vendors; v++) {
			if (!m->fault[g][v])
				continue;
			here = any = true;
			now += t->dispatched[g][v];
		}
		asked += here ? all : 0;
	}
	if (!any || !(asked > 0))
		return;
	if (p->now_s < m->fault_s) {
		m->before += (now / asked - m->before) / fmin(30, ++m->before_n);
		return;
	}
	if (!isnan(m->shift_s))
		return;
	m->quiet = now / asked <= 0.01 * m->before ? m->quiet + 1 : 0;
	if (m->quiet == 3)
		m->shift_s = p->now_s - m->fault_s - 2;
}

void report_mark(const struct plant *p, const struct scenario_event *e,
	bool ret_mark[SIM_MAX_GROUPS][SIM_MAX_VENDORS])
{
	for (uint32_t g = 0; g < p->n_groups; g++)
		for (uint32_t v = 0; v < p->n_vendors; v++)
			ret_mark[g][v] = glob_match(str_from(e->vendor),
						 str_from(p->s->f.vendors[v].name), false) &&
					 glob_group_match(str_from(e->groups),
						 str_from(p->s->f.audience.groups[g].name));
}

/* Which cells the first fault of the scenario hits, and when. */
static void find_fault(struct report_meter *m, struct plant *p)
{
	m->fault_s = m->shift_s = (double)NAN;
	for (uint32_t i = 0; i < p->s->f.events_count; i++) {
		const struct scenario_event *e = &p->s->f.events[i];

		if (e->kind != SCENARIO_DOWN && e->kind != SCENARIO_STALL)
			continue;
		m->fault_s = ceil(e->at_s);
		report_mark(p, e, m->fault);
		return;
	}
}

/* Seconds x cells that are kept from serving though nothing is wrong with them. */
static void observe_trips(
	struct report_meter *m, const struct plant *p, const struct policy *policy)
{
	const struct policy_decision *d = policy_decision(policy);

	for (uint32_t g = 0; g < p->n_groups; g++)
		for (uint32_t v = 0; v < p->n_vendors; v++) {
			if (plant_faulty(p, g, v) || p->drained[v])
				m->excused_s[g][v] = p->now_s + EXCUSE_S;
			if (!(d->row[g].seated >> v & 1) && p->now_s >= m->excused_s[g][v])
				m->false_trips++;
		}
}

/* Mean share of each vendor before and during forged reports. */
static void observe_forged(
	struct report_meter *m, const struct plant *p, const struct policy *policy)
{
	const struct policy_decision *d = policy_decision(policy);

	for (uint32_t i = 0; i < p->s->f.events_count; i++) {
		const struct scenario_event *e = &p->s->f.events[i];
		int when;

		if (e->kind != SCENARIO_FORGED && e->kind != SCENARIO_FORGED_PLAUSIBLE)
			continue;
		if (p->now_s >= e->at_s - 120 && p->now_s < e->at_s)
			when = 0;
		else if (p->now_s >= e->at_s + 60 && p->now_s < e->until_s)
			when = 1;
		else
			continue;
		m->forged_s[when]++;
		for (uint32_t g = 0; g < p->n_groups; g++)
			for (uint32_t v = 0; v < p->n_vendors; v++)
				m->forged[when][v] += p->part[g] * d->row[g].share[v] / SCORE_PPM;
	}
}

/* Sessions of a second of the fluid, one by one, as workers in turn pick them in sequence: the code
 * that answers by the shares of this tick. */
static void observe_ratio(
	struct report_meter *m, const struct plant *p, const struct policy *policy)
{
	const struct policy_decision *d = policy_decision(policy);
	double most = fmin(REPORT_RATIO_SECOND, REPORT_RATIO_RUN / (double)p->s->f.duration_s);

	for (uint32_t g = 0; !policy_ratio(policy) && g < p->n_groups; g++) {
		const uint32_t *share = d->row[g].share;
		double now = fmin(p->fresh[g][PLANT_HTTP], most) + m->carry[g];
		uint32_t n = (uint32_t)now;
		struct policy_ratio_row row;

		m->carry[g] = now - n;
		policy_ratio_row(share, UINT32_MAX, &row);
		for (uint32_t i = 0; i < n; i++) {
			uint32_t worker = (uint32_t)m->ratio.n[g] % POLICY_WORKERS;

			policy_ratio_add(&m->ratio, worker, g, &row,
				pick_next(&m->seq[worker][g], share, row.slots));
		}
	}
	policy_ratio_look(&m->ratio, p->n_groups);
}

static void ratio_figures(
	const struct report_meter *m, const struct policy *policy, struct report_run *r)
{
	const struct policy_ratio *ratio = policy ? policy_ratio(policy) : NULL;

	if (!ratio)
		ratio = &m->ratio;
	if (!ratio->reached[0])
		return;
	r->figure[REPORT_ratio_error] = ratio->group_off[0];
	if (ratio->reached[1])
		r->figure[REPORT_ratio_error_1e6] = ratio->group_off[1];
	r->figure[REPORT_sequence_off] = ratio->sequence_off;
}

static void observe_forecast(
	struct report_meter *m, const struct plant *p, const struct policy *policy)
{
	for (uint32_t v = 0; v < p->n_vendors; v++) {
		double f;

		if (!policy_forecast(policy, v, &f) || p->now_s < p->s->f.scheduler.warm_s + 60 ||
			!(p->load[v] > 0.05 * p->maximum[v]))
			continue;
		m->error += (f / p->load[v] - 1) * (f / p->load[v] - 1);
		m->error_n++;
	}
}

static void observe(struct report_meter *m, struct plant *p, const struct policy *policy,
	const struct policy_trace *t)
{
	report_observe_load(m, p, p->load, NULL);
	observe_quality(m, p);
	observe_flips(m, p, policy);
	observe_shift(m, p, t);
	observe_trips(m, p, policy);
	observe_ratio(m, p, policy);
	observe_forged(m, p, policy);
	m->moved += t->moved - t->moved_with_cause;
	m->asked += t->asked;
	m->refused += t->refused;
	for (uint32_t g = 0; g < p->n_groups; g++)
		for (uint32_t v = 0; v < p->n_vendors; v++)
			m->sessions_s += plant_live(p, g, v);
}

static double forged_shift(const struct report_meter *m, const struct plant *p)
{
	double worst = 0;

	if (m->forged_s[0] == 0 || m->forged_s[1] == 0)
		return (double)NAN;
	for (uint32_t v = 0; v < p->n_vendors; v++)
		worst = fmax(worst,
			fabs(m->forged[1][v] / m->forged_s[1] - m->forged[0][v] / m->forged_s[0]));
	return worst;
}

/* policy: NULL for the optimum. */
void report_figures(const struct report_meter *m, const struct plant *p,
	const struct policy *policy, struct report_run *r)
{
	for (uint32_t i = 0; i < REPORT_FIGURES; i++)
		r->figure[i] = (double)NAN;
	r->commit_mbps_s = m->commit;
	r->quality = m->served > 0 ? m->good / m->served : (double)NAN;
	r->figure[REPORT_overshoot] = m->overshoot;
	r->figure[REPORT_over_mbps_s] = m->over_mbps_s;
	r->figure[REPORT_avoidable_burst] = m->burst;
	r->figure[REPORT_churn] = m->sessions_s > 0 ? m->moved / m->sessions_s * 60000 : 0;
	if (m->steady_s > 1)
		r->figure[REPORT_flips] = m->flips / (m->steady_s - 1);
	if (!isnan(m->fault_s))
		r->figure[REPORT_shift_time_s] = isnan(m->shift_s) ? HUGE_VAL : m->shift_s;
	r->figure[REPORT_refused] = m->asked > 0 ? m->refused / m->asked : 0;
	r->figure[REPORT_false_trips] = m->false_trips;
	r->figure[REPORT_share_shift] = forged_shift(m, p);
	ratio_figures(m, policy, r);
	if (m->error_n > 0)
		r->figure[REPORT_forecast_error] = sqrt(m->error / m->error_n);
}

static void trace_second(
	FILE *to, const struct plant *p, const struct policy *policy, const struct policy_trace *t)
{
	const struct policy_decision *d = policy_decision(policy);
	double all = 0, users = 0, stalled = 0;

	for (uint32_t g = 0; g < p->n_groups; g++)
		for (uint32_t v = 0; v < p->n_vendors; v++) {
			all += t->dispatched[g][v];
			users += plant_live(p, g, v);
			stalled += plant_live(p, g, v) * (1 - p->truth[g][v].zero_stall);
		}
	fprintf(to, "%u", p->now_s - p->s->f.scheduler.warm_s);
	for (uint32_t v = 0; v < p->n_vendors; v++) {
		double share = 0, f = 0;

		for (uint32_t g = 0; g < p->n_groups; g++)
			share += p->part[g] * d->row[g].share[v] / SCORE_PPM;
		(void)policy_forecast(policy, v, &f);
		fprintf(to, " %.0f %.0f %.0f %.6f %.0f", p->load[v], p->guaranteed[v],
			p->maximum[v], share, f);
	}
	fprintf(to, " %.6f %.1f %.1f\n", users > 0 ? stalled / users : 0, all, t->refused);
}

int report_run(const struct scenario *s, enum policy_kind kind, uint64_t seed, FILE *trace,
	struct report_run *ret_run)
{
	static struct report_meter m; /* large; this program has one thread */
	static struct policy_trace t;
	struct plant *p = plant_new(s, seed);
	struct policy *policy = p ? policy_new(kind, p) : NULL;
	uint64_t began = os_mono_ns();
	bool was_down = false;

	if (!p || !policy) {
		plant_free(p);
		return SL_ENOMEM;
	}
	memset(&m, 0, sizeof(m));
	find_fault(&m, p);
	while (p->now_s < s->f.duration_s) {
		plant_begin(p);
		observe_forecast(&m, p, policy);
		if (was_down && !p->scheduler_down)
			policy_restart(policy);
		was_down = p->scheduler_down;
		if (!was_down)
			policy_tick(policy);
		policy_doors(policy, p, &t);
		plant_end(p);
		if (p->now_s <= s->f.scheduler.warm_s)
			continue;
		observe(&m, p, policy, &t);
		if (trace)
			trace_second(trace, p, policy, &t);
	}
	report_figures(&m, p, policy, ret_run);
	ret_run->wall_ms = (double)(os_mono_ns() - began) / 1e6;
	policy_free(policy);
	plant_free(p);
	return 0;
}
