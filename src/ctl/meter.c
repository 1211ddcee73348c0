/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/meter.h"

#include "base/os.h"

#include <cjson/cJSON.h>
#include <stdlib.h>
#include <string.h>

enum { DEFAULT_WINDOW_S = 60 };

static double number(const struct ctl_request *r, const char *name, double otherwise)
{
	const char *text = ctl_value(r, name);
	double v;

	return text && commands_parse_number(text, &v) ? v : otherwise;
}

static int from_input(char **ret_body, struct errbuf *err)
{
	cJSON *json;
	size_t n;
	int rc = os_read_file("/dev/stdin", 16 << 20, ret_body, &n, err);

	if (rc)
		return rc;
	json = cJSON_ParseWithLength(*ret_body, n);
	if (!cJSON_IsArray(cJSON_GetObjectItemCaseSensitive(json, "meters"))) {
		rc = err_set(err, SL_EINVAL, "standard input: want {\"meters\":[...]}");
		free(*ret_body);
		*ret_body = NULL;
	}
	cJSON_Delete(json);
	return rc;
}

int ctl_meter_body(const struct ctl_request *r, char **ret_body, struct errbuf *err)
{
	const char *vendor = ctl_value(r, "vendor"), *region = ctl_value(r, "region");
	double end = number(r, "end", (double)os_now_ms() / 1e3);
	cJSON *o, *m;

	if (!vendor || strcmp(vendor, "-") == 0)
		return vendor && !ctl_value(r, "mbps")
			       ? from_input(ret_body, err)
			       : err_set(err, SL_EINVAL, "want VENDOR MBPS, or -");
	if (!ctl_value(r, "mbps"))
		return err_set(err, SL_EINVAL, "mbps is missing");
	o = cJSON_CreateObject();
	m = cJSON_CreateObject();
	cJSON_AddItemToArray(cJSON_AddArrayToObject(o, "meters"), m);
	cJSON_AddStringToObject(m, "vendor", vendor);
	if (region)
		cJSON_AddStringToObject(m, "region", region);
	cJSON_AddNumberToObject(m, "mbps", number(r, "mbps", 0));
	cJSON_AddNumberToObject(m, "window_start", number(r, "start", end - DEFAULT_WINDOW_S));
	cJSON_AddNumberToObject(m, "window_end", end);
	*ret_body = cJSON_PrintUnformatted(o);
	cJSON_Delete(o);
	return *ret_body ? 0 : err_set(err, SL_ENOMEM, "out of memory");
}
