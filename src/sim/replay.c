/* SPDX-License-Identifier: Apache-2.0 */
/* A record through the loop again, as it was or with changes, and what came of it. */
#include "sim/replay.h"

#include "base/os.h"
#include "sim/replay_int.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* What a run gave. */
struct result {
	uint32_t ticks, compared, rows_off, first_off; /* first_off: tick, from 1; 0: none */
	double share[SL_MAX_VENDORS], load[SL_MAX_VENDORS], last[SL_MAX_VENDORS]; /* sums */
	double flips, demand, none, over[SL_MAX_VENDORS];
	uint64_t began_ms, ended_ms;
};

/* --- changes --------------------------------------------------------------------------------- */

enum what { SCORE_PARAM, OF_VENDOR };

static const struct key {
	const char *name;
	enum what what;
	double least, most;
} keys[] = {{"guarantee_gain", SCORE_PARAM, 0, 1e6}, {"guarantee_blend", SCORE_PARAM, 0, 1},
	{"quality_exponent", SCORE_PARAM, 0, 64}, {"slices", SCORE_PARAM, 1, 256},
	{"trickle_ppm", SCORE_PARAM, 0, SL_MAX_TRICKLE_PPM}, {"headroom", SCORE_PARAM, 0, 0.5},
	{"weight", OF_VENDOR, 0, 1000}, {"guaranteed", OF_VENDOR, 0, 1e9},
	{"max", OF_VENDOR, 0, 1e9}, {"drain", OF_VENDOR, 0, 1}};

struct change {
	uint32_t key, vendor;
	double value;
};

static uint32_t vendor_named(const struct replay_rig *r, struct str name)
{
	uint32_t v = 0;

	while (v < r->places.n_vendors && !str_eq(r->name[v], name))
		v++;
	return v;
}

static int parse(
	const struct replay_rig *r, const char *text, struct change *ret, struct errbuf *err)
{
	struct str rest = str_from(text), key = str_cut(&rest, '='), vendor = key;
	char *end;

	key = str_cut(&vendor, '.');
	for (uint32_t i = 0; i < SL_COUNT(keys); i++) {
		const struct key *k = &keys[i];

		if (!str_eq(key, str_from(k->name)) || (k->what == OF_VENDOR) != (vendor.n > 0))
			continue;
		*ret = (struct change){
			.key = i, .value = rest.n ? strtod(rest.p, &end) : (double)NAN};
		if (!rest.n || *end || !(ret->value >= k->least && ret->value <= k->most))
			return err_set(err, SL_EINVAL, "%s: out of range, want %g to %g", text,
				k->least, k->most);
		if (k->what == OF_VENDOR)
			ret->vendor = vendor_named(r, vendor);
		if (ret->vendor == r->places.n_vendors)
			return err_set(err, SL_ENOENT, "%s: no such vendor in the record", text);
		return 0;
	}
	return err_set(err, SL_EINVAL,
		"%s: unknown, want guarantee_gain, guarantee_blend, quality_exponent, slices, "
		"trickle_ppm, headroom, or weight, guaranteed, max, drain with .VENDOR",
		text);
}

static void change_params(struct replay_rig *r, const char *key, double value)
{
	for (uint32_t s = 0; s < r->in.n_services; s++) {
		struct score_params *p = &r->service[s].alloc.params;

		if (strcmp(key, "guarantee_gain") == 0)
			p->guarantee_gain = value;
		else if (strcmp(key, "guarantee_blend") == 0)
			p->guarantee_blend = value;
		else if (strcmp(key, "quality_exponent") == 0)
			p->quality_exponent = value;
		else if (strcmp(key, "slices") == 0)
			p->slices = (uint32_t)value;
		else if (strcmp(key, "trickle_ppm") == 0)
			p->trickle_ppm = (uint32_t)value;
	}
	for (uint32_t v = 0; strcmp(key, "headroom") == 0 && v < r->in.n_vendors; v++)
		r->vendor[v].headroom = value;
}

/* In every service that has the vendor. */
static void change_slots(struct replay_rig *r, const char *key, uint32_t vendor, double value)
{
	for (uint32_t s = 0; s < r->in.n_services; s++)
		for (uint32_t k = 0; k < r->service[s].alloc.n_slots; k++) {
			struct alloc_slot *slot = &r->service[s].alloc.slot[k];

			if (slot->vendor != vendor)
				continue;
			if (strcmp(key, "weight") == 0)
				slot->weight = value;
			for (uint32_t i = 0; strcmp(key, "drain") == 0 && i < r->in.n_rows; i++)
				if (r->row[i].service == s)
					r->row[i].block[k] = value > 0 ? SCORE_DRAINED : 0;
		}
}

static void apply(struct replay_rig *r, const struct change *c)
{
	struct loop_vendor *v = &r->vendor[c->vendor];
	const char *key = keys[c->key].name;

	if (keys[c->key].what == SCORE_PARAM)
		change_params(r, key, c->value);
	else if (strcmp(key, "guaranteed") == 0)
		v->guaranteed_mbps = c->value;
	else if (strcmp(key, "max") == 0)
		v->max_mbps = c->value;
	else
		change_slots(r, key, c->vendor, c->value);
	v->guaranteed_mbps = fmin(v->guaranteed_mbps, v->max_mbps);
}

/* --- one run --------------------------------------------------------------------------------- */

/* Demand-weighted shares of this tick; rows without demand count a little, or a quiet record would
 * say nothing. */
static void note(struct result *to, const struct replay_rig *r)
{
	double share[SL_MAX_VENDORS] = {0}, all = 0, none = 0, half = 0;

	for (uint32_t i = 0; i < r->in.n_rows; i++) {
		const struct alloc_row *row = &r->loop.row[i];
		const struct alloc_service *s = &r->service[row->service].alloc;
		double weight = row->demand_mbps + row->sticky_mbps + 1e-9;

		for (uint32_t k = 0; k < s->n_slots; k++)
			share[s->slot[k].vendor] +=
				weight * r->loop.row_out[i].share_ppm[k] / SCORE_PPM;
		none += weight * r->loop.row_out[i].share_ppm[SCORE_NONE] / SCORE_PPM;
		all += weight;
	}
	for (uint32_t v = 0; all > 0 && v < r->in.n_vendors; v++) {
		const struct alloc_vendor *a = &r->loop.vendor[v];
		double load = r->loop.vendor_out[v].expected_mbps;

		share[v] /= all;
		half += fabs(share[v] - to->last[v]) / 2;
		to->last[v] = share[v];
		to->share[v] += share[v];
		to->load[v] += load;
		to->over[v] = a->max_mbps > 0 ? fmax(to->over[v], load / a->max_mbps) : 0;
	}
	to->none += all > 0 ? none / all : 0;
	to->flips += to->ticks ? half : 0;
}

static void compare(struct result *to, struct replay_rig *r)
{
	uint32_t n = 0, off = 0;
	const uint64_t *was = replay_outcome(r, &n);

	if (!was)
		return;
	for (uint32_t i = 0; i < r->in.n_rows; i++) {
		uint64_t hash = i < n ? 0 : 1;

		if (i < n)
			memcpy(&hash, (const uint8_t *)was + i * sizeof(hash), sizeof(hash));
		off += i >= n || hash != record_row_hash(&r->loop, i);
	}
	to->compared++;
	to->rows_off += off;
	if (off && !to->first_off)
		to->first_off = to->ticks + 1;
}

static int step(struct replay_rig *r, const struct replay_changes *changes, struct result *to,
	struct errbuf *err)
{
	int rc;

	for (uint32_t i = 0; i < r->n_meters; i++) {
		const struct record_meter *m = &r->meter[i];

		(void)loop_push_meter(&r->loop, m->cell, m->n_vendors, m->mbps, m->start_ms,
			m->end_ms, m->now_ms, m->max_mbps);
	}
	for (uint32_t i = 0; changes && i < changes->n; i++) {
		struct change c = {0};

		rc = parse(r, changes->text[i], &c, err);
		if (rc)
			return rc;
		apply(r, &c);
	}
	rc = loop_tick(&r->loop, &r->in);
	if (rc)
		return err_set(err, rc, "tick %u: refused: %s", to->ticks + 1, sl_strerror(rc));
	compare(to, r);
	note(to, r);
	to->began_ms = to->ticks ? to->began_ms : r->in.now_ms;
	to->ended_ms = r->in.now_ms;
	to->ticks++;
	return 0;
}

/* One rig as recorded; beside it another, with the changes, unless that is NULL. */
static int run(struct replay_rig *r, struct replay_rig *other, const struct replay_changes *changes,
	struct result *ret_was, struct result *ret_now, struct errbuf *err)
{
	int rc = 0;

	*ret_was = *ret_now = (struct result){0};
	while (rc == 0) {
		rc = replay_next(r, err);
		if (rc == 0 && other) {
			rc = replay_next(other, err);
			if (rc == 0)
				replay_answer(other, r);
		}
		if (rc == 0)
			rc = step(r, NULL, ret_was, err);
		if (rc == 0 && other)
			rc = step(other, changes, ret_now, err);
	}
	if (rc == SL_ENOENT && ret_was->ticks && !err->s[0])
		return 0;
	return rc == SL_ENOENT && !err->s[0] ? err_set(err, SL_EFORMAT, "a record without ticks")
					     : rc;
}

/* --- what is told ---------------------------------------------------------------------------- */

static void put_vendor(FILE *to, const struct replay_rig *r, const struct result *x, uint32_t v,
	const char *as, bool json)
{
	double n = x->ticks;

	if (json)
		fprintf(to,
			"{\"name\":\"" STR_FMT "\",\"share\":%.6f,\"load_mbps\":%.3f,"
			"\"most_of_max\":%.6f}",
			STR_ARG(r->name[v]), x->share[v] / n, x->load[v] / n, x->over[v]);
	else
		fprintf(to, "| " STR_FMT " | %s | %.4f | %.1f | %.4f |\n", STR_ARG(r->name[v]), as,
			x->share[v] / n, x->load[v] / n, x->over[v]);
}

static void put_json(FILE *to, const struct replay_rig *r, const struct result *x, const char *as)
{
	fprintf(to,
		"\"%s\":{\"ticks\":%u,\"compared\":%u,\"rows_off\":%u,\"none\":%.6f,"
		"\"flips\":%.6f,\"vendors\":[",
		as, x->ticks, x->compared, x->rows_off, x->none / x->ticks, x->flips / x->ticks);
	for (uint32_t v = 0; v < r->in.n_vendors; v++) {
		fputs(v ? "," : "", to);
		put_vendor(to, r, x, v, as, true);
	}
	fputs("]}", to);
}

static void put_table(
	FILE *to, const struct replay_rig *r, const struct result *was, const struct result *now)
{
	fprintf(to, "%u ticks over %.0f s; %u compared, rows that differ: %u\n", was->ticks,
		(double)(was->ended_ms - was->began_ms) / 1000, was->compared, was->rows_off);
	fputs("\n| vendor | | mean share | mean load Mbps | most over M |\n|---|---|---|---|---|\n",
		to);
	for (uint32_t v = 0; v < r->in.n_vendors; v++) {
		put_vendor(to, r, was, v, "as recorded", false);
		if (now)
			put_vendor(to, r, now, v, "what if", false);
	}
	fprintf(to, "\nrefused %.4f, flips %.4f a tick", was->none / was->ticks,
		was->flips / was->ticks);
	if (now)
		fprintf(to, "; what if: refused %.4f, flips %.4f", now->none / now->ticks,
			now->flips / now->ticks);
	fputs("\n", to);
}

static int replay(const uint8_t *p, size_t n, const struct replay_changes *changes, bool json,
	FILE *to, struct errbuf *err)
{
	struct replay_rig *r = NULL, *other = NULL;
	struct result was, now;
	int rc = replay_rig_new(p, n, &r, err);

	if (rc == 0 && changes->n)
		rc = replay_rig_new(p, n, &other, err);
	if (rc == 0)
		rc = run(r, other, changes, &was, &now, err);
	if (rc == 0 && json) {
		fputs("{", to);
		put_json(to, r, &was, "replay");
		fputs(changes->n ? "," : "", to);
		if (changes->n)
			put_json(to, other, &now, "whatif");
		fputs("}\n", to);
	} else if (rc == 0) {
		put_table(to, r, &was, changes->n ? &now : NULL);
	}
	if (rc == 0 && was.rows_off)
		rc = err_set(err, SL_EREFUSED,
			"tick %u is the first that gave other octets than the record",
			was.first_off);
	replay_rig_free(r);
	replay_rig_free(other);
	return rc;
}

int replay_run(const char *path, const struct replay_changes *changes, bool json, FILE *to,
	struct errbuf *err)
{
	struct errbuf why = {""};
	const void *p;
	size_t n;
	int rc = os_map_file(path, SL_MAX_BLOB_OCTETS, &p, &n, err);

	if (rc)
		return rc;
	rc = replay(p, n, changes, json, to, &why);
	os_unmap(p, n);
	return rc ? err_set(err, rc, "%s: %s", path, why.s) : 0;
}
