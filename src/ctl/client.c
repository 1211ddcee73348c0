/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/client.h"

#include <cjson/cJSON.h>
#include <curl/curl.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct reply {
	char *p;
	size_t n;
};

static size_t collect(char *data, size_t size, size_t count, void *ctx)
{
	struct reply *r = ctx;
	size_t n = size * count;
	char *p = r->n + n < CTL_MAX_REPLY ? realloc(r->p, r->n + n + 1) : NULL;

	if (!p)
		return 0;
	memcpy(p + r->n, data, n);
	r->p = p;
	r->n += n;
	p[r->n] = '\0';
	return n;
}

/* The values as a query of GET. Returns malloc'd text. */
static char *query_of(CURL *curl, const struct ctl_request *r, const char *base)
{
	char *url = NULL;
	size_t n = 0;
	FILE *out = open_memstream(&url, &n);

	if (!out)
		return NULL;
	(void)fprintf(out, "%s%s", base, r->command->path);
	for (uint32_t i = 0; r->command->method == METHOD_GET && i < r->n_values; i++) {
		char *value = curl_easy_escape(curl, r->value[i].value, 0);

		(void)fprintf(
			out, "%c%s=%s", i ? '&' : '?', r->value[i].param->name, value ? value : "");
		curl_free(value);
	}
	return fclose(out) == 0 ? url : NULL;
}

/* The values as the object of POST; a parameter given more than once becomes a list. */
static char *body_of(const struct ctl_request *r)
{
	cJSON *o = cJSON_CreateObject();
	char *text;

	for (uint32_t i = 0; i < r->n_values; i++) {
		const char *name = r->value[i].param->name;
		cJSON *had = cJSON_GetObjectItemCaseSensitive(o, name);
		cJSON *value = cJSON_CreateString(r->value[i].value);

		if (r->value[i].param->need < NEED_MANY) {
			if (had)
				cJSON_DeleteItemFromObjectCaseSensitive(o, name);
			cJSON_AddItemToObject(o, name, value);
			continue;
		}
		if (!had)
			had = cJSON_AddArrayToObject(o, name);
		cJSON_AddItemToArray(had, value);
	}
	text = cJSON_PrintUnformatted(o);
	cJSON_Delete(o);
	return text;
}

static struct curl_slist *headers_of(const struct ctl_request *r, bool post)
{
	struct curl_slist *list = curl_slist_append(NULL, "Expect:");
	char line[512];

	if (post)
		list = curl_slist_append(list, "Content-Type: application/json");
	if (r->token) {
		(void)snprintf(line, sizeof(line), "Authorization: Bearer %s", r->token);
		list = curl_slist_append(list, line);
	}
	return list;
}

static int perform(CURL *curl, const struct ctl_request *r, const char *url, const char *body,
	struct reply *reply, long *ret_status, struct errbuf *err)
{
	bool post = r->command->method == METHOD_POST;
	struct curl_slist *headers = headers_of(r, post);
	CURLcode rc;
	long why = 0;

	curl_easy_setopt(curl, CURLOPT_URL, url);
	curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, collect);
	curl_easy_setopt(curl, CURLOPT_WRITEDATA, reply);
	curl_easy_setopt(curl, CURLOPT_TIMEOUT, (long)CTL_TIMEOUT_S);
	curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(curl, CURLOPT_PROXY, "");
	if (!r->url)
		curl_easy_setopt(curl, CURLOPT_UNIX_SOCKET_PATH, r->socket);
	if (r->cacert)
		curl_easy_setopt(curl, CURLOPT_CAINFO, r->cacert);
	if (post) {
		curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body);
		curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE, (long)strlen(body));
	}
	rc = curl_easy_perform(curl);
	curl_slist_free_all(headers);
	if (rc != CURLE_OK) {
		(void)curl_easy_getinfo(curl, CURLINFO_OS_ERRNO, &why);
		return err_set(err, SL_EIO, "cannot reach %s: %s%s", r->url ? r->url : r->socket,
			rc == CURLE_COULDNT_CONNECT && why ? sl_strerror(-(int)why)
							   : curl_easy_strerror(rc),
			r->url || rc != CURLE_COULDNT_CONNECT || why == EACCES
				? ""
				: "; is sluiced running there? --socket or "
				  "SLUICE_SOCKET say where it is");
	}
	curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, ret_status);
	return 0;
}

int ctl_call(const struct ctl_request *r, const char *body, long *ret_status,
	struct cJSON **ret_json, struct errbuf *err)
{
	CURL *curl = curl_easy_init();
	char *url = curl ? query_of(curl, r, r->url ? r->url : "http://sluice") : NULL;
	char *made = body ? NULL : body_of(r);
	struct reply reply = {0};
	cJSON *json = NULL;
	int rc = url && (body || made) ? 0 : err_set(err, SL_ENOMEM, "out of memory");

	if (!rc)
		rc = perform(curl, r, url, body ? body : made, &reply, ret_status, err);
	if (!rc) {
		json = cJSON_ParseWithLength(reply.p ? reply.p : "", reply.n);
		if (!cJSON_IsObject(json))
			rc = err_set(err, SL_EIO, "%s: status %ld and no JSON object in the answer",
				r->url ? r->url : r->socket, *ret_status);
	}
	if (rc)
		cJSON_Delete(json);
	else
		*ret_json = json;
	free(reply.p);
	cJSON_free(made);
	free(url);
	curl_easy_cleanup(curl);
	return rc;
}
