/* SPDX-License-Identifier: Apache-2.0 */
/* Lays the names and records that zone.c has gathered and judged down in the catalogue. */
#include "base/hash.h"
#include "world/zone_int.h"

enum { RECORD_HEAD = 12, BODY_TTL = 4 };

static void put_be32(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)(v >> 24);
	p[1] = (uint8_t)(v >> 16);
	p[2] = (uint8_t)(v >> 8);
	p[3] = (uint8_t)v;
}

static uint32_t be32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* Owner, then the body with this TTL; returns octets used. */
static uint32_t put_record(
	uint8_t *to, const void *owner, uint32_t owner_n, const struct zone_rec *r, uint32_t ttl_s)
{
	memcpy(to, owner, owner_n);
	memcpy(to + owner_n, r->body, r->body_n);
	put_be32(to + owner_n + BODY_TTL, ttl_s);
	return owner_n + r->body_n;
}

/* Addresses of the names that an NS set points to, where this zone has them (RFC 9471). */
static uint32_t put_glue(struct zone_build *b, const struct zone_rec *ns, uint32_t n, uint8_t *to,
	uint32_t room, uint8_t *ret_count)
{
	uint32_t at = 0;
	unsigned count = 0;

	for (uint32_t i = 0; i < n; i++) {
		const struct zone_name *d = zone_find_target(b, &ns[i]);

		for (uint32_t k = 0; d && k < d->count; k++) {
			const struct zone_rec *r = &b->rec[d->first + k];

			if ((r->type != ZONE_A && r->type != ZONE_AAAA) || count == ZONE_MAX_RRS ||
				at + r->owner_n + r->body_n > room)
				continue;
			at += put_record(to + at, r->owner, r->owner_n, r, r->ttl_s);
			count++;
		}
	}
	*ret_count = (uint8_t)count;
	return at;
}

static int put_rrset(struct zone_build *b, const struct zone_rec *r, uint32_t n, uint8_t *scratch)
{
	static const uint8_t to_question[2] = {0xc0, 12};
	struct cat_rrset set = {.type = r->type, .n_rrs = (uint8_t)n, .ttl_s = r->ttl_s}, *to;
	uint32_t at = 0;

	if (n > ZONE_MAX_RRS)
		return zone_fail_rec(b, r, "over 255 records of one type");
	for (uint32_t i = 1; i < n; i++) /* RFC 2181 section 5.2: one TTL for all */
		set.ttl_s = SL_MIN(set.ttl_s, r[i].ttl_s);
	for (uint32_t i = 0; i < n; i++) {
		if (at + 2 + r[i].body_n > ZONE_MAX_RRSET)
			return zone_fail_rec(b, &r[i], "over 65000 octets of records of one type");
		at += put_record(scratch + at, to_question, 2, &r[i], set.ttl_s);
	}
	set.rrs = blob_add_octets(b->w, CAT_wire, scratch, at);
	if (r->type == ZONE_NS) {
		at = put_glue(b, r, n, scratch, ZONE_MAX_RRSET, &set.n_glue);
		set.glue = blob_add_octets(b->w, CAT_wire, scratch, at);
	}
	to = blob_add(b->w, CAT_rrsets, 1, NULL);
	if (!to)
		return zone_no_memory(b);
	*to = set;
	return 0;
}

static int put_rrsets(struct zone_build *b, const struct zone_name *d, uint8_t *scratch,
	struct blob_span *ret_span)
{
	uint32_t first = blob_count(b->w, CAT_rrsets);

	for (uint32_t i = 0; i < d->count;) {
		const struct zone_rec *r = &b->rec[d->first + i];
		uint32_t n = 1;
		int rc;

		while (i + n < d->count && r[n].type == r->type)
			n++;
		i += n;
		if (d->kind == CAT_DNAME_DELEGATION && r->type != ZONE_NS && r->type != ZONE_DS)
			continue; /* glue */
		rc = put_rrset(b, r, n, scratch);
		if (rc)
			return rc;
	}
	*ret_span = (struct blob_span){first, blob_count(b->w, CAT_rrsets) - first};
	return 0;
}

static uint32_t count_labels(const uint8_t *wire)
{
	uint32_t n = 0;

	for (; *wire; wire += 1 + *wire)
		n++;
	return n;
}

static int put_names(struct zone_build *b, uint8_t *scratch, uint32_t *ret_max_labels)
{
	uint32_t max = 0;

	for (uint32_t i = 0; i < b->n_name; i++) {
		struct zone_name *d = &b->name[i];
		struct cat_dname *to;
		struct blob_span rrsets;
		int rc;

		if (zone_cut_above(b, d->wire, d->n, d->zone))
			continue; /* glue, already beside its NS */
		rc = put_rrsets(b, d, scratch, &rrsets);
		if (rc)
			return rc;
		to = blob_add(b->w, CAT_dnames, 1, &d->dname);
		if (!to)
			return zone_no_memory(b);
		*to = (struct cat_dname){.name = blob_add_octets(b->w, CAT_wire, d->wire, d->n),
			.rrsets = rrsets,
			.zone = d->zone,
			.service = d->service,
			.wildcard = BLOB_NONE,
			.kind = d->kind};
		max = SL_MAX(max, count_labels(d->wire));
	}
	*ret_max_labels = max;
	return 0;
}

static void link_wildcards(struct zone_build *b)
{
	for (uint32_t i = 0; i < b->n_name; i++) {
		const struct zone_name *d = &b->name[i];
		const struct zone_name *up;

		if (d->dname == BLOB_NONE || d->wire[0] != 1 || d->wire[1] != '*' ||
			zone_is_apex(b, d))
			continue;
		up = zone_find_name(b, d->wire + 2, d->n - 2);
		if (up && up->dname != BLOB_NONE)
			((struct cat_dname *)blob_at(b->w, CAT_dnames, up->dname))->wildcard =
				d->dname;
	}
}

static int put_zones(struct zone_build *b)
{
	struct cat_zone *to = b->n_zones ? blob_add(b->w, CAT_zones, b->n_zones, NULL) : NULL;

	for (uint32_t i = 0; i < b->n_zones && to; i++) {
		const struct zone_apex *a = &b->apex[i];
		const struct zone_name *d = zone_find_name(b, a->wire, a->n);
		uint8_t record[RECORD_HEAD + 2 * SL_DNS_NAME_MAX + 20];
		const struct zone_rec *soa;
		uint32_t minimum;

		sl_assert(d);
		soa = zone_find_rec(b, d, ZONE_SOA);
		sl_assert(soa); /* check_rules has seen it */
		minimum = be32(soa->body + soa->body_n - 4);
		to[i].negative_ttl_s = SL_MIN(SL_MIN(soa->ttl_s, minimum), 86400U);
		to[i].apex = blob_add_octets(b->w, CAT_wire, a->wire, a->n);
		to[i].soa = blob_add_octets(b->w, CAT_wire, record,
			put_record(record, "\xc0\x0c", 2, soa, to[i].negative_ttl_s));
		to[i].dname = d->dname;
	}
	return to || b->n_zones == 0 ? 0 : zone_no_memory(b);
}

static int put_index(struct zone_build *b)
{
	uint32_t n_names = blob_count(b->w, CAT_dnames), size = 8;
	struct cat_name_index *index;

	while (size < n_names * 2)
		size *= 2;
	index = blob_add(b->w, CAT_name_index, size, NULL);
	if (!index)
		return zone_no_memory(b);
	for (uint32_t i = 0; i < size; i++)
		index[i].v = BLOB_NONE;
	for (uint32_t i = 0; i < b->n_name; i++) {
		const struct zone_name *d = &b->name[i];
		uint64_t at = hash64(d->wire, d->n, 0);

		if (d->dname == BLOB_NONE)
			continue;
		while (index[at & (size - 1)].v != BLOB_NONE)
			at++;
		index[at & (size - 1)].v = d->dname;
	}
	return 0;
}

static struct blob_span lower_text(struct blob_writer *w, const char *name)
{
	char text[SL_DNS_NAME_MAX];
	size_t n = 0;

	for (; name[n] && n < sizeof(text); n++)
		text[n] = (char)(name[n] >= 'A' && name[n] <= 'Z' ? name[n] + 32 : name[n]);
	if (n && text[n - 1] == '.')
		n--;
	return blob_add_octets(w, CAT_text, text, (uint32_t)n);
}

static int put_hosts(struct zone_build *b, const struct zone_host *hosts, uint32_t n)
{
	struct cat_host *to = n ? blob_add(b->w, CAT_hosts, n, NULL) : NULL;

	for (uint32_t i = 0; i < n && to; i++) {
		uint8_t wire[SL_DNS_NAME_MAX];
		size_t len = cat_wire_name(str_from(hosts[i].name), wire);
		const struct zone_name *d = zone_find_name(b, wire, (uint32_t)len);

		sl_assert(d); /* add_host has put it there */
		to[i] = (struct cat_host){.name = lower_text(b->w, hosts[i].name),
			.service = hosts[i].service,
			.dname = d->dname};
	}
	return to || n == 0 ? 0 : zone_no_memory(b);
}

int zone_put(struct zone_build *b, const struct zone_host *hosts, uint32_t n_hosts,
	uint32_t *ret_max_labels)
{
	uint8_t *scratch = arena_alloc(b->arena, ZONE_MAX_RRSET + SL_DNS_NAME_MAX);
	int rc = scratch ? put_names(b, scratch, ret_max_labels) : zone_no_memory(b);

	if (rc)
		return rc;
	link_wildcards(b);
	rc = put_zones(b);
	if (!rc)
		rc = put_index(b);
	return rc ? rc : put_hosts(b, hosts, n_hosts);
}
