/* SPDX-License-Identifier: Apache-2.0 */
#include "tally/worker.h"

#include "base/os.h"

#include <stdlib.h>
#include <sys/mman.h>

enum { SAMPLE_MS = 100 }; /* at most one decision of a worker in so long goes into the ring */

int worker_init(struct worker *w, const struct workers *all, uint32_t index)
{
	void *rows = mmap(NULL, sizeof(struct answer_rows), PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (rows == MAP_FAILED)
		return SL_ENOMEM;
	*w = (struct worker){.all = all, .tally = all->tally[index], .rows = rows};
	return 0;
}

void worker_done(struct worker *w)
{
	if (w->rows)
		(void)munmap(w->rows, sizeof(*w->rows));
	w->rows = NULL;
}

void worker_round(struct worker *w)
{
	w->keys = publish_read_keys(w->all->publish);
	worker_round_at(w, publish_read(w->all->publish), os_now_ms());
}

void worker_round_at(struct worker *w, const struct world *world, uint64_t now_ms)
{
	uint64_t spent[TALLY_CELLS];

	w->world = world;
	w->now_ms = now_ms;
	if (!world)
		return;
	w->stale = world_stale(w->world, w->now_ms);
	tally_sum_spent(
		w->all->tally, w->all->n, w->world->cat.n_vendors, w->world->cat.n_regions, spent);
	answer_full_update(&w->full, w->world, spent, w->stale);
}

static void spend(struct worker *w, const struct question *q, const struct cat_service *s,
	uint8_t slot, uint64_t kbps)
{
	uint32_t v = w->world->cat.slots[s->slots.first + slot].vendor;
	uint16_t r = w->world->cat.region_of[world_cell(w->world, q->group, v)].v;

	tally_add(&w->tally->spent_kbps[v], kbps);
	tally_add(&w->tally->door_kbps[w->door][v], kbps);
	if (r == UINT16_MAX)
		return;
	tally_add(&w->tally->spent_kbps[SL_MAX_VENDORS + r], kbps);
	tally_add(&w->tally->door_kbps[w->door][SL_MAX_VENDORS + r], kbps);
}

static void put_sample(struct worker *w, const struct question *q, const struct answer *a)
{
	const struct blob_head *head = w->world->tick.head;
	const struct tally_decision d = {.time_ms = w->now_ms,
		.service = q->service,
		.group = q->group,
		.door = (uint8_t)w->door,
		.reason = a->reason,
		.kind = a->kind,
		.slot = a->n ? a->slot[0] : UINT8_MAX,
		.epoch = head->epoch,
		.generation = head->generation};

	w->sampled_ms = w->now_ms;
	tally_put_decision(w->tally, &d);
}

void worker_record(struct worker *w, const struct question *q, const struct answer *a,
	uint32_t sessions, bool seen)
{
	const struct cat_service *s = &w->world->cat.services[q->service];
	struct tally_row *row = &w->tally->row[q->service][q->group];
	uint64_t kbps = (uint64_t)sessions * s->bitrate_kbps, lowered = kbps;
	struct tally_slot *slot;

	tally_add(&w->tally->answers[q->service][w->door][a->reason], 1);
	if (w->now_ms >= w->sampled_ms + SAMPLE_MS)
		put_sample(w, q, a);
	if (a->stale)
		tally_count(w->tally, TALLY_STALE_ANSWERS);
	if (a->n == 0) {
		tally_add(&row->none, sessions);
		return;
	}
	slot = &row->slot[a->slot[0] % SL_MAX_SLOTS];
	if (a->kind == ANSWER_REFRESH || (a->kind == ANSWER_NEW && seen)) {
		tally_add(&slot->refresh, 1);
	} else {
		tally_add(a->kind == ANSWER_MOVE ? &slot->moved : &slot->fresh, sessions);
		tally_add(&slot->kbps, kbps);
		if (!q->by_sequence)
			tally_add(&slot->sticky_kbps, kbps);
		if (a->kbps) /* demand stays what it is, load does not */
			lowered = kbps * a->kbps / w->world->cat.rungs[s->ladder.first].kbps;
		spend(w, q, s, a->slot[0], lowered);
	}
}
