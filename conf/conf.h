/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Configuration: sluice.yaml (struct conf_sluice) and the catalogue it names (struct conf_catalog).
 * The structures are expanded from the rows of sluice.def and catalog.def: a key is a member of the
 * same name. Lists have a NAME_count beside them; addresses, prefixes and clock times come decoded
 * with their text in NAME_text. Paths are resolved against the folder of their file, host names
 * are lower case without the final dot. Longer than a header should be because the words of every
 * enumeration stand here, once for all that expand them. Knows nothing of who uses it; reads files,
 * never logs.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/ip.h"
#include "base/limits.h"

/* Limits of lists that are configuration only; the others are in base/limits.h. */
enum {
	CONF_MAX_LISTEN = SL_MAX_LISTEN,
	CONF_MAX_DATABASES = 16,
	CONF_MAX_COUNTRIES = 256,
	CONF_MAX_PREFIXES = 256,
	CONF_MAX_GLOBS = 256,       /* patterns in one list */
	CONF_MAX_REGION_GLOBS = 64, /* of a region: each pair in a vendor is compared */
	CONF_MAX_ASNS = 1024,       /* AS numbers of one carrier */
	CONF_MAX_WINDOWS = 32,      /* contract windows of a vendor */
	CONF_MAX_PLACES = 4096,     /* address entries of a vendor */
	CONF_MAX_POOL = 256,        /* addresses of a family in one entry */
	CONF_MAX_ZONES = 64,
	CONF_MAX_FOLLOW = 32,
	CONF_MAX_SIGNERS = 256,
	CONF_MAX_PLAYS = 64,        /* formats times definitions of a service */
	CONF_MAX_INGESTS = 16,      /* of a service */
	CONF_MAX_VALIDITY = 604800, /* of a signed URL, seconds */
	CONF_MAX_TEMPLATE = 512,    /* octets of a signer's or path's template */
	CONF_MAX_API_TEXT = 2048,   /* octets of a template of a pulled meter */
	CONF_MAX_METERS = 256,      /* pulled meters of a vendor */
	CONF_MAX_PARAMS = 32,       /* headers, or parameters, of one */
	CONF_MAX_TARGETS = 16,      /* receivers of alerts */
	CONF_MAX_URL = 1024,
	CONF_MAX_SERVERS = 8, /* of a harvest */
	CONF_MAX_PROBES = 256,
	CONF_MAX_PROBED = 16384, /* targets of one probe, given one by one */
	CONF_MAX_MBPS = 1000000000,
};

/* An optional figure (Mbps, weight) that is absent; every given one is >= 0. */
#define CONF_UNSET (-1.0)

/* Enumerations: constant, word in the file. */
#define CONF_LEVEL_MAP(X)                                                                          \
	X(CONF_LEVEL_ERROR, "error")                                                               \
	X(CONF_LEVEL_WARN, "warn")                                                                 \
	X(CONF_LEVEL_INFO, "info")                                                                 \
	X(CONF_LEVEL_DEBUG, "debug")
#define CONF_TARGET_MAP(X)                                                                         \
	X(CONF_TARGET_ALERTMANAGER, "alertmanager")                                                \
	X(CONF_TARGET_WEBHOOK, "webhook")
#define CONF_SEVERITY_MAP(X)                                                                       \
	X(CONF_SEVERITY_INFO, "info")                                                              \
	X(CONF_SEVERITY_WARNING, "warning")                                                        \
	X(CONF_SEVERITY_CRITICAL, "critical")
#define CONF_DNS_MAP(X)                                                                            \
	X(CONF_DNS_AUTO, "auto")                                                                   \
	X(CONF_DNS_CNAME, "cname")                                                                 \
	X(CONF_DNS_ADDRESS, "address")
/* In the order of enum cat_order. */
#define CONF_ORDER_MAP(X)                                                                          \
	X(CONF_ORDER_LISTED, "listed")                                                             \
	X(CONF_ORDER_ROTATED, "rotated")
/* In the order of enum cat_overload. */
#define CONF_OVERLOAD_MAP(X)                                                                       \
	X(CONF_OVERLOAD_NONE, "none")                                                              \
	X(CONF_OVERLOAD_LOWER, "lower")                                                            \
	X(CONF_OVERLOAD_SPREAD, "spread")
/* The rows of src/http/sign.def, in that order. */
#define CONF_SIGN_MAP(X)                                                                           \
	X(CONF_SIGN_TYPE_A, "type_a")                                                              \
	X(CONF_SIGN_TENCENT_A, "tencent_a")                                                        \
	X(CONF_SIGN_TYPE_B, "type_b")                                                              \
	X(CONF_SIGN_TYPE_C, "type_c")                                                              \
	X(CONF_SIGN_TYPE_C_QUERY, "type_c_query")                                                  \
	X(CONF_SIGN_TYPE_D, "type_d")                                                              \
	X(CONF_SIGN_TENCENT_LIVE, "tencent_live")                                                  \
	X(CONF_SIGN_HUAWEI_LIVE_B, "huawei_live_b")                                                \
	X(CONF_SIGN_HUAWEI_LIVE_C, "huawei_live_c")                                                \
	X(CONF_SIGN_HUAWEI_LIVE_D, "huawei_live_d")                                                \
	X(CONF_SIGN_VOLC_LIVE_B, "volc_live_b")                                                    \
	X(CONF_SIGN_WANGSU, "wangsu")                                                              \
	X(CONF_SIGN_QINIU, "qiniu")                                                                \
	X(CONF_SIGN_UPYUN, "upyun")                                                                \
	X(CONF_SIGN_AKAMAI, "akamai")                                                              \
	X(CONF_SIGN_CLOUDFLARE, "cloudflare")                                                      \
	X(CONF_SIGN_FASTLY, "fastly")                                                              \
	X(CONF_SIGN_BUNNY, "bunny")                                                                \
	X(CONF_SIGN_GOOGLE_MEDIA, "google_media")                                                  \
	X(CONF_SIGN_GOOGLE_MEDIA_ED25519, "google_media_ed25519")                                  \
	X(CONF_SIGN_CLOUDFRONT, "cloudfront")
#define CONF_DIGEST_MAP(X)                                                                         \
	X(CONF_DIGEST_SCHEME, "scheme")                                                            \
	X(CONF_DIGEST_MD5, "md5")                                                                  \
	X(CONF_DIGEST_SHA1, "sha1")                                                                \
	X(CONF_DIGEST_SHA256, "sha256")                                                            \
	X(CONF_DIGEST_HMAC_MD5, "hmac_md5")                                                        \
	X(CONF_DIGEST_HMAC_SHA1, "hmac_sha1")                                                      \
	X(CONF_DIGEST_HMAC_SHA256, "hmac_sha256")
#define CONF_TIME_MAP(X)                                                                           \
	X(CONF_TIME_SCHEME, "scheme")                                                              \
	X(CONF_TIME_DEC, "dec")                                                                    \
	X(CONF_TIME_HEX, "hex")                                                                    \
	X(CONF_TIME_HEX_UPPER, "hex_upper")                                                        \
	X(CONF_TIME_MINUTE_CN, "minute_cn")                                                        \
	X(CONF_TIME_SECOND_UTC, "second_utc")
#define CONF_MEANS_MAP(X)                                                                          \
	X(CONF_MEANS_SCHEME, "scheme")                                                             \
	X(CONF_MEANS_ISSUE, "issue")                                                               \
	X(CONF_MEANS_EXPIRY, "expiry")
#define CONF_FORMAT_MAP(X)                                                                         \
	X(CONF_FORMAT_FLV, "flv")                                                                  \
	X(CONF_FORMAT_HLS, "hls")                                                                  \
	X(CONF_FORMAT_DASH, "dash")
/* The rows of src/sense/meter.def, in that order. */
#define CONF_API_MAP(X)                                                                            \
	X(CONF_API_CUSTOM, "custom")                                                               \
	X(CONF_API_ALIYUN_LIVE_REALTIME, "aliyun_live_realtime")                                   \
	X(CONF_API_ALIYUN_LIVE, "aliyun_live")                                                     \
	X(CONF_API_ALIYUN_CDN_REALTIME, "aliyun_cdn_realtime")                                     \
	X(CONF_API_TENCENT_LIVE, "tencent_live")                                                   \
	X(CONF_API_TENCENT_LIVE_GROUP, "tencent_live_group")                                       \
	X(CONF_API_TENCENT_BILL, "tencent_bill")                                                   \
	X(CONF_API_FASTLY, "fastly")
#define CONF_AUTH_MAP(X)                                                                           \
	X(CONF_AUTH_API, "api")                                                                    \
	X(CONF_AUTH_NONE, "none")                                                                  \
	X(CONF_AUTH_BASIC, "basic")                                                                \
	X(CONF_AUTH_BEARER, "bearer")                                                              \
	X(CONF_AUTH_HMAC_SHA1_BASE64, "hmac_sha1_base64")                                          \
	X(CONF_AUTH_HMAC_SHA256_BASE64, "hmac_sha256_base64")                                      \
	X(CONF_AUTH_HMAC_SHA256_HEX, "hmac_sha256_hex")
#define CONF_UNIT_MAP(X)                                                                           \
	X(CONF_UNIT_API, "api")                                                                    \
	X(CONF_UNIT_BPS, "bps")                                                                    \
	X(CONF_UNIT_KBPS, "kbps")                                                                  \
	X(CONF_UNIT_MBPS, "mbps")                                                                  \
	X(CONF_UNIT_OCTETS, "octets")                                                              \
	X(CONF_UNIT_OCTETS_TOTAL, "octets_total")
#define CONF_PROBE_MAP(X)                                                                          \
	X(CONF_PROBE_TCP, "tcp")                                                                   \
	X(CONF_PROBE_HTTP, "http")                                                                 \
	X(CONF_PROBE_FLV, "flv")                                                                   \
	X(CONF_PROBE_HLS, "hls")                                                                   \
	X(CONF_PROBE_DNS, "dns")
#define CONF_METHOD_MAP(X)                                                                         \
	X(CONF_METHOD_AUTO, "auto")                                                                \
	X(CONF_METHOD_GET, "get")                                                                  \
	X(CONF_METHOD_POST, "post")

#define X(id, word) id,
enum conf_level { CONF_LEVEL_MAP(X) }; /* same order as enum log_level */
enum conf_target { CONF_TARGET_MAP(X) };
enum conf_severity { CONF_SEVERITY_MAP(X) };
enum conf_dns { CONF_DNS_MAP(X) };
enum conf_order { CONF_ORDER_MAP(X) };
enum conf_overload { CONF_OVERLOAD_MAP(X) };
enum conf_sign { CONF_SIGN_MAP(X) };
enum conf_digest { CONF_DIGEST_MAP(X) };
enum conf_time { CONF_TIME_MAP(X) };
enum conf_means { CONF_MEANS_MAP(X) };
enum conf_format { CONF_FORMAT_MAP(X) };
enum conf_api { CONF_API_MAP(X) };
enum conf_auth { CONF_AUTH_MAP(X) };
enum conf_unit { CONF_UNIT_MAP(X) };
enum conf_method { CONF_METHOD_MAP(X) };
enum conf_probe_kind { CONF_PROBE_MAP(X) };
#undef X

/* Bits of conf_window.days. */
enum { CONF_MON = 1, CONF_TUE = 2, CONF_WED = 4, CONF_THU = 8, CONF_FRI = 16, CONF_SAT = 32 };
enum { CONF_SUN = 64, CONF_ALL_DAYS = 127 };

struct conf_prefix {
	struct ip ip; /* host bits zero */
	uint8_t len;
};

/* The C members that a row of each kind stands for. */
#define CONF_C_TEXT(f, of) const char *f; /* NULL when absent without a default */
#define CONF_C_TEXTS(f, of)                                                                        \
	const char *const *f;                                                                      \
	uint32_t f##_count;
#define CONF_C_U32(f, of) uint32_t f;
#define CONF_C_I32(f, of) int32_t f;
#define CONF_C_U32S(f, of)                                                                         \
	const uint32_t *f;                                                                         \
	uint32_t f##_count;
#define CONF_C_NUM(f, of)  double f;
#define CONF_C_MBPS(f, of) double f;
#define CONF_C_BOOL(f, of) bool f;
#define CONF_C_ENUM(f, of) uint32_t f; /* enum of the CONF_*_MAP */
#define CONF_C_DAYS(f, of) uint32_t f; /* CONF_MON | ... */
#define CONF_C_CLOCK(f, of)                                                                        \
	const char *f##_text;                                                                      \
	uint32_t f##_min; /* minutes of the day, 0..1440 */
#define CONF_C_ADDRS(f, of)                                                                        \
	const char *const *f##_text;                                                               \
	const struct ip *f;                                                                        \
	uint32_t f##_count;
#define CONF_C_PREFIXES(f, of)                                                                     \
	const char *const *f##_text;                                                               \
	const struct conf_prefix *f;                                                               \
	uint32_t f##_count;
#define CONF_C_MAP(f, of) struct of f;
#define CONF_C_MAPS(f, of)                                                                         \
	const struct of *f;                                                                        \
	uint32_t f##_count;

#define BEGIN(s, doc)                                  struct s {
#define ROW(s, f, kind, of, min, max, dflt, unit, doc) CONF_C_##kind(f, of)
#define START(...)                                     ROW(__VA_ARGS__)
#define END(s)                                                                                     \
	}                                                                                          \
	;
#include "conf/sluice.def"

#include "conf/catalog.def"
#undef BEGIN
#undef ROW
#undef START
#undef END

struct arena;
struct conf_lines;

/* One loaded configuration, immutable. All of it lives in one arena. */
struct conf {
	struct conf_sluice sluice;
	struct conf_catalog catalog;
	const char *sluice_file, *catalog_file; /* as opened */
	/* private */
	const struct conf_lines *sluice_lines, *catalog_lines;
	struct arena *arena;
};

/*
 * Loads and checks both files. Errors: SL_ENOENT and other errno values when a file cannot be read,
 * SL_EFORMAT when it is refused, SL_ELIMIT when it is too large, SL_ENOMEM; err then says
 * "file:line: path: what, got X, want Y" of the first fault. Caller frees. Reads files; any thread.
 */
int conf_load(const char *path, struct conf **ret_conf, struct errbuf *err)
	SL_NONNULL(1, 2) SL_WUNUSED;

/* Whether the geo files can be read; as conf_load says its faults. Not part of it: a daemon that
 * has a table goes on with that. */
int conf_check_geo_files(const struct conf *c, struct errbuf *err) SL_NONNULL_ALL SL_WUNUSED;

/* As conf_load, with these octets in place of the catalogue's file, whose name errors carry. */
int conf_load_with(const char *path, const void *catalog, size_t catalog_size,
	struct conf **ret_conf, struct errbuf *err) SL_NONNULL(1, 2, 4) SL_WUNUSED;

/*
 * As conf_load over octets in memory, for tests and fuzzing: file names in errors are "sluice.yaml"
 * and "catalog.yaml", relative paths are against the working folder.
 */
int conf_load_mem(const void *sluice, size_t sluice_size, const void *catalog, size_t catalog_size,
	struct conf **ret_conf, struct errbuf *err) SL_NONNULL(1, 3, 5) SL_WUNUSED;

/* NULL is fine. */
void conf_free(struct conf *c);

/*
 * The line of a path like "zones[0].file" or "vendors[2].regions[0].max_mbps", in *ret_file the
 * name of the file. A path that is not there gives the line of its nearest parent that is. Never 0.
 */
unsigned conf_line(const struct conf *c, const char *path, const char **ret_file) SL_NONNULL_ALL;

/*
 * For faults that others find in what a path names (a zone file, a database): fills err with
 * "file:line: path: " and the text, and returns code.
 */
int conf_refuse(const struct conf *c, struct errbuf *err, int code, const char *path,
	const char *fmt, ...) SL_NONNULL(1, 4, 5) SL_PRINTF(5, 6);

/* Position in the catalogue's list, or -1. */
int conf_find_vendor(const struct conf_catalog *c, const char *name) SL_NONNULL_ALL SL_PURE;
int conf_find_service(const struct conf_catalog *c, const char *name) SL_NONNULL_ALL SL_PURE;

/*
 * Whether a reload leaves something for the next start: a key that is read at start only
 * (listeners, threads, state, store, user, trusted_proxies, trusted_senders) differs. Its path is
 * then in ret_key.
 */
enum { CONF_KEY_SIZE = 64 };
bool conf_needs_restart(const struct conf *running, const struct conf *loaded,
	char ret_key[static CONF_KEY_SIZE]) SL_NONNULL_ALL;

/* Both files as YAML with every key, its documentation and its default (sluiced --print-defaults).
 */
void conf_print_defaults(FILE *out) SL_NONNULL_ALL;

/* The loaded configuration as two YAML documents that load again to the same. */
void conf_dump(const struct conf *c, FILE *out) SL_NONNULL_ALL;

/* Every value that a configuration has: its path ("vendors[0].max_mbps"), its text as conf_dump has
 * it, whether that is a number, and where it was given; line 0: nowhere, it is the default. */
typedef void conf_value_fn(void *ctx, const char *path, const char *value, bool number,
	const char *file, unsigned line);
void conf_each_value(const struct conf *c, conf_value_fn *fn, void *ctx) SL_NONNULL(1, 2);

/* The manual page of "sluice.yaml" or "catalog.yaml"; SL_ENOENT for another name. */
int conf_print_man(const char *file, FILE *out) SL_NONNULL_ALL;
