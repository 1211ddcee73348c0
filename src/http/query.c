/* SPDX-License-Identifier: Apache-2.0 */
#include "http/query.h"

static bool set_host(struct http_query *q, struct str v)
{
	q->host = v;
	return v.n > 0 && v.n <= SL_HTTP_HOSTS_MAX * (SL_DNS_NAME_MAX + 1);
}

static bool set_ip(struct http_query *q, struct str v)
{
	return ip_parse(v, &q->ip);
}

static bool set_stream(struct http_query *q, struct str v)
{
	q->stream = v;
	return v.n <= SL_HTTP_STREAM_MAX;
}

static bool set_client(struct http_query *q, struct str v)
{
	q->client = v;
	return v.n <= SL_HTTP_CLIENT_MAX;
}

static bool set_cur(struct http_query *q, struct str v)
{
	q->cur = v;
	return v.n <= SL_MAX_NAME;
}

static bool set_avoid(struct http_query *q, struct str v)
{
	q->avoid = v;
	return v.n <= SL_MAX_SLOTS * (SL_MAX_NAME + 1);
}

static bool set_type(struct http_query *q, struct str v)
{
	q->a = q->aaaa = false;
	if (v.n == 0)
		return false;
	while (v.n) {
		struct str one = str_cut(&v, ',');

		if (str_eq_ci(one, STR_LIT("A")))
			q->a = true;
		else if (str_eq_ci(one, STR_LIT("AAAA")))
			q->aaaa = true;
		else
			return false;
	}
	return true;
}

static bool small_number(struct str v, unsigned max, uint8_t *ret)
{
	uint64_t n;

	if (!str_parse_u64(v, 2, &n) || n < 1 || n > max)
		return false;
	*ret = (uint8_t)n;
	return true;
}

static bool set_n(struct http_query *q, struct str v)
{
	return small_number(v, SL_HTTP_NODES_MAX, &q->n);
}

static bool set_ranked(struct http_query *q, struct str v)
{
	return small_number(v, SL_MAX_RANKED, &q->ranked);
}

static bool set_fields(struct http_query *q, struct str v)
{
	static const char *const names[] = {
#define X(id, name) name,
		HTTP_FIELD_MAP(X)
#undef X
	};

	q->fields = 0;
	if (v.n == 0)
		return false;
	while (v.n) {
		struct str one = str_cut(&v, ',');
		uint32_t i = 0;

		while (i < HTTP_FIELDS && !str_eq_z(one, names[i]))
			i++;
		if (i == HTTP_FIELDS)
			return false;
		q->fields |= 1u << i;
	}
	return true;
}

static bool set_explain(struct http_query *q, struct str v)
{
	q->explain = str_eq(v, STR_LIT("1")) || str_eq(v, STR_LIT("true"));
	return q->explain || str_eq(v, STR_LIT("0")) || str_eq(v, STR_LIT("false"));
}

static const struct param {
	struct str name;
	bool (*set)(struct http_query *q, struct str v);
	const char *wrong;
} params[] = {
#define X(id, text) [HTTP_PARAM_##id] = {{#id, sizeof(#id) - 1}, set_##id, text},
	HTTP_PARAM_MAP(X)
#undef X
};

struct http_query http_query_of(struct ip ip)
{
	return (struct http_query){.ip = ip,
		.fields = (1u << HTTP_FIELDS) - 1,
		.a = true,
		.aaaa = true,
		.ranked = SL_MAX_RANKED};
}

const char *http_query_rule(struct str name)
{
	for (uint32_t i = 0; i < HTTP_PARAMS; i++)
		if (str_eq(params[i].name, name))
			return params[i].wrong;
	return NULL;
}

const char *http_query_set(struct http_query *q, struct str name, struct str value)
{
	for (uint32_t i = 0; i < HTTP_PARAMS; i++) {
		if (!str_eq(params[i].name, name))
			continue;
		if (q->given >> i & 1 || !params[i].set(q, value))
			return params[i].wrong;
		q->given |= 1u << i;
		return NULL;
	}
	return NULL;
}
