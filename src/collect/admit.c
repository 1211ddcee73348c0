/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who may report: X-Sluice-Signature: t=UNIX,sign=HEX, an HMAC-SHA256 of "t LF body" (of a GET: of
 * path and query as they came) with the key of reports; and X-Sluice-Test with the text of the test
 * key, which marks a load test. What is there and does not fit is refused, never taken as if it
 * were not.
 */
#include "base/os.h"
#include "collect/collect_int.h"

#include <nettle/hmac.h>
#include <nettle/memops.h>

enum { TIME_DIGITS = 12, HEX = 2 * SHA256_DIGEST_SIZE };

static bool equal(struct str a, struct str b)
{
	return a.n == b.n && a.n && memeql_sec(a.p, b.p, a.n);
}

static bool fits(struct str secret, struct str t, struct str text, struct str sign)
{
	static const char digit[] = "0123456789abcdef";
	struct hmac_sha256_ctx ctx;
	uint8_t mac[SHA256_DIGEST_SIZE];
	char hex[HEX];

	if (secret.n == 0)
		return false;
	hmac_sha256_set_key(&ctx, secret.n, (const uint8_t *)secret.p);
	hmac_sha256_update(&ctx, t.n, (const uint8_t *)t.p);
	hmac_sha256_update(&ctx, 1, (const uint8_t *)"\n");
	hmac_sha256_update(&ctx, text.n, (const uint8_t *)text.p);
	hmac_sha256_digest(&ctx, sizeof(mac), mac);
	for (size_t i = 0; i < sizeof(mac); i++) {
		hex[2 * i] = digit[mac[i] >> 4];
		hex[2 * i + 1] = digit[mac[i] & 15];
	}
	return equal((struct str){hex, sizeof(hex)}, sign);
}

/* The value of NAME= in "t=1,sign=ab". */
static struct str part_of(struct str header, const char *name)
{
	while (header.n) {
		struct str part = str_cut(&header, ','), key;

		while (part.n && part.p[0] == ' ') {
			part.p++;
			part.n--;
		}
		key = str_cut(&part, '=');
		if (str_eq_z(key, name))
			return part;
	}
	return (struct str){NULL, 0};
}

static bool signature_fits(
	struct collect_worker *w, const struct httpd_request *rq, struct str header)
{
	static const char *const names[] = {KEYS_REPORTS, KEYS_REPORTS_BACKUP};
	struct str t = part_of(header, "t"), sign = part_of(header, "sign");
	struct str text = rq->method == HTTPD_POST ? rq->body : httpd_target(rq);
	uint64_t at, now = w->intake.now_ms / 1000, off;

	if (!str_parse_u64(t, TIME_DIGITS, &at))
		return false;
	off = at > now ? at - now : now - at;
	for (size_t i = 0; i < SL_COUNT(names); i++)
		if (fits(keys_secret(w->keys, str_from(names[i])), t, text, sign))
			return off <= w->keys->meta->window_s;
	return false;
}

bool collect_admit(struct collect_worker *w, const struct httpd_request *rq, struct httpd_reply *rp)
{
	struct str sign = httpd_header(rq, "X-Sluice-Signature");
	struct str test = httpd_header(rq, "X-Sluice-Test");
	bool wanted = w->keys && w->keys->meta->require_signature && !w->intake.sender.trusted;

	if ((sign.n && !signature_fits(w, rq, sign)) || (wanted && sign.n == 0)) {
		collect_intake_refused(&w->intake, COLLECT_SIGNATURE);
		httpd_reply_error(rp, 401, "signature",
			sign.n ? "the signature does not fit, or its time is too far off"
			       : "only signed reports are taken");
		return false;
	}
	if (test.n && !equal(test, keys_secret(w->keys, STR_LIT(KEYS_REPORTS_TEST)))) {
		collect_intake_refused(&w->intake, COLLECT_SIGNATURE);
		httpd_reply_error(rp, 403, "test", "no load test is marked so");
		return false;
	}
	w->intake.test = test.n != 0;
	return true;
}
