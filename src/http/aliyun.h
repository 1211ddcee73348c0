/* SPDX-License-Identifier: Apache-2.0 */
/* What both versions of the Aliyun (EMAS) dialect share: their words, families, and the parameters
 * that apps add. */
#pragma once

#include "http/dialect.h"

/* name, status, the code that its SDKs know. After InvalidHost and UnsignedInterfaceDisabled they
 * use their local DNS for an hour; after the others of 4xx they neither retry nor change servers.
 */
#define HTTP_ALIYUN_MAP(X)                                                                         \
	X(GOOD, 200, "success")                                                                    \
	X(MISSING_ARGUMENT, 400, "MissingArgument")                                                \
	X(INVALID_HOST, 400, "InvalidHost")                                                        \
	X(TOO_MANY_HOSTS, 400, "TooManyHosts")                                                     \
	X(INVALID_DURATION, 400, "InvalidDuration")                                                \
	X(INVALID_ACCOUNT, 403, "InvalidAccount")                                                  \
	X(UNSIGNED, 403, "UnsignedInterfaceDisabled")                                              \
	X(SIGNATURE_EXPIRED, 403, "SignatureExpired")                                              \
	X(INVALID_SIGNATURE, 403, "InvalidSignature")                                              \
	X(METHOD, 405, "MethodNotAllowed")                                                         \
	X(INTERNAL, 500, "InternalError")

enum http_aliyun {
#define X(name, status, code) HTTP_ALIYUN_##name,
	HTTP_ALIYUN_MAP(X)
#undef X
};

enum { HTTP_ALIYUN_HOSTS = 5, HTTP_ALIYUN_CUSTOM = 1000 };

/* {"code":CODE} with its status. */
void http_aliyun_refuse(struct httpd_reply *rp, enum http_aliyun why) SL_NONNULL_ALL;

/* "4", "6", "4,6"; nothing is "4". false: something else. */
bool http_aliyun_families(struct http_query *query, struct str text) SL_NONNULL(1);

/* What a signature's time is worth: GOOD, SIGNATURE_EXPIRED, INVALID_DURATION, ... */
enum http_aliyun http_aliyun_until(const struct http_worker *w, struct str t) SL_NONNULL(1);

/* A parameter sdns-KEY of an app: stream, client, cur and avoid count as at /v1/resolve, others are
 * passed over. *octets counts what they take in all. false: malformed, or too much. */
bool http_aliyun_custom(struct http_query *query, struct str name, struct str value, size_t *octets)
	SL_NONNULL(1, 4);

/* Whether the parameter is one of an app's. */
bool http_aliyun_is_custom(struct str name);

/* ,"extra":"{...}": the vendor, as SDKs hand it to an app that resolves with parameters. */
void http_aliyun_put_extra(struct buf *b, const struct http_addrs *addrs) SL_NONNULL_ALL;
