/* SPDX-License-Identifier: Apache-2.0 */
/* A body posted to /v1/resolve: the reply is one JSON object, and the cursor agrees with a parser
 * of the whole on what is JSON. */
#include "fuzz.h"

#include "httpworld.h"

#include <cjson/cJSON.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct httpworld h;
	static const struct ip client = {{10, 1, 2, 3}, IP_V4};
	struct str body = {(const char *)data, size};
	unsigned status;
	cJSON *json;

	if (size > SL_HTTP_BATCH_OCTETS)
		return 0;
	if (!h.w.worker.rows)
		fuzz_check(httpworld_init(&h, NULL) == 0);
	status = httpworld_ask(&h, HTTPD_POST, "/v1/resolve", (struct str){NULL, 0}, body, client);
	fuzz_check(status == 200 || status == 400 || status == 404);
	json = cJSON_Parse((const char *)h.body);
	fuzz_check(cJSON_IsObject(json));
	cJSON_Delete(json);
	if (status == 200) {
		json = cJSON_ParseWithLength(body.p, body.n);
		fuzz_check(cJSON_IsObject(json));
		cJSON_Delete(json);
	}
	return 0;
}
