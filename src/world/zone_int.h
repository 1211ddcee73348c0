/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by the reader of zone files (zone_read.c) and the builder (zone.c). */
#pragma once

#include "base/arena.h"
#include "world/catalogue.h"
#include "world/zone.h"

/* One record of a file; owner in lower-case wire form, body = type, class, TTL, length, data. */
struct zone_rec {
	const uint8_t *owner, *body; /* owned by the arena */
	uint32_t owner_n, body_n;
	uint32_t zone, file; /* whose name it is; whose file it stands in */
	uint32_t line, ttl_s;
	uint16_t type;
};

struct zone_name {
	const uint8_t *wire;
	uint32_t n;
	uint32_t zone;
	uint32_t kind; /* enum cat_dname_kind */
	uint32_t service;
	uint32_t first, count; /* of recs */
	uint32_t dname;        /* index in the blob; BLOB_NONE for what lies below a cut */
};

struct zone_apex {
	uint8_t wire[SL_DNS_NAME_MAX];
	uint32_t n;
};

struct zone_build {
	struct arena *arena;
	struct errbuf *err;
	struct blob_writer *w;
	const struct zone_input *in;
	struct zone_apex *apex;
	uint32_t n_zones;
	struct zone_rec *rec;
	uint32_t n_rec, room_rec;
	struct zone_name *name;
	uint32_t n_name, room_name;
	uint32_t *index; /* open addressing over name, by hash; + 1, 0 is free */
	uint32_t n_index;
};

enum { ZONE_BODY_RDATA = 10 };

/* Record types this part has to know by number. */
enum {
	ZONE_A = 1,
	ZONE_NS = 2,
	ZONE_CNAME = 5,
	ZONE_SOA = 6,
	ZONE_TXT = 16,
	ZONE_AAAA = 28,
	ZONE_DNAME = 39,
	ZONE_DS = 43,
};

static inline int zone_no_memory(const struct zone_build *b)
{
	(void)err_set(b->err, SL_ENOMEM, "zones: out of memory");
	return SL_ENOMEM;
}

/* "FILE:LINE: name: what" */
int zone_fail_rec(struct zone_build *b, const struct zone_rec *r, const char *what);

/* NULL when it is not there. */
struct zone_name *zone_find_name(struct zone_build *b, const uint8_t *wire, uint32_t n);

/* The name that an NS or CNAME record leads to, where it is one of these zones; or NULL. */
struct zone_name *zone_find_target(struct zone_build *b, const struct zone_rec *r);

/* The first record of a type at a name, or NULL. */
const struct zone_rec *zone_find_rec(
	const struct zone_build *b, const struct zone_name *d, uint16_t type);

/* The cut that a name lies below, or NULL. */
const struct zone_name *zone_cut_above(
	struct zone_build *b, const uint8_t *wire, uint32_t n, uint32_t zone);

bool zone_is_apex(const struct zone_build *b, const struct zone_name *d);

/* Lays everything down in the writer (zone_put.c). */
int zone_put(struct zone_build *b, const struct zone_host *hosts, uint32_t n_hosts,
	uint32_t *ret_max_labels) SL_WUNUSED;

/* Appends the records of input i. */
int zone_read(struct zone_build *b, uint32_t i) SL_WUNUSED;

/* The zone with the longest apex around a name, or BLOB_NONE. */
uint32_t zone_of(const struct zone_build *b, const uint8_t *wire, uint32_t n);

/* Text of a name for messages; ret holds 4 * SL_DNS_NAME_MAX. */
const char *zone_name_text(const uint8_t *wire, char *ret);
