/* SPDX-License-Identifier: Apache-2.0 */
#include "http/access.h"

#include "answer/decide.h"
#include "base/glob.h"

#include <endian.h>

enum { BURST_S = 2 }; /* a full level is what comes in so long, as for addresses */

static bool holds(const struct keys_access *p, uint64_t high, uint64_t low, bool v6)
{
	uint64_t upper = p->len >= 64 ? UINT64_MAX : ~(UINT64_MAX >> p->len);
	uint64_t lower = p->len <= 64    ? 0
			 : p->len == 128 ? UINT64_MAX
					 : ~(UINT64_MAX >> (p->len - 64));

	return p->v6 == v6 && !((p->high ^ high) & upper) && !((p->low ^ low) & lower);
}

bool http_access_admits(const struct keys_view *keys, struct ip client)
{
	bool v6 = client.family == IP_V6, all = true, allowed = false;
	uint64_t half[2];

	if (!keys || !keys->n_access || client.family == IP_NONE)
		return true;
	memcpy(half, client.b, sizeof(half));
	half[0] = be64toh(half[0]);
	half[1] = be64toh(half[1]);
	for (uint32_t i = 0; i < keys->n_access; i++) {
		const struct keys_access *p = &keys->access[i];
		bool is_in = holds(p, half[0], half[1], v6);

		if (p->deny && is_in)
			return false;
		all &= p->deny;
		allowed |= !p->deny && is_in;
	}
	return all || allowed;
}

/* What was counted for others is forgotten. */
static void follow(struct http_access *a, const struct keys_view *keys, const struct world *w)
{
	if (w && a->catalogue != w->cat.head->checksum) {
		a->catalogue = w->cat.head->checksum;
		memset(a->quota_of, 0, sizeof(a->quota_of));
	}
	if (a->keys != keys->head->checksum) {
		a->keys = keys->head->checksum;
		memset(a->quota_of, 0, sizeof(a->quota_of));
		memset(a->quota, 0, sizeof(a->quota));
		memset(a->account, 0, sizeof(a->account));
	}
}

/* The first quota with a pattern that matches. */
static uint8_t find_quota(const struct keys_view *keys, struct str group)
{
	for (uint32_t q = 0; q < keys->n_quotas; q++) {
		struct blob_span span = keys->quotas[q].patterns;

		for (uint32_t i = 0; i < span.count; i++) {
			struct blob_span text = keys->patterns[span.first + i].groups;
			struct str pattern = {(const char *)keys->text + text.first, text.count};

			if (glob_group_match(pattern, group))
				return (uint8_t)(q + 1);
		}
	}
	return HTTP_NO_QUOTA;
}

enum http_access_verdict http_access_group(struct http_access *a, const struct keys_view *keys,
	const struct world *w, struct ip client, uint64_t now_ms)
{
	uint32_t group, rate;
	uint8_t *quota;

	if (!keys || !keys->n_quotas || client.family == IP_NONE || ip_is_loopback(client))
		return HTTP_ACCESS_PASSES;
	follow(a, keys, w);
	group = answer_locate(w, client, ip_bits(client)).group;
	quota = &a->quota_of[group];
	if (*quota == 0)
		*quota = find_quota(keys, cat_text(&w->cat, w->cat.groups[group].name));
	if (*quota == HTTP_NO_QUOTA)
		return HTTP_ACCESS_PASSES;
	rate = keys->quotas[*quota - 1].rate_per_s;
	if (rate == 0)
		return HTTP_ACCESS_NEVER;
	return httpd_level_take(&a->quota[*quota - 1], rate, BURST_S * rate, now_ms)
		       ? HTTP_ACCESS_PASSES
		       : HTTP_ACCESS_LATER;
}

bool http_access_account(struct http_access *a, const struct keys_view *keys,
	const struct keys_account *account, uint64_t now_ms)
{
	uint32_t rate = account->rate_per_s;

	if (rate == 0)
		return true;
	follow(a, keys, NULL);
	return httpd_level_take(
		&a->account[account - keys->accounts], rate, BURST_S * rate, now_ms);
}
