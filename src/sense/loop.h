/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The loop of the sense thread: timers, descriptors, and transfers of libcurl, all in one epoll.
 * Everything here belongs to the thread that runs it. Knows nothing of what is asked for.
 */
#pragma once

#include <curl/curl.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"

struct sense_loop;

/* In its owner's storage, zeroed at first; set and cleared as often as wanted. */
struct sense_timer {
	void (*fire)(struct sense_timer *t);
	uint64_t due_ms; /* os_mono_ms */
	uint32_t place;  /* in the heap, from 1; 0: not set */
};

/* A descriptor that is looked at for reading. */
struct sense_io {
	void (*ready)(struct sense_io *io);
	int fd;
};

/* A transfer. The handle is the loop's; it is given back when done has returned. */
struct sense_fetch {
	void (*done)(struct sense_fetch *f, CURLcode rc);
	CURL *easy; /* NULL: not running */
};

int sense_loop_new(struct sense_loop **ret_loop, struct errbuf *err) SL_NONNULL(1) SL_WUNUSED;
void sense_loop_free(struct sense_loop *l);

/* Waits for events at most timeout_ms and serves them. */
void sense_loop_round(struct sense_loop *l, int timeout_ms) SL_NONNULL_ALL;

/* SL_ENOMEM when there is no room for one more; a timer that is set already moves. */
int sense_timer_set(struct sense_loop *l, struct sense_timer *t, uint64_t due_ms) SL_NONNULL_ALL;
void sense_timer_clear(struct sense_loop *l, struct sense_timer *t) SL_NONNULL_ALL;

int sense_io_add(struct sense_loop *l, struct sense_io *io) SL_NONNULL_ALL;
/* From now on it is looked at for writing instead, or for reading again. */
int sense_io_turn(struct sense_loop *l, struct sense_io *io, bool writing) SL_NONNULL_ALL;
void sense_io_remove(struct sense_loop *l, struct sense_io *io) SL_NONNULL_ALL;

/* A handle with the options that all transfers have, in f->easy; NULL when out of memory. No
 * redirect is followed and only HTTP is spoken. */
CURL *sense_fetch_take(struct sense_loop *l, struct sense_fetch *f) SL_NONNULL_ALL;

/* Starts it; done is called by a later round, never from within. */
int sense_fetch_start(struct sense_loop *l, struct sense_fetch *f) SL_NONNULL_ALL;

/* Gives the handle back without calling done. Fine when it is not running. */
void sense_fetch_stop(struct sense_loop *l, struct sense_fetch *f) SL_NONNULL_ALL;
