/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SVCB and HTTPS records of a scheduled host (RFC 9460): the zone file says how to connect, the
 * decision says where to, so the address hints are always those of the vendor that A and AAAA name.
 */
#include "dns/reply.h"

enum { KEY_IPV4HINT = 4, KEY_IPV6HINT = 6, PARAM_HEAD = 4, PRIORITY = 2 };

/* Hints out of ready records. */
struct hints {
	uint8_t octets[SL_MAX_ADDRS * 16];
	size_t n;
};

static void gather(
	struct hints *h, const struct world *w, const struct target *t, bool v6, uint32_t max)
{
	size_t size = v6 ? CAT_AAAA_RR_SIZE : CAT_A_RR_SIZE, octets = v6 ? 16 : 4;
	uint8_t records[SL_MAX_ADDRS * CAT_AAAA_RR_SIZE];
	uint32_t n = answer_records(w, t, v6, SL_MIN(max, (uint32_t)SL_MAX_ADDRS), records);

	for (uint32_t i = 0; i < n; i++)
		memcpy(h->octets + i * octets, records + (i + 1) * size - octets, octets);
	h->n = n * octets;
}

static void put_hint(struct buf *b, unsigned key, const struct hints *h)
{
	if (h->n == 0)
		return;
	buf_put_be16(b, (uint16_t)key);
	buf_put_be16(b, (uint16_t)h->n);
	buf_put(b, h->octets, h->n);
}

/* Parameters stand in order of their keys (RFC 9460 section 2.2): those before, the hint, the rest.
 */
static const uint8_t *put_below(struct buf *b, const uint8_t *p, const uint8_t *end, unsigned key)
{
	while (end - p >= PARAM_HEAD && dns_be16(p) <= key) {
		size_t n = PARAM_HEAD + (size_t)dns_be16(p + 2);

		if ((size_t)(end - p) < n)
			return end;
		if (dns_be16(p) != key)
			buf_put(b, p, n);
		p += n;
	}
	return p;
}

/* One record; data of n octets. Only service mode for the host itself takes hints. */
static void put_record(struct reply *r, const uint8_t *data, size_t n, uint32_t ttl_s,
	const struct hints *v4, const struct hints *v6)
{
	const uint8_t *p = data + PRIORITY + 1, *end = data + n;
	uint8_t *head = reply_put_head(r, r->q->type, ttl_s, 0), *to;

	if (!head)
		return;
	if (n < PRIORITY + 1 || dns_be16(data) == 0 || data[PRIORITY] != 0) {
		buf_put(&r->b, data, n);
	} else {
		buf_put(&r->b, data, PRIORITY + 1);
		p = put_below(&r->b, p, end, KEY_IPV4HINT);
		put_hint(&r->b, KEY_IPV4HINT, v4);
		p = put_below(&r->b, p, end, KEY_IPV6HINT);
		put_hint(&r->b, KEY_IPV6HINT, v6);
		buf_put(&r->b, p, (size_t)(end - p));
	}
	to = head - 2;
	dns_put_be16(to, (unsigned)(r->b.p - head));
	r->truncated |= r->b.overflow;
}

void reply_svcb(struct reply *r, const struct world *w, const struct cat_rrset *set,
	const struct target *t, uint32_t n_addresses, uint32_t ttl_s)
{
	const uint8_t *p = cat_wire(&w->cat, set->rrs);
	struct hints v4, v6;

	gather(&v4, w, t, false, n_addresses);
	gather(&v6, w, t, true, n_addresses);
	for (unsigned i = 0; i < set->n_rrs; i++) {
		size_t n = dns_be16(p + REPLY_CNAME_HEAD - 2);

		put_record(r, p + REPLY_CNAME_HEAD, n, SL_MIN(ttl_s, set->ttl_s), &v4, &v6);
		p += REPLY_CNAME_HEAD + n;
	}
}
