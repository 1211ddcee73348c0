/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "scoring/nodes.h"

enum { N = 20 };

static struct nodes_node node[N];
static const uint16_t near_list[] = {0, 1, 2, 3, 4, 5, 6, 7}, mid_list[] = {8, 9, 10, 11},
		      far_list[] = {12, 13, 14, 15, 16, 17, 18, 19};
static const struct nodes_span spans[] = {{near_list, 8}, {mid_list, 4}, {far_list, 8}};

static int reset(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < N; i++)
		node[i] = (struct nodes_node){1000 + i, 1000, 100, 1};
	return 0;
}

static uint32_t pick(
	uint64_t stream, uint64_t client, uint32_t spread, uint32_t want, uint16_t *ret)
{
	return nodes_pick(spans, 3, node, stream, client, spread, want, ret);
}

static void nearest_first_and_stable(void **state)
{
	uint32_t hits[N] = {0};

	(void)state;
	for (uint64_t stream = 0; stream < 8000; stream++) {
		uint16_t a[3], b[3];

		assert_int_equal(pick(stream, 1, 1, 3, a), 3);
		assert_int_equal(pick(stream, 2, 1, 3, b), 3);
		assert_memory_equal(a, b, sizeof(a)); /* a cold stream has one node for everybody */
		assert_true(a[0] < 8 && a[1] < 8 && a[2] < 8);
		assert_true(a[0] != a[1] && a[1] != a[2] && a[0] != a[2]);
		hits[a[0]]++;
	}
	for (uint32_t i = 0; i < 8; i++)
		assert_true(hits[i] > 850 && hits[i] < 1150);
}

static void losing_a_node_moves_only_its_streams(void **state)
{
	(void)state;
	for (uint64_t stream = 0; stream < 2000; stream++) {
		uint16_t a, b, second[2];

		(void)reset(NULL);
		(void)pick(stream, 1, 1, 1, &a);
		(void)pick(stream, 1, 1, 2, second);
		node[3].up = 0;
		(void)pick(stream, 1, 1, 1, &b);
		assert_int_equal(b, a == 3 ? second[1] : a);
	}
}

static void spreads_hot_streams(void **state)
{
	uint32_t hits[N] = {0}, used = 0;

	(void)state;
	for (uint64_t client = 0; client < 4000; client++) {
		uint16_t a;

		(void)pick(77, client, 4, 1, &a);
		hits[a]++;
	}
	for (uint32_t i = 0; i < N; i++) {
		used += hits[i] != 0;
		assert_true(!hits[i] || (hits[i] > 800 && hits[i] < 1200));
	}
	assert_int_equal(used, 4);
}

static void bounds_the_load(void **state)
{
	uint16_t got[NODES_MAX_PICK];

	(void)state;
	for (uint32_t i = 0; i < 8; i++)
		node[i].load_mbps = 600;
	node[2].load_mbps = 900; /* mean utilisation 0.64, bound 0.8 */
	for (uint64_t stream = 0; stream < 500; stream++) {
		(void)pick(stream, 1, 1, 1, got);
		assert_true(got[0] < 8 && got[0] != 2);
	}
	for (uint32_t i = 0; i < 8; i++) /* all full: the next span */
		node[i].load_mbps = 1000;
	(void)pick(5, 1, 1, 1, got);
	assert_true(got[0] >= 8 && got[0] < 12);
	for (uint32_t i = 0; i < N; i++)
		node[i].load_mbps = 2000; /* everything full: what is up, nearest first */
	assert_int_equal(pick(5, 1, 1, 1, got), 1);
	assert_true(got[0] < 8);
	for (uint32_t i = 0; i < N; i++)
		node[i].up = 0;
	assert_int_equal(pick(5, 1, 1, 1, got), 0);
	assert_int_equal(nodes_pick(spans, 0, node, 1, 1, 1, 1, got), 0);
}

static void fills_over_spans(void **state)
{
	uint16_t got[NODES_MAX_PICK];
	uint64_t seen = 0;

	(void)state;
	assert_int_equal(pick(9, 1, 64, 99, got), NODES_MAX_PICK);
	for (uint32_t i = 0; i < NODES_MAX_PICK; i++) {
		assert_true(i < 8    ? got[i] < 8
			    : i < 12 ? got[i] >= 8 && got[i] < 12
				     : got[i] >= 12);
		assert_false(seen >> got[i] & 1);
		seen |= UINT64_C(1) << got[i];
	}
	assert_int_equal(pick(9, 1, 0, 0, got), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(nearest_first_and_stable, reset),
		cmocka_unit_test_setup(losing_a_node_moves_only_its_streams, reset),
		cmocka_unit_test_setup(spreads_hot_streams, reset),
		cmocka_unit_test_setup(bounds_the_load, reset),
		cmocka_unit_test_setup(fills_over_spans, reset),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
