/* SPDX-License-Identifier: Apache-2.0 */
/* Reads one zone file through ldns, record by record so that every refusal has its line. */
#include "world/zone_int.h"

/* Not ldns/ldns.h: it pulls in OpenSSL, whose prototypes use names that base/banned.h poisons. */
#include <ldns/rbtree.h> /* host2wire.h lacks it */

#include <ldns/dname.h>
#include <ldns/error.h>
#include <ldns/host2wire.h>
#include <ldns/rr.h>
#include <stdlib.h>

enum { DEFAULT_TTL_S = 3600, MAX_TTL_S = 0x7fffffff }; /* RFC 2181 section 8 */

struct reader {
	struct zone_build *b;
	uint32_t i;
	FILE *fp;
	ldns_rdf *origin, *prev;
	uint32_t ttl_s;
	int line;
};

uint32_t zone_of(const struct zone_build *b, const uint8_t *wire, uint32_t n)
{
	for (uint32_t at = 0;; at += 1u + wire[at]) {
		for (uint32_t i = 0; i < b->n_zones; i++)
			if (b->apex[i].n == n - at &&
				memcmp(b->apex[i].wire, wire + at, n - at) == 0)
				return i;
		if (wire[at] == 0)
			return BLOB_NONE;
	}
}

const char *zone_name_text(const uint8_t *wire, char *ret)
{
	static const char hex[] = "0123456789abcdef";
	char *p = ret;

	if (*wire == 0)
		*p++ = '.';
	for (; *wire; wire += 1 + *wire) {
		for (unsigned i = 1; i <= *wire; i++) {
			if (wire[i] > ' ' && wire[i] < 0x7f) {
				*p++ = (char)wire[i];
			} else {
				*p++ = '\\';
				*p++ = 'x';
				*p++ = hex[wire[i] >> 4];
				*p++ = hex[wire[i] & 15];
			}
		}
		if (wire[1 + *wire])
			*p++ = '.';
	}
	*p = '\0';
	return ret;
}

static int fail(struct reader *r, int code, const char *what)
{
	return err_set(r->b->err, code, "%s:%d: %s", r->b->in[r->i].file, r->line, what);
}

static int fail_name(struct reader *r, const ldns_rdf *owner, const char *what)
{
	char text[4 * SL_DNS_NAME_MAX];

	return err_set(r->b->err, SL_EFORMAT, "%s:%d: %.200s: %s", r->b->in[r->i].file, r->line,
		zone_name_text(ldns_rdf_data(owner), text), what);
}

static struct zone_rec *new_rec(struct zone_build *b)
{
	if (b->n_rec == b->room_rec) {
		uint32_t room = b->room_rec ? b->room_rec * 2 : 64;
		struct zone_rec *p = realloc(b->rec, room * sizeof(*p));

		if (!p)
			return NULL;
		b->rec = p;
		b->room_rec = room;
	}
	return &b->rec[b->n_rec++];
}

static void *keep(struct zone_build *b, const void *p, size_t n)
{
	void *to = arena_alloc(b->arena, n);

	if (to)
		memcpy(to, p, n);
	return to;
}

/* What a parent's file may say of names that are in a zone of their own here: the delegation. */
static bool parent_side(ldns_rr_type type)
{
	return type == LDNS_RR_TYPE_NS || type == LDNS_RR_TYPE_DS || type == LDNS_RR_TYPE_A ||
	       type == LDNS_RR_TYPE_AAAA;
}

static int add_record(struct reader *r, ldns_rr *rr)
{
	struct zone_build *b = r->b;
	ldns_rdf *owner = ldns_rr_owner(rr);
	const struct zone_apex *apex = &b->apex[r->i];
	uint32_t n, zone;
	struct zone_rec *rec;
	uint8_t *wire;
	size_t size;

	ldns_dname2canonical(owner);
	n = (uint32_t)ldns_rdf_size(owner);
	if (n < apex->n || memcmp(ldns_rdf_data(owner) + n - apex->n, apex->wire, apex->n) != 0)
		return fail_name(r, owner, "record out of the zone");
	zone = zone_of(b, ldns_rdf_data(owner), n);
	if (zone == BLOB_NONE)
		return fail_name(r, owner, "record out of the zone");
	if (zone != r->i)
		return parent_side(ldns_rr_get_type(rr))
			       ? 0
			       : fail_name(r, owner, "belongs to another zone of the catalogue");
	if (ldns_rr_get_class(rr) != LDNS_RR_CLASS_IN)
		return fail_name(r, owner, "class is not IN");
	if (ldns_rr_ttl(rr) > MAX_TTL_S)
		return fail_name(r, owner, "TTL over 2147483647");
	if (b->n_rec == ZONE_MAX_RECORDS)
		return fail(r, SL_ELIMIT, "too many records");
	if (ldns_rr2wire(&wire, rr, LDNS_SECTION_ANSWER, &size) != LDNS_STATUS_OK)
		return fail_name(r, owner, "record cannot be written as wire data");
	rec = new_rec(b);
	if (rec)
		*rec = (struct zone_rec){.owner = keep(b, ldns_rdf_data(owner), n),
			.owner_n = n,
			.body = keep(b, wire + n, size - n),
			.body_n = (uint32_t)(size - n),
			.zone = zone,
			.file = r->i,
			.line = (uint32_t)r->line,
			.ttl_s = ldns_rr_ttl(rr),
			.type = (uint16_t)ldns_rr_get_type(rr)};
	free(wire);
	return rec && rec->owner && rec->body ? 0 : fail(r, SL_ENOMEM, "out of memory");
}

static int read_all(struct reader *r)
{
	while (!feof(r->fp)) {
		ldns_rr *rr = NULL;
		ldns_status s =
			ldns_rr_new_frm_fp_l(&rr, r->fp, &r->ttl_s, &r->origin, &r->prev, &r->line);
		int rc = 0;

		if (s == LDNS_STATUS_OK)
			rc = add_record(r, rr);
		else if (s != LDNS_STATUS_SYNTAX_EMPTY && s != LDNS_STATUS_SYNTAX_TTL &&
			 s != LDNS_STATUS_SYNTAX_ORIGIN)
			rc = fail(r, SL_EFORMAT, ldns_get_errorstr_by_id(s));
		ldns_rr_free(rr);
		if (rc)
			return rc;
	}
	return 0;
}

int zone_read(struct zone_build *b, uint32_t i)
{
	struct reader r = {.b = b, .i = i, .ttl_s = DEFAULT_TTL_S};
	int rc;

	r.fp = fopen(b->in[i].file, "re");
	if (!r.fp)
		return err_set_errno(b->err, "%s", b->in[i].file);
	r.origin = ldns_dname_new_frm_data((uint16_t)b->apex[i].n, b->apex[i].wire);
	r.prev = r.origin ? ldns_rdf_clone(r.origin) : NULL;
	rc = r.origin && r.prev ? read_all(&r) : fail(&r, SL_ENOMEM, "out of memory");
	ldns_rdf_deep_free(r.origin);
	ldns_rdf_deep_free(r.prev);
	(void)fclose(r.fp);
	return rc;
}
