/* SPDX-License-Identifier: Apache-2.0 */
/* The facts blob out of the books. */
#include "base/hash.h"
#include "collect/books_int.h"

#include <stdio.h>
#include <stdlib.h>

enum { LOG_SLOTS = COLLECT_MAX_SPANS, KEPT_SLOTS = 64, KEPT_MS = 1000 };

/* Remembers what is kept, and gives the least of the last COLLECT_LIVE_MS: sessions whose key is
 * under it have been kept all the time, so they can be counted and scaled. */
static uint32_t least_kept(struct collect_books *b, uint64_t now_ms, uint32_t keep_ppm)
{
	uint64_t second = now_ms / KEPT_MS;
	uint32_t least = keep_ppm, slot = (uint32_t)(second % KEPT_SLOTS);

	if (b->kept[slot].from_ms != second * KEPT_MS || keep_ppm < b->kept[slot].ppm) {
		b->kept[slot].from_ms = second * KEPT_MS;
		b->kept[slot].ppm = keep_ppm;
	}
	for (uint32_t i = 0; i < KEPT_SLOTS; i++)
		if (b->kept[i].from_ms && b->kept[i].from_ms + COLLECT_LIVE_MS > now_ms)
			least = SL_MIN(least, b->kept[i].ppm);
	return SL_MAX(least, 1u);
}

static void use_stream(struct collect_books *b, const struct collect_session *s, uint64_t now_ms)
{
	uint8_t vendor = b->cell[s->cell].vendor;
	struct collect_stream_name *name = collect_table_find(&b->streams, s->stream);
	struct collect_use *u;

	if (!name || !name->text)
		return;
	name->e.seen_ms = now_ms;
	u = collect_table_get(&b->uses, hash_mix(s->stream, vendor), now_ms);
	u->e.seen_ms = now_ms;
	if (u->number != b->number) {
		u->number = b->number;
		u->stream = s->stream;
		u->vendor = vendor;
		u->sessions = 0;
		u->kbps = 0;
	}
	u->sessions++;
	u->kbps += s->kbps;
}

static uint64_t scaled(uint64_t v, uint32_t ppm)
{
	return (v * COLLECT_PPM + ppm / 2) / ppm;
}

static void fill_sessions(struct collect_books *b, uint64_t now_ms, uint32_t ppm)
{
	for (struct collect_session *s = NULL; (s = collect_table_next(&b->sessions, s));) {
		struct facts_cell *f = &b->fact[s->cell];

		if (s->e.seen_ms + COLLECT_LIVE_MS <= now_ms) {
			if (s->e.seen_ms + COLLECT_MINUTE_MS <= now_ms)
				collect_table_remove(&b->sessions, s);
			continue;
		}
		if (!s->alive || !collect_kept(s->keep, ppm))
			continue;
		f->sessions++;
		f->kbps += s->kbps;
		use_stream(b, s, now_ms);
	}
	for (uint32_t c = 0; c < b->n_cells; c++) {
		b->fact[c].sessions = (uint32_t)scaled(b->fact[c].sessions, ppm);
		b->fact[c].kbps = scaled(b->fact[c].kbps, ppm);
	}
}

static int put_windows(struct collect_books *b, struct blob_writer *w, uint64_t now_ms)
{
	struct facts_window *to = blob_add(w, FACTS_windows, COLLECT_WINDOWS, NULL);

	if (!to)
		return SL_ENOMEM;
	for (uint32_t i = 0; i < COLLECT_WINDOWS; i++)
		to[i] = (struct facts_window){.start_ms = collect_window_start(i, now_ms),
			.length_ms = i ? COLLECT_STEP_MS : COLLECT_MINUTE_MS};
	for (uint32_t i = 0; i < COLLECT_WINDOWS; i++)
		for (uint32_t c = 0; c < b->n_cells; c++) {
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

static int put_log_cell(struct collect_books *b, struct blob_writer *w, uint32_t window, uint32_t c,
	const struct collect_log *l)
{
	struct facts_cell *f = blob_add(w, FACTS_cells, 1, NULL);

	if (!f)
		return SL_ENOMEM;
	*f = (struct facts_cell){.window = window,
		.vendor = b->cell[c].vendor,
		.group = b->cell[c].group,
		.log_octets = l->octets,
		.log_requests = l->requests,
		.log_errors = l->errors,
		.log_slow = l->slow};
	return 0;
}

/* A window per minute of log lines. */
static int put_logs(struct collect_books *b, struct blob_writer *w, uint64_t now_ms)
{
	uint64_t now_minute = now_ms / COLLECT_MINUTE_MS;
	int rc = 0;

	for (uint32_t s = 0; s < LOG_SLOTS && !rc; s++) {
		struct facts_window *to;
		uint32_t window;

		if (!b->log_minute[s] || b->log_minute[s] + LOG_SLOTS <= now_minute)
			continue;
		to = blob_add(w, FACTS_windows, 1, &window);
		if (!to)
			return SL_ENOMEM;
		to->start_ms = b->log_minute[s] * COLLECT_MINUTE_MS;
		to->length_ms = COLLECT_MINUTE_MS;
		for (uint32_t c = 0; c < b->n_cells && !rc; c++) {
			const struct collect_log *l = &b->log[(size_t)s * COLLECT_MAX_CELLS + c];

			if (l->requests)
				rc = put_log_cell(b, w, window, c, l);
		}
	}
	return rc;
}

static int put_streams(struct collect_books *b, struct blob_writer *w, uint32_t ppm)
{
	for (struct collect_use *u = NULL; (u = collect_table_next(&b->uses, u));) {
		const struct collect_stream_name *name;
		struct facts_stream *to;

		if (u->number != b->number) {
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
		const struct collect_counts *c = &b->counts[i];
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
	if (b->capped)
		put_source(w, "all", "capped", 0, b->capped, 0);
	if (collect_books_evicted(b))
		put_source(w, "all", "evicted", 0, collect_books_evicted(b), 0);
}

int collect_books_facts(struct collect_books *b, uint64_t now_ms, uint32_t keep_ppm,
	void **ret_blob, size_t *ret_size, struct errbuf *err)
{
	struct blob_writer *w = blob_writer_new(&facts_def);
	uint32_t ppm = least_kept(b, now_ms, keep_ppm);
	struct facts_meta *m = w ? blob_add(w, FACTS_meta, 1, NULL) : NULL;
	int rc = m ? 0 : SL_ENOMEM;

	b->number++;
	collect_window_fill(b, now_ms);
	fill_sessions(b, now_ms, ppm);
	if (m) {
		m->catalogue = b->catalogue;
		m->number = b->number;
		m->started_ms = b->started_ms;
		m->sampled_ppm = keep_ppm;
		put_sources(b, w, m);
		rc = put_windows(b, w, now_ms);
	}
	if (!rc)
		rc = put_logs(b, w, now_ms);
	if (!rc)
		rc = put_streams(b, w, ppm);
	if (rc)
		(void)err_set(err, rc, "facts: out of memory");
	else
		rc = blob_writer_finish(
			w, (struct blob_stamp){1, b->number, now_ms}, ret_blob, ret_size, err);
	blob_writer_free(w);
	return rc;
}
