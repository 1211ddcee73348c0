/* SPDX-License-Identifier: Apache-2.0 */
/*
 * No allocation in a tick after warm-up: every malloc of the process is counted while the engine
 * ticks over a catalogue with all that a tick carries (regions, own nodes, rules, harvested
 * addresses, reports, tallies), with figures that change from tick to tick.
 */
#include "engineworld.h"

#include <stdlib.h>

#include "tally/tally.h"

/* --- counting -------------------------------------------------------------------------------- */

static volatile bool counting;
static volatile uint32_t allocations;

#if defined(__has_feature)
#define SANITIZED (__has_feature(address_sanitizer) || __has_feature(thread_sanitizer))
#elif defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#else
#define SANITIZED 0
#endif

#if SANITIZED /* its allocator tells; it cannot be replaced */
extern int __sanitizer_install_malloc_and_free_hooks(
	void (*on_malloc)(const volatile void *, size_t), void (*on_free)(const volatile void *));

static void on_malloc(const volatile void *p, size_t n)
{
	(void)p;
	(void)n;
	allocations += counting;
}

static void on_free(const volatile void *p)
{
	(void)p;
}

static void watch(void)
{
	assert_int_not_equal(__sanitizer_install_malloc_and_free_hooks(on_malloc, on_free), 0);
}
#else /* ours instead of libc's, which libc itself calls too */
extern void *__libc_malloc(size_t n);
extern void *__libc_calloc(size_t n, size_t size);
extern void *__libc_realloc(void *p, size_t n);
extern void *__libc_memalign(size_t align, size_t n);

void *malloc(size_t n)
{
	allocations += counting;
	return __libc_malloc(n);
}

void *calloc(size_t n, size_t size)
{
	allocations += counting;
	return __libc_calloc(n, size);
}

void *realloc(void *p, size_t n)
{
	allocations += counting;
	return __libc_realloc(p, n);
}

void *aligned_alloc(size_t align, size_t n)
{
	allocations += counting;
	return __libc_memalign(align, n);
}

static void watch(void)
{
}
#endif

/* --- an engine with all that a tick may carry ------------------------------------------------- */

enum { RULES = 60, GROUPS = 4, VENDORS = 3, WARM_UP = 8, MEASURED = 12 };

static const char catalog_yaml[] =
	"vendors:\n"
	"  - {name: alpha, guaranteed_mbps: 1000, max_mbps: 2000,\n"
	"     regions: [{name: south, groups: [CN/GD/*], max_mbps: 900}]}\n"
	"  - {name: beta, guaranteed_mbps: 1000, max_mbps: 2000}\n"
	"  - {name: own, guaranteed_mbps: 300, max_mbps: 900}\n"
	"nodes:\n"
	"  - {name: gz1, vendor: own, group: CN/GD/telecom, capacity_mbps: 300, a: [203.0.113.1]}\n"
	"  - {name: bj1, vendor: own, group: CN/BJ/unicom, capacity_mbps: 300, a: [203.0.113.2]}\n"
	"services:\n"
	"  - {name: live, hosts: [live.example], dns: auto, bitrate_kbps: 4000,\n"
	"     ladder_kbps: [8000, 4000, 1000], vendors: [{vendor: alpha, cname: a.example.},\n"
	"     {vendor: beta, cname: b.example.}, {vendor: own}]}\n"
	"zones: [{name: example, file: zone}]\n";
static const char nets[] = "10.1.0.0/16,CN,GD,telecom,t\n10.2.0.0/16,CN,GD,unicom,t\n"
			   "10.3.0.0/16,CN,BJ,unicom,t\n10.4.0.0/16,CN,SH,mobile,t\n";
static const char *const group_name[GROUPS] = {
	"CN/GD/telecom", "CN/GD/unicom", "CN/BJ/unicom", "CN/SH/mobile"};

static struct tally *tally;

static void load(const char *sluice_yaml)
{
	struct errbuf err = {""};

	if (engineworld_load(sluice_yaml, catalog_yaml, &err))
		fail_msg("%s", err.s);
}

static int set_up(void **state)
{
	struct errbuf err = {""};
	int rc;

	(void)state;
	rc = engineworld_init(nets, &err);
	if (rc)
		(void)fprintf(stderr, "%s\n", err.s);
	watch();
	return rc;
}

static int tear_down(void **state)
{
	(void)state;
	tally_close(tally);
	return engineworld_done();
}

/* Addresses that are denied, more than sort without memory of their own; a node out of service; a
 * lower definition; a drain that ends while we count. */
static void set_rules(void)
{
	static struct engine_rule rule[RULES];

	for (uint32_t i = 0; i < RULES; i++) {
		rule[i] = (struct engine_rule){.kind = RULE_DENY, .vendor = "beta"};
		(void)snprintf(rule[i].groups, sizeof(rule[i].groups), "10.2.%u.0/25", RULES - i);
	}
	rule[0] = (struct engine_rule){.kind = RULE_NODE, .vendor = "gz1"};
	rule[1] = (struct engine_rule){.kind = RULE_LOWER, .service = "live", .value = 10};
	rule[2] = (struct engine_rule){.kind = RULE_DRAIN,
		.vendor = "alpha",
		.groups = "CN/SH/*",
		.until_ms = now_ms + (WARM_UP + MEASURED / 2) * UINT64_C(1000)};
	rule[3].until_ms = rule[2].until_ms; /* and a prefix that is let go then */
	assert_int_equal(engine_set_rules(engine, rule, RULES), 0);
}

static void set_edges(void)
{
	struct engine_edges *edges = calloc(GROUPS, sizeof(*edges));

	assert_non_null(edges);
	for (uint32_t i = 0; i < GROUPS; i++) {
		edges[i] = (struct engine_edges){.vendor = "beta", .until_ms = now_ms + 3600000};
		(void)snprintf(edges[i].group, sizeof(edges[i].group), "%s", group_name[i]);
		for (uint32_t k = 0; k < 1 + i; k++)
			edges[i].a[edges[i].n_a++] =
				(struct ip){.family = IP_V4, .b = {192, 0, 2, (uint8_t)(10 + k)}};
	}
	engine_set_edges(engine, edges, GROUPS);
}

/* Reports of every vendor in every group; alpha fails in the first from a tick on. */
static void write_facts(uint32_t nth)
{
	struct blob_writer *w = engineworld_facts();

	for (uint32_t i = 0; i < 2 * GROUPS * VENDORS; i++) {
		struct facts_cell *c = blob_add(w, FACTS_cells, 1, NULL);
		bool bad = i % VENDORS == 0 && i / VENDORS % GROUPS == 0 && nth > 6;

		*c = (struct facts_cell){.window = i / (GROUPS * VENDORS),
			.vendor = (uint16_t)(i % VENDORS),
			.group = (uint16_t)(i / VENDORS % GROUPS),
			.pulls = 100,
			.pulls_ok = bad ? 10 : 98,
			.first_frames = 50,
			.first_frame_us = 400000,
			.users = 100,
			.kbps = 40000 + nth};
	}
	engineworld_put_facts(w);
}

static void dispatch(uint32_t nth)
{
	tally_add(&tally->spent_kbps[1], 200000 + nth * 1000);
	tally_add(&tally->door_kbps[TALLY_DOOR_HTTP][1], 200000 + nth * 1000);
	for (uint32_t g = 0; g < GROUPS; g++)
		for (uint32_t k = 0; k < VENDORS; k++) {
			struct tally_slot *s = &tally->row[0][g].slot[k];

			tally_add(&s->kbps, 30000 + nth * 100 * (g + k));
			tally_add(&s->sticky_kbps, 10000);
			tally_add(&s->fresh, 3);
			tally_add(&s->refresh, 40);
		}
	tally_put_note(tally, &(struct tally_note){TALLY_THROUGHPUT, 1, 1, 5000});
}

/* A second of the world, then a tick. Returns what the tick allocated. */
static uint32_t second(uint32_t nth)
{
	struct errbuf err = {""};
	enum meter_verdict verdict;
	int rc;

	now_ms += 1000;
	write_facts(nth);
	dispatch(nth);
	assert_int_equal(engine_push_meter(engine, "alpha", NULL, 500 + nth, now_ms - 2000,
				 now_ms - 1000, now_ms, &verdict, &err),
		0);
	allocations = 0;
	counting = true;
	rc = engine_tick(engine, now_ms, &err);
	counting = false;
	if (rc || err.s[0])
		fail_msg("%s", err.s);
	return allocations;
}

static void open_tally(void)
{
	struct errbuf err = {""};

	if (!tally && tally_open("tally", "answer-0", &tally, &err))
		fail_msg("%s", err.s);
}

static void run(const char *sluice_yaml)
{
	load(sluice_yaml);
	open_tally();
	set_rules();
	set_edges();
	for (uint32_t i = 0; i < WARM_UP; i++)
		(void)second(i);
	for (uint32_t i = WARM_UP; i < WARM_UP + MEASURED; i++)
		assert_int_equal(second(i), 0);
	assert_true(engine_view(engine)->world->tick.n_denied > RULES);
	assert_true(engine_view(engine)->world->tick.n_edges > 0);
}

/* --- cases ----------------------------------------------------------------------------------- */

static void allocations_are_seen(void **state)
{
	void *volatile p;

	(void)state;
	allocations = 0;
	counting = true;
	p = malloc(1);
	counting = false;
	free(p);
	assert_int_equal(allocations, 1);
}

static void a_tick_allocates_nothing(void **state)
{
	(void)state;
	run("tick_ms: 1000\ngeo: {overrides: nets.csv}\n");
	assert_int_equal(engine_breaker(engine, 0, 0)->state, BREAKER_OPEN);
}

static void nor_while_it_is_recorded(void **state)
{
	(void)state;
	run("tick_ms: 1000\nrecord_minutes: 10\ngeo: {overrides: nets.csv}\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(allocations_are_seen),
		cmocka_unit_test(a_tick_allocates_nothing),
		cmocka_unit_test(nor_while_it_is_recorded),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
