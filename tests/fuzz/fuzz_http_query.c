/* SPDX-License-Identifier: Apache-2.0 */
/* A query string through /v1/resolve: whatever it is, the reply is one JSON object of a known kind.
 */
#include "fuzz.h"

#include "httpworld.h"

#include <cjson/cJSON.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct httpworld h;
	static const struct ip client = {{10, 1, 2, 3}, IP_V4};
	struct str query = {(const char *)data, size < HW_TEXT ? size : 0};
	unsigned status;
	cJSON *json;

	if (!h.w.worker.rows)
		fuzz_check(httpworld_init(&h, NULL) == 0);
	status = httpworld_ask(&h, HTTPD_GET, "/v1/resolve", query, (struct str){NULL, 0}, client);
	if (status == 0)
		return 0;
	fuzz_check(status == 200 || status == 400 || status == 403 || status == 404);
	json = cJSON_Parse((const char *)h.body);
	fuzz_check(cJSON_IsObject(json));
	fuzz_check((status != 200) == cJSON_HasObjectItem(json, "error"));
	cJSON_Delete(json);
	return 0;
}
