/* SPDX-License-Identifier: Apache-2.0 */
/* sluicectl: one request to the admin API, or a command that needs no daemon. */
#include "base/os.h"
#include "ctl/client.h"
#include "ctl/help.h"
#include "ctl/local.h"
#include "ctl/meter.h"
#include "ctl/offline.h"
#include "ctl/view.h"

#include <cjson/cJSON.h>
#include <curl/curl.h>
#include <math.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { DONE = 0, REFUSED = 1, USAGE = 2, UNREACHABLE = 3 };
enum { MAX_LIST = 15 << 20 };

static const char *or_env(const char *given, const char *name)
{
	const char *env = given ? NULL : getenv(name);

	return given || !env || !*env ? given : env;
}

static void print_json(const cJSON *json)
{
	char *text = cJSON_PrintUnformatted(json);

	(void)puts(text ? text : "{}");
	cJSON_free(text);
}

static const char *member(const cJSON *o, const char *name)
{
	const cJSON *v = cJSON_GetObjectItemCaseSensitive(o, name);

	return cJSON_IsString(v) ? v->valuestring : NULL;
}

/* Shows an answer; the exit status it stands for. */
static int show(const struct ctl_request *r, long status, const cJSON *json)
{
	const cJSON *error = cJSON_GetObjectItemCaseSensitive(json, "error");
	const char *message = member(error, "message");

	if (r->json)
		print_json(json);
	else if (!error)
		ctl_view(json, isatty(STDOUT_FILENO) == 1, stdout);
	if (status >= 200 && status < 300)
		return DONE;
	(void)fprintf(stderr, "sluicectl: %s\n", message ? message : "refused without a reason");
	return REFUSED;
}

/* A change that wants its name typed: asks on a terminal. Whether it was; the name is in ret_word.
 */
static bool ask_confirm(const cJSON *json, char *ret_word, size_t size)
{
	const cJSON *error = cJSON_GetObjectItemCaseSensitive(json, "error");
	const char *want = member(error, "confirm");

	if (!want || !isatty(STDIN_FILENO) || !isatty(STDERR_FILENO))
		return false;
	(void)snprintf(ret_word, size, "%s", want);
	return ctl_ask(json, want);
}

/* A list that is "-" is what standard input has. *ret_text is to be freed. */
static int take_list(struct ctl_request *r, char **ret_text, struct errbuf *err)
{
	size_t n;

	for (uint32_t i = 0; i < r->n_values; i++) {
		int rc = 0;

		if (r->value[i].param->type == PARAM_LIST && !strcmp(r->value[i].value, "-"))
			rc = os_read_file("/dev/stdin", MAX_LIST, ret_text, &n, err);
		if (rc)
			return rc;
		if (*ret_text && r->value[i].param->type == PARAM_LIST)
			r->value[i].value = *ret_text;
	}
	return 0;
}

static int remote(struct ctl_request *r)
{
	struct errbuf err = {""};
	char *body = NULL, *list = NULL, word[256];
	cJSON *json = NULL;
	long status = 0;
	int rc = 0;

	if (r->command->id == COMMAND_METER_PUSH)
		rc = ctl_meter_body(r, &body, &err);
	if (!rc)
		rc = take_list(r, &list, &err);
	if (rc) {
		(void)fprintf(stderr, "sluicectl: %s\n", err.s);
		return USAGE;
	}
	rc = ctl_call(r, body, &status, &json, &err);
	if (!rc && status == 409 && !r->json && r->n_values < CTL_MAX_VALUES) {
		const struct command_param *p = commands_find_param(r->command, "confirm");

		if (p && ask_confirm(json, word, sizeof(word))) {
			r->value[r->n_values++] = (struct ctl_value){p, word};
			cJSON_Delete(json);
			json = NULL;
			rc = ctl_call(r, body, &status, &json, &err);
		}
	}
	free(body);
	free(list);
	if (rc) {
		(void)fprintf(stderr, "sluicectl: %s\n", err.s);
		return UNREACHABLE;
	}
	rc = show(r, status, json);
	cJSON_Delete(json);
	return rc;
}

/* The same look again and again, in place on a terminal. */
static int watch(struct ctl_request *r)
{
	const char *span = ctl_value(r, "interval"), *count = ctl_value(r, "count");
	bool terminal = isatty(STDOUT_FILENO) == 1 && !r->json;
	uint64_t ms = 1000;
	double left = terminal ? HUGE_VAL : 1;
	int rc = DONE;

	if (span)
		(void)commands_parse_span(span, &ms);
	if (count)
		(void)commands_parse_number(count, &left);
	while (left > 0) {
		if (terminal)
			(void)fputs("\033[H\033[2J", stdout);
		rc = remote(r);
		(void)fflush(stdout);
		left--;
		if (left > 0)
			(void)poll(NULL, 0, (int)SL_MIN(ms, UINT64_C(3600000)));
	}
	return rc;
}

int main(int argc, char **argv)
{
	struct ctl_request r;
	struct errbuf err = {""};

	if (ctl_parse(argc, argv, &r, &err)) {
		(void)fprintf(stderr, "sluicectl: %s\n", err.s);
		(void)fprintf(stderr, "`sluicectl help` lists the commands.\n");
		return USAGE;
	}
	if (r.version) {
		(void)puts(PACKAGE_STRING);
		return DONE;
	}
	if (!r.command) {
		FILE *out = r.help ? stdout : stderr;

		if (r.group)
			ctl_help_group(r.group, out);
		else
			ctl_help_all(out);
		return r.help ? DONE : USAGE;
	}
	if (r.help) {
		ctl_help_command(r.command, stdout);
		return DONE;
	}
	if (r.command->method == METHOD_LOCAL)
		return ctl_local(&r);
	if (ctl_value(&r, "offline"))
		return ctl_offline(&r);
	if (!r.socket)
		r.url = or_env(r.url, "SLUICE_URL");
	r.socket = or_env(r.socket, "SLUICE_SOCKET");
	r.token = or_env(r.token, "SLUICE_TOKEN");
	r.cacert = or_env(r.cacert, "SLUICE_CACERT");
	if (!r.socket)
		r.socket = SL_STATEDIR "/admin.sock";
	if (curl_global_init(CURL_GLOBAL_DEFAULT))
		return UNREACHABLE;
	return r.command->id == COMMAND_TOP ? watch(&r) : remote(&r);
}
