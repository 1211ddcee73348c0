/* SPDX-License-Identifier: Apache-2.0 */
/* What meter.c (when to ask) and meter_reply.c (what was said) share: one job per pulled meter, or
 * per meter and node. The sense thread's own. */
#pragma once

#include "base/os.h"
#include "sense/request.h"
#include "sense/sense_int.h"
#include "sense/series.h"

struct sense_host {
	char name[SL_MAX_NAME * 4];
	uint64_t free_ms;   /* mono: when the next request may go */
	uint64_t closed_ms; /* mono: it does not want to be asked before */
};

struct sense_job {
	struct sense_timer timer;
	struct sense_fetch fetch;
	struct sense_meters *m;
	const struct conf_vendor *vendor;
	const struct conf_meter *conf;
	const struct conf_node *node; /* NULL: the vendor's own */
	struct sense_api api;
	uint32_t index;            /* of its source */
	uint64_t slot_ms;          /* mono: reserved at its host; 0: none */
	uint64_t start_ms, end_ms; /* of this look */
	uint32_t page;
	char next[SENSE_MAX_TOKEN], cursor[SENSE_MAX_TOKEN];
	struct sense_points *points; /* of this look; NULL between looks */
	struct sense_points *tail;   /* of the looks before, where there is a cursor */
	char *reply;
	size_t reply_n, reply_room;
	bool too_long;
	struct curl_slist *headers;
	double counter, node_mbps;
	uint64_t counter_ms, node_ms; /* unix, 0: none */
	struct sense_job *group;      /* first of the meter's nodes */
	uint32_t n_group;             /* in the first: how many they are */
	uint64_t group_end_ms;        /* in the first: end of the last sum */
};

struct sense_meters {
	struct sense *s;
	struct sense_job *job;
	uint32_t n, running;
	struct sense_host *host;
	uint32_t n_hosts;
	struct sense_request request; /* the one that is being made */
};

static inline struct sense_source *sense_job_row(struct sense_job *j)
{
	return &j->m->s->source[j->index];
}

static inline void sense_job_lock(struct sense_job *j)
{
	(void)pthread_mutex_lock(&j->m->s->lock);
}

static inline void sense_job_unlock(struct sense_job *j)
{
	(void)pthread_mutex_unlock(&j->m->s->lock);
}

/* Frees what one look needs. */
void sense_job_end(struct sense_job *j) SL_NONNULL_ALL;

/* The next look, so much later. */
void sense_job_wait(struct sense_job *j, uint64_t ms) SL_NONNULL_ALL;

/* Ends a look that failed; the next one backs off, and is at least_ms away. */
void sense_job_fail(struct sense_job *j, enum sense_refusal why, uint64_t at_least_ms,
	const char *note) SL_NONNULL_ALL;

/* The host of this name, whose requests share one rate. */
struct sense_host *sense_job_host(struct sense_meters *m, const char *name) SL_NONNULL_ALL;

/* meter_reply.c: takes what comes (of libcurl), and what has come. */
size_t sense_job_data(char *data, size_t size, size_t n, void *ctx);
void sense_job_done(struct sense_fetch *f, CURLcode rc);
