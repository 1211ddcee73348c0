/* SPDX-License-Identifier: Apache-2.0 */
#include "control/facts.h"

#include "base/err.h"

#include <stdlib.h>
#include <string.h>

/* "name{labels} value" or "name value", cut up in place. */
static bool take_line(char *line, struct fact *ret)
{
	char *brace = strchr(line, '{'), *space;

	ret->labels = "";
	if (brace) {
		char *end = strrchr(brace, '}');

		if (!end || end[1] != ' ')
			return false;
		*brace = '\0';
		*end = '\0';
		ret->labels = brace + 1;
		space = end + 1;
	} else {
		space = strchr(line, ' ');
		if (!space)
			return false;
		*space = '\0';
	}
	ret->name = line;
	ret->value = strtod(space + 1, NULL);
	return true;
}

int control_facts_init(struct control_facts *f, char *text)
{
	uint32_t room = 1;

	*f = (struct control_facts){.text = text};
	for (const char *p = text; *p; p++)
		room += *p == '\n';
	if (room > FACTS_MAX)
		return SL_ELIMIT;
	f->fact = calloc(room, sizeof(*f->fact));
	if (!f->fact)
		return SL_ENOMEM;
	for (char *line = text, *end; line && *line; line = end) {
		end = strchr(line, '\n');
		if (end)
			*end++ = '\0';
		if (*line != '#' && *line)
			f->n += take_line(line, &f->fact[f->n]);
	}
	return 0;
}

void control_facts_done(struct control_facts *f)
{
	free(f->fact);
	free(f->text);
	*f = (struct control_facts){0};
}

/* Each label of the condition is among the fact's. */
static bool has_labels(const char *want, const char *have)
{
	char one[160];

	while (*want) {
		size_t n = strcspn(want, ",");

		if (n >= sizeof(one))
			return false;
		memcpy(one, want, n);
		one[n] = '\0';
		if (!strstr(have, one))
			return false;
		want += n + (want[n] == ',');
	}
	return true;
}

bool control_condition_value(const struct condition *c, const struct control_facts *f,
	const struct fact *fact, double *ret)
{
	if (strcmp(fact->name, c->metric) != 0 || !has_labels(c->labels, fact->labels))
		return false;
	*ret = fact->value;
	if (!c->over[0])
		return true;
	for (uint32_t i = 0; i < f->n; i++)
		if (strcmp(f->fact[i].name, c->over) == 0 &&
			strcmp(f->fact[i].labels, fact->labels) == 0 && f->fact[i].value > 0) {
			*ret = fact->value / f->fact[i].value;
			return true;
		}
	return false;
}

bool control_condition_past(const struct condition *c, double value, double bound)
{
	return c->op == FACT_BELOW ? value < bound : value > bound;
}

bool control_condition_holds(const struct condition *c, const struct control_facts *f,
	double *ret_value, const struct fact **ret_fact)
{
	bool any = false;
	double v;

	for (uint32_t i = 0; i < f->n; i++) {
		if (!control_condition_value(c, f, &f->fact[i], &v) ||
			(any && !control_condition_past(c, v, *ret_value)))
			continue;
		any = true;
		*ret_value = v;
		if (ret_fact)
			*ret_fact = &f->fact[i];
	}
	return any && control_condition_past(c, *ret_value, c->value);
}
