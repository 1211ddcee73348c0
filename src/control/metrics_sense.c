/* SPDX-License-Identifier: Apache-2.0 */
/* /metrics of what is pulled and probed. Nodes are summed up: no label grows with them. */
#include "control/metrics.h"
#include "sense/sense.h"

#include <stdlib.h>
#include <string.h>

static bool same_meter(const struct sense_source *a, const struct sense_source *b)
{
	return strcmp(a->vendor, b->vendor) == 0 && strcmp(a->name, b->name) == 0;
}

/* From when on there is nothing good. */
static uint64_t unread_ms(const struct sense_source *s)
{
	return SL_MAX(s->good_ms, s->since_ms);
}

/* One sum per meter: the sources of its nodes lie side by side. */
static struct sense_source sum_of_meter(const struct sense_source *s, uint32_t n, uint32_t *at)
{
	struct sense_source sum = s[(*at)++];

	sum.good_ms = unread_ms(&sum);
	for (; *at < n && same_meter(&s[*at], &sum); (*at)++) {
		sum.good_ms = SL_MIN(sum.good_ms, unread_ms(&s[*at]));
		sum.taken += s[*at].taken;
		for (uint32_t r = 0; r < SENSE_REFUSALS; r++)
			sum.refused[r] += s[*at].refused[r];
	}
	return sum;
}

static void put_meter(
	FILE *out, enum control_metric id, const struct sense_source *m, uint64_t now_ms)
{
	if (id == METRIC_SOURCE_AGE && m->good_ms <= now_ms)
		control_metric(out, id, (double)(now_ms - m->good_ms) / 1e3, "vendor", m->vendor,
			"meter", m->name, NO_LABELS);
	if (id == METRIC_SOURCE_TAKEN)
		control_metric(out, id, (double)m->taken, "vendor", m->vendor, "meter", m->name,
			NO_LABELS);
	for (uint32_t r = 0; id == METRIC_SOURCE_REFUSED && r < SENSE_REFUSALS; r++)
		if (m->refused[r])
			control_metric(out, id, (double)m->refused[r], "vendor", m->vendor, "meter",
				m->name, "reason", sense_refusal_word(r), NO_LABELS);
}

static void put_meters(FILE *out, struct sense *sense, uint64_t now_ms)
{
	static const enum control_metric ids[] = {
		METRIC_SOURCE_AGE, METRIC_SOURCE_TAKEN, METRIC_SOURCE_REFUSED};
	uint32_t n;
	struct sense_source *s = sense_sources(sense, &n);

	for (size_t k = 0; n && k < SL_COUNT(ids); k++) {
		control_metric_head(out, ids[k]);
		for (uint32_t i = 0; i < n;) {
			struct sense_source m = sum_of_meter(s, n, &i);

			put_meter(out, ids[k], &m, now_ms);
		}
	}
	free(s);
}

static void put_probe(FILE *out, enum control_metric id, const struct sense_probe *p)
{
	for (uint8_t i = 0; id == METRIC_PROBE_TARGETS && i < SENSE_STATES; i++)
		control_metric(out, id, p->n[i], "probe", p->name, "state", sense_state_word(i),
			NO_LABELS);
	if (id == METRIC_PROBE_LOOKS)
		control_metric(out, id, (double)p->looks, "probe", p->name, NO_LABELS);
	for (uint32_t i = 0; id == METRIC_PROBE_BAD && i < SENSE_REFUSALS; i++)
		if (p->refused[i])
			control_metric(out, id, (double)p->refused[i], "probe", p->name, "reason",
				sense_refusal_word(i), NO_LABELS);
}

static void put_harvest(FILE *out, enum control_metric id, const struct sense_harvested *h,
	const struct sense_edges *e, uint32_t n, uint64_t now_ms)
{
	uint32_t fresh = 0, all = 0;

	for (uint32_t i = 0; id == METRIC_HARVEST_CELLS && i < n; i++)
		if (strcmp(e[i].vendor, h->vendor) == 0) {
			all++;
			fresh += SL_MAX(e[i].until_a_ms, e[i].until_aaaa_ms) > now_ms;
		}
	if (id == METRIC_HARVEST_CELLS) {
		control_metric(out, id, fresh, "vendor", h->vendor, "state", "fresh", NO_LABELS);
		control_metric(
			out, id, all - fresh, "vendor", h->vendor, "state", "none", NO_LABELS);
	}
	if (id == METRIC_HARVEST_QUERIES)
		control_metric(out, id, (double)h->queries, "vendor", h->vendor, NO_LABELS);
	if (id == METRIC_HARVEST_TAKEN)
		control_metric(out, id, (double)h->taken, "vendor", h->vendor, NO_LABELS);
	for (uint32_t r = 0; id == METRIC_HARVEST_REFUSED && r < SENSE_REFUSALS; r++)
		if (h->refused[r])
			control_metric(out, id, (double)h->refused[r], "vendor", h->vendor,
				"reason", sense_refusal_word(r), NO_LABELS);
}

static void put_harvests(FILE *out, struct sense *sense, uint64_t now_ms)
{
	static const enum control_metric ids[] = {METRIC_HARVEST_CELLS, METRIC_HARVEST_QUERIES,
		METRIC_HARVEST_TAKEN, METRIC_HARVEST_REFUSED};
	uint64_t version = UINT64_MAX;
	uint32_t n, n_edges = 0;
	struct sense_harvested *h = sense_harvests(sense, &n);
	struct sense_edges *e = n ? sense_harvest_edges(sense, &version, &n_edges) : NULL;

	for (size_t k = 0; n && k < SL_COUNT(ids); k++) {
		control_metric_head(out, ids[k]);
		for (uint32_t i = 0; i < n; i++)
			put_harvest(out, ids[k], &h[i], e, n_edges, now_ms);
	}
	free(h);
	free(e);
}

void control_metrics_sense(FILE *out, struct sense *sense, uint64_t now_ms)
{
	static const enum control_metric ids[] = {
		METRIC_PROBE_TARGETS, METRIC_PROBE_LOOKS, METRIC_PROBE_BAD};
	uint32_t n;
	struct sense_probe *p = sense_probes(sense, &n);

	put_meters(out, sense, now_ms);
	put_harvests(out, sense, now_ms);
	for (size_t k = 0; n && k < SL_COUNT(ids); k++) {
		control_metric_head(out, ids[k]);
		for (uint32_t i = 0; i < n; i++)
			put_probe(out, ids[k], &p[i]);
	}
	free(p);
}
