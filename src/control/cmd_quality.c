/* SPDX-License-Identifier: Apache-2.0 */
/* quality and hot: what players and logs say now, straight from the facts. */
#include "base/glob.h"
#include "base/os.h"
#include "control/quality.h"

#include <stdlib.h>
#include <string.h>

enum { HOT_ROWS = 20, HOT_MAX = 1000 };

/* The facts a call is about: those of the last tick, or those of load-test traffic. */
struct facts_used {
	const struct facts_view *view;
	struct facts_view own;
	const void *blob; /* mapped by this call; NULL: the engine's */
	size_t size;
};

static int facts_open(struct control_call *call, struct facts_used *f)
{
	char path[SL_MAX_PATH];
	int rc = control_need_world(call);

	*f = (struct facts_used){.view = call->view->facts};
	if (rc || !control_flag(call, "test"))
		return rc ? rc
			  : (f->view ? 0
				     : err_set(&call->err, SL_EAGAIN,
					       "no facts: nothing was reported, or collect is "
					       "gone"));
	(void)snprintf(path, sizeof(path), "%.900s/facts-test.blob", call->c->state_dir);
	if (os_map_file(path, SL_MAX_BLOB_OCTETS, &f->blob, &f->size, NULL))
		return err_set(&call->err, SL_ENOENT, "no load-test traffic has come");
	rc = blob_check(&facts_def, f->blob, f->size, &call->err);
	if (rc) {
		os_unmap(f->blob, f->size);
		f->blob = NULL;
		return rc;
	}
	facts_view_init(&f->own, f->blob);
	f->view = &f->own;
	return 0;
}

static void facts_close(struct facts_used *f)
{
	if (f->blob)
		os_unmap(f->blob, f->size);
}

static struct str text_of(const struct facts_view *f, struct blob_span s)
{
	return (struct str){(const char *)f->text + s.first, s.count};
}

int control_quality_by(struct control_call *call, enum quality_by otherwise, enum quality_by *ret)
{
	static const char *const words[] = {
#define X(id, word) word,
		QUALITY_BY_MAP(X)
#undef X
	};
	const char *by = control_arg(call, "by");

	*ret = otherwise;
	for (int i = 0; by && i < BYS; i++)
		if (strcmp(by, words[i]) == 0) {
			*ret = (enum quality_by)i;
			return 0;
		}
	return by ? err_set(&call->err, SL_EINVAL,
			    "by: got %.32s, want group, country, province, isp, vendor, definition "
			    "or client",
			    by)
		  : 0;
}

struct str control_quality_key(enum quality_by by, struct str group, char *ret, size_t size)
{
	struct str rest = group, country = str_cut(&rest, '/'), province = str_cut(&rest, '/');
	int n = 0;

	switch (by) {
	case BY_COUNTRY:
		return country;
	case BY_PROVINCE:
		n = snprintf(ret, size, STR_FMT "%s" STR_FMT, STR_ARG(country),
			province.n ? "/" : "", STR_ARG(province));
		break;
	case BY_ISP:
		n = snprintf(ret, size, STR_FMT "%s" STR_FMT, STR_ARG(country), rest.n ? "/" : "",
			STR_ARG(rest));
		break;
	case BY_VENDOR:
		return (struct str){"", 0};
	default:
		return group;
	}
	return (struct str){ret, n > 0 ? SL_MIN((size_t)n, size - 1) : 0};
}

struct rollup_counts control_counts_of(const struct facts_cell *c)
{
	return (struct rollup_counts){.pulls = c->pulls,
		.pulls_ok = c->pulls_ok,
		.frames = c->first_frames,
		.frames_us = (uint64_t)c->first_frames * c->first_frame_us,
		.p95_us = c->first_frame_p95_us,
		.users = c->users,
		.stalled = c->stalled_users,
		.sessions = c->sessions,
		.kbps = c->kbps};
}

struct rollup_counts control_counts_of_kind(const struct facts_kind *k)
{
	return (struct rollup_counts){.pulls = k->pulls,
		.pulls_ok = k->pulls_ok,
		.frames = k->first_frames,
		.frames_us = (uint64_t)k->first_frames * k->first_frame_us,
		.p95_us = k->first_frame_p95_us,
		.users = k->users,
		.stalled = k->stalled_users,
		.sessions = k->sessions,
		.kbps = k->kbps};
}

void control_quality_put(cJSON *row, const struct rollup_counts *c, double seconds)
{
	double minutes = c->minutes ? (double)c->minutes : 1;

	control_put(row, "pulls", (double)c->pulls);
	if (c->pulls)
		control_put(row, "success", (double)c->pulls_ok / (double)c->pulls);
	if (c->frames) {
		control_put(row, "first_frame_ms", (double)c->frames_us / (double)c->frames / 1e3);
		control_put(row, "p95_ms", (double)c->p95_us / 1e3);
	}
	control_put(row, "users", (double)c->users / minutes);
	if (c->users) {
		control_put(row, "stall_rate", (double)c->stalled / (double)c->users);
		control_put(row, "zero_stall", 1 - (double)c->stalled / (double)c->users);
	}
	control_put(row, "sessions", (double)c->sessions / minutes);
	control_put(row, "mbps", (double)c->kbps / minutes / 1e3);
	if (c->log_requests) {
		control_put(row, "log_mbps", (double)c->log_octets * 8 / 1e6 / seconds);
		control_put(row, "log_errors", (double)c->log_errors / (double)c->log_requests);
		control_put(row, "log_slow", (double)c->log_slow / (double)c->log_requests);
	}
}

/* --- quality -------------------------------------------------------------------------------- */

struct sums {
	const struct facts_view *f;
	const struct engine_view *view;
	enum quality_by by;
	uint16_t *key_of; /* of groups */
	char (*key)[SL_MAX_NAME + 1];
	uint32_t n_keys, n_vendors;
	struct rollup_counts *c; /* by key * n_vendors + vendor */
	uint32_t *p50_us;        /* by group only */
};

static void learn_keys(struct sums *s)
{
	const struct cat_view *cat = &s->view->world->cat;

	for (uint32_t g = 0; g < cat->n_groups; g++) {
		char text[SL_MAX_NAME + 1];
		struct str key = control_quality_key(
			s->by, cat_text(cat, cat->groups[g].name), text, sizeof(text));
		uint32_t k = s->by == BY_GROUP ? s->n_keys : 0;

		while (k < s->n_keys && !str_eq_z(key, s->key[k]))
			k++;
		if (k == s->n_keys)
			(void)snprintf(s->key[s->n_keys++], sizeof(*s->key), STR_FMT, STR_ARG(key));
		s->key_of[g] = (uint16_t)k;
	}
}

/* Log lines of the newest whole minute go with the reports of the last 60 s. */
static uint64_t log_minute(const struct facts_view *f)
{
	return (f->head->time_ms / ROLLUP_MINUTE_MS - 1) * ROLLUP_MINUTE_MS;
}

static void take_cell(struct sums *s, const struct facts_cell *c)
{
	bool log = c->log_requests && s->f->windows[c->window].start_ms == log_minute(s->f);
	struct rollup_counts n = {.minutes = 0};
	size_t at;

	if ((c->window != 0 && !log) || c->vendor >= s->n_vendors ||
		c->group >= s->view->world->cat.n_groups)
		return;
	n.log_octets = c->log_octets;
	n.log_requests = c->log_requests;
	n.log_errors = c->log_errors;
	n.log_slow = c->log_slow;
	if (c->window == 0)
		n = control_counts_of(c);
	at = (size_t)s->key_of[c->group] * s->n_vendors + c->vendor;
	rollup_add(&s->c[at], &n);
	s->p50_us[at] = SL_MAX(s->p50_us[at], c->first_frame_p50_us);
}

static bool said_nothing(const struct rollup_counts *c)
{
	return !(c->pulls || c->users || c->sessions || c->log_requests);
}

/* q of the vendor in the first service that has both; -1 for none. */
static double quality_in(const struct engine_view *view, uint32_t group, uint32_t vendor)
{
	const struct cat_view *cat = &view->world->cat;

	for (uint32_t s = 0; s < cat->n_services; s++) {
		uint32_t row = control_find_row(view, s, group);

		for (uint32_t k = 0; row != BLOB_NONE && k < cat->services[s].slots.count; k++)
			if (cat->slots[cat->services[s].slots.first + k].vendor == vendor)
				return view->fleet->row[row].quality[k];
	}
	return -1;
}

/* What the score makes of it: the shrunk indicators, and how much of each is the cell's own. */
static void put_estimate(const struct control_call *call, cJSON *row, uint32_t g, uint32_t v)
{
	static const char *const value[] = {"est_success", "est_first_frame_ms", "est_zero_stall"};
	static const char *const own[] = {"own_success", "own_first_frame", "own_stalls"};
	const struct quality_estimate *e = engine_quality(call->c->engine, v, g);
	double q = quality_in(call->view, g, v);

	for (int i = 0; i < QUALITY_INDICATORS; i++) {
		control_put(row, value[i], e->value[i]);
		control_put(row, own[i], e->own[i]);
	}
	cJSON_AddStringToObject(row, "leans_on", engine_quality_level(call->c->engine, v, g));
	if (q >= 0)
		control_put(row, "quality", q);
	cJSON_AddStringToObject(
		row, "breaker", breaker_state_text(engine_breaker(call->c->engine, v, g)->state));
}

static void put_sums(struct control_call *call, const struct sums *s, bool live)
{
	static const char *const names[BYS] = {
		"group", "country", "province", "isp", NULL, NULL, NULL};
	const char *pattern = control_arg(call, "groups"), *vendor = control_arg(call, "vendor");
	cJSON *list = cJSON_AddArrayToObject(call->out, "quality");

	for (uint32_t k = 0; k < s->n_keys; k++)
		for (uint32_t v = 0; v < s->n_vendors; v++) {
			const struct rollup_counts *c = &s->c[(size_t)k * s->n_vendors + v];
			uint32_t p50 = s->p50_us[(size_t)k * s->n_vendors + v];
			cJSON *row;

			if (said_nothing(c) || !control_names_vendor(s->view, vendor, v) ||
				(pattern && s->by == BY_GROUP &&
					!glob_group_match(str_from(pattern), str_from(s->key[k]))))
				continue;
			row = control_add_row(list);
			control_put_str(row, "vendor", control_vendor_name(s->view, v));
			if (names[s->by])
				cJSON_AddStringToObject(row, names[s->by], s->key[k]);
			control_quality_put(row, c, 60);
			if (s->by != BY_GROUP)
				continue; /* no estimate, and percentiles do not add up */
			if (c->frames)
				control_put(row, "p50_ms", p50 / 1e3);
			if (live)
				put_estimate(call, row, k, v);
		}
}

static int by_groups(
	struct control_call *call, const struct facts_view *f, enum quality_by by, bool live)
{
	const struct cat_view *cat = &call->view->world->cat;
	const char *pattern = control_arg(call, "groups");
	struct sums s = {.f = f, .view = call->view, .by = by, .n_vendors = cat->n_vendors};
	size_t n = (size_t)cat->n_groups * cat->n_vendors + 1;
	int rc = 0;

	s.key_of = calloc(cat->n_groups + 1, sizeof(*s.key_of));
	s.key = calloc(cat->n_groups + 1, sizeof(*s.key));
	s.c = calloc(n, sizeof(*s.c));
	s.p50_us = calloc(n, sizeof(*s.p50_us));
	if (!s.key_of || !s.key || !s.c || !s.p50_us) {
		rc = err_set(&call->err, SL_ENOMEM, "out of memory");
	} else {
		learn_keys(&s);
		for (uint32_t i = 0; i < f->n_cells; i++)
			if (!pattern || glob_group_match(str_from(pattern),
						cat_text(cat, cat->groups[f->cells[i].group].name)))
				take_cell(&s, &f->cells[i]);
		put_sums(call, &s, live);
	}
	free(s.key_of);
	free(s.key);
	free(s.c);
	free(s.p50_us);
	return rc;
}

static void by_kinds(struct control_call *call, const struct facts_view *f, bool client)
{
	const char *vendor = control_arg(call, "vendor");
	cJSON *list = cJSON_AddArrayToObject(call->out, "quality"), *row;

	for (uint32_t i = 0; i < f->n_kinds; i++) {
		const struct facts_kind *k = &f->kinds[i];
		struct rollup_counts c = control_counts_of_kind(k);

		if (k->client != client || k->vendor >= call->view->world->cat.n_vendors ||
			!control_names_vendor(call->view, vendor, k->vendor))
			continue;
		row = control_add_row(list);
		control_put_str(row, "vendor", control_vendor_name(call->view, k->vendor));
		control_put_str(row, client ? "client" : "definition", text_of(f, k->name));
		control_quality_put(row, &c, 60);
		if (k->first_frames)
			control_put(row, "p50_ms", k->first_frame_p50_us / 1e3);
	}
}

/* Age, what was taken and what was refused, by reason. */
static void put_sources(struct control_call *call, const struct facts_view *f)
{
	cJSON *list = cJSON_AddArrayToObject(call->out, "sources"), *row;

	for (uint32_t i = 0; i < f->n_sources; i++) {
		const struct facts_source *s = &f->sources[i];

		row = control_add_row(list);
		control_put_str(row, "source", text_of(f, s->name));
		if (s->last_ms)
			control_put(row, "age_s",
				call->now_ms > s->last_ms
					? (double)(call->now_ms - s->last_ms) / 1e3
					: 0);
		control_put(row, "accepted", (double)s->accepted);
		control_put(row, "refused", (double)s->refused);
	}
}

static void put_head(struct control_call *call, const struct facts_view *f)
{
	uint64_t age_ms = call->now_ms > f->head->time_ms ? call->now_ms - f->head->time_ms : 0;

	control_put(call->out, "age_s", (double)age_ms / 1e3);
	control_put(call->out, "sampled_percent", f->meta->sampled_ppm / 1e4);
}

int control_do_QUALITY(struct control_call *call)
{
	struct facts_used f;
	enum quality_by by;
	int rc;

	if (control_arg(call, "history"))
		return control_quality_history(call);
	rc = control_quality_by(call, BY_GROUP, &by);
	if (!rc)
		rc = facts_open(call, &f);
	if (rc)
		return rc;
	put_head(call, f.view);
	if (by == BY_DEFINITION || by == BY_CLIENT)
		by_kinds(call, f.view, by == BY_CLIENT);
	else
		rc = by_groups(call, f.view, by, !f.blob);
	put_sources(call, f.view);
	facts_close(&f);
	return rc;
}

/* --- hot ------------------------------------------------------------------------------------ */

/* All vendors of a stream. */
struct hot {
	uint32_t first, n; /* entries of the facts, sorted by name */
	uint64_t sessions, kbps, stalled, pulls, pulls_ok;
};

static int by_name(const void *a, const void *b)
{
	const struct facts_stream *x = *(const struct facts_stream *const *)a;
	const struct facts_stream *y = *(const struct facts_stream *const *)b;

	if (x->name.first != y->name.first)
		return x->name.first < y->name.first ? -1 : 1;
	return (x->vendor > y->vendor) - (x->vendor < y->vendor);
}

static int by_sessions(const void *a, const void *b)
{
	const struct hot *x = a, *y = b;

	if (x->sessions != y->sessions)
		return x->sessions < y->sessions ? 1 : -1;
	return (x->first > y->first) - (x->first < y->first);
}

static uint32_t gather(const struct facts_stream *const *entry, uint32_t n, struct hot *hot)
{
	uint32_t n_hot = 0;

	for (uint32_t i = 0; i < n; i++) {
		const struct facts_stream *s = entry[i];
		struct hot *h;

		if (n_hot == 0 || entry[hot[n_hot - 1].first]->name.first != s->name.first)
			hot[n_hot++] = (struct hot){.first = i};
		h = &hot[n_hot - 1];
		h->n++;
		h->sessions += s->sessions;
		h->kbps += s->kbps;
		h->stalled += s->stalled;
		h->pulls += s->pulls;
		h->pulls_ok += s->pulls_ok;
	}
	return n_hot;
}

static void put_hot(struct control_call *call, const struct facts_view *f, cJSON *list,
	const struct facts_stream *const *entry, const struct hot *h)
{
	cJSON *row = control_add_row(list), *vendors;

	control_put_str(row, "stream", text_of(f, entry[h->first]->name));
	control_put(row, "sessions", (double)h->sessions);
	control_put(row, "mbps", (double)h->kbps / 1e3);
	control_put(row, "pulls", (double)h->pulls);
	if (h->pulls)
		control_put(row, "success", (double)h->pulls_ok / (double)h->pulls);
	if (h->sessions)
		control_put(row, "stalled", (double)h->stalled / (double)h->sessions);
	vendors = cJSON_AddObjectToObject(row, "vendors");
	for (uint32_t i = 0; i < h->n; i++) {
		const struct facts_stream *s = entry[h->first + i];
		char name[SL_MAX_NAME + 1];
		struct str v = control_vendor_name(call->view, s->vendor);

		(void)snprintf(name, sizeof(name), STR_FMT, STR_ARG(v));
		control_put(vendors, name, s->sessions);
	}
}

int control_do_HOT(struct control_call *call)
{
	double limit = control_number(call, "limit", HOT_ROWS);
	const char *vendor = control_arg(call, "vendor");
	const struct facts_stream **entry;
	struct facts_used f;
	struct hot *hot;
	uint32_t n = 0, n_hot;
	int rc;

	if (!(limit >= 1 && limit <= HOT_MAX))
		return err_set(&call->err, SL_EINVAL, "limit: want 1 to %d", HOT_MAX);
	rc = facts_open(call, &f);
	if (rc)
		return rc;
	entry = calloc(f.view->n_streams + 1, sizeof(*entry));
	hot = calloc(f.view->n_streams + 1, sizeof(*hot));
	if (entry && hot) {
		cJSON *list = cJSON_AddArrayToObject(call->out, "streams");

		for (uint32_t i = 0; i < f.view->n_streams; i++) {
			const struct facts_stream *s = &f.view->streams[i];

			if (s->vendor < call->view->world->cat.n_vendors &&
				control_names_vendor(call->view, vendor, s->vendor))
				entry[n++] = s;
		}
		qsort(entry, n, sizeof(*entry), by_name);
		n_hot = gather(entry, n, hot);
		qsort(hot, n_hot, sizeof(*hot), by_sessions);
		put_head(call, f.view);
		control_put(call->out, "live_streams", n_hot);
		for (uint32_t i = 0; i < n_hot && i < (uint32_t)limit; i++)
			put_hot(call, f.view, list, entry, &hot[i]);
	} else {
		rc = err_set(&call->err, SL_ENOMEM, "out of memory");
	}
	free(entry);
	free(hot);
	facts_close(&f);
	return rc;
}
