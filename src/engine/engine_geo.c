/* SPDX-License-Identifier: Apache-2.0 */
#include "base/hash.h"
#include "base/os.h"
#include "engine/engine_int.h"
#include "geo/build.h"

#include <stdlib.h>
#include <sys/stat.h>

enum { MAX_OVERRIDES_OCTETS = 64 << 20, MAX_LIST = 257 };

static uint64_t mix_text(uint64_t h, const char *text)
{
	return text ? hash64(text, strlen(text), h) : h;
}

static uint64_t mix_file(uint64_t h, const char *path)
{
	struct stat st;

	h = mix_text(h, path);
	if (!path || stat(path, &st) < 0)
		return hash_mix(h, 1);
	h = hash_mix(h, (uint64_t)st.st_size);
	h = hash_mix(h, (uint64_t)st.st_mtim.tv_sec);
	return hash_mix(h, (uint64_t)st.st_mtim.tv_nsec ^ st.st_ino);
}

/* Everything that the table is made from. */
static uint64_t geo_source(const struct conf *conf)
{
	const struct conf_geo *g = &conf->sluice.geo;
	const struct conf_catalog *c = &conf->catalog;
	uint64_t h = GEO_TABLE_VERSION;

	for (uint32_t i = 0; i < g->databases_count; i++)
		h = mix_file(h, g->databases[i]);
	h = mix_file(h, g->overrides);
	for (uint32_t i = 0; i < g->provinces_count; i++)
		h = mix_text(h, g->provinces[i]);
	h = hash_mix(h, 2);
	for (uint32_t i = 0; i < g->isp_countries_count; i++)
		h = mix_text(h, g->isp_countries[i]);
	for (uint32_t i = 0; i < c->isps_count; i++) {
		h = mix_text(hash_mix(h, 3), c->isps[i].name);
		for (uint32_t k = 0; k < c->isps[i].names_count; k++)
			h = mix_text(h, c->isps[i].names[k]);
		for (uint32_t k = 0; k < c->isps[i].asns_count; k++)
			h = hash_mix(h, c->isps[i].asns[k]);
		h = hash_mix(h, 4); /* names are no countries */
		for (uint32_t k = 0; k < c->isps[i].countries_count; k++)
			h = mix_text(h, c->isps[i].countries[k]);
	}
	return h;
}

static uint16_t intern(void *ctx, struct str name, const struct geo_place *place)
{
	uint32_t id = dict_intern(ctx, DICT_GROUP, name);

	(void)place;
	return id == BLOB_NONE ? GEO_REFUSED : (uint16_t)id;
}

/* A counted list as geo wants it, NULL at the end. Freed by the caller. */
static const char **ended(const char *const *list, uint32_t n)
{
	const char **copy = calloc((size_t)n + 1, sizeof(*copy));

	for (uint32_t i = 0; copy && i < n; i++)
		copy[i] = list[i];
	return copy;
}

struct isp_lists {
	struct geo_isp isp[SL_MAX_ISPS];
	const char **lists[2 * SL_MAX_ISPS];
	uint32_t *asns[SL_MAX_ISPS];
};

static int fill_isps(const struct conf_catalog *c, struct isp_lists *l)
{
	for (uint32_t i = 0; i < c->isps_count; i++) {
		const struct conf_isp *from = &c->isps[i];

		l->lists[2 * i] = ended(from->names, from->names_count);
		l->lists[2 * i + 1] = ended(from->countries, from->countries_count);
		l->asns[i] = calloc((size_t)from->asns_count + 1, sizeof(uint32_t));
		if (!l->lists[2 * i] || !l->lists[2 * i + 1] || !l->asns[i])
			return SL_ENOMEM;
		for (uint32_t k = 0; k < from->asns_count; k++)
			l->asns[i][k] = from->asns[k];
		l->isp[i] = (struct geo_isp){.name = from->name,
			.aliases = l->lists[2 * i],
			.asns = l->asns[i],
			.countries = from->countries_count ? l->lists[2 * i + 1] : NULL};
	}
	return 0;
}

static void free_isps(struct isp_lists *l)
{
	for (size_t i = 0; i < SL_COUNT(l->lists); i++)
		free(l->lists[i]);
	for (size_t i = 0; i < SL_COUNT(l->asns); i++)
		free(l->asns[i]);
	free(l);
}

static int compile(
	struct engine *e, const struct conf *conf, struct geo_table **ret_table, struct errbuf *err)
{
	const struct conf_geo *g = &conf->sluice.geo;
	struct isp_lists *l = calloc(1, sizeof(*l));
	const char **provinces = ended(g->provinces, g->provinces_count);
	const char **countries = ended(g->isp_countries, g->isp_countries_count);
	struct geo_input in = {.dbs = g->databases,
		.n_dbs = g->databases_count,
		.intern = intern,
		.ctx = e->dict,
		.province_countries = provinces,
		.isp_countries = countries};
	char *overrides = NULL;
	size_t size = 0;
	int rc = l && provinces && countries ? fill_isps(&conf->catalog, l) : SL_ENOMEM;

	if (!rc && g->overrides) {
		in.overrides_name = g->overrides;
		rc = os_read_file(g->overrides, MAX_OVERRIDES_OCTETS, &overrides, &size, err);
		in.overrides = (struct str){overrides, size};
	}
	if (!rc) {
		in.isps = conf->catalog.isps_count ? l->isp : geo_isp_default(&in.n_isps);
		if (conf->catalog.isps_count)
			in.n_isps = conf->catalog.isps_count;
		rc = geo_build(&in, ret_table, &size, err);
	}
	free(overrides);
	free(provinces);
	free(countries);
	if (l)
		free_isps(l);
	return rc;
}

static bool same_databases(const struct conf *a, const struct conf *b)
{
	if (a->sluice.geo.databases_count != b->sluice.geo.databases_count)
		return false;
	for (uint32_t i = 0; i < a->sluice.geo.databases_count; i++)
		if (strcmp(a->sluice.geo.databases[i], b->sluice.geo.databases[i]) != 0)
			return false;
	return true;
}

int engine_geo_build(struct engine *e, const struct conf *conf, uint64_t now_ms, void **ret_blob,
	size_t *ret_size, struct errbuf *err)
{
	struct blob_stamp stamp = {e->kept->epoch, e->kept->generation, now_ms};
	uint64_t source = geo_source(conf);
	struct geo_table *table;
	int rc;

	if (e->geo && geoblob_meta(e->geo)->source == source) {
		*ret_blob = e->geo;
		*ret_size = e->geo_size;
		return 0;
	}
	rc = compile(e, conf, &table, err);
	if (rc && e->geo && !e->conf) {
		*ret_blob = e->geo;
		*ret_size = e->geo_size;
		return 0;
	}
	if (rc)
		return rc;
	if (e->geo && e->conf && same_databases(e->conf, conf) &&
		geo_shrunken(&geoblob_table(e->geo)->stats, &table->stats))
		rc = err_set(err, SL_EREFUSED,
			"geo: the databases cover less than 80 %% of what "
			"they did: refused, the old table stays");
	else
		rc = geoblob_build(table, source, stamp, ret_blob, ret_size, err);
	free(table);
	return rc;
}

bool engine_geo_changed(const struct engine *e)
{
	return e->conf && e->geo && geoblob_meta(e->geo)->source != geo_source(e->conf);
}
