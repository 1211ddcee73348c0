/* SPDX-License-Identifier: Apache-2.0 */
#include "sense/series.h"

#include "conf/conf.h"

#include <cjson/cJSON.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

/* A part of a JSON pointer equals a name: ~1 is /, ~0 is ~ (RFC 6901 section 4). */
static bool part_is(struct str part, const char *name)
{
	for (size_t i = 0; i < part.n; i++, name++) {
		char c = part.p[i];

		if (c == '~' && i + 1 < part.n)
			c = part.p[++i] == '1' ? '/' : '~';
		if (*name != c)
			return false;
	}
	return *name == '\0';
}

static const cJSON *step_into(const cJSON *at, struct str part)
{
	uint64_t index;
	const cJSON *child;

	if (cJSON_IsArray(at))
		return str_parse_u64(part, 6, &index) ? cJSON_GetArrayItem(at, (int)index) : NULL;
	if (!cJSON_IsObject(at))
		return NULL;
	for (child = at->child; child; child = child->next)
		if (child->string && part_is(part, child->string))
			return child;
	return NULL;
}

/* What a pointer without a * names, or NULL. */
static const cJSON *look_up(const cJSON *at, struct str pointer)
{
	if (pointer.n && pointer.p[0] != '/')
		return NULL;
	if (pointer.n)
		(void)str_cut(&pointer, '/');
	else
		return at;
	for (uint32_t parts = 0; at; parts++) {
		bool last = !memchr(pointer.p, '/', pointer.n);

		if (parts == SENSE_MAX_POINTER_PARTS)
			return NULL;
		at = step_into(at, str_cut(&pointer, '/'));
		if (last)
			break;
	}
	return at;
}

/* One value, as sense_series_read has it. false: no number. */
static bool take_number(const cJSON *v, double *ret)
{
	char *end;

	if (cJSON_IsNumber(v)) {
		*ret = v->valuedouble;
	} else if (cJSON_IsString(v) && v->valuestring[0]) {
		*ret = strtod(v->valuestring, &end);
		if (*end)
			return false;
	} else {
		return false;
	}
	return isfinite(*ret);
}

/* +hh:mm, -hhmm, Z or nothing. */
static bool zone_of(const char *p, int32_t otherwise_min, int32_t *ret_min)
{
	int sign = *p == '-' ? -1 : 1, h, m, used = 0;

	*ret_min = otherwise_min;
	if (*p == '\0')
		return true;
	*ret_min = 0;
	if (p[0] == 'Z' && p[1] == '\0')
		return true;
	if (*p != '+' && *p != '-')
		return false;
	if (sscanf(p + 1, "%2d:%2d%n", &h, &m, &used) != 2 &&
		sscanf(p + 1, "%2d%2d%n", &h, &m, &used) != 2)
		return false;
	*ret_min = sign * (h * 60 + m);
	return p[1 + used] == '\0' && h >= 0 && h < 24 && m >= 0 && m < 60;
}

bool sense_series_time(const cJSON *v, int32_t utc_offset_min, uint64_t *ret_ms)
{
	struct tm tm = {0};
	const char *p;
	int32_t zone;
	double n;
	int64_t t;
	int used = 0;

	if (take_number(v, &n)) {
		if (n < 1e8 || n > 1e14)
			return false;
		*ret_ms = (uint64_t)(n < 1e11 ? n * 1000 : n);
		return true;
	}
	if (!cJSON_IsString(v))
		return false;
	if (sscanf(v->valuestring, "%4d-%2d-%2d%*1[T ]%2d:%2d%n", &tm.tm_year, &tm.tm_mon,
		    &tm.tm_mday, &tm.tm_hour, &tm.tm_min, &used) != 5 ||
		used == 0)
		return false;
	p = v->valuestring + used;
	if (*p == ':' && sscanf(p, ":%2d%n", &tm.tm_sec, &used) == 1)
		p += used;
	if (*p == '.')
		p += 1 + strspn(p + 1, "0123456789");
	if (!zone_of(p, utc_offset_min, &zone) || tm.tm_year < 1970 || tm.tm_mon < 1 ||
		tm.tm_mon > 12 || tm.tm_mday < 1 || tm.tm_mday > 31 || tm.tm_hour < 0 ||
		tm.tm_hour > 24 || tm.tm_min < 0 || tm.tm_min > 59 || tm.tm_sec < 0 ||
		tm.tm_sec > 60)
		return false;
	tm.tm_year -= 1900;
	tm.tm_mon--;
	t = (int64_t)timegm(&tm) - (int64_t)zone * 60;
	if (t <= 0)
		return false;
	*ret_ms = (uint64_t)t * 1000;
	return true;
}

static double mbps_of(const struct sense_form *f, double v)
{
	switch (f->unit) {
	case CONF_UNIT_BPS:
		return v / 1e6;
	case CONF_UNIT_KBPS:
		return v / 1e3;
	case CONF_UNIT_OCTETS:
		return v * 8 / 1e6 / (f->step_s ? f->step_s : 1);
	default:
		return v;
	}
}

static int add(struct sense_points *p, uint64_t t_ms, double v, struct errbuf *err)
{
	uint32_t i = p->n;

	while (i && p->at[i - 1].t_ms > t_ms)
		i--;
	if (i && p->at[i - 1].t_ms == t_ms) {
		p->at[i - 1].v += v;
		return 0;
	}
	if (p->n == SENSE_MAX_POINTS)
		return err_set(err, SL_ELIMIT, "more than %d points", SENSE_MAX_POINTS);
	memmove(&p->at[i + 1], &p->at[i], (p->n - i) * sizeof(p->at[0]));
	p->at[i] = (struct sense_point){t_ms, v};
	p->n++;
	return 0;
}

/* Where the reader is: how many members it has seen. */
struct reader {
	const struct sense_form *f;
	struct sense_points *p;
	struct errbuf *err;
	uint32_t members;
};

static int take_point(struct reader *r, const cJSON *at)
{
	const cJSON *v = look_up(at, str_from(r->f->value)), *t;
	uint64_t t_ms = 0;
	double n;

	if (!take_number(v, &n))
		return err_set(r->err, SL_EFORMAT, "%s%s: no number", r->f->series, r->f->value);
	if (r->f->time[0]) {
		t = look_up(at, str_from(r->f->time));
		if (!sense_series_time(t, r->f->utc_offset_min, &t_ms))
			return err_set(
				r->err, SL_EFORMAT, "%s%s: no time", r->f->series, r->f->time);
	}
	return add(r->p, t_ms, mbps_of(r->f, n), r->err);
}

static int read_list(struct reader *r, const cJSON *at, struct str pointer)
{
	const char *star = memmem(pointer.p, pointer.n, "/*", 2);
	struct str head = {pointer.p, star ? (size_t)(star - pointer.p) : pointer.n};
	struct str tail = {head.p + head.n + 2, star ? pointer.n - head.n - 2 : 0};
	const cJSON *list = look_up(at, head), *m;
	int rc = 0;

	if (!list)
		return err_set(r->err, SL_EFORMAT, STR_FMT ": nothing there", STR_ARG(head));
	if (!cJSON_IsArray(list) || (!star && !r->f->time[0] && cJSON_IsNumber(list)))
		return star ? err_set(r->err, SL_EFORMAT, STR_FMT ": no list", STR_ARG(head))
			    : take_point(r, list);
	for (m = list->child; m && !rc; m = m->next) {
		if (++r->members > SENSE_MAX_MEMBERS)
			return err_set(
				r->err, SL_ELIMIT, "more than %d members", SENSE_MAX_MEMBERS);
		rc = star ? read_list(r, m, tail) : take_point(r, m);
	}
	return rc;
}

int sense_series_read(const struct sense_form *form, const cJSON *reply,
	struct sense_points *points, struct errbuf *err)
{
	struct reader r = {form, points, err, 0};

	if (!reply)
		return err_set(err, SL_EFORMAT, "no JSON");
	return read_list(&r, reply, str_from(form->series));
}

bool sense_series_text(const cJSON *reply, const char *pointer, char *ret, size_t size)
{
	const cJSON *v = look_up(reply, str_from(pointer));
	int n = 0;

	if (cJSON_IsString(v))
		n = snprintf(ret, size, "%s", v->valuestring);
	else if (cJSON_IsNumber(v))
		n = snprintf(ret, size, "%.15g", v->valuedouble);
	else if (cJSON_IsTrue(v) || cJSON_IsObject(v) || cJSON_IsArray(v))
		n = snprintf(ret, size, "true");
	return n > 0 && (size_t)n < size;
}

bool sense_series_window(const struct sense_points *p, uint64_t start_ms, uint32_t window_s,
	uint32_t step_s, double *ret_mbps)
{
	uint64_t end_ms = start_ms + window_s * UINT64_C(1000), step_ms = step_s * UINT64_C(1000);
	bool closed = false;
	double sum = 0;
	uint32_t n = 0;

	for (uint32_t i = 0; i < p->n; i++) {
		uint64_t t = p->at[i].t_ms;

		closed |= t + step_ms >= end_ms;
		if (t < start_ms || t >= end_ms)
			continue;
		sum += p->at[i].v;
		n++;
	}
	if (!closed || (uint64_t)n * 2 * step_s < window_s)
		return false;
	*ret_mbps = sum / n;
	return true;
}
