/* SPDX-License-Identifier: Apache-2.0 */
#include "collect/intake.h"

#include "base/hash.h"
#include "collect/books.h"
#include "scoring/ingest.h"

#include <math.h>

enum { TELL_AGAIN_MS = 20000, NET_V4 = 24, NET_V6 = 48 };

static struct collect_verdict verdict(enum collect_refusal r, enum collect_field f)
{
	return (struct collect_verdict){r, f};
}

/* Small letters, no final dot: as host names compare. */
static uint64_t name_hash(const struct collect_intake *in, struct str name)
{
	char low[SL_DNS_NAME_MAX];

	if (name.n && name.p[name.n - 1] == '.')
		name.n--;
	if (name.n > sizeof(low))
		return 0;
	for (size_t i = 0; i < name.n; i++)
		low[i] =
			name.p[i] >= 'A' && name.p[i] <= 'Z' ? (char)(name.p[i] | 0x20) : name.p[i];
	return hash64(low, name.n, in->seed);
}

static void learn(struct collect_intake *in, struct str name, uint32_t vendor)
{
	uint64_t h = name_hash(in, name);
	uint32_t at = (uint32_t)h % COLLECT_VENDOR_SLOTS;

	while (in->vendor[at].vendor && in->vendor[at].hash != h)
		at = (at + 1) % COLLECT_VENDOR_SLOTS;
	if (in->vendor[at].vendor)
		return; /* a name before a host, an earlier host before a later one */
	in->vendor[at].hash = h;
	in->vendor[at].vendor = vendor + 1;
}

/* Names of active vendors, and their CNAMEs. */
static void learn_vendors(struct collect_intake *in)
{
	const struct cat_view *c = &in->world->cat;

	_Static_assert(
		COLLECT_VENDOR_SLOTS >= 2 * (SL_MAX_VENDORS + SL_MAX_SERVICES * SL_MAX_SLOTS),
		"a free slot ends each search");
	memset(in->vendor, 0, sizeof(in->vendor));
	for (uint32_t v = 0; v < c->n_vendors; v++)
		if (c->vendors[v].active)
			learn(in, cat_text(c, c->vendors[v].name), v);
	for (uint32_t i = 0; i < c->n_slots; i++)
		if (c->slots[i].cname_text.count && c->vendors[c->slots[i].vendor].active)
			learn(in, cat_text(c, c->slots[i].cname_text), c->slots[i].vendor);
	in->catalogue = c->head->checksum;
}

/* The entry of a hash in the table of ingests, or the free one where it would be. */
static uint32_t ingest_slot(const struct collect_intake *in, uint64_t h)
{
	uint32_t at = (uint32_t)h % COLLECT_INGEST_SLOTS;

	while (in->ingest[at].service && in->ingest[at].hash != h)
		at = (at + 1) % COLLECT_INGEST_SLOTS;
	return at;
}

static uint64_t ingest_hash(const struct collect_intake *in, struct str name, uint32_t service)
{
	return hash_mix(hash64(name.p, name.n, in->seed + 3), service + 1);
}

static void learn_ingest(struct collect_intake *in, uint64_t h, uint32_t service)
{
	uint32_t at = ingest_slot(in, h);

	in->ingest[at].many = in->ingest[at].service && in->ingest[at].service != service + 1;
	in->ingest[at].hash = h;
	in->ingest[at].service = service + 1;
}

static void learn_ingests(struct collect_intake *in)
{
	const struct cat_view *c = &in->world->cat;

	_Static_assert((int)COLLECT_INGEST_SLOTS >= 4 * SL_MAX_SERVICES * INGEST_MAX,
		"a free slot ends each search");
	memset(in->ingest, 0, sizeof(in->ingest));
	for (uint32_t s = 0; s < c->n_service_plays; s++)
		for (uint32_t i = 0; i < c->service_plays[s].ingests.count; i++) {
			const struct cat_ingest *from =
				&c->ingests[c->service_plays[s].ingests.first + i];
			struct str name = cat_text(c, from->name);

			learn_ingest(in, ingest_hash(in, name, BLOB_NONE), s);
			learn_ingest(in, ingest_hash(in, name, s), s);
		}
}

/* Which service's ingest a pusher speaks of: the host's it asked for, else the only one that has
 * one of this name. */
static struct collect_verdict find_ingest(
	const struct collect_intake *in, const struct collect_report *r, uint32_t *ret_service)
{
	const struct cat_dname *host = NULL;
	uint32_t at;

	if (collect_has(r, COLLECT_F_host)) {
		host = cat_find_host(&in->world->cat, r->text.host);
		if (!host)
			return verdict(COLLECT_INGEST, COLLECT_F_host);
	}
	at = ingest_slot(in, ingest_hash(in, r->text.node, host ? host->service : BLOB_NONE));
	if (!in->ingest[at].service)
		return verdict(COLLECT_INGEST, COLLECT_F_node);
	if (in->ingest[at].many)
		return verdict(COLLECT_MISSING, COLLECT_F_host);
	*ret_service = in->ingest[at].service - 1;
	return verdict(COLLECT_ACCEPTED, COLLECT_FIELDS);
}

/* Id of a vendor by name or by a host that is a CNAME of it, BLOB_NONE when there is none that is
 * active. */
static uint32_t vendor_of_name(const struct collect_intake *in, struct str name)
{
	uint64_t h = name_hash(in, name);
	uint32_t at = (uint32_t)h % COLLECT_VENDOR_SLOTS;

	for (; in->vendor[at].vendor; at = (at + 1) % COLLECT_VENDOR_SLOTS)
		if (in->vendor[at].hash == h) /* 64 bits with a secret seed name one */
			return in->vendor[at].vendor - 1;
	return BLOB_NONE;
}

void collect_intake_round(
	struct collect_intake *in, const struct world *w, uint64_t now_ms, uint32_t keep_ppm)
{
	in->world = w;
	in->now_ms = now_ms;
	in->keep_ppm = keep_ppm;
	if (w && w->cat.head->checksum != in->catalogue) {
		learn_ingests(in);
		learn_vendors(in);
	}
	if (now_ms - in->told_ms > TELL_AGAIN_MS) {
		memset(in->told, 0, sizeof(in->told));
		in->told_ms = now_ms;
	}
}

static void place(const struct collect_intake *in, struct ip a, struct collect_sender *s)
{
	struct geo_hit hit;
	struct ip net;

	a = ip_embedded_v4(a);
	net = ip_mask(a, a.family == IP_V4 ? NET_V4 : NET_V6);
	geo_lookup(in->world->geo, a, &hit);
	s->client = a;
	s->group = hit.group;
	s->address = hash64(&a, sizeof(a), in->seed);
	s->net = hash64(&net, sizeof(net), in->seed + 1);
}

void collect_intake_begin(
	struct collect_intake *in, enum collect_source source, struct ip client, bool trusted)
{
	in->source = source;
	in->test = false;
	in->sender.trusted = trusted;
	if (!in->world)
		return;
	place(in, client, &in->sender);
	in->sender.keep = (uint32_t)(hash_mix(in->sender.address, 'k') >> 32);
}

bool collect_intake_shed(struct collect_intake *in)
{
	if (in->sender.trusted || collect_kept(in->sender.keep, in->keep_ppm))
		return false;
	in->batch->counts[in->test][in->source].shed++;
	return true;
}

void collect_intake_refused(struct collect_intake *in, enum collect_refusal why)
{
	in->batch->counts[in->test][in->source].refused[why]++;
}

/* The sender's time, checked against this round's; its arrival when it gives none. */
static enum collect_refusal check_time(
	const struct collect_intake *in, double t_ms, uint64_t *ret_ms)
{
	double now_ms = (double)in->now_ms;

	if (t_ms > now_ms + COLLECT_AHEAD_MS)
		return COLLECT_FUTURE;
	if (t_ms < now_ms - COLLECT_MINUTE_MS)
		return COLLECT_OLD;
	*ret_ms = SL_MIN((uint64_t)t_ms, in->now_ms);
	return COLLECT_ACCEPTED;
}

/* Has the tick thread know the name behind a hash; gives the hash. */
static uint64_t tell_name(struct collect_intake *in, uint64_t h, struct str name)
{
	struct collect_batch *b = in->batch;
	uint16_t n = (uint16_t)name.n;
	uint8_t *p = b->text + b->text_used;

	if (in->told[h % COLLECT_TOLD] == h ||
		sizeof(b->text) - b->text_used < sizeof(h) + sizeof(n) + n)
		return h;
	in->told[h % COLLECT_TOLD] = h;
	memcpy(p, &h, sizeof(h));
	memcpy(p + sizeof(h), &n, sizeof(n));
	memcpy(p + sizeof(h) + sizeof(n), name.p, n);
	b->text_used += (uint32_t)(sizeof(h) + sizeof(n) + n);
	return h;
}

static void count(struct collect_intake *in, enum collect_source source)
{
	in->batch->counts[in->test][source].accepted++;
	in->batch->counts[in->test][source].last_ms = in->now_ms;
}

/* Room for one more record of this source, NULL when the batch is full. */
static struct collect_record *add(struct collect_intake *in, enum collect_source source)
{
	struct collect_batch *b = in->batch;

	if (b->n == COLLECT_BATCH) {
		b->counts[in->test][source].dropped++;
		return NULL;
	}
	count(in, source);
	b->catalogue = in->catalogue;
	return &b->record[b->n++];
}

static uint16_t flags_of(const struct collect_report *r)
{
	bool pull = collect_has(r, COLLECT_F_ok), ok = !pull || r->flag.ok;

	return (uint16_t)((pull ? COLLECT_PULL : 0) | (pull && ok ? COLLECT_PULL_OK : 0) |
			  (ok && collect_has(r, COLLECT_F_first_frame_ms) ? COLLECT_FIRST_FRAME
									  : 0) |
			  (r->n_stalls ? COLLECT_STALLED : 0) |
			  (collect_has(r, COLLECT_F_bitrate_kbps) ? COLLECT_BITRATE : 0) |
			  (r->stall_total_ms != UINT32_MAX ? COLLECT_STALL_TOTAL : 0) |
			  (r->state ? COLLECT_STATE : 0) | (r->starved ? COLLECT_STARVED : 0));
}

static void fill(struct collect_intake *in, const struct collect_report *r,
	const struct collect_sender *s, struct collect_record *to)
{
	to->session = hash64(r->text.session.p, r->text.session.n, in->seed);
	to->user = collect_has(r, COLLECT_F_user)
			   ? hash64(r->text.user.p, r->text.user.n, in->seed + 1)
			   : to->session;
	to->stream =
		tell_name(in, hash64(r->text.stream.p, r->text.stream.n, in->seed), r->text.stream);
	to->address = s->address;
	to->net = s->net;
	to->group = s->group;
	to->flags = (uint16_t)(flags_of(r) | (in->test ? COLLECT_TEST : 0));
	to->first_frame_us = to->flags & COLLECT_FIRST_FRAME
				     ? (uint32_t)llround(r->num.first_frame_ms * 1000)
				     : 0;
	to->kbps = to->flags & COLLECT_BITRATE ? (uint32_t)llround(r->num.bitrate_kbps) : 0;
	to->stall_total_ms = r->stall_total_ms;
	to->definition = to->client = COLLECT_WORD_NONE;
	if (collect_has(r, COLLECT_F_definition))
		to->definition = collect_definition(r->text.definition);
	if (collect_has(r, COLLECT_F_client_kind))
		to->client = collect_client(r->text.client_kind);
}

/* A report of a pusher, which may say something of an ingest. */
static void fill_push(struct collect_intake *in, const struct collect_report *r,
	const struct collect_sender *s, uint32_t service, struct collect_record *to)
{
	bool fps = collect_has(r, COLLECT_F_frame_rate), rtt = collect_has(r, COLLECT_F_rtt_ms);
	bool kbps = collect_has(r, COLLECT_F_bitrate_kbps), ends = collect_has(r, COLLECT_F_ok);

	*to = (struct collect_record){
		.session = hash64(r->text.session.p, r->text.session.n, in->seed),
		.ingest = tell_name(in, ingest_hash(in, r->text.node, service), r->text.node),
		.service = service,
		.address = s->address,
		.net = s->net,
		.group = s->group,
		.kbps = kbps ? (uint32_t)llround(r->num.bitrate_kbps) : 0,
		.frame_rate_mfps = fps ? (uint32_t)llround(r->num.frame_rate * 1000) : 0,
		.rtt_us = rtt ? (uint32_t)llround(r->num.rtt_ms * 1000) : 0,
		.flags = (uint16_t)(COLLECT_PUSHED | (in->test ? COLLECT_TEST : 0) |
				    (ends ? COLLECT_PULL : 0) |
				    (ends && r->flag.ok ? COLLECT_PULL_OK : 0) |
				    (kbps ? COLLECT_BITRATE : 0) | (fps ? COLLECT_FRAME_RATE : 0) |
				    (rtt ? COLLECT_RTT : 0))};
}

/* That what a report names is there: its vendor, its kind, of a push the ingest it is about. */
static struct collect_verdict check_names(const struct collect_intake *in,
	const struct collect_report *r, bool about, uint32_t *ret_vendor, uint32_t *ret_service)
{
	if (collect_has(r, COLLECT_F_vendor)) {
		*ret_vendor = vendor_of_name(in, r->text.vendor);
		if (*ret_vendor == BLOB_NONE)
			return verdict(COLLECT_VENDOR, COLLECT_F_vendor);
	}
	if (collect_has(r, COLLECT_F_kind) && !collect_is_push(r) &&
		!str_eq(r->text.kind, STR_LIT("play")))
		return verdict(COLLECT_KIND, COLLECT_F_kind);
	return about ? find_ingest(in, r, ret_service) : verdict(COLLECT_ACCEPTED, COLLECT_FIELDS);
}

/* Whom a report is about, and by what it is sampled. */
static struct collect_verdict speaker(
	const struct collect_intake *in, const struct collect_report *r, struct collect_sender *s)
{
	struct ip ip;

	if (collect_has(r, COLLECT_F_ip)) {
		if (!ip_parse(r->text.ip, &ip))
			return verdict(COLLECT_IP, COLLECT_F_ip);
		if (s->trusted)
			place(in, ip, s);
	}
	if (s->trusted) /* speaks for many: sampled by session */
		s->keep = (uint32_t)(hash64(r->text.session.p, r->text.session.n, in->seed + 2) >>
				     32);
	return verdict(COLLECT_ACCEPTED, COLLECT_FIELDS);
}

/* A first frame is of a pull attempt: one that comes alone is taken for a good end of it only when
 * the report says so, and else for a heartbeat that repeats it. */
struct collect_verdict collect_intake_report(void *ctx, const struct collect_report *r)
{
	struct collect_intake *in = ctx;
	struct collect_sender s = in->sender;
	bool push = collect_is_push(r), about = push && collect_has(r, COLLECT_F_node);
	enum collect_source source = push ? COLLECT_PUSH : in->source;
	uint32_t vendor = BLOB_NONE, service = 0;
	uint64_t t_ms = in->now_ms;
	struct collect_verdict v;
	struct collect_record *to;

	v = check_names(in, r, about, &vendor, &service);
	if (!v.refusal && collect_has(r, COLLECT_F_t_ms))
		v = verdict(check_time(in, r->num.t_ms, &t_ms), COLLECT_F_t_ms);
	if (!v.refusal)
		v = speaker(in, r, &s);
	if (v.refusal)
		return v;
	if (!collect_kept(s.keep, in->keep_ppm)) {
		in->batch->counts[in->test][source].shed++;
		return verdict(COLLECT_ACCEPTED, COLLECT_FIELDS);
	}
	if (push && !about) { /* says nothing of any ingest */
		count(in, source);
		return verdict(COLLECT_ACCEPTED, COLLECT_FIELDS);
	}
	to = add(in, source);
	if (!to)
		return verdict(COLLECT_ACCEPTED, COLLECT_FIELDS);
	if (push)
		fill_push(in, r, &s, service, to);
	else
		fill(in, r, &s, to);
	to->t_ms = t_ms;
	to->vendor = (uint8_t)vendor;
	to->keep = s.keep;
	return verdict(COLLECT_ACCEPTED, COLLECT_FIELDS);
}

struct collect_verdict collect_intake_line(struct collect_intake *in, const struct collect_line *l)
{
	uint32_t vendor = vendor_of_name(in, l->vendor);
	double now_ms = (double)in->now_ms;
	struct collect_sender s;
	struct collect_record *to;
	struct ip ip;

	if (vendor == BLOB_NONE)
		return verdict(COLLECT_VENDOR, COLLECT_F_vendor);
	if (!ip_parse(l->client, &ip))
		return verdict(COLLECT_IP, COLLECT_FIELDS);
	if (l->t_ms > now_ms + COLLECT_AHEAD_MS)
		return verdict(COLLECT_FUTURE, COLLECT_FIELDS);
	if (l->t_ms < now_ms - (double)l->delay_min * COLLECT_MINUTE_MS)
		return verdict(COLLECT_OLD, COLLECT_FIELDS);
	place(in, ip, &s);
	to = add(in, in->source);
	if (!to)
		return verdict(COLLECT_ACCEPTED, COLLECT_FIELDS);
	*to = (struct collect_record){.octets = l->octets,
		.t_ms = SL_MIN((uint64_t)l->t_ms, in->now_ms),
		.group = s.group,
		.vendor = (uint8_t)vendor,
		.flags = (uint16_t)(COLLECT_LOG | (in->test ? COLLECT_TEST : 0) |
				    (l->error ? COLLECT_LOG_ERROR : 0) |
				    (l->slow ? COLLECT_LOG_SLOW : 0))};
	return verdict(COLLECT_ACCEPTED, COLLECT_FIELDS);
}
