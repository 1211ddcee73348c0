/* SPDX-License-Identifier: Apache-2.0 */
/* The pure readers of src/httpd over one input: escapes, lengths, octet classes, proxies. */
#include "fuzz.h"

#include "httpd/httpd.h"
#include "httpd/httpd_query.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char room[1 << 20];
	struct str s = {(const char *)data, size}, got, values[2];
	struct buf out = buf_over(room, size);
	struct ip peer = {.family = IP_V4, .b = {127, 0, 0, 1}}, client;
	uint64_t length;

	if (size > sizeof(room))
		return 0;
	if (httpd_unescape(s, &out, &got))
		fuzz_check(got.n <= size &&
			   (got.n == 0 || !memchr(got.p, 0, got.n) || memchr(data, 0, size)));
	if (str_parse_u64(s, 18, &length))
		fuzz_check(size <= 18 && length < UINT64_C(1000000000000000000));
	if (httpd_is_target(s))
		fuzz_check(!memchr(data, ' ', size) && !memchr(data, '\n', size));
	if (httpd_is_token(s))
		fuzz_check(!memchr(data, ':', size) && httpd_is_field_value(s));
	got = httpd_trim(s);
	fuzz_check(got.n <= size);
	values[0] = (struct str){s.p, size / 2};
	values[1] = (struct str){s.p + size / 2, size - size / 2};
	client = httpd_forwarded_client(peer, values, 2, NULL, 0);
	fuzz_check(client.family == IP_V4 || client.family == IP_V6);
	return 0;
}
