/* SPDX-License-Identifier: Apache-2.0 */
#include "world/cat_build.h"

#include "base/glob.h"
#include "base/hash.h"
#include "world/cat_int.h"
#include "world/zone.h"

#include <stdlib.h>

struct blob_span cat_put_text(struct cat_builder *b, const char *text)
{
	return text ? blob_add_octets(b->w, CAT_text, text, (uint32_t)strlen(text))
		    : (struct blob_span){0, 0};
}

const char *cat_group_name(const struct cat_builder *b, uint32_t group)
{
	return dict_name(b->dict, DICT_GROUP, group);
}

bool cat_group_in(
	const struct cat_builder *b, uint32_t group, const char *const *patterns, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		if (glob_group_match(str_from(patterns[i]), str_from(cat_group_name(b, group))))
			return true;
	return false;
}

/* Ids first, so that everything after may refer to anything. */
static int give_ids(struct cat_builder *b)
{
	const struct conf_catalog *c = &b->conf->catalog;

	for (uint32_t i = 0; i < c->vendors_count; i++) {
		const struct conf_vendor *v = &c->vendors[i];

		if (dict_intern(b->dict, DICT_VENDOR, str_from(v->name)) == BLOB_NONE)
			return err_set(b->err, SL_ELIMIT,
				"more than %d vendors, those of the past included", SL_MAX_VENDORS);
		for (uint32_t r = 0; r < v->regions_count; r++) {
			char name[2 * SL_MAX_NAME + 2];

			(void)snprintf(name, sizeof(name), "%s/%s", v->name, v->regions[r].name);
			if (dict_intern(b->dict, DICT_REGION, str_from(name)) == BLOB_NONE)
				return err_set(b->err, SL_ELIMIT,
					"more than %d regions, those of the past included",
					SL_MAX_REGIONS);
		}
	}
	for (uint32_t i = 0; i < c->services_count; i++)
		if (dict_intern(b->dict, DICT_SERVICE, str_from(c->services[i].name)) == BLOB_NONE)
			return err_set(b->err, SL_ELIMIT,
				"more than %d services, those of the past included",
				SL_MAX_SERVICES);
	for (uint32_t i = 0; i < c->nodes_count; i++)
		if (dict_intern(b->dict, DICT_GROUP, str_from(c->nodes[i].group)) == BLOB_NONE)
			return err_set(b->err, SL_ELIMIT,
				"more than %d groups, those of the past included", SL_MAX_GROUPS);
	b->n_vendors = dict_count(b->dict, DICT_VENDOR);
	b->n_groups = dict_count(b->dict, DICT_GROUP);
	return 0;
}

static uint32_t vendor_id(const struct cat_builder *b, const char *name)
{
	return dict_find(b->dict, DICT_VENDOR, str_from(name));
}

static void put_groups(struct cat_builder *b)
{
	for (uint32_t i = 0; i < b->n_groups; i++) {
		struct cat_group *g = blob_add(b->w, CAT_groups, 1, NULL);
		const char *name = cat_group_name(b, i);
		struct str rest = str_from(name), part[3];

		for (int k = 0; k < 3; k++) {
			part[k] = str_cut(&rest, '/');
			if (str_eq_z(part[k], "-"))
				part[k].n = 0;
		}
		if (!g)
			return;
		g->name = cat_put_text(b, name);
		if (i == 0)
			continue;
		g->country = blob_add_octets(b->w, CAT_text, part[0].p, (uint32_t)part[0].n);
		g->province = blob_add_octets(b->w, CAT_text, part[1].p, (uint32_t)part[1].n);
		g->isp = blob_add_octets(b->w, CAT_text, part[2].p, (uint32_t)part[2].n);
	}
}

static void put_window(
	struct cat_builder *b, const struct conf_vendor *v, const struct conf_window *from)
{
	struct cat_window *w = blob_add(b->w, CAT_windows, 1, NULL);

	if (!w)
		return;
	w->guaranteed_mbps =
		from->guaranteed_mbps >= 0 ? from->guaranteed_mbps : v->guaranteed_mbps;
	w->max_mbps = from->max_mbps >= 0 ? from->max_mbps : v->max_mbps;
	w->vendor = vendor_id(b, v->name);
	w->region = BLOB_NONE;
	w->from_min = (uint16_t)from->from_min;
	w->to_min = (uint16_t)from->to_min;
	w->utc_offset_min = (uint16_t)(from->utc_offset_min + CAT_UTC_OFFSET);
	w->days = (uint8_t)from->days;
}

/* Vendors and regions in order of id: those of the dictionary first, all inactive, then filled. */
static void put_vendors(struct cat_builder *b)
{
	const struct conf_catalog *c = &b->conf->catalog;
	uint32_t n_regions = dict_count(b->dict, DICT_REGION);

	if (!blob_add(b->w, CAT_vendors, b->n_vendors, NULL) ||
		(n_regions && !blob_add(b->w, CAT_regions, n_regions, NULL)))
		return;
	for (uint32_t i = 0; i < b->n_vendors; i++) {
		struct cat_vendor *v = blob_at(b->w, CAT_vendors, i);
		v->name = cat_put_text(b, dict_name(b->dict, DICT_VENDOR, i));
	}
	for (uint32_t i = 0; i < n_regions; i++) {
		struct cat_region *r = blob_at(b->w, CAT_regions, i);
		struct str name = str_from(dict_name(b->dict, DICT_REGION, i));
		struct str vendor = str_cut(&name, '/');

		r->vendor = dict_find(b->dict, DICT_VENDOR, vendor);
		r->name = blob_add_octets(b->w, CAT_text, name.p, (uint32_t)name.n);
	}
	for (uint32_t i = 0; i < c->vendors_count; i++) {
		const struct conf_vendor *from = &c->vendors[i];
		struct cat_vendor *v = blob_at(b->w, CAT_vendors, vendor_id(b, from->name));

		v->weight = from->weight;
		v->guaranteed_mbps = from->guaranteed_mbps;
		v->max_mbps = from->max_mbps;
		v->active = 1;
		for (uint32_t k = 0; k < from->windows_count; k++)
			put_window(b, from, &from->windows[k]);
	}
}

static uint32_t region_id(const struct cat_builder *b, const struct conf_vendor *v, uint32_t r)
{
	char name[2 * SL_MAX_NAME + 2];

	(void)snprintf(name, sizeof(name), "%s/%s", v->name, v->regions[r].name);
	return dict_find(b->dict, DICT_REGION, str_from(name));
}

static bool allowed_in(const struct cat_builder *b, const struct conf_vendor *v, uint32_t group)
{
	return (v->allow_groups_count == 0 ||
		       cat_group_in(b, group, v->allow_groups, v->allow_groups_count)) &&
	       !cat_group_in(b, group, v->deny_groups, v->deny_groups_count);
}

/* The tables by group and vendor: what configuration allows, and the region. */
static void put_dense(struct cat_builder *b)
{
	const struct conf_catalog *c = &b->conf->catalog;
	uint32_t cells = b->n_groups * b->n_vendors;
	struct cat_allowed *allowed = blob_add(b->w, CAT_allowed, cells, NULL);
	struct cat_region_of *region_of = blob_add(b->w, CAT_region_of, cells, NULL);

	if (!allowed || !region_of)
		return;
	memset(region_of, 0xff, cells * sizeof(*region_of));
	for (uint32_t i = 0; i < c->vendors_count; i++) {
		const struct conf_vendor *v = &c->vendors[i];
		uint32_t id = vendor_id(b, v->name);

		for (uint32_t g = 0; g < b->n_groups; g++)
			allowed[g * b->n_vendors + id].v = allowed_in(b, v, g);
		for (uint32_t r = 0; r < v->regions_count; r++) {
			const struct conf_region *from = &v->regions[r];
			uint32_t rid = region_id(b, v, r);
			struct cat_region *to = blob_at(b->w, CAT_regions, rid);

			to->guaranteed_mbps =
				from->guaranteed_mbps >= 0 ? from->guaranteed_mbps : 0;
			to->max_mbps = from->max_mbps >= 0 ? from->max_mbps : 0;
			to->has_guaranteed = from->guaranteed_mbps >= 0;
			to->has_max = from->max_mbps >= 0;
			to->active = 1;
			for (uint32_t g = 0; g < b->n_groups; g++)
				if (cat_group_in(b, g, from->groups, from->groups_count))
					region_of[g * b->n_vendors + id].v = (uint16_t)rid;
		}
	}
}

static void put_slots(struct cat_builder *b, const struct conf_service *from, struct cat_service *s,
	uint32_t service)
{
	struct cat_slot *slot = blob_add(b->w, CAT_slots, from->vendors_count, &s->slots.first);

	s->slots.count = slot ? from->vendors_count : 0;
	for (uint32_t i = 0; i < s->slots.count; i++) {
		const struct conf_service_vendor *v = &from->vendors[i];
		uint8_t wire[SL_DNS_NAME_MAX];
		size_t n = v->cname ? cat_wire_name(str_from(v->cname), wire) : 0;

		slot[i].service = service;
		slot[i].vendor = vendor_id(b, v->vendor);
		slot[i].weight =
			v->weight >= 0
				? v->weight
				: ((struct cat_vendor *)blob_at(b->w, CAT_vendors, slot[i].vendor))
					  ->weight;
		slot[i].cname = blob_add_octets(b->w, CAT_wire, wire, (uint32_t)n);
		slot[i].tier = v->tier;
		slot[i].cname_text = cat_put_text(b, v->cname);
	}
}

static struct blob_span put_ladder(struct cat_builder *b, const struct conf_service *from)
{
	struct blob_span span = {0, 0};
	struct cat_rung *to = blob_add(b->w, CAT_rungs, from->ladder_kbps_count, &span.first);

	for (uint32_t i = 0; to && i < from->ladder_kbps_count; i++)
		to[i].kbps = from->ladder_kbps[i];
	span.count = to ? from->ladder_kbps_count : 0;
	return span;
}

static void put_service(struct cat_builder *b, const struct conf_service *from)
{
	uint32_t id = dict_find(b->dict, DICT_SERVICE, str_from(from->name));
	struct cat_service s = *(struct cat_service *)blob_at(b->w, CAT_services, id);

	s.guarantee_gain = from->scoring.guarantee_gain;
	s.guarantee_blend = from->scoring.guarantee_blend;
	s.quality_exponent = from->scoring.quality_exponent;
	s.headroom = from->scoring.headroom;
	s.slices = from->scoring.slices;
	s.trickle_ppm = from->scoring.trickle_ppm;
	s.ttl_s = from->ttl_s;
	s.negative_ttl_s = from->negative_ttl_s;
	s.refresh_s = from->refresh_s;
	s.bitrate_kbps = from->bitrate_kbps;
	s.session_s = from->session_s;
	s.dns_viewers = from->dns_viewers;
	s.dns_answer_part = from->dns_answer_part;
	s.n_addresses = (uint8_t)from->addresses;
	s.order = (uint8_t)from->order;
	s.dns_mode = (uint8_t)from->dns;
	s.overload = (uint8_t)from->overload;
	s.explain = from->explain;
	s.test = from->test;
	s.no_steer = !from->steering;
	s.active = 1;
	put_slots(b, from, &s, id);
	s.ladder = put_ladder(b, from);
	s.hosts = (struct blob_span){b->n_hosts, from->hosts_count};
	b->n_hosts += from->hosts_count;
	*(struct cat_service *)blob_at(b->w, CAT_services, id) = s;
}

static void put_services(struct cat_builder *b)
{
	uint32_t n = dict_count(b->dict, DICT_SERVICE);

	if (!blob_add(b->w, CAT_services, n, NULL))
		return;
	for (uint32_t i = 0; i < n; i++) {
		struct blob_span name = cat_put_text(b, dict_name(b->dict, DICT_SERVICE, i));
		((struct cat_service *)blob_at(b->w, CAT_services, i))->name = name;
	}
	for (uint32_t i = 0; i < b->conf->catalog.services_count; i++)
		put_service(b, &b->conf->catalog.services[i]);
}

static int by_hash(const void *a, const void *b)
{
	const struct cat_stream *x = a, *y = b;

	return x->hash < y->hash ? -1 : x->hash > y->hash;
}

static void put_streams(struct cat_builder *b)
{
	const struct conf_catalog *c = &b->conf->catalog;

	for (uint32_t i = 0; i < c->streams_count; i++) {
		const struct conf_stream *from = &c->streams[i];
		struct blob_span name = cat_put_text(b, from->name);
		struct cat_stream *s = blob_add(b->w, CAT_streams, 1, NULL);

		if (!s)
			return;
		s->name = name;
		s->service = dict_find(b->dict, DICT_SERVICE, str_from(from->service));
		s->encrypted = from->encrypted;
		s->ingest = cat_ingest_of(b, from);
		s->hash = hash64(from->name, strlen(from->name), s->service);
		for (uint32_t k = 0; k < from->vendors_count; k++)
			s->vendors |= UINT64_C(1) << vendor_id(b, from->vendors[k]);
	}
	if (c->streams_count)
		qsort(blob_at(b->w, CAT_streams, 0), c->streams_count, sizeof(struct cat_stream),
			by_hash);
}

/* The DNS side: names, zones, hosts. */
static int put_zones(struct cat_builder *b, uint32_t *ret_max_labels)
{
	const struct conf_catalog *c = &b->conf->catalog;
	struct zone_input *zone = calloc(c->zones_count + 1, sizeof(*zone));
	struct zone_host *host = calloc(SL_MAX_HOSTS + 1, sizeof(*host));
	uint32_t n = 0;
	int rc = SL_ENOMEM;

	for (uint32_t i = 0; zone && i < c->zones_count; i++)
		zone[i] = (struct zone_input){c->zones[i].name, c->zones[i].file};
	for (uint32_t i = 0; host && i < c->services_count; i++) {
		const struct conf_service *s = &c->services[i];

		for (uint32_t k = 0; k < s->hosts_count && n < SL_MAX_HOSTS; k++)
			host[n++] = (struct zone_host){.name = s->hosts[k],
				.service = dict_find(b->dict, DICT_SERVICE, str_from(s->name)),
				.explain = s->explain};
	}
	if (zone && host)
		rc = zones_build(b->w, zone, c->zones_count, host, n, ret_max_labels, b->err);
	free(zone);
	free(host);
	return rc;
}

static void put_meta(struct cat_builder *b, uint32_t max_labels)
{
	struct cat_meta *m = blob_add(b->w, CAT_meta, 1, NULL);

	if (!m)
		return;
	m->max_labels = max_labels;
	m->explain = b->conf->sluice.explain;
}

int cat_build(const struct conf *conf, struct dict *dict, struct blob_stamp stamp, void **ret_blob,
	size_t *ret_size, struct errbuf *err)
{
	struct cat_builder b = {.conf = conf, .dict = dict, .err = err};
	uint32_t max_labels = 0;
	int rc;

	b.w = blob_writer_new(&catalogue_def);
	if (!b.w)
		return err_set(err, SL_ENOMEM, "catalogue: out of memory");
	rc = give_ids(&b);
	if (!rc) {
		put_groups(&b);
		put_vendors(&b);
		put_dense(&b);
		cat_put_addresses(&b);
		put_services(&b);
		put_streams(&b);
		cat_put_plays(&b);
		rc = put_zones(&b, &max_labels);
	}
	if (!rc) {
		put_meta(&b, max_labels);
		rc = blob_writer_finish(b.w, stamp, ret_blob, ret_size, err);
	}
	blob_writer_free(b.w);
	return rc;
}

int cat_try(const struct conf *conf, struct errbuf *err)
{
	struct dict *dict = dict_new(NULL);
	void *blob = NULL;
	size_t size;
	int rc = SL_ENOMEM;

	if (dict && dict_intern(dict, DICT_GROUP, STR_LIT("default")) != BLOB_NONE)
		rc = cat_build(conf, dict, (struct blob_stamp){0}, &blob, &size, err);
	else
		(void)err_set(err, rc, "out of memory");
	free(blob);
	dict_free(dict);
	return rc;
}
