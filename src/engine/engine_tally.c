/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/engine_int.h"

#include <dirent.h>
#include <stdlib.h>
#include <sys/stat.h>

static struct engine_tally *tally_of(struct engine *e, const char *name)
{
	for (uint32_t i = 0; i < e->n_tallies; i++)
		if (strcmp(e->tally[i].name, name) == 0)
			return &e->tally[i];
	if (e->n_tallies == SL_MAX_WORKERS)
		return NULL;
	e->tally[e->n_tallies] = (struct engine_tally){.map = NULL};
	(void)snprintf(e->tally[e->n_tallies].name, sizeof(e->tally[0].name), "%.31s", name);
	return &e->tally[e->n_tallies++];
}

/* The folder of tallies from its beginning. It stays open, for opening takes memory; unless it was
 * removed since. */
static DIR *folder(struct engine *e)
{
	struct stat st;

	if (e->tally_folder && (fstat(dirfd(e->tally_folder), &st) < 0 || st.st_nlink == 0)) {
		(void)closedir(e->tally_folder);
		e->tally_folder = NULL;
	}
	if (e->tally_folder)
		rewinddir(e->tally_folder);
	else
		e->tally_folder = opendir(e->tally_dir);
	return e->tally_folder;
}

/* Maps tallies that have come since, or that a worker has made anew. */
static void scan(struct engine *e)
{
	DIR *d = folder(e);

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
		if (tally_map(path, &t->map, NULL) == 0) {
			t->inode = st.st_ino;
			t->notes =
				tally_get(&t->map->n_records); /* what is older has had its day */
		}
	}
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

static void add_doors(struct engine *e, const struct engine_tally *t)
{
	uint64_t(*last)[TALLY_CELLS] = last_read(e, t->name);

	for (uint32_t d = 0; last && d < TALLY_DOORS; d++) {
		for (uint32_t c = 0; c < TALLY_CELLS; c++) {
			uint64_t now = tally_get(&t->map->door_kbps[d][c]);

			e->door_kbps[d][c] += (double)(now >= last[d][c] ? now - last[d][c] : now);
			e->spent_kbps[c] += now;
			last[d][c] = now;
		}
	}
}

/* All slots and the count of refusals, so that the sums grow whatever a catalogue says. */
static void add_row(const struct tally_row *r, struct engine_row *s)
{
	s->none += tally_get(&r->none);
	for (uint32_t i = 0; i < SL_MAX_SLOTS; i++) {
		const struct tally_slot *slot = &r->slot[i];
		uint64_t sticky = tally_get(&slot->sticky_kbps);

		s->sequence_kbps += tally_get(&slot->kbps) - sticky;
		s->sticky_kbps += sticky;
		s->fresh += tally_get(&slot->fresh);
		s->refresh += tally_get(&slot->refresh);
	}
}

/* A sum that falls is of a tally made anew: what that has by now is lost, the rest goes on. */
static double grown(uint64_t last, uint64_t now)
{
	return now >= last ? (double)(now - last) : 0;
}

/* Tallies outlive the engine: what a row has when it is first read has had its day. What is refused
 * is demand all the same: shares that forget it open for it each tick. */
static void read_row(struct engine *e, struct loop_row *to)
{
	struct engine_row *last = &e->row[to->service * SL_MAX_GROUPS + to->group];
	struct engine_row now = {.read = true};
	uint32_t kbps = e->cat.services[to->service].bitrate_kbps;

	for (uint32_t i = 0; i < e->n_tallies; i++)
		if (e->tally[i].map)
			add_row(&e->tally[i].map->row[to->service][to->group], &now);
	if (last->read) {
		to->sequence_kbps = grown(last->sequence_kbps, now.sequence_kbps) +
				    grown(last->none, now.none) * kbps;
		to->sticky_kbps = grown(last->sticky_kbps, now.sticky_kbps);
		to->fresh = grown(last->fresh, now.fresh);
		to->refresh = grown(last->refresh, now.refresh);
	}
	*last = now;
}

/* What players told the steering doors since the last tick: as many as there is room for, and of
 * ids that exist. */
static void read_notes(struct engine *e, struct engine_tally *t)
{
	uint64_t word[64][TALLY_RECORD_WORDS], lost = 0;
	struct tally_note note;
	uint32_t n;

	while ((n = tally_take(t->map, &t->notes, SL_COUNT(word), word, &lost)))
		for (uint32_t i = 0; i < n && e->in.n_notes < ENGINE_MAX_NOTES; i++)
			if (tally_read_note(word[i], &note) && note.vendor < e->in.n_vendors &&
				note.group < e->in.n_groups)
				e->note[e->in.n_notes++] =
					(struct loop_note){.group = (uint16_t)note.group,
						.vendor = (uint16_t)note.vendor,
						.left = note.kind == TALLY_LEFT,
						.kbps = note.kbps};
}

void engine_tally_read(struct engine *e)
{
	scan(e);
	e->in.note = e->note;
	e->in.n_notes = 0;
	for (uint32_t i = 0; i < e->n_tallies; i++)
		if (e->tally[i].map)
			read_notes(e, &e->tally[i]);
	memset(e->door_kbps, 0, sizeof(e->door_kbps));
	memset(e->spent_kbps, 0, sizeof(e->spent_kbps));
	for (uint32_t i = 0; i < e->n_tallies; i++)
		if (e->tally[i].map)
			add_doors(e, &e->tally[i]);
	for (uint32_t i = 0; i < e->in.n_rows; i++)
		read_row(e, &e->loop_row[i]);
}

void engine_tally_close(struct engine *e)
{
	for (uint32_t i = 0; i < e->n_tallies; i++)
		tally_close(e->tally[i].map);
	e->n_tallies = 0;
	if (e->tally_folder)
		(void)closedir(e->tally_folder);
	e->tally_folder = NULL;
}
