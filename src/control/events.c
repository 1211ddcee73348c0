/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The journal of what happened: alerts, breakers, plans, processes. Kept in the store once a
 * second, so that a storm of events costs one transaction; what is past its room in a second is
 * counted.
 */
#include "base/log.h"
#include "base/os.h"
#include "control/control_int.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

enum { ROOM = 128, ROUND_MS = 1000, RETRY_MS = 10000 };

struct control_events {
	struct event {
		uint64_t time_ms;
		char kind[16], text[400];
	} event[ROOM];
	uint32_t n;
	uint64_t lost, due_ms;
	struct control_fall fall[CONTROL_ROLES]; /* as last told */
	uint32_t n_falls;
};

int control_events_open(struct control *c)
{
	c->events = calloc(1, sizeof(*c->events));
	return c->events ? 0 : SL_ENOMEM;
}

void control_events_close(struct control *c)
{
	free(c->events);
}

void control_event(struct control *c, const char *kind, const char *fmt, ...)
{
	struct event *e;
	va_list ap;

	if (c->events->n == ROOM) {
		c->events->lost++;
		return;
	}
	e = &c->events->event[c->events->n++];
	e->time_ms = os_now_ms();
	(void)snprintf(e->kind, sizeof(e->kind), "%s", kind);
	va_start(ap, fmt);
	(void)vsnprintf(e->text, sizeof(e->text), fmt, ap);
	va_end(ap);
	for (char *p = e->text; *p; p++)
		if ((unsigned char)*p < ' ')
			*p = ' ';
}

static int keep(struct control *c, uint64_t now_ms)
{
	struct control_events *e = c->events;
	char text[64];
	int rc = 0;

	for (uint32_t i = 0; !rc && i < e->n; i++) {
		const struct store_event_row row = {
			e->event[i].time_ms, e->event[i].kind, e->event[i].text};

		rc = store_event(c->store, &row, CONTROL_KEEP_MS, NULL);
	}
	if (rc || !e->lost)
		return rc;
	(void)snprintf(text, sizeof(text), "%" PRIu64 " more events than the journal has room for",
		e->lost);
	return store_event(c->store, &(struct store_event_row){now_ms, "journal", text},
		CONTROL_KEEP_MS, NULL);
}

/* STATE/falls, written by the supervisor: "ROLE TIMES UNIX_MS" a line. */
uint32_t control_falls(const struct control *c, struct control_fall ret[static CONTROL_ROLES])
{
	char path[SL_MAX_PATH + 8], *text = NULL;
	uint32_t n = 0;
	size_t size;
	int used = 0;

	(void)snprintf(path, sizeof(path), "%s/falls", c->state_dir);
	if (os_read_file(path, 4096, &text, &size, NULL))
		return 0;
	for (const char *at = text;
		n < CONTROL_ROLES && sscanf(at, "%15s %" SCNu64 " %" SCNu64 "%n", ret[n].role,
					     &ret[n].times, &ret[n].last_ms, &used) == 3;
		at += used)
		n++;
	free(text);
	return n;
}

/* Processes that fell since the last look; at the first, what was before is not news, but for the
 * fall of this process's own forerunner. */
static void look_for_falls(struct control *c)
{
	struct control_fall now[CONTROL_ROLES];
	struct control_events *e = c->events;
	uint32_t n = control_falls(c, now);

	for (uint32_t i = 0; i < n; i++) {
		uint64_t before = i < e->n_falls ? e->fall[i].times
				  : strcmp(now[i].role, "control") == 0 && now[i].times
					  ? now[i].times - 1
					  : now[i].times;

		if (now[i].times > before)
			control_event(c, "process",
				"%s fell and was started again (%" PRIu64 " times)", now[i].role,
				now[i].times);
		e->fall[i] = now[i];
	}
	e->n_falls = n;
}

/* Without a store they wait. */
void control_events_round(struct control *c, uint64_t now_ms)
{
	struct control_events *e = c->events;
	int rc;

	if (!control_due(&e->due_ms, ROUND_MS))
		return;
	look_for_falls(c);
	if (e->n == 0 || !c->store)
		return;
	if (store_begin(c->store, NULL)) {
		e->due_ms =
			os_mono_ms() + RETRY_MS; /* a locked store is not waited for every second */
		return;
	}
	rc = keep(c, now_ms);
	if (rc)
		store_undo(c->store);
	if (store_commit(c->store, NULL) == 0 && !rc) {
		e->n = 0;
		e->lost = 0;
	}
}

void control_ticked(struct control *c)
{
	const struct engine_view *v = engine_view(c->engine);
	char text[160];

	for (uint32_t i = 0; i < v->n_breaker_events; i++) {
		const struct loop_event *b = &v->breaker_events[i];
		const struct cat_view *cat = &v->world->cat;
		struct str vendor = cat_text(cat, cat->vendors[b->vendor].name);
		struct str group = cat_text(cat, cat->groups[b->group].name);

		(void)breaker_event_text(&b->event, text, sizeof(text));
		LOG_W("breaker", "vendor=" STR_FMT " group=" STR_FMT " change=\"%s\"",
			STR_ARG(vendor), STR_ARG(group), text);
		control_event(c, "breaker", STR_FMT " in " STR_FMT ": %s", STR_ARG(vendor),
			STR_ARG(group), text);
	}
}

void control_keys(struct control *c, bool missing)
{
	c->keys_missing = missing;
}

void control_reloaded(struct control *c, bool refused, const char *why)
{
	c->config_refused = refused;
	control_event(
		c, "config", "%s%s%s", refused ? "refused" : "read again", why[0] ? ": " : "", why);
}
