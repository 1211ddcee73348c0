/* SPDX-License-Identifier: Apache-2.0 */
#include "control/streams.h"

#include "base/arena.h"
#include "base/hash.h"
#include "control/control_int.h"

#include <stdlib.h>
#include <string.h>

enum { ARENA_MAX = 1 << 30, ROOM = 1024 };

void control_stream_key(const char *service, const char *name, char ret_key[static STREAM_KEY])
{
	(void)snprintf(ret_key, STREAM_KEY, "stream|%s|%s", service, name);
}

bool control_stream_of_key(
	const char *key, char ret_service[static SL_MAX_NAME + 1], const char **ret_name)
{
	const char *service = strncmp(key, "stream|", 7) == 0 ? key + 7 : NULL;
	const char *end = service ? strchr(service, '|') : NULL;

	if (!end || end - service > SL_MAX_NAME || !end[1] || strlen(end + 1) > SL_MAX_NAME)
		return false;
	(void)snprintf(ret_service, SL_MAX_NAME + 1, "%.*s", (int)(end - service), service);
	*ret_name = end + 1;
	return true;
}

static const cJSON *get(const cJSON *o, const char *name)
{
	return cJSON_GetObjectItemCaseSensitive(o, name);
}

static uint64_t time_of(const cJSON *o, const char *name)
{
	const cJSON *v = get(o, name);

	return cJSON_IsNumber(v) && v->valuedouble > 0 && v->valuedouble < 1e15
		       ? (uint64_t)v->valuedouble
		       : 0;
}

static const cJSON *was_of(const cJSON *entry)
{
	const cJSON *was = get(entry, "was");

	return cJSON_IsObject(was) ? was : NULL;
}

bool control_stream_over(const cJSON *entry, uint64_t now_ms, const cJSON **ret_was)
{
	uint64_t until = time_of(entry, "until_ms");

	*ret_was = was_of(entry);
	return until && now_ms >= until;
}

const cJSON *control_stream_now(
	const cJSON *entry, const char *name, uint64_t now_ms, uint64_t *ret_next_ms)
{
	uint64_t ramp = time_of(entry, "ramp_ms"), until = time_of(entry, "until_ms");
	const cJSON *was;

	if (!entry || control_stream_over(entry, now_ms, &was))
		return entry ? was : NULL;
	if (until)
		*ret_next_ms = SL_MIN(*ret_next_ms, until);
	if (ramp) {
		double part = (double)(hash64(name, strlen(name), 7) >> 11) * 0x1p-53;
		uint64_t turn = time_of(entry, "start_ms") + (uint64_t)(part * (double)ramp);

		if (now_ms < turn &&
			control_ramp_done(time_of(entry, "start_ms"), ramp, now_ms) < 1) {
			*ret_next_ms = SL_MIN(*ret_next_ms, turn);
			return was_of(entry);
		}
	}
	return entry;
}

const struct conf_stream *control_stream_in_file(
	const struct conf *conf, const char *service, const char *name)
{
	for (uint32_t i = 0; i < conf->catalog.streams_count; i++)
		if (strcmp(conf->catalog.streams[i].name, name) == 0 &&
			strcmp(conf->catalog.streams[i].service, service) == 0)
			return &conf->catalog.streams[i];
	return NULL;
}

struct reading {
	struct control_streams s;
	const struct conf *conf;
	uint64_t now_ms;
	uint32_t room;
	bool failed;
};

/* A stream of the list, with what tells it from a later one of the same name. */
struct numbered {
	struct conf_stream stream;
	uint32_t at;
};

static struct conf_stream *add(struct reading *r)
{
	if (r->s.n == r->room) {
		uint32_t room = r->room ? 2 * r->room : ROOM;
		struct conf_stream *more = realloc(r->s.stream, room * sizeof(*more));

		if (!more) {
			r->failed = true;
			return NULL;
		}
		r->s.stream = more;
		r->room = room;
	}
	r->s.stream[r->s.n] = (struct conf_stream){0};
	return &r->s.stream[r->s.n++];
}

/* The service's own text of a vendor's name; NULL: it does not have it. */
static const char *vendor_of(const struct conf_service *s, const cJSON *name)
{
	for (uint32_t i = 0; cJSON_IsString(name) && i < s->vendors_count; i++)
		if (strcmp(s->vendors[i].vendor, name->valuestring) == 0)
			return s->vendors[i].vendor;
	return NULL;
}

static const char *ingest_of(const struct conf_service *s, const cJSON *name)
{
	for (uint32_t i = 0; cJSON_IsString(name) && i < s->ingest_count; i++)
		if (strcmp(s->ingest[i].name, name->valuestring) == 0)
			return s->ingest[i].name;
	return NULL;
}

/* An entry with what the file still has of it. false: nothing. */
static bool fill(struct reading *r, struct conf_stream *to, const struct conf_service *s,
	const char *name, const cJSON *state)
{
	const cJSON *list = get(state, "vendors"), *v = NULL;
	const char **vendors =
		arena_alloc(r->s.arena, ((size_t)cJSON_GetArraySize(list) + 1) * sizeof(*vendors));
	uint32_t n = 0;

	to->name = arena_strndup(r->s.arena, name, strlen(name));
	r->failed |= !vendors || !to->name;
	if (r->failed)
		return false;
	cJSON_ArrayForEach (v, list) {
		const char *vendor = vendor_of(s, v);

		if (vendor && n < SL_MAX_SLOTS)
			vendors[n++] = vendor;
	}
	to->service = s->name;
	to->vendors = vendors;
	to->vendors_count = n;
	to->encrypted = cJSON_IsTrue(get(state, "encrypted"));
	to->ingest = ingest_of(s, get(state, "ingest"));
	return n > 0;
}

static void read_one(void *ctx, const char *key, const char *value)
{
	struct reading *r = ctx;
	char service[SL_MAX_NAME + 1];
	const char *name;
	struct conf_stream *to;
	const cJSON *state;
	cJSON *entry;
	int s;

	if (r->failed || !control_stream_of_key(key, service, &name))
		return;
	entry = cJSON_Parse(value);
	state = control_stream_now(entry, name, r->now_ms, &r->s.next_ms);
	s = conf_find_service(&r->conf->catalog, service);
	to = state && s >= 0 ? add(r) : NULL;
	if (to && cJSON_IsTrue(get(state, "gone"))) {
		to->service = r->conf->catalog.services[s].name;
		to->name = arena_strndup(r->s.arena, name, strlen(name));
		r->failed |= !to->name;
	} else if (to && !fill(r, to, &r->conf->catalog.services[s], name, state)) {
		r->s.n--;
		to = NULL;
	}
	r->s.left_out += state && !to;
	cJSON_Delete(entry);
}

/* By service and name; the file's before the store's, which come later in the list. */
static int in_order(const void *a, const void *b)
{
	const struct numbered *x = a, *y = b;
	int order = strcmp(x->stream.service, y->stream.service);

	if (!order)
		order = strcmp(x->stream.name, y->stream.name);
	return order ? order : x->at < y->at ? -1 : 1;
}

/* Sorts, keeps the last of a name, and drops what is gone. */
static int settle(struct reading *r)
{
	struct numbered *list = calloc(r->s.n + (size_t)1, sizeof(*list));
	uint32_t n = 0;

	if (!list)
		return SL_ENOMEM;
	for (uint32_t i = 0; i < r->s.n; i++)
		list[i] = (struct numbered){r->s.stream[i], i};
	qsort(list, r->s.n, sizeof(*list), in_order);
	for (uint32_t i = 0; i < r->s.n; i++) {
		const struct conf_stream *s = &list[i].stream;

		if ((i + 1 < r->s.n && !strcmp(s->name, list[i + 1].stream.name) &&
			    !strcmp(s->service, list[i + 1].stream.service)) ||
			s->vendors_count == 0)
			continue;
		if (n < SL_MAX_STREAMS)
			r->s.stream[n++] = *s;
		else
			r->s.left_out++;
	}
	r->s.n = n;
	free(list);
	return 0;
}

int control_streams_read(
	struct control *c, const struct conf *conf, uint64_t now_ms, struct control_streams *ret)
{
	struct reading r = {.s = {.arena = arena_new(ARENA_MAX), .next_ms = UINT64_MAX},
		.conf = conf,
		.now_ms = now_ms};
	int rc = r.s.arena ? 0 : SL_ENOMEM;

	for (uint32_t i = 0; !rc && i < conf->catalog.streams_count; i++) {
		struct conf_stream *to = add(&r);

		if (to)
			*to = conf->catalog.streams[i];
	}
	if (!rc)
		rc = control_each(c, "stream|", read_one, &r);
	if (!rc)
		rc = r.failed ? SL_ENOMEM : settle(&r);
	if (rc) {
		control_streams_done(&r.s);
		return rc;
	}
	control_streams_done(ret);
	*ret = r.s;
	return 0;
}

void control_streams_done(struct control_streams *s)
{
	arena_free(s->arena);
	free(s->stream);
	*s = (struct control_streams){.next_ms = UINT64_MAX};
}
