/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a checked report to a record: names become ids, addresses groups, and what is implausible is
 * refused. One per worker thread; knows the world of the round and who sends, not how it came.
 */
#pragma once

#include "base/ip.h"
#include "collect/batch.h"
#include "world/world.h"

enum { COLLECT_TOLD = 1 << 14, COLLECT_VENDOR_SLOTS = 4096, COLLECT_INGEST_SLOTS = 8192 };

/* Who a request comes from. */
struct collect_sender {
	struct ip client;
	bool trusted; /* may name other addresses */
	uint32_t keep;
	uint64_t address, net; /* hashes */
	uint16_t group;
};

struct collect_intake {
	uint64_t seed;             /* of all hashes; the same in all workers */
	const struct world *world; /* of this round; NULL before the first */
	uint64_t now_ms;           /* unix */
	uint32_t keep_ppm;
	struct collect_batch *batch;
	struct collect_sender sender; /* of this request */
	enum collect_source source;
	bool test;          /* this request is of a load test */
	uint64_t catalogue; /* that the look-up below was made for */
	struct {
		uint64_t hash;
		uint32_t vendor; /* plus 1 */
	} vendor[COLLECT_VENDOR_SLOTS];
	struct {
		uint64_t hash;    /* of a name; and of a service and a name */
		uint32_t service; /* plus 1 */
		bool many;        /* several services have one of this name */
	} ingest[COLLECT_INGEST_SLOTS];
	uint64_t told[COLLECT_TOLD]; /* streams and ingests whose names the tick thread has */
	uint64_t told_ms;
};

/* At the start of a round. */
void collect_intake_round(struct collect_intake *in, const struct world *w, uint64_t now_ms,
	uint32_t keep_ppm) SL_NONNULL(1);

/* Before the reports of a request. trusted: the sender may speak for others. */
void collect_intake_begin(struct collect_intake *in, enum collect_source source, struct ip client,
	bool trusted) SL_NONNULL(1);

/* Whether all of this request is sampled away: no need to read it. Counted as one. */
bool collect_intake_shed(struct collect_intake *in) SL_NONNULL(1);

/* Of one report; a collect_report_fn. */
struct collect_verdict collect_intake_report(void *in, const struct collect_report *r);

/* A report or line that was refused before it came here. */
void collect_intake_refused(struct collect_intake *in, enum collect_refusal why) SL_NONNULL(1);

/* A CDN log line that has been read. */
struct collect_line {
	struct str vendor, client;
	double t_ms; /* unix */
	uint64_t octets;
	bool error, slow;
	uint32_t delay_min; /* how late it may be */
};

struct collect_verdict collect_intake_line(
	struct collect_intake *in, const struct collect_line *l) SL_NONNULL_ALL;
