/* SPDX-License-Identifier: Apache-2.0 */
#include <ldns/ldns.h> /* before base/banned.h: OpenSSL's headers say "rand" */

#include "dnsmsg.h"

#include "base/attr.h"
#include "base/buf.h"

static size_t put_hex(uint8_t *to, const char *hex)
{
	size_t n = 0;

	for (; hex[0] && hex[1]; hex += 2) {
		unsigned v;

		if (hex[0] == ' ') {
			hex--;
			continue;
		}
		(void)sscanf(hex, "%2x", &v);
		to[n++] = (uint8_t)v;
	}
	return n;
}

size_t dnsmsg_query(uint8_t *to, const char *name, const char *type, const char *opt)
{
	static const uint8_t opt_head[] = {0, 0, 41, 0x04, 0xd0, 0, 0, 0, 0, 0, 0};
	ldns_rdf *owner = ldns_dname_new_frm_str(name);
	ldns_rr_type t = ldns_get_rr_type_by_name(type);
	size_t n = 12;

	memcpy(to, (const uint8_t[12]){0x12, 0x34, 1, 0, 0, 1}, 12);
	memcpy(to + n, ldns_rdf_data(owner), ldns_rdf_size(owner));
	n += ldns_rdf_size(owner);
	ldns_rdf_deep_free(owner);
	to[n++] = (uint8_t)(t >> 8);
	to[n++] = (uint8_t)t;
	to[n++] = 0;
	to[n++] = 1;
	if (opt) {
		size_t options;

		memcpy(to + n, opt_head, sizeof(opt_head));
		options = put_hex(to + n + sizeof(opt_head), opt);
		to[n + 10] = (uint8_t)options;
		n += sizeof(opt_head) + options;
		to[11] = 1;
	}
	return n;
}

static void put_z(struct buf *b, const char *z)
{
	buf_put_str(b, str_from(z));
}

static void put_section(struct buf *b, const ldns_rr_list *list)
{
	BUF_PUT_LIT(b, " |");
	for (size_t i = 0; i < ldns_rr_list_rr_count(list); i++) {
		char *text = ldns_rr2str(ldns_rr_list_rr(list, i));

		put_z(b, i ? "; " : " ");
		for (char *p = text; *p && *p != '\n'; p++)
			buf_put_u8(b, *p == '\t' ? ' ' : (uint8_t)*p);
		free(text);
	}
}

static void put_flags(struct buf *b, const ldns_pkt *p)
{
	static const char *const names[] = {[0] = "NOERROR",
		"FORMERR",
		"SERVFAIL",
		"NXDOMAIN",
		"NOTIMP",
		"REFUSED",
		"YXDOMAIN",
		[16] = "BADVERS",
		[23] = "BADCOOKIE"};
	unsigned rcode = ldns_pkt_get_rcode(p) | (unsigned)ldns_pkt_edns_extended_rcode(p) << 4;

	put_z(b, rcode < SL_COUNT(names) && names[rcode] ? names[rcode] : "?");
	put_z(b, ldns_pkt_qr(p) ? "" : " QUERY");
	put_z(b, ldns_pkt_aa(p) ? " aa" : "");
	put_z(b, ldns_pkt_tc(p) ? " tc" : "");
	put_z(b, ldns_pkt_ra(p) ? " ra" : "");
	put_z(b, ldns_pkt_ad(p) ? " ad" : "");
	put_z(b, ldns_pkt_cd(p) ? " cd" : "");
}

const char *dnsmsg_text(const uint8_t *msg, size_t n)
{
	static char text[1 << 18];
	struct buf b = buf_over(text, sizeof(text) - 1);
	ldns_pkt *p = NULL;
	const ldns_rdf *opt;

	if (n == 0)
		return "silence";
	if (ldns_wire2pkt(&p, msg, n) != LDNS_STATUS_OK)
		return "unreadable";
	put_flags(&b, p);
	put_section(&b, ldns_pkt_answer(p));
	put_section(&b, ldns_pkt_authority(p));
	put_section(&b, ldns_pkt_additional(p));
	opt = ldns_pkt_edns_data(p);
	if (ldns_pkt_edns(p))
		BUF_PUT_LIT(&b, " | opt ");
	for (size_t i = 0; opt && i < ldns_rdf_size(opt); i++) {
		char hex[3];

		(void)snprintf(hex, sizeof(hex), "%02x", ldns_rdf_data(opt)[i]);
		put_z(&b, hex);
	}
	ldns_pkt_free(p);
	*b.p = '\0';
	return text;
}
