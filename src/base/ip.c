/* SPDX-License-Identifier: Apache-2.0 */
#include "base/ip.h"

#include <endian.h>
#include <arpa/inet.h>
#include <netinet/in.h>

/* Four numbers without leading zeros: what inet_pton takes, without the copy that it needs. */
static bool parse_v4(struct str s, uint8_t *ret)
{
	const char *at = s.p, *end = s.p + s.n;

	for (int i = 0; i < 4; i++) {
		const char *start = at;
		unsigned v = 0, d;

		for (; at < end && (d = (unsigned)*at - '0') <= 9; at++)
			v = v * 10 + d;
		if (at == start || at - start > 3 || v > 255 || (*start == '0' && at - start > 1))
			return false;
		ret[i] = (uint8_t)v;
		if (i < 3 && (at == end || *at++ != '.'))
			return false;
	}
	return at == end;
}

static bool parse_v6(struct str s, uint8_t *ret)
{
	char z[IP_TEXT_MAX];

	if (s.n >= sizeof(z) || memchr(s.p, '\0', s.n))
		return false;
	memcpy(z, s.p, s.n);
	z[s.n] = '\0';
	return inet_pton(AF_INET6, z, ret) == 1;
}

bool ip_parse(struct str s, struct ip *ret_ip)
{
	struct ip a = {.family = IP_NONE};

	if (s.n == 0)
		return false;
	if (parse_v4(s, a.b)) {
		a.family = IP_V4;
	} else {
		a = (struct ip){.family = IP_V6};
		if (!parse_v6(s, a.b))
			return false;
	}
	*ret_ip = a;
	return true;
}

static bool parse_len(struct str s, uint8_t max, uint8_t *ret_len)
{
	uint64_t v;

	if (!str_parse_u64(s, 3, &v) || v > max)
		return false;
	*ret_len = (uint8_t)v;
	return true;
}

bool ip_parse_prefix(struct str s, struct ip *ret_ip, uint8_t *ret_len)
{
	struct str rest = s, addr = str_cut(&rest, '/');
	bool has_len = addr.n < s.n;
	struct ip a;
	uint8_t len;

	if (!ip_parse(addr, &a))
		return false;
	len = ip_bits(a);
	if (has_len && !parse_len(rest, ip_bits(a), &len))
		return false;
	if (!ip_eq(ip_mask(a, len), a))
		return false;
	*ret_ip = a;
	*ret_len = len;
	return true;
}

struct ip ip_from_sockaddr(const struct sockaddr *sa)
{
	struct ip a = {.family = IP_NONE};

	if (sa->sa_family == AF_INET) {
		const struct sockaddr_in *v4 = (const void *)sa;
		memcpy(a.b, &v4->sin_addr, 4);
		a.family = IP_V4;
	} else if (sa->sa_family == AF_INET6) {
		const struct sockaddr_in6 *v6 = (const void *)sa;
		memcpy(a.b, &v6->sin6_addr, 16);
		a.family = IP_V6;
	}
	return a;
}

static struct ip v4_from(const uint8_t *b, uint8_t flip)
{
	struct ip a = {.family = IP_V4};

	for (int i = 0; i < 4; i++)
		a.b[i] = b[i] ^ flip;
	return a;
}

struct ip ip_embedded_v4(struct ip a)
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
	static const uint8_t teredo[4] = {0x20, 0x01, 0, 0};

	if (a.family != IP_V6)
		return a;
	if (memcmp(a.b, mapped, sizeof(mapped)) == 0)
		return v4_from(a.b + 12, 0);
	if (a.b[0] == 0x20 && a.b[1] == 0x02)
		return v4_from(a.b + 2, 0);
	if (memcmp(a.b, teredo, sizeof(teredo)) == 0)
		return v4_from(a.b + 12, 0xff);
	return a;
}

bool ip_is_loopback(struct ip a)
{
	static const uint8_t one[16] = {[15] = 1};

	a = ip_embedded_v4(a);
	if (a.family == IP_V4)
		return a.b[0] == 127;
	return a.family == IP_V6 && memcmp(a.b, one, 16) == 0;
}

void ip_format(struct ip a, char ret_text[static IP_TEXT_MAX])
{
	struct buf b = buf_over(ret_text, IP_TEXT_MAX - 1);

	ip_put(&b, a);
	*b.p = '\0';
}

static void put_v4(struct buf *b, const uint8_t *o)
{
	for (int i = 0; i < 4; i++) {
		if (i)
			buf_put_u8(b, '.');
		buf_put_u64_dec(b, o[i]);
	}
}

/* Of 16 bits, without leading zeros; behind the last digit. */
static char *put_hex(char *at, unsigned v)
{
	static const char hex[] = "0123456789abcdef";

	if (v > 0xfff)
		*at++ = hex[v >> 12];
	if (v > 0xff)
		*at++ = hex[v >> 8 & 15];
	if (v > 0xf)
		*at++ = hex[v >> 4 & 15];
	*at++ = hex[v & 15];
	return at;
}

/* The longest run of zero groups, at least two of them (RFC 5952 section 4.2). */
static int longest_zero_run(const unsigned g[static 8], int *ret_len)
{
	int best = -1, best_len = 1;

	for (int i = 0; i < 8;) {
		int n = 0;

		while (i + n < 8 && g[i + n] == 0)
			n++;
		if (n > best_len) {
			best = i;
			best_len = n;
		}
		i += n ? n : 1;
	}
	*ret_len = best_len;
	return best;
}

void ip_put(struct buf *b, struct ip a)
{
	char text[IP_TEXT_MAX], *at = text;
	unsigned g[8];
	int run, run_len;

	if (a.family == IP_V4) {
		put_v4(b, a.b);
		return;
	}
	for (int i = 0; i < 8; i++)
		g[i] = (unsigned)a.b[2 * i] << 8 | a.b[2 * i + 1];
	run = longest_zero_run(g, &run_len);
	if (run == 0 && run_len == 5 && g[5] == 0xffff) {
		BUF_PUT_LIT(b, "::ffff:");
		put_v4(b, a.b + 12);
		return;
	}
	for (int i = 0; i < 8; i++) {
		if (i == run) {
			*at++ = ':';
			*at++ = ':';
			i += run_len - 1;
			continue;
		}
		if (i && i != run + run_len)
			*at++ = ':';
		at = put_hex(at, g[i]);
	}
	buf_put(b, text, (size_t)(at - text));
}
