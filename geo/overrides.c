/* SPDX-License-Identifier: Apache-2.0 */
/* Lines of the operator's corrections to ranges in which the longest prefix wins. */
#include "geo/overrides.h"

#include "geo/key.h"
#include "geo/province.h"

#include <stdlib.h>

struct row {
	geo_addr first, last;
	uint64_t key;
	unsigned line;
	uint8_t family;
};

struct rows {
	struct row *r;
	size_t n, cap;
};

struct where {
	const char *name;
	unsigned line;
	struct errbuf *err;
};

static int bad(const struct where *w, const char *what, struct str got)
{
	return err_set(w->err, SL_EFORMAT, "%s:%u: %s, got \"" STR_FMT "\"", w->name, w->line, what,
		(int)SL_MIN(got.n, (size_t)80), got.p);
}

static struct str trim(struct str s)
{
	while (s.n && (s.p[0] == ' ' || s.p[0] == '\t')) {
		s.p++;
		s.n--;
	}
	while (s.n && (s.p[s.n - 1] == ' ' || s.p[s.n - 1] == '\t' || s.p[s.n - 1] == '\r'))
		s.n--;
	return s;
}

static struct str field(struct str *rest)
{
	return trim(str_cut(rest, ','));
}

static int parse_prefix(const struct where *w, struct str s, struct row *row)
{
	struct ip a;
	uint8_t len;

	if (!ip_parse_prefix(s, &a, &len))
		return bad(w, "want ADDR/LEN without host bits", s);
	if (!ip_eq(ip_embedded_v4(a), a))
		return bad(w, "write the v4 prefix that this stands for", s);
	row->family = a.family;
	row->first = geo_addr_from(a);
	row->last = geo_addr_last(row->first, len, ip_bits(a));
	return 0;
}

static int parse_country(const struct where *w, struct str s, struct geo_key *k)
{
	if (str_eq_z(s, "-"))
		k->country = GEO_NONE;
	else if (s.n && (k->country = geo_code_country(s)) == 0)
		return bad(w, "want a country of two letters", s);
	return 0;
}

/* `GD` or `CN-GD`. Those of China are known by name, so a slip there is told. */
static int parse_province(const struct where *w, struct str s, struct geo_key *k)
{
	const struct geo_province *p = NULL;
	char country[4];
	struct str cc = geo_code_text(k->country, country), code = s;

	if (str_eq_z(s, "-")) {
		k->province = GEO_NONE;
		return 0;
	}
	if (s.n > 3 && s.p[2] == '-' && str_eq_ci((struct str){s.p, 2}, cc))
		code = (struct str){s.p + 3, s.n - 3};
	if (s.n && (k->province = geo_code_province(code)) == 0)
		return bad(w, "want a province like GD or CN-GD", s);
	if (s.n && str_eq_z(cc, "CN") && (p = geo_province_find(code)) == NULL)
		return bad(w, "no such province of CN", s);
	if (p)
		k->province = geo_code_province(str_from(p->code));
	return 0;
}

static int parse_isp(const struct where *w, struct str s, const struct geo_isp *isps, size_t n,
	struct geo_key *k)
{
	size_t i;

	if (s.n == 0)
		return 0;
	if (str_eq_z(s, "-")) {
		k->isp = GEO_ISP_NONE;
		return 0;
	}
	i = geo_isp_by_name(isps, n, s);
	if (i == n)
		return bad(w, "no such carrier in the table", s);
	k->isp = (uint8_t)(i + 1);
	return 0;
}

static int parse_row(const struct where *w, struct str line, const struct geo_isp *isps, size_t n,
	struct row *row)
{
	struct str rest = line;
	struct geo_key k = {0};
	int rc;

	*row = (struct row){.line = w->line};
	if ((rc = parse_prefix(w, field(&rest), row)) != 0 ||
		(rc = parse_country(w, field(&rest), &k)) != 0 ||
		(rc = parse_province(w, field(&rest), &k)) != 0 ||
		(rc = parse_isp(w, field(&rest), isps, n, &k)) != 0)
		return rc;
	row->key = geo_key_pack(k);
	return row->key ? 0 : bad(w, "a line that says nothing", line);
}

static int rows_add(const struct where *w, struct rows *rows, const struct row *row)
{
	struct row *grown;
	size_t cap = rows->cap ? 2 * rows->cap : 256;

	if (rows->n == GEO_MAX_OVERRIDES)
		return err_set(w->err, SL_ELIMIT, "%s:%u: more than %d prefixes", w->name, w->line,
			GEO_MAX_OVERRIDES);
	if (rows->n == rows->cap) {
		grown = realloc(rows->r, cap * sizeof(*grown));
		if (!grown)
			return err_set(w->err, SL_ENOMEM, "%s: out of memory", w->name);
		rows->r = grown;
		rows->cap = cap;
	}
	rows->r[rows->n++] = *row;
	return 0;
}

static bool is_heading(struct str line)
{
	return line.n >= 7 && str_eq_ci((struct str){line.p, 7}, STR_LIT("prefix,"));
}

static int parse_all(
	struct where *w, struct str text, const struct geo_isp *isps, size_t n, struct rows *rows)
{
	int rc = 0;

	while (text.n && rc == 0) {
		struct str line = trim(str_cut(&text, '\n'));
		struct row row;

		w->line++;
		if (line.n == 0 || line.p[0] == '#' || is_heading(line))
			continue;
		if ((rc = parse_row(w, line, isps, n, &row)) == 0)
			rc = rows_add(w, rows, &row);
	}
	return rc;
}

/* v4 before v6, by place, the wider before those within. */
static int by_place(const void *pa, const void *pb)
{
	const struct row *a = pa, *b = pb;

	if (a->family != b->family)
		return a->family < b->family ? -1 : 1;
	if (a->first != b->first)
		return a->first < b->first ? -1 : 1;
	if (a->last != b->last)
		return a->last > b->last ? -1 : 1;
	return (a->line > b->line) - (a->line < b->line);
}

/*
 * Prefixes nest or are apart, so those around the present place form a stack. Between two events
 * (a prefix begins or ends) the innermost speaks.
 */
static int sweep(const struct row *r, size_t n, struct geo_cover *out)
{
	const struct row *open[129];
	size_t depth = 0, i = 0;
	geo_addr at = 0;
	int rc = 0;

	while (rc == 0 && (i < n || depth > 0)) {
		const struct row *top;

		if (depth == 0 || (i < n && r[i].first <= open[depth - 1]->last)) {
			if (depth && r[i].first > at)
				rc = geo_cover_put(out, at, r[i].first - 1, open[depth - 1]->key);
			at = r[i].first;
			open[depth++] = &r[i++];
			continue;
		}
		top = open[--depth];
		if (at <= top->last)
			rc = geo_cover_put(out, at, top->last, top->key);
		if (top->last == geo_cover_last(out, out->n - 1))
			break; /* the end of the space: no prefix around it goes further */
		at = top->last + 1;
	}
	return rc;
}

static int check_twice(const struct where *w, const struct rows *rows)
{
	for (size_t i = 1; i < rows->n; i++) {
		const struct row *a = &rows->r[i - 1], *b = &rows->r[i];

		if (a->family == b->family && a->first == b->first && a->last == b->last)
			return err_set(w->err, SL_EEXIST, "%s:%u: the prefix of line %u again",
				w->name, b->line, a->line);
	}
	return 0;
}

static int place_all(
	const struct where *w, const struct rows *rows, struct geo_cover *v4, struct geo_cover *v6)
{
	size_t n4 = 0;
	int rc;

	qsort(rows->r, rows->n, sizeof(*rows->r), by_place);
	if ((rc = check_twice(w, rows)) != 0)
		return rc;
	while (n4 < rows->n && rows->r[n4].family == IP_V4)
		n4++;
	rc = sweep(rows->r, n4, v4);
	return rc ? rc : sweep(rows->r + n4, rows->n - n4, v6);
}

int geo_overrides_parse(const char *name, struct str text, const struct geo_isp *isps,
	size_t n_isps, struct geo_cover *v4, struct geo_cover *v6, struct errbuf *err)
{
	struct where w = {name, 0, err};
	struct rows rows = {0};
	int rc = parse_all(&w, text, isps, n_isps, &rows);

	if (rc == 0 && rows.r)
		rc = place_all(&w, &rows, v4, v6);
	free(rows.r);
	return rc;
}
