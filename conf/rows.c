/* SPDX-License-Identifier: Apache-2.0 */
/* Tables expanded from the rows; no code. */
#include "conf/rows.h"

#define X(id, word) word,
static const char *const words_level[] = {CONF_LEVEL_MAP(X)};
static const char *const words_target[] = {CONF_TARGET_MAP(X)};
static const char *const words_severity[] = {CONF_SEVERITY_MAP(X)};
static const char *const words_dns[] = {CONF_DNS_MAP(X)};
static const char *const words_order[] = {CONF_ORDER_MAP(X)};
static const char *const words_overload[] = {CONF_OVERLOAD_MAP(X)};
static const char *const words_sign[] = {CONF_SIGN_MAP(X)};
static const char *const words_digest[] = {CONF_DIGEST_MAP(X)};
static const char *const words_time[] = {CONF_TIME_MAP(X)};
static const char *const words_means[] = {CONF_MEANS_MAP(X)};
static const char *const words_format[] = {CONF_FORMAT_MAP(X)};
static const char *const words_api[] = {CONF_API_MAP(X)};
static const char *const words_auth[] = {CONF_AUTH_MAP(X)};
static const char *const words_unit[] = {CONF_UNIT_MAP(X)};
static const char *const words_method[] = {CONF_METHOD_MAP(X)};
static const char *const words_probe[] = {CONF_PROBE_MAP(X)};
#undef X
static const char *const words_days[] = {"mon", "tue", "wed", "thu", "fri", "sat", "sun"};

static const struct conf_words words_LEVEL = {words_level, SL_COUNT(words_level)};
static const struct conf_words words_TARGET = {words_target, SL_COUNT(words_target)};
static const struct conf_words words_SEVERITY = {words_severity, SL_COUNT(words_severity)};
static const struct conf_words words_DNS = {words_dns, SL_COUNT(words_dns)};
static const struct conf_words words_ORDER = {words_order, SL_COUNT(words_order)};
static const struct conf_words words_OVERLOAD = {words_overload, SL_COUNT(words_overload)};
static const struct conf_words words_SIGN = {words_sign, SL_COUNT(words_sign)};
static const struct conf_words words_DIGEST = {words_digest, SL_COUNT(words_digest)};
static const struct conf_words words_TIME = {words_time, SL_COUNT(words_time)};
static const struct conf_words words_MEANS = {words_means, SL_COUNT(words_means)};
static const struct conf_words words_FORMAT = {words_format, SL_COUNT(words_format)};
static const struct conf_words words_API = {words_api, SL_COUNT(words_api)};
static const struct conf_words words_AUTH = {words_auth, SL_COUNT(words_auth)};
static const struct conf_words words_UNIT = {words_unit, SL_COUNT(words_unit)};
static const struct conf_words words_METHOD = {words_method, SL_COUNT(words_method)};
static const struct conf_words words_PROBE = {words_probe, SL_COUNT(words_probe)};
static const struct conf_words words_DAYS = {words_days, SL_COUNT(words_days)};

/* Members that depend on the kind: what it is made of and where it lies. */
#define AT(s, f)            .offset = offsetof(struct s, f)
#define AT_LIST(s, f)       AT(s, f), .count = offsetof(struct s, f##_count)
#define AT_DECODED(s, f, d) .offset = offsetof(struct s, f##_text), .decoded = offsetof(struct s, d)

#define OF_TEXT(s, f, of)  .text = CONF_TEXT_##of, AT(s, f)
#define OF_TEXTS(s, f, of) .text = CONF_TEXT_##of, AT_LIST(s, f)
#define OF_U32(s, f, of)   AT(s, f)
#define OF_I32(s, f, of)   AT(s, f)
#define OF_U32S(s, f, of)  AT_LIST(s, f)
#define OF_NUM(s, f, of)   AT(s, f)
#define OF_MBPS(s, f, of)  AT(s, f)
#define OF_BOOL(s, f, of)  AT(s, f)
#define OF_ENUM(s, f, of)  .words = &words_##of, AT(s, f)
#define OF_DAYS(s, f, of)  .words = &words_DAYS, AT(s, f)
#define OF_CLOCK(s, f, of) .text = CONF_TEXT_##of, AT_DECODED(s, f, f##_min)
#define OF_ADDRS(s, f, of)                                                                         \
	.text = CONF_TEXT_##of, AT_DECODED(s, f, f), .count = offsetof(struct s, f##_count)
#define OF_PREFIXES(s, f, of) OF_ADDRS(s, f, of)
#define OF_MAP(s, f, of)      .type = &conf_type_##of, AT(s, f)
#define OF_MAPS(s, f, of)     .type = &conf_type_##of, AT_LIST(s, f)

#define BEGIN(s, text)                                                                             \
	static const char doc_##s[] = text;                                                        \
	static const struct conf_row rows_##s[] = {
#define ROW(...)   CELLS(false, __VA_ARGS__)
#define START(...) CELLS(true, __VA_ARGS__)
#define CELLS(start, s, f, kind_, of, min_, max_, dflt_, unit_, doc_)                              \
	{.key = #f,                                                                                \
		.kind = CONF_KIND_##kind_,                                                         \
		OF_##kind_(s, f, of),                                                              \
		.at_start = start,                                                                 \
		.min = min_,                                                                       \
		.max = max_,                                                                       \
		.dflt = dflt_,                                                                     \
		.unit = unit_,                                                                     \
		.doc = doc_},
#define END(s)                                                                                     \
	}                                                                                          \
	;                                                                                          \
	const struct conf_type conf_type_##s = {                                                   \
		#s, doc_##s, rows_##s, SL_COUNT(rows_##s), sizeof(struct s)};
#include "conf/sluice.def"

#include "conf/catalog.def"
