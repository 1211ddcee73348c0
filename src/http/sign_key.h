/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Signatures by a private key: Ed25519 from Nettle, RSA from GnuTLS. They cost a thousand times
 * what a digest does, and are the only thing on the way of an answer that allocates (inside of the
 * library): so a thread remembers what it has signed and makes so many new ones a second and no
 * more.
 */
#pragma once

#include "base/attr.h"
#include "base/err.h"
#include "base/str.h"

enum {
	HTTP_SIGNATURE_MAX = 512, /* octets: RSA of 4096 bits */
	HTTP_SIGN_MEMO = 256
};

/* Owned by one thread; all zero at the start. */
struct http_sign_memo {
	uint64_t second; /* unix; that `made` is of */
	uint32_t made;   /* new signatures in it */
	struct http_signature {
		uint64_t hash[2]; /* of key and text */
		uint16_t n;       /* 0: empty */
		uint8_t octets[HTTP_SIGNATURE_MAX];
	} entries[HTTP_SIGN_MEMO];
};

/* Ed25519 by the 32 octets of the seed (with the public key behind it they are 64), or RSA with
 * PKCS#1 v1.5 and SHA-1 by a key in PEM, at most 4096 bits. Without a memo nothing is remembered
 * and there is no limit. SL_EINVAL: no such key; SL_ELIMIT: SL_HTTP_KEY_SIGNS_PER_S new ones were
 * made in this second. */
int http_sign_ed25519(struct str key, struct str text, struct http_sign_memo *memo, uint64_t now_s,
	struct http_signature *ret_signature) SL_NONNULL(5) SL_WUNUSED;
int http_sign_rsa_sha1(struct str key, struct str text, struct http_sign_memo *memo, uint64_t now_s,
	struct http_signature *ret_signature) SL_NONNULL(5) SL_WUNUSED;
