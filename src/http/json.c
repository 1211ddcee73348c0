/* SPDX-License-Identifier: Apache-2.0 */
#include "http/json.h"

static void fail(struct http_json *j, const char *wrong)
{
	if (!j->wrong) {
		j->wrong = wrong;
		j->wrong_at = (size_t)(j->p - j->start);
	}
	j->p = j->end;
}

static void blanks(struct http_json *j)
{
	while (j->p < j->end && (*j->p == ' ' || *j->p == '\n' || *j->p == '\r' || *j->p == '\t'))
		j->p++;
}

struct http_json http_json_over(struct str text, struct buf scratch)
{
	return (struct http_json){
		.start = text.p, .p = text.p, .end = text.p + text.n, .scratch = scratch};
}

char http_json_peek(struct http_json *j)
{
	blanks(j);
	return j->p < j->end ? *j->p : '\0';
}

bool http_json_enter(struct http_json *j, char open)
{
	if (http_json_peek(j) != open) {
		fail(j, open == '{' ? "an object is wanted" : "an array is wanted");
		return false;
	}
	if (j->depth == HTTP_JSON_DEPTH) {
		fail(j, "nested too deeply");
		return false;
	}
	j->depth++;
	j->p++;
	return true;
}

/* A comma before all but the first; false once `close` has been passed, or after an error. */
static bool another(struct http_json *j, bool *first, char close)
{
	char c = http_json_peek(j);

	if (c == close) {
		j->p++;
		j->depth--;
		return false;
	}
	if (!*first) {
		if (c != ',') {
			fail(j, "a comma or the end is wanted");
			return false;
		}
		j->p++;
		c = http_json_peek(j);
	}
	*first = false;
	if (c == '\0' || c == close || c == ',') {
		fail(j, "a value is wanted");
		return false;
	}
	return true;
}

static int hex4(const char *p)
{
	int v = 0;

	for (int i = 0; i < 4; i++) {
		char c = p[i], low = (char)(c | 0x20);

		if (c >= '0' && c <= '9')
			v = v << 4 | (c - '0');
		else if (low >= 'a' && low <= 'f')
			v = v << 4 | (low - 'a' + 10);
		else
			return -1;
	}
	return v;
}

static void put_utf8(struct buf *b, uint32_t c)
{
	if (c < 0x80) {
		buf_put_u8(b, (uint8_t)c);
	} else if (c < 0x800) {
		buf_put_u8(b, (uint8_t)(0xc0 | c >> 6));
		buf_put_u8(b, (uint8_t)(0x80 | (c & 63)));
	} else if (c < 0x10000) {
		buf_put_u8(b, (uint8_t)(0xe0 | c >> 12));
		buf_put_u8(b, (uint8_t)(0x80 | (c >> 6 & 63)));
		buf_put_u8(b, (uint8_t)(0x80 | (c & 63)));
	} else {
		buf_put_u8(b, (uint8_t)(0xf0 | c >> 18));
		buf_put_u8(b, (uint8_t)(0x80 | (c >> 12 & 63)));
		buf_put_u8(b, (uint8_t)(0x80 | (c >> 6 & 63)));
		buf_put_u8(b, (uint8_t)(0x80 | (c & 63)));
	}
}

/* \uXXXX, a pair of them for what is past 16 bits; p behind the u. Octets used, 0 for an error. */
static size_t unicode(struct buf *b, const char *p, const char *end)
{
	int hi = end - p >= 4 ? hex4(p) : -1, lo;

	if (hi <= 0 || (hi >= 0xdc00 && hi <= 0xdfff))
		return 0;
	if (hi < 0xd800 || hi > 0xdbff) {
		put_utf8(b, (uint32_t)hi);
		return 4;
	}
	if (end - p < 10 || p[4] != '\\' || p[5] != 'u')
		return 0;
	lo = hex4(p + 6);
	if (lo < 0xdc00 || lo > 0xdfff)
		return 0;
	put_utf8(b, 0x10000 + ((uint32_t)(hi - 0xd800) << 10) + (uint32_t)(lo - 0xdc00));
	return 10;
}

/* A string with escapes, from its first octet on; the cursor ends behind the closing quote. */
static struct str escaped(struct http_json *j, const char *start)
{
	static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
	struct buf *b = &j->scratch;
	const char *at, *base = (const char *)b->p;

	for (at = start; at < j->end && *at != '"'; at++) {
		const char *known;

		if ((uint8_t)*at < 0x20)
			break;
		if (*at != '\\') {
			buf_put_u8(b, (uint8_t)*at);
			continue;
		}
		if (++at == j->end)
			break;
		known = *at ? strchr(from, *at) : NULL;
		if (known) {
			buf_put_u8(b, (uint8_t)to[known - from]);
		} else {
			size_t used = *at == 'u' ? unicode(b, at + 1, j->end) : 0;

			if (!used)
				break;
			at += used;
		}
	}
	if (at >= j->end || *at != '"' || b->overflow) {
		fail(j, b->overflow ? "too many escapes" : "malformed string");
		return (struct str){NULL, 0};
	}
	j->p = at + 1;
	return (struct str){base, (size_t)((const char *)b->p - base)};
}

/* A string; the cursor stands on its opening quote. */
static struct str string(struct http_json *j)
{
	const char *start = j->p + 1, *at = start;

	while (at < j->end && *at != '"' && *at != '\\' && (uint8_t)*at >= 0x20)
		at++;
	if (at < j->end && *at == '"') {
		j->p = at + 1;
		return (struct str){start, (size_t)(at - start)};
	}
	if (at < j->end && *at == '\\')
		return escaped(j, start);
	fail(j, "malformed string");
	return (struct str){NULL, 0};
}

bool http_json_member(struct http_json *j, bool *first, struct str *ret_name)
{
	if (!another(j, first, '}'))
		return false;
	if (*j->p != '"') {
		fail(j, "a name is wanted");
		return false;
	}
	*ret_name = string(j);
	if (http_json_peek(j) != ':') {
		fail(j, "a colon is wanted");
		return false;
	}
	j->p++;
	return true;
}

bool http_json_element(struct http_json *j, bool *first)
{
	return another(j, first, ']');
}

/* -?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)? */
static size_t number_octets(const char *p, const char *end)
{
	const char *at = p + (p < end && *p == '-'), *digits = at;

	while (at < end && *at >= '0' && *at <= '9')
		at++;
	if (at == digits || (*digits == '0' && at - digits > 1))
		return 0;
	if (at < end && *at == '.') {
		digits = ++at;
		while (at < end && *at >= '0' && *at <= '9')
			at++;
		if (at == digits)
			return 0;
	}
	if (at < end && (*at | 0x20) == 'e') {
		at++;
		at += at < end && (*at == '+' || *at == '-');
		digits = at;
		while (at < end && *at >= '0' && *at <= '9')
			at++;
		if (at == digits)
			return 0;
	}
	return (size_t)(at - p);
}

static struct str scalar(struct http_json *j)
{
	static const struct str words[] = {{"true", 4}, {"false", 5}, {"null", 4}};
	struct str text = {j->p, 0};
	size_t left = (size_t)(j->end - j->p);

	if (left && *j->p == '"')
		return string(j);
	for (size_t i = 0; i < SL_COUNT(words); i++) {
		if (left >= words[i].n && memcmp(j->p, words[i].p, words[i].n) == 0) {
			j->p += words[i].n;
			text.n = i == 2 ? 0 : words[i].n;
			return text;
		}
	}
	text.n = number_octets(j->p, j->end);
	if (!text.n)
		fail(j, "a value is wanted");
	else
		j->p += text.n;
	return text;
}

struct str http_json_text(struct http_json *j)
{
	bool first = true;
	struct str one, all;

	if (http_json_peek(j) != '[')
		return scalar(j);
	if (!http_json_enter(j, '['))
		return (struct str){NULL, 0};
	all = (struct str){(const char *)j->scratch.p, 0};
	while (http_json_element(j, &first)) {
		uint8_t *before = j->scratch.p;

		if (before != (const uint8_t *)all.p)
			buf_put_u8(&j->scratch, ',');
		one = scalar(j);
		if (one.p == (const char *)before + 1 || one.p == (const char *)before)
			continue; /* had escapes: it stands there already */
		buf_put_str(&j->scratch, one);
	}
	if (j->scratch.overflow)
		fail(j, "a list is too long");
	all.n = (size_t)((const char *)j->scratch.p - all.p);
	return all;
}

void http_json_skip(struct http_json *j)
{
	bool first = true;
	struct str name;
	uint8_t *kept = j->scratch.p;

	switch (http_json_peek(j)) {
	case '{':
		if (http_json_enter(j, '{'))
			while (http_json_member(j, &first, &name))
				http_json_skip(j);
		break;
	case '[':
		if (http_json_enter(j, '['))
			while (http_json_element(j, &first))
				http_json_skip(j);
		break;
	default:
		(void)scalar(j);
	}
	j->scratch.p = kept;
}

bool http_json_done(struct http_json *j)
{
	blanks(j);
	if (j->p != j->end)
		fail(j, "something follows the end");
	return !j->wrong;
}
