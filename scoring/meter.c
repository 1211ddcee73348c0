/* SPDX-License-Identifier: Apache-2.0 */
/* Windowed meters: what a vendor's figures may do wrong, bounded and counted. */
#include "scoring/meter.h"

#include <math.h>

const char *meter_verdict_text(uint32_t verdict)
{
	static const char *const text[] = {
#define X(name, taken, text) [name] = (text),
		METER_VERDICT_MAP(X)
#undef X
	};

	return verdict < METER_VERDICTS ? text[verdict] : "?";
}

bool meter_verdict_taken(uint32_t verdict)
{
	static const bool taken[] = {
#define X(name, taken, text) [name] = (taken),
		METER_VERDICT_MAP(X)
#undef X
	};

	return verdict < METER_VERDICTS && taken[verdict];
}

/* The clock was set back: what is known keeps its age, or nothing new would be in order. */
static void follow_clock(struct meter *m, uint64_t now_ms)
{
	uint64_t by = m->received_ms > now_ms ? m->received_ms - now_ms : 0;

	m->received_ms -= by;
	m->start_ms = m->start_ms > by ? m->start_ms - by : 0;
	m->end_ms = m->end_ms > by ? m->end_ms - by : 0;
}

void meter_clock_ahead(struct meter *m, uint64_t by_ms)
{
	if (!m->present)
		return;
	m->received_ms += by_ms;
	m->start_ms += by_ms;
	m->end_ms += by_ms;
}

static enum meter_verdict judge(const struct meter *m, const struct meter_limits *lim, double mbps,
	uint64_t start_ms, uint64_t end_ms, uint64_t now_ms, double max_mbps)
{
	if (mbps < 0)
		return METER_NEGATIVE;
	if (!isfinite(mbps) || mbps > max_mbps * lim->absurd_factor)
		return METER_ABSURD;
	if (end_ms <= start_ms || end_ms - start_ms > lim->max_window_ms)
		return METER_WINDOW;
	if (end_ms > now_ms + lim->future_ms)
		return METER_FUTURE;
	if (now_ms > end_ms && now_ms - end_ms > lim->keep_ms)
		return METER_STALE;
	if (m->present && start_ms == m->start_ms && end_ms == m->end_ms)
		return METER_REPEATED;
	if (m->present && end_ms <= m->end_ms)
		return METER_ORDER;
	return now_ms > end_ms && now_ms - end_ms > lim->late_ms ? METER_LATE : METER_OK;
}

enum meter_verdict meter_push(struct meter *m, const struct meter_limits *lim, double mbps,
	uint64_t start_ms, uint64_t end_ms, uint64_t now_ms, double max_mbps)
{
	enum meter_verdict v;

	follow_clock(m, now_ms);
	v = judge(m, lim, mbps, start_ms, end_ms, now_ms, max_mbps);
	m->count[v]++;
	if (!meter_verdict_taken(v))
		return v;
	m->mbps = mbps;
	m->start_ms = start_ms;
	m->end_ms = end_ms;
	m->received_ms = now_ms;
	m->present = 1;
	m->silent = 0;
	return v;
}

void meter_tick(struct meter *m, const struct meter_limits *lim, uint64_t now_ms)
{
	follow_clock(m, now_ms);
	if (!m->present)
		return;
	if (!m->silent && now_ms - m->received_ms > lim->silent_ms) {
		m->silent = 1;
		m->silences++;
	}
	if (now_ms > m->end_ms && now_ms - m->end_ms > lim->keep_ms)
		m->present = 0;
}
