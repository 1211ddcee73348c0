/* SPDX-License-Identifier: Apache-2.0 */
/* Lines of the input are scheme, path, query, key, and templates of its own: never past the buffer,
 * nothing at the cursor after an error, the key never in the URL. */
#include "fuzz.h"

#include "http/sign.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char secret[] = "0123456789abcdef0123456789abcdef";
	struct str rest = {(const char *)data, size};
	const struct http_sign_scheme *known = http_sign_find(str_cut(&rest, '\n'));
	struct http_sign_args a = {.now_s = 1700000000, .validity_s = 600, .nonce = size};
	struct http_sign_scheme s;
	uint8_t out[4096];
	struct buf b = buf_over(out, sizeof(out));

	if (!known)
		known = http_sign_find(STR_LIT("wangsu"));
	s = *known;
	a.path = str_cut(&rest, '\n');
	a.query = str_cut(&rest, '\n');
	a.key = str_cut(&rest, '\n');
	if (a.key.n == 0)
		a.key = STR_LIT(secret);
	if (rest.n) {
		s.input = str_cut(&rest, '\n');
		s.url = rest;
	}
	if (http_sign_url(&s, &a, &b))
		fuzz_check(buf_len(&b) == 0 || b.overflow);
	else if (a.key.p == secret && !memmem(data, size, secret, sizeof(secret) - 1))
		fuzz_check(!memmem(out, buf_len(&b), secret, sizeof(secret) - 1));
	return 0;
}
