/* SPDX-License-Identifier: Apache-2.0 */
#define SL_ALLOW_CLOCK /* a parameter in gnutls.h has the name of a poisoned generator */
#include "http/cipher.h"

#include <gnutls/crypto.h>
#include <nettle/aes.h>
#include <nettle/base64.h>
#include <nettle/cbc.h>
#include <nettle/des.h>
#include <nettle/gcm.h>
#include <nettle/md5.h>
#include <nettle/memops.h>

enum { GCM_IV = GCM_IV_SIZE, GCM_TAG = GCM_DIGEST_SIZE };

static size_t key_size(enum http_cipher cipher)
{
	return cipher == HTTP_DES_ECB ? HTTP_DES_KEY : HTTP_AES_KEY;
}

/* Octets of PKCS#7 padding at the end of a text of whole blocks; 0 when there is none. Looks at a
 * whole block whatever it finds. */
static size_t padding(const uint8_t *text, size_t n, size_t block)
{
	unsigned pad = text[n - 1], wrong = (pad == 0) | (pad > block);

	for (size_t i = 0; i < block; i++)
		wrong |= (i < pad) & (text[n - 1 - i] != pad);
	return wrong ? 0 : pad;
}

static bool open_blocks(enum http_cipher cipher, const uint8_t *key, struct str sealed,
	struct buf *out, struct str *ret_plain)
{
	const uint8_t *from = (const uint8_t *)sealed.p;
	size_t block = cipher == HTTP_DES_ECB ? DES_BLOCK_SIZE : AES_BLOCK_SIZE;
	size_t iv = cipher == HTTP_DES_ECB ? 0 : block, n = sealed.n - iv, pad;
	uint8_t *to;

	if (sealed.n < iv + block || n % block || !(to = buf_take(out, n)))
		return false;
	if (cipher == HTTP_DES_ECB) {
		struct des_ctx des;

		(void)des_set_key(&des, key); /* a weak key is the account's own matter */
		des_decrypt(&des, n, to, from);
	} else {
		struct aes128_ctx aes;
		uint8_t chain[AES_BLOCK_SIZE];

		memcpy(chain, from, sizeof(chain));
		aes128_set_decrypt_key(&aes, key);
		cbc_decrypt(&aes, (nettle_cipher_func *)aes128_decrypt, AES_BLOCK_SIZE, chain, n,
			to, from + iv);
	}
	pad = padding(to, n, block);
	*ret_plain = (struct str){(const char *)to, n - pad};
	return pad != 0;
}

static bool open_gcm(const uint8_t *key, struct str sealed, struct buf *out, struct str *ret_plain)
{
	const uint8_t *from = (const uint8_t *)sealed.p;
	struct gcm_aes128_ctx gcm;
	uint8_t tag[GCM_TAG], *to;
	size_t n = sealed.n - GCM_IV - GCM_TAG;

	if (sealed.n < GCM_IV + GCM_TAG || !(to = buf_take(out, n)))
		return false;
	gcm_aes128_set_key(&gcm, key);
	gcm_aes128_set_iv(&gcm, GCM_IV, from);
	gcm_aes128_decrypt(&gcm, n, to, from + GCM_IV);
	gcm_aes128_digest(&gcm, sizeof(tag), tag);
	*ret_plain = (struct str){(const char *)to, n};
	return memeql_sec(tag, from + GCM_IV + n, sizeof(tag));
}

bool http_cipher_open(enum http_cipher cipher, struct str key, struct str sealed, struct buf *out,
	struct str *ret_plain)
{
	const uint8_t *k = (const uint8_t *)key.p;

	if (key.n != key_size(cipher))
		return false;
	return cipher == HTTP_AES_GCM ? open_gcm(k, sealed, out, ret_plain)
				      : open_blocks(cipher, k, sealed, out, ret_plain);
}

static void seal_blocks(enum http_cipher cipher, const uint8_t *key, struct str plain, uint8_t *iv,
	uint8_t *to, size_t n)
{
	if (plain.n)
		memcpy(to, plain.p, plain.n);
	memset(to + plain.n, (int)(n - plain.n), n - plain.n);
	if (cipher == HTTP_DES_ECB) {
		struct des_ctx des;

		(void)des_set_key(&des, key);
		des_encrypt(&des, n, to, to);
	} else {
		struct aes128_ctx aes;
		uint8_t chain[AES_BLOCK_SIZE];

		memcpy(chain, iv, sizeof(chain));
		aes128_set_encrypt_key(&aes, key);
		cbc_encrypt(&aes, (nettle_cipher_func *)aes128_encrypt, AES_BLOCK_SIZE, chain, n,
			to, to);
	}
}

static void seal_gcm(const uint8_t *key, struct str plain, const uint8_t *iv, uint8_t *to)
{
	struct gcm_aes128_ctx gcm;

	gcm_aes128_set_key(&gcm, key);
	gcm_aes128_set_iv(&gcm, GCM_IV, iv);
	gcm_aes128_encrypt(&gcm, plain.n, to, (const uint8_t *)plain.p);
	gcm_aes128_digest(&gcm, GCM_TAG, to + plain.n);
}

bool http_cipher_seal(enum http_cipher cipher, struct str key, struct str plain, struct buf *out)
{
	static const size_t ivs[] = {AES_BLOCK_SIZE, GCM_IV, 0};
	size_t block = cipher == HTTP_DES_ECB ? DES_BLOCK_SIZE : AES_BLOCK_SIZE;
	size_t n = cipher == HTTP_AES_GCM ? plain.n + GCM_TAG : (plain.n / block + 1) * block;
	const uint8_t *k = (const uint8_t *)key.p;
	uint8_t *to;

	if (key.n != key_size(cipher))
		return false;
	to = buf_take(out, ivs[cipher] + n);
	if (!to)
		return true;
	/* a generator in this thread's memory: no system call but to seed it */
	if (ivs[cipher] && gnutls_rnd(GNUTLS_RND_NONCE, to, ivs[cipher]) < 0)
		return false;
	if (cipher == HTTP_AES_GCM)
		seal_gcm(k, plain, to, to + GCM_IV);
	else
		seal_blocks(cipher, k, plain, to, to + ivs[cipher], n);
	return true;
}

void http_put_hex(struct buf *b, const void *octets, size_t n)
{
	static const char digits[] = "0123456789abcdef";
	const uint8_t *p = octets;
	uint8_t *to = buf_take(b, 2 * n);

	for (size_t i = 0; to && i < n; i++) {
		*to++ = (uint8_t)digits[p[i] >> 4];
		*to++ = (uint8_t)digits[p[i] & 15];
	}
}

void http_put_base64(struct buf *b, struct str octets)
{
	uint8_t *to = buf_take(b, BASE64_ENCODE_RAW_LENGTH(octets.n));

	if (to)
		base64_encode_raw((char *)to, octets.n, (const uint8_t *)octets.p);
}

static int digit(char c)
{
	char low = (char)(c | 0x20);

	if (c >= '0' && c <= '9')
		return c - '0';
	return low >= 'a' && low <= 'f' ? low - 'a' + 10 : -1;
}

bool http_unhex(struct str digits, struct buf *out, struct str *ret_octets)
{
	uint8_t *to = digits.n % 2 ? NULL : buf_take(out, digits.n / 2);

	if (!to)
		return false;
	for (size_t i = 0; i < digits.n; i += 2) {
		int hi = digit(digits.p[i]), lo = digit(digits.p[i + 1]);

		if (hi < 0 || lo < 0)
			return false;
		to[i / 2] = (uint8_t)(hi << 4 | lo);
	}
	*ret_octets = (struct str){(const char *)to, digits.n / 2};
	return true;
}

bool http_unbase64url(struct str text, struct buf *out, struct str *ret_octets)
{
	struct base64_decode_ctx ctx;
	uint8_t *to = buf_take(out, BASE64_DECODE_LENGTH(text.n));
	size_t n, more = 0;
	bool padded = text.n && text.p[text.n - 1] == '=';

	base64url_decode_init(&ctx);
	n = BASE64_DECODE_LENGTH(text.n);
	if (!to || !base64_decode_update(&ctx, &n, to, text.n, text.p))
		return false;
	/* what the sender left out */
	if (!padded && text.n % 4 &&
		!base64_decode_update(&ctx, &more, to + n, 4 - text.n % 4, "==="))
		return false;
	*ret_octets = (struct str){(const char *)to, n};
	return base64_decode_final(&ctx);
}

void http_md5_parts(const struct str *part, size_t n, char ret_hex[static 32])
{
	struct buf b = buf_over(ret_hex, 32);
	uint8_t mac[MD5_DIGEST_SIZE];
	struct md5_ctx ctx;

	md5_init(&ctx);
	for (size_t i = 0; i < n; i++)
		md5_update(&ctx, part[i].n, (const uint8_t *)part[i].p);
	md5_digest(&ctx, sizeof(mac), mac);
	http_put_hex(&b, mac, sizeof(mac));
}
