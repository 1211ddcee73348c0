/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ingest points by what pushers report: evidence per point and group, kept from tick to tick and
 * over a restart while it says anything, and the weights that it gives, in the tick; those that
 * probes find down have none.
 */
#include "base/hash.h"
#include "engine/engine_int.h"
#include "scoring/ingest.h"
#include "world/facts.h"

#include <stdlib.h>
#include <sys/mman.h>

#define NOTHING 0.05 /* voices: less is forgotten */

static const char magic[8] = {'S', 'L', 'U', 'I', 'N', 'G', 1, 1};

enum { ROWS = 32768 }; /* outlive the process; what is known beyond is forgotten with it */

/* Points by service and name, because places in a catalogue come and go. */
struct known {
	uint64_t name; /* hash */
	uint16_t service, group;
	struct ingest_evidence e;
	struct ingest_facts facts; /* of this tick; no voices: none */
};

/* The file, mapped shared: each row has a check of its own, so one that was being written when the
 * process ended is as good as none. */
struct kept {
	char magic[8];
	struct kept_row {
		uint64_t at_ms; /* when the evidence was so; 0: none */
		uint64_t name;
		uint16_t service, group;
		uint32_t spare;
		struct ingest_evidence e;
		uint64_t check; /* hash of what stands above */
	} row[ROWS];
};

/* Pages of groups that there are none of are never touched. */
struct engine_ingests {
	struct kept *kept;
	struct known *known; /* by service, group, name */
	uint32_t n, room;
	uint64_t last_ms;
	/* of the service at hand */
	struct ingest_evidence at[SL_MAX_GROUPS][INGEST_MAX];
	struct ingest_carrier carrier[SL_MAX_GROUPS][INGEST_MAX];
	/* of all, [group][ingest of the catalogue]; 0: whole */
	uint32_t weight_ppm[SL_MAX_GROUPS][SL_MAX_SERVICES * INGEST_MAX];
};

int engine_ingest_open(struct engine *e, struct errbuf *err)
{
	struct engine_ingests *s = mmap(NULL, sizeof(*s), PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (s == MAP_FAILED)
		return err_set(err, SL_ENOMEM, "engine: no memory for ingests");
	e->ingests = s;
	s->kept = engine_state_begin(e->dir, "ingest.state", sizeof(*s->kept), magic, err);
	return s->kept ? 0 : SL_EIO;
}

void engine_ingest_close(struct engine *e)
{
	free(e->ingest_down);
	if (!e->ingests)
		return;
	if (e->ingests->kept)
		(void)munmap(e->ingests->kept, sizeof(*e->ingests->kept));
	free(e->ingests->known);
	(void)munmap(e->ingests, sizeof(*e->ingests));
	e->ingests = NULL;
}

static int by_key(const void *a, const void *b)
{
	const struct known *x = a, *y = b;

	if (x->service != y->service)
		return x->service < y->service ? -1 : 1;
	if (x->group != y->group)
		return x->group < y->group ? -1 : 1;
	return x->name < y->name ? -1 : x->name > y->name;
}

static uint64_t check_of(const struct kept_row *r)
{
	return hash64(r, offsetof(struct kept_row, check), 1);
}

static bool sound(const struct kept_row *r)
{
	return r->at_ms && r->check == check_of(r) && r->service < SL_MAX_SERVICES &&
	       r->group < SL_MAX_GROUPS && r->e.voices > 0 && r->e.voices < 1e9 &&
	       r->e.quality >= 0 && r->e.quality <= 1;
}

int engine_ingest_resume(struct engine *e, uint64_t now_ms)
{
	struct engine_ingests *s = e->ingests;

	uint32_t n = 0;

	s->known = malloc(ROWS * sizeof(*s->known));
	if (!s->known)
		return SL_ENOMEM;
	s->room = ROWS;
	s->last_ms = now_ms;
	for (uint32_t i = 0; i < ROWS; i++) {
		const struct kept_row *r = &s->kept->row[i];
		struct known *k = &s->known[s->n];

		if (!sound(r))
			continue;
		*k = (struct known){
			.name = r->name, .service = r->service, .group = r->group, .e = r->e};
		ingest_remember(&k->e, 0, 0, now_ms > r->at_ms ? now_ms - r->at_ms : 0);
		s->n++;
	}
	qsort(s->known, s->n, sizeof(*s->known), by_key);
	for (uint32_t i = 0; i < s->n; i++) /* rows that were on the move may be there twice */
		if (n == 0 || by_key(&s->known[n - 1], &s->known[i]) != 0)
			s->known[n++] = s->known[i];
	s->n = n;
	return 0;
}

void engine_ingest_clock_ahead(struct engine *e, uint64_t by_ms)
{
	e->ingests->last_ms += by_ms;
}

static void keep(struct engine_ingests *s, uint64_t now_ms)
{
	uint32_t n = SL_MIN(s->n, (uint32_t)ROWS);

	for (uint32_t i = 0; i < n; i++) {
		struct kept_row *r = &s->kept->row[i];
		const struct known *k = &s->known[i];

		*r = (struct kept_row){.at_ms = now_ms,
			.name = k->name,
			.service = k->service,
			.group = k->group,
			.e = k->e};
		r->check = check_of(r);
	}
	for (; n < ROWS && s->kept->row[n].at_ms; n++)
		s->kept->row[n].at_ms = 0;
}

static struct ingest_facts facts_of(const struct facts_push *p)
{
	return (struct ingest_facts){.voices = p->voices,
		.ok = p->ok_ppm / 1e6,
		.frame_rates = p->frame_rates,
		.fps = p->frame_rate_mfps / 1e3,
		.bitrates = p->bitrates,
		.kbps = p->kbps,
		.rtts = p->rtts,
		.rtt_ms = p->rtt_us / 1e3};
}

/* This tick's facts beside what is known, in order. */
static int take_facts(struct engine *e)
{
	const struct facts_view *v = engine_facts_view(e);
	struct engine_ingests *s = e->ingests;
	uint32_t had = s->n, n = v && !(e->off & ENGINE_NO_QUALITY) ? v->n_pushes : 0;

	if (had + n > s->room) {
		struct known *more = realloc(s->known, 2 * (had + n) * sizeof(*more));

		if (!more)
			return SL_ENOMEM;
		s->known = more;
		s->room = 2 * (had + n);
	}
	for (uint32_t i = 0; i < n; i++) {
		const struct facts_push *p = &v->pushes[i];
		const char *name = (const char *)&v->text[p->name.first].v;
		struct known k = {.name = hash64(name, p->name.count, 0),
			.service = p->service,
			.group = p->group};
		struct known *old = had ? bsearch(&k, s->known, had, sizeof(k), by_key) : NULL;

		if (!old)
			s->known[s->n++] = k;
		(old ? old : &s->known[s->n - 1])->facts = facts_of(p);
	}
	if (s->n > had)
		qsort(s->known, s->n, sizeof(*s->known), by_key);
	return 0;
}

/* The points of one service in one group, against each other. */
static void judge(struct known *k, uint32_t n, uint64_t elapsed_ms)
{
	struct ingest_facts facts[INGEST_MAX] = {{.voices = 0}};
	double quality[INGEST_MAX];

	for (uint32_t i = 0; i < n; i++)
		facts[i] = k[i].facts;
	ingest_quality(facts, n, quality);
	for (uint32_t i = 0; i < n; i++)
		ingest_remember(&k[i].e, facts[i].voices, quality[i], elapsed_ms);
}

static void remember(struct engine_ingests *s, uint64_t now_ms)
{
	uint64_t elapsed_ms = now_ms > s->last_ms ? now_ms - s->last_ms : 0;
	uint32_t kept = 0;

	s->last_ms = now_ms;
	for (uint32_t i = 0, n; i < s->n; i += n) {
		for (n = 1; i + n < s->n && n < INGEST_MAX &&
			    s->known[i + n].service == s->known[i].service &&
			    s->known[i + n].group == s->known[i].group;)
			n++;
		judge(s->known + i, n, elapsed_ms);
	}
	for (uint32_t i = 0; i < s->n; i++) {
		s->known[i].facts = (struct ingest_facts){0};
		if (s->known[i].e.voices >= NOTHING)
			s->known[kept++] = s->known[i];
	}
	s->n = kept;
}

/* Position of a name among the points of a service, or INGEST_MAX. */
static uint32_t place_of(const struct engine *e, struct blob_span span, uint64_t name)
{
	for (uint32_t i = 0; i < span.count; i++) {
		struct str s = cat_text(&e->cat, e->cat.ingests[span.first + i].name);

		if (hash64(s.p, s.n, 0) == name)
			return i;
	}
	return INGEST_MAX;
}

/* The weights of one service's points in all groups, from its part of what is known. */
static void weigh(struct engine *e, struct blob_span span, const struct known *k, uint32_t n)
{
	struct engine_ingests *s = e->ingests;

	memset(s->at, 0, e->cat.n_groups * sizeof(s->at[0]));
	memset(s->carrier, 0, e->cat.n_groups * sizeof(s->carrier[0]));
	for (uint32_t i = 0; i < n; i++) {
		uint32_t at = place_of(e, span, k[i].name);

		if (at == INGEST_MAX || k[i].group >= e->cat.n_groups)
			continue;
		s->at[k[i].group][at] = k[i].e;
		ingest_carrier_add(&s->carrier[engine_facts_carrier(e, k[i].group)][at], &k[i].e);
	}
	for (uint32_t g = 0; g < e->cat.n_groups; g++) {
		double estimate[INGEST_MAX];

		for (uint32_t i = 0; i < span.count; i++)
			estimate[i] = ingest_estimate(&s->at[g][i],
				ingest_carrier_quality(&s->carrier[engine_facts_carrier(e, g)][i]));
		ingest_weigh(estimate, span.count, s->weight_ppm[g] + span.first);
	}
}

void engine_set_ingests_down(struct engine *e, struct engine_ingest *down, uint32_t n)
{
	free(e->ingest_down);
	e->ingest_down = down;
	e->n_ingests_down = n;
}

static bool is_down(const struct engine *e, struct str service, struct str name)
{
	for (uint32_t i = 0; i < e->n_ingests_down; i++)
		if (str_eq_z(service, e->ingest_down[i].service) &&
			str_eq_z(name, e->ingest_down[i].name))
			return true;
	return false;
}

/* Which points are to be passed over, by place in the catalogue: none of a service that has no
 * other. Whether there are any. */
static bool find_down(const struct engine *e, bool *ret_down)
{
	bool any = false;

	memset(ret_down, 0, e->cat.n_ingests * sizeof(*ret_down));
	for (uint32_t s = 0; e->n_ingests_down && s < e->cat.n_service_plays; s++) {
		struct blob_span span = e->cat.service_plays[s].ingests;
		struct str service = cat_text(&e->cat, e->cat.services[s].name);
		uint32_t n = 0;

		for (uint32_t i = span.first; i < span.first + span.count; i++) {
			ret_down[i] =
				is_down(e, service, cat_text(&e->cat, e->cat.ingests[i].name));
			n += ret_down[i];
		}
		if (n == span.count)
			memset(ret_down + span.first, 0, n * sizeof(*ret_down));
		else
			any |= n > 0;
	}
	return any;
}

/* reported: weights by reports are there. */
static int put_weights(
	const struct engine *e, const bool *down, bool reported, struct blob_writer *w)
{
	for (uint32_t g = 0; g < e->cat.n_groups; g++)
		for (uint32_t i = 0; i < e->cat.n_ingests; i++) {
			uint32_t ppm = reported ? e->ingests->weight_ppm[g][i] : 0;
			struct tick_ingest *to;

			if (!down[i] && (ppm == 0 || ppm == INGEST_WHOLE_PPM))
				continue;
			to = blob_add(w, TICK_ingests, 1, NULL);
			if (!to)
				return SL_ENOMEM;
			*to = (struct tick_ingest){(uint16_t)g, (uint16_t)i, down[i] ? 0 : ppm};
		}
	return 0;
}

/* Of all services; what there are no reports of has the whole weight. */
static void weigh_all(struct engine *e)
{
	struct engine_ingests *s = e->ingests;

	memset(s->weight_ppm, 0, e->cat.n_groups * sizeof(s->weight_ppm[0]));
	for (uint32_t i = 0, n; i < s->n; i += n) {
		uint16_t service = s->known[i].service;

		for (n = 1; i + n < s->n && s->known[i + n].service == service;)
			n++;
		if (service < e->cat.n_service_plays)
			weigh(e, e->cat.service_plays[service].ingests, s->known + i, n);
	}
}

int engine_ingest_put(struct engine *e, struct blob_writer *w, uint64_t now_ms)
{
	struct engine_ingests *s = e->ingests;
	bool down[SL_MAX_SERVICES * INGEST_MAX], any = find_down(e, down), reported;
	int rc = take_facts(e);

	if (rc)
		return rc;
	remember(s, now_ms);
	keep(s, now_ms);
	reported = s->n && e->cat.n_service_plays && !(e->off & ENGINE_NO_QUALITY);
	if (reported)
		weigh_all(e);
	return reported || any ? put_weights(e, down, reported, w) : 0;
}
