/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/local.h"

#include "base/os.h"
#include "conf/conf.h"
#include "ctl/diff.h"
#include "ctl/help.h"
#include "ctl/offline.h"
#include "ctl/score.h"
#include "world/blob.h"

#include <cjson/cJSON.h>
#include <stdlib.h>
#include <string.h>

enum { DONE = 0, REFUSED = 1, USAGE = 2 };

/* Says what is wrong in the form that was asked for. */
static int refuse(const struct ctl_request *r, const char *what)
{
	if (r->json) {
		cJSON *o = cJSON_CreateObject();
		cJSON *e = cJSON_AddObjectToObject(o, "error");
		char *text;

		cJSON_AddStringToObject(e, "code", "refused");
		cJSON_AddStringToObject(e, "message", what);
		text = cJSON_PrintUnformatted(o);
		(void)puts(text ? text : "{}");
		cJSON_free(text);
		cJSON_Delete(o);
	}
	(void)fprintf(stderr, "sluicectl: %s\n", what);
	return REFUSED;
}

static int do_score(const struct ctl_request *r)
{
	const char *path = ctl_value(r, "file");
	FILE *in = strcmp(path, "-") ? fopen(path, "r") : stdin;
	int rc;

	if (!in) {
		struct errbuf err;

		(void)err_set_errno(&err, "%s", path);
		return refuse(r, err.s);
	}
	rc = ctl_score_file(in, stdout, stderr, r->json);
	if (in != stdin)
		(void)fclose(in);
	return rc ? REFUSED : DONE;
}

static int do_config_check(const struct ctl_request *r)
{
	struct errbuf err = {""};
	struct conf *conf = NULL;

	if (conf_load(ctl_value(r, "file"), &conf, &err))
		return refuse(r, err.s);
	if (r->json)
		(void)printf("{\"ok\":true,\"services\":%u,\"vendors\":%u}\n",
			conf->catalog.services_count, conf->catalog.vendors_count);
	else
		(void)printf("%s: ok, %u services, %u vendors\n", conf->sluice_file,
			conf->catalog.services_count, conf->catalog.vendors_count);
	conf_free(conf);
	return DONE;
}

static int do_world_dump(const struct ctl_request *r)
{
	const char *path = ctl_value(r, "file");
	const struct blob_def *def;
	struct errbuf err = {""};
	const void *blob;
	size_t size;
	int rc = os_map_file(path, SL_MAX_BLOB_OCTETS, &blob, &size, &err);

	if (rc)
		return refuse(r, err.s);
	def = blob_def_of(blob, size);
	if (!def)
		rc = err_set(&err, SL_EFORMAT, "%s: not a blob", path);
	else
		rc = blob_check(def, blob, size, &err);
	if (!rc)
		blob_dump(def, blob, stdout);
	os_unmap(blob, size);
	return rc ? refuse(r, err.s) : DONE;
}

static int do_help(const struct ctl_request *r)
{
	char *words[2] = {NULL, NULL};
	uint32_t n = 0, took;
	const struct command *c;
	struct errbuf err = {""};

	if (ctl_value(r, "man") || ctl_value(r, "completion")) {
		(ctl_value(r, "man") ? ctl_help_man : ctl_help_completion)(stdout);
		return DONE;
	}
	for (uint32_t i = 0; i < r->n_values && n < 2; i++)
		words[n++] = (char *)(uintptr_t)r->value[i].value;
	if (n == 0) {
		ctl_help_all(stdout);
		return DONE;
	}
	c = commands_find(words, n, &took);
	if (c) {
		ctl_help_command(c, stdout);
		return DONE;
	}
	if (n == 1 && commands_group(words[0], NULL)) {
		ctl_help_group(words[0], stdout);
		return DONE;
	}
	(void)ctl_no_such_command(words, n, &err);
	(void)fprintf(stderr, "sluicectl: %s\n", err.s);
	return USAGE;
}

int ctl_local(const struct ctl_request *r)
{
	struct errbuf err = {""};

	switch (r->command->id) {
	case COMMAND_SCORE:
		return do_score(r);
	case COMMAND_CONFIG_CHECK:
		return do_config_check(r);
	case COMMAND_WORLD_DUMP:
		return do_world_dump(r);
	case COMMAND_WORLD_DIFF:
		return ctl_world_diff(r, &err) ? refuse(r, err.s) : DONE;
	case COMMAND_WORLD_INSTALL:
		return ctl_offline(r);
	case COMMAND_HELP:
		return do_help(r);
	default:
		return refuse(r, "this command needs the daemon");
	}
}
