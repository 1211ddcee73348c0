/* SPDX-License-Identifier: Apache-2.0 */
/* config apply, reload: another catalogue in place of the one in use, weighed like every change. */
#include "base/hash.h"
#include "base/os.h"
#include "control/passing.h"

#include <stdlib.h>

enum { MAX_CATALOGUE = 64 << 20 };

static int weigh(struct control_call *call, const struct conf *conf)
{
	return call->view->world ? control_weigh(call, &call->c->rules, conf) : 0;
}

/* Notes the catalogue of this text as the one that is to be in use. */
static int note(struct control_call *call, const char *text, size_t n)
{
	char sum[20];
	struct store_item item = {"catalogue|file", sum};
	int rc = control_keep_catalogue_text(call->c, text, n, sum, &call->err);

	return rc ? rc : control_change_passing(call, &item, 1);
}

int control_do_CONFIG_APPLY(struct control_call *call)
{
	struct conf *conf = NULL;
	char *text = NULL;
	size_t n = 0;
	int rc = call->view->conf ? 0 : err_set(&call->err, SL_EAGAIN, "no configuration yet");

	if (!rc)
		rc = os_read_file(control_arg(call, "file"), MAX_CATALOGUE, &text, &n, &call->err);
	if (!rc)
		rc = conf_load_with(call->view->conf->sluice_file, text, n, &conf, &call->err);
	if (!rc)
		rc = weigh(call, conf);
	if (!rc && control_flag(call, "dry-run")) {
		control_put_bool(call->out, "dry_run", true);
	} else if (!rc) {
		rc = note(call, text, n);
		if (!rc)
			rc = control_keep_put_catalogue(call, text, n);
		if (!rc)
			cJSON_AddStringToObject(
				call->out, "applied", call->view->conf->catalog_file);
	}
	conf_free(conf);
	free(text);
	return rc;
}

/* The catalogue on disk, noted with the call's options. A store that cannot be used is no reason
 * not to reload, unless it has to keep the ramp or the end. */
static int note_file(struct control_call *call, const struct conf *conf)
{
	char *text = NULL;
	size_t n;
	int rc;

	if (!call->transaction)
		return control_arg(call, "for") || control_arg(call, "ramp")
			       ? control_need_store(call)
			       : 0;
	rc = os_read_file(conf->catalog_file, MAX_CATALOGUE, &text, &n, &call->err);
	if (!rc)
		rc = note(call, text, n);
	free(text);
	return rc;
}

int control_do_RELOAD(struct control_call *call)
{
	const struct control_options *opt = &call->c->opt;
	struct conf *conf = NULL;
	int rc = SL_EREFUSED;

	if (!opt->reload || !call->view->conf)
		return err_set(&call->err, rc, "this daemon cannot reload");
	/* a bad one is refused by the reload itself, which says so to all who look */
	if (conf_load(call->view->conf->sluice_file, &conf, &call->err) == 0) {
		rc = weigh(call, conf);
		if (!rc && control_flag(call, "dry-run"))
			control_put_bool(call->out, "dry_run", true);
		else if (!rc)
			rc = note_file(call, conf);
		conf_free(conf);
		if (rc || control_flag(call, "dry-run"))
			return rc;
	} else if (control_flag(call, "dry-run")) {
		return rc;
	}
	call->err.s[0] = '\0';
	rc = opt->reload(opt->ctx, &call->err);
	if (rc)
		return rc;
	call->view = engine_view(call->c->engine);
	if (call->transaction)
		call->c->kept_conf = call->view->conf_loads; /* it is noted already */
	cJSON_AddStringToObject(call->out, "reloaded",
		call->view->conf ? call->view->conf->sluice_file : "nothing");
	return 0;
}
