/* SPDX-License-Identifier: Apache-2.0 */
/* What is hidden in a world: drawn once, by seed. */
#include "base/glob.h"
#include "base/str.h"
#include "sim/plant.h"
#include "sim/plant_viewers.h"

#include <math.h>
#include <stdlib.h>

#define LEAST_MEAN_S 4.0 /* of the shortest phase, before it is scaled to the mean */
#define PHASE_RATIO  4.0
#define GROUP_GAIN   0.05 /* standard deviation of the bitrate between groups */

/* splitmix64 (S. Vigna, public domain algorithm): one step of a counter. */
static uint64_t next(struct plant *p)
{
	uint64_t z = p->draws += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

double plant_uniform(struct plant *p)
{
	return (double)(next(p) >> 11) * 0x1p-53;
}

/* Sum of twelve uniforms: the same on every libm, and bounded. */
double plant_normal(struct plant *p)
{
	double sum = -6;

	for (int i = 0; i < 12; i++)
		sum += plant_uniform(p);
	return sum;
}

/* A mixture of exponentials whose tail falls as a power for as long as a broadcast may last. */
static void draw_lengths(struct plant *p)
{
	const struct scenario_audience *a = &p->s->f.audience;
	double mean = 0, parts = 0, scale;

	for (uint32_t k = 0; k < PLANT_PHASES; k++) {
		p->phase_mean[k] = LEAST_MEAN_S * pow(PHASE_RATIO, k);
		p->phase_part[k] = pow(p->phase_mean[k], -(a->tail - 1));
		parts += p->phase_part[k];
	}
	for (uint32_t k = 0; k < PLANT_PHASES; k++) {
		p->phase_part[k] /= parts;
		mean += p->phase_part[k] * p->phase_mean[k];
	}
	scale = a->session_s / mean;
	for (uint32_t k = 0; k < PLANT_PHASES; k++) {
		p->phase_mean[k] *= scale;
		p->phase_keep[k] = exp(-1 / p->phase_mean[k]);
	}
}

static void draw_groups(struct plant *p)
{
	const struct scenario_audience *a = &p->s->f.audience;
	double gain = a->gain_low + (a->gain_high - a->gain_low) * plant_uniform(p), size = 0;

	for (uint32_t g = 0; g < p->n_groups; g++)
		size += a->groups[g].size;
	for (uint32_t g = 0; g < p->n_groups; g++) {
		p->part[g] = a->groups[g].size / size;
		p->kbps[g] = scenario_mean_kbps(a) * gain * (1 + GROUP_GAIN * plant_normal(p));
		p->mean_kbps += p->part[g] * p->kbps[g];
		for (uint32_t v = 0; v < p->n_vendors; v++) {
			p->scale[g][v] = 1;
			p->spread[g][v] = p->s->f.vendors[v].spread * (plant_uniform(p) * 2 - 1);
		}
	}
}

static void place_regions(struct plant *p)
{
	uint16_t r = 0;

	for (uint32_t g = 0; g < p->n_groups; g++)
		for (uint32_t v = 0; v < p->n_vendors; v++)
			p->region_of[g][v] = SIM_NONE;
	for (uint32_t v = 0; v < p->n_vendors; v++)
		for (uint32_t i = 0; i < p->s->f.vendors[v].regions_count; i++, r++)
			for (uint32_t g = 0; g < p->n_groups; g++)
				if (p->region_of[g][v] == SIM_NONE &&
					glob_group_match(
						str_from(p->s->f.vendors[v].regions[i].groups),
						str_from(p->s->f.audience.groups[g].name)))
					p->region_of[g][v] = r;
	p->n_regions = r;
}

/* Fan-out as a power law from 1 to 10^4. */
static void draw_blocks(struct plant *p)
{
	uint32_t n = p->s->f.audience.resolvers;

	for (uint32_t i = 0; i < p->n_groups * (PLANT_DOORS - 1); i++) {
		struct plant_block *b = p->block + (size_t)i * n;
		double sum = 0;

		for (uint32_t k = 0; k < n; k++) {
			b[k].weight = pow(10, 4 * pow(plant_uniform(p), 2));
			b[k].hash = (uint32_t)(plant_uniform(p) * 0x1p32);
			b[k].vendor = SIM_NONE;
			sum += b[k].weight;
		}
		for (uint32_t k = 0; k < n; k++)
			b[k].weight /= sum;
	}
}

/* Those who are there already: on vendors, aged as in a steady state. */
static void seat_first(struct plant *p)
{
	const struct scenario_doors *d = &p->s->f.audience.doors;
	double all = d->http + d->dialect + d->dns;

	for (uint32_t g = 0; g < p->n_groups; g++)
		for (uint32_t k = 0; k < PLANT_PHASES; k++) {
			double n = p->s->f.audience.seated * p->part[g] * p->phase_part[k] *
				   p->phase_mean[k] / p->s->f.audience.session_s;

			p->would_be[g][k] = n;
			for (uint32_t v = 0; v < p->n_vendors; v++) {
				double m = n * scenario_seated_at(p->s, v, p->mean_kbps);

				p->live[PLANT_HTTP][g][v][k] = m * d->http / all;
				p->live[PLANT_DNS][g][v][k] = m * (d->dns + d->dialect) / all;
			}
		}
}

struct plant *plant_new(const struct scenario *s, uint64_t seed)
{
	struct plant *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	p->s = s;
	p->seed = seed;
	p->draws = seed * UINT64_C(0xd1342543de82ef95) + 1;
	p->n_vendors = s->f.vendors_count;
	p->n_groups = s->f.audience.groups_count;
	place_regions(p);
	p->sum = calloc(
		(size_t)(s->f.duration_s + 2) * (p->n_vendors + p->n_regions) + 1, sizeof(*p->sum));
	p->block = calloc((size_t)p->n_groups * (PLANT_DOORS - 1) * s->f.audience.resolvers + 1,
		sizeof(*p->block));
	if (!p->sum || !p->block) {
		plant_free(p);
		return NULL;
	}
	draw_lengths(p);
	draw_groups(p);
	draw_blocks(p);
	if (!s->sessions) {
		seat_first(p);
		return p;
	}
	p->viewers = plant_viewers_new(p);
	if (!p->viewers) {
		plant_free(p);
		return NULL;
	}
	return p;
}

void plant_free(struct plant *p)
{
	if (!p)
		return;
	free(p->sum);
	free(p->block);
	plant_viewers_free(p->viewers);
	free(p);
}
