/* SPDX-License-Identifier: Apache-2.0 */
/* probe show; and what probes and counters say of own nodes and ingests, to the engine. */
#include "base/glob.h"
#include "base/os.h"
#include "control/control_int.h"
#include "sense/sense.h"

#include <stdlib.h>
#include <string.h>

enum { SHOWN = 100, SHOWN_MAX = 100000 };

/* With what the engine knows of nodes; nodes nothing is known of are left out by it. */
static void take_nodes(struct control *c, uint64_t now_ms)
{
	uint32_t n;
	struct sense_node *s = sense_nodes(c->opt.sense, now_ms, &n);
	struct engine_node *to = calloc(n + 1, sizeof(*to));
	bool believed = !(c->switched_off >> SWITCH_PROBES & 1);
	bool read = !(c->switched_off >> SWITCH_METERS & 1);

	for (uint32_t i = 0; to && i < n; i++) {
		memcpy(to[i].name, s[i].name, sizeof(to[i].name));
		to[i].down = s[i].down && believed;
		to[i].mbps = read ? s[i].mbps : -1;
	}
	if (to)
		(void)engine_set_nodes(c->engine, to, n);
	free(to);
	free(s);
}

static void take_ingests(struct control *c)
{
	bool believed = !(c->switched_off >> SWITCH_PROBES & 1);
	uint32_t n = 0;
	struct sense_ingest *s = believed ? sense_ingests_down(c->opt.sense, &n) : NULL;
	struct engine_ingest *to = n ? calloc(n, sizeof(*to)) : NULL;

	for (uint32_t i = 0; to && i < n; i++) {
		memcpy(to[i].service, s[i].service, sizeof(to[i].service));
		memcpy(to[i].name, s[i].name, sizeof(to[i].name));
	}
	engine_set_ingests_down(c->engine, to, to ? n : 0);
	free(s);
}

void control_take_sense(struct control *c)
{
	if (!c->opt.sense)
		return;
	control_take_meters(c);
	take_nodes(c, os_now_ms());
	take_ingests(c);
	control_take_harvest(c, os_now_ms());
}

static void put_age(cJSON *row, const char *name, uint64_t since_ms, uint64_t now_ms)
{
	if (since_ms)
		control_put(row, name, now_ms > since_ms ? (double)(now_ms - since_ms) / 1e3 : 0);
	else
		(void)cJSON_AddNullToObject(row, name);
}

static void put_probe(cJSON *row, const struct sense_probe *p, uint64_t now_ms)
{
	cJSON *refused;

	cJSON_AddStringToObject(row, "probe", p->name);
	for (uint32_t i = 0; i < SENSE_STATES; i++)
		control_put(row, sense_state_word((uint8_t)i), p->n[i]);
	control_put(row, "looks", (double)p->looks);
	put_age(row, "age_s", p->checked_ms, now_ms);
	refused = cJSON_AddObjectToObject(row, "refused");
	for (uint32_t i = 0; i < SENSE_REFUSALS; i++)
		if (p->refused[i])
			control_put(refused, sense_refusal_word(i), (double)p->refused[i]);
}

static void put_target(cJSON *row, const struct sense_target *t, uint64_t now_ms)
{
	cJSON_AddStringToObject(row, "probe", t->probe);
	cJSON_AddStringToObject(row, "target", t->address);
	cJSON_AddStringToObject(row, "node", t->node);
	cJSON_AddStringToObject(row, "state", sense_state_word(t->state));
	put_age(row, "since_s", t->changed_ms, now_ms);
	put_age(row, "age_s", t->checked_ms, now_ms);
	control_put(row, "took_ms", t->took_us / 1e3);
	control_put(row, "good", (double)t->good);
	control_put(row, "bad", (double)t->bad);
	cJSON_AddStringToObject(row, "last_bad", t->bad ? sense_refusal_word(t->refusal) : "");
}

/* Those that are down first. */
static int by_state(const void *a, const void *b)
{
	const struct sense_target *x = a, *y = b;
	int rc = (x->state != SENSE_DOWN) - (y->state != SENSE_DOWN);

	if (!rc)
		rc = (x->probe_index > y->probe_index) - (x->probe_index < y->probe_index);
	return rc ? rc : strcmp(x->address, y->address);
}

int control_do_PROBE_SHOW(struct control_call *call)
{
	const char *pattern = control_arg(call, "probe");
	double most = control_number(call, "n", SHOWN);
	cJSON *probes = cJSON_AddArrayToObject(call->out, "probes"), *targets;
	uint32_t n = 0, n_targets = 0, shown = 0;
	struct sense_probe *p = call->c->opt.sense ? sense_probes(call->c->opt.sense, &n) : NULL;
	struct sense_target *t =
		call->c->opt.sense ? sense_targets(call->c->opt.sense, &n_targets) : NULL;

	for (uint32_t i = 0; i < n; i++)
		if (!pattern || glob_match(str_from(pattern), str_from(p[i].name), false))
			put_probe(control_add_row(probes), &p[i], call->now_ms);
	targets = cJSON_AddArrayToObject(call->out, "targets");
	if (t)
		qsort(t, n_targets, sizeof(*t), by_state);
	for (uint32_t i = 0; i < n_targets && shown < SL_MIN(most, (double)SHOWN_MAX); i++) {
		if (pattern && !glob_match(str_from(pattern), str_from(t[i].probe), false))
			continue;
		put_target(control_add_row(targets), &t[i], call->now_ms);
		shown++;
	}
	free(p);
	free(t);
	return 0;
}
