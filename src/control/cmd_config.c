/* SPDX-License-Identifier: Apache-2.0 */
/* config show, reload. */
#include "control/control_int.h"

#include <stdlib.h>

int control_do_CONFIG_SHOW(struct control_call *call)
{
	const struct conf *conf = call->view->conf;
	char *text = NULL;
	size_t n = 0;
	FILE *out;

	if (!conf)
		return err_set(&call->err, SL_EAGAIN, "no configuration is in use yet");
	out = open_memstream(&text, &n);
	if (!out)
		return err_set(&call->err, SL_ENOMEM, "out of memory");
	(void)fprintf(out, "# %s, %s\n", conf->sluice_file, conf->catalog_file);
	conf_dump(conf, out);
	if (fclose(out)) {
		free(text);
		return err_set(&call->err, SL_ENOMEM, "out of memory");
	}
	cJSON_AddStringToObject(call->out, "yaml", text);
	free(text);
	return 0;
}

int control_do_RELOAD(struct control_call *call)
{
	int rc = SL_EREFUSED;

	if (!call->c->opt.reload)
		return err_set(&call->err, rc, "this daemon cannot reload");
	rc = call->c->opt.reload(call->c->opt.ctx, &call->err);
	if (rc)
		return rc;
	call->view = engine_view(call->c->engine);
	cJSON_AddStringToObject(call->out, "reloaded",
		call->view->conf ? call->view->conf->sluice_file : "nothing");
	return 0;
}
