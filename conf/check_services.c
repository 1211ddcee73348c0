/* SPDX-License-Identifier: Apache-2.0 */
/* Zones, services and streams: names, references, and whether each vendor can be answered with. */
#include "base/arena.h"
#include "conf/check.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

int conf_check_zones(const struct conf *c, struct errbuf *err)
{
	const struct conf_catalog *cat = &c->catalog;
	struct conf_names names;
	char path[CONF_PATH_SIZE];
	int rc = conf_names_init(&names, c, cat->zones_count, err);

	for (uint32_t i = 0; i < cat->zones_count && rc == 0; i++) {
		const struct conf_zone *z = &cat->zones[i];

		if (conf_names_add(&names, z->name, i) >= 0)
			return conf_refuse(c, err, SL_EFORMAT, CONF_PATH(path, "zones[%u].name", i),
				"name given twice, got \"%s\", want it unique", z->name);
		if (access(z->file, R_OK) != 0)
			return conf_refuse(c, err, SL_EFORMAT, CONF_PATH(path, "zones[%u].file", i),
				"cannot read, got \"%s\" (%s), want a zone file", z->file,
				strerror(errno));
	}
	return rc;
}

static bool has_addresses(const struct conf_catalog *cat, uint32_t vendor)
{
	if (cat->vendors[vendor].addresses_count)
		return true;
	for (uint32_t i = 0; i < cat->nodes_count; i++)
		if (strcmp(cat->nodes[i].vendor, cat->vendors[vendor].name) == 0)
			return true;
	return false;
}

/* Whether host is the zone's apex or below it. */
static bool under_zone(const char *host, const char *zone)
{
	size_t h = strlen(host), z = strlen(zone);

	return h >= z && strcmp(host + h - z, zone) == 0 && (h == z || host[h - z - 1] == '.');
}

static bool under_any_zone(const struct conf_catalog *cat, const char *host, bool *ret_apex)
{
	bool under = false;

	for (uint32_t i = 0; i < cat->zones_count; i++) {
		under |= under_zone(host, cat->zones[i].name);
		*ret_apex |= strcmp(host, cat->zones[i].name) == 0;
	}
	return under;
}

static int check_hosts(const struct conf *c, uint32_t s, struct conf_names *hosts, bool *ret_apex,
	struct errbuf *err)
{
	const struct conf_service *service = &c->catalog.services[s];
	char path[CONF_PATH_SIZE];

	for (uint32_t i = 0; i < service->hosts_count; i++) {
		const char *host = service->hosts[i];
		bool apex = false;

		(void)CONF_PATH(path, "services[%u].hosts[%u]", s, i);
		if (conf_names_add(hosts, host, s) >= 0)
			return conf_refuse(c, err, SL_EFORMAT, path,
				"host given twice, got \"%s\", want it unique", host);
		if (!under_any_zone(&c->catalog, host, &apex))
			return conf_refuse(c, err, SL_EFORMAT, path,
				"host under no zone, got \"%s\", want one under a name of zones",
				host);
		if (apex && service->dns == CONF_DNS_CNAME)
			return conf_refuse(c, err, SL_EFORMAT, path,
				"CNAME at an apex, got \"%s\" with dns: cname, want dns: address",
				host);
		*ret_apex |= apex;
	}
	return 0;
}

/* What DNS would answer with for this vendor must be there. */
static int check_ways(const struct conf *c, uint32_t s, uint32_t i, bool apex, struct errbuf *err)
{
	const struct conf_service *service = &c->catalog.services[s];
	const struct conf_service_vendor *sv = &service->vendors[i];
	bool addresses =
		has_addresses(&c->catalog, (uint32_t)conf_find_vendor(&c->catalog, sv->vendor));
	char path[CONF_PATH_SIZE];
	const char *why = NULL;

	if (service->dns == CONF_DNS_CNAME && !sv->cname)
		why = "no cname, got dns: cname, want a cname for this vendor";
	else if (service->dns == CONF_DNS_ADDRESS && !addresses)
		why = "no address, got dns: address, want addresses or nodes of this vendor";
	else if (apex && !addresses)
		why = "no address, got a host at an apex, want addresses or nodes of this vendor";
	else if (!sv->cname && !addresses)
		why = "nothing to answer with, got neither cname nor addresses nor nodes, want "
		      "one of them";
	if (!why)
		return 0;
	return conf_refuse(c, err, SL_EFORMAT, CONF_PATH(path, "services[%u].vendors[%u]", s, i),
		"%s, vendor %s", why, sv->vendor);
}

static int check_service_vendors(const struct conf *c, uint32_t s, bool apex, struct errbuf *err)
{
	const struct conf_service *service = &c->catalog.services[s];
	char path[CONF_PATH_SIZE];
	int rc = 0;

	for (uint32_t i = 0; i < service->vendors_count && rc == 0; i++) {
		const char *name = service->vendors[i].vendor;

		(void)CONF_PATH(path, "services[%u].vendors[%u].vendor", s, i);
		if (conf_find_vendor(&c->catalog, name) < 0)
			return conf_refuse(c, err, SL_EFORMAT, path,
				"unknown vendor, got \"%s\", want a name of vendors", name);
		for (uint32_t k = 0; k < i; k++)
			if (strcmp(service->vendors[k].vendor, name) == 0)
				return conf_refuse(c, err, SL_EFORMAT, path,
					"vendor given twice, got \"%s\", want it once", name);
		rc = check_ways(c, s, i, apex, err);
	}
	return rc;
}

/* A vendor's name that is scheduled here would lead a resolver around in circles. */
static int check_loops(const struct conf *c, const struct conf_names *hosts, struct errbuf *err)
{
	char path[CONF_PATH_SIZE];

	for (uint32_t s = 0; s < c->catalog.services_count; s++) {
		const struct conf_service *service = &c->catalog.services[s];

		for (uint32_t i = 0; i < service->vendors_count; i++) {
			const char *cname = service->vendors[i].cname;

			if (cname && conf_names_find(hosts, cname) >= 0)
				return conf_refuse(c, err, SL_EFORMAT,
					CONF_PATH(path, "services[%u].vendors[%u].cname", s, i),
					"circle, got \"%s\", want a host that is not scheduled "
					"here",
					cname);
		}
	}
	return 0;
}

static int init_names(const struct conf *c, struct conf_names *names, struct conf_names *hosts,
	struct errbuf *err)
{
	size_t n = 0;
	char path[CONF_PATH_SIZE];
	int rc = conf_names_init(names, c, c->catalog.services_count, err);

	for (uint32_t s = 0; s < c->catalog.services_count; s++) {
		n += c->catalog.services[s].hosts_count;
		if (n > SL_MAX_HOSTS)
			return conf_refuse(c, err, SL_ELIMIT,
				CONF_PATH(path, "services[%u].hosts", s),
				"too many hosts, got %zu of all services, want at most %d", n,
				SL_MAX_HOSTS);
	}
	return rc ? rc : conf_names_init(hosts, c, n, err);
}

/* A ladder falls: sessions expect its first rung. */
static int check_ladder(const struct conf *c, uint32_t s, struct errbuf *err)
{
	const struct conf_service *service = &c->catalog.services[s];
	char path[CONF_PATH_SIZE];

	for (uint32_t i = 0; i < service->ladder_kbps_count; i++) {
		uint32_t kbps = service->ladder_kbps[i];

		(void)CONF_PATH(path, "services[%u].ladder_kbps[%u]", s, i);
		if (kbps > 1000000)
			return conf_refuse(c, err, SL_EFORMAT, path,
				"out of range, got %u, want at most 1000000", kbps);
		if (i && kbps >= service->ladder_kbps[i - 1])
			return conf_refuse(c, err, SL_EFORMAT, path,
				"ladder does not fall, got %u, want less than %u", kbps,
				service->ladder_kbps[i - 1]);
	}
	return 0;
}

int conf_check_services(const struct conf *c, struct errbuf *err)
{
	const struct conf_catalog *cat = &c->catalog;
	struct conf_names names, hosts;
	char path[CONF_PATH_SIZE];
	int rc = init_names(c, &names, &hosts, err);

	for (uint32_t s = 0; s < cat->services_count && rc == 0; s++) {
		bool apex = false;

		if (conf_names_add(&names, cat->services[s].name, s) >= 0)
			return conf_refuse(c, err, SL_EFORMAT,
				CONF_PATH(path, "services[%u].name", s),
				"name given twice, got \"%s\", want it unique",
				cat->services[s].name);
		rc = check_hosts(c, s, &hosts, &apex, err);
		if (rc == 0)
			rc = check_service_vendors(c, s, apex, err);
		if (rc == 0)
			rc = check_ladder(c, s, err);
	}
	return rc ? rc : check_loops(c, &hosts, err);
}

static bool carries(const struct conf_service *service, const char *vendor)
{
	for (uint32_t i = 0; i < service->vendors_count; i++)
		if (strcmp(service->vendors[i].vendor, vendor) == 0)
			return true;
	return false;
}

static int check_stream(const struct conf *c, uint32_t i, struct errbuf *err)
{
	const struct conf_stream *stream = &c->catalog.streams[i];
	int s = conf_find_service(&c->catalog, stream->service);
	char path[CONF_PATH_SIZE];

	if (s < 0)
		return conf_refuse(c, err, SL_EFORMAT, CONF_PATH(path, "streams[%u].service", i),
			"unknown service, got \"%s\", want a name of services", stream->service);
	if (stream->ingest && !conf_has_ingest(&c->catalog.services[s], stream->ingest))
		return conf_refuse(c, err, SL_EFORMAT, CONF_PATH(path, "streams[%u].ingest", i),
			"unknown ingest, got \"%s\", want one of service %s", stream->ingest,
			stream->service);
	for (uint32_t k = 0; k < stream->vendors_count; k++) {
		const char *vendor = stream->vendors[k];

		(void)CONF_PATH(path, "streams[%u].vendors[%u]", i, k);
		if (!carries(&c->catalog.services[s], vendor))
			return conf_refuse(c, err, SL_EFORMAT, path,
				"unknown vendor, got \"%s\", want a vendor of service %s", vendor,
				stream->service);
		for (uint32_t j = 0; j < k; j++)
			if (strcmp(stream->vendors[j], vendor) == 0)
				return conf_refuse(c, err, SL_EFORMAT, path,
					"vendor given twice, got \"%s\", want it once", vendor);
	}
	return 0;
}

int conf_check_streams(const struct conf *c, struct errbuf *err)
{
	const struct conf_catalog *cat = &c->catalog;
	struct conf_names names;
	char path[CONF_PATH_SIZE];
	int rc = conf_names_init(&names, c, cat->streams_count, err);

	for (uint32_t i = 0; i < cat->streams_count && rc == 0; i++) {
		const struct conf_stream *stream = &cat->streams[i];
		const char *key = arena_printf(c->arena, "%s %s", stream->service, stream->name);

		if (!key)
			return err_set(err, SL_ENOMEM, "out of memory for the configuration");
		if (conf_names_add(&names, key, i) >= 0)
			return conf_refuse(c, err, SL_EFORMAT,
				CONF_PATH(path, "streams[%u].name", i),
				"name given twice, got \"%s\", want it unique in service %s",
				stream->name, stream->service);
		rc = check_stream(c, i, err);
	}
	return rc;
}
