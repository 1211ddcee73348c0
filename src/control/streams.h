/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Streams that operators opened or changed at run time, as the store has them ("stream|SERVICE|
 * NAME"): what holds at one moment, over those of the catalogue file. Knows no transport.
 */
#pragma once

#include <cjson/cJSON.h>

#include "conf/conf.h"

struct control;

enum { STREAM_KEY = 2 * SL_MAX_NAME + 16 };

void control_stream_key(
	const char *service, const char *name, char ret_key[static STREAM_KEY]) SL_NONNULL_ALL;

/* Service and name of a key, into it; false when it is none of a stream. */
bool control_stream_of_key(
	const char *key, char ret_service[static SL_MAX_NAME + 1], const char **ret_name);

/*
 * The part of an entry that holds at now_ms: {"vendors":[...],"encrypted":bool,"ingest":text} or
 * {"gone":true}; NULL: what the catalogue file says. Before its ramp has come to this name, and
 * after until_ms, that is what was before. *ret_next_ms becomes the smaller of itself and when this
 * changes by time alone. Borrowed from the entry.
 */
const cJSON *control_stream_now(const cJSON *entry, const char *name, uint64_t now_ms,
	uint64_t *ret_next_ms) SL_NONNULL(2, 4);

/* Whether an entry is over: the key goes back to what was (ret_was NULL: it is taken away). */
bool control_stream_over(const cJSON *entry, uint64_t now_ms, const cJSON **ret_was)
	SL_NONNULL(1, 3);

/* All streams at one moment. */
struct control_streams {
	struct arena *arena;
	struct conf_stream *stream; /* in order of service and name */
	uint32_t n;
	uint32_t left_out; /* of operators' own: over the limit, or of what the file has no more */
	uint64_t next_ms;  /* when time alone changes it; UINT64_MAX: never */
};

/* Reads the state over conf; on failure what ret had stays. SL_ENOMEM. */
int control_streams_read(struct control *c, const struct conf *conf, uint64_t now_ms,
	struct control_streams *ret) SL_NONNULL(2, 4);
void control_streams_done(struct control_streams *s) SL_NONNULL_ALL;

/* The catalogue file's entry; NULL: none. Linear. */
const struct conf_stream *control_stream_in_file(
	const struct conf *conf, const char *service, const char *name) SL_NONNULL_ALL;
