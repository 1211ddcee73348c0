/* SPDX-License-Identifier: Apache-2.0 */
/*
 * DNS as JSON, as Google and Cloudflare give it: GET /dns-query or /resolve with name, type, cd,
 * do, edns_client_subnet. The question is put into a message and answered as any other; ldns prints
 * the records, on its own memory: this form is for people and scripts.
 */
#define SL_ALLOW_CLOCK /* a parameter in evp.h, which ldns includes, has a poisoned name */
#include "http/doh.h"

#include <ldns/ldns.h>

enum {
	MESSAGE = 600,
	ANSWER = 24576,
	TYPE_TEXT = 32,
	UDP_SIZE = 1232,
	DO_BIT = 0x8000,
	CD_BIT = 0x10
};

struct asked {
	struct str name;
	unsigned type;
	bool dnssec_ok, has_ecs;
	struct ip ecs;
	uint8_t ecs_len;
};

static bool is_true(const struct httpd_request *rq, struct str name)
{
	struct str v = http_param(rq, name);

	return str_eq(v, STR_LIT("1")) || str_eq_ci(v, STR_LIT("true"));
}

/* A number, or a mnemonic. */
static bool read_type(struct str text, unsigned *ret_type)
{
	char zero[TYPE_TEXT];
	uint64_t n;

	*ret_type = DNS_A;
	if (text.n == 0)
		return true;
	if (str_parse_u64(text, 5, &n)) {
		*ret_type = (unsigned)n;
		return n >= 1 && n <= UINT16_MAX;
	}
	if (text.n >= sizeof(zero))
		return false;
	memcpy(zero, text.p, text.n);
	zero[text.n] = '\0';
	*ret_type = (unsigned)ldns_get_rr_type_by_name(zero);
	return *ret_type != 0;
}

/* ADDR or ADDR/LEN; without a length what is usual, a /24 or /56. */
static bool read_ecs(struct str text, struct asked *a)
{
	a->has_ecs = text.n != 0;
	if (!a->has_ecs || ip_parse_prefix(text, &a->ecs, &a->ecs_len)) {
		if (a->has_ecs && !memchr(text.p, '/', text.n))
			a->ecs_len = a->ecs.family == IP_V4 ? 24 : 56;
		a->ecs = ip_mask(a->ecs, a->ecs_len);
		return true;
	}
	return false;
}

/* NULL, or what is wrong. */
static const char *read_asked(const struct httpd_request *rq, struct asked *a)
{
	a->name = http_param(rq, STR_LIT("name"));
	a->dnssec_ok = is_true(rq, STR_LIT("do"));
	if (!read_type(http_param(rq, STR_LIT("type")), &a->type))
		return "type must be a number or a name of a type";
	if (!read_ecs(http_param(rq, STR_LIT("edns_client_subnet")), a))
		return "edns_client_subnet must be an address or a prefix";
	return NULL;
}

/* false: no name. */
static bool put_question(struct buf *b, const struct asked *a, bool cd)
{
	uint8_t wire[SL_DNS_NAME_MAX];
	size_t n = cat_wire_name(a->name, wire), octets = (a->ecs_len + 7u) / 8;

	if (n == 0 || (n == 1 && !str_eq(a->name, STR_LIT("."))))
		return false;
	buf_put_be16(b, 0);
	buf_put_be16(b, (uint16_t)(DNS_RD | (cd ? CD_BIT : 0)));
	buf_put_be16(b, 1);
	buf_put_be32(b, 0);
	buf_put_be16(b, 1);
	buf_put(b, wire, n);
	buf_put_be16(b, (uint16_t)a->type);
	buf_put_be16(b, DNS_CLASS_IN);
	buf_put_u8(b, 0);
	buf_put_be16(b, DNS_OPT);
	buf_put_be16(b, UDP_SIZE);
	buf_put_be32(b, a->dnssec_ok ? DO_BIT : 0);
	buf_put_be16(b, (uint16_t)(a->has_ecs ? 8 + octets : 0));
	if (a->has_ecs) {
		buf_put_be16(b, DNS_OPT_ECS);
		buf_put_be16(b, (uint16_t)(4 + octets));
		buf_put_be16(b, a->ecs.family == IP_V4 ? 1 : 2);
		buf_put_u8(b, a->ecs_len);
		buf_put_u8(b, 0);
		buf_put(b, a->ecs.b, octets);
	}
	return !b->overflow;
}

static void put_text(struct buf *b, ldns_buffer *text)
{
	buf_put_json_str(
		b, (struct str){(const char *)ldns_buffer_begin(text), ldns_buffer_position(text)});
	ldns_buffer_clear(text);
}

static void put_flag(struct buf *b, const char *name, bool on)
{
	buf_put_str(b, str_from(name));
	buf_put_str(b, on ? STR_LIT("true") : STR_LIT("false"));
}

static void put_record(struct buf *b, ldns_rr *rr, ldns_buffer *text, bool question)
{
	BUF_PUT_LIT(b, "{\"name\":");
	(void)ldns_rdf2buffer_str(text, ldns_rr_owner(rr));
	put_text(b, text);
	BUF_PUT_LIT(b, ",\"type\":");
	buf_put_u64_dec(b, (uint64_t)ldns_rr_get_type(rr));
	if (!question) {
		BUF_PUT_LIT(b, ",\"TTL\":");
		buf_put_u64_dec(b, ldns_rr_ttl(rr));
		BUF_PUT_LIT(b, ",\"data\":");
		for (size_t i = 0; i < ldns_rr_rd_count(rr); i++) {
			if (i)
				ldns_buffer_write_string(text, " ");
			(void)ldns_rdf2buffer_str(text, ldns_rr_rdf(rr, i));
		}
		put_text(b, text);
	}
	buf_put_u8(b, '}');
}

static void put_section(
	struct buf *b, const char *name, ldns_rr_list *list, ldns_buffer *text, bool question)
{
	size_t n = ldns_rr_list_rr_count(list);

	if (n == 0)
		return;
	BUF_PUT_LIT(b, ",\"");
	buf_put_str(b, str_from(name));
	BUF_PUT_LIT(b, "\":[");
	for (size_t i = 0; i < n; i++) {
		if (i)
			buf_put_u8(b, ',');
		put_record(b, ldns_rr_list_rr(list, i), text, question);
	}
	buf_put_u8(b, ']');
}

static void put_message(struct buf *b, const ldns_pkt *pkt, ldns_buffer *text, bool cd,
	const struct http_doh_note *note)
{
	BUF_PUT_LIT(b, "{\"Status\":");
	buf_put_u64_dec(b, (uint64_t)ldns_pkt_get_rcode(pkt));
	put_flag(b, ",\"TC\":", ldns_pkt_tc(pkt));
	put_flag(b, ",\"RD\":", ldns_pkt_rd(pkt));
	put_flag(b, ",\"RA\":", ldns_pkt_ra(pkt));
	put_flag(b, ",\"AD\":", ldns_pkt_ad(pkt));
	put_flag(b, ",\"CD\":", cd);
	put_section(b, "Question", ldns_pkt_question(pkt), text, true);
	put_section(b, "Answer", ldns_pkt_answer(pkt), text, false);
	put_section(b, "Authority", ldns_pkt_authority(pkt), text, false);
	if (note->has_ecs) {
		BUF_PUT_LIT(b, ",\"edns_client_subnet\":\"");
		ip_put(b, note->ecs);
		buf_put_u8(b, '/');
		buf_put_u64_dec(b, note->scope);
		buf_put_u8(b, '"');
	}
	if (note->text.n) {
		BUF_PUT_LIT(b, ",\"Comment\":");
		buf_put_json_str(b, note->text);
	}
	buf_put_u8(b, '}');
}

static bool print(
	struct buf *b, const uint8_t *msg, size_t n, bool cd, const struct http_doh_note *note)
{
	ldns_buffer *text = ldns_buffer_new(LDNS_MIN_BUFLEN);
	ldns_pkt *pkt = NULL;
	bool good = text && ldns_wire2pkt(&pkt, msg, n) == LDNS_STATUS_OK;

	if (good)
		put_message(b, pkt, text, cd, note);
	ldns_pkt_free(pkt);
	ldns_buffer_free(text);
	return good;
}

void http_doh_json(struct http_worker *w, const struct httpd_request *rq, struct httpd_reply *rp)
{
	struct buf b = buf_over(w->scratch, MESSAGE);
	uint8_t *out = w->scratch + MESSAGE;
	char *cache = (char *)out + ANSWER;
	bool cd = is_true(rq, STR_LIT("cd"));
	struct asked a = {.type = DNS_A};
	const char *wrong = read_asked(rq, &a);
	struct http_doh_note note;
	size_t n;

	if (!wrong && !put_question(&b, &a, cd))
		wrong = "name must be a domain name of at most 253 octets";
	if (wrong) {
		httpd_reply_error(rp, 400, "bad_request", wrong);
		return;
	}
	n = dnsd_guest_handle(&w->dns, &w->worker, b.base, buf_len(&b), rq->client, out, ANSWER);
	note = http_doh_read(out, n);
	if (!print(&rp->body, out, n, cd, &note)) {
		httpd_reply_error(rp, 500, "internal", "the answer cannot be printed");
		return;
	}
	rp->type = "application/dns-json";
	http_doh_freshness(rp, &note, cache);
}
