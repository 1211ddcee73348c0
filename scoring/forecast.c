/* SPDX-License-Identifier: Apache-2.0 */
/* The forecast of one cell. */
#include "scoring/forecast.h"

struct forecast forecast_at(const struct meter *m, const struct ledger *l, uint32_t cell,
	uint64_t now_ms, double length_s, double unexplained)
{
	struct forecast f = {.ledger = ledger_load(l, cell),
		.unexplained = unexplained,
		.known = ledger_known(l, cell) || m->present,
		.metered = m->present};

	f.mbps = f.ledger + unexplained;
	if (m->present) {
		uint64_t age = now_ms > m->end_ms ? now_ms - m->end_ms : 0;

		f.meter = m->mbps;
		f.ledger_mean = ledger_mean(l, cell, m->start_ms, m->end_ms, &f.covered);
		f.survive = ledger_survive(age, length_s);
		f.mbps += f.survive * (f.meter - f.ledger_mean - unexplained);
	}
	if (!(f.mbps > 0))
		f.mbps = 0;
	return f;
}
