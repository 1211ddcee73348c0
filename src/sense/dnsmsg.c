/* SPDX-License-Identifier: Apache-2.0 */
#include "sense/dnsmsg.h"

/* Not ldns/ldns.h: it pulls in OpenSSL, whose prototypes use names that base/banned.h poisons. */
#include <ldns/rbtree.h> /* host2wire.h lacks it */

#include <ldns/dname.h>
#include <ldns/host2wire.h>
#include <ldns/packet.h>
#include <ldns/wire2host.h>

enum { OPTION_ECS = 8, ECS_MAX = 4 + 16, HOPS = 16 };

/* The option's octets: family, source, scope, address up to the last bit told. */
static size_t put_ecs(const struct sense_dns_question *q, uint8_t *to)
{
	size_t n = (q->bits + 7u) / 8;
	struct ip net = ip_mask(q->net, q->bits);

	to[0] = 0;
	to[1] = q->net.family == IP_V4 ? 1 : 2;
	to[2] = q->bits;
	to[3] = 0;
	memcpy(to + 4, net.b, n);
	return 4 + n;
}

static ldns_rr_type type_of(const struct sense_dns_question *q)
{
	return q->v6 ? LDNS_RR_TYPE_AAAA : LDNS_RR_TYPE_A;
}

size_t sense_dns_query(const struct sense_dns_question *q, uint8_t *ret, size_t size)
{
	ldns_rdf *name = ldns_dname_new_frm_str(q->host), *data;
	uint8_t option[4 + ECS_MAX] = {0, OPTION_ECS}, *wire = NULL;
	size_t n = q->bits ? put_ecs(q, option + 4) : 0, n_wire = 0;
	ldns_pkt *p;

	option[3] = (uint8_t)n;
	if (!name)
		return 0;
	p = ldns_pkt_query_new(name, type_of(q), LDNS_RR_CLASS_IN, LDNS_RD);
	if (!p) {
		ldns_rdf_deep_free(name);
		return 0;
	}
	ldns_pkt_set_id(p, q->id);
	ldns_pkt_set_edns_udp_size(p, SENSE_DNS_MAX);
	data = n ? ldns_rdf_new_frm_data(LDNS_RDF_TYPE_UNKNOWN, 4 + n, option) : NULL;
	if (data)
		ldns_pkt_set_edns_data(p, data);
	if (ldns_pkt2wire(&wire, p, &n_wire) != LDNS_STATUS_OK || n_wire > size)
		n_wire = 0;
	if (n_wire)
		memcpy(ret, wire, n_wire);
	free(wire);
	ldns_pkt_free(p);
	return n_wire;
}

/* Whether the reply's subnet is the one that was told (RFC 7871 section 7.3). */
static bool same_subnet(const struct sense_dns_question *q, const ldns_pkt *p)
{
	const ldns_rdf *data = ldns_pkt_edns_data(p);
	const uint8_t *o = data ? ldns_rdf_data(data) : NULL;
	size_t left = data ? ldns_rdf_size(data) : 0, n;
	uint8_t want[ECS_MAX];

	if (q->bits == 0)
		return true;
	for (; left >= 4; o += 4 + n, left -= 4 + n) {
		n = (size_t)o[2] << 8 | o[3];
		if (n > left - 4)
			return false;
		if (o[0] || o[1] != OPTION_ECS)
			continue;
		return n == put_ecs(q, want) && memcmp(o + 4, want, 3) == 0 &&
		       memcmp(o + 8, want + 4, n - 4) == 0;
	}
	return false;
}

static bool same_question(const struct sense_dns_question *q, const ldns_pkt *p)
{
	const ldns_rr_list *list = ldns_pkt_question(p);
	ldns_rdf *name;
	bool same;

	if (!ldns_pkt_qr(p) || ldns_pkt_id(p) != q->id || ldns_rr_list_rr_count(list) != 1 ||
		ldns_rr_get_type(ldns_rr_list_rr(list, 0)) != type_of(q))
		return false;
	name = ldns_dname_new_frm_str(q->host);
	same = name && ldns_dname_compare(name, ldns_rr_owner(ldns_rr_list_rr(list, 0))) == 0;
	ldns_rdf_deep_free(name);
	return same;
}

static bool usable(struct ip a)
{
	static const struct ip none = {.family = IP_NONE};
	bool multicast = a.family == IP_V4 ? a.b[0] >= 224 : a.b[0] == 0xff;

	return !multicast && memcmp(a.b, none.b, sizeof(a.b)) != 0;
}

static void take(struct sense_dns_reply *r, const ldns_rr *rr)
{
	const ldns_rdf *data = ldns_rr_rdf(rr, 0);
	struct ip ip = {.family = ldns_rr_get_type(rr) == LDNS_RR_TYPE_A ? IP_V4 : IP_V6};
	size_t size = ip.family == IP_V4 ? 4 : 16;

	if (!data || ldns_rdf_size(data) != size || r->n == SENSE_MAX_EDGES)
		return;
	memcpy(ip.b, ldns_rdf_data(data), size);
	if (usable(ip))
		r->ip[r->n++] = ip;
}

/* Records of a type under a name; the last of them. */
static const ldns_rr *look(const ldns_rr_list *list, const ldns_rdf *name, ldns_rr_type type,
	struct sense_dns_reply *addresses, uint32_t *ttl_s)
{
	const ldns_rr *found = NULL;

	for (size_t i = 0; i < ldns_rr_list_rr_count(list); i++) {
		const ldns_rr *rr = ldns_rr_list_rr(list, i);

		if (ldns_rr_get_type(rr) != type || ldns_dname_compare(ldns_rr_owner(rr), name))
			continue;
		found = rr;
		*ttl_s = SL_MIN(*ttl_s, ldns_rr_ttl(rr));
		if (addresses)
			take(addresses, rr);
	}
	return found;
}

static void follow(const struct sense_dns_question *q, const ldns_pkt *p, struct sense_dns_reply *r)
{
	const ldns_rr_list *answer = ldns_pkt_answer(p);
	const ldns_rdf *name = ldns_rr_owner(ldns_rr_list_rr(ldns_pkt_question(p), 0));
	uint32_t ttl_s = UINT32_MAX;

	for (int hop = 0; hop < HOPS; hop++) {
		const ldns_rr *cname = look(answer, name, LDNS_RR_TYPE_CNAME, NULL, &ttl_s);

		if (!cname || !ldns_rr_rdf(cname, 0))
			break;
		r->cname = true;
		name = ldns_rr_rdf(cname, 0);
	}
	(void)look(answer, name, type_of(q), r, &ttl_s);
	r->ttl_s = ttl_s;
}

enum sense_dns_verdict sense_dns_read(const struct sense_dns_question *q, const uint8_t *octets,
	size_t n, struct sense_dns_reply *ret_reply)
{
	enum sense_dns_verdict v = SENSE_DNS_GOOD;
	ldns_pkt *p = NULL;

	*ret_reply = (struct sense_dns_reply){.n = 0};
	if (n < 12 || octets[0] != q->id >> 8 || octets[1] != (q->id & 255))
		return SENSE_DNS_OTHER;
	if (ldns_wire2pkt(&p, octets, n) != LDNS_STATUS_OK)
		return SENSE_DNS_WIRE;
	if (!same_question(q, p))
		v = SENSE_DNS_OTHER;
	else if (ldns_pkt_get_rcode(p) != LDNS_RCODE_NOERROR)
		v = SENSE_DNS_RCODE;
	else if (ldns_pkt_tc(p))
		v = SENSE_DNS_CUT;
	else if (!same_subnet(q, p))
		v = SENSE_DNS_SCOPE;
	else
		follow(q, p, ret_reply);
	ldns_pkt_free(p);
	return v == SENSE_DNS_GOOD && !ret_reply->n ? SENSE_DNS_EMPTY : v;
}
