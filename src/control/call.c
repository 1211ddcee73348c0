/* SPDX-License-Identifier: Apache-2.0 */
/* Arguments in, members of the answer out: what the commands share. */
#include "control/control_int.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#define COMMAND(id, group, name, method, path, role, traffic, help) CONTROL_ROW_##method(id)
#define CONTROL_ROW_LOCAL(id)                                       NULL,
#define CONTROL_ROW_GET(id)                                         control_do_##id,
#define CONTROL_ROW_POST(id)                                        control_do_##id,
#define ARG(id, name, need, type, help)
#define OPT(id, name, need, type, metavar, help)
control_fn *const control_commands[COMMANDS] = {
#include "ctl/commands.def"
};
#undef COMMAND
#undef ARG
#undef OPT

const char *control_arg(const struct control_call *call, const char *name)
{
	const cJSON *v = cJSON_GetObjectItemCaseSensitive(call->args, name);

	return cJSON_IsString(v) ? v->valuestring : NULL;
}

bool control_flag(const struct control_call *call, const char *name)
{
	const char *text = control_arg(call, name);

	return text && (strcmp(text, "true") == 0 || strcmp(text, "1") == 0);
}

double control_number(const struct control_call *call, const char *name, double otherwise)
{
	const char *text = control_arg(call, name);
	double v;

	return text && commands_parse_number(text, &v) ? v : otherwise;
}

/* --for 0: who means "without end" would have the change for a moment. */
static bool is_no_time(const cJSON *v)
{
	uint64_t ms;

	return strcmp(v->string, "for") == 0 && cJSON_IsString(v) &&
	       commands_parse_span(v->valuestring, &ms) && ms == 0;
}

int control_check_args(struct control_call *call)
{
	const struct command_param *p;

	for (const cJSON *v = call->args->child; v; v = v->next) {
		p = commands_find_param(call->command, v->string);
		if (!p && call->command->id == COMMAND_METER_PUSH && !strcmp(v->string, "meters"))
			continue;
		if (!p)
			return err_set(&call->err, SL_EINVAL, "unknown parameter %.64s", v->string);
		if (cJSON_GetObjectItemCaseSensitive(call->args, v->string) != v)
			return err_set(&call->err, SL_EINVAL, "%s is given twice", v->string);
		if (cJSON_IsString(v) && commands_check(p, v->valuestring, &call->err))
			return SL_EINVAL;
		if (call->command->traffic && is_no_time(v))
			return err_set(&call->err, SL_EINVAL,
				"for: got %s, want more: without --for it holds for good",
				v->valuestring);
		if (!cJSON_IsString(v) && p->need != NEED_MANY && p->need != NEED_MANY_OPTIONAL)
			return err_set(&call->err, SL_EINVAL, "%s: want one value", v->string);
	}
	for (uint32_t i = 0; (p = commands_param(call->command, i)); i++)
		if ((p->need == NEED_REQUIRED || p->need == NEED_MANY) &&
			!cJSON_GetObjectItemCaseSensitive(call->args, p->name))
			return err_set(&call->err, SL_EINVAL, "%s is missing", p->name);
	return 0;
}

int control_need_world(struct control_call *call)
{
	if (call->view->world && call->view->fleet)
		return 0;
	return err_set(&call->err, SL_EAGAIN, "no world yet: %s",
		call->view->error[0] ? call->view->error : "the first tick is still to come");
}

void control_put(cJSON *o, const char *name, double v)
{
	if (isfinite(v))
		(void)cJSON_AddNumberToObject(o, name, fabs(v) < 1e12 ? round(v * 1e3) / 1e3 : v);
	else
		(void)cJSON_AddNullToObject(o, name);
}

void control_put_bool(cJSON *o, const char *name, bool v)
{
	(void)cJSON_AddBoolToObject(o, name, v);
}

void control_put_str(cJSON *o, const char *name, struct str v)
{
	char text[1024];

	(void)snprintf(text, sizeof(text), STR_FMT, STR_ARG(v));
	(void)cJSON_AddStringToObject(o, name, text);
}

void control_put_view(cJSON *o, const char *name, const struct blob_head *head)
{
	char text[48];

	(void)snprintf(text, sizeof(text), "%" PRIu64 ".%" PRIu64, head->epoch, head->generation);
	(void)cJSON_AddStringToObject(o, name, text);
}

cJSON *control_add_row(cJSON *list)
{
	cJSON *row = cJSON_CreateObject();

	if (!cJSON_AddItemToArray(list, row)) {
		cJSON_Delete(row);
		return NULL;
	}
	return row;
}
