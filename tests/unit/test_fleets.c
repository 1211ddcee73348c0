/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The properties of scoring over random fleets, and a test of that test: a deliberate mutant of
 * each rule must be caught. SLUICE_FLEETS sets how many fleets (100 000 by default).
 */
#include "test.h"

#include <math.h>

#include "fleets.h"

static uint64_t wanted(uint64_t normal)
{
	const char *text = getenv("SLUICE_FLEETS");

	return text ? strtoull(text, NULL, 10) : normal;
}

static void hold_over_random_fleets(void **state)
{
	static struct fleets_one f;
	uint64_t n = wanted(100000);

	(void)state;
	for (uint64_t seed = 0; seed < n; seed++) {
		const char *bad;

		fleets_random(&f, seed);
		bad = fleets_broken(&f, fleets_allocate);
		if (bad)
			fail_msg("fleet %llu: %s", (unsigned long long)seed, bad);
	}
	print_message("%llu fleets\n", (unsigned long long)n);
}

static void hold_whatever_is_asked(void **state)
{
	static struct fleets_one f;
	uint64_t n = wanted(100000) / 4;

	(void)state;
	for (uint64_t seed = 0; seed < n; seed++) {
		const char *bad;

		fleets_random_wild(&f, seed);
		bad = fleets_broken(&f, fleets_allocate);
		if (bad)
			fail_msg("wild fleet %llu: %s", (unsigned long long)seed, bad);
	}
}

/* Mutants of the score: it is what the shares come from, so a mutant that changes scores only is
 * seen by the rules, one that changes shares only by the others. */
typedef double mutate_score(
	const struct fleets_one *f, const struct alloc_row *r, uint32_t i, double s);

static void with_scores(const struct fleets_one *f, struct fleets_out *ret, mutate_score *m)
{
	fleets_allocate(f, ret);
	for (uint32_t n = 0; n < f->view.n_rows; n++)
		for (uint32_t i = 0; i < f->service[f->row[n].service].n_slots; i++)
			ret->row[n].score[i] = m(f, &f->row[n], i, ret->row[n].score[i]);
}

static double flat_bonus(
	const struct fleets_one *f, const struct alloc_row *r, uint32_t i, double s)
{
	(void)f, (void)r, (void)i;
	return s > 1 ? s / 1001 : s; /* no lift under the guarantee */
}

static double constant_under(
	const struct fleets_one *f, const struct alloc_row *r, uint32_t i, double s)
{
	(void)f, (void)r, (void)i;
	return s > 1 ? 1001 : s;
}

static double blind_to_quality(
	const struct fleets_one *f, const struct alloc_row *r, uint32_t i, double s)
{
	(void)f;
	return s > 0 && s <= 1 ? s / score_pow(r->quality[i], 8) : s;
}

static void mutant_rule_1(const struct fleets_one *f, struct fleets_out *ret)
{
	with_scores(f, ret, flat_bonus);
}

static void mutant_rule_2(const struct fleets_one *f, struct fleets_out *ret)
{
	with_scores(f, ret, constant_under);
}

static void mutant_rule_3(const struct fleets_one *f, struct fleets_out *ret)
{
	with_scores(f, ret, blind_to_quality);
}

static void mutant_sum(const struct fleets_one *f, struct fleets_out *ret)
{
	fleets_allocate(f, ret);
	ret->row[0].share_ppm[SCORE_NONE] += 1;
}

/* What was poured is given, whatever the caps. */
static void mutant_cap(const struct fleets_one *f, struct fleets_out *ret)
{
	fleets_allocate(f, ret);
	for (uint32_t n = 0; n < f->view.n_rows; n++)
		memcpy(ret->row[n].share_ppm, ret->row[n].poured_ppm,
			sizeof(ret->row[n].share_ppm));
}

/* Refuses a hundredth of everybody. */
static void mutant_refusal(const struct fleets_one *f, struct fleets_out *ret)
{
	fleets_allocate(f, ret);
	for (uint32_t n = 0; n < f->view.n_rows; n++) {
		uint32_t *share = ret->row[n].share_ppm;

		for (uint32_t i = 0; i < SL_MAX_SLOTS; i++) {
			uint32_t part = share[i] / 100;

			share[i] -= part;
			share[SCORE_NONE] += part;
		}
	}
}

/* The first slot of the list gets a part of the last one's. */
static void mutant_order(const struct fleets_one *f, struct fleets_out *ret)
{
	fleets_allocate(f, ret);
	for (uint32_t n = 0; n < f->view.n_rows; n++) {
		uint32_t *share = ret->row[n].share_ppm;
		uint32_t last = f->service[f->row[n].service].n_slots - 1;

		if (f->row[n].demand_mbps > 0 || last == 0 || !share[0] || !share[last])
			continue;
		share[last]--;
		share[0]++;
	}
}

static void mutant_memory(const struct fleets_one *f, struct fleets_out *ret)
{
	static uint32_t calls;

	fleets_allocate(f, ret);
	ret->row[0].order[SL_MAX_SLOTS - 1] = (uint8_t)(++calls);
}

static void mutant_blocked(const struct fleets_one *f, struct fleets_out *ret)
{
	fleets_allocate(f, ret);
	for (uint32_t n = 0; n < f->view.n_rows; n++) {
		uint32_t *share = ret->row[n].share_ppm;

		if (f->row[n].block[0] && share[SCORE_NONE]) {
			share[0] += share[SCORE_NONE];
			share[SCORE_NONE] = 0;
		}
	}
}

/* Half way between the ratio and equal parts. */
static void mutant_ratio(const struct fleets_one *f, struct fleets_out *ret)
{
	fleets_allocate(f, ret);
	for (uint32_t n = 0; n < f->view.n_rows; n++) {
		double part[SCORE_ROW] = {0};

		for (uint32_t i = 0; i < SL_MAX_SLOTS; i++)
			part[i] = ret->row[n].score[i] > 0 ? ret->row[n].share_ppm[i] + 1000 : 0;
		score_to_ppm(part, SCORE_ROW, SCORE_NONE, SCORE_PPM, ret->row[n].share_ppm);
	}
}

static void catch_each_mutant(void **state)
{
	static const struct {
		const char *what, *rule;
		fleets_run *run;
	} rows[] = {
		{"no lift under the guarantee", "1: ", mutant_rule_1},
		{"no room under the guarantee", "2: ", mutant_rule_2},
		{"blind to quality", "3: ", mutant_rule_3},
		{"one too many", "shares sum", mutant_sum},
		{"caps ignored", "never above", mutant_cap},
		{"refuses without need", "nobody is refused", mutant_refusal},
		{"looks at the order", "the order", mutant_order},
		{"remembers", "equal input", mutant_memory},
		{"serves the blocked", "nothing to", mutant_blocked},
		{"not the ratio", "without demand", mutant_ratio},
	};
	static struct fleets_one f;

	(void)state;
	for (size_t i = 0; i < SL_COUNT(rows); i++) {
		uint32_t caught = 0, by_its_rule = 0, n = 2000;

		for (uint64_t seed = 0; seed < n; seed++) {
			const char *bad;

			fleets_random(&f, seed);
			bad = fleets_broken(&f, rows[i].run);
			caught += bad != NULL;
			by_its_rule += bad && !strncmp(bad, rows[i].rule, strlen(rows[i].rule));
		}
		print_message("%s: caught by %u of %u fleets, %u by its own rule\n", rows[i].what,
			caught, n, by_its_rule);
		assert_true(by_its_rule > 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hold_over_random_fleets),
		cmocka_unit_test(hold_whatever_is_asked),
		cmocka_unit_test(catch_each_mutant),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
