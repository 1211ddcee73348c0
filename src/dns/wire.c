/* SPDX-License-Identifier: Apache-2.0 */
#include "dns/wire.h"

enum { POINTER = 0xc0, RR_HEAD = 10, OPT_DO = 0x8000 };

/* Adding to seven bits sets the eighth from 'A' on in one sum and past 'Z' in the other. */
static void lower8(uint8_t *to, const uint8_t *from)
{
	const uint64_t each = UINT64_C(0x0101010101010101);
	uint64_t v, low, capital;

	memcpy(&v, from, 8);
	low = v & 0x7f * each;
	capital = (low + (0x80 - 'A') * each) ^ (low + (0x80 - 'Z' - 1) * each);
	v |= (capital & ~v & 0x80 * each) >> 2;
	memcpy(to, &v, 8);
}

/* Length octets are below 'A'. */
void dns_name_lower(const struct dns_query *q, uint8_t ret_name[static SL_DNS_NAME_MAX])
{
	const uint8_t *from = dns_name(q);
	uint8_t *to = ret_name;
	size_t n = q->name_n;

	if (n < 8) {
		for (size_t i = 0; i < n; i++)
			to[i] = (uint8_t)(from[i] | (uint8_t)((uint8_t)(from[i] - 'A') < 26) << 5);
		return;
	}
	for (size_t i = 0; i < n - 8; i += 8)
		lower8(to + i, from + i);
	lower8(to + n - 8, from + n - 8); /* over what is done already, mostly */
}

/* One question (RFC 1035 section 4.1.2). A pointer cannot be right in the first name of a message:
 * there is nothing before it to point to. Returns its end, NULL for FORMERR. */
static const uint8_t *parse_question(
	struct dns_query *q, const uint8_t *p, const uint8_t *end, const struct dns_known *known)
{
	const uint8_t *name = p;
	size_t n;

	if (known && known->n && end - p >= known->n && memcmp(p, known->octets, known->n) == 0) {
		p += known->n - 1;
		q->labels = known->labels;
		q->is_known = true;
	}
	while (p < end && *p) {
		if (*p & POINTER)
			return NULL;
		p += 1 + *p;
		q->labels++;
	}
	n = (size_t)(p - name) + 1;
	if (n > SL_DNS_NAME_MAX || end - p < 5)
		return NULL;
	q->name_n = (uint8_t)n;
	q->type = dns_be16(p + 1);
	q->class = dns_be16(p + 3);
	q->question_n = (uint16_t)(n + 4);
	return p + 5;
}

/* Past an owner name, which may end with a pointer; NULL when it does not end. */
static const uint8_t *skip_name(const uint8_t *p, const uint8_t *end)
{
	while (p < end) {
		if (*p == 0)
			return p + 1;
		if ((*p & POINTER) == POINTER)
			return end - p < 2 ? NULL : p + 2;
		if (*p & POINTER)
			return NULL;
		p += 1 + *p;
	}
	return NULL;
}

/* RFC 6891 section 6.1.1: one, in the additional section, owned by the root. */
static bool parse_opt(struct dns_query *q, const uint8_t *p, size_t rdlen, bool may, bool root)
{
	struct dns_opt *o = &q->opt;

	if (!may || !root || o->there)
		return false;
	o->there = true;
	o->udp_size = dns_be16(p + 2);
	o->version = p[5];
	o->dnssec_ok = dns_be16(p + 6) & OPT_DO;
	if (o->version) /* options of a version we do not know are not ours to judge */
		return true;
	return rdlen == 0 || dns_opt_parse(o, p + RR_HEAD, rdlen);
}

static bool parse_records(struct dns_query *q, const uint8_t *p, const uint8_t *end)
{
	const uint8_t *m = q->msg;
	unsigned before = dns_be16(m + 6) + (unsigned)dns_be16(m + 8);
	unsigned n = before + dns_be16(m + 10);

	for (unsigned i = 0; i < n; i++) {
		const uint8_t *owner = p;
		size_t rdlen;

		p = skip_name(p, end);
		if (!p || end - p < RR_HEAD)
			return false;
		rdlen = dns_be16(p + 8);
		if ((size_t)(end - p) - RR_HEAD < rdlen)
			return false;
		if (dns_be16(p) == DNS_OPT && !parse_opt(q, p, rdlen, i >= before, *owner == 0))
			return false;
		p += RR_HEAD + rdlen;
	}
	return p == end;
}

int dns_parse(const uint8_t *msg, size_t n, const struct dns_known *known, struct dns_query *q)
{
	const uint8_t *p = msg + DNS_HEADER, *end = msg + n;
	unsigned questions;

	q->msg = msg;
	q->question_n = 0;
	q->labels = 0;
	q->is_known = false;
	q->type = q->class = 0;
	q->opt = (struct dns_opt){0};
	if (n < DNS_HEADER)
		return DNS_DROP;
	q->flags = dns_be16(msg + 2);
	if (q->flags & DNS_QR)
		return DNS_DROP;
	if (dns_opcode(q) != 0)
		return DNS_NOTIMP;
	questions = dns_be16(msg + 4);
	if (questions > 1) /* RFC 9619 */
		return DNS_FORMERR;
	if (questions == 1) {
		p = parse_question(q, p, end, known);
		if (!p)
			return DNS_FORMERR;
	}
	if (!parse_records(q, p, end))
		return DNS_FORMERR;
	if (q->opt.there && q->opt.version)
		return DNS_BADVERS;
	return questions || q->opt.cookie_n ? DNS_NOERROR : DNS_FORMERR;
}
