/* SPDX-License-Identifier: Apache-2.0 */
/* A scenario file through the two passes of conf/: lines and bounds, then libcyaml. */
#include "base/os.h"
#include "conf/fill.h"
#include "conf/lines.h"
#include "conf/schema.h"
#include "sim/scenario.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cyaml/cyaml.h>

enum { MAX_OCTETS = 16 << 20 };

/* --- the rows for the first pass ------------------------------------------------------------- */

#define X(id, word, max, doc) word,
static const char *const words_KIND[] = {SCENARIO_KIND_MAP(X)};
#undef X
#define X(id, word) word,
static const char *const words_OVERLOAD[] = {SCENARIO_OVERLOAD_MAP(X)};
#undef X
static const struct conf_words list_KIND = {words_KIND, SL_COUNT(words_KIND)};
static const struct conf_words list_OVERLOAD = {words_OVERLOAD, SL_COUNT(words_OVERLOAD)};

#define AT(s, f)           .offset = offsetof(struct s, f)
#define OF_TEXT(s, f, of)  .text = CONF_TEXT_##of, AT(s, f)
#define OF_TEXTS(s, f, of) OF_TEXT(s, f, of), .count = offsetof(struct s, f##_count)
#define OF_U32(s, f, of)   AT(s, f)
#define OF_NUM(s, f, of)   AT(s, f)
#define OF_MBPS(s, f, of)  AT(s, f)
#define OF_ENUM(s, f, of)  .words = &list_##of, AT(s, f)
#define OF_MAP(s, f, of)   .type = &type_##of, AT(s, f)
#define OF_MAPS(s, f, of)  OF_MAP(s, f, of), .count = offsetof(struct s, f##_count)

#define BEGIN(s, text) static const struct conf_row rows_##s[] = {
#define ROW(s, f, kind_, of, min_, max_, dflt_, unit_, doc_)                                       \
	{.key = #f,                                                                                \
		.kind = CONF_KIND_##kind_,                                                         \
		OF_##kind_(s, f, of),                                                              \
		.min = min_,                                                                       \
		.max = max_,                                                                       \
		.dflt = dflt_,                                                                     \
		.unit = unit_,                                                                     \
		.doc = doc_},
#define END(s)                                                                                     \
	}                                                                                          \
	;                                                                                          \
	static const struct conf_type type_##s = {                                                 \
		#s, "", rows_##s, SL_COUNT(rows_##s), sizeof(struct s)};
#include "sim/scenario.def"
#undef BEGIN
#undef ROW
#undef END

/* --- the same for libcyaml ------------------------------------------------------------------- */

#define X(id, word, max, doc) {word, SCENARIO_##id},
static const cyaml_strval_t strval_KIND[] = {SCENARIO_KIND_MAP(X)};
#undef X
#define X(id, word) {word, SCENARIO_##id},
static const cyaml_strval_t strval_OVERLOAD[] = {SCENARIO_OVERLOAD_MAP(X)};
#undef X
static const cyaml_schema_value_t value_text = {
	CYAML_VALUE_STRING(CYAML_FLAG_POINTER, char, 0, CYAML_UNLIMITED)};

#define FIELD(s, k, ...)                                                                           \
	{                                                                                          \
		.key = #k, .data_offset = offsetof(struct s, k), .value = { __VA_ARGS__ }          \
	}
#define LIST(s, k, entry_type, entry)                                                              \
	{                                                                                          \
		.key = #k, .data_offset = offsetof(struct s, k),                                   \
		.count_offset = offsetof(struct s, k##_count), .count_size = sizeof(uint32_t),     \
		.value = {                                                                         \
			CYAML_VALUE_SEQUENCE(CYAML_FLAG_OPTIONAL | CYAML_FLAG_POINTER, entry_type, \
				&(entry), 0, CYAML_UNLIMITED)                                      \
		}                                                                                  \
	}
#define SCHEMA_TEXT(s, k, of)                                                                      \
	FIELD(s, k,                                                                                \
		CYAML_VALUE_STRING(                                                                \
			CYAML_FLAG_OPTIONAL | CYAML_FLAG_POINTER, char, 0, CYAML_UNLIMITED))
#define SCHEMA_TEXTS(s, k, of) LIST(s, k, char *, value_text)
#define SCHEMA_U32(s, k, of)   FIELD(s, k, CYAML_VALUE_UINT(CYAML_FLAG_OPTIONAL, uint32_t))
#define SCHEMA_NUM(s, k, of)   FIELD(s, k, CYAML_VALUE_FLOAT(CYAML_FLAG_OPTIONAL, double))
#define SCHEMA_MBPS(s, k, of)  SCHEMA_NUM(s, k, of)
#define SCHEMA_ENUM(s, k, of)                                                                      \
	FIELD(s, k,                                                                                \
		CYAML_VALUE_ENUM(CYAML_FLAG_OPTIONAL | CYAML_FLAG_STRICT, uint32_t, strval_##of,   \
			SL_COUNT(strval_##of)))
#define SCHEMA_MAP(s, k, of)                                                                       \
	FIELD(s, k, CYAML_VALUE_MAPPING(CYAML_FLAG_OPTIONAL, struct of, fields_##of))
#define SCHEMA_MAPS(s, k, of) LIST(s, k, struct of, value_##of)

#define BEGIN(s, doc)                                  static const cyaml_schema_field_t fields_##s[] = {
#define ROW(s, k, kind, of, min, max, dflt, unit, doc) SCHEMA_##kind(s, k, of),
#define END(s)                                                                                     \
	CYAML_FIELD_END                                                                            \
	}                                                                                          \
	;                                                                                          \
	static const cyaml_schema_value_t value_##s SL_UNUSED = {                                  \
		CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct s, fields_##s)};
#include "sim/scenario.def"
#undef BEGIN
#undef ROW
#undef END

static const cyaml_schema_value_t root = {
	CYAML_VALUE_MAPPING(CYAML_FLAG_POINTER, struct scenario_file, fields_scenario_file)};

/* --- the file ----------------------------------------------------------------------------------
 */

/* Everything happens later, by what is played before. */
static void shift(struct scenario *s)
{
	uint32_t by = s->f.scheduler.warm_s;

	s->f.duration_s += by;
	s->f.steady.from_s += by;
	s->f.steady.to_s += by;
	for (uint32_t i = 0; i < s->f.audience.curve_count; i++)
		s->f.audience.curve[i].at_s += by;
	for (uint32_t i = 0; i < s->f.events_count; i++) {
		s->f.events[i].at_s += by;
		s->f.events[i].until_s += by;
	}
}

int scenario_load(const char *path, struct scenario **ret_scenario, struct errbuf *err)
{
	struct arena *arena = arena_new(4UL * MAX_OCTETS);
	struct scenario *s = arena ? arena_alloc(arena, sizeof(*s)) : NULL;
	struct conf_lines *lines = NULL;
	char *text = NULL, *file = NULL;
	size_t size = 0;
	void *data = NULL;
	int rc = s ? os_read_file(path, MAX_OCTETS, &text, &size, err)
		   : err_set(err, SL_ENOMEM, "%s: out of memory", path);

	if (rc == 0 && !(file = arena_strndup(arena, path, strlen(path))))
		rc = err_set(err, SL_ENOMEM, "%s: out of memory", path);
	if (rc == 0)
		rc = conf_lines_build(
			arena, file, &type_scenario_file, (struct str){text, size}, &lines, err);
	if (rc == 0)
		rc = conf_schema_load_root(
			arena, file, &root, sizeof(s->f), (struct str){text, size}, &data, err);
	if (rc == 0)
		rc = conf_fill(arena, lines, data, err);
	if (rc == 0) {
		s->arena = arena;
		s->lines = lines;
		memcpy(&s->f, data, sizeof(s->f));
		rc = scenario_check(s, err);
		shift(s);
	}
	free(text);
	if (rc) {
		arena_free(arena);
		return rc;
	}
	*ret_scenario = s;
	return 0;
}

void scenario_free(struct scenario *s)
{
	if (s)
		arena_free(s->arena);
}

static void print_type(const struct conf_type *t, const char *prefix)
{
	for (uint32_t i = 0; i < t->row_count; i++) {
		const struct conf_row *r = &t->rows[i];
		char path[128];

		(void)snprintf(path, sizeof(path), "%s%s%s", prefix, r->key,
			r->kind == CONF_KIND_MAPS ? "[]" : "");
		printf("| `%s` | %s%s%s | %s |\n", path,
			!r->dflt   ? "must be given"
			: *r->dflt ? r->dflt
				   : "",
			r->unit && *r->unit ? " " : "", r->unit ? r->unit : "", r->doc);
		if (r->type) {
			char below[130];

			(void)snprintf(below, sizeof(below), "%s.", path);
			print_type(r->type, below);
		}
	}
}

void scenario_print_keys(void)
{
	puts("| key | default | meaning |\n|---|---|---|");
	print_type(&type_scenario_file, "");
	puts("\n| event | meaning |\n|---|---|");
#define X(id, word, max, doc) puts("| `" word "` | " doc " |");
	SCENARIO_KIND_MAP(X)
#undef X
}
