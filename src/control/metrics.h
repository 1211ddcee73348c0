/* SPDX-License-Identifier: Apache-2.0 */
/* What the files that write /metrics share: rows of metrics.def in Prometheus' text format. */
#pragma once

#include "control/control_int.h"

enum control_metric {
#define METRIC(id, name, type, help) METRIC_##id,
#include "control/metrics.def"
#undef METRIC
};

#define NO_LABELS (const char *)NULL

/* The lines before the samples of a metric; once. */
void control_metric_head(FILE *out, enum control_metric id) SL_NONNULL_ALL;

/* One sample. labels: pairs of name and text, ended by NO_LABELS; texts are escaped. */
void control_metric(FILE *out, enum control_metric id, double v, ...) SL_NONNULL(1);

const char *control_metric_name(enum control_metric id);

/* s as a C string in buf, cut where it is too long; returns buf. */
const char *control_text_of(struct str s, char *buf, size_t size) SL_NONNULL(2);

/* Samples of the answer process. */
void control_metrics_answers(FILE *out, const struct engine_view *view,
	const struct control_tallies *t, uint64_t now_ms) SL_NONNULL_ALL;

/* Samples of what is pulled and probed. */
void control_metrics_sense(FILE *out, struct sense *sense, uint64_t now_ms) SL_NONNULL_ALL;

/* Samples of how the daemon itself does. */
void control_metrics_health(FILE *out, struct control *c, const struct engine_view *view,
	uint64_t now_ms) SL_NONNULL_ALL;
