/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Signed URLs, in the ways that vendors check them (sign.def). Time, nonce and key are arguments.
 * Pure; any thread. Digests come from Nettle.
 */
#pragma once

#include "base/attr.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "http/sign_key.h"

enum http_sign_digest {
	SIGN_MD5,
	SIGN_SHA1,
	SIGN_SHA256,
	SIGN_HMAC_MD5,
	SIGN_HMAC_SHA1,
	SIGN_HMAC_SHA256,
	SIGN_AES_CBC, /* no digest but the sealed text; its IV is {rand} */
	SIGN_ED25519,
	SIGN_RSA_SHA1
};
enum http_sign_key { SIGN_KEY_RAW, SIGN_KEY_HEX, SIGN_KEY_BASE64, SIGN_KEY_PEM };
enum http_sign_time {
	SIGN_T_DEC,
	SIGN_T_HEX,
	SIGN_T_HEX_UPPER,
	SIGN_T_MINUTE_CN, /* YYYYMMDDHHMM, UTC+8 */
	SIGN_T_SECOND_UTC /* YYYYMMDDHHMMSS */
};
enum http_sign_means { SIGN_ISSUE, SIGN_EXPIRY };
enum http_sign_mac {
	SIGN_MAC_HEX,
	SIGN_MAC_HEX_12_20,
	SIGN_MAC_BASE64,
	SIGN_MAC_BASE64URL,
	SIGN_MAC_BASE64_ESCAPED,
	SIGN_MAC_BASE64_CLOUDFRONT /* '-', '_', '~' for '+', '=', '/' */
};

struct http_sign_scheme {
	struct str name;
	uint8_t digest, key, time, means, mac; /* of the enums above */
	struct str input, url;
};

enum { HTTP_SIGN_KEY_MAX = 256, HTTP_SIGN_INPUT_MAX = 4096 };

struct http_sign_args {
	struct str path;  /* percent-encoded, begins with '/', without query */
	struct str query; /* without '?', may be empty */
	struct str key;   /* the secret as it was given out */
	struct str base;  /* SCHEME://HOST that the URL has before its path */
	struct str id;    /* the vendor's name for the key */
	struct http_sign_memo
		*memo; /* of the calling thread, for signatures by private keys; or NULL */
	uint64_t now_s;
	uint32_t validity_s; /* added where the time means the expiry; signatures by private
				key hold to the end of that minute */
	uint64_t nonce;      /* {rand} is made of it */
};

/* The scheme of this name, or NULL. */
const struct http_sign_scheme *http_sign_find(struct str name);

/* Whether it signs by a private key: such a signature is worth to be remembered. */
bool http_sign_by_key(const struct http_sign_scheme *scheme) SL_NONNULL_ALL;

/* Whether a signature is good under one host only. */
bool http_sign_binds_host(const struct http_sign_scheme *scheme) SL_NONNULL_ALL;

/* Writes the signed path and query. SL_EINVAL: a template that names nothing we know, a key that is
 * not of its form, or a path that would mean more than itself where it goes (a '*' in a pattern, a
 * '~' between fields, a quote in JSON); SL_ELIMIT: too long, or too many signatures by private keys
 * in this second. After an error nothing is at the cursor. */
int http_sign_url(const struct http_sign_scheme *scheme, const struct http_sign_args *a,
	struct buf *out) SL_NONNULL_ALL SL_WUNUSED;

/* HMAC-SHA256 over the parts one after the other, as 64 hex digits. */
void http_sign_hmac_parts(struct str key, const struct str *part, size_t n, char ret_hex[static 64])
	SL_NONNULL(2);

/* Percent-encodes all but unreserved octets (RFC 3986 section 2.3) and those of `also`. */
void http_sign_put_escaped(struct buf *b, struct str s, const char *also) SL_NONNULL(1, 3);

/* Equal in a time that does not depend on where they differ. */
bool http_sign_equal(const void *a, const void *b, size_t n) SL_NONNULL_ALL;
