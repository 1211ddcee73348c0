/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Alerts over the facts: each fires past one bound and ends past another, once for each set of
 * labels, with a log line and a row of the journal at both ends. While a cause holds, even before
 * it fires, what follows from it is held back: one cause alerts once.
 */
#include "control/alerts.h"

#include "base/hash.h"
#include "base/log.h"
#include "control/doors.h"
#include "control/facts.h"
#include "control/send.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_RATES = 512, RATE_MS = 5000 };

const struct alert_rule control_alert_rules[] = {
#define ALERT(name, severity, metric, over, labels, op, fires, clears, for_s, causes, text)        \
	{name, NOTICE_##severity, {metric, over, labels, FACT_##op, fires}, clears,                \
		(for_s)*1000ull, causes, text},
#include "control/alerts.def"
#undef ALERT
};
enum { RULES = sizeof(control_alert_rules) / sizeof(control_alert_rules[0]) };
const uint32_t control_n_alert_rules = RULES;
#define rules control_alert_rules

/* A counter that a rule looks at: its value at a time, and how it rose over the RATE_MS before. */
struct rate {
	uint64_t key, at_ms;
	double value, rise; /* rise: a second; negative: not known yet */
};

struct control_alerts {
	struct alert alert[ALERT_MAX];
	uint32_t n;
	struct rate rate[MAX_RATES];
	struct control_send *send;
	uint64_t conf_loads; /* of the configuration that the receivers were read from */
	struct notice list[ALERT_MAX];
};

const struct alert *control_alerts_list(const struct control *c, uint32_t *ret_n)
{
	*ret_n = c->alerts->n;
	return c->alerts->alert;
}

bool control_alert_silent(struct control *c, const char *name, uint64_t now_ms)
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

void control_alerts_clock_set(struct control *c, int64_t by_ms)
{
	for (uint32_t i = 0; i < c->alerts->n; i++)
		c->alerts->alert[i].since_ms += (uint64_t)by_ms;
	for (uint32_t i = 0; i < MAX_RATES; i++)
		c->alerts->rate[i].at_ms += (uint64_t)by_ms;
}

static struct alert *alert_of(struct control_alerts *a, uint32_t rule, const char *labels)
{
	for (uint32_t i = 0; i < a->n; i++)
		if (a->alert[i].rule == rule && strcmp(a->alert[i].labels, labels) == 0)
			return &a->alert[i];
	return NULL;
}

static bool is_among(const char *word, const char *words)
{
	size_t n = strlen(word);

	for (const char *at = words; (at = strstr(at, word)); at += n)
		if ((at == words || at[-1] == ' ') && (at[n] == '\0' || at[n] == ' '))
			return true;
	return false;
}

/* The next name="value" of labels; false at their end. */
static bool next_label(const char **at, struct str *ret_name, struct str *ret_value)
{
	size_t n = strcspn(*at, "=");
	const char *value = *at + n + 2, *end;

	if ((*at)[n] != '=' || (*at)[n + 1] != '"')
		return false;
	for (end = value; *end && *end != '"'; end++)
		end += *end == '\\' && end[1];
	*ret_name = (struct str){*at, n};
	*ret_value = (struct str){value, (size_t)(end - value)};
	*at = end + (*end == '"');
	*at += **at == ',';
	return true;
}

/* Whether no label that both have differs: {vendor="a"} may cause {vendor="a",...} and {role="x"},
 * but not {vendor="b"}. */
static bool may_cause(const char *cause, const char *effect)
{
	struct str name, value, name2, value2;

	while (next_label(&cause, &name, &value))
		for (const char *at = effect; next_label(&at, &name2, &value2);)
			if (str_eq(name, name2) && !str_eq(value, value2))
				return false;
	return true;
}

/* Whether a cause of the rule holds in this round. */
static bool is_held(const struct control_alerts *a, uint32_t rule, const char *labels)
{
	for (uint32_t i = 0; i < a->n; i++)
		if (a->alert[i].seen &&
			is_among(rules[a->alert[i].rule].name, rules[rule].causes) &&
			may_cause(a->alert[i].labels, labels))
			return true;
	return false;
}

/* A counter's increase a second; false where there is nothing to compare with yet. */
static bool rate_of(
	struct control_alerts *a, uint32_t rule, const char *labels, uint64_t now_ms, double *value)
{
	uint64_t key = hash64(labels, strlen(labels), rule + 1);

	for (uint32_t i = 0; i < MAX_RATES; i++) {
		struct rate *r = &a->rate[i];

		if (r->key && r->key != key)
			continue;
		if (!r->key || now_ms < r->at_ms) {
			*r = (struct rate){key, now_ms, *value, -1};
		} else if (now_ms >= r->at_ms + RATE_MS) {
			double rise = *value > r->value ? *value - r->value : 0;

			*r = (struct rate){
				key, now_ms, *value, rise * 1e3 / (double)(now_ms - r->at_ms)};
		}
		*value = r->rise;
		return r->rise >= 0;
	}
	return false;
}

static void tell(struct control *c, const struct alert *a, uint64_t now_ms)
{
	const struct alert_rule *r = &rules[a->rule];

	control_event(c, "alert", "%s begins {%s} %.6g: %s", r->name, a->labels, a->value, r->text);
	if (control_switch_on(c, SWITCH_ALERTS) && !control_alert_silent(c, r->name, now_ms))
		LOG_W("alert.firing", "alert=%s severity=%s labels={%s} value=%.6g text=\"%s\"",
			r->name, notice_severity_text(r->severity), a->labels, a->value, r->text);
}

static void step(
	struct control *c, uint32_t rule, const char *labels, double value, uint64_t now_ms)
{
	const struct condition *k = &rules[rule].condition;
	struct alert *a = alert_of(c->alerts, rule, labels);

	if (!control_condition_past(k, value, a && a->firing ? rules[rule].clears : k->value))
		return;
	if (!a) {
		if (c->alerts->n == ALERT_MAX)
			return;
		a = &c->alerts->alert[c->alerts->n++];
		*a = (struct alert){.rule = rule, .since_ms = now_ms};
		(void)snprintf(a->labels, sizeof(a->labels), "%s", labels);
	}
	a->seen = true;
	a->value = value;
	a->since_ms = SL_MIN(a->since_ms, now_ms); /* the clock was set back */
	a->held = !a->firing && is_held(c->alerts, rule, labels);
	if (a->held)
		a->since_ms = now_ms; /* it has its own time to last once the cause is gone */
	if (a->held || a->firing || now_ms < a->since_ms + rules[rule].for_ms)
		return;
	a->firing = true;
	tell(c, a, now_ms);
}

/* Those whose condition was not seen this time are over. */
static void sweep(struct control *c)
{
	struct control_alerts *a = c->alerts;
	uint32_t n = 0;

	for (uint32_t i = 0; i < a->n; i++) {
		const struct alert *k = &a->alert[i];

		if (k->seen) {
			a->alert[n++] = *k;
			continue;
		}
		if (!k->firing)
			continue;
		LOG_I("alert.ended", "alert=%s labels={%s}", rules[k->rule].name, k->labels);
		control_event(c, "alert", "%s ends {%s}", rules[k->rule].name, k->labels);
	}
	a->n = n;
}

_Static_assert(sizeof(((struct notice *)0)->labels) == sizeof(((struct alert *)0)->labels),
	"labels are copied whole");

/* What fires and is not silent, to the thread that sends. */
static void hand_over(struct control *c, uint64_t now_ms)
{
	struct control_alerts *a = c->alerts;
	const struct engine_view *view = engine_view(c->engine);
	struct errbuf err = {""};
	uint32_t n = 0;

	if (view->conf_loads != a->conf_loads) {
		if (control_send_configure(a->send, view->conf, &err))
			LOG_E("alerts.no_secret", "error=\"%s\"", err.s);
		control_doors_configure(c->doors, view->conf);
		a->conf_loads = view->conf_loads;
	}
	for (uint32_t i = 0; i < a->n && control_switch_on(c, SWITCH_ALERTS); i++) {
		const struct alert *k = &a->alert[i];
		const struct alert_rule *r = &rules[k->rule];
		struct notice *to = &a->list[n];

		if (!k->firing || control_alert_silent(c, r->name, now_ms))
			continue;
		*to = (struct notice){
			.severity = r->severity, .value = k->value, .start_ms = k->since_ms};
		(void)snprintf(to->alert, sizeof(to->alert), "%s", r->name);
		memcpy(to->labels, k->labels, sizeof(to->labels));
		(void)snprintf(to->text, sizeof(to->text), "%s", r->text);
		n++;
	}
	control_send_alerts(a->send, a->list, n);
}

void control_alerts_round(struct control *c, const struct control_facts *facts, uint64_t now_ms)
{
	struct control_alerts *a = c->alerts;
	double value;

	for (uint32_t i = 0; i < a->n; i++)
		a->alert[i].seen = false;
	for (uint32_t r = 0; r < RULES; r++)
		for (uint32_t i = 0; i < facts->n; i++) {
			const struct fact *f = &facts->fact[i];

			if (control_condition_value(&rules[r].condition, facts, f, &value) &&
				(rules[r].condition.op != FACT_RISES ||
					rate_of(a, r, f->labels, now_ms, &value)))
				step(c, r, f->labels, value, now_ms);
		}
	sweep(c);
	hand_over(c, now_ms);
}

uint32_t control_alerts_sending(
	struct control *c, struct control_send_state ret[static NOTICE_TARGETS])
{
	return control_send_states(c->alerts->send, ret);
}

int control_alerts_open(struct control *c, struct errbuf *err)
{
	c->alerts = calloc(1, sizeof(*c->alerts));
	if (!c->alerts)
		return err_set(err, SL_ENOMEM, "out of memory");
	return control_send_new(&c->alerts->send, err);
}

void control_alerts_close(struct control *c)
{
	if (c->alerts)
		control_send_free(c->alerts->send);
	free(c->alerts);
}
