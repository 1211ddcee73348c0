/* SPDX-License-Identifier: Apache-2.0 */
/* The first four lines are the pointers to the series, the value, the time and the next page; the
 * rest is a reply. */
#include "fuzz.h"

#include "conf/conf.h"
#include "sense/series.h"

#include <cjson/cJSON.h>
#include <math.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct sense_points points;
	struct str text = {(const char *)data, size};
	char pointer[4][64], token[32];
	struct sense_form f = {.step_s = 60, .utc_offset_min = 480};
	struct errbuf err;
	double mbps;
	cJSON *reply;

	for (int i = 0; i < 4; i++) {
		struct str line = str_cut(&text, '\n');

		(void)snprintf(pointer[i], sizeof(pointer[i]), STR_FMT, STR_ARG(line));
	}
	f.series = pointer[0];
	f.value = pointer[1];
	f.time = pointer[2];
	f.unit = CONF_UNIT_BPS + (uint32_t)(size % 5);
	points.n = 0;
	reply = cJSON_ParseWithLength(text.n ? text.p : "", text.n);
	(void)sense_series_read(&f, reply, &points, &err);
	fuzz_check(points.n <= SENSE_MAX_POINTS);
	for (uint32_t i = 0; i < points.n; i++) {
		fuzz_check(i == 0 || points.at[i - 1].t_ms < points.at[i].t_ms);
		fuzz_check(!isnan(points.at[i].v));
	}
	if (points.n)
		(void)sense_series_window(&points, points.at[0].t_ms, 300, 60, &mbps);
	if (sense_series_text(reply, pointer[3], token, sizeof(token)))
		fuzz_check(token[0] && strlen(token) < sizeof(token));
	cJSON_Delete(reply);
	return 0;
}
