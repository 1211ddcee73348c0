/* SPDX-License-Identifier: Apache-2.0 */
/* What one run is measured with. */
#pragma once

#include "scoring/pick.h"
#include "sim/report.h"

/* Where the audience is a fluid, at most so many of it are picked in a second and group, and spread
 * over a run: or a concert would take as long as every viewer. The figure after 10^6 is seen. */
enum { REPORT_RATIO_SECOND = 1000, REPORT_RATIO_RUN = 2000000 };

enum { REPORT_SAMPLE_S = 10 }; /* the optimum, and what is compared with it, so far apart */

enum { EXCUSE_S = 900 }; /* a vendor that failed may be kept out for so long */

struct report_meter {
	double overshoot, over_mbps_s, commit, burst, good, served, flips, moved, sessions_s;
	double asked, refused, false_trips, error, error_n;
	uint32_t steady_s;
	double share[SIM_MAX_GROUPS][SCORE_ROW];
	bool fault[SIM_MAX_GROUPS][SIM_MAX_VENDORS];
	double fault_s, shift_s, before, before_n;
	uint32_t quiet;
	double excused_s[SIM_MAX_GROUPS][SIM_MAX_VENDORS];
	double forged[2][SIM_MAX_VENDORS], forged_s[2];
	struct pick_seq seq[POLICY_WORKERS][SIM_MAX_GROUPS];
	struct policy_ratio ratio; /* of the picks; of single sessions the doors have their own */
	double carry[SIM_MAX_GROUPS];
};

void report_observe_load(
	struct report_meter *m, const struct plant *p, const double *load, const double *commit);

/* Marks the cells that an event hits. */
void report_mark(const struct plant *p, const struct scenario_event *e,
	bool ret_mark[SIM_MAX_GROUPS][SIM_MAX_VENDORS]);

/* Whether now is within the scenario's steady span. */
bool report_in_steady(const struct plant *p);

/* What was measured, as figures; policy NULL: the optimum's. */
void report_figures(const struct report_meter *m, const struct plant *p,
	const struct policy *policy, struct report_run *r);
