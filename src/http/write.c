/* SPDX-License-Identifier: Apache-2.0 */
#include "http/write.h"

#define OCTETS(x) ((x)*UINT64_C(0x0101010101010101))

/* The upper bit of each octet that is zero; perhaps of others too, but only when one is. */
static uint64_t zeros(uint64_t v)
{
	return (v - OCTETS(1)) & ~v;
}

/* Of eight octets: whether one has to be escaped in JSON. Octets past ASCII do not. */
static bool any_odd(uint64_t v)
{
	uint64_t control = (v - OCTETS(0x20)) & ~v;

	return (control | zeros(v ^ OCTETS('"')) | zeros(v ^ OCTETS('\\')) |
		       zeros(v ^ OCTETS(0x7f))) &
	       OCTETS(0x80);
}

static bool is_odd(struct str s)
{
	uint64_t v;

	for (; s.n >= 8; s.p += 8, s.n -= 8) {
		memcpy(&v, s.p, 8);
		if (any_odd(v))
			return true;
	}
	v = OCTETS('a');
	if (s.n)
		memcpy(&v, s.p, s.n);
	return any_odd(v);
}

void http_write_text(struct buf *b, struct str s)
{
	uint8_t *at;

	if (is_odd(s)) {
		buf_put_json_str(b, s);
		return;
	}
	at = buf_take(b, s.n + 2);
	if (!at)
		return;
	at[0] = '"';
	if (s.n)
		memcpy(at + 1, s.p, s.n);
	at[s.n + 1] = '"';
}

/* A key of the object, with the comma that parts it from the one before. */
#define KEY(b, first, name)                                                                        \
	do {                                                                                       \
		if (first)                                                                         \
			BUF_PUT_LIT(b, "\"" name "\":");                                           \
		else                                                                               \
			BUF_PUT_LIT(b, ",\"" name "\":");                                          \
		(first) = false;                                                                   \
	} while (0)

/* The canonical text of a wire name, without the final dot. */
static void put_host(struct buf *b, const struct cat_view *c, const struct cat_dname *d)
{
	const uint8_t *w = cat_wire(c, d->name);
	char text[SL_DNS_NAME_MAX];
	size_t n = 0;

	while (*w) {
		if (n)
			text[n++] = '.';
		memcpy(text + n, w + 1, *w);
		n += *w;
		w += *w + 1;
	}
	http_write_text(b, (struct str){text, n});
}

/* "A.B.C.D" with its quotes: the commonest thing here, so by hand. */
static void put_v4(struct buf *b, const uint8_t *octets)
{
	uint8_t text[17], *at = text;

	*at++ = '"';
	for (int i = 0; i < 4; i++) {
		uint8_t v = octets[i];

		if (v >= 100)
			*at++ = (uint8_t)('0' + v / 100);
		if (v >= 10)
			*at++ = (uint8_t)('0' + v / 10 % 10);
		*at++ = (uint8_t)('0' + v % 10);
		*at++ = '.';
	}
	at[-1] = '"';
	buf_put(b, text, (size_t)(at - text));
}

static void put_v6(struct buf *b, const uint8_t *octets)
{
	struct ip ip = {.family = IP_V6};

	memcpy(ip.b, octets, 16);
	buf_put_u8(b, '"');
	ip_put(b, ip);
	buf_put_u8(b, '"');
}

void http_write_more_ips(struct buf *b, const uint8_t *records, uint32_t n, bool v6, bool *first)
{
	size_t size = v6 ? CAT_AAAA_RR_SIZE : CAT_A_RR_SIZE;

	for (uint32_t i = 0; i < n; i++) {
		if (!*first)
			buf_put_u8(b, ',');
		*first = false;
		if (v6)
			put_v6(b, records + (i + 1) * size - 16);
		else
			put_v4(b, records + (i + 1) * size - 4);
	}
}

void http_write_ips(struct buf *b, const uint8_t *records, uint32_t n, bool v6)
{
	bool first = true;

	buf_put_u8(b, '[');
	http_write_more_ips(b, records, n, v6, &first);
	buf_put_u8(b, ']');
}

static void put_target_ips(struct buf *b, const struct world *w, const struct http_query *query,
	const struct target *t, uint32_t max)
{
	uint8_t records[SL_MAX_ADDRS * CAT_AAAA_RR_SIZE];
	bool first = true;

	buf_put_u8(b, '[');
	if (query->a)
		http_write_more_ips(
			b, records, answer_records(w, t, false, max, records), false, &first);
	if (query->aaaa)
		http_write_more_ips(
			b, records, answer_records(w, t, true, max, records), true, &first);
	buf_put_u8(b, ']');
}

static void put_nodes(struct buf *b, const struct world *w, const struct http_query *query,
	const struct target *t)
{
	BUF_PUT_LIT(b, ",\"nodes\":[");
	for (uint32_t i = 0; i < t->n_nodes; i++) {
		struct target one = {.kind = TARGET_NODES, .n_nodes = 1, .node = {t->node[i]}};

		if (i)
			buf_put_u8(b, ',');
		BUF_PUT_LIT(b, "{\"name\":");
		http_write_text(b, cat_text(&w->cat, w->cat.nodes[t->node[i]].name));
		BUF_PUT_LIT(b, ",\"ips\":");
		put_target_ips(b, w, query, &one, SL_MAX_ADDRS);
		buf_put_u8(b, '}');
	}
	buf_put_u8(b, ']');
}

static void put_target(struct buf *b, const struct world *w, const struct http_query *query,
	const struct target *t, uint32_t max)
{
	BUF_PUT_LIT(b, "{\"vendor\":");
	http_write_text(b, cat_text(&w->cat, w->cat.vendors[t->vendor].name));
	if (t->slot->cname_text.count) {
		BUF_PUT_LIT(b, ",\"cname\":");
		http_write_text(b, cat_text(&w->cat, t->slot->cname_text));
	}
	BUF_PUT_LIT(b, ",\"ips\":");
	put_target_ips(b, w, query, t, max);
	if (query->n && t->kind == TARGET_NODES)
		put_nodes(b, w, query, t);
	buf_put_u8(b, '}');
}

/* The same from memory, or into it. */
static void put_remembered(struct buf *b, struct http_worker *hw, const struct http_query *query,
	const struct target *t, uint32_t max)
{
	const struct world *w = hw->worker.world;
	uint32_t addrs = t->addrs ? (uint32_t)(t->addrs - w->cat.addrsets) : BLOB_NONE;
	uint16_t how = (uint16_t)(query->a << 8 | query->aaaa << 9 | (uint8_t)max);
	struct http_memo_entry *e = http_memo_at(&hw->vendors, w->cat.head->checksum,
		(uint32_t)(t->slot - w->cat.slots), addrs, how);
	size_t from = buf_len(b);

	if (http_memo_put(e, b))
		return;
	put_target(b, w, query, t, max);
	http_memo_keep(&hw->vendors, e, b, from);
}

/* Without n a service's own number of addresses; with it n nodes of ours with all they have, or n
 * edge addresses of another vendor. */
static void put_vendor(struct buf *b, struct http_worker *hw, const struct http_query *query,
	const struct http_decision *d, uint8_t slot)
{
	uint32_t usual = SL_MAX(d->service->n_addresses, 1u);
	uint32_t want = query->n ? query->n : SL_MIN(usual, (uint32_t)SL_HTTP_NODES_MAX);
	struct target t;

	answer_target(hw->worker.world, &d->q, slot, d->stream, want, &t);
	if (t.kind != TARGET_NODES && t.kind != TARGET_EDGES && !t.turn)
		put_remembered(b, hw, query, &t, query->n ? query->n : usual);
	else
		put_target(b, hw->worker.world, query, &t,
			!query->n                ? usual
			: t.kind == TARGET_NODES ? (uint32_t)SL_MAX_ADDRS
						 : query->n);
}

static void put_answers(struct buf *b, struct http_worker *w, const struct http_query *query,
	const struct http_decision *d)
{
	uint32_t n = SL_MIN(d->a.n, (uint32_t)query->ranked);

	buf_put_u8(b, '[');
	for (uint32_t i = 0; i < n; i++) {
		if (i)
			buf_put_u8(b, ',');
		put_vendor(b, w, query, d, d->a.slot[i]);
	}
	buf_put_u8(b, ']');
}

static void put_view(struct buf *b, const struct blob_head *head)
{
	buf_put_u8(b, '"');
	buf_put_u64_dec(b, head->epoch);
	buf_put_u8(b, '.');
	buf_put_u64_dec(b, head->generation);
	buf_put_u8(b, '"');
}

/* What is alike in all answers of a group for a host, as long as the tick stands. */
enum {
	START_FIELDS = 1 << HTTP_FIELD_HOST | 1 << HTTP_FIELD_GROUP | 1 << HTTP_FIELD_TTL |
		       1 << HTTP_FIELD_VIEW
};

static void put_start(
	struct buf *b, const struct world *w, const struct http_decision *d, uint32_t fields)
{
	bool first = true;

	buf_put_u8(b, '{');
	if (fields & 1u << HTTP_FIELD_HOST) {
		KEY(b, first, "host");
		put_host(b, &w->cat, d->host);
	}
	if (fields & 1u << HTTP_FIELD_GROUP) {
		KEY(b, first, "group");
		http_write_text(b, cat_text(&w->cat, w->cat.groups[d->q.group].name));
	}
	if (fields & 1u << HTTP_FIELD_TTL) {
		KEY(b, first, "ttl");
		buf_put_u64_dec(b, answer_ttl_s(d->service, d->a.row));
	}
	if (fields & 1u << HTTP_FIELD_VIEW) {
		KEY(b, first, "view");
		put_view(b, w->tick.head);
	}
}

static void put_start_remembered(
	struct buf *b, struct http_worker *hw, const struct http_decision *d, uint32_t fields)
{
	const struct world *w = hw->worker.world;
	struct http_memo_entry *e = http_memo_at(&hw->starts, w->tick.head->checksum,
		(uint32_t)(d->host - w->cat.dnames), d->q.group, (uint16_t)fields);
	size_t from = buf_len(b);

	if (http_memo_put(e, b))
		return;
	put_start(b, w, d, fields);
	http_memo_keep(&hw->starts, e, b, from);
}

void http_write_answer(struct buf *b, struct http_worker *hw, const struct http_query *query,
	const struct http_decision *d)
{
	uint32_t fields = query->fields;
	bool first = !(fields & START_FIELDS);

	put_start_remembered(b, hw, d, fields & START_FIELDS);
	if (fields & 1u << HTTP_FIELD_ANSWERS) {
		KEY(b, first, "answers");
		put_answers(b, hw, query, d);
	}
	if (fields & 1u << HTTP_FIELD_REFRESH) {
		KEY(b, first, "refresh_s");
		buf_put_u64_dec(
			b, http_refresh_s(d->service->refresh_s, d->q.key, hw->worker.now_ms));
	}
	if (d->a.rung && fields & 1u << HTTP_FIELD_DEGRADE) {
		KEY(b, first, "degrade");
		http_write_degrade(b, &d->a);
	}
	if (query->explain && fields & 1u << HTTP_FIELD_EXPLAIN) {
		KEY(b, first, "explain");
		http_write_explain(b, hw, query, d);
	}
	buf_put_u8(b, '}');
}

void http_write_degrade(struct buf *b, const struct answer *a)
{
	BUF_PUT_LIT(b, "{\"rung\":");
	buf_put_u64_dec(b, a->rung);
	if (a->kbps) {
		BUF_PUT_LIT(b, ",\"kbps\":");
		buf_put_u64_dec(b, a->kbps);
	}
	buf_put_u8(b, '}');
}

void http_write_error(struct buf *b, const char *code, const char *message)
{
	BUF_PUT_LIT(b, "{\"error\":{\"code\":");
	buf_put_json_str(b, str_from(code));
	BUF_PUT_LIT(b, ",\"message\":");
	buf_put_json_str(b, str_from(message));
	BUF_PUT_LIT(b, "}}");
}

void http_write_none(struct buf *b, const struct http_worker *w, const struct http_query *query,
	const struct http_decision *d, uint32_t retry_s)
{
	http_write_error(b, http_refusal_code(d->a.reason), answer_reason_text(d->a.reason));
	if (b->overflow)
		return;
	b->p--; /* the object goes on */
	BUF_PUT_LIT(b, ",\"retry_after_s\":");
	buf_put_u64_dec(b, retry_s);
	if (query->explain) {
		BUF_PUT_LIT(b, ",\"explain\":");
		http_write_explain(b, w, query, d);
	}
	buf_put_u8(b, '}');
}
