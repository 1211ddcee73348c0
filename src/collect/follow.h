/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Following CDN logs that lie on this machine: new lines as they are written, over rotation by
 * renaming (the old file is read to its end) and by copying and truncating. Positions are kept in a
 * file, so a restart goes on where it was; the lines of the last tenth of a second before a kill
 * may be lost. One thread owns it.
 */
#pragma once

#include "collect/cdnlog.h"

enum { COLLECT_MAX_FOLLOW = 32 };

struct collect_follow {
	const char *file;
	struct collect_log_format format; /* with its vendor */
};

struct collect_follower;

/* Files and state (the file of positions) are borrowed. A file that is not there yet is read from
 * its begin when it comes; one that is met for the first time from its end. Caller frees. */
int collect_follow_open(const struct collect_follow *files, uint32_t n, const char *state,
	struct collect_follower **ret_follower, struct errbuf *err) SL_NONNULL(1, 3, 4) SL_WUNUSED;
void collect_follow_close(struct collect_follower *f);

/* Waits at most timeout_ms for something to be written. */
void collect_follow_wait(struct collect_follower *f, int timeout_ms) SL_NONNULL_ALL;

/* Reads what is new, as far as the batch has room, and notes how far. The intake has a world. */
void collect_follow_round(
	struct collect_follower *f, struct collect_intake *in, uint64_t mono_ms) SL_NONNULL_ALL;
