/* SPDX-License-Identifier: Apache-2.0 */
/* Fleets from JSON: the format of `sluicectl score`, read strictly. Knows no score. */
#include "ctl/score_int.h"

#include <math.h>

/* One member of an object: where its number goes, and what it may be. */
struct number {
	const char *key;
	double *to;
	double min, max;
	bool required, whole;
};

#define MAX_MBPS 1e12

/* true if key is among the numbers or the names of other members. */
static bool key_known(const char *key, const struct number *num, size_t n, const char *const *other)
{
	for (size_t i = 0; i < n; i++)
		if (!strcmp(key, num[i].key))
			return true;
	for (; other && *other; other++)
		if (!strcmp(key, *other))
			return true;
	return false;
}

static int check_keys(const cJSON *o, const char *where, const struct number *num, size_t n,
	const char *const *other, struct errbuf *err)
{
	const cJSON *at;

	if (!cJSON_IsObject(o))
		return err_set(err, SL_EFORMAT, "%s: got no object", where);
	cJSON_ArrayForEach (at, o) {
		if (num && !key_known(at->string, num, n, other))
			return err_set(
				err, SL_EFORMAT, "%s: unknown key \"%.64s\"", where, at->string);
		if (cJSON_GetObjectItemCaseSensitive(o, at->string) != at)
			return err_set(err, SL_EFORMAT, "%s: key \"%.64s\" stands twice", where,
				at->string);
	}
	return 0;
}

static int read_number(
	const cJSON *o, const char *where, const struct number *num, struct errbuf *err)
{
	const cJSON *at = cJSON_GetObjectItemCaseSensitive(o, num->key);

	if (!at && num->required)
		return err_set(err, SL_EFORMAT, "%s: %s is missing", where, num->key);
	if (!at)
		return 0;
	if (!cJSON_IsNumber(at))
		return err_set(err, SL_EFORMAT, "%s: %s is no number", where, num->key);
	if (!(at->valuedouble >= num->min && at->valuedouble <= num->max) ||
		(num->whole && at->valuedouble != floor(at->valuedouble)))
		return err_set(err, SL_EFORMAT, "%s: %s is %g, want %s%g to %g", where, num->key,
			at->valuedouble, num->whole ? "a whole number from " : "", num->min,
			num->max);
	*num->to = at->valuedouble;
	return 0;
}

/* Numbers of an object; other: the keys that are not numbers. */
static int read_numbers(const cJSON *o, const char *where, const struct number *num, size_t n,
	const char *const *other, struct errbuf *err)
{
	int r = check_keys(o, where, num, n, other, err);

	for (size_t i = 0; r == 0 && i < n; i++)
		r = read_number(o, where, &num[i], err);
	return r;
}

static int read_params(
	struct ctl_fleet *f, const cJSON *o, double *ret_headroom, struct errbuf *err)
{
	struct score_params *p = &f->service.params;
	double slices = p->slices, trickle = p->trickle_ppm;
	const struct number num[] = {
		{"guarantee_gain", &p->guarantee_gain, 0, 1e9},
		{"guarantee_blend", &p->guarantee_blend, 0, 1},
		{"quality_exponent", &p->quality_exponent, 0, 1000},
		{"headroom", ret_headroom, 0, 0.9},
		{"slices", &slices, 1, SCORE_MAX_SLICES, false, true},
		{"trickle_ppm", &trickle, 0, SL_MAX_TRICKLE_PPM, false, true},
	};
	int r = o ? read_numbers(o, "params", num, SL_COUNT(num), NULL, err) : 0;

	p->slices = (uint32_t)slices;
	p->trickle_ppm = (uint32_t)trickle;
	return r;
}

static int read_name(const cJSON *o, const char *where, const char **ret_name, struct errbuf *err)
{
	const cJSON *at = cJSON_GetObjectItemCaseSensitive(o, "name");

	if (!cJSON_IsString(at) || !*at->valuestring || strlen(at->valuestring) > SL_MAX_NAME)
		return err_set(err, SL_EFORMAT,
			"%s: name is missing or no string of 1 to %d octets", where, SL_MAX_NAME);
	*ret_name = at->valuestring;
	return 0;
}

static int group_index(const struct ctl_fleet *f, const char *name)
{
	for (uint32_t g = 0; g < f->n_groups; g++)
		if (!strcmp(f->group_name[g], name))
			return (int)g;
	return -1;
}

/* Position of a vendor in the input; -1: no such. */
static int vendor_index(const struct ctl_fleet *f, const char *name)
{
	for (uint32_t i = 0; i < f->n_vendors; i++)
		if (!strcmp(f->vendor_name[i], name))
			return (int)i;
	return -1;
}

static int read_groups(struct ctl_fleet *f, const cJSON *groups, struct errbuf *err)
{
	uint32_t n = groups ? (uint32_t)cJSON_GetArraySize(groups) : 1;
	static const char *const other[] = {"name", "region", NULL};
	int r = 0;

	if (groups && (!cJSON_IsArray(groups) || n < 1 || n > SL_MAX_GROUPS))
		return err_set(err, SL_EFORMAT, "groups: want an array of 1 to %d", SL_MAX_GROUPS);
	f->group_name = calloc(n, sizeof(*f->group_name));
	f->row = calloc(n, sizeof(*f->row));
	f->region_of = calloc((size_t)n * SL_MAX_SLOTS, sizeof(*f->region_of));
	if (!f->group_name || !f->row || !f->region_of)
		return SL_ENOMEM;
	if (!groups)
		f->group_name[f->n_groups++] = "default";
	for (const cJSON *g = groups ? groups->child : NULL; g && r == 0; g = g->next) {
		const struct number num[] = {
			{"demand_mbps", &f->row[f->n_groups].demand_mbps, 0, MAX_MBPS}};
		const char *name = "";

		r = read_numbers(g, "groups", num, SL_COUNT(num), other, err);
		if (r == 0)
			r = read_name(g, "groups", &name, err);
		if (r == 0 && group_index(f, name) >= 0)
			r = err_set(err, SL_EFORMAT, "groups: \"%s\" stands twice", name);
		f->group_name[f->n_groups++] = name;
	}
	return r;
}

/* Vendor ids go by name. */
static int read_vendor_names(struct ctl_fleet *f, const cJSON *vendors, struct errbuf *err)
{
	if (!cJSON_IsArray(vendors) || cJSON_GetArraySize(vendors) < 1 ||
		cJSON_GetArraySize(vendors) > SL_MAX_SLOTS)
		return err_set(err, SL_EFORMAT, "vendors: want an array of 1 to %d", SL_MAX_SLOTS);
	for (const cJSON *v = vendors->child; v; v = v->next) {
		const char *name;
		int r = read_name(v, "vendors", &name, err);

		if (r == 0 && !strcmp(name, CTL_FLEET_NONE))
			r = err_set(err, SL_EFORMAT, "vendors: \"%s\" is not free as a name", name);
		if (r == 0 && vendor_index(f, name) >= 0)
			r = err_set(err, SL_EFORMAT, "vendors: \"%s\" stands twice", name);
		if (r)
			return r;
		f->vendor_name[f->n_vendors++] = name;
	}
	for (uint32_t i = 0; i < f->n_vendors; i++)
		for (uint32_t k = 0; k < f->n_vendors; k++)
			f->service.slot[i].vendor +=
				strcmp(f->vendor_name[k], f->vendor_name[i]) < 0;
	f->service.n_slots = f->n_vendors;
	return 0;
}

static int read_qualities(
	struct ctl_fleet *f, const cJSON *o, uint32_t slot, double quality, struct errbuf *err)
{
	char where[SL_MAX_NAME + 40];
	const cJSON *at;
	int r;

	for (uint32_t g = 0; g < f->n_groups; g++)
		f->row[g].quality[slot] = fmax(quality, SCORE_QUALITY_MIN);
	if (!o)
		return 0;
	(void)snprintf(where, sizeof(where), "vendor %s: quality_by_group", f->vendor_name[slot]);
	r = check_keys(o, where, NULL, 0, NULL, err);
	if (r)
		return r;
	cJSON_ArrayForEach (at, o) {
		int g = group_index(f, at->string);

		if (g < 0)
			return err_set(
				err, SL_EFORMAT, "%s: no group \"%.64s\"", where, at->string);
		if (!cJSON_IsNumber(at) || !(at->valuedouble >= 0 && at->valuedouble <= 1))
			return err_set(
				err, SL_EFORMAT, "%s: \"%s\" is not in 0 to 1", where, at->string);
		f->row[g].quality[slot] = fmax(at->valuedouble, SCORE_QUALITY_MIN);
	}
	return 0;
}

/* The region of a group for a vendor by name, NULL where it has none. */
static const char *region_name(const cJSON *group, const char *vendor)
{
	const cJSON *at = cJSON_GetObjectItemCaseSensitive(group, "region");

	if (cJSON_IsObject(at))
		at = cJSON_GetObjectItemCaseSensitive(at, vendor);
	return cJSON_IsString(at) ? at->valuestring : NULL;
}

static int read_region(struct ctl_fleet *f, const cJSON *o, uint32_t slot, struct errbuf *err)
{
	uint32_t vendor = f->service.slot[slot].vendor;
	struct alloc_region reg = {.vendor = (uint16_t)vendor,
		.guaranteed_mbps = HUGE_VAL,
		.max_mbps = HUGE_VAL,
		.forecast_mbps = -1};
	const struct number num[] = {
		{"guaranteed_mbps", &reg.guaranteed_mbps, 0, MAX_MBPS},
		{"max_mbps", &reg.max_mbps, 0, MAX_MBPS},
		{"current_mbps", &reg.current_mbps, 0, MAX_MBPS},
		{"forecast_mbps", &reg.forecast_mbps, 0, MAX_MBPS},
	};
	char where[SL_MAX_NAME * 2 + 40];
	uint32_t g = 0;
	int r;

	(void)snprintf(
		where, sizeof(where), "vendor %s: region %.64s", f->vendor_name[slot], o->string);
	r = read_numbers(o, where, num, SL_COUNT(num), NULL, err);
	if (r)
		return r;
	if (isfinite(reg.guaranteed_mbps) && reg.guaranteed_mbps > reg.max_mbps)
		return err_set(err, SL_EFORMAT, "%s: guaranteed_mbps above max_mbps", where);
	if (f->n_regions == SL_MAX_REGIONS)
		return err_set(err, SL_EFORMAT, "more than %d vendor regions", SL_MAX_REGIONS);
	for (const cJSON *at = cJSON_GetObjectItemCaseSensitive(f->json, "groups");
		at && g < f->n_groups; g++) {
		const char *name;

		at = g ? at->next : at->child;
		name = region_name(at, f->vendor_name[slot]);
		if (name && !strcmp(name, o->string))
			f->region_of[g * f->n_vendors + vendor] = (uint16_t)f->n_regions;
	}
	f->region[f->n_regions++] = reg;
	return 0;
}

static int read_vendor(
	struct ctl_fleet *f, const cJSON *o, uint32_t slot, double headroom, struct errbuf *err)
{
	static const char *const other[] = {"name", "quality_by_group", "regions", NULL};
	struct alloc_vendor *v = &f->vendor[f->service.slot[slot].vendor];
	const cJSON *regions = cJSON_GetObjectItemCaseSensitive(o, "regions"), *at;
	double quality = 1, *weight = &f->service.slot[slot].weight;
	const struct number num[] = {
		{"weight", weight, 0, 1e6},
		{"guaranteed_mbps", &v->guaranteed_mbps, 0, MAX_MBPS, true},
		{"max_mbps", &v->max_mbps, 0, MAX_MBPS, true},
		{"current_mbps", &v->current_mbps, 0, MAX_MBPS, true},
		{"forecast_mbps", &v->forecast_mbps, 0, MAX_MBPS},
		{"quality", &quality, 0, 1},
	};
	char where[SL_MAX_NAME + 16];
	int r;

	*v = (struct alloc_vendor){.forecast_mbps = -1, .headroom = headroom, .known = true};
	*weight = 1;
	(void)snprintf(where, sizeof(where), "vendor %s", f->vendor_name[slot]);
	r = read_numbers(o, where, num, SL_COUNT(num), other, err);
	if (r == 0 && v->guaranteed_mbps > v->max_mbps)
		r = err_set(err, SL_EFORMAT, "%s: guaranteed_mbps %g above max_mbps %g", where,
			v->guaranteed_mbps, v->max_mbps);
	if (r == 0)
		r = read_qualities(f, cJSON_GetObjectItemCaseSensitive(o, "quality_by_group"), slot,
			quality, err);
	if (r == 0 && regions)
		r = check_keys(regions, where, NULL, 0, NULL, err);
	cJSON_ArrayForEach (at, regions) {
		if (r == 0)
			r = read_region(f, at, slot, err);
	}
	return r;
}

/* A group's region: a string, or an object vendor -> string. */
static int check_region_names(const struct ctl_fleet *f, const cJSON *groups, struct errbuf *err)
{
	const cJSON *g, *at;

	cJSON_ArrayForEach (g, groups) {
		const cJSON *r = cJSON_GetObjectItemCaseSensitive(g, "region");

		if (r && !cJSON_IsString(r) && !cJSON_IsObject(r))
			return err_set(
				err, SL_EFORMAT, "groups: region is no string and no object");
		if (!cJSON_IsObject(r))
			continue;
		cJSON_ArrayForEach (at, r) {
			if (vendor_index(f, at->string) < 0)
				return err_set(err, SL_EFORMAT,
					"groups: region: no vendor \"%.64s\"", at->string);
			if (!cJSON_IsString(at))
				return err_set(err, SL_EFORMAT, "groups: region of %s is no string",
					at->string);
		}
	}
	return 0;
}

static int parse(struct ctl_fleet *f, struct errbuf *err)
{
	static const char *const keys[] = {"params", "groups", "vendors", NULL};
	static const struct number none[1];
	const cJSON *groups, *vendors = cJSON_GetObjectItemCaseSensitive(f->json, "vendors");
	double headroom = SCORE_HEADROOM_DEFAULT;
	uint32_t slot = 0;
	int r = check_keys(f->json, "fleet", none, 0, keys, err);

	groups = cJSON_GetObjectItemCaseSensitive(f->json, "groups");
	if (r == 0)
		r = read_params(
			f, cJSON_GetObjectItemCaseSensitive(f->json, "params"), &headroom, err);
	if (r == 0)
		r = read_groups(f, groups, err);
	if (r == 0)
		r = read_vendor_names(f, vendors, err);
	if (r == 0)
		r = check_region_names(f, groups, err);
	if (r)
		return r;
	for (uint32_t i = 0; i < f->n_groups * f->n_vendors; i++)
		f->region_of[i] = ALLOC_NO_REGION;
	for (const cJSON *v = vendors->child; v && r == 0; v = v->next)
		r = read_vendor(f, v, slot++, headroom, err);
	for (uint32_t g = 0; g < f->n_groups; g++) {
		f->row[g].group = (uint16_t)g;
		f->row[g].trickle_ppm = UINT32_MAX;
	}
	return r;
}

int ctl_fleet_parse(struct ctl_fleet *f, const char *text, size_t size, struct errbuf *err)
{
	const char *end;

	*f = (struct ctl_fleet){.service.params = SCORE_PARAMS_DEFAULT};
	f->json = cJSON_ParseWithLengthOpts(text, size, &end, false);
	if (!f->json)
		return err_set(err, SL_EFORMAT, "no JSON at octet %zu", (size_t)(end - text) + 1);
	while (end < text + size && (*end == ' ' || *end == '\t' || *end == '\r' || *end == '\n'))
		end++;
	if (end != text + size)
		return err_set(err, SL_EFORMAT, "more after the end, at octet %zu",
			(size_t)(end - text) + 1);
	return parse(f, err);
}

void ctl_fleet_done(struct ctl_fleet *f)
{
	cJSON_Delete(f->json);
	free(f->group_name);
	free(f->row);
	free(f->region_of);
	*f = (struct ctl_fleet){0};
}

struct alloc_fleet ctl_fleet_view(const struct ctl_fleet *f)
{
	return (struct alloc_fleet){.vendor = f->vendor,
		.region = f->region,
		.service = &f->service,
		.row = f->row,
		.region_of = f->region_of,
		.n_vendors = f->n_vendors,
		.n_regions = f->n_regions,
		.n_services = 1,
		.n_groups = f->n_groups,
		.n_rows = f->n_groups};
}
