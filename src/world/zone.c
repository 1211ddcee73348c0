/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From records and hosts to the arrays of the catalogue. Names first: those with records, those of
 * hosts, and the empty ones above them; then the rules that hold between records; then the blob.
 */
#include "world/zone.h"

#include "base/hash.h"
#include "world/zone_int.h"

#include <stdlib.h>

enum { ARENA_MAX = 512 << 20 };

int zone_fail_rec(struct zone_build *b, const struct zone_rec *r, const char *what)
{
	char text[4 * SL_DNS_NAME_MAX];

	return err_set(b->err, SL_EFORMAT, "%s:%u: %.200s: %s", b->in[r->file].file, r->line,
		zone_name_text(r->owner, text), what);
}

/* --- names ---------------------------------------------------------------------------------- */

static uint32_t *index_slot(struct zone_build *b, const uint8_t *wire, uint32_t n)
{
	for (uint64_t at = hash64(wire, n, 0);; at++) {
		uint32_t *slot = &b->index[at & (b->n_index - 1)];
		const struct zone_name *d = *slot ? &b->name[*slot - 1] : NULL;

		if (!d || (d->n == n && memcmp(d->wire, wire, n) == 0))
			return slot;
	}
}

struct zone_name *zone_find_name(struct zone_build *b, const uint8_t *wire, uint32_t n)
{
	uint32_t *slot = b->n_index ? index_slot(b, wire, n) : NULL;

	return slot && *slot ? &b->name[*slot - 1] : NULL;
}

struct zone_name *zone_find_target(struct zone_build *b, const struct zone_rec *r)
{
	uint8_t wire[SL_DNS_NAME_MAX];
	uint32_t n = r->body_n - ZONE_BODY_RDATA;

	if (n > sizeof(wire))
		return NULL;
	for (uint32_t i = 0; i < n; i++) {
		uint8_t c = r->body[ZONE_BODY_RDATA + i];

		wire[i] = (uint8_t)(c >= 'A' && c <= 'Z' ? c + 32 : c);
	}
	return zone_find_name(b, wire, n);
}

static bool grow(struct zone_build *b)
{
	uint32_t room = b->room_name ? b->room_name * 2 : 64;
	struct zone_name *p = realloc(b->name, room * sizeof(*p));

	if (!p)
		return false;
	b->name = p;
	b->room_name = room;
	free(b->index);
	b->n_index = room * 2;
	b->index = calloc(b->n_index, sizeof(*b->index));
	if (!b->index) {
		b->n_index = 0;
		return false;
	}
	for (uint32_t i = 0; i < b->n_name; i++)
		*index_slot(b, p[i].wire, p[i].n) = i + 1;
	return true;
}

/* The name, made EMPTY where it was not there; NULL when out of memory. The pointer holds until the
 * next call. wire must outlive the build. */
static struct zone_name *add_name(
	struct zone_build *b, const uint8_t *wire, uint32_t n, uint32_t zone)
{
	struct zone_name *d = zone_find_name(b, wire, n);

	if (d)
		return d;
	if (b->n_name == b->room_name && !grow(b))
		return NULL;
	d = &b->name[b->n_name++];
	*d = (struct zone_name){.wire = wire,
		.n = n,
		.zone = zone,
		.kind = CAT_DNAME_EMPTY,
		.service = BLOB_NONE,
		.dname = BLOB_NONE};
	*index_slot(b, wire, n) = b->n_name;
	return d;
}

bool zone_is_apex(const struct zone_build *b, const struct zone_name *d)
{
	return d->n == b->apex[d->zone].n;
}

/* The cut that a name lies below, or NULL. */
const struct zone_name *zone_cut_above(
	struct zone_build *b, const uint8_t *wire, uint32_t n, uint32_t zone)
{
	while (n > b->apex[zone].n) {
		const struct zone_name *d;

		n -= 1u + *wire;
		wire += 1 + *wire;
		d = zone_find_name(b, wire, n);
		if (d && d->kind == CAT_DNAME_DELEGATION)
			return d;
	}
	return NULL;
}

/* The DNAME that a name lies below, or NULL. */
static const struct zone_rec *dname_above(
	struct zone_build *b, const uint8_t *wire, uint32_t n, uint32_t zone)
{
	while (n > b->apex[zone].n) {
		const struct zone_name *d;
		const struct zone_rec *r;

		n -= 1u + *wire;
		wire += 1 + *wire;
		d = zone_find_name(b, wire, n);
		r = d ? zone_find_rec(b, d, ZONE_DNAME) : NULL;
		if (r)
			return r;
	}
	return NULL;
}

/* RFC 4592 section 2.2.2: what has a name below it exists. */
static int add_ancestors(struct zone_build *b, const uint8_t *wire, uint32_t n, uint32_t zone)
{
	while (n > b->apex[zone].n) {
		n -= 1u + *wire;
		wire += 1 + *wire;
		if (!add_name(b, wire, n, zone))
			return zone_no_memory(b);
	}
	return 0;
}

static int compare_recs(const void *a, const void *b)
{
	const struct zone_rec *x = a, *y = b;
	int d;

	if (x->owner_n != y->owner_n)
		return x->owner_n < y->owner_n ? -1 : 1;
	d = memcmp(x->owner, y->owner, x->owner_n);
	if (d)
		return d;
	if (x->type != y->type)
		return x->type < y->type ? -1 : 1;
	if (x->body_n != y->body_n)
		return x->body_n < y->body_n ? -1 : 1;
	/* TTL aside: equal data is one record (RFC 2181 section 5) */
	return memcmp(
		x->body + ZONE_BODY_RDATA, y->body + ZONE_BODY_RDATA, x->body_n - ZONE_BODY_RDATA);
}

static void sort_recs(struct zone_build *b)
{
	uint32_t n = 0;

	if (b->n_rec == 0)
		return;
	qsort(b->rec, b->n_rec, sizeof(*b->rec), compare_recs);
	for (uint32_t i = 0; i < b->n_rec; i++)
		if (n == 0 || compare_recs(&b->rec[n - 1], &b->rec[i]) != 0)
			b->rec[n++] = b->rec[i];
		else
			b->rec[n - 1].ttl_s = SL_MIN(b->rec[n - 1].ttl_s, b->rec[i].ttl_s);
	b->n_rec = n;
}

const struct zone_rec *zone_find_rec(
	const struct zone_build *b, const struct zone_name *d, uint16_t type)
{
	for (uint32_t i = 0; i < d->count; i++)
		if (b->rec[d->first + i].type == type)
			return &b->rec[d->first + i];
	return NULL;
}

static int names_of_records(struct zone_build *b)
{
	for (uint32_t i = 0; i < b->n_rec;) {
		const struct zone_rec *r = &b->rec[i];
		struct zone_name *d = add_name(b, r->owner, r->owner_n, r->zone);

		if (!d)
			return zone_no_memory(b);
		d->first = i;
		while (i < b->n_rec && b->rec[i].owner_n == r->owner_n &&
			memcmp(b->rec[i].owner, r->owner, r->owner_n) == 0)
			i++;
		d->count = i - d->first;
		d->kind = !zone_is_apex(b, d) && zone_find_rec(b, d, ZONE_NS) ? CAT_DNAME_DELEGATION
									      : CAT_DNAME_STATIC;
	}
	for (uint32_t i = 0, n = b->n_name; i < n; i++) {
		struct zone_name d = b->name[i];
		int rc = 0;

		if (!zone_cut_above(b, d.wire, d.n, d.zone))
			rc = add_ancestors(b, d.wire, d.n, d.zone);
		if (rc)
			return rc;
	}
	return 0;
}

/* --- hosts ---------------------------------------------------------------------------------- */

static int fail_host(struct zone_build *b, const struct zone_host *h, const char *what)
{
	return err_set(b->err, SL_EFORMAT, "host %s: %s", h->name, what);
}

static const uint8_t *keep_name(
	struct zone_build *b, const char *prefix, const char *text, uint32_t *ret_n)
{
	char *full = arena_printf(b->arena, "%s%s", prefix, text);
	uint8_t *wire = arena_alloc(b->arena, SL_DNS_NAME_MAX);

	*ret_n = full && wire ? (uint32_t)cat_wire_name(str_from(full), wire) : 0;
	return wire;
}

static int add_explain(struct zone_build *b, const struct zone_host *h, uint32_t zone)
{
	uint32_t n;
	const uint8_t *wire = keep_name(b, "_sluice.", h->name, &n);
	struct zone_name *d = n ? add_name(b, wire, n, zone) : NULL;
	const struct zone_rec *r;

	if (!d)
		return fail_host(b, h, "no room for _sluice before the name");
	r = zone_find_rec(b, d, ZONE_TXT);
	if (!r)
		r = zone_find_rec(b, d, ZONE_CNAME);
	if (r)
		return zone_fail_rec(b, r, "the name explains a scheduled host");
	d->kind = CAT_DNAME_EXPLAIN;
	d->service = h->service;
	return 0;
}

static int add_host(struct zone_build *b, const struct zone_host *h)
{
	static const uint16_t ours[] = {ZONE_A, ZONE_AAAA, ZONE_CNAME, ZONE_DNAME};
	uint32_t n, zone;
	const uint8_t *wire = keep_name(b, "", h->name, &n);
	const struct zone_name *cut;
	const struct zone_rec *dname;
	struct zone_name *d;
	int rc;

	if (n == 0)
		return fail_host(b, h, "no domain name");
	zone = zone_of(b, wire, n);
	if (zone == BLOB_NONE)
		return fail_host(b, h, "under no zone of the catalogue");
	d = zone_find_name(b, wire, n);
	if (d && d->kind == CAT_DNAME_DELEGATION)
		return zone_fail_rec(b, zone_find_rec(b, d, ZONE_NS), "delegates a scheduled host");
	cut = zone_cut_above(b, wire, n, zone);
	if (cut)
		return zone_fail_rec(b, zone_find_rec(b, cut, ZONE_NS),
			"delegates what a scheduled host is below");
	dname = dname_above(b, wire, n, zone);
	if (dname)
		return zone_fail_rec(b, dname, "DNAME above a scheduled host");
	d = add_name(b, wire, n, zone);
	if (!d)
		return zone_no_memory(b);
	if (d->kind == CAT_DNAME_SERVICE || d->kind == CAT_DNAME_EXPLAIN)
		return fail_host(b, h, "given twice");
	for (size_t i = 0; i < SL_COUNT(ours); i++)
		if (zone_find_rec(b, d, ours[i]))
			return zone_fail_rec(b, zone_find_rec(b, d, ours[i]),
				"a scheduled host has no such record of its own");
	d->kind = CAT_DNAME_SERVICE;
	d->service = h->service;
	rc = add_ancestors(b, wire, n, zone);
	return rc || !h->explain ? rc : add_explain(b, h, zone);
}

/* --- rules ---------------------------------------------------------------------------------- */

static bool is_wildcard(const struct zone_name *d)
{
	return d->wire[0] == 1 && d->wire[1] == '*';
}

/* From a CNAME along those of the same zones. */
static int check_chain(struct zone_build *b, const struct zone_rec *cname)
{
	const struct zone_rec *at = cname;

	for (unsigned n = 0; at; n++) {
		const struct zone_name *d = zone_find_target(b, at);

		if (n == CAT_MAX_CNAMES)
			return zone_fail_rec(b, cname, "CNAME in a circle, or before 8 others");
		at = d ? zone_find_rec(b, d, ZONE_CNAME) : NULL;
	}
	return 0;
}

static int check_name(struct zone_build *b, const struct zone_name *d)
{
	bool below = zone_cut_above(b, d->wire, d->n, d->zone) != NULL;
	const struct zone_rec *cname = zone_find_rec(b, d, ZONE_CNAME);

	for (uint32_t i = 0; i < d->count; i++) {
		const struct zone_rec *r = &b->rec[d->first + i];

		if (r->type == ZONE_SOA && !zone_is_apex(b, d))
			return zone_fail_rec(b, r, "SOA that is not at the apex");
		if (r->type == ZONE_NS && is_wildcard(d))
			return zone_fail_rec(b, r, "NS at a wildcard"); /* RFC 4592 section 4.2 */
		if (r->type == ZONE_DNAME && i && r[-1].type == ZONE_DNAME)
			return zone_fail_rec(b, r, "second DNAME");
		if (below && r->type != ZONE_A && r->type != ZONE_AAAA)
			return zone_fail_rec(b, r, "below a delegation only addresses may stand");
		if (d->kind == CAT_DNAME_DELEGATION && r->type != ZONE_NS && r->type != ZONE_DS &&
			r->type != ZONE_A && r->type != ZONE_AAAA)
			return zone_fail_rec(
				b, r, "beside a delegation only DS and addresses may stand");
	}
	if (d->count && dname_above(b, d->wire, d->n, d->zone)) /* RFC 6672 section 2.4 */
		return zone_fail_rec(b, &b->rec[d->first], "below a DNAME nothing stands");
	if (cname && d->count > 1)
		return zone_fail_rec(b, cname, "CNAME beside other data");
	return cname ? check_chain(b, cname) : 0;
}

static int check_apex(struct zone_build *b, uint32_t zone)
{
	const struct zone_name *d = zone_find_name(b, b->apex[zone].wire, b->apex[zone].n);
	const struct zone_rec *soa = d ? zone_find_rec(b, d, ZONE_SOA) : NULL;
	const char *file = b->in[zone].file;

	if (!soa)
		return err_set(b->err, SL_EFORMAT, "%s:1: no SOA at %s", file, b->in[zone].name);
	if (soa + 1 < b->rec + d->first + d->count && soa[1].type == ZONE_SOA)
		return zone_fail_rec(b, soa[0].line > soa[1].line ? soa : soa + 1, "second SOA");
	if (!zone_find_rec(b, d, ZONE_NS))
		return err_set(b->err, SL_EFORMAT, "%s:1: no NS at %s", file, b->in[zone].name);
	return 0;
}

static int check_rules(struct zone_build *b)
{
	for (uint32_t i = 0; i < b->n_zones; i++) {
		int rc = check_apex(b, i);
		if (rc)
			return rc;
	}
	for (uint32_t i = 0; i < b->n_name; i++) {
		int rc = check_name(b, &b->name[i]);
		if (rc)
			return rc;
	}
	return 0;
}

/* --- whole ---------------------------------------------------------------------------------- */

static int set_apexes(struct zone_build *b)
{
	for (uint32_t i = 0; i < b->n_zones; i++) {
		struct zone_apex *a = &b->apex[i];

		a->n = (uint32_t)cat_wire_name(str_from(b->in[i].name), a->wire);
		if (a->n == 0)
			return err_set(
				b->err, SL_EFORMAT, "zone %s: no domain name", b->in[i].name);
		for (uint32_t k = 0; k < i; k++)
			if (b->apex[k].n == a->n && memcmp(b->apex[k].wire, a->wire, a->n) == 0)
				return err_set(
					b->err, SL_EEXIST, "zone %s: given twice", b->in[i].name);
	}
	return 0;
}

static int gather(struct zone_build *b, const struct zone_host *hosts, uint32_t n_hosts)
{
	int rc = set_apexes(b);

	for (uint32_t i = 0; !rc && i < b->n_zones; i++)
		rc = zone_read(b, i);
	if (rc)
		return rc;
	sort_recs(b);
	rc = names_of_records(b);
	if (!rc)
		rc = check_rules(b);
	for (uint32_t i = 0; !rc && i < n_hosts; i++)
		rc = add_host(b, &hosts[i]);
	return rc;
}

int zones_build(struct blob_writer *w, const struct zone_input *zones, uint32_t n_zones,
	const struct zone_host *hosts, uint32_t n_hosts, uint32_t *ret_max_labels,
	struct errbuf *err)
{
	struct zone_build b = {.w = w, .err = err, .in = zones, .n_zones = n_zones};
	int rc;

	b.arena = arena_new(ARENA_MAX);
	b.apex = calloc(n_zones + 1, sizeof(*b.apex));
	rc = b.arena && b.apex ? gather(&b, hosts, n_hosts) : zone_no_memory(&b);
	if (!rc)
		rc = zone_put(&b, hosts, n_hosts, ret_max_labels);
	free(b.index);
	free(b.name);
	free(b.rec);
	free(b.apex);
	arena_free(b.arena);
	return rc;
}
