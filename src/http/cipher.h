/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ciphers and digests of the dialects, over Nettle: what other HTTPDNS services seal their requests
 * and replies with. Keys are octets, already decoded. Any thread; nothing is kept.
 */
#pragma once

#include "base/attr.h"
#include "base/buf.h"
#include "base/str.h"

/* A sealed text is IV, ciphertext, tag: 16 octets of IV and PKCS#7 padding for CBC; 12 of IV and 16
 * of tag for GCM; neither, but padding, for ECB. */
enum http_cipher { HTTP_AES_CBC, HTTP_AES_GCM, HTTP_DES_ECB };

enum { HTTP_AES_KEY = 16, HTTP_DES_KEY = 8, HTTP_CIPHER_OVERHEAD = 32 };

/* Opens a sealed text into out; *ret_plain lies there. false: no key of this length, not a sealed
 * text, forged where the cipher can tell, or no room. All of these look alike, so that a caller
 * who answers them alike is no padding oracle. */
bool http_cipher_open(enum http_cipher cipher, struct str key, struct str sealed, struct buf *out,
	struct str *ret_plain) SL_NONNULL(4, 5) SL_WUNUSED;

/* Appends the text sealed with a fresh IV; false: no key of this length. Without room out
 * overflows. plain must not lie in out. */
bool http_cipher_seal(enum http_cipher cipher, struct str key, struct str plain, struct buf *out)
	SL_NONNULL(4) SL_WUNUSED;

/* Lower-case hexadecimal digits of n octets. */
void http_put_hex(struct buf *b, const void *octets, size_t n) SL_NONNULL_ALL;

/* Standard base64 with padding. */
void http_put_base64(struct buf *b, struct str octets) SL_NONNULL(1);

/* Octets of hexadecimal digits of either case, into out; false: none such, or no room. */
bool http_unhex(struct str digits, struct buf *out, struct str *ret_octets) SL_NONNULL(2, 3);

/* RFC 4648 section 5, with or without padding. */
bool http_unbase64url(struct str text, struct buf *out, struct str *ret_octets) SL_NONNULL(2, 3);

/* MD5 over the parts one after the other, as 32 lower-case digits. */
void http_md5_parts(const struct str *part, size_t n, char ret_hex[static 32]) SL_NONNULL(1);
