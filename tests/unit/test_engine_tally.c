/* SPDX-License-Identifier: Apache-2.0 */
/* What answer workers counted, as demand of the tick: what has come since the last one, whatever
 * became of the engine or the catalogue in between. */
#include "engineworld.h"

#include "tally/tally.h"

static const char catalog_yaml[] = ENGINEWORLD_VENDORS
	"services:\n"
	"  - {name: live, hosts: [live.example], dns: cname, bitrate_kbps: %u, vendors: [\n"
	"     {vendor: alpha, cname: a.example.}%s]}\n"
	"zones: [{name: example, file: zone}]\n";
static const char with_beta[] = ", {vendor: beta, cname: b.example.}";
static const char nets[] = "10.1.0.0/16,CN,GD,telecom,t\n";
static struct tally *tally;

static void load(unsigned bitrate_kbps, const char *more)
{
	struct errbuf err = {""};
	char text[1024];

	(void)snprintf(text, sizeof(text), catalog_yaml, bitrate_kbps, more);
	if (engineworld_load(ENGINEWORLD_SLUICE, text, &err))
		fail_msg("%s", err.s);
}

/* An engine that has ticked once over a worker's tally in which nothing is counted yet. */
static int set_up(void **state)
{
	struct errbuf err = {""};
	char path[80];

	(void)state;
	if (engineworld_init(nets, &err)) {
		(void)fprintf(stderr, "%s\n", err.s);
		return -1;
	}
	load(4000, with_beta);
	(void)snprintf(path, sizeof(path), "%s/tally", dir);
	if (tally_open(path, "answer-0", &tally, &err))
		return -1;
	(void)engineworld_tick();
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	tally_close(tally);
	return engineworld_done();
}

static struct tally_row *row(void)
{
	return &tally->row[0][engineworld_group("CN/GD/telecom")];
}

/* What the last tick took for the demand of a tick, Mbps; a mean that falls slowly. */
static double demand_mbps(const struct engine_view *v)
{
	return v->loop->seat[engineworld_group("CN/GD/telecom")].sequence_mbps;
}

static void what_has_come_since_is_demand(void **state)
{
	(void)state;
	tally_add(&row()->slot[0].kbps, 30000);
	tally_add(&row()->slot[1].kbps, 20000);
	tally_add(&row()->none, 1); /* at 4 Mbps */
	assert_true(demand_mbps(engineworld_tick()) == 54);
	assert_true(demand_mbps(engineworld_tick()) < 54);
}

/* Tallies outlive the engine: what they hold when it begins has had its day. */
static void a_restart_does_not_count_the_past_again(void **state)
{
	struct errbuf err = {""};

	(void)state;
	tally_add(&row()->slot[0].kbps, 500000000);
	tally_add(&row()->none, 1000);
	(void)engineworld_tick();
	engine_free(engine);
	engine = NULL;
	assert_int_equal(engine_new(dir, now_ms, &engine, &err), 0);
	load(4000, with_beta);
	assert_true(demand_mbps(engineworld_tick()) == 0);
	tally_add(&row()->slot[0].kbps, 30000);
	assert_true(demand_mbps(engineworld_tick()) == 30);
}

/* Neither a slot that leaves or comes, nor another bitrate for what was refused. */
static void another_catalogue_does_not_count_the_past_again(void **state)
{
	double before;

	(void)state;
	tally_add(&row()->slot[0].kbps, 400000);
	tally_add(&row()->slot[1].kbps, 500000);
	tally_add(&row()->none, 1000);
	before = demand_mbps(engineworld_tick());
	load(4000, "");
	assert_true(demand_mbps(engineworld_tick()) < before);
	load(2000, "");
	assert_true(demand_mbps(engineworld_tick()) < before);
	load(8000, with_beta);
	assert_true(demand_mbps(engineworld_tick()) < before);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(what_has_come_since_is_demand, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			a_restart_does_not_count_the_past_again, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			another_catalogue_does_not_count_the_past_again, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
