/* SPDX-License-Identifier: Apache-2.0 */
#include "dns/answer.h"

#include "base/hash.h"
#include "dns/memo.h"
#include "dns/reply.h"

#include <stdlib.h>

int dnsd_guest_init(struct dnsd_worker *d, const struct dnsd_settings *set)
{
	*d = (struct dnsd_worker){.set = set};
	d->memo = calloc(MEMO_SIZE, sizeof(*d->memo));
	d->asked = calloc(ASKED_SIZE, sizeof(*d->asked));
	return d->memo && d->asked ? 0 : SL_ENOMEM;
}

void dnsd_guest_done(struct dnsd_worker *d)
{
	free(d->memo);
	free(d->asked);
	d->memo = NULL;
	d->asked = NULL;
}

int dnsd_worker_init(struct dnsd_worker *d, const struct workers *all, uint32_t index,
	const struct dnsd_settings *set)
{
	int rc = dnsd_guest_init(d, set);

	return rc ? rc : worker_init(&d->w, all, index);
}

void dnsd_worker_done(struct dnsd_worker *d)
{
	worker_done(&d->w);
	dnsd_guest_done(d);
}

static void take_secrets(struct dnsd_worker *d)
{
	struct str all;

	if (!d->w.keys || d->w.keys->head->checksum == d->secrets_sum)
		return;
	all = keys_secret(d->w.keys, STR_LIT(KEYS_DNS_COOKIE));
	d->secrets_sum = d->w.keys->head->checksum;
	d->secrets.n = (uint32_t)SL_MIN(all.n / DNS_COOKIE_SECRET, (size_t)DNS_COOKIE_SECRETS);
	if (d->secrets.n)
		memcpy(d->secrets.key, all.p, d->secrets.n * (size_t)DNS_COOKIE_SECRET);
}

/* The view, when what it stands for has changed. */
static void renew_view(struct dnsd_worker *d)
{
	const struct world *w = d->w.world;

	if (!w)
		return;
	if (d->view_tick == w->tick.head->checksum && d->view_catalogue == w->cat.head->checksum &&
		memcmp(&d->view_full, &d->w.full, sizeof(d->view_full)) == 0)
		return;
	d->view_tick = w->tick.head->checksum;
	d->view_catalogue = w->cat.head->checksum;
	d->view_full = d->w.full;
	if (++d->view == 0) { /* once in 2^32 ticks and budgets */
		memset(d->memo, 0, MEMO_SIZE * sizeof(*d->memo));
		memset(d->asked, 0, ASKED_SIZE * sizeof(*d->asked));
		d->view = 1;
	}
}

void dnsd_round(struct dnsd_worker *d)
{
	worker_round(&d->w);
	take_secrets(d);
	renew_view(d);
}

static void count(struct dnsd_worker *d, unsigned rcode)
{
	static const uint8_t id[] = {
		[DNS_NOERROR] = TALLY_DNS_NOERROR,
		[DNS_FORMERR] = TALLY_DNS_FORMERR,
		[DNS_SERVFAIL] = TALLY_DNS_SERVFAIL,
		[DNS_NXDOMAIN] = TALLY_DNS_NXDOMAIN,
		[DNS_NOTIMP] = TALLY_DNS_NOTIMP,
		[DNS_REFUSED] = TALLY_DNS_REFUSED,
		[DNS_YXDOMAIN] = TALLY_DNS_NOERROR,
		[DNS_BADVERS] = TALLY_DNS_BADVERS,
		[DNS_BADCOOKIE] = TALLY_DNS_BADCOOKIE,
	};

	tally_count(d->w.tally, id[rcode]);
}

/* What is refused before a name is looked up; DNS_NOERROR for what is not. */
static unsigned judge(struct reply *r)
{
	const struct dns_query *q = r->q;

	if (q->class != DNS_CLASS_IN) { /* CHAOS tells nothing either */
		reply_ede(r, DNS_EDE_NOT_SUPPORTED, (struct str){0});
		return DNS_REFUSED;
	}
	switch (q->type) {
	case DNS_AXFR:
	case DNS_IXFR:
		reply_ede(r, DNS_EDE_NOT_SUPPORTED, (struct str){0});
		return DNS_REFUSED;
	case DNS_OPT:
		return DNS_FORMERR;
	case DNS_NXNAME: /* RFC 9824 section 3.4 */
		reply_ede(r, DNS_EDE_INVALID_TYPE, (struct str){0});
		return DNS_FORMERR;
	case DNS_TKEY:
	case DNS_TSIG:
	case DNS_MAILA:
	case DNS_MAILB:
		return DNS_NOTIMP;
	default:
		return DNS_NOERROR;
	}
}

static void fill(struct reply *r, struct dnsd_worker *d, int rc)
{
	if (rc != DNS_NOERROR) {
		r->rcode = (uint8_t)rc;
		return;
	}
	if (r->q->question_n == 0) { /* only the cookie was asked for, RFC 7873 section 5.4 */
		r->rcode = r->cookie == DNS_COOKIE_BAD ? DNS_BADCOOKIE : DNS_NOERROR;
		return;
	}
	r->rcode = (uint8_t)judge(r);
	if (r->rcode)
		return;
	if (!d->w.world) {
		tally_count(d->w.tally, TALLY_WORLD_MISSING);
		r->rcode = DNS_SERVFAIL;
		reply_ede(r, DNS_EDE_NOT_READY, (struct str){0});
		return;
	}
	reply_lookup(r, d);
}

/* Header and OPT, when all else stands. A cut answer keeps the question only (RFC 2181 section 9).
 */
static size_t finish(struct reply *r, struct dnsd_worker *d, uint8_t *limit)
{
	const struct dns_query *q = r->q;
	uint8_t *h = r->b.base;
	unsigned flags =
		DNS_QR | (q->flags & (DNS_RD | 15u << DNS_OPCODE_SHIFT)) | (r->rcode & 15u);

	if (r->truncated) {
		r->b.p = h + DNS_HEADER + q->question_n;
		r->b.overflow = false;
		r->n_answer = r->n_authority = r->n_additional = 0;
		flags |= DNS_TC;
		tally_count(d->w.tally, TALLY_DNS_TRUNCATED);
	}
	if (r->aa)
		flags |= DNS_AA;
	r->b.end = limit;
	if (q->opt.there) {
		r->opt.rcode_high = r->rcode >> 4;
		dns_opt_put(&r->b, &q->opt, &r->opt);
		r->n_additional++;
	}
	memcpy(h, q->msg, 2);
	dns_put_be16(h + 2, flags);
	dns_put_be16(h + 4, q->question_n != 0);
	dns_put_be16(h + 6, r->n_answer);
	dns_put_be16(h + 8, r->n_authority);
	dns_put_be16(h + 10, r->n_additional);
	return buf_len(&r->b);
}

/* Octets the client takes (RFC 6891 section 6.2.5: under 512 is 512), and who may be somebody else
 * is sent. */
static size_t limit_of(const struct reply *r, enum dnsd_proto proto, size_t room)
{
	const struct dns_opt *o = &r->q->opt;
	size_t most = o->there ? SL_MAX(o->udp_size, 512) : 512;

	if (proto != DNSD_UDP)
		return SL_MIN(room, (size_t)DNSD_OUT_MAX);
	most = SL_MIN(SL_MIN(most, (size_t)SL_DNS_UDP_MAX), room);
	return r->cookie == DNS_COOKIE_GOOD ? most
					    : SL_MIN(most, (size_t)DNSD_AMPLIFICATION * r->job->n);
}

static void take_cookie(struct reply *r, const struct dnsd_worker *d)
{
	const struct dns_secrets *s = &d->secrets;
	uint32_t now_s = (uint32_t)(d->w.now_ms / 1000);

	if (!r->q->opt.cookie_n)
		return;
	r->cookie = dns_cookie_check(s, &r->q->opt, r->job->client, now_s);
	if (r->cookie == DNS_COOKIE_NONE)
		return;
	r->opt.cookie = true;
	dns_cookie_make(s, &r->q->opt, r->job->client, now_s, r->opt.cookie_octets);
}

/* Member by member: the room for a cookie is not worth clearing for every answer. */
static void begin(struct reply *r, const struct dnsd_worker *d, const struct dnsd_job *job)
{
	r->job = job;
	r->q = &job->q;
	r->n_answer = r->n_authority = r->n_additional = 0;
	r->rcode = DNS_NOERROR;
	r->cookie = DNS_COOKIE_NONE;
	r->aa = r->truncated = false;
	r->opt.scope = r->opt.rcode_high = 0;
	r->opt.cookie = false;
	r->opt.ede = DNS_EDE_NONE;
	r->opt.ede_text = (struct str){0};
	r->opt.nsid = d->set->nsid;
	r->name_n = job->q.name_n;
	r->labels = job->q.labels;
	r->follow = false;
	r->owner = DNS_HEADER;
	take_cookie(r, d);
}

static bool exempt(const struct dnsd_worker *d, struct ip client)
{
	for (uint32_t i = 0; i < d->set->n_exempt; i++) {
		const struct dnsd_prefix *p = &d->set->exempt[i];

		if (p->ip.family == client.family && ip_eq(ip_mask(client, p->len), p->ip))
			return true;
	}
	return dns_rrl_learned(d->set->rrl, client, d->w.now_ms);
}

/* Rate limit of who may be somebody else. false: no answer. */
static SL_FLATTEN bool within_rate(struct reply *r, struct dnsd_worker *d)
{
	const struct dnsd_settings *set = d->set;
	const struct dnsd_job *job = r->job;
	uint64_t name = job->name ? (uint64_t)(job->name - d->w.world->cat.dnames) + 1 : 0;
	bool slips;

	if (dns_rrl_count(set->rrl, job->client, name << 8 | r->rcode, d->w.now_ms))
		return true;
	if (ip_is_loopback(job->client)) { /* is counted, and never held back */
		tally_count(d->w.tally, TALLY_DNS_RRL_DROPPED);
		return true;
	}
	if (exempt(d, job->client))
		return true;
	slips = set->slip && ++d->held % set->slip == 0;
	tally_count(d->w.tally, slips ? TALLY_DNS_RRL_SLIPPED : TALLY_DNS_RRL_DROPPED);
	if (set->dry_run)
		return true;
	r->truncated |= slips;
	return slips;
}

/* What is at the question's name, NULL when it is not there as a whole; remembered in *a, if any.
 */
static const struct cat_dname *find_name(
	const struct dnsd_worker *d, const struct dns_query *q, struct asked *a)
{
	const struct cat_view *c = &d->w.world->cat;
	const struct cat_dname *found;
	uint8_t name[SL_DNS_NAME_MAX];

	if (q->labels > c->meta->max_labels)
		return NULL;
	dns_name_lower(q, name);
	found = cat_find_dname(c, name, q->name_n);
	if (found && a) {
		a->view = d->view;
		a->name = (uint32_t)(found - c->dnames);
		a->known.n = q->name_n;
		a->known.labels = q->labels;
		memcpy(a->known.octets, dns_name(q), q->name_n);
	}
	return found;
}

void dnsd_read(struct dnsd_worker *d, struct dnsd_job *job, const uint8_t *msg, size_t n)
{
	const struct world *w = d->w.world;
	struct asked *a = NULL;

	if (d->view && n >= DNS_HEADER + ASKED_HEAD)
		a = asked_at(d->asked, msg + DNS_HEADER);
	job->rc = dns_parse(msg, n, a ? &a->known : NULL, &job->q);
	job->n = (uint32_t)n;
	job->located = false;
	job->name = NULL;
	if (job->rc == DNS_NOERROR && job->q.question_n && w)
		job->name = job->q.is_known && a->view == d->view ? &w->cat.dnames[a->name]
								  : find_name(d, &job->q, a);
}

void dnsd_approach(struct dnsd_worker *d, const struct dnsd_job *job, unsigned part)
{
	__asm__ volatile(""); /* as in geo_prefetch */
	if (job->name && job->q.opt.has_ecs)
		geo_prefetch(d->w.world->geo, job->q.opt.ecs, part);
}

SL_FLATTEN void dnsd_locate(struct dnsd_worker *d, struct dnsd_job *job)
{
	if (!job->name || job->name->kind != CAT_DNAME_SERVICE)
		return;
	reply_locate(d->w.world, job, job->name->service);
	seen_prefetch(d->w.all->seen, job->key);
	__builtin_prefetch(job->row);
	__builtin_prefetch(job->row + 1); /* where its second half may lie */
}

void dnsd_approach_seat(struct dnsd_worker *d, const struct dnsd_job *job)
{
	__asm__ volatile("");
	if (job->located)
		__builtin_prefetch(d->w.world->tick.sticky + job->row->sticky.first);
}

SL_FLATTEN void dnsd_seat(struct dnsd_worker *d, struct dnsd_job *job)
{
	const struct tally_slot *counted;

	if (!job->located)
		return;
	reply_seat(d, job, job->name->service);
	if (!job->memo)
		return;
	__builtin_prefetch(job->memo, 1);
	counted = &d->w.tally->row[job->name->service][job->place.group].slot[job->slot];
	__builtin_prefetch(&counted->fresh, 1);
	__builtin_prefetch(&counted->sticky_kbps, 1);
}

/* TCP shows that the client is there; over UDP only a cookie does. */
static bool goes_out(struct reply *r, struct dnsd_worker *d, enum dnsd_proto proto)
{
	struct dns_rrl *rrl = d->set->rrl;

	if (!rrl || r->cookie == DNS_COOKIE_GOOD)
		return true;
	if (proto == DNSD_UDP)
		return within_rate(r, d);
	dns_rrl_learn(rrl, r->job->client, d->w.now_ms);
	return true;
}

size_t dnsd_answer(struct dnsd_worker *d, const struct dnsd_job *job, enum dnsd_proto proto,
	uint8_t *out, size_t room)
{
	static const enum tally_id queries[] = {
		TALLY_DNS_UDP_QUERIES, TALLY_DNS_TCP_QUERIES, TALLY_DNS_HTTPS_QUERIES};
	const struct dns_query *q = &job->q;
	struct reply r;
	size_t limit;

	tally_count(d->w.tally, queries[proto]);
	if (job->rc == DNS_DROP) {
		tally_count(d->w.tally, TALLY_DNS_DROPPED);
		return 0;
	}
	if (q->opt.has_ecs)
		tally_count(d->w.tally, TALLY_DNS_ECS);
	begin(&r, d, job);
	limit = limit_of(&r, proto, room);
	r.b = (struct buf){.base = out,
		.p = out + DNS_HEADER,
		.end = out + limit - dns_opt_size(&q->opt, &r.opt)};
	buf_put(&r.b, q->msg + DNS_HEADER, q->question_n);
	fill(&r, d, job->rc);
	if (!goes_out(&r, d, proto))
		return 0;
	count(d, r.rcode);
	return finish(&r, d, out + limit);
}

size_t dnsd_handle(struct dnsd_worker *d, const uint8_t *msg, size_t n, struct ip client,
	enum dnsd_proto proto, uint8_t *out, size_t room)
{
	struct dnsd_job job;

	job.client = client;
	dnsd_read(d, &job, msg, n);
	dnsd_locate(d, &job);
	dnsd_seat(d, &job);
	return dnsd_answer(d, &job, proto, out, room);
}

/* What one answer over HTTPS brings is what one over DNS does: there is a resolver behind
 * it. */
size_t dnsd_guest_handle(struct dnsd_worker *d, struct worker *host, const uint8_t *msg, size_t n,
	struct ip client, uint8_t *out, size_t room)
{
	size_t len;

	d->w = *host;
	d->w.door = TALLY_DOOR_DNS;
	renew_view(d);
	len = dnsd_handle(d, msg, n, client, DNSD_HTTPS, out, room);
	host->sampled_ms = d->w.sampled_ms;
	return len;
}
