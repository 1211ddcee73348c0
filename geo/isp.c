/* SPDX-License-Identifier: Apache-2.0 */
/* Names and AS numbers of carriers to one row of the table. */
#include "geo/isp.h"

#include "base/glob.h"

#define NAMES(...) ((const char *const[]){__VA_ARGS__, NULL})
#define ASNS(...)  ((const uint32_t[]){__VA_ARGS__, 0})

static const struct geo_isp isp_default[] = {
#define ISP(isp_name, isp_aliases, isp_asns)                                                       \
	{.name = (isp_name), .aliases = (isp_aliases), .asns = (isp_asns)},
#include "geo/isp_default.def"
#undef ISP
};

const struct geo_isp *geo_isp_default(size_t *ret_n)
{
	*ret_n = SL_COUNT(isp_default);
	return isp_default;
}

static bool has_name(const struct geo_isp *isp, struct str name)
{
	if (str_eq_ci(str_from(isp->name), name))
		return true;
	for (const char *const *a = isp->aliases; a && *a; a++) {
		if (glob_match(str_from(*a), name, true))
			return true;
	}
	return false;
}

size_t geo_isp_by_name(const struct geo_isp *isps, size_t n, struct str name)
{
	size_t i = 0;

	while (i < n && !has_name(&isps[i], name))
		i++;
	return i;
}

size_t geo_isp_by_asn(const struct geo_isp *isps, size_t n, uint32_t asn)
{
	if (asn == 0)
		return n;
	for (size_t i = 0; i < n; i++) {
		for (const uint32_t *a = isps[i].asns; a && *a; a++) {
			if (*a == asn)
				return i;
		}
	}
	return n;
}
