/* SPDX-License-Identifier: Apache-2.0 */
/* The optimum's own run over one seed: what binds it where a vendor is or was drained. */
#include "base/os.h"
#include "sim/report_int.h"

#include <math.h>
#include <string.h>

/* What the optimum may have on a vendor that is or was drained: who sat there when that began and
 * has not left, and who came since it ended. By phase. */
struct bound {
	double before[SIM_MAX_GROUPS][PLANT_PHASES];
	double live[SIM_MAX_VENDORS][SIM_MAX_GROUPS][PLANT_PHASES];
	bool drained[SIM_MAX_VENDORS], ever[SIM_MAX_VENDORS];
	double most[SIM_MAX_VENDORS];
};

/* The part of the audience that sits on a vendor as the drain begins. */
static void begin_drain(struct bound *b, const struct plant *p, uint32_t v, const double *load)
{
	double all = 0;

	for (uint32_t u = 0; u < p->n_vendors; u++)
		all += load[u];
	for (uint32_t g = 0; g < p->n_groups; g++)
		for (uint32_t k = 0; k < PLANT_PHASES; k++)
			b->live[v][g][k] = all > 0 ? b->before[g][k] * load[v] / all : 0;
	b->ever[v] = true;
}

static void follow(struct bound *b, const struct plant *p, const double *load)
{
	for (uint32_t v = 0; v < p->n_vendors; v++) {
		if (p->drained[v] && !b->drained[v])
			begin_drain(b, p, v, load);
		b->drained[v] = p->drained[v];
		b->most[v] = b->ever[v] ? 0 : HUGE_VAL;
		for (uint32_t g = 0; b->ever[v] && g < p->n_groups; g++)
			for (uint32_t k = 0; k < PLANT_PHASES; k++) {
				double *n = &b->live[v][g][k], keep = p->phase_keep[k];

				*n *= keep;
				if (!p->drained[v])
					*n += p->would_be[g][k] - b->before[g][k] * keep;
				b->most[v] += *n * p->kbps[g] / 1000;
			}
	}
}

int report_run_optimum(const struct scenario *s, uint64_t seed, struct report_run *ret_run)
{
	static struct report_meter m;
	static struct bound b;
	struct scenario fluid = *s; /* it seats whom it likes: nobody asks */
	struct plant *p;
	uint64_t began = os_mono_ns();
	double load[SIM_MAX_VENDORS] = {0}, commit[SIM_MAX_VENDORS], quality = 1, n = 0;
	int rc;

	fluid.sessions = false;
	p = plant_new(&fluid, seed);
	rc = p ? 0 : SL_ENOMEM;
	memset(&m, 0, sizeof(m));
	memset(&b, 0, sizeof(b));
	m.fault_s = (double)NAN;
	while (rc == 0 && p->now_s < s->f.duration_s) {
		memcpy(b.before, p->would_be, sizeof(b.before));
		plant_begin(p);
		plant_end(p);
		follow(&b, p, load);
		if (p->now_s % REPORT_SAMPLE_S != 0)
			continue;
		rc = report_optimum(p, b.most, load, commit, &quality);
		if (p->now_s <= s->f.scheduler.warm_s)
			continue;
		report_observe_load(&m, p, load, commit);
		if (s->f.steady.to_s > s->f.steady.from_s && !report_in_steady(p))
			continue;
		m.good += quality;
		n++;
	}
	if (rc == 0) {
		m.served = n;
		m.burst *= REPORT_SAMPLE_S;
		report_figures(&m, p, NULL, ret_run);
		ret_run->figure[REPORT_over_mbps_s] *= REPORT_SAMPLE_S;
		ret_run->wall_ms = (double)(os_mono_ns() - began) / 1e6;
	}
	plant_free(p);
	return rc;
}
