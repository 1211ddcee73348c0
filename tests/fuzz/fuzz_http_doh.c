/* SPDX-License-Identifier: Apache-2.0 */
/*
 * DNS over HTTPS. The first octet says what the rest is: a message by GET or POST, the query of the
 * JSON form, or a message whose freshness is read. A reply to a message is a message with its id,
 * one in JSON parses, and neither is kept for longer than a record of it.
 */
#include "fuzz.h"

#include "http/cipher.h"
#include "http/doh.h"
#include "httpworld.h"

#include <cjson/cJSON.h>

enum { MESSAGE_MAX = 3000 };

static struct httpworld h;
static const struct ip client = {{10, 1, 2, 3}, IP_V4};

static void check_message(unsigned status, const uint8_t *data, size_t n)
{
	struct http_doh_note note;

	if (status == 400)
		return;
	fuzz_check(status == 200 && n >= 12 && buf_len(&h.rp.body) >= 12);
	fuzz_check(memcmp(h.body, data, 2) == 0 && h.body[2] & 0x80);
	note = http_doh_read(h.body, buf_len(&h.rp.body));
	fuzz_check(note.fresh == (strcmp(h.rp.cache_control, "no-store") != 0));
	fuzz_check(!note.fresh || note.max_age_s <= 3600);
}

static void get(const uint8_t *data, size_t n)
{
	char query[5000] = "dns=";
	struct buf b = buf_over(query, sizeof(query));

	b.p += 4;
	http_put_base64(&b, (struct str){(const char *)data, n});
	for (uint8_t *p = b.base + 4; p < b.p; p++)
		*p = (uint8_t)(*p == '+' ? '-' : *p == '/' ? '_' : *p);
	check_message(httpworld_ask(&h, HTTPD_GET, "/dns-query", (struct str){query, buf_len(&b)},
			      (struct str){NULL, 0}, client),
		data, n);
}

static void post(const uint8_t *data, size_t n)
{
	static const struct httpd_field type = {
		{"Content-Type", 12}, {"application/dns-message", 23}};
	struct httpd_request rq = {.method = HTTPD_POST,
		.path = STR_LIT("/dns-query"),
		.body = {n ? (const char *)data : NULL, n}, /* as without a body */
		.client = client,
		.headers = &type,
		.n_headers = 1};

	h.rp = (struct httpd_reply){
		.status = 200, .body = buf_over(h.body, HW_REPLY - 1), .cache_control = "no-store"};
	http_door_doh(&h.w, &rq, &h.rp);
	check_message(h.rp.status, data, n);
}

static void as_json(const uint8_t *data, size_t n)
{
	char query[MESSAGE_MAX + 16] = "name=";
	unsigned status;
	cJSON *json;

	memcpy(query + 5, data, n);
	status = httpworld_ask(&h, HTTPD_GET, "/dns-query", (struct str){query, n + 5},
		(struct str){NULL, 0}, client);
	if (status == 0 || (status == 200 && !strcmp(h.rp.type, "application/dns-message")))
		return;
	fuzz_check(status == 200 || status == 400);
	json = cJSON_Parse((const char *)h.body);
	fuzz_check(cJSON_IsObject(json));
	cJSON_Delete(json);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0 || size > MESSAGE_MAX)
		return 0;
	if (!h.w.worker.rows)
		fuzz_check(httpworld_init(&h, NULL) == 0);
	size--;
	switch (*data++ % 4) {
	case 0:
		get(data, size);
		break;
	case 1:
		post(data, size);
		break;
	case 2:
		as_json(data, size);
		break;
	default:
		(void)http_doh_read(data, size);
	}
	return 0;
}
