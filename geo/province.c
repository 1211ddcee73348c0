/* SPDX-License-Identifier: Apache-2.0 */
/* Provinces of China and the distances between them. */
#include "geo/province.h"

#include <math.h>

static const struct geo_province provinces[] = {
	/* the capital where most people live near it, else the middle of the settled part */
	{"AH", "Anhui", 3186, 11728},
	{"BJ", "Beijing", 3990, 11641},
	{"CQ", "Chongqing", 2956, 10655},
	{"FJ", "Fujian", 2607, 11830},
	{"GD", "Guangdong", 2313, 11326},
	{"GS", "Gansu", 3606, 10383},
	{"GX", "Guangxi", 2282, 10832},
	{"GZ", "Guizhou", 2665, 10663},
	{"HA", "Henan", 3475, 11362},
	{"HB", "Hubei", 3059, 11430},
	{"HE", "Hebei", 3804, 11451},
	{"HI", "Hainan", 2004, 11032},
	{"HK", "Hong Kong", 2232, 11417},
	{"HL", "Heilongjiang", 4580, 12653},
	{"HN", "Hunan", 2823, 11294},
	{"JL", "Jilin", 4382, 12532},
	{"JS", "Jiangsu", 3206, 11880},
	{"JX", "Jiangxi", 2868, 11586},
	{"LN", "Liaoning", 4181, 12343},
	{"MO", "Macao", 2220, 11354},
	{"NM", "Inner Mongolia", 4084, 11175},
	{"NX", "Ningxia", 3849, 10623},
	{"QH", "Qinghai", 3662, 10178},
	{"SC", "Sichuan", 3057, 10407},
	{"SD", "Shandong", 3665, 11712},
	{"SH", "Shanghai", 3123, 12147},
	{"SN", "Shaanxi", 3434, 10894},
	{"SX", "Shanxi", 3787, 11255},
	{"TJ", "Tianjin", 3908, 11720},
	{"TW", "Taiwan", 2403, 12068},
	{"XJ", "Xinjiang", 4383, 8762},
	{"XZ", "Tibet", 2965, 9112},
	{"YN", "Yunnan", 2504, 10272},
	{"ZJ", "Zhejiang", 3027, 12016},
};

const struct geo_province *geo_province_all(size_t *ret_n)
{
	*ret_n = SL_COUNT(provinces);
	return provinces;
}

const struct geo_province *geo_province_find(struct str code)
{
	for (size_t i = 0; i < SL_COUNT(provinces); i++) {
		if (str_eq_ci(code, str_from(provinces[i].code)))
			return &provinces[i];
	}
	return NULL;
}

static double radians(int cdeg)
{
	return cdeg / 100.0 * (3.14159265358979323846 / 180.0);
}

/* Haversine on a sphere of 6371 km. */
static double distance_km(const struct geo_province *p, const struct geo_province *q)
{
	double lat = sin((radians(q->lat_cdeg) - radians(p->lat_cdeg)) / 2);
	double lon = sin((radians(q->lon_cdeg) - radians(p->lon_cdeg)) / 2);
	double h = lat * lat + cos(radians(p->lat_cdeg)) * cos(radians(q->lat_cdeg)) * lon * lon;

	return 2 * 6371.0 * asin(sqrt(h));
}

int geo_province_distance_km(struct str a, struct str b)
{
	const struct geo_province *p = geo_province_find(a), *q = geo_province_find(b);

	if (!p || !q)
		return -1;
	return p == q ? 0 : (int)(distance_km(p, q) + 0.5);
}
