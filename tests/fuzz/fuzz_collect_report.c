/* SPDX-License-Identifier: Apache-2.0 */
/* A body of /v1/qos: every item is either taken or refused, in order, with what it must have. */
#include "fuzz.h"

#include "collect/report.h"

struct tally {
	uint32_t taken, refused;
};

static struct collect_verdict take(void *ctx, const struct collect_report *r)
{
	struct tally *t = ctx;

	t->taken++;
	fuzz_check(collect_has(r, COLLECT_F_session) && collect_has(r, COLLECT_F_vendor));
	fuzz_check(r->text.session.n >= 1 && r->text.session.n <= 128);
	fuzz_check(!collect_has(r, COLLECT_F_t_ms) || (r->num.t_ms >= 0 && r->num.t_ms <= 4e15));
	fuzz_check(r->n_stalls <= 64);
	return (struct collect_verdict){COLLECT_ACCEPTED, COLLECT_FIELDS};
}

static void refused(void *ctx, uint32_t index, struct collect_verdict v)
{
	struct tally *t = ctx;

	fuzz_check(index == t->taken + t->refused);
	fuzz_check(v.refusal > COLLECT_ACCEPTED && v.refusal < COLLECT_REFUSALS);
	t->refused++;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct tally t = {0, 0};
	struct str body = {(const char *)data, size};

	fuzz_check(collect_report_parse(body, take, refused, &t) == t.taken + t.refused);
	return 0;
}
