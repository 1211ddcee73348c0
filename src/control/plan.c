/* SPDX-License-Identifier: Apache-2.0 */
#include "control/plan.h"

#include "control/yaml.h"

#include <cjson/cJSON.h>
#include <string.h>

static const char *const modes[PLAN_MODES] = {"manual", "suggest", "automatic"};
static const char *const states[PLAN_STATES] = {"idle", "armed", "holding", "suggested",
	"announced", "fired", "vetoed", "guarded", "blind"};

const char *control_plan_mode(enum plan_mode mode)
{
	return mode < PLAN_MODES ? modes[mode] : "?";
}

const char *control_plan_state(enum plan_state state)
{
	return state < PLAN_STATES ? states[state] : "?";
}

static const cJSON *get(const cJSON *o, const char *name)
{
	return cJSON_GetObjectItemCaseSensitive(o, name);
}

static bool put_text(const cJSON *o, const char *name, char *to, size_t size)
{
	const cJSON *v = get(o, name);

	if (!v)
		return true;
	if (!cJSON_IsString(v) || strlen(v->valuestring) >= size)
		return false;
	(void)snprintf(to, size, "%s", v->valuestring);
	return true;
}

static uint64_t seconds(const cJSON *o, const char *name)
{
	const cJSON *v = get(o, name);

	return cJSON_IsNumber(v) && v->valuedouble > 0 && v->valuedouble < 1e7
		       ? (uint64_t)(v->valuedouble * 1e3)
		       : 0;
}

/* {"metric":..., "labels"?, "over"?, "above"|"below"|"max": number} */
static int parse_condition(const cJSON *o, struct condition *c, struct errbuf *err)
{
	const cJSON *above = get(o, "above"), *below = get(o, "below"), *max = get(o, "max");
	const cJSON *bound = above ? above : below ? below : max;

	*c = (struct condition){.op = below ? FACT_BELOW : FACT_ABOVE};
	if (!put_text(o, "metric", c->metric, sizeof(c->metric)) || !c->metric[0] ||
		!put_text(o, "labels", c->labels, sizeof(c->labels)) ||
		!put_text(o, "over", c->over, sizeof(c->over)) || !cJSON_IsNumber(bound))
		return err_set(err, SL_EFORMAT, "a condition wants metric and above or below");
	c->value = bound->valuedouble;
	return 0;
}

/* Each argument is one of the command's, and a text or number. */
static int check_args(const struct command *c, const cJSON *args, struct errbuf *err)
{
	for (const cJSON *v = args->child; v; v = v->next)
		if (!commands_find_param(c, v->string) ||
			(!cJSON_IsString(v) && !cJSON_IsNumber(v)))
			return err_set(err, SL_EFORMAT, "do: %s %s has no --%.32s of this kind",
				c->group, c->name, v->string);
	return 0;
}

static int parse_actions(const cJSON *list, struct errbuf *err)
{
	const cJSON *a = NULL;

	if (!cJSON_IsArray(list) || !list->child || cJSON_GetArraySize(list) > PLAN_MAX_ACTIONS)
		return err_set(
			err, SL_EFORMAT, "do: want a list of 1 to %d commands", PLAN_MAX_ACTIONS);
	cJSON_ArrayForEach (a, list) {
		const cJSON *words = get(a, "command");
		char text[64] = "", *at, *part[2] = {text, NULL};
		const struct command *c;
		uint32_t took;

		if (cJSON_IsString(words))
			(void)snprintf(text, sizeof(text), "%s", words->valuestring);
		at = strchr(text, ' ');
		if (at) {
			*at = '\0';
			part[1] = at + 1;
		}
		c = commands_find(part, at ? 2 : 1, &took);
		if (!c || !c->traffic || c->id == COMMAND_ROLLBACK)
			return err_set(err, SL_EFORMAT, "do: \"%s\" moves no viewers",
				cJSON_IsString(words) ? words->valuestring : "");
		if (!cJSON_IsObject(get(a, "args")))
			return err_set(err, SL_EFORMAT, "do: want args");
		if (check_args(c, get(a, "args"), err))
			return SL_EFORMAT;
	}
	return 0;
}

static int parse_mode(const cJSON *o, enum plan_mode *ret, struct errbuf *err)
{
	const cJSON *mode = get(o, "mode");
	uint32_t m = 0;

	while (m < PLAN_MODES && cJSON_IsString(mode) && strcmp(mode->valuestring, modes[m]) != 0)
		m++;
	if (!cJSON_IsString(mode) || m == PLAN_MODES)
		return err_set(err, SL_EFORMAT, "mode: want manual, suggest or automatic");
	*ret = (enum plan_mode)m;
	return 0;
}

/* JSON first: tabs may indent it, which YAML does not allow. */
static cJSON *parse_text(const char *text, struct errbuf *err)
{
	cJSON *o = cJSON_Parse(text);

	return o ? o : control_yaml_parse(text, strlen(text), err);
}

int control_plan_parse(const char *name, const char *text, struct plan_def *ret, struct errbuf *err)
{
	struct plan_def d = {.json = parse_text(text, err)};
	const cJSON *when = get(d.json, "when"), *fresh = get(d.json, "fresh");
	const cJSON *most = get(d.json, "max_moves_percent"), *span = get(d.json, "for");
	int rc = 0;

	if (!d.json)
		return SL_EFORMAT;
	if (!cJSON_IsObject(d.json))
		rc = err_set(err, SL_EFORMAT, "not a mapping");

	(void)snprintf(d.name, sizeof(d.name), "%s", name);
	if (!rc)
		rc = parse_mode(d.json, &d.mode, err);
	if (!rc)
		rc = parse_actions(get(d.json, "do"), err);
	d.has_when = when != NULL;
	d.has_fresh = fresh != NULL;
	if (!rc && when)
		rc = parse_condition(when, &d.when, err);
	if (!rc && fresh)
		rc = parse_condition(fresh, &d.fresh, err);
	if (!rc && !when && d.mode != PLAN_MANUAL)
		rc = err_set(err, SL_EFORMAT, "a plan of mode %s wants when", modes[d.mode]);
	d.hold_ms = seconds(d.json, "hold_s");
	d.announce_ms = seconds(d.json, "announce_s");
	d.max_moves_percent = cJSON_IsNumber(most) ? most->valuedouble : 33;
	if (!rc && span &&
		(!cJSON_IsString(span) || !commands_parse_span(span->valuestring, &d.for_ms)))
		rc = err_set(err, SL_EFORMAT, "for: want a time span like 30m");
	if (rc)
		control_plan_done(&d);
	else
		*ret = d;
	return rc;
}

void control_plan_done(struct plan_def *d)
{
	cJSON_Delete(d->json);
	d->json = NULL;
}
