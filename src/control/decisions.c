/* SPDX-License-Identifier: Apache-2.0 */
/* Sampled decisions out of the workers' rings into the log: at most so many lines a second. */
#include "answer/decide.h"
#include "base/log.h"
#include "control/control_int.h"

#include <inttypes.h>
#include <stdlib.h>

enum { ROUND_MS = 1000, TAKE = 64 };

/* How far each ring has been read; by the writer, since files come and go. */
struct control_decisions {
	struct {
		uint64_t pid, cursor;
		char name[32];
	} ring[SL_MAX_WORKERS];
	uint64_t due_ms;
};

int control_decisions_open(struct control *c)
{
	c->decisions = calloc(1, sizeof(*c->decisions));
	return c->decisions ? 0 : SL_ENOMEM;
}

void control_decisions_close(struct control *c)
{
	free(c->decisions);
}

/* One that is new here begins at its end: what was before was said before. */
static uint64_t *cursor_of(struct control_decisions *d, const struct tally *t, const char *name)
{
	for (uint32_t i = 0; i < SL_MAX_WORKERS; i++) {
		if (d->ring[i].pid && strcmp(d->ring[i].name, name) != 0)
			continue;
		if (d->ring[i].pid == 0)
			d->ring[i].cursor = tally_get(&t->n_records);
		d->ring[i].pid = t->pid;
		(void)snprintf(d->ring[i].name, sizeof(d->ring[i].name), "%s", name);
		return &d->ring[i].cursor;
	}
	return NULL;
}

static const char *name_of(const struct engine_view *view, const struct tally_decision *d)
{
	static char text[3 * SL_MAX_NAME + 64]; /* of the one thread */
	const struct cat_view *cat = &view->world->cat;
	const struct cat_service *s = &cat->services[d->service];
	struct str vendor =
		d->slot < s->slots.count
			? control_vendor_name(view, cat->slots[s->slots.first + d->slot].vendor)
			: STR_LIT("none");
	struct str service = cat_text(cat, s->name),
		   group = cat_text(cat, cat->groups[d->group].name);

	(void)snprintf(text, sizeof(text), "service=" STR_FMT " group=" STR_FMT " vendor=" STR_FMT,
		STR_ARG(service), STR_ARG(group), STR_ARG(vendor));
	return text;
}

static void tell(const struct engine_view *view, const uint64_t *word)
{
	static const char *const kinds[ANSWER_KINDS] = {"new", "refresh", "move"};
	struct tally_decision d;

	tally_read_decision(word, &d);
	if (d.service >= view->world->cat.n_services || d.group >= view->world->cat.n_groups)
		return; /* of another catalogue */
	LOG_I("decision", "%s door=%s kind=%s reason=\"%s\" view=%" PRIu64 ".%" PRIu64,
		name_of(view, &d), d.door == TALLY_DOOR_DNS ? "dns" : "http",
		d.slot == UINT8_MAX ? "none" : kinds[d.kind % ANSWER_KINDS],
		answer_reason_text(d.reason), d.epoch, d.generation);
}

/* Goes round the workers, so that each is heard. */
void control_decisions_round(struct control *c, uint64_t now_ms)
{
	const struct engine_view *view = engine_view(c->engine);
	struct control_decisions *d = c->decisions;
	uint64_t word[TAKE][TALLY_RECORD_WORDS], lost = 0;
	struct control_tallies t;
	uint32_t left;

	if (!view->world || !view->conf || !control_due(&d->due_ms, ROUND_MS))
		return;
	left = view->conf->sluice.log.decisions;
	control_tallies_open(c, &t);
	for (uint32_t i = 0; i < t.n; i++) {
		uint32_t at = (uint32_t)((now_ms / ROUND_MS + i) % t.n), n;
		uint64_t *cursor = cursor_of(d, t.tally[at], t.name[at]);

		while (cursor && (n = tally_take(t.tally[at], cursor, TAKE, word, &lost)))
			for (uint32_t k = 0; k < n; k++)
				if (left && (word[k][0] & 0xff) == TALLY_DECISION) {
					tell(view, word[k]);
					left--;
				}
	}
	control_tallies_close(&t);
}
