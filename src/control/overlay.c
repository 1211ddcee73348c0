/* SPDX-License-Identifier: Apache-2.0 */
/* Streams of the state laid over the catalogue file: listed, built, ended. At most one catalogue a
 * round and none while nothing changes, however many rooms open. */
#include "base/glob.h"
#include "base/log.h"
#include "base/os.h"
#include "control/passing.h"

#include <stdlib.h>
#include <string.h>

enum { BUILD_MS = 500, MAX_ENDED = 4096, DEFAULT_LIST = 1000 };

static void overlay(void *ctx, const struct conf *conf, struct conf_catalog *copy)
{
	struct control *c = ctx;
	struct conf now = *conf;

	control_passing_blend(c, conf, &now.catalog);
	*copy = now.catalog;
	if (control_streams_read(c, &now, os_now_ms(), &c->streams)) {
		LOG_E("streams.refused", "error=\"out of memory\"");
		return;
	}
	if (c->streams.left_out)
		LOG_W("streams.left_out", "streams=%u", c->streams.left_out);
	copy->streams = c->streams.stream;
	copy->streams_count = c->streams.n;
}

void control_overlay_open(struct control *c)
{
	c->streams.next_ms = UINT64_MAX;
	c->overlay_change = UINT64_MAX;
	engine_set_overlay(c->engine, overlay, c);
}

void control_overlay_close(struct control *c)
{
	engine_set_overlay(c->engine, NULL, NULL);
	control_streams_done(&c->streams);
}

static void see_item(
	void *ctx, uint64_t number, const char *key, const char *before, const char *after)
{
	(void)number;
	(void)before;
	(void)after;
	*(bool *)ctx |= strncmp(key, "stream|", 7) == 0;
}

/* Whether a change of the state since the last look was about streams. */
static bool changed(struct control *c)
{
	struct store_stamp now = c->store ? store_stamp(c->store) : (struct store_stamp){0, 0};
	bool any = c->overlay_change == UINT64_MAX;
	uint64_t last;

	if (!c->store || (!any && now.generation == c->overlay_stamp.generation &&
				 now.epoch == c->overlay_stamp.epoch))
		return false;
	last = store_last(c->store);
	if (!any && (last < c->overlay_change ||
			    store_items(c->store, c->overlay_change, last, see_item, &any)))
		any = true;
	c->overlay_stamp = now;
	c->overlay_change = last;
	return any;
}

struct ending {
	struct store_item item[MAX_ENDED];
	uint64_t now_ms;
	uint32_t n;
};

static void end_one(void *ctx, const char *key, const char *value)
{
	struct ending *x = ctx;
	cJSON *entry =
		x->n < MAX_ENDED && strstr(value, "\"until_ms\":") ? cJSON_Parse(value) : NULL;
	const cJSON *was = NULL;

	if (entry && control_stream_over(entry, x->now_ms, &was)) {
		x->item[x->n].key = strdup(key);
		x->item[x->n++].value = was ? cJSON_PrintUnformatted(was) : NULL;
	}
	cJSON_Delete(entry);
}

/* Entries whose time is over go back to what was, so that the history shows it. */
static void expire(struct control *c, uint64_t now_ms)
{
	struct ending *x = calloc(1, sizeof(*x));
	struct errbuf err = {""};

	if (!x)
		return;
	x->now_ms = now_ms;
	if (store_each(c->store, "stream|", end_one, x) == 0 && x->n) {
		if (control_journal_change(c, "expiry", "expire", "streams whose time is over",
			    x->item, x->n, &err))
			LOG_W("streams.kept", "error=\"%s\"", err.s);
		else
			LOG_I("streams.ended", "streams=%u", x->n);
	}
	for (uint32_t i = 0; i < x->n; i++) {
		free((char *)(uintptr_t)x->item[i].key);
		cJSON_free((char *)(uintptr_t)x->item[i].value);
	}
	free(x);
}

void control_overlay_round(struct control *c, uint64_t now_ms)
{
	struct errbuf err = {""};

	bool ends = now_ms >= c->streams.next_ms;

	c->overlay_due |= changed(c) || ends;
	if (!c->overlay_due || !control_due(&c->overlay_due_ms, BUILD_MS))
		return;
	if (ends && c->store)
		expire(c, now_ms);
	c->overlay_due = false;
	if (engine_rebuild(c->engine, now_ms, &err)) {
		LOG_E("catalogue.refused", "error=\"%s\"", err.s);
		c->overlay_due = true;
	} else if (c->store) {
		expire(c, now_ms); /* what ended before it was ever built */
	}
}

static void put_stream(
	const struct control_call *call, cJSON *row, const struct conf_stream *s, char *vendors)
{
	char key[STREAM_KEY], *own;

	control_stream_key(s->service, s->name, key);
	own = call->c->store ? store_get(call->c->store, key) : NULL;
	vendors[0] = '\0';
	for (uint32_t i = 0; i < s->vendors_count; i++) {
		size_t n = strlen(vendors);

		(void)snprintf(vendors + n, 2048 - n, "%s%s", i ? "," : "", s->vendors[i]);
	}
	cJSON_AddStringToObject(row, "stream", s->name);
	cJSON_AddStringToObject(row, "service", s->service);
	cJSON_AddStringToObject(row, "vendors", vendors);
	control_put_bool(row, "encrypted", s->encrypted);
	cJSON_AddStringToObject(row, "ingest", s->ingest ? s->ingest : "");
	cJSON_AddStringToObject(row, "origin", own ? "operator" : "catalogue");
	free(own);
}

int control_do_STREAM_LIST(struct control_call *call)
{
	const char *pattern = control_arg(call, "stream"), *service = control_arg(call, "service");
	double limit = control_number(call, "limit", DEFAULT_LIST);
	struct control_streams all = {.next_ms = UINT64_MAX};
	int rc = control_need_world(call);
	cJSON *list;
	uint32_t n = 0;

	if (!rc)
		rc = control_streams_read(call->c, call->view->conf, call->now_ms, &all);
	if (rc)
		return rc;
	list = cJSON_AddArrayToObject(call->out, "streams");
	for (uint32_t i = 0; i < all.n; i++) {
		const struct conf_stream *s = &all.stream[i];
		char vendors[2048];

		if ((pattern && !glob_match(str_from(pattern), str_from(s->name), false)) ||
			(service && !glob_match(str_from(service), str_from(s->service), false)))
			continue;
		if (n++ < limit)
			put_stream(call, control_add_row(list), s, vendors);
	}
	control_put(call->out, "matching", n);
	control_put(call->out, "left_out", all.left_out);
	control_streams_done(&all);
	return 0;
}
