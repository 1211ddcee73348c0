/* SPDX-License-Identifier: Apache-2.0 */
/* The engine as a whole, over real files; long because all cases stand on one catalogue. */
#include "test.h"

#include <dirent.h>
#include <ftw.h>
#include <math.h>
#include <sys/wait.h>
#include <unistd.h>

#include "answer/decide.h"
#include "base/hash.h"
#include "base/os.h"
#include "engine/engine.h"
#include "tally/tally.h"

/* Three vendors of the demo's figures, a region, a window, own nodes, restrictions, a stream. */
static const char catalog[] =
	"vendors:\n"
	"  - {name: alpha, guaranteed_mbps: 8000, max_mbps: 14000, addresses: [{a: [192.0.2.1, "
	"192.0.2.2]}],\n"
	"     regions: [{name: south, groups: [CN/GD/*], max_mbps: 5000}], deny_groups: [US]}\n"
	"  - {name: beta, guaranteed_mbps: 6000, max_mbps: 16000,\n"
	"     windows: [{from: '00:00', to: '24:00', max_mbps: 15000}]}\n"
	"  - {name: own, guaranteed_mbps: 3000, max_mbps: 9000}\n"
	"nodes:\n"
	"  - {name: gz1, vendor: own, group: CN/GD/telecom, capacity_mbps: 1000, a: "
	"[203.0.113.1]}\n"
	"  - {name: cs1, vendor: own, group: CN/HN/telecom, capacity_mbps: 1000, a: "
	"[203.0.113.2]}\n"
	"  - {name: bj1, vendor: own, group: CN/BJ/unicom, capacity_mbps: 1000, a: [203.0.113.3]}\n"
	"services:\n"
	"  - {name: live, hosts: [live.example.net], dns: auto, bitrate_kbps: 4000, "
	"ladder_kbps: [8000, 4000, 1000],\n     vendors: [%s]}\n"
	"zones: [{name: example.net, file: '%s'}]\n"
	"streams: [{name: room1, service: live, vendors: [beta]}]\n";

static const char zone[] =
	"$TTL 3600\n@ SOA ns1 host 1 7200 900 1209600 30\n  NS ns1\nns1 A 192.0.2.53\n";
static const char nets[] = "prefix,country,province,isp,source\n"
			   "10.1.0.0/16,CN,GD,telecom,test\n"
			   "10.2.0.0/16,CN,BJ,unicom,test\n"
			   "10.3.0.0/16,US,,,test\n"
			   "10.4.0.0/16,CN,GX,telecom,test\n";

static const char order[] = "{vendor: alpha}, {vendor: beta, cname: b.example.org}, {vendor: own}";
static const char turned[] = "{vendor: own}, {vendor: beta, cname: b.example.org}, {vendor: alpha}";
static bool vendors_turned;
static const char *vendors_as; /* in place of both */

static char dir[64];
static const uint64_t t0 = UINT64_C(1800000000000);

static int unlink_any(const char *path, const struct stat *st, int flag, struct FTW *f)
{
	(void)st;
	(void)flag;
	(void)f;
	return remove(path);
}

static int setup(void **state)
{
	(void)state;
	(void)snprintf(dir, sizeof(dir), "/tmp/sluice-test-engine-XXXXXX");
	return mkdtemp(dir) ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	return nftw(dir, unlink_any, 16, FTW_DEPTH | FTW_PHYS);
}

static void put(const char *name, const char *text)
{
	char path[256];

	(void)snprintf(path, sizeof(path), "%s/%s", dir, name);
	assert_int_equal(os_write_file(path, text, strlen(text), 0644, NULL), 0);
}

static struct conf *load(void)
{
	char sluice[512], cat[4096], path[256];
	struct errbuf err = {""};
	struct conf *c;

	put("z", zone);
	put("nets.csv", nets);
	(void)snprintf(path, sizeof(path), "%s/z", dir);
	(void)snprintf(cat, sizeof(cat), catalog,
		vendors_as       ? vendors_as
		: vendors_turned ? turned
				 : order,
		path);
	(void)snprintf(
		sluice, sizeof(sluice), "state: '%s'\ngeo: {overrides: '%s/nets.csv'}\n", dir, dir);
	if (conf_load_mem(sluice, strlen(sluice), cat, strlen(cat), &c, &err))
		fail_msg("%s", err.s);
	return c;
}

static struct engine *engine(void)
{
	struct errbuf err = {""};
	struct engine *e;

	if (engine_new(dir, t0, &e, &err) || engine_load(e, load(), t0, &err))
		fail_msg("%s", err.s);
	return e;
}

static const struct world *tick(struct engine *e, uint64_t now_ms)
{
	struct errbuf err = {""};

	if (engine_tick(e, now_ms, &err))
		fail_msg("%s", err.s);
	return engine_view(e)->world;
}

static void push(struct engine *e, const char *vendor, double mbps, uint64_t now_ms)
{
	enum meter_verdict v;
	struct errbuf err = {""};

	if (engine_push_meter(e, vendor, NULL, mbps, now_ms - 60000, now_ms, now_ms, &v, &err))
		fail_msg("%s", err.s);
	assert_int_equal(v, METER_OK);
}

static uint32_t group(const struct world *w, const char *name)
{
	uint32_t g = cat_find_group(&w->cat, str_from(name));

	assert_int_not_equal(g, BLOB_NONE);
	return g;
}

static const uint32_t *shares(const struct world *w, const char *name)
{
	return w->tick.shares[world_row(w, 0, group(w, name))->shares].ppm.v;
}

static void cold_start_follows_the_guarantees(void **state)
{
	struct engine *e = engine();
	const struct world *w = tick(e, t0);
	const uint32_t *s = shares(w, "CN/BJ/unicom");

	(void)state;
	/* 8 : 6 : 3 */
	assert_in_range(s[0], 470000, 471200);
	assert_in_range(s[1], 352300, 353500);
	assert_in_range(s[2], 175800, 177000);
	assert_int_equal(s[SCORE_NONE], 0);
	s = shares(w, "US");
	assert_int_equal(s[0], 0); /* alpha is denied there */
	assert_int_equal(s[0] + s[1] + s[2], SCORE_PPM);
	engine_free(e);
}

static void meters_move_the_shares(void **state)
{
	struct engine *e = engine();
	const struct world *w;
	const uint32_t *s;

	(void)state;
	push(e, "alpha", 1000, t0);
	push(e, "beta", 1000, t0);
	push(e, "own", 1000, t0);
	w = tick(e, t0 + 1000);
	s = shares(w, "CN/BJ/unicom");
	assert_true(s[0] > 300000 && s[1] > 200000 && s[2] > 50000);
	push(e, "alpha", 9000, t0 + 2000); /* over its guarantee */
	w = tick(e, t0 + 2000);
	s = shares(w, "CN/BJ/unicom");
	assert_true(s[0] <= 5000);          /* the trickle */
	push(e, "alpha", 14000, t0 + 3000); /* at its maximum */
	w = tick(e, t0 + 3000);
	s = shares(w, "CN/BJ/unicom");
	assert_int_equal(s[0], 0);
	assert_int_equal(world_row(w, 0, group(w, "CN/BJ/unicom"))->usable & 1, 0);
	engine_free(e);
}

static void rules_bar_and_expire(void **state)
{
	struct engine_rule rule = {
		.kind = RULE_DRAIN, .vendor = "beta", .groups = "CN/*", .until_ms = t0 + 5000};
	struct engine *e = engine();
	const struct world *w;
	const struct tick_row *row;

	(void)state;
	assert_int_equal(engine_set_rules(e, &rule, 1), 0);
	w = tick(e, t0);
	row = world_row(w, 0, group(w, "CN/GX/telecom"));
	assert_int_equal(shares(w, "CN/GX/telecom")[1], 0);
	assert_int_equal(row->usable >> 1 & 1, 0);
	assert_int_equal(row->seated >> 1 & 1, 1); /* a drain lets them sit */
	assert_true(shares(w, "US")[1] > 0);
	w = tick(e, t0 + 5000);
	assert_true(shares(w, "CN/GX/telecom")[1] > 0);
	rule = (struct engine_rule){.kind = RULE_EVACUATE, .vendor = "b*"};
	assert_int_equal(engine_set_rules(e, &rule, 1), 0);
	w = tick(e, t0 + 6000);
	assert_int_equal(world_row(w, 0, group(w, "US"))->seated >> 1 & 1, 0);
	engine_free(e);
}

static void barring_everybody_keeps_the_rows_and_alarms(void **state)
{
	struct engine_rule rule = {.kind = RULE_EVACUATE, .vendor = "*"};
	struct engine *e = engine();
	uint32_t before;

	(void)state;
	before = shares(tick(e, t0), "CN/GX/telecom")[0];
	assert_int_equal(engine_set_rules(e, &rule, 1), 0);
	assert_int_equal(shares(tick(e, t0 + 1000), "CN/GX/telecom")[0], before);
	assert_true(engine_view(e)->alarms > 0);
	engine_free(e);
}

/* By eight hours, which is no time gone by: what was measured and dispatched is still there. */
static void a_clock_set_ahead_empties_no_vendor(void **state)
{
	const uint64_t by = UINT64_C(8) * 3600000;
	const struct engine_view *v;
	struct engine *e = engine();
	double before, current;

	(void)state;
	push(e, "beta", 12000, t0);
	(void)tick(e, t0 + 1000);
	v = engine_view(e);
	before = v->forecasts[1].mbps;
	current = v->fleet->vendor[1].current_mbps;
	assert_true(current > 11000);
	engine_clock_ahead(e, by);
	(void)tick(e, t0 + by + 2000);
	assert_true(v->meters[1].present && v->meters[1].end_ms == t0 + by);
	assert_true(fabs(v->fleet->vendor[1].current_mbps - current) < current / 100);
	assert_true(fabs(v->forecasts[1].mbps - before) <= before / 100);
	engine_free(e);
}

/* Rows that stay are of vendors, not of places in a list. */
static void kept_rows_follow_a_new_order(void **state)
{
	struct engine_rule rule = {.kind = RULE_EVACUATE, .vendor = "*"};
	struct engine *e = engine();
	struct tick_row was, row;
	struct errbuf err = {""};
	const struct world *w;
	uint32_t before[3];

	(void)state;
	push(e, "own", 8500, t0);
	w = tick(e, t0);
	memcpy(before, shares(w, "US"), sizeof(before));
	assert_int_equal(before[0], 0);
	assert_true(before[1] > before[2] && before[2] > 0);
	was = *world_row(w, 0, group(w, "US"));
	assert_int_equal(engine_set_rules(e, &rule, 1), 0);
	(void)tick(e, t0 + 1000);
	vendors_turned = true;
	assert_int_equal(engine_load(e, load(), t0, &err), 0);
	vendors_turned = false;
	for (uint32_t i = 2; i < 4; i++) {
		w = tick(e, t0 + i * 1000);
		for (uint32_t k = 0; k < 3; k++)
			assert_int_equal(shares(w, "US")[2 - k], before[k]);
		row = *world_row(w, 0, group(w, "US"));
		assert_int_equal(was.usable, 6); /* beta and own, of alpha, beta, own */
		assert_int_equal(row.usable, 3);
		assert_int_equal(row.seated, 3);
		assert_int_equal(row.n_order, was.n_order);
		assert_int_equal(row.order & 15, 2 - (was.order & 15));
		assert_int_equal(row.reasons & 15, was.reasons >> 8 & 15);
		assert_int_equal(row.reasons >> 8 & 15, was.reasons & 15);
	}
	engine_free(e);
}

static void answers_name_addresses_nodes_and_cnames(void **state)
{
	struct engine *e = engine();
	const struct world *w = tick(e, t0);
	struct ip ip;
	struct place p;
	struct question q = {.service = 0, .cur = SCORE_NONE};
	struct answer_full full = {0};
	struct answer a;
	struct target t;
	uint8_t rr[SL_MAX_ADDRS * CAT_AAAA_RR_SIZE];

	(void)state;
	assert_true(ip_parse(STR_LIT("10.4.5.6"), &ip));
	p = answer_locate(w, ip, 24);
	assert_int_equal(p.group, group(w, "CN/GX/telecom"));
	assert_int_equal(p.scope, 24);
	q.group = p.group;
	q.key = answer_key(ip, p, 0);
	answer_decide(w, &q, &full, NULL, &a);
	assert_int_equal(a.n, 3);
	assert_int_equal(a.reason, ANSWER_STICKY);
	answer_target(w, &q, 0, 0, 4, &t);
	assert_int_equal(t.kind, TARGET_ADDRESSES);
	assert_int_equal(answer_records(w, &t, false, 8, rr), 2);
	assert_memory_equal(rr + 12, "\300\0\2\1", 4);
	answer_target(w, &q, 1, 0, 4, &t);
	assert_int_equal(t.kind, TARGET_CNAME);
	answer_target(w, &q, 2, 0, 4, &t);
	assert_int_equal(t.kind, TARGET_NODES);
	assert_int_equal(t.n_nodes, 3);
	/* the nearest telecom: Guangdong before Hunan, Beijing last */
	assert_int_equal(t.node[0], 0);
	q.stream = cat_find_stream(&w->cat, 0, STR_LIT("room1"));
	assert_non_null(q.stream);
	answer_decide(w, &q, &full, NULL, &a);
	assert_int_equal(a.n, 1);
	assert_int_equal(a.slot[0], 1);
	full.vendors = 2; /* beta's budget is spent */
	answer_decide(w, &q, &full, NULL, &a);
	assert_int_equal(a.n, 0);
	assert_int_equal(a.reason, ANSWER_NO_ROOM);
	q.stream = NULL;
	for (uint64_t k = 0; k < 1000; k++) {
		q.key = hash_mix(k, 5);
		answer_decide(w, &q, &full, NULL, &a);
		assert_int_not_equal(a.slot[0], 1);
	}
	engine_free(e);
}

static void a_restart_goes_on_with_ids_generation_and_ledger(void **state)
{
	struct engine *e = engine();
	uint64_t generation;
	struct tally *t;
	struct errbuf err = {""};
	char path[128];
	double before;

	(void)state;
	(void)snprintf(path, sizeof(path), "%s/tally", dir);
	(void)tick(e, t0);
	assert_int_equal(tally_open(path, "answer-0", &t, &err), 0);
	tally_add(&t->spent_kbps[1], 2000000);
	tally_add(&t->door_kbps[TALLY_DOOR_HTTP][1], 2000000);
	(void)tick(e, t0 + 1000);
	before = engine_view(e)->forecasts[1].mbps;
	assert_true(before > 1990 && before <= 2000);
	generation = engine_view(e)->world->tick.head->generation;
	engine_free(e);
	e = engine();
	(void)tick(e, t0 + 2000);
	assert_int_equal(engine_view(e)->world->tick.head->generation, generation + 1);
	assert_true(engine_view(e)->forecasts[1].mbps > 1980);
	assert_true(engine_view(e)->forecasts[1].mbps <= before);
	engine_free(e);
	tally_close(t);
}

/* Demand over all rooms takes lower rungs, as few as fit, and a spare tier opens before that. */
static void overload_goes_by_tiers_and_rungs(void **state)
{
	static const char with_spare[] = "{vendor: alpha}, {vendor: beta, cname: b.example.org}, "
					 "{vendor: own, tier: 1}";
	struct engine *e;
	const struct tick_row *row;
	const struct world *w;
	struct tally *t;
	struct errbuf err = {""};
	char path[128];

	(void)state;
	vendors_as = with_spare;
	e = engine();
	vendors_as = NULL;
	push(e, "alpha", 9000, t0);
	push(e, "beta", 9000, t0);
	push(e, "own", 0, t0);
	w = tick(e, t0);
	row = world_row(w, 0, group(w, "CN/HN/telecom"));
	assert_int_equal(w->tick.shares[row->shares].ppm.v[2], 0);
	assert_int_equal(row->reasons >> 8 & 15, SCORE_TIER_CLOSED);
	(void)snprintf(path, sizeof(path), "%s/tally", dir);
	assert_int_equal(tally_open(path, "answer-0", &t, &err), 0);
	tally_add(&t->row[0][group(w, "CN/HN/telecom")].slot[0].kbps, 1000000);
	w = tick(e, t0 + 1000); /* a Gbps a tick: room for ten ticks, less than thirty */
	row = world_row(w, 0, group(w, "CN/HN/telecom"));
	assert_in_range(w->tick.shares[row->shares].ppm.v[2], 100000, 900000);
	assert_int_equal(row->lower_ppm, 0);
	tally_add(&t->row[0][group(w, "CN/HN/telecom")].slot[0].kbps, 40000000);
	w = tick(e, t0 + 2000); /* 40 Gbps for 20 Gbps of room: all on the second rung at least */
	row = world_row(w, 0, group(w, "CN/HN/telecom"));
	assert_int_equal(row->lower_ppm, SCORE_PPM);
	assert_int_equal(w->tick.shares[row->shares].ppm.v[SCORE_NONE], 0);
	assert_true(w->tick.rungs[row->rungs].ppm.v[1] + w->tick.rungs[row->rungs].ppm.v[2] ==
		    SCORE_PPM);
	engine_free(e);
	tally_close(t);
}

/* Sticky answers of 500 clients, by vendor id. */
static void seats(struct engine *e, const struct world *w, uint8_t ret[static 500])
{
	struct answer_full full = {0};

	(void)e;
	for (uint64_t i = 0; i < 500; i++) {
		struct question q = {.group = group(w, "CN/GX/telecom"),
			.key = hash_mix(i, 3),
			.cur = SCORE_NONE};
		struct answer a;

		answer_decide(w, &q, &full, NULL, &a);
		ret[i] = (uint8_t)w->cat.slots[w->cat.services[0].slots.first + a.slot[0]].vendor;
	}
}

static void a_restart_and_another_order_of_vendors_re_seat_nobody(void **state)
{
	struct engine *e = engine();
	uint8_t before[500], after[500];

	(void)state;
	push(e, "alpha", 2000, t0);
	push(e, "beta", 5000, t0);
	push(e, "own", 100, t0);
	seats(e, tick(e, t0), before);
	engine_free(e);
	e = engine();
	seats(e, tick(e, t0 + 100), after);
	assert_memory_equal(before, after, sizeof(before));
	vendors_turned = true;
	assert_int_equal(engine_load(e, load(), t0 + 200, NULL), 0);
	vendors_turned = false;
	seats(e, tick(e, t0 + 200), after);
	assert_memory_equal(before, after, sizeof(before));
	engine_free(e);
}

static void a_refused_load_changes_nothing(void **state)
{
	struct engine *e = engine();
	struct conf *c = load();
	uint64_t sum = tick(e, t0)->cat.head->checksum;
	struct errbuf err = {""};

	(void)state;
	put("nets.csv", "prefix,country,province,isp,source\nnonsense,CN,GD,telecom,x\n");
	assert_true(engine_geo_changed(e));
	assert_int_not_equal(engine_load(e, c, t0, &err), 0);
	assert_non_null(strstr(err.s, "nets.csv:2"));
	conf_free(c);
	assert_int_equal(tick(e, t0 + 1000)->cat.head->checksum, sum);
	engine_free(e);
}

/* The same word as a country of a carrier instead of a name makes another table. */
static void a_name_that_becomes_a_country_compiles_geo_anew(void **state)
{
	/* ends the list of vendors and goes on at the top */
	static const char named[] =
		"{vendor: own}, {vendor: beta, cname: b.example.org}]}\n"
		"isps: [{name: telecom, names: [a, JP]}, {name: unicom, names: [b]}] #",
			  country[] = "{vendor: own}, {vendor: beta, cname: b.example.org}]}\n"
				      "isps: [{name: telecom, names: [a], countries: [JP]}, {name: "
				      "unicom, names: [b]}] #";
	struct errbuf err = {""};
	struct conf *conf[2];
	struct engine *e;
	uint64_t geo;

	(void)state;
	vendors_as = named;
	conf[0] = load();
	vendors_as = country;
	conf[1] = load(); /* before the other is taken: the files are the same for both */
	vendors_as = NULL;
	assert_int_equal(engine_new(dir, t0, &e, &err), 0);
	assert_int_equal(engine_load(e, conf[0], t0, &err), 0);
	geo = tick(e, t0)->tick.meta->geo;
	assert_int_equal(engine_load(e, conf[1], t0 + 1000, &err), 0);
	assert_int_not_equal(tick(e, t0 + 1000)->tick.meta->geo, geo);
	engine_free(e);
}

/* A catalogue of more rows than there was room for, and no place to write what was made of them:
 * the view goes on with memory that is still there. */
static void a_tick_that_cannot_be_written_leaves_a_view(void **state)
{
	static const char more[] = "10.5.0.0/16,JP,,,test\n10.6.0.0/16,KR,,,test\n";
	struct engine *e = engine();
	const struct engine_view *view = engine_view(e);
	char world[80], away[80], text[sizeof(nets) + sizeof(more)];
	struct errbuf err = {""};
	struct conf *c = load();
	uint32_t rows;

	(void)state;
	(void)tick(e, t0);
	rows = view->fleet->n_rows;
	(void)snprintf(text, sizeof(text), "%s%s", nets, more);
	put("nets.csv", text);
	assert_int_equal(engine_load(e, c, t0 + 1000, &err), 0);
	(void)snprintf(world, sizeof(world), "%s/world", dir);
	(void)snprintf(away, sizeof(away), "%s/away", dir);
	assert_int_equal(rename(world, away), 0);
	assert_int_not_equal(engine_tick(e, t0 + 1000, &err), 0);
	assert_true(view->fleet->n_rows > rows);
	assert_ptr_equal(view->rows, view->loop->row_out);
	for (uint32_t i = 0; i < view->fleet->n_rows; i++)
		assert_int_not_equal(view->rows[i].n_order, 0);
	engine_free(e);
}

/* Worlds on disk with octets changed and sums made right: refused, or harmless to every answer. */
static void damaged_blobs_are_refused_or_harmless(void **state)
{
	static const char *const kinds[] = {"tick", "catalogue", "geo"};
	const int rounds = getenv("SLUICE_LONG") ? 20000 : 600;
	struct engine *e = engine();
	uint64_t seed = 7, refused = 0, used = 0;
	void *blob[3];
	size_t size[3];

	(void)state;
	(void)tick(e, t0);
	engine_free(e);
	for (int k = 0; k < 3; k++) {
		char path[300], *data;
		DIR *d;

		(void)snprintf(path, sizeof(path), "%s/world", dir);
		d = opendir(path);
		for (struct dirent *f; (f = readdir(d));)
			if (strncmp(f->d_name, kinds[k], strlen(kinds[k])) == 0)
				(void)snprintf(
					path, sizeof(path), "%s/world/%.100s", dir, f->d_name);
		(void)closedir(d);
		assert_int_equal(os_read_file(path, 1 << 30, &data, &size[k], NULL), 0);
		blob[k] = data;
	}
	for (int i = 0; i < rounds; i++) {
		int k = i % 3;
		uint8_t *copy = malloc(size[k]);
		const void *use[3] = {blob[0], blob[1], blob[2]};
		struct world_file *f;
		struct tick_meta *meta;

		memcpy(copy, blob[k], size[k]);
		for (int n = 0; n < 1 + i % 5; n++) {
			size_t at;

			seed = hash_mix(seed, 1);
			at = 16 + seed % SL_MIN(size[k] - 16, i % 2 ? size[k] - 16 : (size_t)2000);
			copy[at] = (uint8_t)(seed >> 40);
		}
		((struct blob_head *)(void *)copy)->checksum = blob_checksum(copy, size[k]);
		use[k] = copy;
		if (blob_check(blob_def_of(use[k], size[k]), use[k], size[k], NULL)) {
			refused++;
			free(copy);
			continue;
		}
		/* the tick names the damaged one, as an attacker or a bug would have it */
		if (k) {
			uint32_t one;
			uint8_t *tick_copy = malloc(size[0]);

			memcpy(tick_copy, blob[0], size[0]);
			meta = (struct tick_meta *)(uintptr_t)blob_array(
				tick_copy, TICK_meta, &one);
			*(k == 1 ? &meta->catalogue : &meta->geo) =
				((struct blob_head *)(void *)copy)->checksum;
			((struct blob_head *)(void *)tick_copy)->checksum =
				blob_checksum(tick_copy, size[0]);
			use[0] = tick_copy;
		}
		if (world_join(use[1], use[2], use[0], &f, NULL)) {
			refused++;
		} else {
			const struct world *w = world_of(f);

			used++;
			for (uint64_t n = 0; n < 200; n++) {
				struct ip ip = {.family = n % 4 ? IP_V4 : IP_V6};
				struct question q = {
					.cur = (uint32_t)(n % 19), .key = hash_mix(n, seed)};
				struct answer_full full = {.vendors = n % 7};
				struct answer a;
				struct target t;
				uint8_t rr[SL_MAX_ADDRS * CAT_AAAA_RR_SIZE];

				seed = hash_mix(seed, n);
				memcpy(ip.b, &seed, ip.family == IP_V4 ? 4 : 8);
				q.group = answer_locate(w, ip, 24).group;
				q.by_sequence = n & 1;
				q.stale = n % 3 == 0;
				q.service = (uint32_t)(n % w->cat.n_services);
				answer_decide(w, &q, &full, NULL, &a);
				for (uint32_t s = 0; s < a.n; s++) {
					answer_target(w, &q, a.slot[s], seed, 4, &t);
					(void)answer_records(w, &t, n & 1, SL_MAX_ADDRS, rr);
				}
			}
			world_close(f);
		}
		if (use[0] != blob[0] && use[0] != copy)
			free((void *)(uintptr_t)use[0]);
		free(copy);
	}
	for (int k = 0; k < 3; k++)
		free(blob[k]);
	assert_true(refused > 0 && used > 0);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		CASE(cold_start_follows_the_guarantees),
		CASE(meters_move_the_shares),
		CASE(rules_bar_and_expire),
		CASE(barring_everybody_keeps_the_rows_and_alarms),
		CASE(kept_rows_follow_a_new_order),
		CASE(a_clock_set_ahead_empties_no_vendor),
		CASE(answers_name_addresses_nodes_and_cnames),
		CASE(a_restart_goes_on_with_ids_generation_and_ledger),
		CASE(a_restart_and_another_order_of_vendors_re_seat_nobody),
		CASE(a_refused_load_changes_nothing),
		CASE(a_name_that_becomes_a_country_compiles_geo_anew),
		CASE(a_tick_that_cannot_be_written_leaves_a_view),
		CASE(overload_goes_by_tiers_and_rungs),
		CASE(damaged_blobs_are_refused_or_harmless),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
