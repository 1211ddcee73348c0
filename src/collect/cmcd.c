/* SPDX-License-Identifier: Apache-2.0 */
#include "collect/cmcd.h"

#include "collect/json.h"

/* What the keys said, before it is made a report. */
struct keys {
	struct str sid, cid, cdn, host, event, url;
	double br, msd, rc, ts, bsda;
	bool has_br, has_msd, has_rc, has_ts, has_bsda, stalled, failed, state, starved;
	char *scratch;
	size_t scratch_n;
};

static struct collect_verdict verdict(enum collect_refusal r, enum collect_field f)
{
	return (struct collect_verdict){r, f};
}

static bool number(struct str s, double *ret)
{
	struct collect_json j = collect_json_over(s);

	return s.n && collect_json_number(&j, ret) && collect_json_end(&j);
}

/* The first member of an inner list, "(5000;v 128;a)" (RFC 8941 section 3.1.1), or the value
 * itself; parameters are cut off. */
static struct str first_of(struct str s)
{
	if (s.n && s.p[0] == '(') {
		s.p++;
		s.n--;
	}
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] == ' ' || s.p[i] == ';' || s.p[i] == ')') {
			s.n = i;
			break;
		}
	return s;
}

static bool takes_text(struct keys *k, struct str key, struct str v)
{
	static const struct {
		const char *key;
		size_t offset;
	} rows[] = {
		{"sid", offsetof(struct keys, sid)},
		{"cid", offsetof(struct keys, cid)},
		{"cdn", offsetof(struct keys, cdn)},
		{"h", offsetof(struct keys, host)},
		{"url", offsetof(struct keys, url)},
		{"e", offsetof(struct keys, event)},
	};

	for (size_t i = 0; i < SL_COUNT(rows); i++)
		if (str_eq_z(key, rows[i].key)) {
			memcpy((char *)k + rows[i].offset, &v, sizeof(v));
			return true;
		}
	return false;
}

/* A key with its value, quotes and escapes taken away; false when the value is not what it must be.
 */
static bool take(struct keys *k, struct str key, struct str v)
{
	double n = 0;

	if (takes_text(k, key, v))
		return true;
	if (str_eq_z(key, "br"))
		return k->has_br = number(first_of(v), &k->br);
	if (str_eq_z(key, "msd"))
		return k->has_msd = number(first_of(v), &k->msd);
	if (str_eq_z(key, "rc"))
		return k->has_rc = number(v, &k->rc);
	if (str_eq_z(key, "ts"))
		return k->has_ts = number(v, &k->ts);
	if (str_eq_z(key, "bsd")) { /* durations of stalls, each told once */
		if (!number(first_of(v), &n))
			return false;
		k->stalled |= n >= COLLECT_STALL_MS;
		return true;
	}
	if (str_eq_z(key, "bsda")) /* all of them so far */
		return k->has_bsda = number(first_of(v), &k->bsda);
	if (str_eq_z(key, "sta")) {
		k->state = true;
		k->starved = str_eq_z(v, "r");
		k->failed |= str_eq_z(v, "f");
	}
	if (str_eq_z(key, "ec"))
		k->failed = true;
	return true;
}

/* --- the text form -------------------------------------------------------------------------- */

static bool is_key(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.' ||
	       c == '_' || c == '*';
}

/* The text of a quoted string with escapes; empty when there is no room for it. */
static struct str unquote(struct str raw, struct keys *k)
{
	char *to = k->scratch;
	size_t n = 0;

	if (raw.n > k->scratch_n)
		return (struct str){to, 0};
	for (size_t i = 0; i < raw.n; i++) {
		i += raw.p[i] == '\\' && i + 1 < raw.n;
		to[n++] = raw.p[i];
	}
	k->scratch += n;
	k->scratch_n -= n;
	return (struct str){to, n};
}

/* The quoted string that *rest begins with, which is moved past it. */
static bool quoted(struct str *rest, struct keys *k, struct str *ret)
{
	bool escaped = false;
	size_t i = 1;

	for (; i < rest->n && rest->p[i] != '"'; i++) {
		if (rest->p[i] == '\\') {
			escaped = true;
			i++;
		}
	}
	if (i >= rest->n)
		return false;
	*ret = (struct str){rest->p + 1, i - 1};
	*rest = (struct str){rest->p + i + 1, rest->n - i - 1};
	if (escaped)
		*ret = unquote(*ret, k);
	return true;
}

/* A bare value: up to the comma, quotes and brackets within kept whole. */
static struct str bare(struct str *rest)
{
	bool in_quotes = false;
	int depth = 0;
	size_t i = 0;
	struct str v;

	for (; i < rest->n; i++) {
		char c = rest->p[i];

		in_quotes ^= c == '"';
		depth += in_quotes ? 0 : (c == '(') - (c == ')');
		if (c == ',' && !in_quotes && depth <= 0)
			break;
	}
	v = (struct str){rest->p, i};
	*rest = (struct str){rest->p + i, rest->n - i};
	while (v.n && (v.p[v.n - 1] == ' ' || v.p[v.n - 1] == '\r'))
		v.n--;
	return v;
}

static bool one_key(struct str *rest, struct keys *k)
{
	struct str key = {rest->p, 0}, v = {rest->p, 0};

	while (key.n < rest->n && is_key(rest->p[key.n]))
		key.n++;
	if (key.n == 0)
		return false;
	*rest = (struct str){rest->p + key.n, rest->n - key.n};
	if (rest->n && rest->p[0] == '=') {
		*rest = (struct str){rest->p + 1, rest->n - 1};
		if (rest->n && rest->p[0] == '"') {
			if (!quoted(rest, k, &v))
				return false;
		} else {
			v = bare(rest);
			if (v.n == 0)
				return false;
		}
	}
	return take(k, key, v);
}

static void blanks(struct str *s)
{
	while (s->n && (s->p[0] == ' ' || s->p[0] == '\t' || s->p[0] == '\r')) {
		s->p++;
		s->n--;
	}
}

static bool read_keys(struct str rest, struct keys *k)
{
	blanks(&rest);
	while (rest.n) {
		if (!one_key(&rest, k))
			return false;
		blanks(&rest);
		if (rest.n == 0)
			break;
		if (rest.p[0] != ',')
			return false;
		rest = (struct str){rest.p + 1, rest.n - 1};
		blanks(&rest);
		if (rest.n == 0)
			return false;
	}
	return true;
}

/* --- the JSON form -------------------------------------------------------------------------- */

static bool json_value(struct collect_json *j, struct keys *k, struct str key)
{
	const char *start;
	struct str v;
	bool escaped;
	int n;

	switch (collect_json_peek(j)) {
	case '"':
		if (!collect_json_string(j, &v, &escaped))
			return false;
		if (escaped) {
			n = collect_json_unescape(v, k->scratch, k->scratch_n);
			if (n < 0)
				return false;
			v = (struct str){k->scratch, (size_t)n};
			k->scratch += n;
			k->scratch_n -= (size_t)n;
		}
		return take(k, key, v);
	case '[': /* a list: its first member counts */
		start = j->p++;
		(void)collect_json_peek(j);
		v = (struct str){j->p, 0};
		while (v.n < (size_t)(j->end - v.p) && v.p[v.n] != ',' && v.p[v.n] != ']')
			v.n++;
		j->p = start;
		return collect_json_skip(j) && (v.n == 0 || take(k, key, v));
	default:
		start = j->p;
		if (!collect_json_skip(j))
			return false;
		v = (struct str){start, (size_t)(j->p - start)};
		return str_eq_z(v, "false") || str_eq_z(v, "null") || v.p[0] == '{' ||
		       take(k, key, v);
	}
}

static bool read_json(struct str text, struct keys *k)
{
	struct collect_json j = collect_json_over(text);
	bool first = true;
	struct str key;

	while (collect_json_next(&j, '{', '}', &first))
		if (!collect_json_key(&j, &key) || !json_value(&j, k, key))
			return false;
	return collect_json_end(&j);
}

/* --- to a report ---------------------------------------------------------------------------- */

/* The host of a URL; what is none is left as it is. */
static struct str host_of(struct str url)
{
	for (size_t i = 0; i + 3 <= url.n; i++)
		if (memcmp(url.p + i, "://", 3) == 0) {
			url = (struct str){url.p + i + 3, url.n - i - 3};
			break;
		}
	for (size_t i = 0; i < url.n; i++)
		if (url.p[i] == '/' || url.p[i] == ':' || url.p[i] == '?')
			url.n = i;
	return url;
}

static void set(struct collect_report *r, enum collect_field f)
{
	r->has |= UINT32_C(1) << f;
}

/* Names go into facts and logs: what is printed, of ASCII. */
static bool is_text(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if ((uint8_t)s.p[i] < 0x20 || (uint8_t)s.p[i] > 0x7e)
			return false;
	return true;
}

static enum collect_refusal put_text(
	struct collect_report *r, enum collect_field f, struct str *to, struct str v, size_t max)
{
	if (v.n == 0)
		return COLLECT_MISSING;
	if (v.n > max)
		return COLLECT_LENGTH;
	if (!is_text(v))
		return COLLECT_TEXT;
	*to = v;
	set(r, f);
	return COLLECT_ACCEPTED;
}

static enum collect_refusal put_number(
	struct collect_report *r, enum collect_field f, double *to, double v, double max)
{
	if (!(v >= 0 && v <= max))
		return COLLECT_RANGE;
	*to = v;
	set(r, f);
	return COLLECT_ACCEPTED;
}

/* A pull attempt ends with a response (rr) or an error (e); msd comes once, with the first frame.
 */
static void put_end(struct collect_report *r, const struct keys *k)
{
	bool failed = k->failed || str_eq_z(k->event, "e") ||
		      (k->has_rc && (k->rc < 200 || k->rc >= 400));

	if (!failed && !k->has_msd)
		return;
	r->flag.ok = !failed;
	set(r, COLLECT_F_ok);
}

static struct collect_verdict to_report(
	const struct keys *k, const struct collect_cmcd_context *c, struct collect_report *r)
{
	struct str vendor = k->cdn.n      ? k->cdn
			    : c->vendor.n ? c->vendor
			    : k->host.n   ? k->host
					  : host_of(k->url);
	enum collect_refusal why;

	why = put_text(r, COLLECT_F_session, &r->text.session, k->sid, 64);
	if (why)
		return verdict(why, COLLECT_F_session);
	why = put_text(r, COLLECT_F_stream, &r->text.stream, k->cid, 128);
	if (why)
		return verdict(why, COLLECT_F_stream);
	why = put_text(r, COLLECT_F_vendor, &r->text.vendor, vendor, 128);
	if (why)
		return verdict(why, COLLECT_F_vendor);
	if (k->has_ts && put_number(r, COLLECT_F_t_ms, &r->num.t_ms, k->ts, 4e15))
		return verdict(COLLECT_RANGE, COLLECT_F_t_ms);
	if (k->has_br && put_number(r, COLLECT_F_bitrate_kbps, &r->num.bitrate_kbps, k->br, 400000))
		return verdict(COLLECT_RANGE, COLLECT_F_bitrate_kbps);
	if (k->has_msd &&
		put_number(r, COLLECT_F_first_frame_ms, &r->num.first_frame_ms, k->msd, 60000))
		return verdict(COLLECT_RANGE, COLLECT_F_first_frame_ms);
	if (k->has_bsda && !(k->bsda >= 0 && k->bsda < UINT32_MAX))
		return verdict(COLLECT_RANGE, COLLECT_F_stalls);
	put_end(r, k);
	r->n_stalls = k->stalled;
	r->stall_total_ms = k->has_bsda ? (uint32_t)k->bsda : UINT32_MAX;
	r->state = k->state;
	r->starved = k->starved;
	return verdict(COLLECT_ACCEPTED, COLLECT_FIELDS);
}

static struct collect_verdict read(struct str text, const struct collect_cmcd_context *c,
	struct collect_report *ret, bool (*reader)(struct str, struct keys *))
{
	struct keys k = {.scratch = ret->scratch, .scratch_n = sizeof(ret->scratch)};

	ret->has = ret->n_stalls = 0;
	if (text.n > COLLECT_CMCD_MAX)
		return verdict(COLLECT_LENGTH, COLLECT_FIELDS);
	if (!reader(text, &k))
		return verdict(COLLECT_LINE, COLLECT_FIELDS);
	return to_report(&k, c, ret);
}

struct collect_verdict collect_cmcd_keys(
	struct str text, const struct collect_cmcd_context *c, struct collect_report *ret)
{
	return read(text, c, ret, read_keys);
}

struct collect_verdict collect_cmcd_json(
	struct str text, const struct collect_cmcd_context *c, struct collect_report *ret)
{
	return read(text, c, ret, read_json);
}
