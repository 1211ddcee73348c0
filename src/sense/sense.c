/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"
#include "base/os.h"
#include "sense/request.h"
#include "sense/sense_int.h"

#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum { ROUND_MS = 1000, RELIST_MS = 10000 };

const char *sense_refusal_word(enum sense_refusal r)
{
	static const char *const word[] = {
#define X(id, text) text,
		SENSE_REFUSAL_MAP(X)
#undef X
	};

	return r < SENSE_REFUSALS ? word[r] : "?";
}

const char *sense_state_word(uint8_t state)
{
	static const char *const word[SENSE_STATES] = {"unknown", "up", "down"};

	return state < SENSE_STATES ? word[state] : "?";
}

uint64_t sense_random(uint64_t n)
{
	return n ? os_random64() % n : 0;
}

int sense_check(const struct conf *conf, struct errbuf *err)
{
	const struct conf_catalog *c = &conf->catalog;
	char path[64];

	for (uint32_t v = 0; v < c->vendors_count; v++)
		for (uint32_t i = 0; i < c->vendors[v].meters_count; i++) {
			struct sense_api api = sense_api_of(&c->vendors[v].meters[i]);
			struct errbuf why = {""};

			(void)snprintf(path, sizeof(path), "vendors[%u].meters[%u]", v, i);
			if (sense_request_check(&api, &why))
				return conf_refuse(conf, err, SL_EFORMAT, path, "%s", why.s);
		}
	return 0;
}

/* The names by which control is told of nodes. */
static void name_nodes(struct sense *s)
{
	const struct conf_catalog *c = &s->conf->catalog;
	char(*node)[SL_MAX_NAME + 1] = calloc(c->nodes_count + 1, sizeof(*node));

	for (uint32_t i = 0; node && i < c->nodes_count; i++)
		(void)snprintf(node[i], sizeof(node[i]), "%s", c->nodes[i].name);
	(void)pthread_mutex_lock(&s->lock);
	free(s->node);
	s->node = node;
	s->n_nodes = node ? c->nodes_count : 0;
	(void)pthread_mutex_unlock(&s->lock);
}

/* Takes the mutex: what control has left for us. */
static bool take_orders(struct sense *s)
{
	struct sense_group *group;
	struct keys_file *keys;
	struct conf *conf;
	uint32_t n_groups;
	bool stop;

	(void)pthread_mutex_lock(&s->lock);
	stop = s->stop;
	conf = s->next_conf;
	keys = s->next_keys;
	group = s->next_group;
	n_groups = s->n_next_groups;
	s->next_group = NULL;
	s->next_conf = NULL;
	s->next_keys = NULL;
	(void)pthread_mutex_unlock(&s->lock);
	if (group) {
		free(s->group);
		s->group = group;
		s->n_groups = n_groups;
	}
	if (conf) {
		struct conf *old_conf = s->conf;
		struct keys_file *old_keys = s->keys;

		s->conf = conf;
		s->keys = keys;
		s->meters = sense_meters_new(s, s->meters);
		s->probes = sense_probes_new(s, s->probes);
		if (!s->meters || !s->probes)
			LOG_E("sense.no_memory", "meters=%d probes=%d", s->meters != NULL,
				s->probes != NULL);
		name_nodes(s);
		s->harvest = sense_harvest_new(s, s->harvest);
		conf_free(old_conf);
		keys_close(old_keys);
	} else if (group && s->conf) {
		s->harvest = sense_harvest_new(s, s->harvest);
	}
	return !stop;
}

static void on_wake(struct sense_io *io)
{
	uint64_t n;

	(void)!read(io->fd, &n, sizeof(n));
}

/* Probes look at what was harvested too. */
static void look_at_edges(struct sense *s)
{
	if (!s->edges_moved || os_mono_ms() < s->probes_ms + RELIST_MS || !s->conf)
		return;
	s->edges_moved = false;
	s->probes_ms = os_mono_ms();
	s->probes = sense_probes_new(s, s->probes);
}

static void *run(void *arg)
{
	struct sense *s = arg;

	while (take_orders(s)) {
		look_at_edges(s);
		sense_loop_round(s->loop, ROUND_MS);
	}
	return NULL;
}

static void wake(const struct sense *s)
{
	uint64_t one = 1;

	(void)!write(s->wake.fd, &one, sizeof(one));
}

int sense_new(struct sense **ret_sense, struct errbuf *err)
{
	struct sense *s = calloc(1, sizeof(*s));
	int rc;

	if (!s)
		return err_set(err, SL_ENOMEM, "sense: out of memory");
	(void)pthread_mutex_init(&s->lock, NULL);
	s->wake = (struct sense_io){on_wake, eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
	rc = curl_global_init(CURL_GLOBAL_DEFAULT) ? SL_ENOMEM : sense_loop_new(&s->loop, err);
	if (!rc)
		rc = sense_io_add(s->loop, &s->wake);
	if (!rc)
		rc = -pthread_create(&s->thread, NULL, run, s);
	s->running = rc == 0;
	if (rc) {
		sense_free(s);
		return err_set(err, rc, "sense: cannot start");
	}
	*ret_sense = s;
	return 0;
}

void sense_free(struct sense *s)
{
	if (!s)
		return;
	(void)pthread_mutex_lock(&s->lock);
	s->stop = true;
	(void)pthread_mutex_unlock(&s->lock);
	wake(s);
	if (s->running)
		(void)pthread_join(s->thread, NULL);
	sense_meters_free(s->meters);
	sense_probes_free(s->probes);
	sense_harvest_free(s->harvest);
	sense_loop_free(s->loop);
	if (s->wake.fd >= 0)
		(void)close(s->wake.fd);
	conf_free(s->conf);
	keys_close(s->keys);
	conf_free(s->next_conf);
	keys_close(s->next_keys);
	free(s->source);
	free(s->target);
	free(s->probe);
	free(s->node);
	free(s->group);
	free(s->next_group);
	free(s->edges);
	free(s->harvested);
	(void)pthread_mutex_destroy(&s->lock);
	free(s);
}

void sense_load(struct sense *s, struct conf *conf, struct keys_file *keys)
{
	struct conf *old_conf;
	struct keys_file *old_keys;

	(void)pthread_mutex_lock(&s->lock);
	old_conf = s->next_conf;
	old_keys = s->next_keys;
	s->next_conf = conf;
	s->next_keys = keys;
	(void)pthread_mutex_unlock(&s->lock);
	conf_free(old_conf);
	keys_close(old_keys);
	wake(s);
}

void sense_set_groups(struct sense *s, struct sense_group *group, uint32_t n)
{
	struct sense_group *old;

	(void)pthread_mutex_lock(&s->lock);
	old = s->next_group;
	s->next_group = group;
	s->n_next_groups = n;
	(void)pthread_mutex_unlock(&s->lock);
	free(old);
	wake(s);
}

uint32_t sense_take_meters(struct sense *s, struct sense_meter *ret, uint32_t max)
{
	uint32_t n;

	(void)pthread_mutex_lock(&s->lock);
	n = SL_MIN(max, s->queue_n);
	for (uint32_t i = 0; i < n; i++)
		ret[i] = s->queue[(s->queue_first + i) % SENSE_MAX_QUEUE];
	s->queue_first = (s->queue_first + n) % SENSE_MAX_QUEUE;
	s->queue_n -= n;
	(void)pthread_mutex_unlock(&s->lock);
	return n;
}

void sense_tell(struct sense *s, const struct sense_meter *m, bool taken, const char *why)
{
	struct sense_source *to;

	(void)pthread_mutex_lock(&s->lock);
	to = m->source < s->n_sources ? &s->source[m->source] : NULL;
	if (to && strcmp(to->vendor, m->vendor) == 0) {
		to->taken += taken;
		to->refused[SENSE_FALSE] += !taken;
		if (!taken)
			(void)snprintf(
				to->note, sizeof(to->note), "refused: %.100s", why ? why : "?");
	}
	(void)pthread_mutex_unlock(&s->lock);
}

/* A copy of rows that are under the lock; *n is read under it too. */
static void *copy_rows(
	struct sense *s, void *const *rows, const uint32_t *n, size_t size, uint32_t *ret_n)
{
	void *copy = NULL;

	(void)pthread_mutex_lock(&s->lock);
	*ret_n = 0;
	if (*n)
		copy = malloc(*n * size);
	if (copy) {
		memcpy(copy, *rows, *n * size);
		*ret_n = *n;
	}
	(void)pthread_mutex_unlock(&s->lock);
	return copy;
}

#define COPY_ROWS(s, rows, n, ret_n)                                                               \
	copy_rows(s, (void *const *)&(s)->rows, &(s)->n, sizeof(*(s)->rows), ret_n)

struct sense_source *sense_sources(struct sense *s, uint32_t *ret_n)
{
	return COPY_ROWS(s, source, n_sources, ret_n);
}

struct sense_probe *sense_probes(struct sense *s, uint32_t *ret_n)
{
	return COPY_ROWS(s, probe, n_probes, ret_n);
}

struct sense_target *sense_targets(struct sense *s, uint32_t *ret_n)
{
	return COPY_ROWS(s, target, n_targets, ret_n);
}

struct sense_harvested *sense_harvests(struct sense *s, uint32_t *ret_n)
{
	return COPY_ROWS(s, harvested, n_harvested, ret_n);
}

/* Kept by the clock that nobody sets; told by the other. */
static void tell_unix(uint64_t *ms)
{
	if (*ms)
		*ms += os_now_ms() - os_mono_ms();
}

struct sense_edges *sense_harvest_edges(struct sense *s, uint64_t *version, uint32_t *ret_n)
{
	struct sense_edges *e;
	uint64_t now;

	(void)pthread_mutex_lock(&s->lock);
	now = s->edges_version;
	(void)pthread_mutex_unlock(&s->lock);
	*ret_n = 0;
	if (now == *version)
		return NULL;
	*version = now; /* what changes from here on is copied too, and once more */
	e = COPY_ROWS(s, edges, n_edges, ret_n);
	for (uint32_t i = 0; i < *ret_n; i++) {
		tell_unix(&e[i].until_a_ms);
		tell_unix(&e[i].until_aaaa_ms);
	}
	return e;
}

static bool cut_off(const struct sense *s)
{
	for (uint32_t i = 0; i < s->n_targets; i++)
		if (s->target[i].state != SENSE_DOWN)
			return false;
	return s->n_targets >= SENSE_MIN_CUT_OFF;
}

struct sense_down *sense_edges_down(struct sense *s, uint32_t *ret_n)
{
	struct sense_down *down = NULL;
	uint32_t n = 0;

	(void)pthread_mutex_lock(&s->lock);
	*ret_n = 0;
	for (uint32_t i = 0; i < s->n_targets; i++)
		n += s->target[i].state == SENSE_DOWN && s->target[i].ip.family != IP_NONE;
	if (n && !cut_off(s))
		down = calloc(n, sizeof(*down));
	for (uint32_t i = 0; down && i < s->n_targets; i++) {
		const struct sense_target *t = &s->target[i];
		struct sense_down *to = &down[*ret_n];

		if (t->state != SENSE_DOWN || t->ip.family == IP_NONE)
			continue;
		memcpy(to->vendor, s->probe[t->probe_index].vendor, sizeof(to->vendor));
		to->ip = t->ip;
		++*ret_n;
	}
	(void)pthread_mutex_unlock(&s->lock);
	return down;
}

struct sense_ingest *sense_ingests_down(struct sense *s, uint32_t *ret_n)
{
	struct sense_ingest *down = NULL;
	uint32_t n = 0;

	(void)pthread_mutex_lock(&s->lock);
	*ret_n = 0;
	for (uint32_t i = 0; i < s->n_probes; i++)
		n += s->probe[i].service[0] ? s->probe[i].n[SENSE_DOWN] : 0;
	if (n && !cut_off(s))
		down = calloc(n, sizeof(*down));
	for (uint32_t i = 0; down && i < s->n_targets; i++) {
		const struct sense_target *t = &s->target[i];
		const struct sense_probe *p = &s->probe[t->probe_index];
		struct sense_ingest *to = &down[*ret_n];

		if (t->state != SENSE_DOWN || !p->service[0])
			continue;
		memcpy(to->service, p->service, sizeof(to->service));
		memcpy(to->name, t->node, sizeof(to->name));
		++*ret_n;
	}
	(void)pthread_mutex_unlock(&s->lock);
	return down;
}

/* A node is down when a probe looks at it and finds none of its addresses anything but down. */
static void judge_nodes(const struct sense *s, struct sense_node *node)
{
	uint8_t seen[SL_MAX_NODES]; /* by this probe: 1 down, 2 something else */

	if (cut_off(s))
		return;
	for (uint32_t i = 0, end; i < s->n_targets; i = end) {
		memset(seen, 0, s->n_nodes);
		for (end = i; end < s->n_targets &&
			      s->target[end].probe_index == s->target[i].probe_index;
			end++)
			if (s->target[end].node_index < s->n_nodes)
				seen[s->target[end].node_index] |=
					s->target[end].state == SENSE_DOWN ? 1 : 2;
		for (uint32_t k = 0; k < s->n_nodes; k++)
			node[k].down |= seen[k] == 1;
	}
}

enum { NODE_OLD_MS = 60000 };

struct sense_node *sense_nodes(struct sense *s, uint64_t now_ms, uint32_t *ret_n)
{
	struct sense_node *node = NULL;

	(void)pthread_mutex_lock(&s->lock);
	*ret_n = 0;
	if (s->n_nodes)
		node = calloc(s->n_nodes, sizeof(*node));
	for (uint32_t i = 0; node && i < s->n_nodes; i++) {
		memcpy(node[i].name, s->node[i], sizeof(node[i].name));
		node[i].mbps = -1;
		*ret_n = s->n_nodes;
	}
	for (uint32_t i = 0; node && i < s->n_sources; i++) {
		const struct sense_source *from = &s->source[i];

		if (from->node_index < s->n_nodes && from->end_ms + NODE_OLD_MS > now_ms)
			node[from->node_index].mbps = from->mbps;
	}
	if (node)
		judge_nodes(s, node);
	(void)pthread_mutex_unlock(&s->lock);
	return node;
}
