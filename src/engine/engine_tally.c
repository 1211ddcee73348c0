/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/engine_int.h"

#include <dirent.h>
#include <stdlib.h>
#include <sys/stat.h>

enum { SMOOTH_TICKS = 3 }; /* demand follows a change within about this many ticks */

static struct engine_tally *tally_of(struct engine *e, const char *name)
{
	for (uint32_t i = 0; i < e->n_tallies; i++)
		if (strcmp(e->tally[i].name, name) == 0)
			return &e->tally[i];
	if (e->n_tallies == SL_MAX_WORKERS)
		return NULL;
	e->tally[e->n_tallies] = (struct engine_tally){.map = NULL};
	(void)snprintf(e->tally[e->n_tallies].name, sizeof(e->tally[0].name), "%s", name);
	return &e->tally[e->n_tallies++];
}

/* Maps tallies that have come since, or that a worker has made anew. */
static void scan(struct engine *e)
{
	DIR *d = opendir(e->tally_dir);

	if (!d)
		return;
	for (struct dirent *f; (f = readdir(d));) {
		size_t n = strlen(f->d_name);
		struct engine_tally *t;
		char path[SL_MAX_PATH + 300];
		struct stat st;

		if (n < 7 || n >= sizeof(t->name) || strcmp(f->d_name + n - 6, ".tally") != 0)
			continue;
		(void)snprintf(path, sizeof(path), "%s/%s", e->tally_dir, f->d_name);
		t = tally_of(e, f->d_name);
		if (!t || stat(path, &st) < 0 || (t->map && t->inode == st.st_ino))
			continue;
		tally_close(t->map);
		t->map = NULL;
		if (tally_map(path, &t->map, NULL) == 0)
			t->inode = st.st_ino;
	}
	(void)closedir(d);
}

/* What this tally had when it was last read; kept over restarts, by its file's name. */
static uint64_t (*last_read(struct engine *e, const char *name))[TALLY_CELLS]
{
	for (int i = 0; i < SL_MAX_WORKERS; i++) {
		if (strcmp(e->kept->tally[i].name, name) == 0)
			return e->kept->tally[i].kbps;
		if (e->kept->tally[i].name[0] == '\0') {
			(void)snprintf(
				e->kept->tally[i].name, sizeof(e->kept->tally[i].name), "%s", name);
			return e->kept->tally[i].kbps;
		}
	}
	return NULL;
}

static uint32_t longest_ttl_s(const struct engine *e)
{
	uint32_t ttl_s = 1;

	for (uint32_t i = 0; i < e->cat.n_services; i++)
		if (e->cat.services[i].active)
			ttl_s = SL_MAX(ttl_s, e->cat.services[i].ttl_s);
	return ttl_s;
}

/* What came through DNS arrives over the TTL, as resolvers hand it on; what came by HTTP, now. */
static void spent_into_ledger(struct engine *e, const struct engine_tally *t)
{
	uint64_t(*last)[TALLY_CELLS] = last_read(e, t->name);
	uint32_t ttl_s = longest_ttl_s(e);

	for (uint32_t d = 0; last && d < TALLY_DOORS; d++) {
		for (uint32_t c = 0; c < TALLY_CELLS; c++) {
			uint64_t now = tally_get(&t->map->door_kbps[d][c]);
			uint64_t more = now >= last[d][c] ? now - last[d][c] : now;

			last[d][c] = now;
			if (more && d == TALLY_DOOR_DNS)
				ledger_add_later(
					e->ledger, d * ENGINE_CELLS + c, 1, (double)more, ttl_s);
			else if (more)
				ledger_add(e->ledger, d * ENGINE_CELLS + c, 1, (double)more);
		}
	}
}

struct sums {
	uint64_t seq_kbps, sticky_kbps, fresh, refresh;
};

static void add_row(const struct tally *t, const struct cat_service *from, uint32_t service,
	uint32_t group, struct sums *s)
{
	const struct tally_row *r = &t->row[service][group];
	uint32_t n_slots = from->slots.count;

	/* what is refused is demand all the same: shares that forget it open for it each tick */
	s->seq_kbps += tally_get(&r->none) * from->bitrate_kbps;
	for (uint32_t i = 0; i < n_slots; i++) {
		const struct tally_slot *slot = &r->slot[i];
		uint64_t sticky = tally_get(&slot->sticky_kbps);

		s->seq_kbps += tally_get(&slot->kbps) - sticky;
		s->sticky_kbps += sticky;
		s->fresh += tally_get(&slot->fresh);
		s->refresh += tally_get(&slot->refresh);
	}
}

static uint64_t grown(uint64_t *last, uint64_t now)
{
	uint64_t more = now >= *last ? now - *last : now;

	*last = now;
	return more;
}

/* The larger of what came in this tick and the running mean: demand that begins is expected to go
 * on at once, demand that ends is given up slowly. */
static double expect(double before, double now)
{
	double mean = before + (now - before) / SMOOTH_TICKS;

	return now > mean ? now : mean;
}

static void update_row(struct engine_row *row, const struct sums *s)
{
	row->seq_mbps = expect(row->seq_mbps, (double)grown(&row->seq_kbps, s->seq_kbps) / 1000);
	row->sticky_mbps =
		expect(row->sticky_mbps, (double)grown(&row->sticky_kbps, s->sticky_kbps) / 1000);
	row->fresh_rate += ((double)grown(&row->fresh, s->fresh) - row->fresh_rate) / SMOOTH_TICKS;
	row->refresh_rate +=
		((double)grown(&row->refresh, s->refresh) - row->refresh_rate) / SMOOTH_TICKS;
}

void engine_tally_read(struct engine *e)
{
	scan(e);
	for (uint32_t i = 0; i < e->n_tallies; i++)
		if (e->tally[i].map)
			spent_into_ledger(e, &e->tally[i]);
	for (uint32_t s = 0; s < e->cat.n_services; s++) {
		for (uint32_t g = 0; e->cat.services[s].active && g < e->cat.n_groups; g++) {
			struct sums sums = {0};

			for (uint32_t i = 0; i < e->n_tallies; i++)
				if (e->tally[i].map)
					add_row(e->tally[i].map, &e->cat.services[s], s, g, &sums);
			update_row(&e->row[s * SL_MAX_GROUPS + g], &sums);
		}
	}
}

void engine_tally_close(struct engine *e)
{
	for (uint32_t i = 0; i < e->n_tallies; i++)
		tally_close(e->tally[i].map);
	e->n_tallies = 0;
}
