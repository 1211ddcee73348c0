/* SPDX-License-Identifier: Apache-2.0 */
/*
 * DNS over HTTPS (RFC 8484): a DNS message in, one out, by the code that answers UDP and TCP. GET
 * ?dns= in base64url, or POST; a `name` in its place asks for JSON.
 */
#include "http/doh.h"

#include "http/cipher.h"

enum { TTL_AT = 4, RDLENGTH_AT = 8, RR_HEAD = 10, ECS_HEAD = 4, EDE_HEAD = 2, MAX_NAMES = 128 };

static uint32_t be32(const uint8_t *p)
{
	return (uint32_t)dns_be16(p) << 16 | dns_be16(p + 2);
}

/* Behind the name at p; NULL when it does not end. */
static const uint8_t *skip_name(const uint8_t *p, const uint8_t *end)
{
	for (int i = 0; i < MAX_NAMES && p < end; i++) {
		if (*p >= 0xc0)
			return end - p >= 2 ? p + 2 : NULL;
		if (*p == 0)
			return p + 1;
		p += *p + 1;
	}
	return NULL;
}

static void read_option(struct http_doh_note *note, unsigned code, const uint8_t *p, size_t n)
{
	if (code == DNS_OPT_ECS && n >= ECS_HEAD && n - ECS_HEAD <= sizeof(note->ecs.b)) {
		note->has_ecs = true;
		note->ecs.family = p[1] == 2 ? IP_V6 : IP_V4;
		note->scope = p[3];
		memcpy(note->ecs.b, p + ECS_HEAD, n - ECS_HEAD);
	} else if (code == DNS_OPT_EDE && n > EDE_HEAD) {
		note->text = (struct str){(const char *)p + EDE_HEAD, n - EDE_HEAD};
	}
}

static void read_opt(struct http_doh_note *note, const uint8_t *p, size_t n)
{
	while (n >= 4) {
		size_t len = dns_be16(p + 2);

		if (len > n - 4)
			return;
		read_option(note, dns_be16(p), p + 4, len);
		p += 4 + len;
		n -= 4 + len;
	}
}

/* Of a record: its TTL, and of an SOA what it says of what is not there (RFC 2308 section 5). */
static void read_record(struct http_doh_note *note, const uint8_t *head, const uint8_t *data)
{
	size_t n = dns_be16(head + RDLENGTH_AT);
	uint32_t ttl_s = be32(head + TTL_AT);

	if (dns_be16(head) == DNS_OPT) {
		read_opt(note, data, n);
		return;
	}
	if (dns_be16(head) == DNS_SOA && n >= 4)
		ttl_s = SL_MIN(ttl_s, be32(data + n - 4));
	note->max_age_s = note->fresh ? SL_MIN(note->max_age_s, ttl_s) : ttl_s;
	note->fresh = true;
}

struct http_doh_note http_doh_read(const uint8_t *msg, size_t n)
{
	struct http_doh_note note = {.fresh = false};
	const uint8_t *end = msg + n, *p = msg + DNS_HEADER;
	unsigned left, rcode;

	if (n < DNS_HEADER)
		return note;
	rcode = msg[3] & 15;
	if (dns_be16(msg + 4)) {
		p = skip_name(p, end);
		if (!p || end - p < 4)
			return note;
		p += 4;
	}
	for (left = dns_be16(msg + 6) + dns_be16(msg + 8) + dns_be16(msg + 10); left; left--) {
		const uint8_t *head = skip_name(p, end);

		if (!head || end - head < RR_HEAD ||
			(size_t)(end - head - RR_HEAD) < dns_be16(head + RDLENGTH_AT))
			break;
		p = head + RR_HEAD + dns_be16(head + RDLENGTH_AT);
		read_record(&note, head, head + RR_HEAD);
	}
	note.fresh = note.fresh && left == 0 && (rcode == DNS_NOERROR || rcode == DNS_NXDOMAIN) &&
		     !(dns_be16(msg + 2) & DNS_TC);
	return note;
}

void http_doh_freshness(
	struct httpd_reply *rp, const struct http_doh_note *note, char text[static HTTP_DOH_CACHE])
{
	struct buf b = buf_over(text, HTTP_DOH_CACHE - 1);

	if (!note->fresh)
		return; /* no-store, as everything here */
	BUF_PUT_LIT(&b, "private, max-age=");
	buf_put_u64_dec(&b, note->max_age_s);
	*b.p = '\0';
	rp->cache_control = text;
	httpd_reply_header(
		rp, "Vary", "Origin"); /* only what a page asks has the headers for one */
}

/* The message of a request; false, and the refusal made, where there is none. */
static bool take_message(struct http_worker *w, const struct httpd_request *rq,
	struct httpd_reply *rp, struct str *ret_msg)
{
	struct buf b = buf_over(w->scratch, SL_DNS_TCP_QUERY_MAX);
	struct str type = httpd_header(rq, "Content-Type");

	*ret_msg = rq->body;
	if (rq->method == HTTPD_POST &&
		!str_eq_ci(str_cut(&type, ';'), STR_LIT("application/dns-message"))) {
		httpd_reply_error(rp, 415, "media_type", "application/dns-message is wanted");
		return false;
	}
	if (rq->method != HTTPD_POST &&
		!http_unbase64url(http_param(rq, STR_LIT("dns")), &b, ret_msg))
		ret_msg->n = 0;
	if (ret_msg->n)
		return true;
	httpd_reply_error(rp, 400, "bad_request", "a message, dns (base64url) or name is wanted");
	return false;
}

void http_door_doh(struct http_worker *w, const struct httpd_request *rq, struct httpd_reply *rp)
{
	char *cache = (char *)w->scratch + SL_DNS_TCP_QUERY_MAX;
	struct http_doh_note note;
	struct str msg;
	size_t n, room = (size_t)(rp->body.end - rp->body.p);

	if (rq->method != HTTPD_POST && http_param(rq, STR_LIT("name")).n) {
		http_doh_json(w, rq, rp);
		return;
	}
	if (!take_message(w, rq, rp, &msg))
		return;
	n = dnsd_guest_handle(
		&w->dns, &w->worker, (const uint8_t *)msg.p, msg.n, rq->client, rp->body.p, room);
	if (n == 0) {
		httpd_reply_error(rp, 400, "bad_request", "this is no DNS query");
		return;
	}
	note = http_doh_read(rp->body.p, n);
	rp->body.p += n;
	rp->type = "application/dns-message";
	http_doh_freshness(rp, &note, cache);
}
