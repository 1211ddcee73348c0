/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Signed requests. Lines of the input are method, account, t, sign and target; the rest is the
 * body. An empty sign is made here with the account's second key, so that what follows a good
 * signature is reached too. Nothing passes but what is unsigned, or signed rightly, in time, at the
 * very end.
 */
#include "fuzz.h"

#include "http/account.h"
#include "http/sign.h"
#include "httpkeys.h"

static struct httpworld h;
static struct httpkeys keys;

static const char *const secrets[][2] = {{"one", "s"}, {"two", "second"}, {NULL, NULL}};

static const char accounts[] =
	"accounts: [{name: a, key: one, backup_key: two}, {name: b, key: one}]\n";

enum { NOW_S = 1700000000, WINDOW_S = 300, TEXT_MAX = 4000 };

static void forget(void)
{
	httpkeys_done(&keys, &h);
}

static bool in_time(struct str t)
{
	uint64_t v;

	return str_parse_u64(t, 12, &v) && v >= NOW_S - WINDOW_S && v <= NOW_S + WINDOW_S;
}

static bool is_signed_by(const char *secret, const struct http_account_request *rq)
{
	struct str text[] = {rq->method, STR_LIT(" "), rq->target, STR_LIT("\n"), rq->body};
	size_t tail = sizeof("&sign=") - 1 + rq->sign.n;
	char hex[64];

	if (rq->sign.n != sizeof(hex) || rq->target.n <= tail)
		return false;
	text[2].n -= tail;
	http_sign_hmac_parts(str_from(secret), text, SL_COUNT(text), hex);
	return memcmp(rq->target.p + text[2].n, "&sign=", 6) == 0 &&
	       memcmp(hex, rq->sign.p, sizeof(hex)) == 0;
}

/* Puts the signature behind the target. */
static void sign(struct http_account_request *rq, char *target, char *hex)
{
	struct str text[] = {rq->method, STR_LIT(" "), rq->target, STR_LIT("\n"), rq->body};

	http_sign_hmac_parts(STR_LIT("second"), text, SL_COUNT(text), hex);
	rq->sign = (struct str){hex, 64};
	if (rq->target.n)
		memcpy(target, rq->target.p, rq->target.n);
	memcpy(target + rq->target.n, "&sign=", 6);
	memcpy(target + rq->target.n + 6, hex, 64);
	rq->target = (struct str){target, rq->target.n + 70};
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char target[TEXT_MAX + 100], hex[64];
	struct str rest = {(const char *)data, size};
	struct http_account_request rq = {.now_s = NOW_S};
	struct http_account_verdict v;

	if (size == 0 || size > TEXT_MAX)
		return 0;
	if (!h.w.worker.rows) {
		fuzz_check(httpworld_init(&h, NULL) == 0);
		fuzz_check(httpkeys_init(&keys, &h, secrets, accounts, NOW_S));
		(void)atexit(forget);
	}
	rq.method = str_cut(&rest, '\n');
	rq.account = str_cut(&rest, '\n');
	rq.t = str_cut(&rest, '\n');
	rq.sign = str_cut(&rest, '\n');
	rq.target = str_cut(&rest, '\n');
	rq.body = rest;
	if (rq.sign.n == 0 && rq.account.n)
		sign(&rq, target, hex);
	v = http_account_check(h.w.worker.keys, &rq);
	fuzz_check((v.code == NULL) == (v.message == NULL));
	if (v.code)
		return 0;
	fuzz_check(v.account ? in_time(rq.t) && (is_signed_by("s", &rq) ||
							(str_eq_z(rq.account, "a") &&
								is_signed_by("second", &rq)))
			     : rq.account.n + rq.sign.n == 0);
	return 0;
}
