/* SPDX-License-Identifier: Apache-2.0 */
/* explain: one decision with everything it was made from, by the function that every door calls. */
#include "answer/decide.h"
#include "base/hash.h"
#include "control/control_int.h"

#include <stdlib.h>
#include <string.h>

struct asked {
	struct ip ip;
	struct place place;
	struct question q;
	struct answer_full full;
	uint64_t stream; /* hash, 0 for none */
	uint32_t row;    /* of the fleet, or BLOB_NONE */
	uint32_t n_nodes;
	uint64_t spent[TALLY_CELLS];
};

static uint32_t slot_of(const struct world *w, uint32_t service, uint32_t vendor)
{
	const struct cat_service *s = &w->cat.services[service];

	for (uint32_t i = 0; i < s->slots.count; i++)
		if (w->cat.slots[s->slots.first + i].vendor == vendor)
			return i;
	return SCORE_NONE;
}

/* A vendor named by an argument as a slot of the service. */
static int vendor_arg(struct control_call *call, struct asked *a, const char *name, uint32_t *ret)
{
	const struct world *w = call->view->world;
	const char *text = control_arg(call, name);
	uint32_t v;

	if (!text)
		return 0;
	v = cat_find_vendor(&w->cat, str_from(text));
	*ret = v == BLOB_NONE ? SCORE_NONE : slot_of(w, a->q.service, v);
	if (*ret == SCORE_NONE)
		return err_set(
			&call->err, SL_ENOENT, "%s: %.64s is no vendor of the service", name, text);
	return 0;
}

static void sum_spent(const struct control_call *call, struct asked *a)
{
	struct control_tallies t;

	control_tallies_open(call->c, &t);
	for (uint32_t i = 0; i < t.n; i++)
		for (uint32_t k = 0; k < TALLY_CELLS; k++)
			a->spent[k] += tally_get(&t.tally[i]->spent_kbps[k]);
	control_tallies_close(&t);
	answer_full_update(&a->full, call->view->world, a->spent, a->q.stale);
}

static int ask(struct control_call *call, struct asked *a)
{
	const struct world *w = call->view->world;
	struct str host = str_from(control_arg(call, "host"));
	const char *stream = control_arg(call, "stream"), *client = control_arg(call, "client");
	const struct cat_dname *d = cat_find_host(&w->cat, host);
	uint32_t avoid = SCORE_NONE;
	int rc;

	if (!d || d->service == BLOB_NONE)
		return err_set(&call->err, SL_ENOENT, "no service has the host %.128s", host.p);
	(void)ip_parse(str_from(control_arg(call, "ip")), &a->ip);
	a->ip = ip_embedded_v4(a->ip);
	a->place = answer_locate(w, a->ip, ip_bits(a->ip));
	a->q = (struct question){.service = d->service,
		.group = a->place.group,
		.cur = SCORE_NONE,
		.by_sequence = client || control_arg(call, "cur"),
		.denied = a->place.denied,
		.stale = world_stale(w, call->now_ms),
		.now_ms = call->now_ms};
	a->q.key = client ? hash64(client, strlen(client), 0)
			  : answer_key(a->ip, a->place, d->service);
	if (!client)
		answer_narrow(
			world_row(w, d->service, a->place.group), a->ip, &a->place, &a->q.key);
	if (stream) {
		a->stream = hash64(stream, strlen(stream), 0);
		a->q.stream = cat_find_stream(&w->cat, d->service, str_from(stream));
	}
	rc = vendor_arg(call, a, "cur", &a->q.cur);
	if (!rc)
		rc = vendor_arg(call, a, "avoid", &avoid);
	if (avoid < SCORE_NONE)
		a->q.avoid = 1u << avoid;
	a->n_nodes = (uint32_t)control_number(call, "n", 4);
	if (!rc && (a->n_nodes < 1 || a->n_nodes > NODES_MAX_PICK))
		rc = err_set(&call->err, SL_EINVAL, "n: want 1 to %d", NODES_MAX_PICK);
	sum_spent(call, a);
	a->row = control_find_row(call->view, a->q.service, a->q.group);
	return rc;
}

static void put_question(const struct control_call *call, const struct asked *a)
{
	const struct world *w = call->view->world;
	const struct cat_service *s = &w->cat.services[a->q.service];
	char text[IP_TEXT_MAX];
	cJSON *out = call->out;

	ip_format(a->ip, text);
	cJSON_AddStringToObject(out, "ip", text);
	cJSON_AddStringToObject(out, "host", control_arg(call, "host"));
	control_put_str(out, "service", cat_text(&w->cat, s->name));
	control_put_str(out, "group", cat_text(&w->cat, w->cat.groups[a->q.group].name));
	control_put(out, "scope", a->place.scope);
	control_put_view(out, "view", w->tick.head);
	control_put(out, "tick_age_s",
		(double)(call->now_ms - SL_MIN(w->tick.head->time_ms, call->now_ms)) / 1e3);
	control_put_bool(out, "stale", a->q.stale);
	if (control_arg(call, "stream"))
		control_put_bool(out, "stream_has_entry", a->q.stream != NULL);
	if (a->row == BLOB_NONE)
		return;
	control_put(out, "demand_mbps", call->view->fleet->row[a->row].demand_mbps);
	control_put(out, "sticky_mbps", call->view->fleet->row[a->row].sticky_mbps);
	control_put(out, "none_ppm", call->view->rows[a->row].share_ppm[SCORE_NONE]);
	control_put(out, "trickle_ppm",
		SL_MIN(call->view->fleet->row[a->row].trickle_ppm,
			call->view->fleet->service[a->q.service].params.trickle_ppm));
}

static void put_params(const struct control_call *call, const struct asked *a)
{
	const struct alloc_fleet *f = call->view->fleet;
	const struct alloc_service *s = &f->service[a->q.service];
	cJSON *o = cJSON_AddObjectToObject(call->out, "params");
	double sum_g = 0, sum_m = 0;

	for (uint32_t i = 0; i < s->n_slots; i++) {
		sum_g += f->vendor[s->slot[i].vendor].guaranteed_mbps;
		sum_m += f->vendor[s->slot[i].vendor].max_mbps;
	}
	control_put(o, "guarantee_gain", s->params.guarantee_gain);
	control_put(o, "guarantee_blend", s->params.guarantee_blend);
	control_put(o, "quality_exponent", s->params.quality_exponent);
	control_put(o, "slices", s->params.slices);
	control_put(o, "trickle_ppm", s->params.trickle_ppm);
	control_put(o, "sum_guaranteed_mbps", sum_g);
	control_put(o, "sum_max_mbps", sum_m);
	control_put(o, "session_s", call->view->loop->length_s);
	control_put(o, "bitrate_ratio", learn_rate_ratio(&call->view->loop->kept->rate));
}

/* What becomes of new sessions that nobody has room for, and on which rungs they start. */
static void put_overload(const struct control_call *call, const struct asked *a)
{
	static const char *const done[] = {
		[ALLOC_LOWER] = "lower", [ALLOC_REFUSE] = "none", [ALLOC_SPREAD] = "spread"};
	const struct alloc_service *s = &call->view->fleet->service[a->q.service];
	const struct alloc_row_out *o = &call->view->rows[a->row];
	cJSON *list;

	cJSON_AddStringToObject(
		call->out, "overload", o->overload < SL_COUNT(done) ? done[o->overload] : "fits");
	if (o->rung_ppm[0] == SCORE_PPM)
		return;
	list = cJSON_AddArrayToObject(call->out, "rungs");
	for (uint32_t i = 0; i < s->n_ladder; i++) {
		cJSON *row = control_add_row(list);

		control_put(row, "kbps", s->ladder_kbps[i]);
		control_put(row, "ppm", o->rung_ppm[i]);
	}
}

static const char *breaker_text(uint8_t state)
{
	static const char *const text[] = {"closed", "open", "half-open", "manual"};

	return state < SL_COUNT(text) ? text[state] : "?";
}

/* Where a vendor stands in this group: score, what became of it, what may stop it. */
static void put_slot(cJSON *row, const struct control_call *call, const struct asked *a, uint32_t i)
{
	const struct engine_view *view = call->view;
	const struct world *w = view->world;
	uint32_t v = w->cat.slots[w->cat.services[a->q.service].slots.first + i].vendor;
	const struct alloc_row_out *o = &view->rows[a->row];
	const struct tick_row *t = world_row(w, a->q.service, a->q.group);
	uint32_t cell = world_cell(w, a->q.group, v);

	control_put_str(row, "vendor", control_vendor_name(view, v));
	cJSON_AddStringToObject(row, "reason", score_reason_text(o->reason[i]));
	control_put_bool(row, "usable", t->usable >> i & 1);
	control_put_bool(row, "seated", t->seated >> i & 1);
	(void)cJSON_AddNumberToObject(row, "score", o->score[i]);
	control_put(row, "poured_ppm", o->poured_ppm[i]);
	control_put(row, "share_ppm", o->share_ppm[i]);
	control_put_bool(row, "capped", o->capped >> i & 1);
	if (t->fallback != BLOB_NONE)
		control_put(row, "fallback_ppm", w->tick.shares[t->fallback].ppm.v[i]);
	control_put(row, "weight", view->fleet->service[a->q.service].slot[i].weight);
	control_put(row, "quality", view->fleet->row[a->row].quality[i]);
	control_put_bool(row, "allowed", w->cat.allowed[cell].v);
	if (w->tick.n_breakers > cell)
		cJSON_AddStringToObject(row, "blacklist", breaker_text(w->tick.breakers[cell].v));
}

/* Terms of the score and of the forecast: one row per vendor total, one per region it lies in. */
static void put_terms(cJSON *row, const struct control_call *call, const struct asked *a,
	uint32_t v, uint32_t region)
{
	const struct engine_view *view = call->view;
	const struct alloc_fleet *fl = view->fleet;
	bool total = region == BLOB_NONE;
	uint32_t cell = total ? v : fl->n_vendors + region;
	const struct learn_forecast *f = &view->forecasts[cell];
	struct score_figures fig = {.headroom = fl->vendor[v].headroom};
	double current = total ? fl->vendor[v].current_mbps : fl->region[region].current_mbps;
	double forecast = total ? fl->vendor[v].forecast_mbps : fl->region[region].forecast_mbps;
	uint64_t budget = view->world->tick.budgets[cell].v;
	uint64_t spent = a->spent[total ? v : SL_MAX_VENDORS + region];
	struct score_room room;

	fig.guaranteed_mbps =
		total ? fl->vendor[v].guaranteed_mbps : fl->region[region].guaranteed_mbps;
	fig.max_mbps = total ? fl->vendor[v].max_mbps : fl->region[region].max_mbps;
	fig.load_mbps = SL_MAX(current, forecast);
	room = score_room(&fig);
	control_put_str(row, "vendor", control_vendor_name(view, v));
	control_put_str(row, "region",
		total ? STR_LIT("total")
		      : cat_text(&view->world->cat, view->world->cat.regions[region].name));
	control_put(row, "guaranteed_mbps", fig.guaranteed_mbps);
	control_put(row, "max_mbps", fig.max_mbps);
	control_put(row, "current_mbps", current);
	control_put(row, "forecast_mbps", forecast);
	control_put(row, "room_guaranteed_mbps", room.guaranteed_mbps);
	control_put(row, "room_total_mbps", room.total_mbps);
	control_put_bool(row, "metered", f->metered);
	control_put(row, "meter_mbps", f->meter);
	if (f->metered) {
		const struct meter *m = &view->meters[cell];

		control_put(row, "meter_window_s", (double)(m->end_ms - m->start_ms) / 1e3);
		control_put(row, "meter_age_s",
			(double)(call->now_ms - SL_MIN(m->end_ms, call->now_ms)) / 1e3);
	}
	control_put(row, "ledger_mbps", f->ledger);
	control_put(row, "ledger_mean_mbps", f->ledger_mean);
	control_put(row, "unexplained_mbps", f->unexplained);
	control_put(row, "survive", f->survive);
	control_put(row, "trend_mbps", f->trend);
	control_put(row, "pending_mbps", f->pending);
	control_put(row, "reported_mbps", f->fast);
	control_put(row, "reported_trust", f->fast_trust);
	control_put(row, "unmetered", f->unmetered);
	control_put(row, "dns_factor", learn_factor(&view->loop->kept->doors, LOOP_DNS));
	control_put(row, "http_factor", learn_factor(&view->loop->kept->doors, LOOP_HTTP));
	control_put(row, "headroom", fl->vendor[v].headroom);
	control_put_bool(row, "silent", f->silent);
	control_put_bool(row, "suspect", f->suspect);
	control_put_bool(row, "known", f->known);
	control_put(row, "budget_left_mbps", spent >= budget ? 0 : (double)(budget - spent) / 1e3);
	control_put_bool(row, "budget_spent", !a->q.stale && spent >= budget);
}

/* What reports alone make of a vendor beside the others, before what players tell the steering
 * door. */
static double reported_quality(
	const struct control_call *call, const struct asked *a, uint32_t slot)
{
	static const struct quality_params params = QUALITY_PARAMS_DEFAULT;
	const struct alloc_service *s = &call->view->fleet->service[a->q.service];
	const struct quality_estimate *of[SL_MAX_SLOTS];
	double q[SL_MAX_SLOTS];

	for (uint32_t i = 0; i < s->n_slots; i++)
		of[i] = engine_quality(call->c->engine, s->slot[i].vendor, a->q.group);
	quality_of_group(&params, of, s->n_slots, q);
	return q[slot];
}

/* What players say of a vendor here, with the samples behind it: own_* is the group's own part in
 * each estimate, the rest is of the level that it leans on. And its breaker with the evidence. */
static void put_quality(cJSON *row, const struct control_call *call, const struct asked *a,
	uint32_t v, uint32_t slot)
{
	const struct quality_estimate *e = engine_quality(call->c->engine, v, a->q.group);
	const struct breaker *b = engine_breaker(call->c->engine, v, a->q.group);

	control_put_str(row, "vendor", control_vendor_name(call->view, v));
	control_put(row, "quality", call->view->fleet->row[a->row].quality[slot]);
	control_put(row, "reported_quality", reported_quality(call, a, slot));
	control_put(row, "success", e->value[QUALITY_SUCCESS]);
	control_put(row, "pulls", e->samples[QUALITY_SUCCESS]);
	control_put(row, "own_success", e->own[QUALITY_SUCCESS]);
	control_put(row, "first_frame_ms", e->value[QUALITY_FIRST_FRAME]);
	control_put(row, "frames", e->samples[QUALITY_FIRST_FRAME]);
	control_put(row, "own_first_frame", e->own[QUALITY_FIRST_FRAME]);
	control_put(row, "zero_stall", e->value[QUALITY_ZERO_STALL]);
	control_put(row, "users", e->samples[QUALITY_ZERO_STALL]);
	control_put(row, "own_stalls", e->own[QUALITY_ZERO_STALL]);
	cJSON_AddStringToObject(
		row, "leans_on", engine_quality_level(call->c->engine, v, a->q.group));
	cJSON_AddStringToObject(row, "breaker", breaker_state_text(b->state));
	if (!b->since_ms)
		return;
	cJSON_AddStringToObject(row, "cause", breaker_cause_text(b->cause));
	control_put(row, "seen", b->value);
	control_put(row, "against", b->bound);
	control_put(row, "samples", b->samples);
	control_put(
		row, "since_s", (double)(call->now_ms - SL_MIN(b->since_ms, call->now_ms)) / 1e3);
	control_put(row, "withheld_ppm", call->view->fleet->row[a->row].withheld_ppm[slot]);
}

static void put_vendors(const struct control_call *call, const struct asked *a)
{
	const struct world *w = call->view->world;
	const struct cat_service *s = &w->cat.services[a->q.service];
	cJSON *vendors = cJSON_AddArrayToObject(call->out, "vendors");
	cJSON *terms = cJSON_AddArrayToObject(call->out, "terms");
	cJSON *quality = cJSON_AddArrayToObject(call->out, "quality");

	for (uint32_t i = 0; i < s->slots.count; i++) {
		uint32_t v = w->cat.slots[s->slots.first + i].vendor;
		uint16_t r = w->cat.region_of[world_cell(w, a->q.group, v)].v;

		put_slot(control_add_row(vendors), call, a, i);
		put_quality(control_add_row(quality), call, a, v, i);
		put_terms(control_add_row(terms), call, a, v, BLOB_NONE);
		if (r != UINT16_MAX)
			put_terms(control_add_row(terms), call, a, v, r);
	}
}

/* The operator's rules that may bear on this client. */
static void put_rules(const struct control_call *call)
{
	const struct engine_view *view = call->view;
	cJSON *list;

	if (view->n_rules == 0)
		return;
	list = cJSON_AddArrayToObject(call->out, "rules");
	for (uint32_t i = 0; i < view->n_rules; i++) {
		const struct engine_rule *r = &view->rules[i];
		cJSON *row;

		if (r->until_ms && r->until_ms <= call->now_ms)
			continue;
		row = control_add_row(list);
		cJSON_AddStringToObject(row, "rule", control_rule_kind(r->kind));
		cJSON_AddStringToObject(row, "vendor", r->vendor);
		cJSON_AddStringToObject(row, "service", r->service[0] ? r->service : "*");
		cJSON_AddStringToObject(row, "groups", r->groups[0] ? r->groups : "*");
		if (r->kind == RULE_WEIGHT || r->kind == RULE_CAP)
			control_put(row, "value", r->value);
		if (r->until_ms)
			control_put(row, "left_s", (double)(r->until_ms - call->now_ms) / 1e3);
	}
}

static void put_ips(cJSON *list, const struct world *w, const struct target *t, bool v6)
{
	uint8_t records[SL_MAX_ADDRS * CAT_AAAA_RR_SIZE];
	size_t size = v6 ? CAT_AAAA_RR_SIZE : CAT_A_RR_SIZE, octets = v6 ? 16 : 4;
	uint32_t n = answer_records(w, t, v6, SL_MAX_ADDRS, records);
	char text[IP_TEXT_MAX];

	for (uint32_t i = 0; i < n; i++) {
		struct ip ip = {.family = v6 ? IP_V6 : IP_V4};

		memcpy(ip.b, records + (i + 1) * size - octets, octets);
		ip_format(ip, text);
		cJSON_AddItemToArray(list, cJSON_CreateString(text));
	}
}

static void put_target(cJSON *row, const struct world *w, const struct asked *a, uint8_t slot)
{
	static const char *const kinds[] = {"nothing", "cname", "addresses", "nodes", "harvest"};
	struct target t;
	cJSON *ips;

	answer_target(w, &a->q, slot, a->stream, a->n_nodes, &t);
	control_put_str(row, "vendor", cat_text(&w->cat, w->cat.vendors[t.vendor].name));
	cJSON_AddStringToObject(row, "by", kinds[t.kind]);
	control_put_str(row, "cname", cat_text(&w->cat, t.slot->cname_text));
	ips = cJSON_AddArrayToObject(row, "ips");
	put_ips(ips, w, &t, false);
	put_ips(ips, w, &t, true);
	if (t.kind == TARGET_NODES) {
		cJSON *nodes = cJSON_AddArrayToObject(row, "nodes");

		for (uint32_t i = 0; i < t.n_nodes; i++) {
			struct str name = cat_text(&w->cat, w->cat.nodes[t.node[i]].name);
			char text[SL_MAX_NAME + 1];

			(void)snprintf(text, sizeof(text), STR_FMT, STR_ARG(name));
			cJSON_AddItemToArray(nodes, cJSON_CreateString(text));
		}
	}
}

static void put_answer(const struct control_call *call, const struct asked *a)
{
	static const char *const kinds[ANSWER_KINDS] = {"new", "refresh", "move"};
	const struct world *w = call->view->world;
	struct answer answer;
	cJSON *o, *list;

	answer_decide(w, &a->q, &a->full, NULL, &answer);
	o = cJSON_AddObjectToObject(call->out, "answer");
	cJSON_AddStringToObject(o, "reason", answer_reason_text(answer.reason));
	if (answer.n)
		cJSON_AddStringToObject(o, "kind", kinds[answer.kind]);
	cJSON_AddStringToObject(o, "pick", a->q.by_sequence ? "sequence" : "sticky");
	list = cJSON_AddArrayToObject(call->out, "ranked");
	for (uint32_t i = 0; i < answer.n; i++)
		put_target(control_add_row(list), w, a, answer.slot[i]);
}

int control_do_EXPLAIN(struct control_call *call)
{
	struct asked *a = calloc(1, sizeof(*a));
	int rc = a ? control_need_world(call) : SL_ENOMEM;

	if (!rc)
		rc = ask(call, a);
	if (!rc) {
		put_question(call, a);
		if (a->row != BLOB_NONE) {
			put_params(call, a);
			put_overload(call, a);
			put_vendors(call, a);
		}
		put_rules(call);
		put_answer(call, a);
	}
	free(a);
	return rc;
}
