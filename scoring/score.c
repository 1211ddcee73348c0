/* SPDX-License-Identifier: Apache-2.0 */
/* The formula of a score, its reasons, and the exact rounding of shares. Knows no fleet. */
#include "scoring/score.h"

#include <math.h>

const char *score_reason_text(uint8_t reason)
{
	static const char *const text[] = {
#define X(name, usable, text) [name] = (text),
		SCORE_REASON_MAP(X)
#undef X
	};

	return reason < SCORE_REASONS ? text[reason] : "?";
}

bool score_reason_usable(uint8_t reason)
{
	static const bool usable[] = {
#define X(name, usable, text) [name] = (usable),
		SCORE_REASON_MAP(X)
#undef X
	};

	return reason < SCORE_REASONS && usable[reason];
}

bool score_reason_keeps_seated(uint8_t reason)
{
	return reason != SCORE_EVACUATED && reason != SCORE_BLACKLISTED &&
	       reason != SCORE_RESTRICTED && reason != SCORE_DOWN && reason != SCORE_NO_CAPACITY;
}

struct score_room score_room(const struct score_figures *f)
{
	double ceiling = (1 - f->headroom) * f->max_mbps;
	double guaranteed = f->guaranteed_mbps < ceiling ? f->guaranteed_mbps : ceiling;
	struct score_room r = {guaranteed - f->load_mbps, ceiling - f->load_mbps};

	if (!(r.guaranteed_mbps > 0))
		r.guaranteed_mbps = 0;
	if (!(r.total_mbps > 0))
		r.total_mbps = 0;
	return r;
}

struct score_room score_room_min(struct score_room a, struct score_room b)
{
	return (struct score_room){
		b.guaranteed_mbps < a.guaranteed_mbps ? b.guaranteed_mbps : a.guaranteed_mbps,
		b.total_mbps < a.total_mbps ? b.total_mbps : a.total_mbps,
	};
}

double score_of(const struct score_params *p, struct score_sums sums, struct score_room room,
	double weight, double quality)
{
	double g = sums.guaranteed_mbps > 0 ? room.guaranteed_mbps / sums.guaranteed_mbps : 0;
	double t = sums.max_mbps > 0 ? room.total_mbps / sums.max_mbps : 0;
	double a = p->guarantee_blend;

	if (!(room.total_mbps > 0))
		return 0;
	if (room.guaranteed_mbps > 0)
		return weight * (1 + p->guarantee_gain * (a * g + (1 - a) * t));
	return weight * t * score_pow(quality, p->quality_exponent);
}

double score_pow(double x, double d)
{
	enum { BY_SQUARING = 64 };
	double r = 1;
	uint32_t n;

	if (d == 0.5)
		return sqrt(x); /* correctly rounded everywhere, and ten times as fast */
	if (!(d >= 0 && d <= BY_SQUARING && d == floor(d)))
		return pow(x, d);
	for (n = (uint32_t)d; n; n >>= 1) {
		if (n & 1)
			r *= x;
		x *= x;
	}
	return r;
}

/* Hands out what rounding down left, one each, to the largest remainders: to those that fewer than
 * `left` others go before. Counting these takes no branch that depends on the figures. */
static void give_remainders(const double *part, uint32_t n, uint32_t left, uint32_t *ppm)
{
	double rest[SCORE_ROW];
	uint32_t before[SCORE_ROW] = {0};

	for (uint32_t i = 0; i < n; i++)
		rest[i] = part[i] > 0 ? part[i] - (double)ppm[i] : -HUGE_VAL;
	for (uint32_t i = 1; i < n; i++)
		for (uint32_t k = 0; k < i; k++) {
			uint32_t later = rest[i] > rest[k];

			before[k] += later;
			before[i] += !later;
		}
	for (uint32_t i = 0, most = left; i < n; i++)
		if (part[i] > 0 && before[i] < most) {
			ppm[i]++;
			left--;
		}
	if (left) /* only rounding errors of the sum get here */
		give_remainders(part, n, left, ppm);
}

void score_to_ppm(
	const double *weight, uint32_t n, uint32_t rest, uint32_t total, uint32_t *ret_ppm)
{
	double part[SCORE_ROW], sum = 0;
	uint32_t used = 0;

	for (uint32_t i = 0; i < n; i++) {
		part[i] = weight[i] > 0 ? weight[i] : 0;
		sum += part[i];
		ret_ppm[i] = 0;
	}
	if (!(sum > 0) || !isfinite(sum)) {
		ret_ppm[rest] = total;
		return;
	}
	for (uint32_t i = 0; i < n; i++) {
		part[i] = part[i] / sum * total;
		ret_ppm[i] = (uint32_t)part[i];
		if (ret_ppm[i] > total - used)
			ret_ppm[i] = total - used;
		used += ret_ppm[i];
	}
	give_remainders(part, n, total - used, ret_ppm);
}
