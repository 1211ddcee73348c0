/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What moves viewers by hand: weights, drains, evacuations, caps, blacklist, restrictions. Each is
 * a set of rules that is put or taken away; --dry-run, --for, --ramp, --why and --confirm mean the
 * same in all.
 */
#include "base/glob.h"
#include "control/control_int.h"
#include "control/impact.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Keys that a command writes (with a value) or takes away (without). */
struct plan {
	struct store_item item[STORE_MAX_ITEMS];
	uint32_t n;
	struct control_rules then; /* all rules as they will be */
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
	char key[RULE_KEY];

	if (p->n == STORE_MAX_ITEMS)
		return SL_ELIMIT;
	control_rule_key(r, key);
	p->item[p->n] = (struct store_item){strdup(key), control_rule_print(r)};
	p->n++;
	for (uint32_t i = 0; i < p->then.n; i++)
		if (same_place(&p->then.rule[i], r)) {
			p->then.rule[i] = *r;
			return 0;
		}
	return control_rules_add(&p->then, r);
}

static int plan_take(struct plan *p, uint32_t i)
{
	char key[RULE_KEY];

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

static int check_service(struct control_call *call, const char *pattern)
{
	const struct cat_view *cat = &call->view->world->cat;

	if (call->service[0] &&
		(!pattern || !glob_match(str_from(call->service), str_from(pattern), false)))
		return err_set(&call->err, SL_EACCES, "%s may change only --service %s", call->who,
			call->service);
	for (uint32_t i = 0; pattern && i < cat->n_services; i++)
		if (cat->services[i].active &&
			glob_match(str_from(pattern), cat_text(cat, cat->services[i].name), false))
			return 0;
	return pattern ? err_set(&call->err, SL_ENOENT, "no service is called %.64s", pattern) : 0;
}

static int check_groups(struct control_call *call, const char *pattern)
{
	const struct cat_view *cat = &call->view->world->cat;

	for (uint32_t i = 0; pattern && i < cat->n_groups; i++)
		if (glob_group_match(str_from(pattern), cat_text(cat, cat->groups[i].name)))
			return 0;
	return pattern ? err_set(&call->err, SL_ENOENT, "no group is %.64s", pattern) : 0;
}

/* Everything that a rule of this call has in common, but the vendor. */
static int template(struct control_call *call, enum engine_rule_kind kind, struct control_rule *r)
{
	const char *service = control_arg(call, "service"), *groups = control_arg(call, "groups");
	const char *why = control_arg(call, "why"), *span;
	uint64_t ms = 0;
	int rc = check_service(call, service);

	if (!rc)
		rc = check_groups(call, groups);
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

static int put_rules(struct control_call *call, struct plan *p, struct control_rule *r)
{
	const char *pattern = control_arg(call, "vendor");
	uint32_t found = 0;
	int rc = 0;

	for (uint32_t v = 0; !rc && v < call->view->fleet->n_vendors; v++) {
		if (!call->view->world->cat.vendors[v].active ||
			!control_names_vendor(call->view, pattern, v))
			continue;
		found++;
		(void)snprintf(r->vendor, sizeof(r->vendor), STR_FMT,
			STR_ARG(control_vendor_name(call->view, v)));
		r->from = r->ramp_ms ? value_now(call, r, v) : r->value;
		rc = plan_put(p, r);
	}
	if (!rc && !found)
		rc = err_set(&call->err, SL_ENOENT, "no vendor is called %.64s", pattern);
	return rc;
}

/* Takes rules of these kinds away: those of the vendor, and of the service and groups if given. */
static int take_rules(struct control_call *call, struct plan *p, uint32_t kinds)
{
	const char *vendor = control_arg(call, "vendor"), *service = control_arg(call, "service"),
		   *groups = control_arg(call, "groups");
	uint32_t found = 0;
	int rc = 0;

	if (call->service[0] &&
		(!service || !glob_match(str_from(call->service), str_from(service), false)))
		return err_set(&call->err, SL_EACCES, "%s may change only --service %s", call->who,
			call->service);
	for (uint32_t i = p->then.n; !rc && i-- > 0;) {
		const struct control_rule *r = &p->then.rule[i];

		if (!(kinds >> r->kind & 1) ||
			!glob_match(str_from(vendor), str_from(r->vendor), false) ||
			(service && strcmp(service, r->service) != 0) ||
			(groups && strcmp(groups, r->groups) != 0))
			continue;
		found++;
		rc = plan_take(p, i);
	}
	if (!rc && !found)
		rc = err_set(&call->err, SL_ENOENT, "no such rule of %.64s", vendor);
	return rc;
}

static void put_percent(cJSON *row, const char *name, double before, double after)
{
	char text[48];

	(void)snprintf(text, sizeof(text), "%.1f -> %.1f", 100 * before, 100 * after);
	cJSON_AddStringToObject(row, name, text);
}

static void put_region(cJSON *list, const struct engine_view *view, const struct impact_region *r)
{
	cJSON *row = control_add_row(list);

	cJSON_AddStringToObject(row, "region", r->name);
	control_put(row, "moves_percent", 100 * r->moves);
	for (uint32_t v = 0; v < view->fleet->n_vendors; v++) {
		char name[SL_MAX_NAME + 16];

		if (r->before[v] == 0 && r->after[v] == 0)
			continue;
		(void)snprintf(name, sizeof(name), STR_FMT "_percent",
			STR_ARG(control_vendor_name(view, v)));
		put_percent(row, name, r->before[v], r->after[v]);
	}
	if (r->before[SL_MAX_VENDORS] > 0 || r->after[SL_MAX_VENDORS] > 0)
		put_percent(
			row, "none_percent", r->before[SL_MAX_VENDORS], r->after[SL_MAX_VENDORS]);
}

static void put_impact(struct control_call *call, const struct impact *m)
{
	cJSON *list;
	struct impact_region all = m->all;

	control_put(call->out, "groups_left_with_one_vendor", m->narrowed);
	control_put(call->out, "groups_left_with_none", m->emptied);
	list = cJSON_AddArrayToObject(call->out, "impact");
	(void)snprintf(all.name, sizeof(all.name), "all");
	put_region(list, call->view, &all);
	for (uint32_t i = 0; i < m->n_regions; i++)
		put_region(list, call->view, &m->region[i]);
}

/* Refuses a grave change that does not name what it is about. */
static int check_confirmed(struct control_call *call, const struct impact *m)
{
	const char *given = control_arg(call, "confirm"), *want = control_arg(call, "vendor");
	cJSON *e;

	if (!want)
		want = "rollback";
	if (!control_impact_grave(m) || (given && strcmp(given, want) == 0))
		return 0;
	e = cJSON_AddObjectToObject(call->out, "error");
	cJSON_AddStringToObject(e, "code", "confirm");
	cJSON_AddStringToObject(e, "confirm", want);
	if (m->narrowed || m->emptied)
		return err_set(&call->err, SL_EREFUSED,
			"leaves %u groups with one vendor and %u with none: confirm with "
			"--confirm %s",
			m->narrowed, m->emptied, want);
	return err_set(&call->err, SL_EREFUSED,
		"moves %.0f %% of the sessions in %s: confirm with --confirm %s", 100 * m->worst,
		m->worst_region, want);
}

int control_weigh(struct control_call *call, const struct control_rules *then)
{
	struct engine_rule *now = calloc(2 * ENGINE_MAX_RULES, sizeof(*now));
	struct impact *m = NULL;
	uint32_t n_now, n_then;
	uint64_t end = call->now_ms;
	int rc = now ? 0 : err_set(&call->err, SL_ENOMEM, "out of memory");

	if (rc)
		return rc;
	for (uint32_t i = 0; i < then->n; i++)
		if (then->rule[i].start_ms == call->now_ms)
			end = SL_MAX(end, call->now_ms + then->rule[i].ramp_ms);
	n_now = control_rules_expand(
		&call->c->rules, call->view->world, call->now_ms, now, ENGINE_MAX_RULES);
	for (uint32_t i = 0; i < n_now; i++)
		now[i].until_ms = 0;
	n_then = control_rules_expand(
		then, NULL, call->now_ms, now + ENGINE_MAX_RULES, ENGINE_MAX_RULES);
	rc = control_impact(call->view, now, n_now, now + ENGINE_MAX_RULES, n_then, &m, &call->err);
	if (!rc) {
		put_impact(call, m);
		if (!control_flag(call, "dry-run"))
			rc = check_confirmed(call, m);
	}
	free(m);
	free(now);
	return rc;
}

static int finish(struct control_call *call, struct plan *p, int rc)
{
	if (rc == SL_ELIMIT)
		(void)err_set(&call->err, rc, "too many rules at once");
	if (!rc && p->then.n > ENGINE_MAX_RULES / 2)
		rc = err_set(&call->err, SL_ELIMIT, "over %d rules", ENGINE_MAX_RULES / 2);
	if (!rc)
		rc = control_weigh(call, &p->then);
	if (!rc && control_flag(call, "dry-run"))
		control_put_bool(call->out, "dry_run", true);
	else if (!rc)
		rc = control_change(call, p->item, p->n);
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

static int put_kind(struct control_call *call, enum engine_rule_kind kind, double value)
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
	return off ? take_kinds(call, 1u << RULE_WEIGHT) : put_kind(call, RULE_WEIGHT, value);
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
	return off ? take_kinds(call, 1u << RULE_CAP) : put_kind(call, RULE_CAP, value);
}

int control_do_VENDOR_DRAIN(struct control_call *call)
{
	return put_kind(call, RULE_DRAIN, 0);
}

int control_do_VENDOR_EVACUATE(struct control_call *call)
{
	return put_kind(call, RULE_EVACUATE, 0);
}

int control_do_VENDOR_RESUME(struct control_call *call)
{
	return take_kinds(call, 1u << RULE_DRAIN | 1u << RULE_EVACUATE);
}

int control_do_BLACKLIST_ADD(struct control_call *call)
{
	return put_kind(call, RULE_BLACKLIST, 0);
}

int control_do_BLACKLIST_REMOVE(struct control_call *call)
{
	return take_kinds(call, 1u << RULE_BLACKLIST);
}

int control_do_RESTRICT_ADD(struct control_call *call)
{
	return put_kind(call, RULE_RESTRICT, 0);
}

int control_do_RESTRICT_REMOVE(struct control_call *call)
{
	return take_kinds(call, 1u << RULE_RESTRICT);
}
