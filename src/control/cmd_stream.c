/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stream: rooms opened, closed and changed at run time, one or thousands in one call and one
 * transaction. An entry has a beginning, a ramp over the streams of the call, and an end, after
 * which the stream is what it was. Long because every way to change an entry is one idea.
 */
#include "base/glob.h"
#include "base/hash.h"
#include "conf/text.h"
#include "control/control_int.h"
#include "control/impact.h"
#include "control/streams.h"
#include "store/list.h"

#include <stdlib.h>
#include <string.h>

struct edit {
	struct control_call *call;
	const struct conf_service *service;
	struct store_list list;
	uint32_t named; /* streams the call is about */
	struct impact_stream *moved;
	uint32_t n_moved;
	uint64_t start_ms, ramp_ms, until_ms;
	cJSON *vendors; /* --vendors or the argument, checked; NULL: not given */
	int (*change)(struct edit *e, const char *name, cJSON *state);
};

static const cJSON *get(const cJSON *o, const char *name)
{
	return cJSON_GetObjectItemCaseSensitive(o, name);
}

static cJSON *all_vendors(const struct conf_service *s)
{
	cJSON *list = cJSON_CreateArray();

	for (uint32_t i = 0; i < s->vendors_count; i++)
		cJSON_AddItemToArray(list, cJSON_CreateString(s->vendors[i].vendor));
	return list;
}

static cJSON *state_of(cJSON *vendors, bool encrypted, const char *ingest)
{
	cJSON *o = cJSON_CreateObject();

	cJSON_AddItemToObject(o, "vendors", vendors);
	cJSON_AddBoolToObject(o, "encrypted", encrypted);
	cJSON_AddStringToObject(o, "ingest", ingest ? ingest : "");
	return o;
}

static cJSON *state_in_file(const struct edit *e, const char *name)
{
	const struct conf_stream *s =
		control_stream_in_file(e->call->view->conf, e->service->name, name);
	cJSON *list;

	if (!s)
		return NULL;
	list = cJSON_CreateArray();
	for (uint32_t i = 0; i < s->vendors_count; i++)
		cJSON_AddItemToArray(list, cJSON_CreateString(s->vendors[i]));
	return state_of(list, s->encrypted, s->ingest);
}

/* What holds for a stream now, of its own; NULL: it has no entry. */
static cJSON *state_now(const struct edit *e, const char *name, const char *value)
{
	uint64_t next = UINT64_MAX;
	cJSON *entry = value ? cJSON_Parse(value) : NULL, *o = NULL;
	const cJSON *now = control_stream_now(entry, name, e->call->now_ms, &next);

	if (!now)
		o = state_in_file(e, name);
	else if (!cJSON_IsTrue(get(now, "gone")))
		o = state_of(cJSON_Duplicate(get(now, "vendors"), true),
			cJSON_IsTrue(get(now, "encrypted")),
			cJSON_GetStringValue(get(now, "ingest")));
	cJSON_Delete(entry);
	return o;
}

static uint64_t mask_of(const struct edit *e, const cJSON *state)
{
	const struct cat_view *cat = &e->call->view->world->cat;
	const cJSON *v = NULL;
	uint64_t mask = 0;

	if (!state)
		return UINT64_MAX;
	cJSON_ArrayForEach (v, get(state, "vendors")) {
		uint32_t id = cat_find_vendor(cat, str_from(cJSON_GetStringValue(v)));

		if (id != BLOB_NONE)
			mask |= UINT64_C(1) << id;
	}
	return mask;
}

/* The entry as the store keeps it: the state, when it holds, and what was before. */
static char *print_entry(const struct edit *e, const cJSON *state, const cJSON *before)
{
	const char *why = control_arg(e->call, "why");
	cJSON *o = state ? cJSON_Duplicate(state, true) : cJSON_CreateObject();
	char *text;

	if (!state)
		cJSON_AddBoolToObject(o, "gone", true);
	if (e->ramp_ms || e->until_ms) {
		cJSON_AddNumberToObject(o, "start_ms", (double)e->start_ms);
		cJSON_AddNumberToObject(o, "ramp_ms", (double)e->ramp_ms);
		cJSON_AddNumberToObject(o, "until_ms", (double)e->until_ms);
		if (before)
			cJSON_AddItemToObject(o, "was", cJSON_Duplicate(before, true));
	}
	cJSON_AddStringToObject(o, "who", e->call->who);
	if (why)
		cJSON_AddStringToObject(o, "why", why);
	text = cJSON_PrintUnformatted(o);
	cJSON_Delete(o);
	return text;
}

static int put(struct edit *e, const char *key, char *value)
{
	store_list_add(&e->list, key, value);
	cJSON_free(value);
	return e->list.failed ? err_set(&e->call->err, SL_ENOMEM, "out of memory") : 0;
}

/* One stream of the call: its state before, changed, kept. */
static int edit_one(struct edit *e, const char *name, const char *value)
{
	cJSON *before = state_now(e, name, value), *after;
	char key[STREAM_KEY];
	uint64_t left;
	int rc;

	after = before ? cJSON_Duplicate(before, true)
		       : state_of(all_vendors(e->service), false, NULL);
	control_stream_key(e->service->name, name, key);
	rc = e->change(e, name, after);
	if (!rc && cJSON_HasObjectItem(after, "gone") && !before)
		rc = err_set(&e->call->err, SL_ENOENT, "no stream of %s is called %.64s",
			e->service->name, name);
	if (!rc && cJSON_HasObjectItem(after, "gone")) {
		cJSON_Delete(after);
		after = NULL;
	}
	left = mask_of(e, before) & ~mask_of(e, after);
	e->named++;
	if (!rc && left)
		e->moved[e->n_moved++] = (struct impact_stream){
			hash64(name, strlen(name), 0), left, mask_of(e, after)};
	if (!rc && !after && !e->ramp_ms && !e->until_ms)
		rc = put(e, key, NULL);
	else if (!rc && (!before || !after || !cJSON_Compare(before, after, true)))
		rc = put(e, key, print_entry(e, after, before));
	cJSON_Delete(before);
	cJSON_Delete(after);
	return rc;
}

/* Names that match a pattern, of the store and of the file; with what the store has. */
struct matching {
	struct edit *e;
	struct str pattern;
	cJSON *found; /* name: value or null */
};

static void match_stored(void *ctx, const char *key, const char *value)
{
	struct matching *m = ctx;
	char service[SL_MAX_NAME + 1];
	const char *name;

	if (control_stream_of_key(key, service, &name) &&
		glob_match(m->pattern, str_from(name), false))
		cJSON_AddItemToObject(m->found, name, cJSON_CreateString(value));
}

static int edit_matching(struct edit *e, const char *pattern)
{
	const struct conf_catalog *c = &e->call->view->conf->catalog;
	struct matching m = {e, str_from(pattern), cJSON_CreateObject()};
	char prefix[STREAM_KEY];
	int rc;

	(void)snprintf(prefix, sizeof(prefix), "stream|%s|", e->service->name);
	rc = store_each(e->call->c->store, prefix, match_stored, &m);
	for (uint32_t i = 0; i < c->streams_count; i++)
		if (strcmp(c->streams[i].service, e->service->name) == 0 &&
			glob_match(m.pattern, str_from(c->streams[i].name), false) &&
			!cJSON_HasObjectItem(m.found, c->streams[i].name))
			cJSON_AddNullToObject(m.found, c->streams[i].name);
	for (const cJSON *v = m.found->child; !rc && v; v = v->next)
		rc = e->n_moved < SL_MAX_STREAMS
			     ? edit_one(e, v->string, cJSON_GetStringValue(v))
			     : err_set(&e->call->err, SL_ELIMIT, "over %d streams", SL_MAX_STREAMS);
	if (!rc && !m.found->child)
		rc = err_set(&e->call->err, SL_ENOENT, "no stream of %s is called %.64s",
			e->service->name, pattern);
	cJSON_Delete(m.found);
	return rc;
}

static int edit_named(struct edit *e, const char *name)
{
	char key[STREAM_KEY], *value;
	int rc;

	if (!conf_text_ok(CONF_TEXT_STREAM, str_from(name)) || strlen(name) > SL_MAX_NAME)
		return err_set(&e->call->err, SL_EINVAL,
			"stream: got \"%.80s\", want at most %d visible characters", name,
			SL_MAX_NAME);
	control_stream_key(e->service->name, name, key);
	value = store_get(e->call->c->store, key);
	rc = edit_one(e, name, value);
	free(value);
	return rc;
}

/* Every word of the list, which may be a name or a pattern. */
static int edit_list(struct edit *e)
{
	char *list = strdup(control_arg(e->call, "stream")), *rest = list, *word;
	int rc = list ? 0 : SL_ENOMEM;

	e->moved = calloc(SL_MAX_STREAMS, sizeof(*e->moved));
	if (!e->moved)
		rc = SL_ENOMEM;
	while (!rc && (word = strtok_r(rest, " \t\r\n", &rest))) {
		if (e->named >= SL_MAX_STREAMS)
			rc = err_set(&e->call->err, SL_ELIMIT, "over %d streams", SL_MAX_STREAMS);
		else
			rc = strchr(word, '*') ? edit_matching(e, word) : edit_named(e, word);
	}
	free(list);
	if (!rc && e->named == 0)
		rc = err_set(&e->call->err, SL_EINVAL, "stream: the list is empty");
	return rc;
}

/* Sessions that players report, and those of them that would have to move. */
static int weigh(struct edit *e)
{
	const struct engine_view *view = e->call->view;
	uint32_t service = cat_find_service(&view->world->cat, str_from(e->service->name));
	struct impact *m = NULL;
	int rc = service < view->fleet->n_services ? 0 : SL_ENOENT;

	if (!rc)
		rc = control_impact_streams(view, service, e->moved, e->n_moved, &m);
	if (rc)
		return err_set(&e->call->err, rc, "the dry run of %s failed", e->service->name);
	control_put_impact(e->call, m);
	if (!control_flag(e->call, "dry-run"))
		rc = control_check_confirmed(e->call, m);
	free(m);
	return rc;
}

static int commit(struct edit *e)
{
	int rc;

	control_put(e->call->out, "streams", e->named);
	control_put(e->call->out, "changed", e->list.n);
	rc = weigh(e);
	if (!rc && control_flag(e->call, "dry-run"))
		control_put_bool(e->call->out, "dry_run", true);
	else if (!rc)
		rc = control_change(e->call, e->list.item, e->list.n);
	return rc;
}

/* --vendors or the argument as a list; every one is of the service. */
static int take_vendors(struct edit *e, const char *text)
{
	struct str rest = str_from(text);

	e->vendors = cJSON_CreateArray();
	while (rest.n) {
		struct str one = str_cut(&rest, ',');
		bool found = false;

		for (uint32_t i = 0; i < e->service->vendors_count; i++) {
			const char *name = e->service->vendors[i].vendor;

			if (!glob_match(one, str_from(name), false))
				continue;
			found = true;
			cJSON_AddItemToArray(e->vendors, cJSON_CreateString(name));
		}
		if (!found)
			return err_set(&e->call->err, SL_ENOENT,
				"no vendor of %s is called " STR_FMT, e->service->name,
				STR_ARG(one));
	}
	return 0;
}

static int check_ingest(struct edit *e, const char *name)
{
	for (uint32_t i = 0; i < e->service->ingest_count; i++)
		if (strcmp(e->service->ingest[i].name, name) == 0)
			return 0;
	return err_set(&e->call->err, SL_ENOENT, "no ingest of %s is called %.64s",
		e->service->name, name);
}

static int begin(struct edit *e)
{
	struct control_call *call = e->call;
	const char *service = control_arg(call, "service"), *vendors = control_arg(call, "vendors");
	const char *ramp = control_arg(call, "ramp"), *span = control_arg(call, "for");
	uint64_t ms = 0;
	int rc = control_need_world(call), s;

	if (!rc)
		rc = control_need_store(call);
	if (!rc)
		rc = control_check_service(call, service);
	if (rc)
		return rc;
	s = conf_find_service(&call->view->conf->catalog, service);
	if (s < 0)
		return err_set(&call->err, SL_ENOENT, "no service is called %.64s", service);
	e->service = &call->view->conf->catalog.services[s];
	e->start_ms = call->now_ms;
	if (ramp && commands_parse_span(ramp, &ms))
		e->ramp_ms = ms;
	if (span && commands_parse_span(span, &ms))
		e->until_ms = call->now_ms + SL_MAX(ms, UINT64_C(1));
	return vendors ? take_vendors(e, vendors) : 0;
}

static int carry_out(struct control_call *call, int (*change)(struct edit *, const char *, cJSON *))
{
	struct edit e = {.call = call, .change = change};
	int rc = begin(&e);

	if (!rc)
		rc = edit_list(&e);
	if (!rc)
		rc = commit(&e);
	store_list_free(&e.list);
	free(e.moved);
	cJSON_Delete(e.vendors);
	return rc;
}

static void set(cJSON *state, const char *name, cJSON *value)
{
	cJSON_DeleteItemFromObjectCaseSensitive(state, name);
	cJSON_AddItemToObject(state, name, value);
}

static int change_add(struct edit *e, const char *name, cJSON *state)
{
	const char *ingest = control_arg(e->call, "ingest");

	if (strchr(name, '*'))
		return err_set(&e->call->err, SL_EINVAL, "stream: want a name, not a pattern");
	set(state, "vendors",
		e->vendors ? cJSON_Duplicate(e->vendors, true) : all_vendors(e->service));
	if (control_arg(e->call, "encrypted"))
		set(state, "encrypted", cJSON_CreateBool(control_flag(e->call, "encrypted")));
	if (ingest)
		set(state, "ingest", cJSON_CreateString(ingest));
	return ingest ? check_ingest(e, ingest) : 0;
}

static int change_remove(struct edit *e, const char *name, cJSON *state)
{
	if (control_stream_in_file(e->call->view->conf, e->service->name, name) && !e->ramp_ms &&
		!e->until_ms) {
		char key[STREAM_KEY], *own;

		control_stream_key(e->service->name, name, key);
		own = store_get(e->call->c->store, key);
		free(own);
		if (!own)
			return err_set(&e->call->err, SL_EREFUSED,
				"%.64s is in the catalogue file: take it out there", name);
	}
	cJSON_AddTrueToObject(state, "gone");
	return 0;
}

static int change_vendors(struct edit *e, const char *name, cJSON *state)
{
	(void)name;
	set(state, "vendors", cJSON_Duplicate(e->vendors, true));
	return 0;
}

static int change_encrypt(struct edit *e, const char *name, cJSON *state)
{
	const char *want = control_arg(e->call, "state");

	(void)name;
	if (strcmp(want, "on") != 0 && strcmp(want, "off") != 0)
		return err_set(&e->call->err, SL_EINVAL, "state: want on or off");
	set(state, "encrypted", cJSON_CreateBool(strcmp(want, "on") == 0));
	return 0;
}

/* The other of the two points that a pusher is given now: main and backup change places. */
static const char *other_ingest(const struct edit *e, const char *name, const char *now)
{
	const struct cat_view *c = &e->call->view->world->cat;
	uint32_t s = cat_find_service(c, str_from(e->service->name));
	struct cat_ingest_pair p;
	uint16_t first = 0;

	if (s == BLOB_NONE || c->n_service_plays == 0)
		return NULL;
	for (uint32_t i = 0; now && i < e->service->ingest_count; i++)
		if (strcmp(e->service->ingest[i].name, now) == 0)
			first = (uint16_t)(i + 1);
	p = cat_pick_ingests(c, s, str_from(name), first, (struct str){NULL, 0}, NULL, 0);
	for (uint32_t i = 0; p.second && i < e->service->ingest_count; i++)
		if (str_eq_z(cat_text(c, p.second->name), e->service->ingest[i].name))
			return e->service->ingest[i].name;
	return NULL;
}

static int change_ingest(struct edit *e, const char *name, cJSON *state)
{
	const char *want = control_arg(e->call, "ingest");
	int rc = 0;

	if (strcmp(want, "other") == 0) {
		want = other_ingest(e, name, cJSON_GetStringValue(get(state, "ingest")));
		if (!want)
			rc = err_set(&e->call->err, SL_ENOENT,
				"%.64s has no second ingest to change to", name);
	} else {
		rc = check_ingest(e, want);
	}
	if (!rc)
		set(state, "ingest", cJSON_CreateString(want));
	return rc;
}

int control_do_STREAM_ADD(struct control_call *call)
{
	return carry_out(call, change_add);
}

int control_do_STREAM_REMOVE(struct control_call *call)
{
	return carry_out(call, change_remove);
}

int control_do_STREAM_VENDORS(struct control_call *call)
{
	return carry_out(call, change_vendors);
}

int control_do_STREAM_ENCRYPT(struct control_call *call)
{
	return carry_out(call, change_encrypt);
}

int control_do_STREAM_INGEST(struct control_call *call)
{
	return carry_out(call, change_ingest);
}
