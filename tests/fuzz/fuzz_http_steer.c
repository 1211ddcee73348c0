/* SPDX-License-Identifier: Apache-2.0 */
/* A query string through /steer: whatever a player sends, it gets a manifest that keeps it going.
 */
#include "fuzz.h"

#include "httpworld.h"

#include <cjson/cJSON.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct httpworld h;
	static const struct ip client = {{10, 1, 2, 3}, IP_V4};
	struct str query = {(const char *)data, size <= 4096 ? size : 0};
	unsigned status;
	cJSON *json;

	if (!h.w.worker.rows)
		fuzz_check(httpworld_init(&h, NULL) == 0);
	if (!httpd_is_target(query)) /* the fence lets no such through */
		return 0;
	status = httpworld_ask(
		&h, HTTPD_GET, "/steer/live/cup", query, (struct str){NULL, 0}, client);
	if (status == 0)
		return 0;
	fuzz_check(status == 200 || status == 400);
	json = cJSON_Parse((const char *)h.body);
	fuzz_check(cJSON_IsObject(json));
	if (status == 200) {
		fuzz_check(cJSON_GetNumberValue(cJSON_GetObjectItem(json, "TTL")) >= 10);
		fuzz_check(cJSON_IsString(cJSON_GetObjectItem(json, "RELOAD-URI")));
		fuzz_check(cJSON_GetArraySize(cJSON_GetObjectItem(json, "PATHWAY-PRIORITY")) >= 1);
	}
	cJSON_Delete(json);
	return 0;
}
