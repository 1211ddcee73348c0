/* SPDX-License-Identifier: Apache-2.0 */
#include "http/account.h"

#include "http/sign.h"

enum { TIME_DIGITS = 12 }; /* unix seconds */

static const char sign_param[] = "&sign=";

static struct http_account_verdict refused(const char *code, const char *message)
{
	return (struct http_account_verdict){.code = code, .message = message};
}

/* What of the target is signed; n 0 when the sign is not its last parameter. */
static struct str signed_part(struct str target, struct str sign)
{
	size_t tail = sizeof(sign_param) - 1 + sign.n;
	struct str part = {target.p, target.n > tail ? target.n - tail : 0};

	if (part.n && memcmp(target.p + part.n, sign_param, sizeof(sign_param) - 1) != 0)
		part.n = 0;
	return part;
}

static bool fits(struct str secret, const struct http_account_request *rq, struct str part)
{
	struct str text[] = {rq->method, STR_LIT(" "), part, STR_LIT("\n"), rq->body};
	char hex[64];

	if (secret.n == 0 || rq->sign.n != sizeof(hex))
		return false;
	http_sign_hmac_parts(secret, text, SL_COUNT(text), hex);
	return http_sign_equal(hex, rq->sign.p, sizeof(hex));
}

struct http_account_verdict http_account_check(
	const struct keys_view *keys, const struct http_account_request *rq)
{
	struct http_account_verdict v = {.account = keys_find_account(keys, rq->account)};
	struct str part = signed_part(rq->target, rq->sign);
	uint64_t t, off;

	if (rq->account.n == 0 && rq->sign.n == 0)
		return keys && keys->meta->require_signature
			       ? refused("signature_wanted", "only signed requests are answered")
			       : v;
	if (!v.account)
		return refused("unknown_account", "there is no such account");
	if (part.n == 0 || !str_parse_u64(rq->t, TIME_DIGITS, &t))
		return refused("bad_signature",
			"account, t (unix seconds) and, as the last parameter, sign are wanted");
	v.secret = keys_secret_at(keys, v.account->key);
	if (!fits(v.secret, rq, part)) {
		v.secret = keys_secret_at(keys, v.account->backup);
		if (!fits(v.secret, rq, part))
			return refused("bad_signature", "the signature does not fit");
	}
	off = t > rq->now_s ? t - rq->now_s : rq->now_s - t;
	if (off > keys->meta->window_s)
		return refused("signature_expired", "t is too far from the time here");
	return v;
}

void http_account_sign_reply(
	struct str secret, struct str t, struct str body, char ret_hex[static 65])
{
	struct str text[] = {t, STR_LIT("\n"), body};

	http_sign_hmac_parts(secret, text, SL_COUNT(text), ret_hex);
	ret_hex[64] = '\0';
}
