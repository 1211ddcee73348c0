/* SPDX-License-Identifier: Apache-2.0 */
#include "http/url.h"

#include "base/hash.h"
#include "http/sign.h"

void http_put_template(struct buf *b, struct str template, struct str stream)
{
	static const char mark[] = "{stream}";

	while (template.n) {
		const char *at = memmem(template.p, template.n, mark, sizeof(mark) - 1);
		size_t n = at ? (size_t)(at - template.p) : template.n;

		buf_put(b, template.p, n);
		if (!at)
			return;
		http_sign_put_escaped(b, stream, "");
		n += sizeof(mark) - 1;
		template = (struct str){template.p + n, template.n - n};
	}
}

/* The row of the table with the signer's overrides in place. */
static bool scheme_of(
	const struct cat_view *c, const struct cat_signer *s, struct http_sign_scheme *ret)
{
	const struct http_sign_scheme *known = http_sign_find(cat_text(c, s->scheme));

	if (!known)
		return false;
	*ret = *known;
	if (s->digest)
		ret->digest = s->digest - 1;
	if (s->time)
		ret->time = s->time - 1;
	if (s->means)
		ret->means = s->means - 1;
	if (s->input.count)
		ret->input = cat_text(c, s->input);
	if (s->url.count)
		ret->url = cat_text(c, s->url);
	return true;
}

bool http_put_signed(struct buf *b, struct http_worker *hw, uint32_t signer, struct str base,
	struct str path, struct str query, uint32_t validity_s, uint64_t key)
{
	const struct worker *w = &hw->worker;
	const struct cat_view *c = &w->world->cat;
	struct http_sign_args a = {.path = path,
		.query = query,
		.base = base,
		.memo = &hw->signatures,
		.now_s = w->now_ms / 1000,
		.validity_s = validity_s,
		.nonce = hash_mix(key, w->now_ms)};
	struct http_sign_scheme scheme;
	const struct cat_signer *s;

	if (signer == BLOB_NONE) {
		buf_put_str(b, path);
		if (query.n) {
			buf_put_u8(b, '?');
			buf_put_str(b, query);
		}
		return true;
	}
	s = &c->signers[signer];
	a.key = keys_secret(w->keys, cat_text(c, s->use_backup ? s->backup_key : s->key));
	a.id = cat_text(c, s->use_backup ? s->backup_key_id : s->key_id);
	if (a.key.n && scheme_of(c, s, &scheme) && http_sign_url(&scheme, &a, b) == 0)
		return true;
	tally_count(w->tally, TALLY_HTTP_UNSIGNED);
	return false;
}

static struct str without_dot(struct str host)
{
	if (host.n && host.p[host.n - 1] == '.')
		host.n--;
	return host;
}

static const struct cat_slot_play *slot_play(
	const struct world *w, const struct http_decision *d, uint8_t slot)
{
	return w->cat.n_slot_plays ? &w->cat.slot_plays[d->service->slots.first + slot] : NULL;
}

struct str http_slot_host(const struct world *w, const struct http_decision *d, uint8_t slot)
{
	const struct cat_slot_play *p = slot_play(w, d, slot);

	if (p && p->host.count)
		return without_dot(cat_text(&w->cat, p->host));
	return without_dot(
		cat_text(&w->cat, w->cat.slots[d->service->slots.first + slot].cname_text));
}

static bool binds_host(const struct cat_view *c, const struct cat_slot_play *p)
{
	struct http_sign_scheme scheme;

	return p && p->signer != BLOB_NONE && scheme_of(c, &c->signers[p->signer], &scheme) &&
	       http_sign_binds_host(&scheme);
}

bool http_same_but_host(const struct world *w, const struct http_decision *d, uint8_t a, uint8_t b)
{
	const struct cat_slot_play *pa = slot_play(w, d, a), *pb = slot_play(w, d, b);
	struct str port_a = http_slot_host(w, d, a), port_b = http_slot_host(w, d, b);

	if (!str_cut(&port_a, ':').n || !str_cut(&port_b, ':').n || !str_eq(port_a, port_b))
		return false;
	return !pa || !pb ||
	       (pa->https == pb->https && pa->signer == pb->signer && !binds_host(&w->cat, pa));
}

/* An address of the vendor, in brackets where its family wants them. */
static bool put_address(
	struct buf *b, const struct world *w, const struct http_decision *d, uint8_t slot)
{
	uint8_t record[CAT_AAAA_RR_SIZE];
	struct ip ip = {.family = IP_V4};
	struct target t;

	answer_target(w, &d->q, slot, d->stream, 1, &t);
	if (answer_records(w, &t, false, 1, record)) {
		memcpy(ip.b, record + CAT_A_RR_SIZE - 4, 4);
		ip_put(b, ip);
		return true;
	}
	if (!answer_records(w, &t, true, 1, record))
		return false;
	ip.family = IP_V6;
	memcpy(ip.b, record + CAT_AAAA_RR_SIZE - 16, 16);
	buf_put_u8(b, '[');
	ip_put(b, ip);
	buf_put_u8(b, ']');
	return true;
}

bool http_put_url(struct buf *b, struct http_worker *hw, const struct http_decision *d,
	uint8_t slot, struct str path, struct str query, uint32_t validity_s)
{
	const struct world *w = hw->worker.world;
	const struct cat_slot_play *p = slot_play(w, d, slot);
	struct str host = http_slot_host(w, d, slot);
	uint8_t *start = b->p;
	bool good = true;

	if (p && p->https)
		BUF_PUT_LIT(b, "https://");
	else
		BUF_PUT_LIT(b, "http://");
	if (host.n)
		buf_put_str(b, host);
	else
		good = put_address(b, w, d, slot);
	good = good && http_put_signed(b, hw, p ? p->signer : BLOB_NONE,
			       (struct str){(char *)start, (size_t)(b->p - start)}, path, query,
			       validity_s, d->q.key);
	if (!good || b->overflow)
		b->p = start;
	return good && !b->overflow;
}
