/* SPDX-License-Identifier: Apache-2.0 */
#include "conf/text.h"

#include <float.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LABEL_MAX = 63, HOST_TEXT_MAX = SL_DNS_NAME_MAX - 2 };

static const char *const wants[] = {
#define X(id, want) want,
	CONF_TEXT_MAP(X)
#undef X
};

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_lower(char c)
{
	return c >= 'a' && c <= 'z';
}

static bool is_upper(char c)
{
	return c >= 'A' && c <= 'Z';
}

static bool all_of(struct str s, const char *also, bool upper)
{
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];

		if (!is_digit(c) && !is_lower(c) && !(upper && is_upper(c)) &&
			!(c && strchr(also, c)))
			return false;
	}
	return s.n > 0;
}

static bool no_control(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] < 0x20 || s.p[i] == 0x7f)
			return false;
	return s.n > 0;
}

static bool visible_ascii(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] <= 0x20 || s.p[i] >= 0x7f || strchr("\"'`\\", s.p[i]))
			return false;
	return s.n > 0;
}

static bool no_lower(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (is_lower(s.p[i]))
			return false;
	return true;
}

/* Of a group's name: the country's two capital letters, or the group of those without one. */
static bool group_country_ok(struct str s, bool pattern)
{
	bool stars = false;

	if (str_eq_z(s, "default"))
		return true;
	for (size_t i = 0; i < s.n; i++) {
		stars |= s.p[i] == '*';
		if (!is_upper(s.p[i]) && s.p[i] != '*')
			return false;
	}
	return stars ? pattern : s.n == 2;
}

/* COUNTRY/PROVINCE/isp in the letters that names of groups have: anything else would name no group
 * and say nothing. */
static bool group_ok(struct str s, bool pattern)
{
	const char *also = pattern ? "-*" : "-";
	unsigned depth = 0;
	bool more = true;

	while (more) {
		size_t before = s.n;
		struct str c = str_cut(&s, '/');
		bool ok = false;

		more = before > c.n;
		switch (depth++) {
		case 0:
			ok = group_country_ok(c, pattern);
			break;
		case 1:
			ok = all_of(c, also, true) && no_lower(c);
			break;
		case 2:
			ok = all_of(c, also, false);
			break;
		}
		if (!ok)
			return false;
	}
	return true;
}

static bool host_ok(struct str s)
{
	if (s.n && s.p[s.n - 1] == '.')
		s.n--;
	if (s.n == 0 || s.n > HOST_TEXT_MAX || s.p[s.n - 1] == '.')
		return false;
	while (s.n) {
		struct str label = str_cut(&s, '.');

		if (!all_of(label, "-_", true) || label.n > LABEL_MAX)
			return false;
	}
	return true;
}

static bool addrport_ok(struct str s)
{
	const char *colon = s.n ? memrchr(s.p, ':', s.n) : NULL;
	struct str port = s, addr = {s.p, 0};
	struct ip ip;
	double v;

	if (colon) {
		addr.n = (size_t)(colon - s.p);
		port = (struct str){colon + 1, s.n - addr.n - 1};
	}
	if (!all_of(port, "", false) || port.n > 5 || !conf_number_parse(port, true, &v))
		return false;
	if (v < 1 || v > 65535)
		return false;
	if (!colon)
		return true;
	if (addr.n > 2 && addr.p[0] == '[' && addr.p[addr.n - 1] == ']')
		return ip_parse((struct str){addr.p + 1, addr.n - 2}, &ip) && ip.family == IP_V6;
	return ip_parse(addr, &ip) && ip.family == IP_V4;
}

static bool clock_ok(struct str s)
{
	static const char form[] = "dd:dd";

	if (s.n != sizeof(form) - 1)
		return false;
	for (size_t i = 0; i < s.n; i++)
		if (form[i] == 'd' ? !is_digit(s.p[i]) : s.p[i] != form[i])
			return false;
	return s.p[3] < '6' && conf_clock_parse(s.p) <= 24 * 60;
}

uint32_t conf_clock_parse(const char *s)
{
	return (uint32_t)(((s[0] - '0') * 10 + s[1] - '0') * 60 + (s[3] - '0') * 10 + s[4] - '0');
}

static bool country_ok(struct str s)
{
	return s.n == 2 && is_upper(s.p[0]) && is_upper(s.p[1]);
}

static bool ip_ok(struct str s, uint8_t family)
{
	struct ip ip;

	return ip_parse(s, &ip) && ip.family == family;
}

bool conf_text_ok(enum conf_text kind, struct str s)
{
	struct ip ip;
	uint8_t len;

	switch (kind) {
	case CONF_TEXT_NAME:
		return all_of(s, "._-", true);
	case CONF_TEXT_COMPONENT:
		return all_of(s, "-", false);
	case CONF_TEXT_GROUP:
		return group_ok(s, false);
	case CONF_TEXT_GROUPS:
		return group_ok(s, true);
	case CONF_TEXT_PATTERN:
	case CONF_TEXT_PATH:
		return no_control(s);
	case CONF_TEXT_STREAM:
		return visible_ascii(s);
	case CONF_TEXT_HOST:
		return host_ok(s);
	case CONF_TEXT_COUNTRY:
		return country_ok(s);
	case CONF_TEXT_ADDRPORT:
		return addrport_ok(s);
	case CONF_TEXT_IPV4:
		return ip_ok(s, IP_V4);
	case CONF_TEXT_IPV6:
		return ip_ok(s, IP_V6);
	case CONF_TEXT_PREFIX:
		return ip_parse_prefix(s, &ip, &len);
	case CONF_TEXT_CLOCK:
		return clock_ok(s);
	}
	return false;
}

const char *conf_text_want(enum conf_text kind)
{
	return wants[kind];
}

/* Most octets of a text of this kind in a list. */
static uint32_t text_max(enum conf_text kind)
{
	return kind == CONF_TEXT_HOST   ? SL_DNS_NAME_MAX
	       : kind == CONF_TEXT_PATH ? SL_MAX_PATH
					: SL_MAX_NAME;
}

static size_t digits(struct str s, size_t i)
{
	while (i < s.n && is_digit(s.p[i]))
		i++;
	return i;
}

/* -?digits[.digits][e[+-]digits], the exponent of at most two digits. */
static bool number_form(struct str s, bool whole)
{
	size_t i = s.n && s.p[0] == '-', from = i;

	i = digits(s, i);
	if (i == from || (whole && i < s.n))
		return false;
	if (i < s.n && s.p[i] == '.') {
		from = ++i;
		i = digits(s, i);
		if (i == from)
			return false;
	}
	if (i < s.n && (s.p[i] == 'e' || s.p[i] == 'E')) {
		i++;
		if (i < s.n && (s.p[i] == '+' || s.p[i] == '-'))
			i++;
		from = i;
		i = digits(s, i);
		if (i == from || i > from + 2)
			return false;
	}
	return i == s.n;
}

/* A leading zero is refused in whole numbers: other readers of YAML take them for octal. */
bool conf_number_parse(struct str s, bool whole, double *ret_value)
{
	char text[64];

	if (s.n >= sizeof(text) || !number_form(s, whole))
		return false;
	if (whole && s.n > 1 && s.p[s.p[0] == '-'] == '0')
		return false;
	memcpy(text, s.p, s.n);
	text[s.n] = 0;
	*ret_value = strtod(text, NULL);
	return true;
}

int conf_word_find(const struct conf_words *w, struct str s)
{
	for (uint32_t i = 0; i < w->n; i++)
		if (str_eq_z(s, w->v[i]))
			return (int)i;
	return -1;
}

static bool number_check(const struct conf_row *row, struct str s, double min, double max,
	const char **ret_what, char *want, size_t want_size)
{
	bool whole = row->kind != CONF_KIND_NUM && row->kind != CONF_KIND_MBPS;
	double v = 0;

	(void)snprintf(want, want_size, "%s from %.10g to %.10g%s%s",
		whole ? "a whole number" : "a number", min, max, *row->unit ? " " : "", row->unit);
	*ret_what = "no number";
	if (!conf_number_parse(s, whole, &v))
		return false;
	*ret_what = "out of range";
	return v >= min && v <= max;
}

static bool word_check(const struct conf_words *w, struct str s, const char **ret_what, char *want,
	size_t want_size)
{
	size_t n = 0;

	for (uint32_t i = 0; i < w->n && n < want_size; i++)
		n += (size_t)snprintf(want + n, want_size - n, "%s%s", i ? ", " : "", w->v[i]);
	*ret_what = "unknown word";
	return conf_word_find(w, s) >= 0;
}

static bool text_check(const struct conf_row *row, struct str s, const char **ret_what, char *want,
	size_t want_size)
{
	bool one = row->kind == CONF_KIND_TEXT;
	uint32_t max = one ? (uint32_t)row->max : text_max(row->text);

	*ret_what = "too long";
	(void)snprintf(want, want_size, "at most %u octets", max);
	if (s.n > max)
		return false;
	*ret_what = "bad value";
	(void)snprintf(want, want_size, "%s", conf_text_want(row->text));
	return conf_text_ok(row->text, s);
}

bool conf_scalar_check(const struct conf_row *row, struct str s, const char **ret_what, char *want,
	size_t want_size)
{
	static const char *const bools[] = {"true", "false"};
	static const struct conf_words bool_words = {bools, SL_COUNT(bools)};

	switch (row->kind) {
	case CONF_KIND_U32:
	case CONF_KIND_I32:
	case CONF_KIND_NUM:
	case CONF_KIND_MBPS:
		return number_check(row, s, row->min, row->max, ret_what, want, want_size);
	case CONF_KIND_U32S:
		return number_check(row, s, 1, UINT32_MAX, ret_what, want, want_size);
	case CONF_KIND_BOOL:
		return word_check(&bool_words, s, ret_what, want, want_size);
	case CONF_KIND_ENUM:
	case CONF_KIND_DAYS:
		return word_check(row->words, s, ret_what, want, want_size);
	default:
		return text_check(row, s, ret_what, want, want_size);
	}
}
