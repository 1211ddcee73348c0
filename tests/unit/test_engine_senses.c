/* SPDX-License-Identifier: Apache-2.0 */
/* What is known from outside, in the tick: own nodes, harvested edges, ingests. */
#include "engineworld.h"

#include "answer/decide.h"
#include "base/hash.h"
#include "scoring/ingest.h"

static const char catalog_yaml[] =
	"vendors:\n"
	"  - {name: alpha, max_mbps: 2000, addresses: [{a: [192.0.2.1]}]}\n"
	"  - {name: own, max_mbps: 2000}\n"
	"nodes:\n"
	"  - {name: gd-1, vendor: own, group: CN/GD/telecom, capacity_mbps: 100, a: [192.0.2.11]}\n"
	"  - {name: gd-2, vendor: own, group: CN/GD/telecom, capacity_mbps: 100, a: [192.0.2.12]}\n"
	"services:\n"
	"  - {name: live, hosts: [live.example], vendors: [{vendor: alpha}, {vendor: own}],\n"
	"     ingest: [{name: north, unit: a, url: \"rtmp://n.example/{stream}\"},\n"
	"              {name: south, unit: b, url: \"rtmp://s.example/{stream}\"}]}\n"
	"zones: [{name: example, file: zone}]\n";
static const char nets[] =
	"10.1.0.0/16,CN,GD,telecom,t\n10.2.0.0/16,CN,GD,unicom,t\n10.3.0.0/16,CN,BJ,telecom,t\n";

static int set_up(void **state)
{
	struct errbuf err = {""};
	int rc;

	(void)state;
	rc = engineworld_init(nets, &err);
	if (!rc)
		rc = engineworld_load(ENGINEWORLD_SLUICE, catalog_yaml, &err);
	if (rc)
		(void)fprintf(stderr, "%s\n", err.s);
	return rc;
}

static int tear_down(void **state)
{
	(void)state;
	return engineworld_done();
}

static const struct world *tick(void)
{
	return engineworld_tick()->world;
}

/* --- own nodes ------------------------------------------------------------------------------ */

static uint8_t own_reason(const struct world *w, const char *group)
{
	const struct tick_row *row = world_row(w, 0, engineworld_group(group));

	return row->reasons >> 4 & 15;
}

static void a_loaded_node_and_one_that_is_down(void **state)
{
	struct engine_node nodes[] = {{.name = "no-such-node", .down = true},
		{.name = "gd-2", .mbps = 250}, {.name = "gd-1", .down = true, .mbps = 50}};
	const struct world *w = tick();

	(void)state;
	assert_int_equal(w->tick.node_loads[0].v, 0);
	assert_int_equal(engine_set_nodes(engine, nodes, SL_COUNT(nodes)), 0);
	w = tick();
	assert_int_equal(w->tick.node_loads[0].v, TICK_NODE_DOWN);
	assert_int_equal(w->tick.node_loads[1].v, 2500); /* permille of its capacity */
	assert_int_not_equal(own_reason(w, "CN/GD/telecom"), SCORE_DOWN);
	nodes[1].mbps = 1e9; /* never so much that it looks as if it were down */
	assert_int_equal(engine_set_nodes(engine, nodes, SL_COUNT(nodes)), 0);
	assert_int_equal(tick()->tick.node_loads[1].v, TICK_NODE_DOWN - 1);
	nodes[1].mbps = -1; /* not known */
	assert_int_equal(engine_set_nodes(engine, nodes, SL_COUNT(nodes)), 0);
	assert_int_equal(tick()->tick.node_loads[1].v, 0);
	assert_int_equal(engine_set_nodes(engine, nodes, SL_MAX_NODES + 1), SL_ELIMIT);
}

/* Nobody is sent to a vendor all of whose nodes are down and that has nothing else. */
static void all_nodes_down_close_their_vendor(void **state)
{
	const struct engine_node nodes[] = {
		{.name = "gd-1", .down = true}, {.name = "gd-2", .down = true}};
	const struct world *w;

	(void)state;
	assert_int_equal(engine_set_nodes(engine, nodes, SL_COUNT(nodes)), 0);
	w = tick();
	assert_int_equal(own_reason(w, "CN/GD/telecom"), SCORE_DOWN);
	assert_false(world_row(w, 0, engineworld_group("CN/GD/telecom"))->usable & 2);
	assert_true(world_row(w, 0, engineworld_group("CN/GD/telecom"))->usable & 1);
	assert_int_equal(engine_set_nodes(engine, nodes, 1), 0);
	w = tick();
	assert_true(world_row(w, 0, engineworld_group("CN/GD/telecom"))->usable & 2);
	assert_int_equal(engine_set_nodes(engine, NULL, 0), 0);
	assert_int_equal(tick()->tick.node_loads[0].v, 0);
}

/* --- harvested edges ------------------------------------------------------------------------ */

static struct engine_edges edges_of(const char *vendor, const char *group, uint8_t last)
{
	struct engine_edges e = {
		.n_a = 2, .a = {{{198, 51, 100, last}, IP_V4}, {{198, 51, 100, 9}, IP_V4}}};

	(void)snprintf(e.vendor, sizeof(e.vendor), "%s", vendor);
	(void)snprintf(e.group, sizeof(e.group), "%s", group);
	e.until_ms = now_ms + 5000;
	return e;
}

static void give(const struct engine_edges *edges, uint32_t n)
{
	struct engine_edges *copy = malloc(n * sizeof(*copy));

	assert_non_null(copy);
	memcpy(copy, edges, n * sizeof(*copy));
	engine_set_edges(engine, copy, n);
}

static const struct tick_edges *edges_in(const struct world *w, const char *group, uint32_t vendor)
{
	uint32_t at = w->tick.n_edge_of
			      ? w->tick.edge_of[world_cell(w, engineworld_group(group), vendor)].v
			      : BLOB_NONE;

	return at == BLOB_NONE ? NULL : &w->tick.edges[at];
}

static void edges_in_their_order_for_their_time(void **state)
{
	struct engine_edges e[] = {edges_of("alpha", "CN/GD/telecom", 3),
		edges_of("alpha", "CN/BJ/telecom", 3), edges_of("alpha", "CN/GD/unicom", 4),
		edges_of("nobody", "CN/GD/telecom", 5), edges_of("alpha", "CN/XX/none", 6)};
	const struct tick_edges *here, *there;
	const struct world *w;

	(void)state;
	e[0].n_aaaa = 1;
	e[0].aaaa[0] = (struct ip){{0x20, 0x01, 0x0d, 0xb8}, IP_V6};
	e[2].until_ms = now_ms + 2000;
	give(e, SL_COUNT(e));
	w = tick();
	here = edges_in(w, "CN/GD/telecom", 0);
	there = edges_in(w, "CN/BJ/telecom", 0);
	if (!here || !there)
		fail_msg("no edges where there were some");
	assert_int_equal(here->until_ms, e[0].until_ms);
	assert_int_equal(here->a.count, 2 * CAT_A_RR_SIZE);
	assert_int_equal(w->tick.wire[here->a.first + 15].v, 3);
	assert_int_equal(w->tick.wire[here->a.first + CAT_A_RR_SIZE + 15].v, 9);
	assert_int_equal(here->aaaa.count, CAT_AAAA_RR_SIZE);
	assert_int_equal(there->a.first, here->a.first); /* equal ones are stored once */
	assert_int_equal(there->aaaa.count, 0);
	assert_int_equal(w->tick.n_edges, 3); /* unknown names are passed over */
	assert_null(edges_in(w, "CN/GD/telecom", 1));
	w = tick();
	assert_null(edges_in(w, "CN/GD/unicom", 0)); /* its time is over */
	assert_non_null(edges_in(w, "CN/GD/telecom", 0));
	engine_set_edges(engine, NULL, 0);
	assert_int_equal(tick()->tick.n_edge_of, 0);
}

/* --- ingests -------------------------------------------------------------------------------- */

/* Facts of north and south in a group: voices, and frames a second of north's. */
static void write_pushes(uint32_t group, uint32_t service, uint32_t voices, uint32_t fps)
{
	struct blob_writer *w = engineworld_facts();

	for (int i = 0; voices && i < 2; i++) {
		struct facts_push *p = blob_add(w, FACTS_pushes, 1, NULL);

		*p = (struct facts_push){.service = (uint16_t)service,
			.group = (uint16_t)group,
			.pushers = voices,
			.voices = voices,
			.ok_ppm = 1000000,
			.frame_rates = voices,
			.frame_rate_mfps = 1000 * (i ? 25 : fps)};
		p->name = blob_add_octets(w, FACTS_text, i ? "south" : "north", 5);
	}
	engineworld_put_facts(w);
}

static uint32_t weight_of_north(const struct world *w, const char *group)
{
	uint32_t ppm[INGEST_MAX];

	world_ingest_weights(w, 0, engineworld_group(group), ppm);
	assert_int_equal(ppm[1], INGEST_WHOLE_PPM);
	return ppm[0];
}

static void an_ingest_loses_weight_where_it_is_bad(void **state)
{
	uint32_t before, ticks = 0;
	const struct world *w;

	(void)state;
	(void)tick();
	write_pushes(engineworld_group("CN/GD/telecom"), 0, 10, 25);
	w = tick();
	assert_int_equal(w->tick.n_ingests, 0); /* all are as good as the best */
	write_pushes(engineworld_group("CN/GD/telecom"), 0, 10, 6);
	w = tick();
	assert_int_equal(w->tick.n_ingests, 1);
	assert_true(weight_of_north(w, "CN/GD/telecom") < INGEST_POOR_PPM / 10);
	assert_int_equal(weight_of_north(w, "CN/GD/unicom"), INGEST_WHOLE_PPM);
	assert_int_equal(weight_of_north(w, "CN/BJ/telecom"), INGEST_WHOLE_PPM);
	/* nobody pushes any more: it comes back by steps, in some minutes */
	for (before = 0; weight_of_north(w, "CN/GD/telecom") < INGEST_WHOLE_PPM; ticks++) {
		assert_true(weight_of_north(w, "CN/GD/telecom") >= before);
		before = weight_of_north(w, "CN/GD/telecom");
		now_ms += 9000;
		write_pushes(0, 0, 0, 0);
		w = tick();
	}
	assert_in_range(ticks, 30, 120);
	/* and at once when those who push are well */
	write_pushes(engineworld_group("CN/GD/telecom"), 0, 10, 6);
	assert_true(weight_of_north(tick(), "CN/GD/telecom") < INGEST_POOR_PPM);
	engine_set_off(engine, ENGINE_NO_QUALITY);
	assert_int_equal(tick()->tick.n_ingests, 0);
	engine_set_off(engine, 0);
	assert_true(weight_of_north(tick(), "CN/GD/telecom") < INGEST_POOR_PPM);
	write_pushes(engineworld_group("CN/GD/telecom"), 0, 10, 25);
	assert_int_equal(weight_of_north(tick(), "CN/GD/telecom"), INGEST_WHOLE_PPM);
}

static void give_down(const char *const *names, uint32_t n)
{
	struct engine_ingest *down = calloc(n + 1, sizeof(*down));

	assert_non_null(down);
	for (uint32_t i = 0; i < n; i++) {
		(void)snprintf(down[i].service, sizeof(down[i].service), "%s",
			strcmp(names[i], "elsewhere") == 0 ? "none" : "live");
		(void)snprintf(down[i].name, sizeof(down[i].name), "%s",
			strcmp(names[i], "elsewhere") == 0 ? "north" : names[i]);
	}
	engine_set_ingests_down(engine, down, n);
}

static enum cat_ingest_choice chosen(const struct world *w, uint16_t named, const char *want)
{
	uint32_t ppm[INGEST_MAX];
	struct cat_ingest_pair p;

	world_ingest_weights(w, 0, engineworld_group("CN/BJ/telecom"), ppm);
	p = cat_pick_ingests(
		&w->cat, 0, (struct str){"x", 1}, named, (struct str){NULL, 0}, ppm, 0);
	assert_true(str_eq_z(cat_text(&w->cat, p.first->name), want));
	assert_ptr_not_equal(p.first, p.second);
	assert_non_null(p.second); /* as the last resort */
	return p.chosen;
}

/* Of the two points one is not there: nobody is sent there first, whoever names it and whatever is
 * reported; and nobody is blamed where both are gone. */
static void an_ingest_that_is_down_has_no_weight(void **state)
{
	static const char *const both[] = {"south", "north"}, *const strange[] = {
								      "elsewhere", "east"};
	const struct world *w;

	(void)state;
	write_pushes(0, 0, 0, 0);
	now_ms += 3600000;
	assert_int_equal(tick()->tick.n_ingests, 0);
	give_down(strange, 2);
	assert_int_equal(tick()->tick.n_ingests, 0);
	give_down(both + 1, 1);
	w = tick();
	assert_int_equal(w->tick.n_ingests, w->cat.n_groups);
	assert_int_equal(weight_of_north(w, "CN/GD/telecom"), 0);
	assert_int_equal(weight_of_north(w, "CN/BJ/telecom"), 0);
	assert_int_equal(chosen(w, 1, "south"), CAT_BY_PROBE);
	assert_int_equal(chosen(w, 2, "south"), CAT_BY_NAME);
	write_pushes(engineworld_group("CN/GD/telecom"), 0, 10, 25);
	engine_set_off(engine, ENGINE_NO_QUALITY);
	assert_int_equal(weight_of_north(tick(), "CN/GD/telecom"), 0);
	engine_set_off(engine, 0);
	assert_int_equal(weight_of_north(tick(), "CN/GD/telecom"), 0);
	give_down(both, 2);
	w = tick();
	assert_int_equal(weight_of_north(w, "CN/BJ/telecom"), INGEST_WHOLE_PPM);
	assert_int_equal(chosen(w, 1, "north"), CAT_BY_NAME);
	give_down(both, 1); /* south alone, where no one is named */
	w = tick();
	(void)chosen(w, 0, "north");
	engine_set_ingests_down(engine, NULL, 0);
	assert_int_equal(tick()->tick.n_ingests, 0);
}

/* Ends the engine and begins another over what it left, the first rows of which may be damaged. */
static void start_again(bool damaged)
{
	struct errbuf err = {""};
	char path[128], *data;
	size_t size;

	engine_free(engine);
	engine = NULL;
	(void)snprintf(path, sizeof(path), "%s/ingest.state", dir);
	assert_int_equal(os_read_file(path, 64 << 20, &data, &size, &err), 0);
	for (size_t i = sizeof(uint64_t); damaged && i < 512; i++)
		data[i] = (char)(data[i] ^ 1);
	assert_int_equal(os_write_file(path, data, size, 0600, &err), 0);
	free(data);
	assert_int_equal(engine_new(dir, now_ms, &engine, &err), 0);
	assert_int_equal(engineworld_load(ENGINEWORLD_SLUICE, catalog_yaml, &err), 0);
}

/* That nobody pushes to an ingest any more, because it was bad, is not forgotten with the process;
 * what is remembered fades while there is none as it does else. */
static void what_is_remembered_of_an_ingest_outlives_its_process(void **state)
{
	uint32_t before;

	(void)state;
	write_pushes(engineworld_group("CN/GD/telecom"), 0, 10, 6);
	(void)tick();
	write_pushes(0, 0, 0, 0);
	before = weight_of_north(tick(), "CN/GD/telecom");
	assert_true(before < INGEST_POOR_PPM / 10);
	start_again(false);
	assert_in_range(weight_of_north(tick(), "CN/GD/telecom"), before, before + before / 10);
	now_ms += 1200000; /* ten half-lives */
	start_again(false);
	assert_int_equal(weight_of_north(tick(), "CN/GD/telecom"), INGEST_WHOLE_PPM);

	write_pushes(engineworld_group("CN/GD/telecom"), 0, 10, 6);
	(void)tick();
	write_pushes(0, 0, 0, 0);
	assert_true(weight_of_north(tick(), "CN/GD/telecom") < INGEST_POOR_PPM / 10);
	start_again(true);
	assert_int_equal(weight_of_north(tick(), "CN/GD/telecom"), INGEST_WHOLE_PPM);
}

static void pushes_of_nowhere_are_refused(void **state)
{
	uint64_t refused = engine_view(engine)->facts_refused;

	(void)state;
	write_pushes(0, 40, 10, 25);
	(void)tick();
	assert_int_equal(engine_view(engine)->facts_refused, refused + 1);
	write_pushes(4000, 0, 10, 25);
	(void)tick();
	assert_int_equal(engine_view(engine)->facts_refused, refused + 2);
}

/* --- hot streams ---------------------------------------------------------------------------- */

/* Facts of two rooms on the vendor with own nodes. */
static void write_streams(uint32_t mbps_of_final, uint32_t mbps_of_quiet)
{
	struct blob_writer *w = engineworld_facts();

	for (int i = 0; i < 2; i++) {
		struct facts_stream *s = blob_add(w, FACTS_streams, 1, NULL);

		*s = (struct facts_stream){.vendor = 1,
			.sessions = 10,
			.kbps = UINT64_C(1000) * (i ? mbps_of_quiet : mbps_of_final)};
		s->name = blob_add_octets(w, FACTS_text, i ? "quiet" : "final", 5);
	}
	engineworld_put_facts(w);
}

/* How many of the group's two nodes are given first, over many clients. */
static uint32_t first_nodes(const struct world *w, const char *stream)
{
	uint32_t seen = 0;

	for (uint64_t client = 0; client < 64; client++) {
		struct question q = {
			.group = engineworld_group("CN/GD/telecom"), .key = client << 58};
		struct target t;

		answer_target(w, &q, 1, hash64(stream, 5, 0), 2, &t);
		assert_int_equal(t.kind, TARGET_NODES);
		assert_int_equal(t.n_nodes, 2);
		seen |= 1u << t.node[0];
	}
	return (uint32_t)__builtin_popcount(seen);
}

static void a_hot_stream_has_more_nodes(void **state)
{
	const struct world *w;
	uint32_t ticks = 0;

	(void)state;
	assert_int_equal(engine_set_nodes(engine, NULL, 0), 0);
	for (int i = 0; i < 10; i++) {
		write_streams(60, 20); /* of two nodes with 100 Mbps each */
		w = tick();
	}
	assert_int_equal(w->tick.n_hot, 1); /* one node bears the other */
	assert_int_equal(first_nodes(w, "final"), 2);
	assert_int_equal(first_nodes(w, "quiet"), 1);
	while (first_nodes(w, "final") > 1) { /* the crowd goes home */
		write_streams(1, 20);
		w = tick();
		assert_true(++ticks < 10);
	}
	write_streams(1000, 20);
	w = tick();
	assert_int_equal(first_nodes(w, "final"), 2); /* so many that the first tick does it */
	engine_set_off(engine, ENGINE_NO_HOT);
	for (ticks = 0; ticks < 20; ticks++) {
		write_streams(1000, 20);
		w = tick();
	}
	assert_int_equal(first_nodes(w, "final"), 1);
	engine_set_off(engine, 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_loaded_node_and_one_that_is_down),
		cmocka_unit_test(all_nodes_down_close_their_vendor),
		cmocka_unit_test(edges_in_their_order_for_their_time),
		cmocka_unit_test(an_ingest_loses_weight_where_it_is_bad),
		cmocka_unit_test(an_ingest_that_is_down_has_no_weight),
		cmocka_unit_test(what_is_remembered_of_an_ingest_outlives_its_process),
		cmocka_unit_test(pushes_of_nowhere_are_refused),
		cmocka_unit_test(a_hot_stream_has_more_nodes),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
