/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Signed requests: ...&account=NAME&t=UNIX&sign=HEX, the sign being the last parameter. It is the
 * HMAC-SHA256, with the account's key, of
 *
 *	METHOD " " path and query up to (not including) "&sign=" "\n" body
 *
 * and t may be off by the window. A signed reply carries, in X-Sluice-Signature, the same over
 * "t of the request" "\n" reply body. Pure; any thread.
 */
#pragma once

#include "base/buf.h"
#include "world/keys.h"

struct http_account_request {
	struct str method, target, body;
	struct str account, t, sign; /* the parameters; empty: not given */
	uint64_t now_s;
};

struct http_account_verdict {
	const char *code, *message;         /* NULL: it may pass */
	const struct keys_account *account; /* NULL: it was not signed */
	struct str secret;                  /* that fitted */
};

/* keys may be NULL: then nothing is required, and what is signed cannot be checked. */
struct http_account_verdict http_account_check(
	const struct keys_view *keys, const struct http_account_request *rq) SL_NONNULL(2);

/* The signature of a reply, 64 hex digits and NUL. */
void http_account_sign_reply(
	struct str secret, struct str t, struct str body, char ret_hex[static 65]);
