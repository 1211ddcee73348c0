/* SPDX-License-Identifier: Apache-2.0 */
/* What the parts of the sense thread share. All of it is the thread's own, but for what is said to
 * be under the lock: that the control thread reads too (docs/concurrency.md). */
#pragma once

#include <pthread.h>

#include "conf/conf.h"
#include "sense/loop.h"
#include "sense/sense.h"
#include "world/keys.h"

struct sense_meters;
struct sense_probes;
struct sense_harvest;

struct sense {
	struct sense_loop *loop;
	pthread_t thread;
	bool running;
	struct sense_io wake;
	struct conf *conf;
	struct keys_file *keys;
	struct sense_meters *meters;
	struct sense_probes *probes;
	struct sense_harvest *harvest;
	bool edges_moved;   /* other addresses than the probes know */
	uint64_t probes_ms; /* mono: when the probes were listed */
	struct sense_group *group;
	uint32_t n_groups;

	pthread_mutex_t lock;
	/* under the lock */
	bool stop;
	struct conf *next_conf;
	struct keys_file *next_keys;
	struct sense_meter queue[SENSE_MAX_QUEUE]; /* a ring */
	uint32_t queue_first, queue_n;
	struct sense_source *source; /* written by the thread, read by both */
	uint32_t n_sources;
	struct sense_target *target; /* likewise */
	uint32_t n_targets;
	struct sense_probe *probe; /* likewise */
	uint32_t n_probes;
	struct sense_group *next_group;
	uint32_t n_next_groups;
	struct sense_edges *edges; /* likewise */
	uint32_t n_edges;
	uint64_t edges_version;            /* goes up with every change */
	struct sense_harvested *harvested; /* likewise */
	uint32_t n_harvested;
	char (*node)[SL_MAX_NAME + 1]; /* names of the configuration's */
	uint32_t n_nodes;
};

/* meter.c. The configuration and keys of s are those to go by; old (NULL: none) gives what it has
 * learned to sources that are the same, and is freed. NULL when out of memory. */
struct sense_meters *sense_meters_new(struct sense *s, struct sense_meters *old)
	SL_NONNULL(1) SL_WUNUSED;
void sense_meters_free(struct sense_meters *m);

/* targets.c, as meter.c. */
struct sense_probes *sense_probes_new(struct sense *s, struct sense_probes *old)
	SL_NONNULL(1) SL_WUNUSED;
void sense_probes_free(struct sense_probes *p);

/* harvest.c, as meter.c; goes by the groups of s too. */
struct sense_harvest *sense_harvest_new(struct sense *s, struct sense_harvest *old)
	SL_NONNULL(1) SL_WUNUSED;
void sense_harvest_free(struct sense_harvest *h);

/* A random number from 0 to n - 1. */
uint64_t sense_random(uint64_t n);
