/* SPDX-License-Identifier: Apache-2.0 */
#include "collect/json.h"

#include <math.h>

static bool fail(struct collect_json *j)
{
	j->bad = true;
	j->p = j->end;
	return false;
}

char collect_json_peek(struct collect_json *j)
{
	while (j->p < j->end && (*j->p == ' ' || *j->p == '\n' || *j->p == '\r' || *j->p == '\t'))
		j->p++;
	return j->p < j->end ? *j->p : '\0';
}

bool collect_json_take(struct collect_json *j, char c)
{
	if (collect_json_peek(j) != c || j->p == j->end)
		return fail(j);
	j->p++;
	return true;
}

bool collect_json_end(struct collect_json *j)
{
	(void)collect_json_peek(j);
	return !j->bad && j->p == j->end;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The four digits behind \u, or -1. */
static int32_t hex4(const char *p, const char *end)
{
	int32_t v = 0;

	if (end - p < 4)
		return -1;
	for (int i = 0; i < 4; i++) {
		int d = hex_digit(p[i]);

		if (d < 0)
			return -1;
		v = v << 4 | d;
	}
	return v;
}

/* Octets of the escape at p, which is a backslash; 0 when it is none. */
static size_t escape_len(const char *p, const char *end)
{
	if (end - p < 2)
		return 0;
	if (p[1] == 'u')
		return hex4(p + 2, end) < 0 ? 0 : 6;
	return p[1] && strchr("\"\\/bfnrt", p[1]) ? 2 : 0;
}

bool collect_json_string(struct collect_json *j, struct str *ret_raw, bool *ret_escaped)
{
	const char *start, *p;
	bool escaped = false;
	size_t n;

	if (!collect_json_take(j, '"'))
		return false;
	start = j->p;
	for (p = start; p < j->end; p += n) {
		uint8_t c = (uint8_t)*p;

		n = 1;
		if (SL_LIKELY(c >= 0x20 && c < 0x80 && c != '"' && c != '\\'))
			continue;
		if (c == '"') {
			*ret_raw = (struct str){start, (size_t)(p - start)};
			*ret_escaped = escaped;
			j->p = p + 1;
			return true;
		}
		if (c == '\\') {
			escaped = true;
			n = escape_len(p, j->end);
		} else {
			n = c < 0x20 ? 0 : str_utf8_len((struct str){p, (size_t)(j->end - p)});
		}
		if (n == 0)
			break;
	}
	return fail(j);
}

static size_t put_utf8(uint32_t v, char *dst, size_t room)
{
	char o[4];
	size_t n = v < 0x80 ? 1 : v < 0x800 ? 2 : v < 0x10000 ? 3 : 4;

	if (n > room || v == 0)
		return 0;
	if (n == 1) {
		o[0] = (char)v;
	} else {
		for (size_t i = n - 1; i > 0; i--, v >>= 6)
			o[i] = (char)(0x80 | (v & 0x3f));
		o[0] = (char)((0xf00u >> n & 0xf0) | v);
	}
	memcpy(dst, o, n);
	return n;
}

/* The code point of the escape at *p, which is moved past it; 0 when it is none. */
static uint32_t unescape_one(const char **p, const char *end)
{
	static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
	const char *q = *p + 1, *at;
	int32_t v, low;

	if (*q != 'u') {
		at = strchr(from, *q);
		*p += 2;
		return at ? (uint8_t)to[at - from] : 0;
	}
	v = hex4(q + 1, end);
	*p += 6;
	if (v < 0xd800 || v > 0xdfff)
		return v > 0 ? (uint32_t)v : 0;
	if (v > 0xdbff || end - *p < 6 || (*p)[0] != '\\' || (*p)[1] != 'u')
		return 0;
	low = hex4(*p + 2, end);
	*p += 6;
	if (low < 0xdc00 || low > 0xdfff)
		return 0;
	return 0x10000 + ((uint32_t)(v - 0xd800) << 10 | (uint32_t)(low - 0xdc00));
}

int collect_json_unescape(struct str raw, char *dst, size_t size)
{
	const char *p = raw.p, *end = raw.p + raw.n;
	size_t used = 0;

	while (p < end) {
		size_t n;

		if (*p == '\\') {
			n = put_utf8(unescape_one(&p, end), dst + used, size - used);
			if (n == 0)
				return -1;
		} else {
			if (used == size)
				return -1;
			dst[used] = *p++;
			n = 1;
		}
		used += n;
	}
	return (int)used;
}

/* Digits at the cursor into *m, past 19 of them counted in *more; how many there were. */
static size_t digits(struct collect_json *j, uint64_t *m, int *more)
{
	const char *start = j->p;

	for (; j->p < j->end && *j->p >= '0' && *j->p <= '9'; j->p++) {
		if (*m < UINT64_C(100000000000000000))
			*m = *m * 10 + (uint64_t)(*j->p - '0');
		else
			(*more)++;
	}
	return (size_t)(j->p - start);
}

static bool exponent(struct collect_json *j, int *exp)
{
	uint64_t e = 0;
	int more = 0;
	bool minus = false;

	if (j->p == j->end || (*j->p | 0x20) != 'e')
		return true;
	j->p++;
	if (j->p < j->end && (*j->p == '+' || *j->p == '-'))
		minus = *j->p++ == '-';
	if (!digits(j, &e, &more))
		return false;
	if (more || e > 9999)
		e = 9999;
	*exp += minus ? -(int)e : (int)e;
	return true;
}

bool collect_json_number(struct collect_json *j, double *ret_v)
{
	uint64_t m = 0;
	int more = 0, exp = 0, dropped = 0;
	bool minus = collect_json_peek(j) == '-';
	const char *start;
	size_t n;

	j->p += minus;
	start = j->p;
	n = digits(j, &m, &more);
	if (n == 0 || (n > 1 && *start == '0'))
		return fail(j);
	exp = more;
	if (j->p < j->end && *j->p == '.') {
		j->p++;
		n = digits(j, &m, &dropped);
		if (n == 0)
			return fail(j);
		exp -= (int)n - dropped;
	}
	if (!exponent(j, &exp))
		return fail(j);
	*ret_v = exp == 0 ? (double)m : m == 0 ? 0 : (double)m * pow(10, exp);
	if (minus)
		*ret_v = -*ret_v;
	return true;
}

static bool word(struct collect_json *j, const char *w, size_t n)
{
	if ((size_t)(j->end - j->p) < n || memcmp(j->p, w, n) != 0)
		return fail(j);
	j->p += n;
	return true;
}

bool collect_json_bool(struct collect_json *j, bool *ret_v)
{
	*ret_v = collect_json_peek(j) == 't';
	return *ret_v ? word(j, "true", 4) : word(j, "false", 5);
}

static bool skip_scalar(struct collect_json *j, char c)
{
	struct str s;
	bool b;
	double d;

	switch (c) {
	case '"':
		return collect_json_string(j, &s, &b);
	case 't':
	case 'f':
		return collect_json_bool(j, &b);
	case 'n':
		return word(j, "null", 4);
	default:
		return collect_json_number(j, &d);
	}
}

/* Goes into a container, or past a scalar and the ends of containers behind it. */
bool collect_json_skip(struct collect_json *j)
{
	char close[COLLECT_JSON_DEPTH];
	bool first[COLLECT_JSON_DEPTH];
	int depth = 0;

	do {
		char c = collect_json_peek(j);
		struct str key;

		if (c == '{' || c == '[') {
			if (depth == COLLECT_JSON_DEPTH) {
				j->too_deep = true;
				return fail(j);
			}
			close[depth] = c == '{' ? '}' : ']';
			first[depth++] = true;
		} else if (!skip_scalar(j, c)) {
			return false;
		}
		while (depth) {
			char open = close[depth - 1] == '}' ? '{' : '[';

			if (collect_json_next(j, open, close[depth - 1], &first[depth - 1])) {
				if (open == '{' && !collect_json_key(j, &key))
					return false;
				break;
			}
			if (j->bad)
				return false;
			depth--;
		}
	} while (depth);
	return true;
}

bool collect_json_next(struct collect_json *j, char open, char close, bool *first)
{
	if (*first) {
		*first = false;
		if (!collect_json_take(j, open))
			return false;
		if (collect_json_peek(j) != close)
			return true;
	} else if (collect_json_peek(j) == ',') {
		j->p++;
		return true;
	}
	(void)collect_json_take(j, close);
	return false;
}

bool collect_json_key(struct collect_json *j, struct str *ret_key)
{
	bool escaped;

	return collect_json_string(j, ret_key, &escaped) && collect_json_take(j, ':');
}
