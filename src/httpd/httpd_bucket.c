/* SPDX-License-Identifier: Apache-2.0 */
#include "httpd/httpd_bucket.h"

#include "base/err.h"
#include "base/hash.h"

#include <stdlib.h>

enum { WAYS = 4, TOKEN = 1000 };

int httpd_buckets_init(
	struct httpd_buckets *t, uint32_t rows, uint32_t rate_per_s, uint32_t burst, uint64_t seed)
{
	uint32_t sets = 1;

	while (sets * WAYS < rows)
		sets *= 2;
	*t = (struct httpd_buckets){
		.mask = sets - 1, .rate_per_s = rate_per_s, .burst = burst, .seed = seed};
	t->rows = calloc((size_t)sets * WAYS, sizeof(*t->rows));
	return t->rows ? 0 : SL_ENOMEM;
}

void httpd_buckets_done(struct httpd_buckets *t)
{
	free(t->rows);
	*t = (struct httpd_buckets){.mask = 0};
}

bool httpd_level_take(struct httpd_level *l, uint32_t rate_per_s, uint32_t burst, uint64_t now_ms)
{
	uint64_t full = (uint64_t)burst * TOKEN, passed_ms = now_ms - l->at_ms;

	/* A token a second is one thousandth a millisecond; an hour fills any bucket. */
	if (l->at_ms == 0 || passed_ms > 3600 * 1000 || l->level + passed_ms * rate_per_s >= full)
		l->level = full;
	else
		l->level += passed_ms * rate_per_s;
	l->at_ms = now_ms;
	if (l->level < TOKEN)
		return false;
	l->level -= TOKEN;
	return true;
}

static struct httpd_bucket *row_of(struct httpd_buckets *t, struct ip key)
{
	size_t set = hash64(&key, sizeof(key), t->seed) & t->mask;
	struct httpd_bucket *rows = &t->rows[set * WAYS], *oldest = rows;

	for (int i = 0; i < WAYS; i++) {
		if (rows[i].l.at_ms && ip_eq(rows[i].ip, key))
			return &rows[i];
		if (rows[i].l.at_ms < oldest->l.at_ms)
			oldest = &rows[i];
	}
	*oldest = (struct httpd_bucket){.ip = key};
	return oldest;
}

bool httpd_buckets_take(struct httpd_buckets *t, struct ip key, uint64_t now_ms)
{
	return httpd_level_take(&row_of(t, key)->l, t->rate_per_s, t->burst, now_ms);
}
