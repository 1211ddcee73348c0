/* SPDX-License-Identifier: Apache-2.0 */
#include "control/yaml.h"

#include "ctl/commands.h"

#include <string.h>
#include <yaml.h>

struct reader {
	yaml_parser_t parser;
	yaml_event_t event;
	bool has_event;
	uint32_t values;
	struct errbuf *err;
};

static bool refuse(struct reader *r, const char *what)
{
	(void)err_set(r->err, SL_EFORMAT, "line %zu: %s",
		r->has_event ? r->event.start_mark.line + 1 : r->parser.problem_mark.line + 1,
		what);
	return false;
}

static bool next(struct reader *r)
{
	if (r->has_event)
		yaml_event_delete(&r->event);
	r->has_event = yaml_parser_parse(&r->parser, &r->event) == 1;
	if (r->has_event)
		return true;
	return refuse(r, r->parser.problem ? r->parser.problem : "cannot be read");
}

static bool is_next(struct reader *r, yaml_event_type_t type)
{
	return next(r) && r->event.type == type;
}

static cJSON *scalar(const yaml_event_t *e)
{
	const char *text = (const char *)e->data.scalar.value;
	double v;

	if (strlen(text) != e->data.scalar.length)
		return NULL;
	if (e->data.scalar.style != YAML_PLAIN_SCALAR_STYLE)
		return cJSON_CreateString(text);
	if (strcmp(text, "true") == 0 || strcmp(text, "false") == 0)
		return cJSON_CreateBool(text[0] == 't');
	if (!text[0] || strcmp(text, "null") == 0 || strcmp(text, "~") == 0)
		return cJSON_CreateNull();
	return commands_parse_number(text, &v) ? cJSON_CreateNumber(v) : cJSON_CreateString(text);
}

/* The value that begins with the event at hand. Recursive to a fixed depth. */
static cJSON *value(struct reader *r, int depth);

static bool read_mapping(struct reader *r, cJSON *o, int depth)
{
	while (next(r) && r->event.type != YAML_MAPPING_END_EVENT) {
		cJSON *v;
		char key[128];

		if (r->event.type != YAML_SCALAR_EVENT || r->event.data.scalar.anchor ||
			r->event.data.scalar.length >= sizeof(key) ||
			strlen((const char *)r->event.data.scalar.value) !=
				r->event.data.scalar.length)
			return refuse(r, "a key is a short text");
		(void)snprintf(key, sizeof(key), "%s", (const char *)r->event.data.scalar.value);
		if (cJSON_HasObjectItem(o, key))
			return refuse(r, "a key is there twice");
		v = next(r) ? value(r, depth) : NULL;
		if (!v || !cJSON_AddItemToObject(o, key, v)) {
			cJSON_Delete(v);
			return false;
		}
	}
	return r->has_event;
}

static bool read_sequence(struct reader *r, cJSON *list, int depth)
{
	while (next(r) && r->event.type != YAML_SEQUENCE_END_EVENT) {
		cJSON *v = value(r, depth);

		if (!v || !cJSON_AddItemToArray(list, v)) {
			cJSON_Delete(v);
			return false;
		}
	}
	return r->has_event;
}

static cJSON *value(struct reader *r, int depth)
{
	cJSON *v = NULL;
	bool good = false;

	if (depth == YAML_MAX_DEPTH || ++r->values > YAML_MAX_VALUES) {
		(void)refuse(r, "too deep, or too much");
		return NULL;
	}
	switch (r->event.type) {
	case YAML_SCALAR_EVENT:
		v = r->event.data.scalar.anchor ? NULL : scalar(&r->event);
		good = v || refuse(r, "no anchors, no NUL");
		break;
	case YAML_MAPPING_START_EVENT:
		v = r->event.data.mapping_start.anchor ? NULL : cJSON_CreateObject();
		good = v ? read_mapping(r, v, depth + 1) : refuse(r, "no anchors");
		break;
	case YAML_SEQUENCE_START_EVENT:
		v = r->event.data.sequence_start.anchor ? NULL : cJSON_CreateArray();
		good = v ? read_sequence(r, v, depth + 1) : refuse(r, "no anchors");
		break;
	default:
		(void)refuse(r, "want a mapping, a list or a value");
	}
	if (good)
		return v;
	cJSON_Delete(v);
	return NULL;
}

cJSON *control_yaml_parse(const char *text, size_t n, struct errbuf *err)
{
	struct reader r = {.err = err};
	cJSON *v = NULL;

	if (!yaml_parser_initialize(&r.parser)) {
		(void)err_set(err, SL_ENOMEM, "out of memory");
		return NULL;
	}
	yaml_parser_set_input_string(&r.parser, (const unsigned char *)text, n);
	if (next(&r) && is_next(&r, YAML_DOCUMENT_START_EVENT) && next(&r)) {
		v = value(&r, 0);
		if (v && !(next(&r) && is_next(&r, YAML_STREAM_END_EVENT))) {
			cJSON_Delete(v);
			v = NULL;
			(void)refuse(&r, "want one document");
		}
	} else if (r.has_event) {
		(void)refuse(&r, "nothing in it");
	}
	if (r.has_event)
		yaml_event_delete(&r.event);
	yaml_parser_delete(&r.parser);
	return v;
}
