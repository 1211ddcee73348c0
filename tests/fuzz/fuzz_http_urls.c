/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The doors that make URLs. The first octet says which; then comes a query for play, publish and
 * fallback, or "HOST LF TARGET" for the redirect. Whatever comes: no URL leads elsewhere than to a
 * vendor or an ingest, none has a line break or a secret in it, main and backup are of two units.
 */
#include "fuzz.h"

#include "httpkeys.h"

#include <cjson/cJSON.h>

static struct httpworld h;
static struct httpkeys keys;

/* With blanks, which no URL has: one that got there would be seen. */
static const char *const secrets[][2] = {
	{"sign", "first secret"}, {"word", "other secret"}, {NULL, NULL}};

static const char *const paths[] = {"/v1/play", "/v1/publish", "/v1/fallback"};

enum { TEXT_MAX = 4000 };

static bool begins(const char *s, const char *with)
{
	return strncmp(s, with, strlen(with)) == 0;
}

static void check_url(const char *url, bool ingest)
{
	const char *host = strstr(url, "://");

	fuzz_check(host != NULL);
	for (const char *p = url; *p; p++)
		fuzz_check(*p > ' ' && *p < 0x7f);
	host += 3;
	if (ingest)
		fuzz_check(begins(host, "north.example/live/") ||
			   begins(host, "north2.example/live/") ||
			   begins(host, "south.example:9/live/"));
	else
		fuzz_check(begins(host, "play.alpha.example/") ||
			   begins(host, "play.beta.example:81/") ||
			   begins(host, "live.gamma.example/") || begins(host, "203.0.113."));
}

static void check_play(const cJSON *json)
{
	const cJSON *vendor, *url;

	cJSON_ArrayForEach (vendor, cJSON_GetObjectItem(json, "answers"))
		cJSON_ArrayForEach (url, cJSON_GetObjectItem(vendor, "urls"))
			check_url(cJSON_GetObjectItem(url, "url")->valuestring, false);
}

static void check_publish(const cJSON *json)
{
	const cJSON *first = cJSON_GetObjectItem(json, "primary");
	const cJSON *second = cJSON_GetObjectItem(json, "backup");

	fuzz_check(first && second);
	check_url(cJSON_GetObjectItem(first, "url")->valuestring, true);
	check_url(cJSON_GetObjectItem(second, "url")->valuestring, true);
	fuzz_check(strcmp(cJSON_GetObjectItem(first, "unit")->valuestring,
			   cJSON_GetObjectItem(second, "unit")->valuestring) != 0);
}

static void check_fallback(const cJSON *json)
{
	const cJSON *group, *ppm;

	cJSON_ArrayForEach (group, cJSON_GetObjectItem(json, "ratios_ppm")) {
		double sum = 0;

		cJSON_ArrayForEach (ppm, group)
			sum += ppm->valuedouble;
		fuzz_check(sum == 1e6);
	}
}

static void ask(unsigned which, struct str query)
{
	static void (*const check[])(const cJSON *) = {check_play, check_publish, check_fallback};
	static const struct ip client = {{10, 1, 2, 3}, IP_V4};
	unsigned status =
		httpworld_ask(&h, HTTPD_GET, paths[which], query, (struct str){NULL, 0}, client);
	cJSON *json;

	if (status == 0)
		return; /* the fence refuses such a query */
	fuzz_check(
		status == 200 || status == 400 || status == 403 || status == 404 || status == 503);
	json = cJSON_Parse((const char *)h.body);
	fuzz_check(cJSON_IsObject(json));
	fuzz_check((status != 200) == cJSON_HasObjectItem(json, "error"));
	if (status == 200)
		check[which](json);
	cJSON_Delete(json);
}

static void redirect(struct str host, struct str target)
{
	struct httpd_field header = {STR_LIT("Host"), host};
	struct httpd_request rq = {.method = HTTPD_GET,
		.path = target,
		.target = target,
		.client = {{10, 1, 2, 3}, IP_V4},
		.peer_uid = -1,
		.params = h.params,
		.headers = &header,
		.n_headers = 1};
	struct str rest = target;

	if (!httpd_is_target(target) || target.p[0] != '/' || !httpd_is_field_value(host))
		return;
	rq.path = str_cut(&rest, '?');
	if (!httpworld_params(&h, rest, &rq.n_params))
		return;
	h.rp = (struct httpd_reply){
		.status = 200, .type = "application/json", .body = buf_over(h.body, HW_REPLY - 1)};
	http_door_redirect(&h.w, &rq, &h.rp);
	fuzz_check(h.rp.status == 302 || h.rp.status == 404 || h.rp.status == 503);
	if (h.rp.status == 302)
		check_url(h.rp.extra[0].value, false);
}

static void forget(void)
{
	httpkeys_done(&keys, &h);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct testworld_spec spec = {.plays = true};
	struct str rest = {(const char *)data + 1, size - 1}, host;
	unsigned which;

	if (size == 0 || size > TEXT_MAX)
		return 0;
	if (!h.w.worker.rows) {
		fuzz_check(httpworld_init(&h, &spec) == 0);
		fuzz_check(httpkeys_init(&keys, &h, secrets, "", 1700000000));
		(void)atexit(forget);
	}
	which = data[0] % 4;
	if (which < SL_COUNT(paths)) {
		ask(which, rest);
		return 0;
	}
	host = str_cut(&rest, '\n');
	redirect(host, rest);
	return 0;
}
