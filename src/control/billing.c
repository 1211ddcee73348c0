/* SPDX-License-Identifier: Apache-2.0 */
#include "control/billing.h"

#include <stdlib.h>

enum { DAY_MS = 86400000 };

/* Days since 1970-01-01 of the first of a month (Howard Hinnant, chrono-compatible low-level date
 * algorithms, days_from_civil). month: 1 to 12. */
static int64_t days_of(int64_t year, unsigned month)
{
	int64_t y = year - (month <= 2), era = y / 400;
	unsigned of_era = (unsigned)(y - era * 400);
	unsigned of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5;

	return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

/* Year and month of a day since 1970-01-01 (civil_from_days of the same source). */
static void month_of(int64_t day, int64_t *ret_year, unsigned *ret_month)
{
	int64_t z = day + 719468, era = z / 146097;
	unsigned of_era = (unsigned)(z - era * 146097);
	unsigned year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
	unsigned of_year = of_era - (365 * year + year / 4 - year / 100);
	unsigned m = (5 * of_year + 2) / 153;

	*ret_month = m < 10 ? m + 3 : m - 9;
	*ret_year = (int64_t)year + era * 400 + (*ret_month <= 2);
}

void billing_month(
	uint64_t now_ms, int32_t utc_offset_min, uint64_t *ret_start_ms, uint64_t *ret_end_ms)
{
	int64_t shift = (int64_t)utc_offset_min * 60000, year;
	unsigned month;

	month_of(((int64_t)now_ms + shift) / DAY_MS, &year, &month);
	*ret_start_ms = (uint64_t)(days_of(year, month) * DAY_MS - shift);
	year += month == 12;
	month = month == 12 ? 1 : month + 1;
	*ret_end_ms = (uint64_t)(days_of(year, month) * DAY_MS - shift);
}

static int falling(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return (*x < *y) - (*x > *y);
}

void billing_position(uint64_t *sample, uint32_t n, uint32_t slots, uint64_t guaranteed_kbps,
	struct billing_position *ret)
{
	*ret = (struct billing_position){.slots = slots, .samples = n, .free = slots / 20};
	if (n)
		qsort(sample, n, sizeof(*sample), falling);
	while (ret->used < n && sample[ret->used] > guaranteed_kbps)
		ret->used++;
	ret->free_left = ret->used < ret->free ? ret->free - ret->used : 0;
	ret->p95_kbps = ret->free < n ? sample[ret->free] : 0;
}

bool billing_add(struct billing_slot *s, double mbps, uint64_t now_ms, uint64_t *ret_start_ms,
	uint64_t *ret_kbps)
{
	uint64_t slot = now_ms - now_ms % BILLING_SLOT_MS;
	uint64_t dt = s->last_ms && now_ms > s->last_ms ? now_ms - s->last_ms : 0;
	bool full = s->start_ms && slot > s->start_ms && s->covered_ms * 2 >= BILLING_SLOT_MS;

	if (full) {
		*ret_start_ms = s->start_ms;
		*ret_kbps = (uint64_t)(s->sum / (double)s->covered_ms * 1e3 + 0.5);
	}
	if (slot != s->start_ms)
		*s = (struct billing_slot){.start_ms = slot};
	if (dt <= BILLING_SLOT_MS && mbps > 0)
		s->sum += mbps * (double)dt;
	s->covered_ms += dt <= BILLING_SLOT_MS ? dt : 0;
	s->last_ms = now_ms;
	return full;
}
