/* SPDX-License-Identifier: Apache-2.0 */
/* Vendors: names, figures against each other, regions; and the operator's own nodes. */
#include "base/glob.h"
#include "conf/check.h"

#include <stdio.h>
#include <string.h>

/* A figure of a window or region, or what counts where it is absent. */
static double figure(double given, double otherwise)
{
	return given >= 0 ? given : otherwise;
}

static int guarantee_above(const struct conf *c, struct errbuf *err, const char *path,
	double guaranteed, double maximum)
{
	if (guaranteed <= maximum)
		return 0;
	return conf_refuse(c, err, SL_EFORMAT, path,
		"guarantee above maximum, got %.10g, want at most %.10g Mbps", guaranteed, maximum);
}

static int check_window(const struct conf *c, uint32_t v, uint32_t i, struct errbuf *err)
{
	const struct conf_vendor *vendor = &c->catalog.vendors[v];
	const struct conf_window *w = &vendor->windows[i];
	const char *key = w->guaranteed_mbps >= 0 ? "guaranteed_mbps" : "max_mbps";
	char path[CONF_PATH_SIZE];

	if (w->from_min == 24 * 60)
		return conf_refuse(c, err, SL_EFORMAT,
			CONF_PATH(path, "vendors[%u].windows[%u].from", v, i),
			"begins where the day ends, got \"%s\", want 00:00 to 23:59", w->from_text);
	if (w->from_min == w->to_min)
		return conf_refuse(c, err, SL_EFORMAT,
			CONF_PATH(path, "vendors[%u].windows[%u].to", v, i),
			"empty window, got \"%s\", want an end that is not the begin", w->to_text);
	return guarantee_above(c, err, CONF_PATH(path, "vendors[%u].windows[%u].%s", v, i, key),
		figure(w->guaranteed_mbps, vendor->guaranteed_mbps),
		figure(w->max_mbps, vendor->max_mbps));
}

/* Regions a < b of one vendor: the first pattern of b that can meet one of a. */
static int check_overlap(
	const struct conf *c, uint32_t v, uint32_t a, uint32_t b, struct errbuf *err)
{
	const struct conf_region *ra = &c->catalog.vendors[v].regions[a];
	const struct conf_region *rb = &c->catalog.vendors[v].regions[b];
	char path[CONF_PATH_SIZE];

	for (uint32_t j = 0; j < rb->groups_count; j++)
		for (uint32_t i = 0; i < ra->groups_count; i++)
			if (glob_group_overlap(str_from(ra->groups[i]), str_from(rb->groups[j])))
				return conf_refuse(c, err, SL_EFORMAT,
					CONF_PATH(path, "vendors[%u].regions[%u].groups[%u]", v, b,
						j),
					"overlapping regions, got \"%s\", want none that meets "
					"\"%s\" of %s",
					rb->groups[j], ra->groups[i], ra->name);
	return 0;
}

static int check_region(const struct conf *c, uint32_t v, uint32_t i, struct errbuf *err)
{
	const struct conf_vendor *vendor = &c->catalog.vendors[v];
	const struct conf_region *r = &vendor->regions[i];
	char path[CONF_PATH_SIZE];
	int rc = guarantee_above(c, err,
		CONF_PATH(path, "vendors[%u].regions[%u].guaranteed_mbps", v, i),
		r->guaranteed_mbps, figure(r->max_mbps, vendor->max_mbps));

	for (uint32_t a = 0; a < i && rc == 0; a++) {
		if (strcmp(vendor->regions[a].name, r->name) == 0)
			return conf_refuse(c, err, SL_EFORMAT,
				CONF_PATH(path, "vendors[%u].regions[%u].name", v, i),
				"name given twice, got \"%s\", want it unique in the vendor",
				r->name);
		rc = check_overlap(c, v, a, i, err);
	}
	return rc;
}

static bool has_region(const struct conf_vendor *v, const char *name)
{
	for (uint32_t i = 0; i < v->regions_count; i++)
		if (strcmp(v->regions[i].name, name) == 0)
			return true;
	return false;
}

static int check_meter(const struct conf *c, uint32_t v, uint32_t i, struct errbuf *err)
{
	const struct conf_vendor *vendor = &c->catalog.vendors[v];
	const struct conf_meter *m = &vendor->meters[i];
	char path[CONF_PATH_SIZE];

	for (uint32_t a = 0; a < i; a++)
		if (strcmp(vendor->meters[a].name, m->name) == 0)
			return conf_refuse(c, err, SL_EFORMAT,
				CONF_PATH(path, "vendors[%u].meters[%u].name", v, i),
				"name given twice, got \"%s\", want it unique in the vendor",
				m->name);
	if (m->region && !has_region(vendor, m->region))
		return conf_refuse(c, err, SL_EFORMAT,
			CONF_PATH(path, "vendors[%u].meters[%u].region", v, i),
			"no such region, got \"%s\", want one of the vendor's", m->region);
	return 0;
}

static int check_vendor(const struct conf *c, uint32_t v, struct errbuf *err)
{
	const struct conf_vendor *vendor = &c->catalog.vendors[v];
	char path[CONF_PATH_SIZE];
	int rc = guarantee_above(c, err, CONF_PATH(path, "vendors[%u].guaranteed_mbps", v),
		vendor->guaranteed_mbps, vendor->max_mbps);

	for (uint32_t i = 0; i < vendor->windows_count && rc == 0; i++)
		rc = check_window(c, v, i, err);
	for (uint32_t i = 0; i < vendor->regions_count && rc == 0; i++)
		rc = check_region(c, v, i, err);
	if (vendor->harvest.host && !vendor->harvest.servers_count)
		rc = conf_refuse(c, err, SL_EFORMAT, CONF_PATH(path, "vendors[%u].harvest", v),
			"no servers, got none, want one to ask for \"%s\"", vendor->harvest.host);
	for (uint32_t i = 0; i < vendor->harvest.servers_count && rc == 0; i++)
		if (!strchr(vendor->harvest.servers[i], ':'))
			rc = conf_refuse(c, err, SL_EFORMAT,
				CONF_PATH(path, "vendors[%u].harvest.servers[%u]", v, i),
				"no address, got \"%s\", want ADDR:PORT",
				vendor->harvest.servers[i]);
	for (uint32_t i = 0; i < vendor->meters_count && rc == 0; i++)
		rc = check_meter(c, v, i, err);
	for (uint32_t i = 0; i < vendor->addresses_count && rc == 0; i++)
		if (vendor->addresses[i].a_count + vendor->addresses[i].aaaa_count == 0)
			rc = conf_refuse(c, err, SL_EFORMAT,
				CONF_PATH(path, "vendors[%u].addresses[%u]", v, i),
				"no address, got neither a nor aaaa, want one of them");
	return rc;
}

int conf_check_vendors(const struct conf *c, struct errbuf *err)
{
	const struct conf_catalog *cat = &c->catalog;
	struct conf_names names;
	char path[CONF_PATH_SIZE];
	uint32_t regions = 0;
	int rc = conf_names_init(&names, c, cat->vendors_count, err);

	for (uint32_t v = 0; v < cat->vendors_count && rc == 0; v++) {
		regions += cat->vendors[v].regions_count;
		if (conf_names_add(&names, cat->vendors[v].name, v) >= 0)
			return conf_refuse(c, err, SL_EFORMAT,
				CONF_PATH(path, "vendors[%u].name", v),
				"name given twice, got \"%s\", want it unique",
				cat->vendors[v].name);
		if (regions > SL_MAX_REGIONS)
			return conf_refuse(c, err, SL_ELIMIT,
				CONF_PATH(path, "vendors[%u].regions", v),
				"too many regions, got %u of all vendors, want at most %d", regions,
				SL_MAX_REGIONS);
		rc = check_vendor(c, v, err);
	}
	return rc;
}

int conf_check_nodes(const struct conf *c, struct errbuf *err)
{
	const struct conf_catalog *cat = &c->catalog;
	struct conf_names names;
	char path[CONF_PATH_SIZE];
	int rc = conf_names_init(&names, c, cat->nodes_count, err);

	for (uint32_t i = 0; i < cat->nodes_count && rc == 0; i++) {
		const struct conf_node *node = &cat->nodes[i];

		if (conf_names_add(&names, node->name, i) >= 0)
			rc = conf_refuse(c, err, SL_EFORMAT, CONF_PATH(path, "nodes[%u].name", i),
				"name given twice, got \"%s\", want it unique", node->name);
		else if (conf_find_vendor(cat, node->vendor) < 0)
			rc = conf_refuse(c, err, SL_EFORMAT, CONF_PATH(path, "nodes[%u].vendor", i),
				"unknown vendor, got \"%s\", want a name of vendors", node->vendor);
		else if (node->a_count + node->aaaa_count == 0)
			rc = conf_refuse(c, err, SL_EFORMAT, CONF_PATH(path, "nodes[%u]", i),
				"no address, got neither a nor aaaa, want one of them");
	}
	return rc;
}

static int check_probe_of_ingests(const struct conf *c, uint32_t i, struct errbuf *err)
{
	const struct conf_probe *p = &c->catalog.probes[i];
	int s = conf_find_service(&c->catalog, p->service);
	char path[CONF_PATH_SIZE];

	if (s < 0 || !c->catalog.services[s].ingest_count)
		return conf_refuse(c, err, SL_EFORMAT, CONF_PATH(path, "probes[%u].service", i),
			"%s, got \"%s\", want one of services that has an ingest",
			s < 0 ? "unknown service" : "nothing is pushed there", p->service);
	if (p->kind != CONF_PROBE_TCP)
		return conf_refuse(c, err, SL_EFORMAT, CONF_PATH(path, "probes[%u]", i),
			"ingests looked at by another protocol, want kind: tcp");
	return 0;
}

static int check_probe(const struct conf *c, uint32_t i, struct errbuf *err)
{
	const struct conf_probe *p = &c->catalog.probes[i];
	char path[CONF_PATH_SIZE];

	for (uint32_t a = 0; a < i; a++)
		if (strcmp(c->catalog.probes[a].name, p->name) == 0)
			return conf_refuse(c, err, SL_EFORMAT,
				CONF_PATH(path, "probes[%u].name", i),
				"name given twice, got \"%s\", want it unique", p->name);
	if (!!p->vendor + !!p->service + !!p->targets_count != 1)
		return conf_refuse(c, err, SL_EFORMAT, CONF_PATH(path, "probes[%u]", i),
			"%s of vendor, service and targets, want one of them",
			p->vendor || p->service ? "more than one" : "none");
	if (p->vendor && conf_find_vendor(&c->catalog, p->vendor) < 0)
		return conf_refuse(c, err, SL_EFORMAT, CONF_PATH(path, "probes[%u].vendor", i),
			"unknown vendor, got \"%s\", want a name of vendors", p->vendor);
	if (p->kind == CONF_PROBE_DNS && (!p->host || !p->targets_count))
		return conf_refuse(c, err, SL_EFORMAT, CONF_PATH(path, "probes[%u]", i),
			"no %s, want host and targets for dns", p->host ? "targets" : "host");
	if (p->path[0] != '/')
		return conf_refuse(c, err, SL_EFORMAT, CONF_PATH(path, "probes[%u].path", i),
			"no path, got \"%s\", want it to begin with /", p->path);
	for (uint32_t k = 0; k < p->targets_count; k++)
		if (!strchr(p->targets[k], ':'))
			return conf_refuse(c, err, SL_EFORMAT,
				CONF_PATH(path, "probes[%u].targets[%u]", i, k),
				"no address, got \"%s\", want ADDR:PORT", p->targets[k]);
	return p->service ? check_probe_of_ingests(c, i, err) : 0;
}

int conf_check_probes(const struct conf *c, struct errbuf *err)
{
	int rc = 0;

	for (uint32_t i = 0; i < c->catalog.probes_count && !rc; i++)
		rc = check_probe(c, i, err);
	return rc;
}
