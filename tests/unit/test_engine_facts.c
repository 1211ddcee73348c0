/* SPDX-License-Identifier: Apache-2.0 */
#include "engineworld.h"

static const char catalog_yaml[] = ENGINEWORLD_VENDORS
	"services:\n"
	"  - {name: live, hosts: [live.example], dns: cname, vendors: [\n"
	"     {vendor: alpha, cname: a.example.}, {vendor: beta, cname: b.example.}]}\n"
	"zones: [{name: example, file: zone}]\n";
static const char nets[] = "10.1.0.0/16,CN,GD,telecom,t\n10.2.0.0/16,CN,GD,unicom,t\n";

static int set_up(void **state)
{
	struct errbuf err = {""};
	int rc = engineworld_init(nets, &err);

	(void)state;
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

/* Facts of one cell per vendor of a group: pulls of which some were good, users, kbps. */
static void write_facts(uint16_t group, uint32_t ok_alpha, uint32_t ok_beta, uint64_t kbps)
{
	struct blob_writer *w = engineworld_facts();

	for (uint32_t window = 0; window < 2; window++)
		for (uint16_t v = 0; v < 2; v++) {
			struct facts_cell *c = blob_add(w, FACTS_cells, 1, NULL);

			*c = (struct facts_cell){.window = window,
				.vendor = v,
				.group = group,
				.pulls = 100,
				.pulls_ok = v ? ok_beta : ok_alpha,
				.first_frames = 50,
				.first_frame_us = 400000,
				.users = window ? 0 : 100,
				.kbps = window ? 0 : kbps};
		}
	engineworld_put_facts(w);
}

static void without_facts_all_are_alike(void **state)
{
	const struct engine_view *v = engineworld_tick();

	(void)state;
	assert_null(v->facts);
	assert_true(v->fleet->row[0].quality[0] == v->fleet->row[0].quality[1]);
}

/* What is seen in one group tells on the vendor elsewhere a little, and in the group much. */
static void quality_is_of_the_group(void **state)
{
	uint16_t telecom = engineworld_group("CN/GD/telecom"),
		 unicom = engineworld_group("CN/GD/unicom");
	const struct engine_view *v;

	(void)state;
	write_facts(telecom, 80, 99, 900000);
	v = engineworld_tick();
	assert_non_null(v->facts);
	assert_true(v->fleet->row[telecom].quality[0] < v->fleet->row[unicom].quality[0]);
	assert_true(v->fleet->row[unicom].quality[0] < v->fleet->row[unicom].quality[1]);
	assert_true(engine_quality(engine, 0, telecom)->value[QUALITY_SUCCESS] < 0.9);
	assert_int_equal(v->world->tick.breakers[telecom * 2].v, TICK_CLOSED);
}

/* What would trip a breaker and spoil a quality does neither; and with no facts their age grows. */
static void what_is_switched_off_does_nothing(void **state)
{
	uint16_t telecom = engineworld_group("CN/GD/telecom");
	const struct engine_view *v = NULL;
	uint64_t was;

	(void)state;
	now_ms += 60000;
	engine_set_off(engine, ENGINE_NO_BLACKLIST | ENGINE_NO_QUALITY);
	for (int i = 0; i < 4; i++) {
		write_facts(telecom, 10, 99, 900000);
		for (int k = 0; k < 8; k++)
			v = engineworld_tick();
	}
	assert_int_equal(v->world->tick.breakers[telecom * 2].v, TICK_CLOSED);
	assert_int_equal(v->fleet->row[telecom].block[0], 0);
	assert_true(v->fleet->row[telecom].quality[0] == 1);
	was = v->facts_ms;
	engine_set_off(engine, ENGINE_NO_FACTS);
	now_ms += 1000;
	write_facts(telecom, 99, 99, 900000);
	v = engineworld_tick();
	assert_int_equal(v->facts_ms, was);
	engine_set_off(engine, 0);
	v = engineworld_tick();
	assert_true(v->facts_ms > was);
}

/* Two disjoint bad windows, each told by a blob of its own. */
static void a_breaker_opens_on_new_facts_only(void **state)
{
	uint16_t telecom = engineworld_group("CN/GD/telecom");
	const struct engine_view *v = NULL;

	(void)state;
	now_ms += 60000;
	write_facts(telecom, 10, 99, 900000);
	for (int i = 0; i < 8; i++) /* the same blob, again and again */
		v = engineworld_tick();
	assert_int_equal(v->world->tick.breakers[telecom * 2].v, TICK_CLOSED);
	write_facts(telecom, 10, 99, 900000);
	v = engineworld_tick();
	assert_int_equal(v->n_breaker_events, 1);
	assert_int_equal(v->breaker_events[0].group, telecom);
	assert_int_equal(v->world->tick.breakers[telecom * 2].v, TICK_OPEN);
	assert_int_equal(v->fleet->row[telecom].block[0], SCORE_BLACKLISTED);
	assert_int_equal(v->rows[telecom].share_ppm[0], 0);
	assert_int_equal(v->fleet->row[engineworld_group("CN/GD/unicom")].block[0], 0);
}

/* A restart of control takes the breakers up where they were, also when the clock was set back
 * between; a damaged row is as good as none. */
static void a_breaker_outlives_its_process(void **state)
{
	enum { SAME, SET_BACK, DAMAGED, ROUNDS };
	const uint64_t by = UINT64_C(8) * 3600000;
	uint16_t telecom = engineworld_group("CN/GD/telecom");
	struct errbuf err = {""};
	struct breaker before;
	const struct engine_view *v;

	(void)state;
	for (int round = 0; round < ROUNDS; round++) {
		char path[128], *data;
		size_t size;

		before = *engine_breaker(engine, 0, telecom);
		assert_int_equal(before.state, BREAKER_OPEN);
		engine_free(engine);
		engine = NULL;
		(void)snprintf(path, sizeof(path), "%s/breaker.state", dir);
		assert_int_equal(os_read_file(path, 64 << 20, &data, &size, &err), 0);
		data[20] = (char)(data[20] ^ (round == DAMAGED));
		assert_int_equal(os_write_file(path, data, size, 0600, &err), 0);
		free(data);
		now_ms -= round == SET_BACK ? by : 0;
		assert_int_equal(engine_new(dir, now_ms, &engine, &err), 0);
		assert_int_equal(engineworld_load(ENGINEWORLD_SLUICE, catalog_yaml, &err), 0);
		v = engineworld_tick();
		assert_int_equal(v->world->tick.breakers[telecom * 2].v,
			round == DAMAGED ? TICK_CLOSED : TICK_OPEN);
		if (round == SAME)
			assert_memory_equal(
				engine_breaker(engine, 0, telecom), &before, sizeof(before));
	}
	now_ms += by;
}

static void broken_facts_are_refused_and_old_ones_forgotten(void **state)
{
	uint16_t telecom = engineworld_group("CN/GD/telecom");
	struct errbuf err = {""};
	char path[128];
	const struct engine_view *v;

	(void)state;
	write_facts(4000, 10, 99, 1);
	v = engineworld_tick();
	assert_int_equal(v->facts_refused, 1);
	assert_true(v->facts_error[0] != '\0');
	(void)snprintf(path, sizeof(path), "%s/facts.blob", dir);
	assert_int_equal(os_write_file(path, "junk", 4, 0644, &err), 0);
	v = engineworld_tick();
	assert_int_equal(v->facts_refused, 2);
	now_ms += ENGINE_FACTS_OLD_MS;
	v = engineworld_tick();
	assert_null(v->facts);
	assert_true(v->fleet->row[telecom].quality[1] ==
		    v->fleet->row[engineworld_group("CN/GD/unicom")].quality[1]);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_facts_all_are_alike),
		cmocka_unit_test(quality_is_of_the_group),
		cmocka_unit_test(what_is_switched_off_does_nothing),
		cmocka_unit_test(a_breaker_opens_on_new_facts_only),
		cmocka_unit_test(a_breaker_outlives_its_process),
		cmocka_unit_test(broken_facts_are_refused_and_old_ones_forgotten),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
