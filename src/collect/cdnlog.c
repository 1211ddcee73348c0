/* SPDX-License-Identifier: Apache-2.0 */
#include "collect/cdnlog.h"

#include "collect/json.h"

static const struct {
	const char *name;
	char separator;
	uint32_t delay_min;
	const char *columns;
} ready[] = {
#define FORMAT(name, separator, delay_min, columns) {#name, separator, delay_min, columns},
#include "collect/cdnlog.def"
#undef FORMAT
};

static const char *const column_names[COLLECT_COLS] = {
	"", "time", "client", "status", "octets", "ms", "s", "vendor"};

static bool column_of(struct str word, enum collect_column *ret)
{
	for (int i = 0; i < COLLECT_COLS; i++)
		if (str_eq_z(word, column_names[i])) {
			*ret = (enum collect_column)i;
			return true;
		}
	return false;
}

int collect_log_declared(char separator, struct str columns, struct collect_log_format *ret)
{
	struct collect_log_format f = {.separator = separator,
		.slow_ms = COLLECT_SLOW_MS,
		.delay_min = COLLECT_LOG_DELAY_MIN};
	bool more = true;

	while (more) {
		size_t before = columns.n;
		struct str word = str_cut(&columns, ','), key = {NULL, 0};
		bool maybe = word.n && word.p[word.n - 1] == '?';

		more = before != word.n;
		if (f.n == COLLECT_LOG_COLUMNS)
			return SL_EFORMAT;
		if (separator == '{') {
			key = str_cut(&word, '=');
			if (key.n == 0 || word.n == 0)
				return SL_EFORMAT;
		}
		word.n -= maybe;
		if (!column_of(word, &f.col[f.n].column))
			return SL_EFORMAT;
		f.col[f.n++].key = key;
		if (!maybe)
			f.needed = f.n;
	}
	*ret = f;
	return 0;
}

int collect_log_named(struct str name, struct collect_log_format *ret)
{
	for (size_t i = 0; i < SL_COUNT(ready); i++)
		if (str_eq_z(name, ready[i].name)) {
			int rc = collect_log_declared(
				ready[i].separator, str_from(ready[i].columns), ret);

			ret->delay_min = ready[i].delay_min;
			return rc;
		}
	return SL_ENOENT;
}

/* --- time ----------------------------------------------------------------------------------- */

/* Takes up to `max` digits, at least one. */
static bool digits(struct str *s, size_t max, int64_t *ret)
{
	size_t n = 0;

	*ret = 0;
	for (; n < s->n && n < max && s->p[n] >= '0' && s->p[n] <= '9'; n++)
		*ret = *ret * 10 + (s->p[n] - '0');
	s->p += n;
	s->n -= n;
	return n > 0;
}

static bool sign(struct str *s, const char *any)
{
	if (s->n == 0 || !strchr(any, s->p[0]))
		return false;
	s->p++;
	s->n--;
	return true;
}

static bool month(struct str *s, int64_t *ret)
{
	static const char names[] = "JanFebMarAprMayJunJulAugSepOctNovDec";

	for (int64_t i = 0; i < 12 && s->n >= 3; i++)
		if (strncasecmp(s->p, names + 3 * i, 3) == 0) {
			*ret = i + 1;
			s->p += 3;
			s->n -= 3;
			return true;
		}
	return false;
}

/* Days since 1970 of a day of the Gregorian calendar, years counted from March so that the day of a
 * leap year is the last. */
static int64_t day_number(int64_t y, int64_t m, int64_t d)
{
	y -= m <= 2;
	m += m <= 2 ? 9 : -3;
	return 365 * y + y / 4 - y / 100 + y / 400 + (153 * m + 2) / 5 + d - 1 - 719468;
}

/* "+0800", "+08:00", "Z", or nothing: the format's. */
static bool zone(struct str *s, int32_t offset_min, int64_t *ret_min)
{
	int64_t h = 0, m = 0, minus;

	*ret_min = offset_min;
	(void)sign(s, " ");
	if (sign(s, "Zz")) {
		*ret_min = 0;
		return true;
	}
	if (s->n == 0 || (s->p[0] != '+' && s->p[0] != '-'))
		return true;
	minus = s->p[0] == '-';
	s->p++;
	s->n--;
	if (!digits(s, 2, &h))
		return false;
	(void)sign(s, ":");
	if (!digits(s, 2, &m) || h > 14 || m > 59)
		return false;
	*ret_min = minus ? -(h * 60 + m) : h * 60 + m;
	return true;
}

static bool clock_time(struct str *s, int64_t *ret_ms)
{
	int64_t h, m, sec, fraction = 0;

	if (!digits(s, 2, &h) || !sign(s, ":") || !digits(s, 2, &m) || !sign(s, ":") ||
		!digits(s, 2, &sec) || h > 23 || m > 59 || sec > 60)
		return false;
	*ret_ms = ((h * 60 + m) * 60 + sec) * 1000;
	if (sign(s, ".,")) {
		const char *start = s->p;

		if (!digits(s, 3, &fraction))
			return false;
		for (ptrdiff_t n = s->p - start; n < 3; n++)
			fraction *= 10;
		*ret_ms += fraction;
		while (s->n && s->p[0] >= '0' && s->p[0] <= '9') {
			s->p++;
			s->n--;
		}
	}
	return true;
}

/* "2026-11-21T03:00:00.5+08:00" (blank for T, slashes, no zone), "21/Nov/2026:03:00:00 +0800", unix
 * seconds (fractions allowed) or milliseconds. */
static bool log_time(struct str s, int32_t offset_min, double *ret_ms)
{
	int64_t a, y, m, d, ms, off;
	struct collect_json j = collect_json_over(s);
	double v;

	if (collect_json_number(&j, &v) && collect_json_end(&j)) {
		*ret_ms = v > 1e11 ? v : v * 1000;
		return v >= 0 && v < 4e15;
	}
	if (!digits(&s, 4, &a))
		return false;
	y = d = a;
	if (a > 31) {
		if (!sign(&s, "-/") || !digits(&s, 2, &m) || !sign(&s, "-/") ||
			!digits(&s, 2, &d) || !sign(&s, "T t:"))
			return false;
	} else if (!sign(&s, "/") || !month(&s, &m) || !sign(&s, "/") || !digits(&s, 4, &y) ||
		   !sign(&s, ": ")) {
		return false;
	}
	if (m < 1 || m > 12 || d < 1 || d > 31 || y < 1970 || !clock_time(&s, &ms) ||
		!zone(&s, offset_min, &off) || s.n)
		return false;
	*ret_ms = (double)(day_number(y, m, d) * 86400000 + ms - off * 60000);
	return true;
}

/* --- lines ---------------------------------------------------------------------------------- */

/* A number; "-" and nothing count as 0, as servers write what they do not know. */
static bool number(struct str s, double max, double *ret)
{
	struct collect_json j = collect_json_over(s);

	*ret = 0;
	if (s.n == 0 || str_eq_z(s, "-"))
		return true;
	return collect_json_number(&j, ret) && collect_json_end(&j) && *ret >= 0 && *ret <= max;
}

static bool put(const struct collect_log_format *f, enum collect_column column, struct str v,
	struct collect_line *l)
{
	double n;

	switch (column) {
	case COLLECT_COL_TIME:
		return log_time(v, f->utc_offset_min, &l->t_ms);
	case COLLECT_COL_CLIENT:
		l->client = v;
		return true;
	case COLLECT_COL_VENDOR:
		l->vendor = v;
		return true;
	case COLLECT_COL_STATUS:
		if (!number(v, 999, &n))
			return false;
		l->error = n >= 500;
		return true;
	case COLLECT_COL_OCTETS:
		if (!number(v, 1e15, &n))
			return false;
		l->octets = (uint64_t)n;
		return true;
	case COLLECT_COL_MS:
	case COLLECT_COL_S:
		if (!number(v, 1e9, &n))
			return false;
		l->slow = (column == COLLECT_COL_S ? n * 1000 : n) > f->slow_ms;
		return true;
	default:
		return true;
	}
}

/* The next column; quotes and brackets around it are taken away, separators within them kept. */
static bool next_column(struct str *rest, char separator, struct str *ret)
{
	char close = '\0';
	size_t i = 0;

	if (rest->n && (rest->p[0] == '"' || rest->p[0] == '['))
		close = rest->p[0] == '"' ? '"' : ']';
	if (!close) {
		*ret = str_cut(rest, separator);
		return true;
	}
	for (i = 1; i < rest->n && rest->p[i] != close; i++)
		i += rest->p[i] == '\\';
	if (i >= rest->n)
		return false;
	*ret = (struct str){rest->p + 1, i - 1};
	*rest = (struct str){rest->p + i + 1, rest->n - i - 1};
	return rest->n == 0 || sign(rest, (const char[2]){separator, '\0'});
}

static bool read_columns(
	const struct collect_log_format *f, struct str line, struct collect_line *ret)
{
	uint32_t i = 0;

	for (; i < f->n && line.n; i++) {
		struct str v;

		if (!next_column(&line, f->separator, &v) || !put(f, f->col[i].column, v, ret))
			return false;
	}
	/* a line may end with empty columns; what matters must have been there */
	for (; i < f->needed; i++)
		if (f->col[i].column != COLLECT_COL_NONE)
			return false;
	return true;
}

static bool read_object(
	const struct collect_log_format *f, struct str line, struct collect_line *ret)
{
	struct collect_json j = collect_json_over(line);
	bool first = true, escaped;
	struct str key, v;

	while (collect_json_next(&j, '{', '}', &first)) {
		const char *start;

		if (!collect_json_key(&j, &key))
			return false;
		if (collect_json_peek(&j) == '"') {
			if (!collect_json_string(&j, &v, &escaped))
				return false;
		} else {
			start = j.p;
			if (!collect_json_skip(&j))
				return false;
			v = (struct str){start, (size_t)(j.p - start)};
			if (str_eq_z(v, "null"))
				continue;
		}
		for (uint32_t i = 0; i < f->n; i++)
			if (str_eq(key, f->col[i].key) && !put(f, f->col[i].column, v, ret))
				return false;
	}
	return collect_json_end(&j);
}

enum collect_refusal collect_log_line(
	const struct collect_log_format *f, struct str line, struct collect_line *ret)
{
	*ret = (struct collect_line){.vendor = f->vendor, .t_ms = -1, .delay_min = f->delay_min};
	if (line.n && line.p[line.n - 1] == '\r')
		line.n--;
	if (line.n > COLLECT_LOG_LINE)
		return COLLECT_LENGTH;
	if (!(f->separator == '{' ? read_object(f, line, ret) : read_columns(f, line, ret)))
		return COLLECT_LINE;
	return ret->t_ms < 0 || ret->client.n == 0 ? COLLECT_LINE : COLLECT_ACCEPTED;
}
