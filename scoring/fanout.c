/* SPDX-License-Identifier: Apache-2.0 */
/* Sessions per DNS answer, by block. */
#include "scoring/fanout.h"

#include "base/hash.h"

#define SHRINK 20.0 /* answers that the mean of all counts for */
#define MOST   1e12 /* of one count */

static uint32_t place(uint64_t block)
{
	return (uint32_t)(hash_mix(block, 0) % FANOUT_PLACES);
}

static double counted(double n)
{
	return n > 0 && n < MOST ? n : 0;
}

void fanout_answers(struct fanout *f, uint64_t block, double n)
{
	f->answers[place(block)] += (float)counted(n);
	f->all_answers += counted(n);
}

void fanout_sessions(struct fanout *f, uint64_t block, double n)
{
	f->sessions[place(block)] += (float)counted(n);
	f->all_sessions += counted(n);
}

void fanout_fade(struct fanout *f, double keep)
{
	float k = (float)(keep > 0 ? (keep < 1 ? keep : 1) : 0);

	for (uint32_t i = 0; i < FANOUT_PLACES; i++) {
		f->answers[i] *= k;
		f->sessions[i] *= k;
	}
	f->all_answers *= (double)k;
	f->all_sessions *= (double)k;
}

double fanout_weight(const struct fanout *f, uint64_t block)
{
	uint32_t at = place(block);
	double mean = (f->all_sessions + SHRINK) / (f->all_answers + SHRINK);
	double w = ((double)f->sessions[at] + SHRINK * mean) / ((double)f->answers[at] + SHRINK);

	return w < 1.0 / FANOUT_MAX ? 1.0 / FANOUT_MAX : w < FANOUT_MAX ? w : FANOUT_MAX;
}
