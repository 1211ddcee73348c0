/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tencent (DNSPod) HTTPDNS: GET or POST /d and /conf, as text/plain; plain, with a token, or sealed
 * by AES or DES under an account. What is sealed cannot be told from noise (neither form has a
 * mac), so a text that does not open, or opens to no host of ours, gets what an unknown host gets:
 * a sealed nothing.
 */
#include "http/cipher.h"
#include "http/dialect.h"

/* The worker's scratch: what is opened, the answer (ten hosts of 32 addresses of each family, and
 * their names), the answer sealed. */
enum { HOSTS = 10, OPENED = 8192, TEXT = 24576, CONF_MINUTES = 60 };

struct asked {
	struct http_query query;
	struct str hosts;
	struct str key; /* empty: the reply is plain */
	enum http_cipher cipher;
	bool ttl, client, named, both;
	uint8_t aes[HTTP_AES_KEY];
	const struct keys_account *account; /* that a token or a seal shows to ask, or NULL */
};

/* An AES key shorter than 16 is filled up with '0'; of a DES key 8 octets count. */
static bool take_key(
	struct asked *a, const struct http_worker *w, const struct keys_account *c, struct str alg)
{
	const struct keys_view *k = w->worker.keys;
	struct str secret;

	if (str_eq_ci(alg, STR_LIT("aes"))) {
		secret = keys_secret_at(k, c->aes);
		if (secret.n == 0 || secret.n > sizeof(a->aes))
			return false;
		memset(a->aes, '0', sizeof(a->aes));
		memcpy(a->aes, secret.p, secret.n);
		a->key = (struct str){(const char *)a->aes, sizeof(a->aes)};
		a->cipher = HTTP_AES_CBC;
		return true;
	}
	if (alg.n && !str_eq_ci(alg, STR_LIT("des")))
		return false;
	secret = keys_secret_at(k, c->des);
	a->key = (struct str){secret.p, HTTP_DES_KEY};
	a->cipher = HTTP_DES_ECB;
	return secret.n >= HTTP_DES_KEY;
}

/* Who asks, and what the reply is sealed with: by token, by account and cipher, or open to all. */
static bool admit(const struct http_worker *w, const struct httpd_request *rq, struct asked *a)
{
	struct str token = http_param(rq, STR_LIT("token")), id = http_param(rq, STR_LIT("id"));
	struct str alg = http_param(rq, STR_LIT("alg"));
	struct http_asker who;

	a->key = (struct str){NULL, 0};
	who = token.n ? http_asker_by_token(w, token) : http_asker_named(w, id);
	a->account = who.account;
	if (token.n)
		return who.admitted;
	if (id.n == 0 && alg.n == 0)
		return !http_signed_only(w);
	return who.account && take_key(a, w, who.account, alg);
}

static bool open_param(const struct asked *a, struct str value, struct buf *b, struct str *ret)
{
	struct str sealed;

	return http_unhex(value, b, &sealed) && http_cipher_open(a->cipher, a->key, sealed, b, ret);
}

/* Hosts and address, opened where they are sealed. An address may be given openly all the same. */
static bool read_asked(struct http_worker *w, const struct httpd_request *rq, struct asked *a)
{
	struct str ip = http_param(rq, STR_LIT("ip")), type = http_param(rq, STR_LIT("type"));
	struct buf b = buf_over(w->scratch, OPENED);

	a->hosts = http_param(rq, STR_LIT("dn"));
	a->ttl = str_eq(http_param(rq, STR_LIT("ttl")), STR_LIT("1"));
	a->client = str_eq(http_param(rq, STR_LIT("clientip")), STR_LIT("1"));
	a->both = str_eq_ci(type, STR_LIT("addrs"));
	a->query.aaaa = a->both || str_eq_ci(type, STR_LIT("aaaa"));
	a->query.a = a->both || !a->query.aaaa;
	if (a->key.n && !open_param(a, a->hosts, &b, &a->hosts))
		return false;
	if (!http_asker_passes(w, rq, a->account))
		return false;
	a->named = str_eq(http_param(rq, STR_LIT("query")), STR_LIT("1")) ||
		   (a->hosts.n && memchr(a->hosts.p, ',', a->hosts.n));
	if (ip.n == 0 || ip_parse(ip, &a->query.ip))
		return true;
	return a->key.n && open_param(a, ip, &b, &ip) && ip_parse(ip, &a->query.ip);
}

static void put_list(struct buf *b, const uint8_t *records, uint32_t n, bool v6)
{
	size_t size = v6 ? CAT_AAAA_RR_SIZE : CAT_A_RR_SIZE, octets = v6 ? 16 : 4;

	for (uint32_t i = 0; i < n; i++) {
		struct ip ip = {.family = v6 ? IP_V6 : IP_V4};

		memcpy(ip.b, records + (i + 1) * size - octets, octets);
		if (i)
			buf_put_u8(b, ';');
		ip_put(b, ip);
	}
}

/* A;A,TTL of a family; where there is none a 0, which alone and unnamed is left out. */
static void put_family(
	struct buf *b, const struct asked *a, const struct http_addrs *addrs, bool v6)
{
	uint32_t n = v6 ? addrs->n_aaaa : addrs->n_a;

	put_list(b, v6 ? addrs->aaaa : addrs->a, n, v6);
	if (n && a->ttl) {
		buf_put_u8(b, ',');
		buf_put_u64_dec(b, addrs->ttl_s);
	}
	if (n == 0 && (a->both || a->named))
		buf_put_u8(b, '0');
}

static void put_host(struct buf *b, struct http_worker *w, struct asked *a)
{
	struct http_addrs addrs;
	uint8_t *start = b->p;

	(void)http_addrs_decide(w, &a->query, &addrs);
	if (a->named) {
		buf_put_str(b, a->query.host);
		BUF_PUT_LIT(b, ".:");
	}
	if (!a->both)
		put_family(b, a, &addrs, a->query.aaaa);
	else if (addrs.n_a + addrs.n_aaaa || a->named) {
		put_family(b, a, &addrs, false);
		buf_put_u8(b, '-');
		put_family(b, a, &addrs, true);
	}
	if (a->client && b->p != start) {
		buf_put_u8(b, '|');
		ip_put(b, a->query.ip);
	}
}

/* One line for each host; false: nothing that can be asked. */
static bool put_hosts(struct buf *b, struct http_worker *w, struct asked *a)
{
	struct str hosts = a->hosts;
	uint32_t n = http_count_hosts(hosts);

	if (n == 0 || n > HOSTS)
		return false;
	while (hosts.n) {
		a->query.host = str_cut(&hosts, ',');
		if (a->query.host.p[a->query.host.n - 1] == '.')
			a->query.host.n--;
		put_host(b, w, a);
		if (hosts.n)
			buf_put_u8(b, '\n');
	}
	return true;
}

/* The text as it is, or sealed in hexadecimal digits. */
static void reply_text(struct http_worker *w, const struct asked *a, const struct buf *text,
	struct httpd_reply *rp)
{
	uint8_t *rest = w->scratch + OPENED + TEXT;
	struct buf sealed = buf_over(rest, sizeof(w->scratch) - OPENED - TEXT);
	struct str plain = {(const char *)text->base, buf_len(text)};

	if (text->overflow)
		rp->status = 500;
	else if (a->key.n == 0)
		buf_put_str(&rp->body, plain);
	else if (!http_cipher_seal(a->cipher, a->key, plain, &sealed) || sealed.overflow)
		rp->status = 500;
	else
		http_put_hex(&rp->body, sealed.base, buf_len(&sealed));
}

/* Refusals have a status and no text. */
static bool enter(const struct http_worker *w, const struct httpd_request *rq,
	struct httpd_reply *rp, struct asked *a)
{
	rp->type = "text/plain";
	if (!(rq->method & (HTTPD_GET | HTTPD_HEAD | HTTPD_POST)))
		rp->status = 501;
	else if (!admit(w, rq, a))
		rp->status = 404;
	return rp->status == 200;
}

void http_door_tencent_d(
	struct http_worker *w, const struct httpd_request *rq, struct httpd_reply *rp)
{
	struct asked a = {.query = http_query_of(rq->client)};
	struct buf text = buf_over(w->scratch + OPENED, TEXT);

	if (!enter(w, rq, rp, &a))
		return;
	if (!read_asked(w, rq, &a) || !put_hosts(&text, w, &a))
		text.p = text.base;
	reply_text(w, &a, &text, rp);
	explicit_bzero(a.aes, sizeof(a.aes));
}

/* Where to ask from now on. log and domain are off: an SDK reports to its vendor otherwise. */
void http_door_tencent_conf(
	struct http_worker *w, const struct httpd_request *rq, struct httpd_reply *rp)
{
	struct asked a = {.query = http_query_of(rq->client)};
	struct buf text = buf_over(w->scratch + OPENED, TEXT);
	struct ip ips[HTTP_MAX_SERVERS];
	uint32_t n;

	if (!enter(w, rq, rp, &a))
		return;
	n = http_servers(w, rq, false, ips, SL_COUNT(ips));
	BUF_PUT_LIT(&text, "log:0|domain:0|ip:");
	for (uint32_t i = 0; i < n; i++) {
		if (i)
			buf_put_u8(&text, ';');
		ip_put(&text, ips[i]);
	}
	BUF_PUT_LIT(&text, "|ttl:");
	buf_put_u64_dec(&text, CONF_MINUTES);
	reply_text(w, &a, &text, rp);
	explicit_bzero(a.aes, sizeof(a.aes));
}
