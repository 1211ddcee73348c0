/* SPDX-License-Identifier: Apache-2.0 */
#include "collect/intake.h"

#include "base/hash.h"
#include "collect/books.h"

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

uint32_t collect_intake_vendor(const struct collect_intake *in, struct str name)
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
	if (w && w->cat.head->checksum != in->catalogue)
		learn_vendors(in);
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

enum collect_refusal collect_intake_time(
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

/* Has the tick thread know the name behind a stream's hash. */
static uint64_t stream_of(struct collect_intake *in, struct str name)
{
	uint64_t h = hash64(name.p, name.n, in->seed);
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

/* Room for one more record of this source, NULL when the batch is full. */
static struct collect_record *add(struct collect_intake *in)
{
	struct collect_batch *b = in->batch;

	if (b->n == COLLECT_BATCH) {
		b->counts[in->test][in->source].dropped++;
		return NULL;
	}
	b->counts[in->test][in->source].accepted++;
	b->counts[in->test][in->source].last_ms = in->now_ms;
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
	to->stream = stream_of(in, r->text.stream);
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

/* A first frame is of a pull attempt: one that comes alone is taken for a good end of it only when
 * the report says so, and else for a heartbeat that repeats it. */
struct collect_verdict collect_intake_report(void *ctx, const struct collect_report *r)
{
	struct collect_intake *in = ctx;
	struct collect_sender s = in->sender;
	uint32_t vendor = collect_intake_vendor(in, r->text.vendor);
	uint64_t t_ms = in->now_ms;
	enum collect_refusal why = COLLECT_ACCEPTED;
	struct collect_record *to;
	struct ip ip;

	if (vendor == BLOB_NONE)
		return verdict(COLLECT_VENDOR, COLLECT_F_vendor);
	if (collect_has(r, COLLECT_F_t_ms))
		why = collect_intake_time(in, r->num.t_ms, &t_ms);
	if (why)
		return verdict(why, COLLECT_F_t_ms);
	if (collect_has(r, COLLECT_F_kind) && !str_eq(r->text.kind, STR_LIT("play"))) {
		if (!str_eq(r->text.kind, STR_LIT("push")))
			return verdict(COLLECT_KIND, COLLECT_F_kind);
		in->batch->counts[in->test][COLLECT_PUSH].accepted++;
		in->batch->counts[in->test][COLLECT_PUSH].last_ms = in->now_ms;
		return verdict(COLLECT_ACCEPTED, COLLECT_FIELDS);
	}
	if (collect_has(r, COLLECT_F_ip)) {
		if (!ip_parse(r->text.ip, &ip))
			return verdict(COLLECT_IP, COLLECT_F_ip);
		if (s.trusted)
			place(in, ip, &s);
	}
	if (s.trusted) /* speaks for many: sampled by session */
		s.keep = (uint32_t)(hash64(r->text.session.p, r->text.session.n, in->seed + 2) >>
				    32);
	if (!collect_kept(s.keep, in->keep_ppm)) {
		in->batch->counts[in->test][in->source].shed++;
		return verdict(COLLECT_ACCEPTED, COLLECT_FIELDS);
	}
	to = add(in);
	if (!to)
		return verdict(COLLECT_ACCEPTED, COLLECT_FIELDS);
	fill(in, r, &s, to);
	to->t_ms = t_ms;
	to->vendor = (uint8_t)vendor;
	to->keep = s.keep;
	return verdict(COLLECT_ACCEPTED, COLLECT_FIELDS);
}

struct collect_verdict collect_intake_line(struct collect_intake *in, const struct collect_line *l)
{
	uint32_t vendor = collect_intake_vendor(in, l->vendor);
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
	to = add(in);
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
