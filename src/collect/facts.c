/* SPDX-License-Identifier: Apache-2.0 */
/* The facts blob out of the books. */
#include "base/hash.h"
#include "collect/books_int.h"

#include <stdio.h>
#include <stdlib.h>

enum { LOG_SLOTS = 2048, KEPT_SLOTS = 64, KEPT_MS = 1000 };

_Static_assert(COLLECT_LOG_MAX_MIN + COLLECT_LOG_MINUTES < LOG_SLOTS, "a slot for each minute");

/* Remembers what is kept, and gives the least of the last COLLECT_LIVE_MS: sessions whose key is
 * under it have been kept all the time, so they can be counted and scaled. */
static uint32_t least_kept(struct collect_books *b, uint64_t now_ms, uint32_t keep_ppm)
{
	uint64_t second = now_ms / KEPT_MS;
	uint32_t least = keep_ppm, slot = (uint32_t)(second % KEPT_SLOTS);

	if (b->k->kept[slot].from_ms != second * KEPT_MS || keep_ppm < b->k->kept[slot].ppm) {
		b->k->kept[slot].from_ms = second * KEPT_MS;
		b->k->kept[slot].ppm = keep_ppm;
	}
	for (uint32_t i = 0; i < KEPT_SLOTS; i++)
		if (b->k->kept[i].from_ms && b->k->kept[i].from_ms + COLLECT_LIVE_MS > now_ms)
			least = SL_MIN(least, b->k->kept[i].ppm);
	return SL_MAX(least, 1u);
}

/* The sums of a stream on a vendor of this tick; NULL while its name is not known. */
static struct collect_use *use_of(
	struct collect_books *b, uint64_t stream, uint8_t vendor, uint64_t now_ms)
{
	struct collect_stream_name *name = collect_table_find(&b->streams, stream);
	struct collect_use *u;

	if (!name || !name->text)
		return NULL;
	name->e.seen_ms = now_ms;
	u = collect_table_get(&b->uses, hash_mix(stream, vendor), now_ms);
	u->e.seen_ms = now_ms;
	if (u->number != b->k->number)
		*u = (struct collect_use){
			.e = u->e, .number = b->k->number, .stream = stream, .vendor = vendor};
	return u;
}

static void use_session(struct collect_books *b, const struct collect_session *s, uint64_t now_ms)
{
	struct collect_use *u = use_of(b, s->stream, b->cell[s->cell].vendor, now_ms);

	if (!u)
		return;
	u->sessions++;
	u->stalled += s->stalled_ms >= collect_window_start(0, now_ms);
	u->kbps += s->kbps;
}

/* Pull attempts by stream; of streams without a live session there is nothing to say. */
static void use_pulls(struct collect_books *b, uint64_t now_ms)
{
	uint64_t start_ms = collect_window_start(0, now_ms);

	for (uint64_t i = b->k->pull_first; i < b->k->pull_end; i++) {
		const struct collect_pull *p = &b->pull[i % b->limits.pulls];
		struct collect_use *u;

		if (p->t_ms < start_ms)
			continue;
		u = collect_table_find(&b->uses, hash_mix(p->stream, b->cell[p->cell].vendor));
		if (!u || u->number != b->k->number)
			continue;
		u->pulls++;
		u->pulls_ok += p->ok != 0;
	}
}

static uint64_t scaled(uint64_t v, uint32_t ppm)
{
	return (v * COLLECT_PPM + ppm / 2) / ppm;
}

static void count_session(struct facts_cell *f, const struct collect_session *s)
{
	f->sessions++;
	f->kbps += s->kbps;
}

static struct facts_cell *kind_fact(
	struct collect_books *b, uint32_t span, uint32_t cell, uint32_t word)
{
	return &b->fact[(size_t)span * COLLECT_MAX_CELLS +
			b->cell[cell].vendor * (size_t)COLLECT_WORDS + word];
}

static void fill_sessions(struct collect_books *b, uint64_t now_ms, uint32_t ppm)
{
	struct facts_cell *f;

	for (struct collect_session *s = NULL; (s = collect_table_next(&b->sessions, s));) {
		f = &b->fact[s->cell];
		if (s->e.seen_ms + COLLECT_LIVE_MS <= now_ms) {
			if (s->e.seen_ms + COLLECT_MINUTE_MS <= now_ms)
				collect_table_remove(&b->sessions, s);
			continue;
		}
		if (!s->alive || !collect_kept(s->keep, ppm))
			continue;
		count_session(f, s);
		if (s->definition)
			count_session(
				kind_fact(b, COLLECT_SPAN_DEFINITION, s->cell, s->definition), s);
		if (s->client)
			count_session(kind_fact(b, COLLECT_SPAN_CLIENT, s->cell, s->client), s);
		use_session(b, s, now_ms);
	}
	for (uint32_t span = 0; span < COLLECT_SPANS; span++)
		for (uint32_t c = 0; c < collect_span_cells(b, span); c++) {
			f = &b->fact[(size_t)span * COLLECT_MAX_CELLS + c];
			f->sessions = (uint32_t)scaled(f->sessions, ppm);
			f->kbps = scaled(f->kbps, ppm);
		}
}

static int put_windows(struct collect_books *b, struct blob_writer *w, uint64_t now_ms)
{
	struct facts_window *to = blob_add(w, FACTS_windows, COLLECT_WINDOWS, NULL);

	if (!to)
		return SL_ENOMEM;
	for (uint32_t i = 0; i < COLLECT_WINDOWS; i++)
		to[i] = (struct facts_window){.start_ms = collect_window_start(i, now_ms),
			.length_ms = i ? COLLECT_STEP_MS : COLLECT_MINUTE_MS,
			.test = b->limits.test};
	for (uint32_t i = 0; i < COLLECT_WINDOWS; i++)
		for (uint32_t c = 0; c < b->k->n_cells; c++) {
			const struct facts_cell *f = &b->fact[(size_t)i * COLLECT_MAX_CELLS + c];
			struct facts_cell *cell;

			if (!(f->pulls || f->users || f->sessions))
				continue;
			cell = blob_add(w, FACTS_cells, 1, NULL);
			if (!cell)
				return SL_ENOMEM;
			*cell = *f;
		}
	return 0;
}

static int put_log_cell(struct collect_books *b, struct blob_writer *w, uint32_t window,
	const struct collect_log *l)
{
	struct facts_cell *f = blob_add(w, FACTS_cells, 1, NULL);

	if (!f)
		return SL_ENOMEM;
	*f = (struct facts_cell){.window = window,
		.vendor = b->cell[l->cell].vendor,
		.group = b->cell[l->cell].group,
		.log_octets = l->octets,
		.log_requests = l->requests,
		.log_errors = l->errors,
		.log_slow = l->slow};
	return 0;
}

/* A window per minute of log lines: the latest, and any that has just grown. */
static int put_logs(struct collect_books *b, struct blob_writer *w, uint64_t now_ms)
{
	uint64_t now_minute = now_ms / COLLECT_MINUTE_MS;
	uint32_t window[LOG_SLOTS] = {0}; /* by minute: plus 1 */
	int rc = 0;

	for (struct collect_log *l = NULL; !rc && (l = collect_table_next(&b->logs, l));) {
		uint32_t *at = &window[l->minute % LOG_SLOTS];

		if (l->minute + COLLECT_LOG_MAX_MIN + COLLECT_LOG_MINUTES <= now_minute) {
			collect_table_remove(&b->logs, l);
			continue;
		}
		if (l->minute + COLLECT_LOG_MINUTES <= now_minute &&
			l->e.seen_ms + COLLECT_LOG_SHOWN_MS <= now_ms)
			continue;
		if (!*at) {
			struct facts_window *to = blob_add(w, FACTS_windows, 1, at);

			if (!to)
				return SL_ENOMEM;
			to->start_ms = l->minute * COLLECT_MINUTE_MS;
			to->length_ms = COLLECT_MINUTE_MS;
			to->test = b->limits.test;
			++*at;
		}
		rc = put_log_cell(b, w, *at - 1, l);
	}
	return rc;
}

/* What definitions and client kinds saw. */
static int put_kinds(struct collect_books *b, struct blob_writer *w)
{
	for (uint32_t client = 0; client < 2; client++)
		for (uint32_t c = 0; c < SL_MAX_VENDORS * COLLECT_WORDS; c++) {
			uint32_t span = client ? COLLECT_SPAN_CLIENT : COLLECT_SPAN_DEFINITION;
			const struct facts_cell *f = &b->fact[(size_t)span * COLLECT_MAX_CELLS + c];
			const char *name = client ? collect_client_word(c % COLLECT_WORDS)
						  : collect_definition_word(c % COLLECT_WORDS);
			struct facts_kind *to;

			if (!name || !(f->pulls || f->users || f->sessions))
				continue;
			to = blob_add(w, FACTS_kinds, 1, NULL);
			if (!to)
				return SL_ENOMEM;
			*to = (struct facts_kind){.client = client,
				.vendor = c / COLLECT_WORDS,
				.pulls = f->pulls,
				.pulls_ok = f->pulls_ok,
				.first_frames = f->first_frames,
				.first_frame_us = f->first_frame_us,
				.first_frame_p50_us = f->first_frame_p50_us,
				.first_frame_p95_us = f->first_frame_p95_us,
				.users = f->users,
				.stalled_users = f->stalled_users,
				.sessions = f->sessions,
				.kbps = f->kbps};
			to->name = blob_add_octets(w, FACTS_text, name, (uint32_t)strlen(name));
		}
	return 0;
}

static int put_streams(struct collect_books *b, struct blob_writer *w, uint32_t ppm)
{
	for (struct collect_use *u = NULL; (u = collect_table_next(&b->uses, u));) {
		const struct collect_stream_name *name;
		struct facts_stream *to;

		if (u->number != b->k->number) {
			collect_table_remove(&b->uses, u);
			continue;
		}
		name = collect_table_find(&b->streams, u->stream);
		if (!name || blob_count(w, FACTS_streams) == SL_MAX_STREAMS * 4)
			continue;
		to = blob_add(w, FACTS_streams, 1, NULL);
		if (!to)
			return SL_ENOMEM;
		to->name = blob_add_octets(w, FACTS_text, b->names + name->text - 1, name->n);
		to->vendor = u->vendor;
		to->sessions = (uint32_t)scaled(u->sessions, ppm);
		to->kbps = scaled(u->kbps, ppm);
		to->stalled = (uint32_t)scaled(u->stalled, ppm);
		to->pulls = u->pulls;
		to->pulls_ok = u->pulls_ok;
	}
	return 0;
}

static void put_source(struct blob_writer *w, const char *name, const char *reason,
	uint64_t accepted, uint64_t refused, uint64_t last_ms)
{
	char text[64];
	struct facts_source *s = blob_add(w, FACTS_sources, 1, NULL);

	(void)snprintf(text, sizeof(text), "%s%s%s", name, reason ? "/" : "", reason ? reason : "");
	if (!s)
		return;
	s->name = blob_add_octets(w, FACTS_text, text, (uint32_t)strlen(text));
	s->accepted = accepted;
	s->refused = refused;
	s->last_ms = last_ms;
}

/* SOURCE: all of it; SOURCE/REASON: what was not taken, and why. */
static void put_sources(struct collect_books *b, struct blob_writer *w, struct facts_meta *m)
{
	static const char *const word[] = {
#define X(id, text) text,
		COLLECT_SOURCES_MAP(X)
#undef X
	};

	for (int i = 0; i < COLLECT_SOURCES; i++) {
		const struct collect_counts *c = &b->k->counts[i];
		uint64_t refused = 0;

		for (int r = 0; r < COLLECT_REFUSALS; r++)
			refused += c->refused[r];
		m->accepted += c->accepted;
		m->refused += refused;
		if (!c->accepted && !refused && !c->shed && !c->dropped)
			continue;
		put_source(w, word[i], NULL, c->accepted, refused, c->last_ms);
		for (int r = 1; r < COLLECT_REFUSALS; r++)
			if (c->refused[r])
				put_source(w, word[i],
					collect_refusal_word((enum collect_refusal)r), 0,
					c->refused[r], 0);
		if (c->shed)
			put_source(w, word[i], "shed", 0, c->shed, 0);
		if (c->dropped)
			put_source(w, word[i], "dropped", 0, c->dropped, 0);
	}
	if (b->k->capped)
		put_source(w, "all", "capped", 0, b->k->capped, 0);
	if (collect_books_evicted(b))
		put_source(w, "all", "evicted", 0, collect_books_evicted(b), 0);
}

int collect_books_facts(struct collect_books *b, uint64_t now_ms, uint32_t keep_ppm,
	void **ret_blob, size_t *ret_size, struct errbuf *err)
{
	struct blob_writer *w = blob_writer_new(&facts_def);
	struct facts_meta *m = w ? blob_add(w, FACTS_meta, 1, NULL) : NULL;
	int rc = m ? 0 : SL_ENOMEM;
	uint32_t ppm;

	collect_books_clock(b, now_ms);
	ppm = least_kept(b, now_ms, keep_ppm);
	b->k->number++;
	b->k->evicted = b->evicted_before + b->sessions.evicted + b->users.evicted +
			b->logs.evicted + b->pushers.evicted;
	collect_kept_compact(b, now_ms);
	collect_window_fill(b, now_ms);
	fill_sessions(b, now_ms, ppm);
	use_pulls(b, now_ms);
	if (m) {
		m->catalogue = b->k->catalogue;
		m->number = b->k->number;
		m->started_ms = b->k->started_ms;
		m->sampled_ppm = keep_ppm;
		put_sources(b, w, m);
		rc = put_windows(b, w, now_ms);
	}
	if (!rc)
		rc = put_logs(b, w, now_ms);
	if (!rc)
		rc = put_streams(b, w, ppm);
	if (!rc)
		rc = put_kinds(b, w);
	if (!rc)
		rc = collect_push_put(b, w, now_ms);
	if (rc)
		(void)err_set(err, rc, "facts: out of memory");
	else
		rc = blob_writer_finish(
			w, (struct blob_stamp){1, b->k->number, now_ms}, ret_blob, ret_size, err);
	blob_writer_free(w);
	return rc;
}
