/* SPDX-License-Identifier: Apache-2.0 */
/* What the routes of the reports listener see: one worker. */
#pragma once

#include "collect/collect.h"
#include "collect/intake.h"
#include "world/keys.h"

struct collect_worker {
	struct collect_intake intake;
	const struct keys_view *keys; /* of this round; NULL: none */
	const struct httpd_prefix *trusted;
	size_t n_trusted;
};

/* What a reply says of a body with items. */
struct collect_outcome {
	struct collect_worker *w;
	struct httpd_reply *rp;
	uint32_t refused, shown;
	char first[160]; /* text of the first refusal */
	enum collect_refusal first_why;
	struct buf items;
	uint8_t items_text[4096];
};

/* Prepares the intake for a request; false when the reply is made already: no world yet, a
 * signature or mark of a load test that does not fit, or the request is sampled away. */
bool collect_begin(struct collect_worker *w, enum collect_source source,
	const struct httpd_request *rq, struct httpd_reply *rp) SL_NONNULL_ALL;

/* admit.c: whether a request's signature and mark of a load test are good; else the reply is made.
 */
bool collect_admit(struct collect_worker *w, const struct httpd_request *rq,
	struct httpd_reply *rp) SL_NONNULL_ALL;

void collect_outcome_init(
	struct collect_outcome *o, struct collect_worker *w, struct httpd_reply *rp) SL_NONNULL_ALL;

/* Counts and notes a refused item; a collect_refused_fn with the outcome as ctx. */
void collect_outcome_refused(void *outcome, uint32_t index, struct collect_verdict v);

/* 200 {"accepted":N}, or 400 with what was refused: index, code, field and text of the first 16. */
void collect_outcome_reply(struct collect_outcome *o, uint32_t items) SL_NONNULL_ALL;

/* Handlers; ctx is the worker. */
httpd_handler collect_qos, collect_cmcd, collect_logs;
