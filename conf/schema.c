/* SPDX-License-Identifier: Apache-2.0 */
#include "conf/schema.h"

#include <stdalign.h>
#include <string.h>

#include <cyaml/cyaml.h>

#define X(id, word) {word, id},
static const cyaml_strval_t strval_LEVEL[] = {CONF_LEVEL_MAP(X)};
static const cyaml_strval_t strval_TARGET[] = {CONF_TARGET_MAP(X)};
static const cyaml_strval_t strval_SEVERITY[] = {CONF_SEVERITY_MAP(X)};
static const cyaml_strval_t strval_DNS[] = {CONF_DNS_MAP(X)};
static const cyaml_strval_t strval_ORDER[] = {CONF_ORDER_MAP(X)};
static const cyaml_strval_t strval_OVERLOAD[] = {CONF_OVERLOAD_MAP(X)};
static const cyaml_strval_t strval_SIGN[] = {CONF_SIGN_MAP(X)};
static const cyaml_strval_t strval_DIGEST[] = {CONF_DIGEST_MAP(X)};
static const cyaml_strval_t strval_TIME[] = {CONF_TIME_MAP(X)};
static const cyaml_strval_t strval_MEANS[] = {CONF_MEANS_MAP(X)};
static const cyaml_strval_t strval_FORMAT[] = {CONF_FORMAT_MAP(X)};
static const cyaml_strval_t strval_API[] = {CONF_API_MAP(X)};
static const cyaml_strval_t strval_AUTH[] = {CONF_AUTH_MAP(X)};
static const cyaml_strval_t strval_UNIT[] = {CONF_UNIT_MAP(X)};
static const cyaml_strval_t strval_METHOD[] = {CONF_METHOD_MAP(X)};
static const cyaml_strval_t strval_PROBE[] = {CONF_PROBE_MAP(X)};
#undef X
static const cyaml_strval_t strval_DAYS[] = {{"mon", CONF_MON}, {"tue", CONF_TUE},
	{"wed", CONF_WED}, {"thu", CONF_THU}, {"fri", CONF_FRI}, {"sat", CONF_SAT},
	{"sun", CONF_SUN}};

static const cyaml_schema_value_t value_text = {
	CYAML_VALUE_STRING(CYAML_FLAG_POINTER, char, 0, CYAML_UNLIMITED)};
static const cyaml_schema_value_t value_u32 = {CYAML_VALUE_UINT(CYAML_FLAG_DEFAULT, uint32_t)};

/* Bounds and what must be given are checked with lines in the first pass, so all is optional here.
 */
#define FIELD(s, k, m, ...)                                                                        \
	{                                                                                          \
		.key = #k, .data_offset = offsetof(struct s, m), .value = { __VA_ARGS__ }          \
	}
#define LIST(s, k, m, entry_type, entry)                                                           \
	{                                                                                          \
		.key = #k, .data_offset = offsetof(struct s, m),                                   \
		.count_offset = offsetof(struct s, k##_count), .count_size = sizeof(uint32_t),     \
		.value = {                                                                         \
			CYAML_VALUE_SEQUENCE(CYAML_FLAG_OPTIONAL | CYAML_FLAG_POINTER, entry_type, \
				&(entry), 0, CYAML_UNLIMITED)                                      \
		}                                                                                  \
	}
#define STRING(s, k, m)                                                                            \
	FIELD(s, k, m,                                                                             \
		CYAML_VALUE_STRING(                                                                \
			CYAML_FLAG_OPTIONAL | CYAML_FLAG_POINTER, char, 0, CYAML_UNLIMITED))
#define SCALAR(s, k, macro, c_type) FIELD(s, k, k, macro(CYAML_FLAG_OPTIONAL, c_type))

#define SCHEMA_TEXT(s, k, of)     STRING(s, k, k)
#define SCHEMA_TEXTS(s, k, of)    LIST(s, k, k, char *, value_text)
#define SCHEMA_U32(s, k, of)      SCALAR(s, k, CYAML_VALUE_UINT, uint32_t)
#define SCHEMA_I32(s, k, of)      SCALAR(s, k, CYAML_VALUE_INT, int32_t)
#define SCHEMA_U32S(s, k, of)     LIST(s, k, k, uint32_t, value_u32)
#define SCHEMA_NUM(s, k, of)      SCALAR(s, k, CYAML_VALUE_FLOAT, double)
#define SCHEMA_MBPS(s, k, of)     SCALAR(s, k, CYAML_VALUE_FLOAT, double)
#define SCHEMA_BOOL(s, k, of)     SCALAR(s, k, CYAML_VALUE_BOOL, bool)
#define SCHEMA_CLOCK(s, k, of)    STRING(s, k, k##_text)
#define SCHEMA_ADDRS(s, k, of)    LIST(s, k, k##_text, char *, value_text)
#define SCHEMA_PREFIXES(s, k, of) LIST(s, k, k##_text, char *, value_text)
#define SCHEMA_MAPS(s, k, of)     LIST(s, k, k, struct of, value_##of)
#define SCHEMA_ENUM(s, k, of)                                                                      \
	FIELD(s, k, k,                                                                             \
		CYAML_VALUE_ENUM(CYAML_FLAG_OPTIONAL | CYAML_FLAG_STRICT, uint32_t, strval_##of,   \
			SL_COUNT(strval_##of)))
#define SCHEMA_DAYS(s, k, of)                                                                      \
	FIELD(s, k, k,                                                                             \
		CYAML_VALUE_FLAGS(CYAML_FLAG_OPTIONAL | CYAML_FLAG_STRICT, uint32_t, strval_DAYS,  \
			SL_COUNT(strval_DAYS)))
#define SCHEMA_MAP(s, k, of)                                                                       \
	FIELD(s, k, k, CYAML_VALUE_MAPPING(CYAML_FLAG_OPTIONAL, struct of, fields_##of))

#define BEGIN(s, doc)                                  static const cyaml_schema_field_t fields_##s[] = {
#define ROW(s, k, kind, of, min, max, dflt, unit, doc) SCHEMA_##kind(s, k, of),
#define START(...)                                     ROW(__VA_ARGS__)
#define END(s)                                                                                     \
	CYAML_FIELD_END                                                                            \
	}                                                                                          \
	;                                                                                          \
	static const cyaml_schema_value_t value_##s SL_UNUSED = {                                  \
		CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct s, fields_##s)};
#include "conf/sluice.def"

#include "conf/catalog.def"

static const cyaml_schema_value_t root_sluice = {
	CYAML_VALUE_MAPPING(CYAML_FLAG_POINTER, struct conf_sluice, fields_conf_sluice)};
static const cyaml_schema_value_t root_catalog = {
	CYAML_VALUE_MAPPING(CYAML_FLAG_POINTER, struct conf_catalog, fields_conf_catalog)};

/* Before each block: its room. */
union block_head {
	size_t room;
	max_align_t align;
};

/*
 * libcyaml's allocator over the arena. It grows lists by one entry at a time, so a block that must
 * move takes twice the room: at most as much again is left behind as is kept.
 */
static void *mem(void *ctx, void *old, size_t size)
{
	union block_head *head = old ? (union block_head *)old - 1 : NULL;
	size_t room = head ? size * 2 : size;

	if (size == 0)
		return NULL;
	if (head && head->room >= size)
		return old;
	if (size > SIZE_MAX / 4)
		return NULL;
	head = arena_alloc(ctx, sizeof(*head) + room);
	if (!head)
		return NULL;
	head->room = room;
	if (old)
		memcpy(head + 1, old, ((union block_head *)old - 1)->room);
	return head + 1;
}

int conf_schema_load_root(struct arena *arena, const char *file,
	const struct cyaml_schema_value *root, size_t size, struct str text, void **ret_data,
	struct errbuf *err)
{
	const cyaml_config_t config = {.mem_fn = mem,
		.mem_ctx = arena,
		.log_level = CYAML_LOG_ERROR,
		.flags = CYAML_CFG_NO_ALIAS};
	cyaml_data_t *data = NULL;
	cyaml_err_t rc =
		cyaml_load_data((const uint8_t *)text.p, text.n, &config, root, &data, NULL);

	if (rc == CYAML_ERR_OOM)
		return err_set(err, SL_ENOMEM, "%s: out of memory for this file", file);
	if (rc != CYAML_OK)
		return err_set(err, SL_EFORMAT, "%s:1: not readable: %s", file, cyaml_strerror(rc));
	if (!data)
		data = arena_alloc(arena, size);
	if (!data)
		return err_set(err, SL_ENOMEM, "%s: out of memory for this file", file);
	*ret_data = data;
	return 0;
}

int conf_schema_load(struct arena *arena, const char *file, const struct conf_type *type,
	struct str text, void **ret_data, struct errbuf *err)
{
	const cyaml_schema_value_t *root =
		type == &conf_type_conf_sluice ? &root_sluice : &root_catalog;

	return conf_schema_load_root(arena, file, root, type->size, text, ret_data, err);
}
