/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/commands.h"

#include "base/ip.h"

#include <math.h>
#include <string.h>

#define COMMAND(id, group, name, method, path, role, traffic, help)                                \
	{COMMAND_##id, group, name, METHOD_##method, path, ROLE_##role, traffic, help},
#define ARG(id, name, need, type, help)
#define OPT(id, name, need, type, metavar, help)
const struct command commands_table[COMMANDS] = {
#include "ctl/commands.def"
};
#undef COMMAND
#undef ARG
#undef OPT

#define COMMAND(id, group, name, method, path, role, traffic, help)
#define ARG(id, name, need, type, help)                                                            \
	{COMMAND_##id, true, name, NEED_##need, PARAM_##type, "", help},
#define OPT(id, name, need, type, metavar, help)                                                   \
	{COMMAND_##id, false, name, NEED_##need, PARAM_##type, metavar, help},
static const struct command_param params[] = {
#include "ctl/commands.def"
};

#define X(name, type, metavar, help)                                                               \
	{COMMANDS, false, name, NEED_OPTIONAL, PARAM_##type, metavar, help},
static const struct command_param traffic_params[] = {COMMAND_TRAFFIC_MAP(X)};
#undef X

static const char *const roles[ROLES] = {"viewer", "operator", "admin"};

const struct command_param *commands_param(const struct command *c, uint32_t i)
{
	for (size_t k = 0; k < SL_COUNT(params); k++)
		if (params[k].command == c->id && i-- == 0)
			return &params[k];
	return c->traffic && i < SL_COUNT(traffic_params) ? &traffic_params[i] : NULL;
}

const struct command_param *commands_find_param(const struct command *c, const char *name)
{
	const struct command_param *p;

	for (uint32_t i = 0; (p = commands_param(c, i)); i++)
		if (strcmp(p->name, name) == 0)
			return p;
	return NULL;
}

const struct command *commands_find(char *const *words, uint32_t n, uint32_t *ret_words)
{
	for (uint32_t take = SL_MIN(n, 2u); take > 0; take--) {
		const char *name = take == 2 ? words[1] : "";

		for (size_t i = 0; i < COMMANDS; i++) {
			const struct command *c = &commands_table[i];

			if (strcmp(c->group, words[0]) || strcmp(c->name, name))
				continue;
			*ret_words = take;
			return c;
		}
	}
	return NULL;
}

const struct command *commands_group(const char *group, const struct command *last)
{
	for (size_t i = last ? (size_t)(last - commands_table) + 1 : 0; i < COMMANDS; i++)
		if (commands_table[i].name[0] && strcmp(commands_table[i].group, group) == 0)
			return &commands_table[i];
	return NULL;
}

const struct command *commands_at(enum command_method method, const char *path)
{
	for (size_t i = 0; i < COMMANDS; i++)
		if (commands_table[i].method == method && !strcmp(commands_table[i].path, path))
			return &commands_table[i];
	return NULL;
}

bool commands_parse_number(const char *text, double *ret)
{
	char *end;
	double v = strtod(text, &end);

	if (end == text || *end || !isfinite(v) || strpbrk(text, "xX"))
		return false;
	*ret = v;
	return true;
}

bool commands_parse_span(const char *text, uint64_t *ret_ms)
{
	static const struct {
		const char *unit;
		double ms;
	} units[] = {{"ms", 1}, {"s", 1e3}, {"", 1e3}, {"m", 60e3}, {"h", 3600e3}, {"d", 86400e3}};
	char *end;
	double v = strtod(text, &end);

	if (end == text || !isfinite(v) || v < 0)
		return false;
	for (size_t i = 0; i < SL_COUNT(units); i++) {
		if (strcmp(end, units[i].unit))
			continue;
		if (v * units[i].ms > 366 * 86400e3)
			return false;
		*ret_ms = (uint64_t)(v * units[i].ms);
		return true;
	}
	return false;
}

static bool is_host(const char *s)
{
	size_t n = strlen(s);

	return n > 0 && n < 256 &&
	       strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.") == n;
}

int commands_check(const struct command_param *p, const char *value, struct errbuf *err)
{
#define X(name, want) want,
	static const char *const wanted[] = {PARAM_TYPE_MAP(X)};
#undef X
	struct ip ip;
	uint8_t len;
	uint64_t ms;
	double d;
	bool ok = *value != '\0';

	switch (p->type) {
	case PARAM_NUMBER:
	case PARAM_TIME:
		ok = commands_parse_number(value, &d) && (p->type == PARAM_NUMBER || d >= 0);
		break;
	case PARAM_DURATION:
		ok = commands_parse_span(value, &ms);
		break;
	case PARAM_IP:
		ok = ip_parse(str_from(value), &ip);
		break;
	case PARAM_PREFIX:
		ok = ip_parse_prefix(str_from(value), &ip, &len);
		break;
	case PARAM_HOST:
		ok = is_host(value);
		break;
	case PARAM_FLAG:
		ok = !strcmp(value, "true") || !strcmp(value, "false") || !strcmp(value, "1") ||
		     !strcmp(value, "0");
		break;
	default:
		break;
	}
	return ok ? 0
		  : err_set(err, SL_EINVAL, "%s: got \"%.64s\", want %s", p->name, value,
			    wanted[p->type]);
}

const char *commands_role_name(enum command_role role)
{
	return role < ROLES ? roles[role] : "none";
}

enum command_role commands_role(const char *name)
{
	uint32_t r = 0;

	while (r < ROLES && strcmp(name, roles[r]))
		r++;
	return (enum command_role)r;
}
