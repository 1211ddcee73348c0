/* SPDX-License-Identifier: Apache-2.0 */
#include "control/notice.h"

#include <stdlib.h>
#include <string.h>

enum { IN_FLIGHT_START = 1, IN_FLIGHT_END = 2 };

/* What one receiver knows of one alert. */
struct told {
	uint64_t at_ms; /* when it was last told that it fires; 0: never */
	bool tried;     /* to tell it that it fires: it may know */
	bool end;       /* it was told the end */
	uint8_t flight; /* what the message under way says */
};

struct entry {
	struct notice n;
	uint64_t end_ms; /* 0: fires */
	bool seen;       /* in the list that is being taken */
	struct told told[NOTICE_TARGETS];
};

struct state {
	bool busy;
	uint64_t due_ms; /* after a failure */
	uint32_t failures;
};

struct notice_book {
	struct notice_target target[NOTICE_TARGETS];
	struct state state[NOTICE_TARGETS];
	uint32_t n_targets, n;
	struct entry entry[NOTICE_MAX];
};

const char *notice_severity_text(enum notice_severity s)
{
	static const char *const texts[] = {"info", "warning", "critical"};

	return texts[s];
}

struct notice_book *notice_new(void)
{
	return calloc(1, sizeof(struct notice_book));
}

void notice_free(struct notice_book *b)
{
	free(b);
}

/* The first place of id that nobody has taken, or NOTICE_TARGETS. */
static uint32_t take_place(const struct notice_book *b, uint64_t id, bool taken[NOTICE_TARGETS])
{
	for (uint32_t t = 0; t < b->n_targets; t++)
		if (!taken[t] && b->target[t].id == id) {
			taken[t] = true;
			return t;
		}
	return NOTICE_TARGETS;
}

void notice_set_targets(struct notice_book *b, const struct notice_target *targets, uint32_t n,
	uint32_t ret_was[static NOTICE_TARGETS])
{
	bool taken[NOTICE_TARGETS] = {false};
	struct state state[NOTICE_TARGETS + 1] = {{.busy = false}}; /* the last: of who is new */

	memcpy(state, b->state, sizeof(b->state));
	for (uint32_t t = 0; t < NOTICE_TARGETS; t++) {
		ret_was[t] = t < n ? take_place(b, targets[t].id, taken) : NOTICE_TARGETS;
		b->state[t] = state[ret_was[t]];
	}
	for (uint32_t i = 0; i < b->n; i++) {
		struct told told[NOTICE_TARGETS + 1] = {{.at_ms = 0}};

		memcpy(told, b->entry[i].told, sizeof(b->entry[i].told));
		for (uint32_t t = 0; t < NOTICE_TARGETS; t++)
			b->entry[i].told[t] = told[ret_was[t]];
	}
	b->n_targets = SL_MIN(n, (uint32_t)NOTICE_TARGETS);
	for (uint32_t t = 0; t < b->n_targets; t++)
		b->target[t] = targets[t];
}

static struct entry *entry_of(struct notice_book *b, const struct notice *n)
{
	for (uint32_t i = 0; i < b->n; i++)
		if (strcmp(b->entry[i].n.alert, n->alert) == 0 &&
			strcmp(b->entry[i].n.labels, n->labels) == 0)
			return &b->entry[i];
	return NULL;
}

/* Whether receiver t has to be told the end of e. */
static bool owes_end(const struct entry *e, uint32_t t)
{
	return e->end_ms && e->told[t].tried && !e->told[t].end;
}

/* Ends that everybody who was told the beginning knows. An entry that is under way stays. */
static void sweep(struct notice_book *b, uint64_t now_ms)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < b->n; i++) {
		const struct entry *e = &b->entry[i];
		bool owed = false, flies = false;

		for (uint32_t t = 0; t < b->n_targets; t++) {
			owed |= owes_end(e, t);
			flies |= e->told[t].flight != 0;
		}
		if (e->end_ms && !flies && (!owed || now_ms > e->end_ms + NOTICE_FORGET_MS))
			continue;
		if (n != i)
			b->entry[n] = *e;
		n++;
	}
	b->n = n;
}

static void begin(struct notice_book *b, const struct notice *n)
{
	struct entry *e = entry_of(b, n);

	if (!e) {
		if (b->n == NOTICE_MAX)
			return;
		e = &b->entry[b->n++];
		*e = (struct entry){.n = *n};
	} else if (e->end_ms) { /* again, before its end was through */
		e->end_ms = 0;
		for (uint32_t t = 0; t < NOTICE_TARGETS; t++)
			e->told[t] = (struct told){.flight = e->told[t].flight};
	}
	e->n = *n;
	e->seen = true;
}

/* The clock was set back: what was done then counts as done now. */
static void follow_clock(struct notice_book *b, uint64_t now_ms)
{
	for (uint32_t t = 0; t < NOTICE_TARGETS; t++)
		b->state[t].due_ms = SL_MIN(b->state[t].due_ms, now_ms + NOTICE_MAX_RETRY_MS);
	for (uint32_t i = 0; i < b->n; i++) {
		struct entry *e = &b->entry[i];

		e->end_ms = SL_MIN(e->end_ms, now_ms);
		for (uint32_t t = 0; t < NOTICE_TARGETS; t++)
			e->told[t].at_ms = SL_MIN(e->told[t].at_ms, now_ms);
	}
}

void notice_take(struct notice_book *b, const struct notice *list, uint32_t n, uint64_t now_ms)
{
	follow_clock(b, now_ms);
	for (uint32_t i = 0; i < b->n; i++)
		b->entry[i].seen = false;
	for (uint32_t i = 0; i < n; i++)
		begin(b, &list[i]);
	for (uint32_t i = 0; i < b->n; i++)
		if (!b->entry[i].seen && !b->entry[i].end_ms)
			b->entry[i].end_ms = now_ms;
	sweep(b, now_ms);
}

/* Whether this entry is a reason to send to t now. */
static bool is_due(const struct notice_book *b, const struct entry *e, uint32_t t, uint64_t now_ms)
{
	const struct notice_target *k = &b->target[t];
	uint64_t wait = k->grouped ? k->group : 0;

	if (e->end_ms)
		return owes_end(e, t) && now_ms >= e->end_ms + wait;
	if (e->n.severity < k->least)
		return false;
	if (!e->told[t].at_ms)
		return now_ms >= e->n.start_ms + wait;
	return now_ms >= e->told[t].at_ms + k->again;
}

uint32_t notice_due(struct notice_book *b, uint32_t t, uint64_t now_ms,
	struct notice_line ret[static NOTICE_MAX])
{
	const struct notice *cause = NULL;
	uint32_t n = 0;

	if (t >= b->n_targets || b->state[t].busy || now_ms < b->state[t].due_ms)
		return 0;
	for (uint32_t i = 0; i < b->n && !cause; i++)
		if (is_due(b, &b->entry[i], t, now_ms))
			cause = &b->entry[i].n;
	for (uint32_t i = 0; i < b->n && cause; i++) {
		struct entry *e = &b->entry[i];

		if (!(e->end_ms ? owes_end(e, t) : e->n.severity >= b->target[t].least) ||
			(b->target[t].grouped && strcmp(e->n.alert, cause->alert) != 0))
			continue;
		e->told[t].flight = e->end_ms ? IN_FLIGHT_END : IN_FLIGHT_START;
		e->told[t].tried = true;
		ret[n++] = (struct notice_line){&e->n, e->end_ms};
	}
	b->state[t].busy = n > 0;
	return n;
}

static uint64_t retry_after(uint32_t failures)
{
	uint64_t ms = NOTICE_RETRY_MS;

	for (uint32_t i = 1; i < failures && ms < NOTICE_MAX_RETRY_MS; i++)
		ms *= 2;
	return SL_MIN(ms, (uint64_t)NOTICE_MAX_RETRY_MS);
}

void notice_told(struct notice_book *b, uint32_t t, bool ok, uint64_t now_ms)
{
	b->state[t].busy = false;
	b->state[t].failures = ok ? 0 : b->state[t].failures + 1;
	b->state[t].due_ms = ok ? 0 : now_ms + retry_after(b->state[t].failures);
	for (uint32_t i = 0; i < b->n; i++) {
		struct told *k = &b->entry[i].told[t];

		if (ok && k->flight == IN_FLIGHT_START)
			k->at_ms = now_ms;
		if (ok && k->flight == IN_FLIGHT_END && b->entry[i].end_ms)
			k->end = true;
		k->flight = 0;
	}
	sweep(b, now_ms);
}

uint32_t notice_waiting(const struct notice_book *b, uint32_t t)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < b->n; i++) {
		const struct entry *e = &b->entry[i];

		if (e->end_ms)
			n += owes_end(e, t);
		else
			n += e->n.severity >= b->target[t].least && !e->told[t].at_ms;
	}
	return n;
}

uint32_t notice_failures(const struct notice_book *b, uint32_t t)
{
	return b->state[t].failures;
}
