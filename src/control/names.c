/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names that a call gives: one that nothing here was ever called is a mistake, and is refused with
 * the name it may stand for. What only a rule of operators still names is no mistake: it has to be
 * possible to take that rule away.
 */
#include "base/glob.h"
#include "control/control_int.h"

#include <string.h>

int control_no_such(struct control_call *call, const char *what, struct near *n)
{
	return err_set(
		&call->err, SL_ENOENT, "no %s is called %.64s%s", what, n->typed.p, near_text(n));
}

/* A group as a pattern like the one that was typed: of as many components, and with its wildcards.
 */
static struct str like(struct str typed, struct str group, char ret[static SL_MAX_NAME + 1])
{
	size_t n = 0;

	while (typed.n && group.n) {
		struct str t = str_cut(&typed, '/'), g = str_cut(&group, '/');
		struct str one = memchr(t.p, '*', t.n) ? t : g;

		n += (size_t)snprintf(
			ret + n, SL_MAX_NAME + 1 - n, "%s" STR_FMT, n ? "/" : "", STR_ARG(one));
		if (n > SL_MAX_NAME)
			return (struct str){ret, SL_MAX_NAME};
	}
	return (struct str){ret, n};
}

struct names {
	uint32_t n;
	struct str (*at)(const struct cat_view *c, uint32_t i);
	size_t of_rule; /* where a rule has such a name */
	bool (*matches)(struct str pattern, struct str name);
};

static struct str vendor_at(const struct cat_view *c, uint32_t i)
{
	return cat_text(c, c->vendors[i].name);
}

static struct str node_at(const struct cat_view *c, uint32_t i)
{
	return cat_text(c, c->nodes[i].name);
}

static struct str service_at(const struct cat_view *c, uint32_t i)
{
	return cat_text(c, c->services[i].name);
}

static struct str group_at(const struct cat_view *c, uint32_t i)
{
	return cat_text(c, c->groups[i].name);
}

static bool is_like(struct str pattern, struct str name)
{
	return glob_match(pattern, name, false);
}

/* What a parameter of this type names. false: nothing of the catalogue. */
static bool names_of(const struct cat_view *c, enum param_type type, struct names *ret)
{
	switch (type) {
	case PARAM_VENDOR:
		*ret = (struct names){
			c->n_vendors, vendor_at, offsetof(struct control_rule, vendor), is_like};
		return true;
	case PARAM_NODE:
		*ret = (struct names){
			c->n_nodes, node_at, offsetof(struct control_rule, vendor), is_like};
		return true;
	case PARAM_SERVICE:
		*ret = (struct names){
			c->n_services, service_at, offsetof(struct control_rule, service), is_like};
		return true;
	case PARAM_GROUPS:
		*ret = (struct names){c->n_groups, group_at, offsetof(struct control_rule, groups),
			glob_group_match};
		return true;
	default:
		return false;
	}
}

static int check(
	struct control_call *call, enum param_type type, const char *what, const char *typed)
{
	static const char *const words[PARAM_TYPES] = {[PARAM_GROUPS] = "group"};
	const struct cat_view *c = &call->view->world->cat;
	const struct control_rules *rules = &call->c->rules;
	char text[SL_MAX_NAME + 1];
	struct names names;
	struct near n;

	if (!names_of(c, type, &names))
		return 0;
	near_init(&n, str_from(typed));
	for (uint32_t i = 0; i < rules->n; i++)
		if (strcmp((const char *)&rules->rule[i] + names.of_rule, typed) == 0)
			return 0;
	for (uint32_t i = 0; i < names.n; i++) {
		struct str name = names.at(c, i);

		if (names.matches(n.typed, name))
			return 0;
		near_offer(&n, type == PARAM_GROUPS ? like(n.typed, name, text) : name);
	}
	return control_no_such(call, words[type] ? words[type] : what, &n);
}

int control_check_names(struct control_call *call)
{
	const struct command_param *p;

	if (!call->view->world)
		return 0;
	for (uint32_t i = 0; (p = commands_param(call->command, i)); i++) {
		const char *typed = control_arg(call, p->name);
		int rc = typed ? check(call, p->type, p->name, typed) : 0;

		if (rc)
			return rc;
	}
	return 0;
}
