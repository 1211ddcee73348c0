/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Alerts over the facts: each fires past one bound and ends past another, once for each set of
 * labels, with a log line at both ends. A cause that fires holds back what follows from it: with no
 * fresh tick no vendor alerts. A silence is a decision: it is in the store, with an end.
 */
#include "base/log.h"
#include "control/control_int.h"
#include "control/facts.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_ALERTS = 256, FIRST_EFFECT = 4 };

static const struct {
	const char *name, *severity;
	struct condition condition;
	double clears;
	uint64_t for_ms;
	const char *text;
} rules[] = {
#define ALERT(name, severity, metric, over, labels, op, fires, clears, for_s, text)                \
	{name, severity, {metric, over, labels, FACT_##op, fires}, clears, (for_s)*1000ull, text},
#include "control/alerts.def"
#undef ALERT
};

struct alert {
	uint32_t rule;
	char labels[160];
	double value;
	uint64_t since_ms;
	bool firing, seen;
};

struct control_alerts {
	struct alert alert[MAX_ALERTS];
	uint32_t n;
};

static bool is_silent(struct control *c, const char *name, uint64_t now_ms)
{
	char key[96], *text;
	uint64_t until = 0;

	if (!c->store)
		return false;
	(void)snprintf(key, sizeof(key), "silence|%s", name);
	text = store_get(c->store, key);
	if (text)
		until = strtoull(text, NULL, 10);
	free(text);
	return now_ms < until;
}

static struct alert *alert_of(struct control_alerts *a, uint32_t rule, const char *labels)
{
	for (uint32_t i = 0; i < a->n; i++)
		if (a->alert[i].rule == rule && strcmp(a->alert[i].labels, labels) == 0)
			return &a->alert[i];
	return NULL;
}

static void step(struct control *c, uint32_t rule, const struct fact *fact, double value,
	bool held_back, uint64_t now_ms)
{
	const struct condition *k = &rules[rule].condition;
	struct alert *a = alert_of(c->alerts, rule, fact->labels);
	bool past =
		control_condition_past(k, value, a && a->firing ? rules[rule].clears : k->value);

	if (!a && past && !held_back && c->alerts->n < MAX_ALERTS) {
		a = &c->alerts->alert[c->alerts->n++];
		*a = (struct alert){.rule = rule, .since_ms = now_ms};
		(void)snprintf(a->labels, sizeof(a->labels), "%s", fact->labels);
	}
	if (!a || !past)
		return;
	a->seen = true;
	a->value = value;
	if (a->firing || now_ms < a->since_ms + rules[rule].for_ms)
		return;
	a->firing = true;
	if (control_switch_on(c, SWITCH_ALERTS) && !is_silent(c, rules[rule].name, now_ms))
		LOG_W("alert.firing", "alert=%s severity=%s labels={%s} value=%.6g text=\"%s\"",
			rules[rule].name, rules[rule].severity, a->labels, value, rules[rule].text);
}

/* Those whose condition was not seen this time are over. */
static void sweep(struct control_alerts *a)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < a->n; i++) {
		if (!a->alert[i].seen) {
			if (a->alert[i].firing)
				LOG_I("alert.ended", "alert=%s labels={%s}",
					rules[a->alert[i].rule].name, a->alert[i].labels);
			continue;
		}
		a->alert[n++] = a->alert[i];
	}
	a->n = n;
}

void control_alerts_round(struct control *c, const struct control_facts *facts, uint64_t now_ms)
{
	bool cause = false;
	double value;

	for (uint32_t i = 0; i < c->alerts->n; i++) {
		c->alerts->alert[i].seen = false;
		cause |= c->alerts->alert[i].firing && c->alerts->alert[i].rule < FIRST_EFFECT;
	}
	for (uint32_t r = 0; r < SL_COUNT(rules); r++)
		for (uint32_t i = 0; i < facts->n; i++)
			if (control_condition_value(
				    &rules[r].condition, facts, &facts->fact[i], &value))
				step(c, r, &facts->fact[i], value, cause && r >= FIRST_EFFECT,
					now_ms);
	sweep(c->alerts);
}

int control_alerts_open(struct control *c)
{
	c->alerts = calloc(1, sizeof(*c->alerts));
	return c->alerts ? 0 : SL_ENOMEM;
}

void control_alerts_close(struct control *c)
{
	free(c->alerts);
}

int control_do_ALERT_LIST(struct control_call *call)
{
	cJSON *list = cJSON_AddArrayToObject(call->out, "alerts");

	for (uint32_t i = 0; i < call->c->alerts->n; i++) {
		const struct alert *a = &call->c->alerts->alert[i];
		cJSON *row = control_add_row(list);

		cJSON_AddStringToObject(row, "alert", rules[a->rule].name);
		cJSON_AddStringToObject(row, "severity", rules[a->rule].severity);
		cJSON_AddStringToObject(row, "state",
			!a->firing                                              ? "pending"
			: is_silent(call->c, rules[a->rule].name, call->now_ms) ? "silent"
										: "firing");
		cJSON_AddStringToObject(row, "labels", a->labels);
		control_put(row, "value", a->value);
		control_put(row, "for_s", (double)(call->now_ms - a->since_ms) / 1e3);
		cJSON_AddStringToObject(row, "text", rules[a->rule].text);
	}
	return 0;
}

int control_do_ALERT_SILENCE(struct control_call *call)
{
	const char *name = control_arg(call, "alert");
	uint64_t ms = 0;
	char key[96], until[24];
	struct store_item item = {key, until};

	for (uint32_t i = 0; i < SL_COUNT(rules); i++) {
		if (strcmp(rules[i].name, name) != 0)
			continue;
		(void)commands_parse_span(control_arg(call, "for"), &ms);
		(void)snprintf(key, sizeof(key), "silence|%s", name);
		(void)snprintf(
			until, sizeof(until), "%llu", (unsigned long long)(call->now_ms + ms));
		return control_change(call, &item, 1);
	}
	return err_set(&call->err, SL_ENOENT, "no alert %.64s", name);
}
