/* SPDX-License-Identifier: Apache-2.0 */
/* config show and diff. */
#include "base/glob.h"
#include "base/os.h"
#include "control/control_int.h"

#include <stdlib.h>
#include <string.h>

/* The last rule of a kind that bears on a vendor and service, as the engine takes them. */
static const struct control_rule *rule_on(const struct control_call *call,
	enum engine_rule_kind kind, const char *vendor, const char *service)
{
	const struct control_rules *l = &call->c->rules;
	const struct control_rule *found = NULL;

	for (uint32_t i = 0; i < l->n; i++)
		if (l->rule[i].kind == kind &&
			glob_match(str_from(l->rule[i].vendor), str_from(vendor), false) &&
			(!l->rule[i].service[0] || !service ||
				glob_match(str_from(l->rule[i].service), str_from(service), false)))
			found = &l->rule[i];
	return found;
}

/* What operators made of a value of the configuration. false: nothing. */
static bool overruled(const struct control_call *call, const char *path, double *ret_value,
	const struct control_rule **ret_rule)
{
	const struct conf_catalog *c = &call->view->conf->catalog;
	const struct engine_view *view = call->view;
	unsigned i, k;
	char key[32];

	*ret_rule = NULL;
	if (sscanf(path, "vendors[%u].%31s", &i, key) == 2 && i < c->vendors_count &&
		(!strcmp(key, "max_mbps") || !strcmp(key, "guaranteed_mbps"))) {
		uint32_t v = cat_find_vendor(&view->world->cat, str_from(c->vendors[i].name));
		bool max = key[0] == 'm';

		if (v == BLOB_NONE)
			return false;
		*ret_value = max ? view->fleet->vendor[v].max_mbps
				 : view->fleet->vendor[v].guaranteed_mbps;
		*ret_rule = rule_on(call, RULE_CAP, c->vendors[i].name, NULL);
		if (*ret_rule && !max && (*ret_rule)->value >= c->vendors[i].guaranteed_mbps)
			*ret_rule = NULL;
	} else if (sscanf(path, "services[%u].vendors[%u].%31s", &i, &k, key) == 3 &&
		   i < c->services_count && k < c->services[i].vendors_count &&
		   !strcmp(key, "weight")) {
		uint32_t s = cat_find_service(&view->world->cat, str_from(c->services[i].name));

		if (s == BLOB_NONE || k >= view->fleet->service[s].n_slots)
			return false;
		*ret_value = view->fleet->service[s].slot[k].weight;
		*ret_rule = rule_on(
			call, RULE_WEIGHT, c->services[i].vendors[k].vendor, c->services[i].name);
	}
	return *ret_rule != NULL;
}

struct showing {
	const struct control_call *call;
	cJSON *list;
	const char *pattern;
};

static void put_value(void *ctx, const char *path, const char *value, bool number, const char *file,
	unsigned line)
{
	const struct showing *s = ctx;
	const struct control_rule *rule;
	char origin[SL_MAX_PATH + 128];
	double v = number ? strtod(value, NULL) : 0;
	cJSON *row;

	if (s->pattern && !glob_match(str_from(s->pattern), str_from(path), false))
		return;
	row = control_add_row(s->list);
	if (overruled(s->call, path, &v, &rule))
		(void)snprintf(origin, sizeof(origin), "%s of %s%s%s",
			control_rule_kind(rule->kind), rule->who, rule->why[0] ? ": " : "",
			rule->why);
	else if (number && v != strtod(value, NULL))
		(void)snprintf(origin, sizeof(origin), "contract hours");
	else if (line)
		(void)snprintf(origin, sizeof(origin), "%s:%u", file, line);
	else
		(void)snprintf(origin, sizeof(origin), "default");
	cJSON_AddStringToObject(row, "value_of", path);
	if (number)
		control_put(row, "value", v);
	else
		cJSON_AddStringToObject(row, "value", value);
	cJSON_AddStringToObject(row, "origin", origin);
}

/* A weight that the service does not give is the vendor's: it stands in no file, but may have a
 * rule. */
static void put_inherited(const struct showing *s)
{
	const struct conf_catalog *c = &s->call->view->conf->catalog;

	for (uint32_t i = 0; i < c->services_count; i++)
		for (uint32_t k = 0; k < c->services[i].vendors_count; k++) {
			char path[96], value[32];
			uint32_t id = cat_find_service(
				&s->call->view->world->cat, str_from(c->services[i].name));

			if (c->services[i].vendors[k].weight >= 0 || id == BLOB_NONE ||
				k >= s->call->view->fleet->service[id].n_slots)
				continue;
			(void)snprintf(path, sizeof(path), "services[%u].vendors[%u].weight", i, k);
			(void)snprintf(value, sizeof(value), "%.15g",
				s->call->view->world->cat
					.slots[s->call->view->world->cat.services[id].slots.first +
						k]
					.weight);
			put_value((void *)(uintptr_t)s, path, value, true, "", 0);
		}
}

/* Streams that operators opened or changed. */
static void put_own(void *ctx, const char *key, const char *value)
{
	const struct showing *s = ctx;
	char service[SL_MAX_NAME + 1], path[3 * SL_MAX_NAME];
	const char *name;
	cJSON *row;

	if (!control_stream_of_key(key, service, &name))
		return;
	(void)snprintf(path, sizeof(path), "streams %s %s", service, name);
	if (s->pattern && !glob_match(str_from(s->pattern), str_from(path), false))
		return;
	row = control_add_row(s->list);
	cJSON_AddStringToObject(row, "value_of", path);
	cJSON_AddStringToObject(row, "value", value);
	cJSON_AddStringToObject(row, "origin", "operator, over the catalogue file");
}

static int show_effective(struct control_call *call)
{
	struct showing s = {.call = call, .pattern = control_arg(call, "match")};
	int rc = control_need_world(call);

	if (rc)
		return rc;
	s.list = cJSON_AddArrayToObject(call->out, "values");
	conf_each_value(call->view->conf, put_value, &s);
	put_inherited(&s);
	rc = control_each(call->c, "stream|", put_own, &s);
	return rc ? rc : control_do_RULES(call);
}

int control_do_CONFIG_SHOW(struct control_call *call)
{
	const struct conf *conf = call->view->conf;
	char *text = NULL;
	size_t n = 0;
	FILE *out;

	if (!conf)
		return err_set(&call->err, SL_EAGAIN, "no configuration is in use yet");
	if (control_flag(call, "effective"))
		return show_effective(call);
	out = open_memstream(&text, &n);
	if (!out)
		return err_set(&call->err, SL_ENOMEM, "out of memory");
	(void)fprintf(out, "# %s, %s\n", conf->sluice_file, conf->catalog_file);
	conf_dump(conf, out);
	if (fclose(out)) {
		free(text);
		return err_set(&call->err, SL_ENOMEM, "out of memory");
	}
	cJSON_AddStringToObject(call->out, "yaml", text);
	free(text);
	return 0;
}

enum { MAX_CATALOGUE = 64 << 20, MAX_LINES = 200000 };

/* Lines of a text; the text is cut up. */
static char **lines_of(char *text, uint32_t *ret_n)
{
	char **line = calloc(MAX_LINES, sizeof(*line));
	uint32_t n = 0;

	while (line && text && *text && n < MAX_LINES) {
		char *end = strchr(text, '\n');

		line[n++] = text;
		if (!end)
			break;
		*end = '\0';
		text = end + 1;
	}
	*ret_n = n;
	return line;
}

/* What lies between the common beginning and the common end: enough to see an edit by hand. */
static void put_diff(cJSON *out, char **a, uint32_t na, char **b, uint32_t nb)
{
	cJSON *list = cJSON_AddArrayToObject(out, "lines");
	uint32_t head = 0, tail = 0;

	while (head < na && head < nb && strcmp(a[head], b[head]) == 0)
		head++;
	while (tail < na - head && tail < nb - head &&
		strcmp(a[na - 1 - tail], b[nb - 1 - tail]) == 0)
		tail++;
	for (int k = 0; k < 2; k++)
		for (uint32_t i = head; i < (k ? nb : na) - tail; i++) {
			cJSON *row = control_add_row(list);

			cJSON_AddStringToObject(row, "side", k ? "other" : "in use");
			control_put(row, "line", i + 1);
			cJSON_AddStringToObject(row, "text", k ? b[i] : a[i]);
		}
	control_put_bool(out, "same", head == na && na == nb);
}

int control_do_CONFIG_DIFF(struct control_call *call)
{
	char *a = NULL, *b = NULL, **la, **lb;
	uint32_t na, nb;
	size_t n;
	int rc = call->view->conf ? 0 : SL_EAGAIN;

	if (!rc)
		rc = os_read_file(
			call->view->conf->catalog_file, MAX_CATALOGUE, &a, &n, &call->err);
	if (!rc)
		rc = os_read_file(control_arg(call, "file"), MAX_CATALOGUE, &b, &n, &call->err);
	if (!rc) {
		la = lines_of(a, &na);
		lb = lines_of(b, &nb);
		if (la && lb)
			put_diff(call->out, la, na, lb, nb);
		else
			rc = SL_ENOMEM;
		free(la);
		free(lb);
	}
	free(a);
	free(b);
	return rc;
}
