/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/request.h"

#include "base/near.h"

#include <string.h>

struct parser {
	int argc, at;
	char **argv;
	struct ctl_request *r;
	uint32_t n_words; /* words behind the command */
	bool only_words;  /* after -- */
	struct errbuf *err;
};

static int add(struct parser *p, const struct command_param *param, const char *value)
{
	int rc = commands_check(param, value, p->err);

	if (rc)
		return rc;
	if (p->r->n_values == CTL_MAX_VALUES)
		return err_set(p->err, SL_EINVAL, "too many arguments");
	p->r->value[p->r->n_values++] = (struct ctl_value){param, value};
	return 0;
}

/* The value of an option: behind its =, or the next argument. */
static int take_value(
	struct parser *p, const char *name, const char *inline_value, const char **ret)
{
	if (inline_value)
		*ret = inline_value;
	else if (p->at < p->argc)
		*ret = p->argv[p->at++];
	else
		return err_set(p->err, SL_EINVAL, "--%s wants a value", name);
	return 0;
}

/* 1: it was one; 0: it was none; else an error. */
static int global_option(struct parser *p, const char *name, const char *inline_value)
{
	static const struct {
		const char *name, *metavar;
		size_t offset;
	} rows[] = {
#define X(field, metavar, help) {#field, metavar, offsetof(struct ctl_request, field)},
		CTL_GLOBAL_MAP(X)
#undef X
	};

	for (size_t i = 0; i < SL_COUNT(rows); i++) {
		char *to = (char *)p->r + rows[i].offset;

		if (strcmp(rows[i].name, name))
			continue;
		if (rows[i].metavar[0]) {
			int rc = take_value(p, name, inline_value, (const char **)(void *)to);

			return rc ? rc : 1;
		}
		*(bool *)to = true;
		return inline_value ? err_set(p->err, SL_EINVAL, "--%s takes no value", name) : 1;
	}
	return 0;
}

static int no_such_option(const struct parser *p, const char *name)
{
	const struct command *c = p->r->command;
	const struct command_param *param;
	struct near near;

	near_init(&near, str_from(name));
	for (uint32_t i = 0; (param = commands_param(c, i)); i++)
		if (!param->positional)
			near_offer(&near, str_from(param->name));
	return err_set(p->err, SL_EINVAL, "unknown option --%s of %s%s%s%s", name, c->group,
		c->name[0] ? " " : "", c->name, near_text(&near));
}

static int option(struct parser *p, const char *arg)
{
	const char *eq = strchr(arg, '=');
	char name[64];
	const struct command_param *param;
	const char *value = NULL;
	size_t n = eq ? (size_t)(eq - arg) : strlen(arg);
	int rc;

	if (n >= sizeof(name))
		return err_set(p->err, SL_EINVAL, "unknown option --%s", arg);
	memcpy(name, arg, n);
	name[n] = '\0';
	rc = global_option(p, name, eq ? eq + 1 : NULL);
	if (rc)
		return rc < 0 ? rc : 0;
	if (!p->r->command)
		return err_set(p->err, SL_EINVAL, "unknown option --%s before the command", name);
	param = commands_find_param(p->r->command, name);
	if (!param || param->positional)
		return no_such_option(p, name);
	if (param->type == PARAM_FLAG) {
		if (eq)
			return err_set(p->err, SL_EINVAL, "--%s takes no value", name);
		return add(p, param, "true");
	}
	rc = take_value(p, name, eq ? eq + 1 : NULL, &value);
	return rc ? rc : add(p, param, value);
}

int ctl_no_such_command(char *const *words, uint32_t n, struct errbuf *err)
{
	const struct command *c = NULL;
	bool group = commands_group(words[0], NULL) != NULL;
	struct near near;
	size_t used;

	near_init(&near, str_from(words[0]));
	for (size_t i = 0; !group && i < COMMANDS; i++)
		near_offer(&near, str_from(commands_table[i].group));
	(void)err_set(err, SL_EINVAL, "no such command: %s%s%s%s", words[0], n > 1 ? " " : "",
		n > 1 ? words[1] : "", near_text(&near));
	while ((c = commands_group(words[0], c))) {
		used = strlen(err->s);
		(void)snprintf(err->s + used, sizeof(err->s) - used, "%s%s",
			c == commands_group(words[0], NULL) ? "; there are " : ", ", c->name);
	}
	return SL_EINVAL;
}

static int command_word(struct parser *p)
{
	uint32_t words = 0, left = (uint32_t)(p->argc - p->at + 1);
	char **at = p->argv + p->at - 1;

	p->r->command = commands_find(at, left, &words);
	if (!p->r->command && commands_group(at[0], NULL) && (left == 1 || at[1][0] == '-')) {
		p->r->group = at[0];
		return 0;
	}
	if (!p->r->command)
		return ctl_no_such_command(at, left, p->err);
	p->at += (int)words - 1;
	return 0;
}

static int word(struct parser *p, const char *arg)
{
	const struct command_param *param;
	uint32_t at = p->n_words++;

	if (!p->r->command) {
		p->n_words = 0;
		return command_word(p);
	}
	for (uint32_t i = 0; (param = commands_param(p->r->command, i)); i++) {
		if (!param->positional)
			continue;
		if (at == 0 || param->need == NEED_MANY || param->need == NEED_MANY_OPTIONAL)
			return add(p, param, arg);
		at--;
	}
	return err_set(p->err, SL_EINVAL, "one argument too many: %s", arg);
}

static int check_needs(const struct ctl_request *r, struct errbuf *err)
{
	const struct command_param *param;

	for (uint32_t i = 0; (param = commands_param(r->command, i)); i++) {
		bool must = param->need == NEED_REQUIRED || param->need == NEED_MANY;

		if (must && !ctl_value(r, param->name))
			return err_set(err, SL_EINVAL, "%s%s is missing",
				param->positional ? "" : "--", param->name);
	}
	return 0;
}

int ctl_parse(int argc, char **argv, struct ctl_request *ret_request, struct errbuf *err)
{
	struct parser p = {.argc = argc, .at = 1, .argv = argv, .r = ret_request, .err = err};
	int rc = 0;

	*ret_request = (struct ctl_request){0};
	while (!rc && p.at < argc) {
		const char *arg = argv[p.at++];

		if (p.only_words || strncmp(arg, "-", 1) || !arg[1])
			rc = word(&p, arg);
		else if (strcmp(arg, "--") == 0)
			p.only_words = true;
		else if (strcmp(arg, "-h") == 0)
			ret_request->help = true;
		else if (strncmp(arg, "--", 2) == 0)
			rc = option(&p, arg + 2);
		else
			rc = word(&p, arg); /* a negative number */
	}
	if (rc || !ret_request->command || ret_request->help || ret_request->version)
		return rc;
	return check_needs(ret_request, err);
}

const char *ctl_value(const struct ctl_request *r, const char *name)
{
	for (uint32_t i = 0; i < r->n_values; i++)
		if (strcmp(r->value[i].param->name, name) == 0)
			return r->value[i].value;
	return NULL;
}
