/* SPDX-License-Identifier: Apache-2.0 */
/* Provinces of China and the distances between them. */
#include "geo/province.h"

#include <math.h>

static const struct geo_province provinces[] = {
	{"AH", "34", "Anhui", 3186, 11728},
	{"BJ", "11", "Beijing", 3990, 11641},
	{"CQ", "50", "Chongqing", 2956, 10655},
	{"FJ", "35", "Fujian", 2607, 11830},
	{"GD", "44", "Guangdong", 2313, 11326},
	{"GS", "62", "Gansu", 3606, 10383},
	{"GX", "45", "Guangxi", 2282, 10832},
	{"GZ", "52", "Guizhou", 2665, 10663},
	{"HA", "41", "Henan", 3475, 11362},
	{"HB", "42", "Hubei", 3059, 11430},
	{"HE", "13", "Hebei", 3804, 11451},
	{"HI", "46", "Hainan", 2004, 11032},
	{"HK", "81", "Hong Kong", 2232, 11417},
	{"HL", "23", "Heilongjiang", 4580, 12653},
	{"HN", "43", "Hunan", 2823, 11294},
	{"JL", "22", "Jilin", 4382, 12532},
	{"JS", "32", "Jiangsu", 3206, 11880},
	{"JX", "36", "Jiangxi", 2868, 11586},
	{"LN", "21", "Liaoning", 4181, 12343},
	{"MO", "82", "Macao", 2220, 11354},
	{"NM", "15", "Inner Mongolia", 4084, 11175},
	{"NX", "64", "Ningxia", 3849, 10623},
	{"QH", "63", "Qinghai", 3662, 10178},
	{"SC", "51", "Sichuan", 3057, 10407},
	{"SD", "37", "Shandong", 3665, 11712},
	{"SH", "31", "Shanghai", 3123, 12147},
	{"SN", "61", "Shaanxi", 3434, 10894},
	{"SX", "14", "Shanxi", 3787, 11255},
	{"TJ", "12", "Tianjin", 3908, 11720},
	{"TW", "71", "Taiwan", 2403, 12068},
	{"XJ", "65", "Xinjiang", 4383, 8762},
	{"XZ", "54", "Tibet", 2965, 9112},
	{"YN", "53", "Yunnan", 2504, 10272},
	{"ZJ", "33", "Zhejiang", 3027, 12016},
};

const struct geo_province *geo_province_find(struct str code)
{
	for (size_t i = 0; i < SL_COUNT(provinces); i++) {
		if (str_eq_ci(code, str_from(provinces[i].code)) ||
			str_eq_z(code, provinces[i].number))
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
