/* SPDX-License-Identifier: Apache-2.0 */
#define SL_ALLOW_CLOCK  /* parameters in gnutls.h and gmp.h have the name of a poisoned generator  \
			 */
#include "http/sign_key.h"

#include "base/hash.h"
#include "base/limits.h"

#include <gnutls/abstract.h>
#include <nettle/eddsa.h>

typedef bool sign_fn(struct str key, struct str text, struct http_signature *to);

static bool ed25519(struct str key, struct str text, struct http_signature *to)
{
	uint8_t public[ED25519_KEY_SIZE];
	const uint8_t *seed = (const uint8_t *)key.p;

	if (key.n != ED25519_KEY_SIZE && key.n != 2 * ED25519_KEY_SIZE)
		return false;
	ed25519_sha512_public_key(public, seed);
	ed25519_sha512_sign(public, seed, text.n, (const uint8_t *)text.p, to->octets);
	to->n = ED25519_SIGNATURE_SIZE;
	return true;
}

/* The key is read anew each time: nowhere but in the blob's locked memory does it stay. */
static bool rsa_sha1(struct str key, struct str text, struct http_signature *to)
{
	gnutls_datum_t pem = {(unsigned char *)(uintptr_t)key.p, (unsigned)key.n};
	gnutls_datum_t data = {(unsigned char *)(uintptr_t)text.p, (unsigned)text.n};
	gnutls_datum_t signature = {NULL, 0};
	gnutls_privkey_t k;
	bool good;

	if (gnutls_privkey_init(&k) < 0)
		return false;
	good = gnutls_privkey_import_x509_raw(k, &pem, GNUTLS_X509_FMT_PEM, NULL, 0) >= 0 &&
	       gnutls_privkey_get_pk_algorithm(k, NULL) == GNUTLS_PK_RSA &&
	       gnutls_privkey_sign_data(k, GNUTLS_DIG_SHA1, 0, &data, &signature) >= 0 &&
	       signature.size <= sizeof(to->octets);
	if (good) {
		memcpy(to->octets, signature.data, signature.size);
		to->n = (uint16_t)signature.size;
	}
	gnutls_free(signature.data);
	gnutls_privkey_deinit(k);
	return good;
}

/* Whether one more may be made in this second. */
static bool may_make(struct http_sign_memo *memo, uint64_t now_s)
{
	if (memo->second != now_s) {
		memo->second = now_s;
		memo->made = 0;
	}
	if (memo->made >= SL_HTTP_KEY_SIGNS_PER_S)
		return false;
	memo->made++;
	return true;
}

static int sign_or_remember(sign_fn *make, uint64_t seed, struct str key, struct str text,
	struct http_sign_memo *memo, uint64_t now_s, struct http_signature *ret)
{
	uint64_t of_key = hash64(key.p, key.n, seed);
	struct http_signature s = {
		.hash = {hash64(text.p, text.n, of_key), hash64(text.p, text.n, ~of_key)}};
	struct http_signature *known = memo ? &memo->entries[s.hash[0] % HTTP_SIGN_MEMO] : NULL;

	if (known && known->n && memcmp(known->hash, s.hash, sizeof(s.hash)) == 0) {
		*ret = *known;
		return 0;
	}
	if (memo && !may_make(memo, now_s))
		return SL_ELIMIT;
	if (!make(key, text, &s))
		return SL_EINVAL;
	if (known)
		*known = s;
	*ret = s;
	return 0;
}

int http_sign_ed25519(struct str key, struct str text, struct http_sign_memo *memo, uint64_t now_s,
	struct http_signature *ret_signature)
{
	return sign_or_remember(ed25519, 1, key, text, memo, now_s, ret_signature);
}

int http_sign_rsa_sha1(struct str key, struct str text, struct http_sign_memo *memo, uint64_t now_s,
	struct http_signature *ret_signature)
{
	return sign_or_remember(rsa_sha1, 2, key, text, memo, now_s, ret_signature);
}
