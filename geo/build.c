/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sources to table: read each into covers, fuse them field by field, name the groups, have the
 * names turned into ids, write the table.
 */
#include "geo/build.h"

#include "base/hash.h"
#include "base/limits.h"
#include "geo/cover.h"
#include "geo/emit.h"
#include "geo/key.h"
#include "geo/mmdb.h"
#include "geo/overrides.h"

#include <stdlib.h>

enum {
	N_FAMILIES = 2,
	N_FIXED = 2, /* sources before the databases: the v4 aliases, the overrides */
	SLOTS = 4 * SL_MAX_GROUPS,
};

_Static_assert(GEO_MAX_DBS + N_FIXED <= GEO_MAX_SOURCES, "room for all sources");
_Static_assert((SLOTS & (SLOTS - 1)) == 0, "a power of two");

struct group {
	uint64_t key;
	uint16_t id;
	bool used;
	char name[SL_MAX_NAME];
};

struct build {
	const struct geo_input *in;
	struct errbuf *err;
	struct geo_cover src[N_FAMILIES][GEO_MAX_SOURCES];
	struct geo_cover out[N_FAMILIES];
	size_t n_src;
	struct group groups[SLOTS]; /* by key, open addressing */
	size_t n_groups;
	uint32_t max_id;
	uint16_t default_id;
	struct geo_stats stats;
};

static bool in_list(const char *const *list, struct str s)
{
	static const char *const china[] = {"CN", NULL};

	for (list = list ? list : china; *list; list++) {
		if (str_eq_ci(str_from(*list), s))
			return true;
	}
	return false;
}

/* Group names are used in file formats and paths; carriers' names come from outside. */
static int check_isps(const struct geo_input *in, struct errbuf *err)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789._+-";

	if (in->n_isps > SL_MAX_ISPS)
		return err_set(
			err, SL_ELIMIT, "%zu carriers, want at most %d", in->n_isps, SL_MAX_ISPS);
	for (size_t i = 0; i < in->n_isps; i++) {
		size_t n = strlen(in->isps[i].name);

		if (n == 0 || n > SL_MAX_NAME - sizeof("CN/ABC/") ||
			n != strspn(in->isps[i].name, letters))
			return err_set(err, SL_EINVAL,
				"carrier \"%s\": want up to %zu of a-z, 0-9 and ._+-",
				in->isps[i].name, SL_MAX_NAME - sizeof("CN/ABC/"));
	}
	return 0;
}

static int open_covers(struct build *b)
{
	int rc = 0;

	b->n_src = N_FIXED + b->in->n_dbs;
	for (size_t f = 0; f < N_FAMILIES && rc == 0; f++) {
		uint8_t bits = f ? 128 : 32;

		rc = geo_cover_init(&b->out[f], bits);
		for (size_t i = 0; i < b->n_src && rc == 0; i++)
			rc = geo_cover_init(&b->src[f][i], bits);
	}
	return rc;
}

/* The stretches that ip_embedded_v4 redirects, in order of place. */
static int put_embedded(struct geo_cover *v6)
{
	static const struct {
		const char *text;
		uint8_t len;
	} rows[] = {{"::ffff:0:0", 96}, {"2001::", 32}, {"2002::", 16}};
	int rc = 0;

	for (size_t i = 0; i < SL_COUNT(rows) && rc == 0; i++) {
		struct ip a = {.family = IP_NONE};
		geo_addr first;

		sl_assert(ip_parse(str_from(rows[i].text), &a));
		first = geo_addr_from(a);
		rc = geo_cover_put(
			v6, first, geo_addr_last(first, rows[i].len, 128), GEO_KEY_EMBEDDED);
	}
	return rc;
}

static int read_sources(struct build *b)
{
	const struct geo_input *in = b->in;
	const char *name = in->overrides_name ? in->overrides_name : "overrides";
	int rc = put_embedded(&b->src[1][0]);

	if (rc == 0)
		rc = geo_overrides_parse(name, in->overrides, in->isps, in->n_isps, &b->src[0][1],
			&b->src[1][1], b->err);
	for (size_t i = 0; i < in->n_dbs && rc == 0; i++)
		rc = geo_mmdb_read(in->dbs[i], in->isps, in->n_isps, &b->src[0][N_FIXED + i],
			&b->src[1][N_FIXED + i], b->err);
	return rc;
}

/* Field by field, the first source that knows; a province only with its own country. */
static uint64_t combine(void *ctx, const uint64_t *vals, size_t n)
{
	struct geo_key all = {0};

	(void)ctx;
	if (vals[0] == GEO_KEY_EMBEDDED)
		return vals[0];
	for (size_t i = 0; i < n && !all.country; i++)
		all.country = geo_key_unpack(vals[i]).country;
	for (size_t i = 0; i < n; i++) {
		struct geo_key k = geo_key_unpack(vals[i]);

		if (!all.province && (!k.country || k.country == all.country))
			all.province = k.province;
		if (!all.isp)
			all.isp = k.isp;
	}
	all.country = all.country == GEO_NONE ? 0 : all.country;
	all.province = all.province == GEO_NONE ? 0 : all.province;
	all.isp = all.isp == GEO_ISP_NONE ? 0 : all.isp;
	return geo_key_pack(all);
}

static int fuse(struct build *b)
{
	int rc = 0;

	for (size_t f = 0; f < N_FAMILIES && rc == 0; f++) {
		const struct geo_cover *in[GEO_MAX_SOURCES];

		for (size_t i = 0; i < b->n_src; i++)
			in[i] = &b->src[f][i];
		rc = geo_cover_fuse(in, b->n_src, combine, NULL, &b->out[f]);
		for (size_t i = 0; i < b->n_src; i++)
			geo_cover_done(&b->src[f][i]);
	}
	return rc;
}

/* Addresses (v6: /64 blocks) with a country and with a carrier. */
static void count(const struct geo_cover *c, uint64_t *ret_country, uint64_t *ret_isp)
{
	geo_addr country = 0, isp = 0;
	unsigned unit = c->bits == 128 ? 64 : 0;

	for (size_t i = 0; i < c->n; i++) {
		struct geo_key k = geo_key_unpack(c->r[i].val);
		geo_addr n = geo_cover_last(c, i) - c->r[i].start + 1;

		if (c->r[i].val == GEO_KEY_EMBEDDED)
			continue;
		country += k.country ? n : 0;
		isp += k.isp ? n : 0;
	}
	*ret_country = (uint64_t)(country >> unit);
	*ret_isp = (uint64_t)(isp >> unit);
}

/* What of a key makes the group: the rest is cleared. */
static uint64_t group_key(const struct geo_input *in, uint64_t key)
{
	struct geo_key k = geo_key_unpack(key);
	const struct geo_isp *isp;
	char z[4];
	struct str country = geo_code_text(k.country, z);

	if (key == GEO_KEY_EMBEDDED || !k.country)
		return key == GEO_KEY_EMBEDDED ? key : 0;
	isp = k.isp ? &in->isps[k.isp - 1] : NULL;
	if (!in_list(in->province_countries, country))
		k.province = 0;
	if (isp && !in_list(isp->countries ? isp->countries : in->isp_countries, country))
		k.isp = 0;
	return geo_key_pack(k);
}

static struct group *group_at(struct build *b, uint64_t key)
{
	size_t i = (size_t)hash_mix(key, 2) & (SLOTS - 1);

	while (b->groups[i].used && b->groups[i].key != key)
		i = (i + 1) & (SLOTS - 1);
	return &b->groups[i];
}

static int add_group(struct build *b, uint64_t key)
{
	struct group *g = group_at(b, key);

	if (g->used || key == GEO_KEY_EMBEDDED)
		return 0;
	if (b->n_groups == SL_MAX_GROUPS)
		return err_set(b->err, SL_ELIMIT, "more than %d groups", SL_MAX_GROUPS);
	g->used = true;
	g->key = key;
	b->n_groups++;
	return 0;
}

/* Keys to group keys, equal neighbours merged in place. */
static int to_groups(struct build *b, struct geo_cover *c)
{
	size_t n = 0;

	for (size_t i = 0; i < c->n; i++) {
		uint64_t key = group_key(b->in, c->r[i].val);
		int rc = add_group(b, key);

		if (rc)
			return rc;
		if (n == 0 || c->r[n - 1].val != key)
			c->r[n++] = (struct geo_range){c->r[i].start, key};
	}
	c->n = n;
	return 0;
}

static struct geo_place place_of(const struct geo_input *in, uint64_t key, char z[static 8])
{
	struct geo_key k = geo_key_unpack(key);

	return (struct geo_place){.country = geo_code_text(k.country, z),
		.province = geo_code_text(k.province, z + 4),
		.isp = k.isp ? str_from(in->isps[k.isp - 1].name) : (struct str){"", 0}};
}

static int name_group(const struct build *b, struct group *g)
{
	const char *dflt = b->in->default_group ? b->in->default_group : "default";
	char z[8];
	struct geo_place p = place_of(b->in, g->key, z);
	int n;

	if (g->key == 0)
		n = snprintf(g->name, sizeof(g->name), "%s", dflt);
	else if (p.isp.n)
		n = snprintf(g->name, sizeof(g->name), "%s/%s/%s", p.country.p,
			p.province.n ? p.province.p : "-", p.isp.p);
	else
		n = snprintf(g->name, sizeof(g->name), "%s%s%s", p.country.p,
			p.province.n ? "/" : "", p.province.p);
	if (n < 1 || (size_t)n >= sizeof(g->name))
		return err_set(b->err, SL_EINVAL, "group \"%s\": want 1 to %d octets", g->name,
			SL_MAX_NAME - 1);
	return 0;
}

/* The default group, then by name: ids do not depend on where in the space a group first occurs. */
static int by_name(const void *pa, const void *pb)
{
	const struct group *a = *(struct group *const *)pa, *b = *(struct group *const *)pb;

	if ((a->key == 0) != (b->key == 0))
		return a->key == 0 ? -1 : 1;
	return strcmp(a->name, b->name);
}

static int intern_one(struct build *b, struct group *g)
{
	char z[8];
	struct geo_place p = place_of(b->in, g->key, z);

	g->id = b->in->intern(b->in->ctx, str_from(g->name), &p);
	if (g->id == GEO_REFUSED)
		return err_set(b->err, SL_ELIMIT, "group %s: no room for another", g->name);
	b->max_id = SL_MAX(b->max_id, g->id);
	return 0;
}

static int intern_all(struct build *b)
{
	struct group *sorted[SL_MAX_GROUPS];
	size_t n = 0;
	int rc = 0;

	for (size_t i = 0; i < SLOTS && rc == 0; i++) {
		if (!b->groups[i].used)
			continue;
		sorted[n++] = &b->groups[i];
		rc = name_group(b, &b->groups[i]);
	}
	if (rc)
		return rc;
	qsort(sorted, n, sizeof(*sorted), by_name);
	for (size_t i = 0; i < n && rc == 0; i++)
		rc = intern_one(b, sorted[i]);
	b->default_id = sorted[0]->id;
	b->stats.groups = (uint32_t)n;
	return rc;
}

static void to_ids(struct build *b, struct geo_cover *c)
{
	for (size_t i = 0; i < c->n; i++) {
		if (c->r[i].val != GEO_KEY_EMBEDDED)
			c->r[i].val = group_at(b, c->r[i].val)->id;
	}
}

static int run(struct build *b, struct geo_table **ret_table, size_t *ret_size)
{
	struct geo_stats *s = &b->stats;
	int rc;

	if ((rc = open_covers(b)) != 0 || (rc = read_sources(b)) != 0 || (rc = fuse(b)) != 0)
		return rc;
	count(&b->out[0], &s->v4_country, &s->v4_isp);
	count(&b->out[1], &s->v6_country, &s->v6_isp);
	if ((rc = add_group(b, 0)) != 0 || (rc = to_groups(b, &b->out[0])) != 0 ||
		(rc = to_groups(b, &b->out[1])) != 0 || (rc = intern_all(b)) != 0)
		return rc;
	to_ids(b, &b->out[0]);
	to_ids(b, &b->out[1]);
	return geo_emit(
		&b->out[0], &b->out[1], b->max_id + 1, b->default_id, s, ret_table, ret_size);
}

int geo_build(const struct geo_input *in, struct geo_table **ret_table, size_t *ret_size,
	struct errbuf *err)
{
	struct build *b;
	int rc = check_isps(in, err);

	if (rc)
		return rc;
	if (in->n_dbs > GEO_MAX_DBS)
		return err_set(
			err, SL_ELIMIT, "%zu databases, want at most %d", in->n_dbs, GEO_MAX_DBS);
	b = calloc(1, sizeof(*b));
	if (!b)
		return err_set(err, SL_ENOMEM, "out of memory");
	b->in = in;
	b->err = err;
	if (err)
		err->s[0] = '\0';
	rc = run(b, ret_table, ret_size);
	for (size_t f = 0; f < N_FAMILIES; f++) {
		geo_cover_done(&b->out[f]);
		for (size_t i = 0; i < GEO_MAX_SOURCES; i++)
			geo_cover_done(&b->src[f][i]);
	}
	free(b);
	if (rc && err && err->s[0] == '\0')
		return err_set(err, rc, "geo table: %s", sl_strerror(rc));
	return rc;
}

static bool lost(uint64_t old, uint64_t now)
{
	return now < old - old / 5;
}

bool geo_shrunken(const struct geo_stats *old, const struct geo_stats *now)
{
	return lost(old->v4_country, now->v4_country) || lost(old->v4_isp, now->v4_isp) ||
	       lost(old->v6_country, now->v6_country) || lost(old->v6_isp, now->v6_isp) ||
	       lost(old->groups, now->groups);
}
