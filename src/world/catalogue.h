/* SPDX-License-Identifier: Apache-2.0 */
/* The catalogue blob as the answer plane reads it: structs, view, look-ups. Pure; any thread. */
#pragma once

#include "base/limits.h"
#include "world/blob.h"
#include "world/catalogue.def"

enum cat_order { CAT_ORDER_LISTED, CAT_ORDER_ROTATED };
enum cat_dns_mode { CAT_DNS_AUTO, CAT_DNS_CNAME, CAT_DNS_ADDRESS };
enum cat_format { CAT_FORMAT_FLV, CAT_FORMAT_HLS, CAT_FORMAT_DASH };
enum cat_overload { CAT_OVERLOAD_NONE, CAT_OVERLOAD_LOWER, CAT_OVERLOAD_SPREAD };

enum cat_dname_kind {
	CAT_DNAME_EMPTY,      /* only has names below it (RFC 4592 section 2.2.2) */
	CAT_DNAME_STATIC,     /* records of the zone file */
	CAT_DNAME_SERVICE,    /* a scheduled host; may have static records of other types too */
	CAT_DNAME_EXPLAIN,    /* _sluice.HOST: TXT of the decision */
	CAT_DNAME_DELEGATION, /* a zone cut: NS and glue, nothing below is ours */
};

enum {
	CAT_A_RR_SIZE = 16,
	CAT_AAAA_RR_SIZE = 28,
	CAT_UTC_OFFSET = 840,
	CAT_MAX_CNAMES = 8, /* one after the other */
};

#define CAT_ENUM(R, array, FIELDS, min, max) CAT_##array,
enum cat_array { CATALOGUE(CAT_ENUM) CAT_N_ARRAYS };
CATALOGUE(BLOB_STRUCT)

/* Starts and lengths of the arrays of a checked catalogue. Points into the blob. */
struct cat_view {
	const struct blob_head *head;
	CATALOGUE(BLOB_VIEW_FIELD)
};

extern const struct blob_def catalogue_def;

/* blob must have passed blob_check. */
void cat_view_init(struct cat_view *view, const void *blob) SL_NONNULL_ALL;

static inline struct str cat_text(const struct cat_view *c, struct blob_span s)
{
	return (struct str){(const char *)c->text + s.first, s.count};
}

static inline const uint8_t *cat_wire(const struct cat_view *c, struct blob_span s)
{
	return (const uint8_t *)c->wire + s.first;
}

/* The name by its lower-case wire form of n octets; NULL when it is not there. */
const struct cat_dname *cat_find_dname(
	const struct cat_view *c, const uint8_t *wire, size_t n) SL_NONNULL_ALL SL_PURE;

/* The scheduled host by its text (any case, final dot or none); NULL when it is none. */
const struct cat_dname *cat_find_host(const struct cat_view *c, struct str host) SL_NONNULL(1);

/* Text to lower-case wire form (RFC 1035 section 3.1); octets used, 0 when it is no name. No
 * escapes. */
size_t cat_wire_name(struct str text, uint8_t ret_wire[static SL_DNS_NAME_MAX]);

/* The entry of a stream of a service; NULL: it has none, every vendor of the service carries it. */
const struct cat_stream *cat_find_stream(
	const struct cat_view *c, uint32_t service, struct str name) SL_NONNULL(1) SL_PURE;

/* Why a stream's first ingest point is that one. */
enum cat_ingest_choice { CAT_BY_NAME, CAT_BY_HASH, CAT_BY_REPORTS, CAT_BY_PROBE };

/* The two ingest points of a stream: the one that is named (position in the service counted from 1;
 * 0: none) unless it is to be avoided or its weight is poor, or the first by its hash; and the
 * first of another unit than that one. `avoid`: names with commas between, last in any order.
 * weight_ppm has one per point of the service, 0 (down: behind all others) to INGEST_WHOLE_PPM
 * (scoring/ingest.h); NULL: all whole. barred: a bit per point that is none at all. */
struct cat_ingest_pair {
	const struct cat_ingest *first, *second;
	enum cat_ingest_choice chosen;
};
struct cat_ingest_pair cat_pick_ingests(const struct cat_view *c, uint32_t service,
	struct str stream, uint16_t named, struct str avoid, const uint32_t *weight_ppm,
	uint32_t barred) SL_NONNULL(1);

/* Ids by name, or BLOB_NONE; linear, not for the query path. */
uint32_t cat_find_group(const struct cat_view *c, struct str name) SL_NONNULL(1) SL_PURE;
uint32_t cat_find_vendor(const struct cat_view *c, struct str name) SL_NONNULL(1) SL_PURE;
uint32_t cat_find_service(const struct cat_view *c, struct str name) SL_NONNULL(1) SL_PURE;
uint32_t cat_find_region(const struct cat_view *c, uint32_t vendor, struct str name)
	SL_NONNULL(1) SL_PURE;
