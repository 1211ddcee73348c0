/* SPDX-License-Identifier: Apache-2.0 */
#include "control/passing.h"

#include "base/log.h"
#include "base/os.h"
#include "control/blend.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define KEY_FILE "catalogue|file"
#define KEY_RAMP "catalogue|passing"

enum { STEPS = 64, STEP_MS = 1000, LOOK_MS = 250 };
#define ARENA_MAX ((size_t)1 << 30)

struct control_passing {
	struct store_stamp stamp; /* of the state that was read */
	bool read, blended;
	char from[20]; /* sum of the catalogue that was before; empty: no ramp */
	uint64_t start_ms, ramp_ms;
	uint64_t step_ms, look_ms; /* mono: when they are due */
	uint64_t ends_ms;          /* when the first change ends; UINT64_MAX: none does */
	/* what the last build points to, and what the one before did */
	struct conf *old, *old_before;
	struct arena *arena, *arena_before;
};

static struct control_passing *passing_of(struct control *c)
{
	if (!c->passing)
		c->passing = calloc(1, sizeof(*c->passing));
	return c->passing;
}

void control_passing_close(struct control *c)
{
	struct control_passing *p = c->passing;

	if (!p)
		return;
	conf_free(p->old);
	conf_free(p->old_before);
	arena_free(p->arena);
	arena_free(p->arena_before);
	free(p);
	c->passing = NULL;
}

static uint64_t time_of(const cJSON *o, const char *name)
{
	const cJSON *v = cJSON_GetObjectItemCaseSensitive(o, name);

	return cJSON_IsNumber(v) && v->valuedouble > 0 && v->valuedouble < 1e15
		       ? (uint64_t)v->valuedouble
		       : 0;
}

static const char *text_of(const cJSON *o, const char *name)
{
	const char *v = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(o, name));

	return v ? v : "";
}

/* --- what a ramp makes of a value ------------------------------------------------------------- */

/* A rule that comes, goes, or takes another value, along the ramp. NULL: it changes at once. */
static char *ramp_rule(
	const struct control_call *call, const char *now, const char *then, uint64_t ramp_ms)
{
	struct control_rule is, was;

	if (then && control_rule_parse(then, &is) && is.start_ms == call->now_ms)
		return NULL; /* its command has seen to it */
	if (!now && then && control_rule_parse(then, &is)) {
		is.from = control_rule_value_now(call, &is);
	} else if (now && !then && control_rule_parse(now, &is)) {
		is.back = true;
		is.until_ms = call->now_ms + ramp_ms;
	} else if (now && then && control_rule_parse(then, &is) && control_rule_parse(now, &was) &&
		   is.value != was.value) {
		is.from = was.value;
	} else {
		return NULL;
	}
	is.start_ms = call->now_ms;
	is.ramp_ms = ramp_ms;
	return control_rule_print(&is);
}

/* Rooms change one by one: the entry carries what was before. */
static char *ramp_stream(
	const struct control_call *call, const char *now, const char *then, uint64_t ramp_ms)
{
	cJSON *entry = then ? cJSON_Parse(then) : cJSON_CreateObject();
	cJSON *was = now ? cJSON_Parse(now) : NULL;
	char *text;

	if (!then)
		cJSON_AddTrueToObject(entry, "gone");
	cJSON_DeleteItemFromObjectCaseSensitive(entry, "start_ms");
	cJSON_DeleteItemFromObjectCaseSensitive(entry, "ramp_ms");
	cJSON_DeleteItemFromObjectCaseSensitive(entry, "was");
	cJSON_DeleteItemFromObjectCaseSensitive(was, "was");
	cJSON_AddNumberToObject(entry, "start_ms", (double)call->now_ms);
	cJSON_AddNumberToObject(entry, "ramp_ms", (double)ramp_ms);
	if (was)
		cJSON_AddItemToObject(entry, "was", was);
	text = cJSON_PrintUnformatted(entry);
	cJSON_Delete(entry);
	return text;
}

static char *ramp_catalogue(const struct control_call *call, const char *from, uint64_t ramp_ms)
{
	const char *why = control_arg(call, "why");
	cJSON *o = cJSON_CreateObject();
	char *text;

	cJSON_AddStringToObject(o, "from", from);
	cJSON_AddNumberToObject(o, "start_ms", (double)call->now_ms);
	cJSON_AddNumberToObject(o, "ramp_ms", (double)ramp_ms);
	cJSON_AddStringToObject(o, "who", call->who);
	cJSON_AddStringToObject(o, "why", why ? why : "");
	text = cJSON_PrintUnformatted(o);
	cJSON_Delete(o);
	return text;
}

/* --- the change ------------------------------------------------------------------------------- */

struct change {
	struct control_call *call;
	struct store_item *item; /* two more than came in */
	char **made;             /* values that are ours, by item */
	uint32_t n;
	uint64_t ramp_ms, for_ms;
};

static bool same(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

static void add(struct change *x, const char *key, const char *value, char *made)
{
	x->made[x->n] = made;
	x->item[x->n++] = (struct store_item){key, made ? made : value};
}

static void add_item(struct change *x, const struct store_item *from)
{
	char *now = store_get(x->call->c->store, from->key), *made = NULL;

	if (x->ramp_ms && !same(now, from->value) && strncmp(from->key, "rule|", 5) == 0)
		made = ramp_rule(x->call, now, from->value, x->ramp_ms);
	else if (x->ramp_ms && !same(now, from->value) && strncmp(from->key, "stream|", 7) == 0)
		made = ramp_stream(x->call, now, from->value, x->ramp_ms);
	add(x, from->key, from->value, made);
	if (strcmp(from->key, KEY_FILE) == 0 && !same(now, from->value))
		add(x, KEY_RAMP, NULL,
			x->ramp_ms && now ? ramp_catalogue(x->call, now, x->ramp_ms) : NULL);
	free(now);
}

/* The keys that change, as they are now and as they will be left: what the end undoes. */
static char *print_end(const struct change *x)
{
	struct control_call *call = x->call;
	const char *why = control_arg(call, "why");
	cJSON *o = cJSON_CreateObject(), *items = cJSON_AddObjectToObject(o, "items");
	char words[48], *text;

	(void)snprintf(words, sizeof(words), "%s%s%s", call->command->group,
		call->command->name[0] ? " " : "", call->command->name);
	cJSON_AddNumberToObject(o, "start_ms", (double)call->now_ms);
	cJSON_AddNumberToObject(o, "until_ms", (double)(call->now_ms + x->for_ms));
	cJSON_AddStringToObject(o, "command", words);
	cJSON_AddStringToObject(o, "who", call->who);
	cJSON_AddStringToObject(o, "why", why ? why : "");
	for (uint32_t i = 0; i < x->n; i++) {
		char *now = store_get(call->c->store, x->item[i].key);
		cJSON *row = same(now, x->item[i].value)
				     ? NULL
				     : cJSON_AddObjectToObject(items, x->item[i].key);

		if (row && now)
			cJSON_AddStringToObject(row, "before", now);
		if (row && x->item[i].value)
			cJSON_AddStringToObject(row, "after", x->item[i].value);
		free(now);
	}
	text = items->child ? cJSON_PrintUnformatted(o) : NULL;
	cJSON_Delete(o);
	return text;
}

static int add_end(struct change *x, char *key, size_t size)
{
	char *text = print_end(x), *had;
	uint64_t n = x->call->now_ms;

	if (!text)
		return 0; /* nothing changes */
	if (strlen(text) > STORE_MAX_VALUE) {
		cJSON_free(text);
		return err_set(&x->call->err, SL_ELIMIT, "too many keys for --for");
	}
	do {
		(void)snprintf(key, size, "lapse|%" PRIu64, n++);
		had = store_get(x->call->c->store, key);
		free(had);
	} while (had);
	add(x, key, NULL, text);
	return 0;
}

/* Whether a catalogue is on its way already, by a ramp or until its end. */
static bool catalogue_passes(struct control *c, uint64_t now_ms);

int control_change_passing(struct control_call *call, const struct store_item *items, uint32_t n)
{
	struct change x = {.call = call};
	const char *ramp = control_arg(call, "ramp"), *span = control_arg(call, "for");
	char key[48];
	int rc = control_need_store(call);

	if (rc)
		return rc;
	if (ramp)
		(void)commands_parse_span(ramp, &x.ramp_ms);
	if (span)
		(void)commands_parse_span(span, &x.for_ms);
	for (uint32_t i = 0; i < n && (x.ramp_ms || x.for_ms); i++)
		if (strcmp(items[i].key, KEY_FILE) == 0 && catalogue_passes(call->c, call->now_ms))
			return err_set(&call->err, SL_EREFUSED,
				"the catalogue is still on its way by an earlier change (see "
				"rules): wait, roll back, or leave --ramp and --for out");
	x.item = calloc(2 * (size_t)n + 2, sizeof(*x.item));
	x.made = calloc(2 * (size_t)n + 2, sizeof(*x.made));
	if (!x.item || !x.made)
		rc = err_set(&call->err, SL_ENOMEM, "out of memory");
	for (uint32_t i = 0; !rc && i < n; i++)
		add_item(&x, &items[i]);
	if (!rc && x.for_ms)
		rc = add_end(&x, key, sizeof(key));
	if (!rc)
		rc = control_change(call, x.item, x.n);
	for (uint32_t i = 0; x.made && i < x.n; i++)
		cJSON_free(x.made[i]);
	free(x.made);
	free(x.item);
	return rc;
}

/* --- ends ------------------------------------------------------------------------------------- */

/* Whether a key is as the change left it; a rule that ends by itself may have gone since. */
static bool as_left(const char *now, const char *after)
{
	struct control_rule r;

	return same(now, after) || (!now && after && control_rule_parse(after, &r) && r.until_ms);
}

/* Takes one change back that is over. */
static void end(struct control *c, const char *key, const cJSON *entry)
{
	const cJSON *items = cJSON_GetObjectItemCaseSensitive(entry, "items"), *i = NULL;
	struct store_item *item = calloc((size_t)cJSON_GetArraySize(items) + 1, sizeof(*item));
	struct control_call call = {.c = c, .view = engine_view(c->engine)};
	bool catalogue = false, changed;
	uint32_t n = 0;
	char why[128];

	if (!item)
		return;
	item[n++] = (struct store_item){key, NULL};
	cJSON_ArrayForEach (i, items) {
		const cJSON *before = cJSON_GetObjectItemCaseSensitive(i, "before");
		const cJSON *after = cJSON_GetObjectItemCaseSensitive(i, "after");
		char *now = store_get(c->store, i->string);

		if (as_left(now, cJSON_GetStringValue(after))) {
			item[n++] = (struct store_item){i->string, cJSON_GetStringValue(before)};
			catalogue |= strcmp(i->string, KEY_FILE) == 0;
		}
		free(now);
	}
	(void)snprintf(why, sizeof(why), "the time of %s is over", text_of(entry, "command"));
	if (control_journal_change(c, "expiry", "expire", why, item, n, &call.err))
		LOG_W("change.kept", "key=\"%s\" error=\"%s\"", key, call.err.s);
	else
		LOG_I("change.ended", "key=\"%s\" keys=%u", key, n - 1);
	if (catalogue && !call.err.s[0] && control_keep_restore_catalogue(&call, &changed))
		LOG_E("catalogue.refused", "error=\"%s\"", call.err.s);
	control_plans_recall(c);
	free(call.old_catalogue);
	free(item);
}

struct due {
	cJSON *list; /* entries by key */
	uint64_t now_ms, next_ms;
};

static void look_at_end(void *ctx, const char *key, const char *value)
{
	struct due *d = ctx;
	cJSON *o = cJSON_Parse(value);
	uint64_t until = time_of(o, "until_ms");

	if (until > d->now_ms) {
		d->next_ms = SL_MIN(d->next_ms, until);
		cJSON_Delete(o);
	} else if (o) {
		cJSON_AddItemToObject(d->list, key, o);
	}
}

static void end_due(struct control *c, uint64_t now_ms)
{
	struct due d = {cJSON_CreateObject(), now_ms, UINT64_MAX};

	if (store_each(c->store, "lapse|", look_at_end, &d) == 0)
		for (const cJSON *o = d.list->child; o; o = o->next)
			end(c, o->string, o);
	c->passing->ends_ms = d.next_ms;
	cJSON_Delete(d.list);
}

/* --- the catalogue's ramp --------------------------------------------------------------------- */

static void read_ramp(struct control *c)
{
	struct control_passing *p = c->passing;
	char *text = c->store ? store_get(c->store, KEY_RAMP) : NULL;
	cJSON *o = text ? cJSON_Parse(text) : NULL;

	(void)snprintf(p->from, sizeof(p->from), "%.16s", text_of(o, "from"));
	p->start_ms = time_of(o, "start_ms");
	p->ramp_ms = time_of(o, "ramp_ms");
	cJSON_Delete(o);
	free(text);
}

static bool ramps(const struct control_passing *p, uint64_t now_ms)
{
	return p && p->from[0] && control_ramp_done(p->start_ms, p->ramp_ms, now_ms) < 1;
}

static void see_catalogue(void *ctx, const char *key, const char *value)
{
	(void)key;
	*(bool *)ctx |= strstr(value, "\"" KEY_FILE "\"") != NULL;
}

static bool catalogue_passes(struct control *c, uint64_t now_ms)
{
	bool any = false;

	if (!passing_of(c))
		return false;
	read_ramp(c);
	(void)store_each(c->store, "lapse|", see_catalogue, &any);
	return any || ramps(c->passing, now_ms);
}

static struct conf *load_old(const struct control *c, const struct conf *conf, const char *sum)
{
	char *text = NULL;
	struct conf *old = NULL;
	struct errbuf err = {""};
	size_t n;

	if (control_keep_read_catalogue(c, sum, &text, &n, &err) ||
		conf_load_with(conf->sluice_file, text, n, &old, &err))
		LOG_W("catalogue.at_once", "error=\"%s\"", err.s);
	free(text);
	return old;
}

void control_passing_blend(struct control *c, const struct conf *conf, struct conf_catalog *to)
{
	const struct world *w = engine_view(c->engine)->world;
	struct control_passing *p = passing_of(c);
	uint64_t now_ms = os_now_ms();

	if (!p)
		return;
	arena_free(p->arena_before);
	p->arena_before = p->arena;
	p->arena = NULL;
	conf_free(p->old_before);
	p->old_before = NULL;
	read_ramp(c);
	if (!ramps(p, now_ms)) {
		p->old_before = p->old;
		p->old = NULL;
		p->blended = false;
		return;
	}
	p->blended = true;
	if (!p->old)
		p->old = load_old(c, conf, p->from);
	p->arena = arena_new(ARENA_MAX);
	if (p->old && p->arena &&
		control_blend(&p->old->catalog, &conf->catalog,
			control_ramp_done(p->start_ms, p->ramp_ms, now_ms), w ? &w->cat : NULL,
			p->arena, to))
		LOG_E("catalogue.at_once", "error=\"out of memory\"");
}

void control_passing_round(struct control *c, uint64_t now_ms)
{
	struct control_passing *p = passing_of(c);
	struct store_stamp now;

	if (!p || !c->store || !control_due(&p->look_ms, LOOK_MS))
		return;
	now = store_stamp(c->store);
	if (!p->read || now.epoch != p->stamp.epoch || now.generation != p->stamp.generation) {
		read_ramp(c);
		p->stamp = now;
		p->read = true;
		p->ends_ms = 0;
	}
	if (now_ms >= p->ends_ms)
		end_due(c, now_ms);
	if (!ramps(p, now_ms))
		c->overlay_due |= p->blended; /* the build after the last step ends the ramp */
	else if (control_due(&p->step_ms, SL_MAX(p->ramp_ms / STEPS, (uint64_t)STEP_MS)))
		c->overlay_due = true;
}

/* --- told ------------------------------------------------------------------------------------- */

static cJSON *put_row(cJSON *list, const char *rule, const cJSON *o, const char *why)
{
	static const char *const all[] = {"vendor", "service", "groups"};
	cJSON *row = control_add_row(list);

	cJSON_AddStringToObject(row, "rule", rule);
	for (size_t i = 0; i < SL_COUNT(all); i++)
		cJSON_AddStringToObject(row, all[i], "*");
	cJSON_AddStringToObject(row, "who", text_of(o, "who"));
	control_put(row, "since", (double)time_of(o, "start_ms") / 1e3);
	cJSON_AddStringToObject(row, "why", why);
	return row;
}

struct telling {
	struct control_call *call;
	cJSON *list;
};

static void list_end(void *ctx, const char *key, const char *value)
{
	const struct telling *t = ctx;
	cJSON *o = cJSON_Parse(value), *row;
	uint64_t until = time_of(o, "until_ms"), now_ms = t->call->now_ms;
	char why[320];

	(void)key;
	(void)snprintf(why, sizeof(why), "%s%s%.256s", text_of(o, "command"),
		text_of(o, "why")[0] ? ": " : "", text_of(o, "why"));
	row = put_row(t->list, "ends", o, why);
	control_put(row, "ramp_percent", 100);
	control_put(row, "left_s", until > now_ms ? (double)(until - now_ms) / 1e3 : 0);
	cJSON_Delete(o);
}

void control_passing_list(struct control_call *call, cJSON *list)
{
	struct telling t = {call, list};
	char *text = call->c->store ? store_get(call->c->store, KEY_RAMP) : NULL;
	cJSON *o = text ? cJSON_Parse(text) : NULL;
	double done =
		control_ramp_done(time_of(o, "start_ms"), time_of(o, "ramp_ms"), call->now_ms);

	if (o && done < 1)
		control_put(put_row(list, "catalogue", o, text_of(o, "why")), "ramp_percent",
			100 * done);
	if (call->c->store)
		(void)store_each(call->c->store, "lapse|", list_end, &t);
	cJSON_Delete(o);
	free(text);
}
