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

/* Where answers and errors go. */
struct shown {
	FILE *out, *err;
	int width;  /* of the terminal; 0: it is none */
	bool dense; /* for a screen that shows all at once */
};

static int complain(const struct shown *to, const char *message, int rc)
{
	(void)fprintf(to->err, "sluicectl: %s\n", message);
	return rc;
}

/* Shows an answer; the exit status it stands for. */
static int show(const struct ctl_request *r, const struct shown *to, long status, const cJSON *json)
{
	const cJSON *error = cJSON_GetObjectItemCaseSensitive(json, "error");
	const char *message = member(error, "message");

	if (r->json)
		print_json(json);
	else if (!error)
		(to->dense ? ctl_view_dense : ctl_view)(json, to->width, to->out);
	if (status >= 200 && status < 300)
		return DONE;
	return complain(to, message ? message : "refused without a reason", REFUSED);
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

static int remote(struct ctl_request *r, const struct shown *to)
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
	if (rc)
		return complain(to, err.s, USAGE);
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
	if (rc)
		return complain(to, err.s, UNREACHABLE);
	rc = show(r, to, status, json);
	cJSON_Delete(json);
	return rc;
}

/* What was seen last stays until there is more to see. */
static int look(struct ctl_request *r, const struct shown *to)
{
	struct shown screen = *to;
	char *text = NULL;
	size_t n;
	int rc;

	screen.dense = true;
	screen.out = screen.err = open_memstream(&text, &n);
	if (!screen.out)
		return complain(to, "out of memory", UNREACHABLE);
	rc = remote(r, &screen);
	if (fclose(screen.out) == 0)
		ctl_view_screen(text, STDOUT_FILENO, to->out);
	free(text);
	return rc;
}

/* The same look again and again, in place on a terminal. */
static int watch(struct ctl_request *r)
{
	const char *span = ctl_value(r, "interval"), *count = ctl_value(r, "count");
	struct shown to = {.out = stdout, .err = stderr};
	bool terminal = ctl_width(STDOUT_FILENO) && !r->json;
	uint64_t ms = 1000;
	double left = terminal ? HUGE_VAL : 1;
	int rc = DONE;

	if (span)
		(void)commands_parse_span(span, &ms);
	if (count)
		(void)commands_parse_number(count, &left);
	while (left > 0) {
		to.width = ctl_width(STDOUT_FILENO); /* it may have been drawn wider */
		rc = terminal ? look(r, &to) : remote(r, &to);
		(void)fflush(stdout);
		left--;
		if (left > 0)
			(void)poll(NULL, 0, (int)SL_MIN(ms, UINT64_C(3600000)));
	}
	return rc;
}

int main(int argc, char **argv)
{
	const struct shown to = {.out = stdout, .err = stderr, .width = ctl_width(STDOUT_FILENO)};
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
	return r.command->id == COMMAND_TOP ? watch(&r) : remote(&r, &to);
}
