/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What moves viewers by hand: weights, drains, evacuations, caps, blacklist, restrictions, nodes,
 * definitions. Each is a set of rules that is put or taken away; --dry-run, --for, --ramp, --why
 * and --confirm mean the same in all: a rule that is taken away with --ramp goes little by little,
 * with --for it sleeps and comes back. Long, because all of that is one idea.
 */
#include "base/glob.h"
#include "control/passing.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Keys that a command writes (with a value) or takes away (without). */
struct plan {
	struct store_item item[STORE_MAX_ITEMS];
	uint32_t n;
	struct control_rules then; /* all rules as they will be */
	bool over;                 /* some end after --for and stand over what was there before */
};

static void plan_free(struct plan *p)
{
	if (!p)
		return;
	for (uint32_t i = 0; i < p->n; i++) {
		free((char *)(uintptr_t)p->item[i].key);
		cJSON_free((char *)(uintptr_t)p->item[i].value);
	}
	control_rules_clear(&p->then);
	free(p);
}

static bool same_place(const struct control_rule *a, const struct control_rule *b)
{
	return a->kind == b->kind && !strcmp(a->vendor, b->vendor) &&
	       !strcmp(a->service, b->service) && !strcmp(a->groups, b->groups);
}

static int plan_put(struct plan *p, const struct control_rule *r)
{
	struct control_rule put = *r;
	char key[RULE_KEY];
	uint32_t at = 0;

	if (p->n == STORE_MAX_ITEMS)
		return SL_ELIMIT;
	while (at < p->then.n && !same_place(&p->then.rule[at], r))
		at++;
	if (at < p->then.n && put.until_ms && !put.back && !p->then.rule[at].back) {
		put.until_ms = 0; /* what was there comes back: by the end of the change */
		p->over = true;
	}
	control_rule_key(&put, key);
	p->item[p->n] = (struct store_item){strdup(key), control_rule_print(&put)};
	p->n++;
	if (at == p->then.n)
		return control_rules_add(&p->then, &put);
	p->then.rule[at] = put;
	return 0;
}

/* The rule on its way out, or asleep until the time is over. false: nothing would be left of it. */
static bool let_go(const struct control_call *call, struct control_rule *r)
{
	const char *ramp = control_arg(call, "ramp"), *span = control_arg(call, "for");
	uint64_t ms = 0;

	if (ramp && commands_parse_span(ramp, &ms) && ms) {
		if (control_rule_progress(r, call->now_ms) <= 0)
			return false;
		r->back = true;
		r->start_ms = call->now_ms;
		r->ramp_ms = ms;
		r->until_ms =
			r->until_ms ? SL_MIN(r->until_ms, call->now_ms + ms) : call->now_ms + ms;
		return true;
	}
	if (!span || !commands_parse_span(span, &ms) || !ms ||
		(r->until_ms && r->until_ms <= call->now_ms + ms))
		return false;
	r->start_ms = call->now_ms + ms;
	r->sleeps = true;
	r->ramp_ms = 0;
	return true;
}

static int plan_take(const struct control_call *call, struct plan *p, uint32_t i)
{
	struct control_rule r = p->then.rule[i];
	char key[RULE_KEY];

	if (let_go(call, &r))
		return plan_put(p, &r);

	if (p->n == STORE_MAX_ITEMS)
		return SL_ELIMIT;
	control_rule_key(&p->then.rule[i], key);
	p->item[p->n++] = (struct store_item){strdup(key), NULL};
	p->then.rule[i] = p->then.rule[--p->then.n];
	return 0;
}

/* A plan that begins with the rules there are. */
static struct plan *plan_new(const struct control *c)
{
	struct plan *p = calloc(1, sizeof(*p));

	for (uint32_t i = 0; p && i < c->rules.n; i++)
		if (control_rules_add(&p->then, &c->rules.rule[i])) {
			plan_free(p);
			return NULL;
		}
	return p;
}

static int check_scope(struct control_call *call, const char *pattern)
{
	if (!call->service[0] ||
		(pattern && glob_match(str_from(call->service), str_from(pattern), false)))
		return 0;
	return err_set(
		&call->err, SL_EACCES, "%s may change only --service %s", call->who, call->service);
}

int control_check_service(struct control_call *call, const char *pattern)
{
	const struct cat_view *cat = &call->view->world->cat;
	int rc = check_scope(call, pattern);

	if (rc || !pattern)
		return rc;
	for (uint32_t i = 0; i < cat->n_services; i++)
		if (cat->services[i].active &&
			glob_match(str_from(pattern), cat_text(cat, cat->services[i].name), false))
			return 0;
	return err_set(&call->err, SL_ENOENT, "no service is called %.64s", pattern);
}

/* Everything that a rule of this call has in common, but the vendor. */
static int template(struct control_call *call, enum engine_rule_kind kind, struct control_rule *r)
{
	const char *service = control_arg(call, "service"), *groups = control_arg(call, "groups");
	const char *why = control_arg(call, "why"), *span;
	uint64_t ms = 0;
	int rc = control_check_service(call, service);

	if (!rc && ((service && strlen(service) > SL_MAX_NAME) ||
			   (groups && strlen(groups) > SL_MAX_NAME)))
		rc = err_set(&call->err, SL_ELIMIT, "a pattern of over %d characters", SL_MAX_NAME);
	if (rc)
		return rc;
	*r = (struct control_rule){.kind = kind, .start_ms = call->now_ms};
	(void)snprintf(r->service, sizeof(r->service), "%s", service ? service : "");
	(void)snprintf(r->groups, sizeof(r->groups), "%s", groups ? groups : "");
	(void)snprintf(r->why, sizeof(r->why), "%s", why ? why : "");
	memcpy(r->who, call->who, sizeof(r->who));
	span = control_arg(call, "ramp");
	if (span && commands_parse_span(span, &ms))
		r->ramp_ms = ms;
	span = control_arg(call, "for");
	if (span && commands_parse_span(span, &ms))
		r->until_ms = call->now_ms + SL_MAX(ms, UINT64_C(1));
	return 0;
}

/* The weight or maximum a vendor has now: where a ramp begins. */
static double value_now(const struct control_call *call, const struct control_rule *r, uint32_t v)
{
	const struct engine_view *view = call->view;

	if (r->kind == RULE_CAP)
		return view->fleet->vendor[v].max_mbps;
	for (uint32_t s = 0; s < view->fleet->n_services; s++)
		for (uint32_t i = 0; i < view->fleet->service[s].n_slots; i++)
			if (view->fleet->service[s].slot[i].vendor == v &&
				(!r->service[0] ||
					glob_match(str_from(r->service),
						cat_text(&view->world->cat,
							view->world->cat.services[s].name),
						false)))
				return view->fleet->service[s].slot[i].weight;
	return view->world->cat.vendors[v].weight;
}

double control_rule_value_now(const struct control_call *call, const struct control_rule *r)
{
	uint32_t v = cat_find_vendor(&call->view->world->cat, str_from(r->vendor));

	return v < call->view->fleet->n_vendors ? value_now(call, r, v) : 0;
}

/* Every vendor, or node, that the call names as a rule of its own. */
static int put_names(struct control_call *call, struct plan *p, struct control_rule *r)
{
	const struct cat_view *c = &call->view->world->cat;
	bool nodes = r->kind == RULE_NODE;
	const char *pattern = control_arg(call, nodes ? "node" : "vendor");
	uint32_t found = 0, n = nodes ? c->n_nodes : c->n_vendors;
	int rc = 0;

	for (uint32_t i = 0; !rc && i < n; i++) {
		struct str name = cat_text(c, nodes ? c->nodes[i].name : c->vendors[i].name);

		if ((!nodes && !c->vendors[i].active) ||
			!glob_match(str_from(pattern), name, false))
			continue;
		found++;
		(void)snprintf(r->vendor, sizeof(r->vendor), STR_FMT, STR_ARG(name));
		r->from = !nodes && r->ramp_ms ? value_now(call, r, i) : r->value;
		rc = plan_put(p, r);
	}
	if (!rc && !found)
		rc = err_set(&call->err, SL_ENOENT, "no %s is called %.64s",
			nodes ? "node" : "vendor", pattern);
	return rc;
}

/* The argument "prefix" in its one form; SL_EINVAL. */
static int prefix_of(struct control_call *call, char ret_text[static SL_MAX_NAME + 1])
{
	char text[IP_TEXT_MAX];
	struct ip ip;
	uint8_t len;

	if (!ip_parse_prefix(str_from(control_arg(call, "prefix")), &ip, &len))
		return err_set(
			&call->err, SL_EINVAL, "prefix: want ADDRESS/LENGTH, host bits zero");
	ip_format(ip, text);
	(void)snprintf(ret_text, SL_MAX_NAME + 1, "%s/%u", text, len);
	return 0;
}

/* A prefix stands where other rules have groups. */
static int put_prefix(struct control_call *call, struct plan *p, struct control_rule *r)
{
	const char *vendor = control_arg(call, "vendor");
	uint32_t v = 0;
	int rc = prefix_of(call, r->groups);

	if (rc)
		return rc;
	while (vendor && v < call->view->fleet->n_vendors &&
		!control_names_vendor(call->view, vendor, v))
		v++;
	if (v == call->view->fleet->n_vendors || (vendor && strlen(vendor) > SL_MAX_NAME))
		return err_set(&call->err, SL_ENOENT, "no vendor is called %.64s", vendor);
	(void)snprintf(r->vendor, sizeof(r->vendor), "%s", vendor ? vendor : "*");
	return plan_put(p, r);
}

static int put_rules(struct control_call *call, struct plan *p, struct control_rule *r)
{
	switch (r->kind) {
	case RULE_DENY:
	case RULE_ALLOW:
		return put_prefix(call, p, r);
	case RULE_STATIC:
	case RULE_LOWER:
		return plan_put(p, r);
	default:
		return put_names(call, p, r);
	}
}

/* Takes rules of these kinds away: those of the vendor or node, and of the service and groups (or
 * prefix) if given. */
static int take_rules(struct control_call *call, struct plan *p, uint32_t kinds)
{
	const char *vendor = control_arg(call, kinds & 1u << RULE_NODE ? "node" : "vendor");
	const char *service = control_arg(call, "service"), *groups = control_arg(call, "groups");
	char prefix[SL_MAX_NAME + 1];
	uint32_t found = 0;
	int rc = check_scope(call, service);

	if (!rc && control_arg(call, "ramp") && control_arg(call, "for"))
		rc = err_set(&call->err, SL_EINVAL, "want --ramp or --for, not both");
	if (!rc && control_arg(call, "prefix")) {
		rc = prefix_of(call, prefix);
		groups = prefix;
	}
	for (uint32_t i = p->then.n; !rc && i-- > 0;) {
		const struct control_rule *r = &p->then.rule[i];

		if (!(kinds >> r->kind & 1) || r->back ||
			(vendor && !glob_match(str_from(vendor), str_from(r->vendor), false)) ||
			(service && strcmp(service, r->service) != 0) ||
			(groups && strcmp(groups, r->groups) != 0))
			continue;
		found++;
		rc = plan_take(call, p, i);
	}
	if (!rc && !found)
		rc = err_set(&call->err, SL_ENOENT, "no such rule%s%.64s", vendor ? " of " : "",
			vendor ? vendor : "");
	return rc;
}

static int finish(struct control_call *call, struct plan *p, int rc)
{
	if (rc == SL_ELIMIT)
		(void)err_set(&call->err, rc, "too many rules at once");
	if (!rc && p->then.n > ENGINE_MAX_RULES / 2)
		rc = err_set(&call->err, SL_ELIMIT, "over %d rules", ENGINE_MAX_RULES / 2);
	if (!rc)
		rc = control_weigh(call, &p->then, NULL);
	if (!rc && control_flag(call, "dry-run"))
		control_put_bool(call->out, "dry_run", true);
	else if (!rc)
		rc = p->over ? control_change_passing(call, p->item, p->n)
			     : control_change(call, p->item, p->n);
	plan_free(p);
	return rc;
}

static int begin(struct control_call *call, struct plan **ret_plan)
{
	int rc = control_need_world(call);

	if (!rc)
		rc = control_need_store(call);
	if (rc)
		return rc;
	*ret_plan = plan_new(call->c);
	return *ret_plan ? 0 : err_set(&call->err, SL_ENOMEM, "out of memory");
}

/* Puts rules of a kind for what the call names; with impact, confirmation and the other options of
 * commands that move viewers. */
static int put_rule(struct control_call *call, enum engine_rule_kind kind, double value)
{
	struct control_rule r;
	struct plan *p;
	int rc = begin(call, &p);

	if (rc)
		return rc;
	rc = template(call, kind, &r);
	r.value = value;
	if (!rc)
		rc = put_rules(call, p, &r);
	return finish(call, p, rc);
}

/* Takes those of the kinds (bits) away, in the same way. */
static int take_kinds(struct control_call *call, uint32_t kinds)
{
	struct plan *p;
	int rc = begin(call, &p);

	return rc ? rc : finish(call, p, take_rules(call, p, kinds));
}

/* A number within bounds, or "off". */
static int number_or_off(
	struct control_call *call, const char *name, double max, double *ret, bool *ret_off)
{
	const char *text = control_arg(call, name);

	*ret_off = strcmp(text, "off") == 0;
	if (*ret_off || (commands_parse_number(text, ret) && *ret >= 0 && *ret <= max))
		return 0;
	return err_set(&call->err, SL_EINVAL, "%s: got \"%.32s\", want 0 to %.0f, or off", name,
		text, max);
}

int control_do_VENDOR_WEIGHT(struct control_call *call)
{
	double value = 0;
	bool off;
	int rc = number_or_off(call, "weight", 1000, &value, &off);

	if (rc)
		return rc;
	return off ? take_kinds(call, 1u << RULE_WEIGHT) : put_rule(call, RULE_WEIGHT, value);
}

int control_do_VENDOR_CAP(struct control_call *call)
{
	double value = 0;
	bool off;
	int rc = number_or_off(call, "mbps", CONF_MAX_MBPS, &value, &off);

	if (!rc && call->service[0])
		rc = err_set(&call->err, SL_EACCES, "a cap holds in all services, %s may not",
			call->who);
	if (rc)
		return rc;
	return off ? take_kinds(call, 1u << RULE_CAP) : put_rule(call, RULE_CAP, value);
}

int control_do_VENDOR_DRAIN(struct control_call *call)
{
	return put_rule(call, RULE_DRAIN, 0);
}

int control_do_VENDOR_EVACUATE(struct control_call *call)
{
	return put_rule(call, RULE_EVACUATE, 0);
}

int control_do_VENDOR_RESUME(struct control_call *call)
{
	return take_kinds(call, 1u << RULE_DRAIN | 1u << RULE_EVACUATE);
}

int control_do_BLACKLIST_ADD(struct control_call *call)
{
	return put_rule(call, RULE_BLACKLIST, 0);
}

int control_do_BLACKLIST_REMOVE(struct control_call *call)
{
	return take_kinds(call, 1u << RULE_BLACKLIST);
}

int control_do_RESTRICT_ADD(struct control_call *call)
{
	return put_rule(call, RULE_RESTRICT, 0);
}

int control_do_RESTRICT_REMOVE(struct control_call *call)
{
	return take_kinds(call, 1u << RULE_RESTRICT | 1u << RULE_DENY | 1u << RULE_ALLOW);
}

int control_do_RESTRICT_DENY(struct control_call *call)
{
	return put_rule(call, RULE_DENY, 0);
}

int control_do_RESTRICT_ALLOW(struct control_call *call)
{
	return put_rule(call, RULE_ALLOW, 0);
}

int control_do_NODE_DRAIN(struct control_call *call)
{
	return put_rule(call, RULE_NODE, 0);
}

int control_do_NODE_RESUME(struct control_call *call)
{
	return take_kinds(call, 1u << RULE_NODE);
}

int control_do_SERVICE_LOWER(struct control_call *call)
{
	double value = 0;
	bool off;
	int rc = number_or_off(call, "percent", 100, &value, &off);

	if (rc)
		return rc;
	return off ? take_kinds(call, 1u << RULE_LOWER) : put_rule(call, RULE_LOWER, value);
}

int control_do_SERVICE_STATIC(struct control_call *call)
{
	const char *state = control_arg(call, "state");

	if (strcmp(state, "off") == 0)
		return take_kinds(call, 1u << RULE_STATIC);
	return strcmp(state, "on") == 0 ? put_rule(call, RULE_STATIC, 0)
					: err_set(&call->err, SL_EINVAL, "state: want on or off");
}
