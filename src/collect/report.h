/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bodies of /v1/qos to checked reports: {"reports":[...]} or one report alone. Knows fields, types
 * and bounds (report.def); who sent it, where from and whether it is plausible is intake's. Pure.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/str.h"

enum {
	COLLECT_MAX_ITEMS = 10000,  /* reports, lines or events in one body */
	COLLECT_MAX_BODY = 4 << 20, /* octets */
	COLLECT_STALL_MS = 2000,    /* an empty buffer for so long is a stall (scoring.md 4) */
	COLLECT_STALL_MAX_MS = 3600000,
	COLLECT_FIRST_FRAME_MAX = 60000000, /* us; a slower start is a failed pull */
	COLLECT_WORDS = 32,                 /* ids of definitions, and of client kinds */
};

/* Ids of words.def: the place there plus 2. */
enum collect_word { COLLECT_WORD_NONE, COLLECT_WORD_OTHER, COLLECT_WORD_FIRST };

enum collect_refusal {
	COLLECT_ACCEPTED,
#define REFUSAL(id, word, text) COLLECT_##id,
#include "collect/report.def"
#undef REFUSAL
	COLLECT_REFUSALS
};

enum collect_field {
#define FIELD(name, type, min, max) COLLECT_F_##name,
#include "collect/report.def"
#undef FIELD
	COLLECT_FIELDS
};

/* One report. Texts point into the body, or into `scratch` where the body had escapes. */
struct collect_report {
	struct {
		struct str kind, session, user, stream, vendor, node, host, definition, client_kind,
			ip;
	} text;
	struct {
		double t_ms, first_frame_ms, bitrate_kbps, frame_rate, rtt_ms;
	} num;
	struct {
		bool ok, cache_hit;
	} flag;
	char scratch[1024];
	uint32_t scratch_used;
	uint32_t has;      /* bit per enum collect_field */
	uint32_t n_stalls; /* of COLLECT_STALL_MS or more */
	/* What only CMCD says, and /v1/qos leaves as it is here. */
	uint32_t stall_total_ms; /* UINT32_MAX: not said */
	bool state, starved;     /* the player told its state, which is standing still */
};

static inline bool collect_has(const struct collect_report *r, enum collect_field f)
{
	return r->has >> f & 1;
}

/* Whether a report says that it is of a pusher. */
static inline bool collect_is_push(const struct collect_report *r)
{
	return collect_has(r, COLLECT_F_kind) && str_eq(r->text.kind, STR_LIT("push"));
}

/* What became of one report; field is COLLECT_FIELDS when it is the report as a whole. */
struct collect_verdict {
	enum collect_refusal refusal;
	enum collect_field field;
};

/* Takes each report in order; may refuse a well-formed one. r is borrowed for the call. */
typedef struct collect_verdict collect_report_fn(void *ctx, const struct collect_report *r);

/* Hears of each refused report. */
typedef void collect_refused_fn(void *ctx, uint32_t index, struct collect_verdict v);

/* Parses a whole body; the number of reports it held (refused ones included). After a fault of
 * syntax the rest of the body is not read. */
uint32_t collect_report_parse(struct str body, collect_report_fn *take, collect_refused_fn *refused,
	void *ctx) SL_NONNULL(2, 3);

/* Id of a definition or a client kind; COLLECT_WORD_OTHER for one that words.def does not have,
 * COLLECT_WORD_NONE for an empty one. And its word, NULL for an id that is none. */
uint8_t collect_definition(struct str word) SL_PURE;
uint8_t collect_client(struct str word) SL_PURE;
const char *collect_definition_word(uint32_t id) SL_PURE;
const char *collect_client_word(uint32_t id) SL_PURE;

/* The word and text of a refusal, the name of a field (NULL for COLLECT_FIELDS). */
const char *collect_refusal_word(enum collect_refusal r) SL_PURE;
const char *collect_refusal_text(enum collect_refusal r) SL_PURE;
const char *collect_field_name(enum collect_field f) SL_PURE;
