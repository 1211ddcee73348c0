/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The ring of a tally: one writer, which waits for nobody, and readers in other processes, which
 * notice what they came too late for. A record carries its number as a stamp on both sides of being
 * written; see docs/concurrency.md.
 */
#include "tally/tally.h"

void tally_put(struct tally *t, const uint64_t word[static TALLY_RECORD_WORDS])
{
	uint64_t n = atomic_load_explicit(&t->n_records, memory_order_relaxed) + 1;
	struct tally_record *r = &t->record[(n - 1) % TALLY_RECORDS];

	atomic_store_explicit(&r->stamp, 0, memory_order_relaxed);
	for (unsigned i = 0; i < TALLY_RECORD_WORDS; i++) /* release: behind the stamp's 0 */
		atomic_store_explicit(&r->word[i], word[i], memory_order_release);
	atomic_store_explicit(&r->stamp, n, memory_order_release);
	atomic_store_explicit(&t->n_records, n, memory_order_release);
}

/* false: it was written over, before or while it was read. */
static bool copy(const struct tally *t, uint64_t n, uint64_t *ret_word)
{
	const struct tally_record *r = &t->record[(n - 1) % TALLY_RECORDS];

	if (atomic_load_explicit(&r->stamp, memory_order_acquire) != n)
		return false;
	for (unsigned i = 0; i < TALLY_RECORD_WORDS; i++) /* acquire: before the stamp again */
		ret_word[i] = atomic_load_explicit(&r->word[i], memory_order_acquire);
	return atomic_load_explicit(&r->stamp, memory_order_relaxed) == n;
}

uint32_t tally_take(const struct tally *t, uint64_t *cursor, uint32_t max,
	uint64_t (*ret_word)[TALLY_RECORD_WORDS], uint64_t *ret_lost)
{
	uint64_t end = atomic_load_explicit(&t->n_records, memory_order_acquire);
	uint64_t first = end > TALLY_RECORDS ? end - TALLY_RECORDS : 0;
	uint32_t n = 0;

	if (*cursor > end)
		*cursor = 0; /* the file was made anew */
	if (*cursor < first) {
		*ret_lost += *cursor ? first - *cursor : 0;
		*cursor = first;
	}
	while (*cursor < end && n < max) {
		if (copy(t, *cursor + 1, ret_word[n]))
			n++;
		else
			++*ret_lost;
		++*cursor;
	}
	return n;
}

void tally_put_decision(struct tally *t, const struct tally_decision *d)
{
	const uint64_t word[TALLY_RECORD_WORDS] = {
		TALLY_DECISION | (uint64_t)d->door << 8 | (uint64_t)d->reason << 16 |
			(uint64_t)d->kind << 24 | (uint64_t)d->slot << 32,
		d->time_ms, (uint64_t)d->service << 32 | d->group, d->epoch, d->generation};

	tally_put(t, word);
}

void tally_read_decision(const uint64_t word[static TALLY_RECORD_WORDS], struct tally_decision *ret)
{
	*ret = (struct tally_decision){.door = (uint8_t)(word[0] >> 8),
		.reason = (uint8_t)(word[0] >> 16),
		.kind = (uint8_t)(word[0] >> 24),
		.slot = (uint8_t)(word[0] >> 32),
		.time_ms = word[1],
		.service = (uint32_t)(word[2] >> 32),
		.group = (uint32_t)word[2],
		.epoch = word[3],
		.generation = word[4]};
}

void tally_put_note(struct tally *t, const struct tally_note *n)
{
	const uint64_t word[TALLY_RECORD_WORDS] = {
		n->kind | (uint64_t)n->kbps << 32, (uint64_t)n->vendor << 32 | n->group};

	tally_put(t, word);
}

bool tally_read_note(const uint64_t word[static TALLY_RECORD_WORDS], struct tally_note *ret)
{
	uint8_t kind = (uint8_t)word[0];

	*ret = (struct tally_note){.kind = (enum tally_kind)kind,
		.vendor = (uint32_t)(word[1] >> 32),
		.group = (uint32_t)word[1],
		.kbps = (uint32_t)(word[0] >> 32)};
	return kind == TALLY_THROUGHPUT || kind == TALLY_LEFT;
}
