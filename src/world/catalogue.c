/* SPDX-License-Identifier: Apache-2.0 */
#include "world/catalogue.h"

#include "base/hash.h"
#include "scoring/ingest.h"

CATALOGUE(BLOB_TABLE)
static const struct blob_array arrays[] = {CATALOGUE(BLOB_ARRAY_ROW)};

void cat_view_init(struct cat_view *view, const void *blob)
{
	uint32_t index = 0;

	view->head = blob;
	CATALOGUE(BLOB_VIEW_SET)
}

/* A wire name: labels of 1 to 63 octets that end with the root exactly at n. */
static bool wire_name_good(const uint8_t *w, size_t n)
{
	size_t at = 0;

	if (n == 0 || n > SL_DNS_NAME_MAX)
		return false;
	while (at < n && w[at] != 0) {
		if (w[at] > 63)
			return false;
		at += 1u + w[at];
	}
	return at == n - 1;
}

/* n records whose owner is a pointer (or, for glue, a full name) and that end exactly at len. */
static bool records_good(const uint8_t *p, size_t len, unsigned n, bool pointer)
{
	size_t at = 0;

	for (unsigned i = 0; i < n; i++) {
		size_t rdlen;

		if (pointer) {
			if (len - at < 12 || p[at] != 0xc0 || p[at + 1] != 12)
				return false;
			at += 2;
		} else {
			while (at < len && p[at] != 0 && p[at] <= 63)
				at += 1u + p[at];
			if (at >= len || p[at] != 0)
				return false;
			at++;
		}
		if (at > len || len - at < 10)
			return false;
		rdlen = (size_t)p[at + 8] << 8 | p[at + 9];
		if (len - at - 10 < rdlen)
			return false;
		at += 10 + rdlen;
	}
	return at == len;
}

/* Address records all have one shape, so that they can be picked by index. */
static bool addresses_good(const uint8_t *p, size_t len, size_t size)
{
	if (len % size)
		return false;
	for (size_t at = 0; at < len; at += size)
		if (!records_good(p + at, size, 1, true) ||
			p[at + 3] != (size == CAT_A_RR_SIZE ? 1 : 28) || p[at + 11] != size - 12)
			return false;
	return true;
}

static int check_dense(const struct cat_view *c, struct errbuf *err)
{
	uint64_t want = (uint64_t)c->n_vendors * c->n_groups;

	if (c->n_allowed != want || c->n_region_of != want || c->n_vendor_addrs != want ||
		c->n_vendor_nodes != want)
		return err_set(err, SL_EFORMAT,
			"catalogue: a table by vendor and group is not "
			"%u x %u",
			c->n_vendors, c->n_groups);
	if (c->n_name_index & (c->n_name_index - 1))
		return err_set(err, SL_EFORMAT, "catalogue.name_index: not a power of two");
	for (uint32_t i = 0; i < c->n_name_index; i++)
		if (c->name_index[i].v == BLOB_NONE)
			return 0;
	return err_set(err, SL_EFORMAT, "catalogue.name_index: full");
}

static int check_services(const struct cat_view *c, struct errbuf *err)
{
	for (uint32_t i = 0; i < c->n_services; i++) {
		const struct cat_service *s = &c->services[i];

		if (s->slots.count > SL_MAX_SLOTS)
			return err_set(err, SL_ELIMIT, "catalogue.services[%u]: %u vendors", i,
				s->slots.count);
		if (s->ladder.count > SL_MAX_RUNGS)
			return err_set(err, SL_ELIMIT, "catalogue.services[%u]: %u rungs", i,
				s->ladder.count);
		for (uint32_t k = 0; k < s->ladder.count; k++)
			if (c->rungs[s->ladder.first + k].kbps == 0)
				return err_set(err, SL_EFORMAT,
					"catalogue.services[%u]: a rung of 0 kbps", i);
		for (uint32_t k = 0; k < s->slots.count; k++)
			if (c->slots[s->slots.first + k].service != i)
				return err_set(err, SL_EFORMAT,
					"catalogue.services[%u]: slot of another service", i);
	}
	if ((c->n_slot_plays && c->n_slot_plays != c->n_slots) ||
		(c->n_service_plays && c->n_service_plays != c->n_services))
		return err_set(err, SL_EFORMAT,
			"catalogue: %u slot_plays, %u service_plays; want none or one each",
			c->n_slot_plays, c->n_service_plays);
	for (uint32_t i = 0; i < c->n_service_plays; i++)
		if (c->service_plays[i].ingests.count > INGEST_MAX)
			return err_set(err, SL_ELIMIT, "catalogue.service_plays[%u]: %u ingests", i,
				c->service_plays[i].ingests.count);
	for (uint32_t i = 0; i < c->n_slots; i++)
		if (c->slots[i].cname.count &&
			!wire_name_good(cat_wire(c, c->slots[i].cname), c->slots[i].cname.count))
			return err_set(err, SL_EFORMAT, "catalogue.slots[%u].cname: no name", i);
	return 0;
}

static int check_records(const struct cat_view *c, struct errbuf *err)
{
	for (uint32_t i = 0; i < c->n_addrsets; i++) {
		const struct cat_addrset *s = &c->addrsets[i];

		if (!addresses_good(cat_wire(c, s->a), s->a.count, CAT_A_RR_SIZE) ||
			!addresses_good(cat_wire(c, s->aaaa), s->aaaa.count, CAT_AAAA_RR_SIZE))
			return err_set(err, SL_EFORMAT, "catalogue.addrsets[%u]: bad record", i);
	}
	for (uint32_t i = 0; i < c->n_rrsets; i++) {
		const struct cat_rrset *s = &c->rrsets[i];

		if (!records_good(cat_wire(c, s->rrs), s->rrs.count, s->n_rrs, true) ||
			!records_good(cat_wire(c, s->glue), s->glue.count, s->n_glue, false))
			return err_set(err, SL_EFORMAT, "catalogue.rrsets[%u]: bad record", i);
	}
	for (uint32_t i = 0; i < c->n_zones; i++)
		if (!wire_name_good(cat_wire(c, c->zones[i].apex), c->zones[i].apex.count) ||
			!records_good(cat_wire(c, c->zones[i].soa), c->zones[i].soa.count, 1, true))
			return err_set(err, SL_EFORMAT, "catalogue.zones[%u]: bad apex or SOA", i);
	for (uint32_t i = 0; i < c->n_dnames; i++) {
		const struct cat_dname *d = &c->dnames[i];
		const struct cat_zone *z = &c->zones[d->zone];

		if (!wire_name_good(cat_wire(c, d->name), d->name.count) ||
			d->name.count < z->apex.count)
			return err_set(err, SL_EFORMAT, "catalogue.dnames[%u]: bad name", i);
		if ((d->kind == CAT_DNAME_SERVICE || d->kind == CAT_DNAME_EXPLAIN) &&
			d->service == BLOB_NONE)
			return err_set(err, SL_EFORMAT, "catalogue.dnames[%u]: no service", i);
	}
	return 0;
}

static int check(const void *blob, struct errbuf *err)
{
	struct cat_view c;
	int rc;

	cat_view_init(&c, blob);
	rc = check_dense(&c, err);
	if (!rc)
		rc = check_services(&c, err);
	return rc ? rc : check_records(&c, err);
}

const struct blob_def catalogue_def = {
	.name = "catalogue",
	.magic = {'S', 'L', 'U', 'C', 'A', 'T', 1, 2},
	.layout = 6,
	.arrays = arrays,
	.n_arrays = CAT_N_ARRAYS,
	.check = check,
};

const struct cat_dname *cat_find_dname(const struct cat_view *c, const uint8_t *wire, size_t n)
{
	uint32_t mask = c->n_name_index - 1;

	for (uint32_t at = (uint32_t)hash64(wire, n, 0) & mask;; at = (at + 1) & mask) {
		uint32_t i = c->name_index[at].v;

		if (i == BLOB_NONE)
			return NULL;
		if (c->dnames[i].name.count == n &&
			memcmp(cat_wire(c, c->dnames[i].name), wire, n) == 0)
			return &c->dnames[i];
	}
}

size_t cat_wire_name(struct str text, uint8_t ret_wire[static SL_DNS_NAME_MAX])
{
	size_t at = 0;

	if (text.n && text.p[text.n - 1] == '.')
		text.n--;
	while (text.n) {
		struct str label = str_cut(&text, '.');

		if (label.n == 0 || label.n > 63 || at + label.n + 2 > SL_DNS_NAME_MAX)
			return 0;
		ret_wire[at++] = (uint8_t)label.n;
		for (size_t i = 0; i < label.n; i++) {
			char c = label.p[i];

			ret_wire[at++] = (uint8_t)(c >= 'A' && c <= 'Z' ? c + 32 : c);
		}
	}
	ret_wire[at++] = 0;
	return at;
}

const struct cat_dname *cat_find_host(const struct cat_view *c, struct str host)
{
	uint8_t wire[SL_DNS_NAME_MAX];
	size_t n = cat_wire_name(host, wire);
	const struct cat_dname *d = n ? cat_find_dname(c, wire, n) : NULL;

	return d && d->kind == CAT_DNAME_SERVICE ? d : NULL;
}

const struct cat_stream *cat_find_stream(
	const struct cat_view *c, uint32_t service, struct str name)
{
	uint64_t h = hash64(name.p, name.n, service);
	uint32_t lo = 0, hi = c->n_streams;

	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;

		if (c->streams[mid].hash < h)
			lo = mid + 1;
		else
			hi = mid;
	}
	for (; lo < c->n_streams && c->streams[lo].hash == h; lo++)
		if (c->streams[lo].service == service &&
			str_eq(cat_text(c, c->streams[lo].name), name))
			return &c->streams[lo];
	return NULL;
}

#define FIND(array)                                                                                \
	for (uint32_t i = 0; i < c->n_##array; i++)                                                \
		if (str_eq(cat_text(c, c->array[i].name), name))                                   \
			return i;                                                                  \
	return BLOB_NONE

uint32_t cat_find_group(const struct cat_view *c, struct str name)
{
	FIND(groups);
}

uint32_t cat_find_vendor(const struct cat_view *c, struct str name)
{
	FIND(vendors);
}

uint32_t cat_find_service(const struct cat_view *c, struct str name)
{
	FIND(services);
}

uint32_t cat_find_region(const struct cat_view *c, uint32_t vendor, struct str name)
{
	for (uint32_t i = 0; i < c->n_regions; i++)
		if (c->regions[i].vendor == vendor && str_eq(cat_text(c, c->regions[i].name), name))
			return i;
	return BLOB_NONE;
}
