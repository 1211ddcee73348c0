/* SPDX-License-Identifier: Apache-2.0 */
#include "dns/edns.h"

#include "base/limits.h"

enum { FAMILY_V4 = 1, FAMILY_V6 = 2, OPTION_HEAD = 4, ECS_HEAD = 4, DO = 0x80 };

static unsigned be16(const uint8_t *p)
{
	return (unsigned)p[0] << 8 | p[1];
}

/* RFC 7871 section 6: length, family, and no bit beyond the prefix. */
static bool parse_ecs(struct dns_opt *opt, const uint8_t *p, size_t n)
{
	unsigned family, source, octets, max;

	if (n < ECS_HEAD)
		return false;
	family = be16(p);
	source = p[2];
	octets = (source + 7) / 8;
	max = family == FAMILY_V4 ? 32 : family == FAMILY_V6 ? 128 : 0;
	if (family > FAMILY_V6 || source > max || p[3] != 0 || n != ECS_HEAD + octets)
		return false;
	if (source % 8 && (p[ECS_HEAD + octets - 1] & (0xff >> source % 8)))
		return false;
	opt->has_ecs = true;
	opt->ecs_family = (uint16_t)family;
	opt->ecs_source = (uint8_t)source;
	opt->ecs_octets = (uint8_t)octets;
	opt->ecs = (struct ip){.family = family == FAMILY_V4 ? IP_V4 : family ? IP_V6 : IP_NONE};
	memcpy(opt->ecs.b, p + ECS_HEAD, octets);
	return true;
}

static bool parse_cookie(struct dns_opt *opt, const uint8_t *p, size_t n)
{
	if (n != DNS_COOKIE_CLIENT && (n < DNS_COOKIE_MIN || n > DNS_COOKIE_MAX))
		return false; /* RFC 7873 section 5.2.2 */
	memcpy(opt->cookie, p, n);
	opt->cookie_n = (uint8_t)n;
	return true;
}

bool dns_opt_parse(struct dns_opt *opt, const uint8_t *p, size_t n)
{
	while (n) {
		unsigned code, len;

		if (n < OPTION_HEAD)
			return false;
		code = be16(p);
		len = be16(p + 2);
		p += OPTION_HEAD;
		n -= OPTION_HEAD;
		if (len > n)
			return false;
		if (code == DNS_OPT_ECS && !opt->has_ecs) {
			if (!parse_ecs(opt, p, len))
				return false;
		} else if (code == DNS_OPT_COOKIE && !opt->cookie_n) {
			if (!parse_cookie(opt, p, len))
				return false;
		} else if (code == DNS_OPT_NSID) {
			opt->nsid = true;
		}
		p += len;
		n -= len;
	}
	return true;
}

size_t dns_opt_size(const struct dns_opt *in, const struct dns_opt_out *out)
{
	if (!in->there)
		return 0;
	return DNS_OPT_HEAD + (in->has_ecs ? OPTION_HEAD + ECS_HEAD + (size_t)in->ecs_octets : 0) +
	       (out->cookie ? OPTION_HEAD + DNS_COOKIE_OURS : 0) +
	       (in->nsid && out->nsid.n ? OPTION_HEAD + SL_MIN(out->nsid.n, DNS_NSID_MAX) : 0);
}

static void put_head(struct buf *b, unsigned code, size_t n)
{
	buf_put_be16(b, (uint16_t)code);
	buf_put_be16(b, (uint16_t)n);
}

static void put_ecs(struct buf *b, const struct dns_opt *in, uint8_t scope)
{
	uint8_t *p = buf_take(b, OPTION_HEAD + ECS_HEAD + (size_t)in->ecs_octets);

	if (!p)
		return;
	memcpy(p,
		(const uint8_t[OPTION_HEAD + ECS_HEAD]){0, DNS_OPT_ECS, 0,
			(uint8_t)(ECS_HEAD + in->ecs_octets), (uint8_t)(in->ecs_family >> 8),
			(uint8_t)in->ecs_family, in->ecs_source, scope},
		OPTION_HEAD + ECS_HEAD);
	memcpy(p + OPTION_HEAD + ECS_HEAD, in->ecs.b, in->ecs_octets);
}

static void put_ede(struct buf *b, const struct dns_opt_out *out)
{
	struct str text = out->ede_text;

	text.n = SL_MIN(text.n, (size_t)DNS_EDE_TEXT_MAX);
	if ((size_t)(b->end - b->p) < OPTION_HEAD + 2 + text.n)
		return;
	put_head(b, DNS_OPT_EDE, 2 + text.n);
	buf_put_be16(b, (uint16_t)out->ede);
	buf_put_str(b, text);
}

void dns_opt_put(struct buf *b, const struct dns_opt *in, const struct dns_opt_out *out)
{
	uint8_t *head = buf_take(b, DNS_OPT_HEAD);
	size_t n;

	if (!head)
		return;
	memcpy(head,
		(const uint8_t[DNS_OPT_HEAD]){0, 0, 41, SL_DNS_UDP_MAX >> 8, SL_DNS_UDP_MAX & 0xff,
			out->rcode_high, 0, in->dnssec_ok ? DO : 0, 0, 0, 0},
		DNS_OPT_HEAD);
	if (in->has_ecs)
		put_ecs(b, in, out->scope);
	if (out->cookie) {
		put_head(b, DNS_OPT_COOKIE, DNS_COOKIE_OURS);
		buf_put(b, out->cookie_octets, DNS_COOKIE_OURS);
	}
	if (in->nsid && out->nsid.n) {
		struct str id = {out->nsid.p, SL_MIN(out->nsid.n, (size_t)DNS_NSID_MAX)};
		put_head(b, DNS_OPT_NSID, id.n);
		buf_put_str(b, id);
	}
	if (out->ede != DNS_EDE_NONE)
		put_ede(b, out);
	n = (size_t)(b->p - head) - DNS_OPT_HEAD;
	head[DNS_OPT_HEAD - 2] = (uint8_t)(n >> 8);
	head[DNS_OPT_HEAD - 1] = (uint8_t)n;
}
