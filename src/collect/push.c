/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What pushers say of ingests, per group: each address is one voice, of which a net has few, so
 * that neither a studio nor a forger speaks for all; and voices that are far off do not count.
 */
#include "base/hash.h"
#include "collect/books_int.h"

#include <stdlib.h>

/* What a voice says, and the place of its samples. */
enum figure { OK, FRAME_RATE, BITRATE, RTT, FIGURES };

/* The voices of one ingest in one group. */
struct voices {
	uint32_t *sample[FIGURES];
	uint32_t n[FIGURES];
	uint32_t pushers;
};

void collect_push_take(struct collect_books *b, const struct collect_record *r, uint64_t now_ms)
{
	uint64_t key = hash_mix(r->session, r->ingest), since_ms = now_ms - COLLECT_MINUTE_MS;
	struct collect_pusher *p = collect_table_find(&b->pushers, key);

	if (!p) {
		if (!collect_spend(b, hash_mix(r->net, 'P'), now_ms / COLLECT_MINUTE_MS,
			    COLLECT_PUSHERS_PER_NET, now_ms)) {
			b->k->capped++;
			return;
		}
		p = collect_table_get(&b->pushers, key, now_ms > COLLECT_MINUTE_MS ? since_ms : 0);
		p->ok = true;
	}
	if (r->t_ms < p->e.seen_ms)
		return;
	p->e.seen_ms = r->t_ms;
	p->ingest = r->ingest;
	p->service = (uint16_t)r->service;
	p->group = r->group;
	p->address = r->address;
	p->net = r->net;
	p->ok = !(r->flags & COLLECT_PULL) || r->flags & COLLECT_PULL_OK;
	p->has = r->flags & (COLLECT_BITRATE | COLLECT_FRAME_RATE | COLLECT_RTT);
	p->kbps = r->kbps;
	p->frame_rate_mfps = r->frame_rate_mfps;
	p->rtt_us = r->rtt_us;
}

static int by_voice(const void *a, const void *b)
{
	const struct collect_pusher *const *pa = a, *const *pb = b;
	const struct collect_pusher *x = *pa, *y = *pb;
	const uint64_t xs[] = {x->service, x->ingest, x->group, x->net, x->address};
	const uint64_t ys[] = {y->service, y->ingest, y->group, y->net, y->address};

	for (size_t i = 0; i < SL_COUNT(xs); i++)
		if (xs[i] != ys[i])
			return xs[i] < ys[i] ? -1 : 1;
	return 0;
}

static bool same_cell(const struct collect_pusher *x, const struct collect_pusher *y)
{
	return x->service == y->service && x->ingest == y->ingest && x->group == y->group;
}

static void add_mean(struct voices *v, enum figure f, uint64_t sum, uint32_t n)
{
	if (n)
		v->sample[f][v->n[f]++] = (uint32_t)(sum / n);
}

/* One address: the mean of what its sessions say. Only who gets through has figures. */
static void add_voice(struct voices *v, const struct collect_pusher *const *row, uint32_t n)
{
	static const uint16_t flag[FIGURES] = {[FRAME_RATE] = COLLECT_FRAME_RATE,
		[BITRATE] = COLLECT_BITRATE,
		[RTT] = COLLECT_RTT};
	uint64_t sum[FIGURES] = {0};
	uint32_t told[FIGURES] = {[OK] = n};

	for (uint32_t i = 0; i < n; i++) {
		const uint32_t says[FIGURES] = {[OK] = row[i]->ok ? COLLECT_PPM : 0,
			[FRAME_RATE] = row[i]->frame_rate_mfps,
			[BITRATE] = row[i]->kbps,
			[RTT] = row[i]->rtt_us};

		sum[OK] += says[OK];
		for (int f = OK + 1; f < FIGURES; f++)
			if (row[i]->ok && row[i]->has & flag[f]) {
				sum[f] += says[f];
				told[f]++;
			}
	}
	for (int f = 0; f < FIGURES; f++)
		add_mean(v, (enum figure)f, sum[f], told[f]);
}

/* Of three or more, at least the highest and the lowest do not count. */
static uint32_t mean_of(struct voices *v, enum figure f, uint32_t *spare)
{
	uint32_t n = v->n[f], cut = n < 3 ? 0 : SL_MAX(n / 10, 1u);
	uint64_t sum = 0;

	if (n == 0)
		return 0;
	collect_sort(v->sample[f], spare, n);
	for (uint32_t i = cut; i < n - cut; i++)
		sum += v->sample[f][i];
	return (uint32_t)(sum / (n - 2 * cut));
}

static int put_cell(struct collect_books *b, struct blob_writer *w, const struct collect_pusher *of,
	struct voices *v, uint64_t now_ms)
{
	struct collect_stream_name *name = collect_table_find(&b->streams, of->ingest);
	uint32_t *spare = b->push_sample + (size_t)FIGURES * collect_pusher_rows(b);
	struct facts_push *to;

	if (!name || !name->text || blob_count(w, FACTS_pushes) == COLLECT_MAX_PUSHES)
		return 0; /* the name is told again soon */
	name->e.seen_ms = now_ms;
	to = blob_add(w, FACTS_pushes, 1, NULL);
	if (!to)
		return SL_ENOMEM;
	*to = (struct facts_push){.service = of->service,
		.group = of->group,
		.pushers = v->pushers,
		.voices = v->n[OK],
		.ok_ppm = mean_of(v, OK, spare),
		.frame_rates = v->n[FRAME_RATE],
		.frame_rate_mfps = mean_of(v, FRAME_RATE, spare),
		.bitrates = v->n[BITRATE],
		.kbps = mean_of(v, BITRATE, spare),
		.rtts = v->n[RTT],
		.rtt_us = mean_of(v, RTT, spare)};
	to->name = blob_add_octets(w, FACTS_text, b->names + name->text - 1, name->n);
	return 0;
}

/* The rows from `row` on that are of one ingest and group, into v; how many they are. */
static uint32_t gather(const struct collect_pusher *const *row, uint32_t n, struct voices *v)
{
	uint32_t i = 0, of_net = 0;

	while (i < n && same_cell(row[i], row[0])) {
		uint32_t k = i;

		of_net = i && row[i]->net == row[i - 1]->net ? of_net + 1 : 1;
		while (k < n && same_cell(row[k], row[0]) && row[k]->net == row[i]->net &&
			row[k]->address == row[i]->address)
			k++;
		if (of_net <= COLLECT_VOICES_PER_NET)
			add_voice(v, row + i, k - i);
		i = k;
	}
	v->pushers = i;
	return i;
}

int collect_push_put(struct collect_books *b, struct blob_writer *w, uint64_t now_ms)
{
	uint64_t start_ms = collect_window_start(0, now_ms);
	uint32_t n = 0, n_cell;
	int rc = 0;

	for (struct collect_pusher *p = NULL; (p = collect_table_next(&b->pushers, p));)
		if (p->e.seen_ms >= start_ms)
			b->push_row[n++] = p;
		else
			collect_table_remove(&b->pushers, p);
	qsort(b->push_row, n, sizeof(b->push_row[0]), by_voice);
	for (uint32_t i = 0; i < n && !rc; i += n_cell) {
		struct voices v = {.pushers = 0};

		for (int f = 0; f < FIGURES; f++)
			v.sample[f] = b->push_sample + (size_t)f * collect_pusher_rows(b);
		n_cell = gather(b->push_row + i, n - i, &v);
		rc = put_cell(b, w, b->push_row[i], &v, now_ms);
	}
	return rc;
}
