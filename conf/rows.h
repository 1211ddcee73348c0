/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The rows of sluice.def and catalog.def as tables, for the files of conf/ that walk them:
 * checking, defaults, decoding, dump, manual page.
 *
 * Columns of ROW(struct, key, kind, of, min, max, default, unit, documentation):
 *   kind     TEXT TEXTS U32 I32 U32S NUM MBPS BOOL ENUM DAYS CLOCK ADDRS PREFIXES MAP MAPS
 *   of       what a text must look like (CONF_TEXT_*), which CONF_*_MAP, or which structure
 *   min, max of a number its value, of a text its octets, of a list its entries
 *   default  text, entries of a list divided by spaces; NULL: must be given; "": may be absent
 */
#pragma once

#include "conf/conf.h"

enum conf_kind {
	CONF_KIND_TEXT,
	CONF_KIND_TEXTS,
	CONF_KIND_U32,
	CONF_KIND_I32,
	CONF_KIND_U32S,
	CONF_KIND_NUM,
	CONF_KIND_MBPS,
	CONF_KIND_BOOL,
	CONF_KIND_ENUM,
	CONF_KIND_DAYS,
	CONF_KIND_CLOCK,
	CONF_KIND_ADDRS,
	CONF_KIND_PREFIXES,
	CONF_KIND_MAP,
	CONF_KIND_MAPS,
};

/* id, what is wanted in the words of a refusal. text.c has the checks. */
#define CONF_TEXT_MAP(X)                                                                           \
	X(NAME, "a name of letters, digits, dot, dash and underscore")                             \
	X(COMPONENT, "a name of small letters, digits and dash")                                   \
	X(GROUP, "a group name like CN/GD/telecom")                                                \
	X(GROUPS, "a pattern of group names like CN/GD/*")                                         \
	X(PATTERN, "printable text, * for any run of characters")                                  \
	X(STREAM, "printable text without spaces and quotes")                                      \
	X(HOST, "a host name")                                                                     \
	X(PATH, "a path")                                                                          \
	X(COUNTRY, "a country as two capital letters")                                             \
	X(ADDRPORT, "ADDR:PORT, [ADDR]:PORT or PORT")                                              \
	X(IPV4, "an IPv4 address")                                                                 \
	X(IPV6, "an IPv6 address")                                                                 \
	X(PREFIX, "a prefix ADDR/LEN with the host bits zero")                                     \
	X(CLOCK, "a time HH:MM from 00:00 to 24:00")

enum conf_text {
#define X(id, want) CONF_TEXT_##id,
	CONF_TEXT_MAP(X)
#undef X
};

struct conf_words {
	const char *const *v;
	uint32_t n;
};

struct conf_type;

struct conf_row {
	const char *key;
	enum conf_kind kind;
	enum conf_text text;            /* texts and what is decoded from them */
	const struct conf_words *words; /* ENUM, DAYS */
	const struct conf_type *type;   /* MAP, MAPS */
	uint32_t offset;  /* of the value; of the texts where there is a decoded one */
	uint32_t decoded; /* CLOCK, ADDRS, PREFIXES: of the decoded value */
	uint32_t count;   /* lists: of the number of entries */
	bool at_start;    /* START: a reload does not apply it */
	double min, max;
	const char *dflt;
	const char *unit, *doc;
};

struct conf_type {
	const char *name, *doc;
	const struct conf_row *rows;
	uint32_t row_count, size;
};

/* conf_type_conf_sluice, conf_type_conf_catalog and those within. */
#define BEGIN(s, doc) extern const struct conf_type conf_type_##s;
#define ROW(s, f, kind, of, min, max, dflt, unit, doc)
#define START(...) ROW(__VA_ARGS__)
#define END(s)
#include "conf/sluice.def"

#include "conf/catalog.def"
#undef BEGIN
#undef ROW
#undef START
#undef END

/* Whether the value is a YAML list. */
static inline bool conf_kind_is_list(enum conf_kind k)
{
	return k == CONF_KIND_TEXTS || k == CONF_KIND_U32S || k == CONF_KIND_DAYS ||
	       k == CONF_KIND_ADDRS || k == CONF_KIND_PREFIXES || k == CONF_KIND_MAPS;
}
