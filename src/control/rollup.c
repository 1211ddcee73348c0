/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Once a minute: the minute of the facts into the rollups, as it stands at the first tick of the
 * next; and what CDN logs have said since of minutes that may be long gone.
 */
#include "base/hash.h"
#include "base/log.h"
#include "control/quality.h"

#include <stdlib.h>

enum {
	LATE_MS = 5000, /* facts that are so much after the turn are not of that minute */
	STREAMS = 20,   /* the hottest of a minute */
	LOG_SLOTS = 1 << 16,
};

struct control_rollup {
	struct rollup *rollup;
	uint64_t minute_ms;          /* the turn that was last looked at */
	uint64_t written[LOG_SLOTS]; /* what logs said when they were last written; hashes */
};

struct put {
	struct control_rollup *r;
	const struct facts_view *f;
	const struct cat_view *cat;
	uint64_t minute_ms;
	struct errbuf err;
};

static const char *name_of(const struct cat_view *cat, struct blob_span span, char *ret)
{
	struct str s = cat_text(cat, span);

	(void)snprintf(ret, SL_MAX_NAME + 1, STR_FMT, STR_ARG(s));
	return ret;
}

static const char *vendor_of(const struct put *p, uint32_t vendor, char *ret)
{
	return name_of(p->cat, p->cat->vendors[vendor].name, ret);
}

/* How much a cell has to say: what is kept by its own name when there are too many. */
static uint64_t weight(const struct facts_cell *c)
{
	return (uint64_t)c->users + c->pulls + c->sessions;
}

static int by_weight(const void *a, const void *b)
{
	const struct facts_cell *const *x = a, *const *y = b;
	uint64_t wx = weight(*x), wy = weight(*y);

	return wx < wy ? 1 : wx > wy ? -1 : *x < *y ? -1 : *x > *y;
}

/* Cells of the minute; past ROLLUP_MAX the smallest of a vendor become one. */
static int put_cells(struct put *p)
{
	const struct facts_cell **cell = calloc(p->f->n_cells + 1, sizeof(*cell));
	char vendor[SL_MAX_NAME + 1], group[SL_MAX_NAME + 1];
	uint32_t n = 0;
	int rc = cell ? 0 : SL_ENOMEM;

	for (uint32_t i = 0; !rc && i < p->f->n_cells; i++)
		if (p->f->cells[i].window == 0)
			cell[n++] = &p->f->cells[i];
	if (n > ROLLUP_MAX)
		qsort(cell, n, sizeof(*cell), by_weight);
	for (uint32_t i = 0; !rc && i < n; i++) {
		struct rollup_counts c = control_counts_of(cell[i]);
		bool own = i < ROLLUP_MAX - SL_MAX_VENDORS || n <= ROLLUP_MAX;

		c.minutes = 1;
		rc = rollup_put(p->r->rollup, p->minute_ms, ROLLUP_GROUP,
			vendor_of(p, cell[i]->vendor, vendor),
			own ? name_of(p->cat, p->cat->groups[cell[i]->group].name, group) : "other",
			&c, &p->err);
	}
	free(cell);
	return rc;
}

static int put_kinds(struct put *p)
{
	char vendor[SL_MAX_NAME + 1], name[SL_MAX_NAME + 1];
	int rc = 0;

	for (uint32_t i = 0; !rc && i < p->f->n_kinds; i++) {
		const struct facts_kind *k = &p->f->kinds[i];
		struct rollup_counts c = control_counts_of_kind(k);

		if (k->vendor >= p->cat->n_vendors)
			continue;
		c.minutes = 1;
		(void)snprintf(name, sizeof(name), "%.*s", (int)k->name.count,
			(const char *)p->f->text + k->name.first);
		rc = rollup_put(p->r->rollup, p->minute_ms,
			k->client ? ROLLUP_CLIENT : ROLLUP_DEFINITION,
			vendor_of(p, k->vendor, vendor), name, &c, &p->err);
	}
	return rc;
}

/* The streams with the most sessions on a vendor. */
static int put_streams(struct put *p)
{
	const struct facts_stream *top[STREAMS + 1];
	char vendor[SL_MAX_NAME + 1], name[SL_HTTP_STREAM_MAX + 1];
	uint32_t n = 0;
	int rc = 0;

	for (uint32_t i = 0; i < p->f->n_streams; i++) {
		const struct facts_stream *s = &p->f->streams[i];
		uint32_t at = n;

		if (s->vendor >= p->cat->n_vendors)
			continue;
		for (; at > 0 && top[at - 1]->sessions < s->sessions; at--)
			top[at] = top[at - 1];
		top[at] = s;
		n = SL_MIN(n + 1, (uint32_t)STREAMS);
	}
	for (uint32_t i = 0; !rc && i < n; i++) {
		struct rollup_counts c = {.minutes = 1,
			.pulls = top[i]->pulls,
			.pulls_ok = top[i]->pulls_ok,
			.users = top[i]->sessions,
			.stalled = top[i]->stalled,
			.sessions = top[i]->sessions,
			.kbps = top[i]->kbps};

		(void)snprintf(name, sizeof(name), "%.*s", (int)top[i]->name.count,
			(const char *)p->f->text + top[i]->name.first);
		rc = rollup_put(p->r->rollup, p->minute_ms, ROLLUP_STREAM,
			vendor_of(p, top[i]->vendor, vendor), name, &c, &p->err);
	}
	return rc;
}

/* What logs say of a cell, unless it was written just so before. */
static int put_log(struct put *p, const struct facts_cell *c)
{
	uint64_t minute_ms = p->f->windows[c->window].start_ms;
	uint64_t key = hash_mix(hash_mix(minute_ms, c->group), c->vendor);
	uint64_t what = hash_mix(hash_mix(key, c->log_octets), c->log_requests);
	char vendor[SL_MAX_NAME + 1], group[SL_MAX_NAME + 1];
	struct rollup_counts n = {.log_octets = c->log_octets,
		.log_requests = c->log_requests,
		.log_errors = c->log_errors,
		.log_slow = c->log_slow};
	int rc;

	if (p->r->written[key % LOG_SLOTS] == what)
		return 0;
	rc = rollup_put_log(p->r->rollup, minute_ms, vendor_of(p, c->vendor, vendor),
		name_of(p->cat, p->cat->groups[c->group].name, group), &n, &p->err);
	if (!rc)
		p->r->written[key % LOG_SLOTS] = what;
	return rc;
}

static int put_logs(struct put *p)
{
	int rc = 0;

	for (uint32_t i = 0; !rc && i < p->f->n_cells; i++)
		if (p->f->cells[i].log_requests && p->f->cells[i].window < p->f->n_windows)
			rc = put_log(p, &p->f->cells[i]);
	return rc;
}

static int put_minute(struct put *p)
{
	int rc = rollup_begin(p->r->rollup, &p->err);

	if (rc)
		return rc;
	/* a restart within the minute puts it once; a clock that was set back adds to what was then
	 */
	if (p->minute_ms != rollup_last(p->r->rollup)) {
		rc = put_cells(p);
		if (!rc)
			rc = put_kinds(p);
		if (!rc)
			rc = put_streams(p);
	}
	if (!rc)
		rc = put_logs(p);
	if (!rc)
		return rollup_commit(p->r->rollup, p->minute_ms, &p->err);
	rollup_undo(p->r->rollup);
	return rc;
}

static bool is_open(struct control *c)
{
	char path[SL_MAX_PATH];
	struct errbuf err = {""};

	if (!c->rollup)
		c->rollup = calloc(1, sizeof(*c->rollup));
	if (!c->rollup || c->rollup->rollup)
		return c->rollup;
	(void)snprintf(path, sizeof(path), "%.900s/rollup.db", c->state_dir);
	if (rollup_open(path, &c->rollup->rollup, &err))
		LOG_W("rollup.refused", "error=\"%s\"", err.s);
	return c->rollup->rollup;
}

void control_rollup_round(struct control *c, uint64_t now_ms)
{
	const struct engine_view *view = engine_view(c->engine);
	uint64_t turn_ms = now_ms / ROLLUP_MINUTE_MS * ROLLUP_MINUTE_MS;
	struct put p = {.r = c->rollup, .f = view->facts, .minute_ms = turn_ms - ROLLUP_MINUTE_MS};

	if ((c->rollup && turn_ms == c->rollup->minute_ms) || !view->world || !view->facts ||
		view->facts->head->time_ms < turn_ms || !is_open(c))
		return;
	c->rollup->minute_ms = turn_ms;
	if (view->facts->head->time_ms > turn_ms + LATE_MS)
		return;
	p.r = c->rollup;
	p.cat = &view->world->cat;
	if (put_minute(&p)) {
		LOG_W("rollup.refused", "error=\"%s\"", p.err.s);
		rollup_close(c->rollup->rollup); /* a file that went bad is begun anew */
		c->rollup->rollup = NULL;
	}
}

void control_rollup_close(struct control *c)
{
	if (c->rollup)
		rollup_close(c->rollup->rollup);
	free(c->rollup);
	c->rollup = NULL;
}

struct rollup *control_rollup(struct control *c)
{
	return is_open(c) ? c->rollup->rollup : NULL;
}
