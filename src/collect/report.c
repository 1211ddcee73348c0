/* SPDX-License-Identifier: Apache-2.0 */
#include "collect/report.h"

#include "collect/json.h"

enum type { TEXT, NUM, BOOL, STALLS };

static const struct row {
	const char *name;
	enum type type;
	uint16_t offset;
	uint8_t length;
	double min, max;
} rows[COLLECT_FIELDS] = {
#define OFFSET_TEXT(f)              offsetof(struct collect_report, text.f)
#define OFFSET_NUM(f)               offsetof(struct collect_report, num.f)
#define OFFSET_BOOL(f)              offsetof(struct collect_report, flag.f)
#define OFFSET_STALLS(f)            0
#define FIELD(name, type, min, max) {#name, type, OFFSET_##type(name), sizeof(#name) - 1, min, max},
#include "collect/report.def"
#undef FIELD
};

static const char *const words[] = {
	"",
#define REFUSAL(id, word, text) word,
#include "collect/report.def"
#undef REFUSAL
};

static const char *const texts[] = {
	"",
#define REFUSAL(id, word, text) text,
#include "collect/report.def"
#undef REFUSAL
};

const char *collect_refusal_word(enum collect_refusal r)
{
	return words[r];
}

const char *collect_refusal_text(enum collect_refusal r)
{
	return texts[r];
}

static const char *const definitions[] = {
	"-",
	"other",
#define DEFINITION(word) word,
#include "collect/words.def"
#undef DEFINITION
};

static const char *const clients[] = {
	"-",
	"other",
#define CLIENT(word) word,
#include "collect/words.def"
#undef CLIENT
};

_Static_assert(SL_COUNT(definitions) <= COLLECT_WORDS && SL_COUNT(clients) <= COLLECT_WORDS,
	"ids are places in arrays of COLLECT_WORDS");

static uint8_t word_id(struct str word, const char *const *of, size_t n)
{
	if (word.n == 0)
		return COLLECT_WORD_NONE;
	for (size_t i = COLLECT_WORD_FIRST; i < n; i++)
		if (strncasecmp(of[i], word.p, word.n) == 0 && of[i][word.n] == '\0')
			return (uint8_t)i;
	return COLLECT_WORD_OTHER;
}

uint8_t collect_definition(struct str word)
{
	return word_id(word, definitions, SL_COUNT(definitions));
}

uint8_t collect_client(struct str word)
{
	return word_id(word, clients, SL_COUNT(clients));
}

const char *collect_definition_word(uint32_t id)
{
	return id < SL_COUNT(definitions) ? definitions[id] : NULL;
}

const char *collect_client_word(uint32_t id)
{
	return id < SL_COUNT(clients) ? clients[id] : NULL;
}

const char *collect_field_name(enum collect_field f)
{
	return f < COLLECT_FIELDS ? rows[f].name : NULL;
}

/* One body on its way. */
struct parse {
	struct collect_json j;
	collect_report_fn *take;
	collect_refused_fn *refused;
	void *ctx;
	uint32_t index;           /* of the report at the cursor */
	unsigned guess;           /* field that comes next if reports are alike */
	bool batch;               /* {"reports":[...]} was found */
	bool told;                /* of the fault that ended it */
	struct collect_verdict v; /* of this report; the first fault counts */
	struct collect_report r;
};

static void set_fault(struct parse *p, enum collect_refusal refusal, unsigned field)
{
	if (!p->v.refusal)
		p->v = (struct collect_verdict){refusal, (enum collect_field)field};
}

/* Reports of one sender have their fields in one order, so the guess is nearly always right. */
static unsigned find_field(struct parse *p, struct str key)
{
	unsigned f = p->guess;

	for (unsigned i = 0; i < COLLECT_FIELDS; i++, f++) {
		if (f >= COLLECT_FIELDS)
			f = 0;
		if (rows[f].length == key.n && memcmp(rows[f].name, key.p, key.n) == 0) {
			p->guess = f + 1;
			return f;
		}
	}
	return COLLECT_FIELDS;
}

/* Names go into facts and logs: no control octets. */
static bool is_name(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if ((uint8_t)s.p[i] < 0x20 || s.p[i] == 0x7f)
			return false;
	return true;
}

static void read_text(struct parse *p, unsigned f)
{
	struct collect_report *r = &p->r;
	struct str s;
	bool escaped;
	int n;

	if (!collect_json_string(&p->j, &s, &escaped))
		return;
	if (escaped) {
		char *to = r->scratch + r->scratch_used;

		n = collect_json_unescape(s, to, sizeof(r->scratch) - r->scratch_used);
		if (n < 0) {
			set_fault(p, COLLECT_TEXT, f);
			return;
		}
		s = (struct str){to, (size_t)n};
		r->scratch_used += (uint32_t)n;
	}
	if ((double)s.n < rows[f].min || (double)s.n > rows[f].max)
		set_fault(p, COLLECT_LENGTH, f);
	else if (!is_name(s))
		set_fault(p, COLLECT_TEXT, f);
	memcpy((char *)r + rows[f].offset, &s, sizeof(s));
}

static void read_num(struct parse *p, unsigned f)
{
	double v;

	if (!collect_json_number(&p->j, &v))
		return;
	if (!(v >= rows[f].min && v <= rows[f].max))
		set_fault(p, COLLECT_RANGE, f);
	memcpy((char *)&p->r + rows[f].offset, &v, sizeof(v));
}

static void read_bool(struct parse *p, unsigned f)
{
	bool v;

	if (collect_json_bool(&p->j, &v))
		memcpy((char *)&p->r + rows[f].offset, &v, sizeof(v));
}

static bool is_number(char c)
{
	return c == '-' || (c >= '0' && c <= '9');
}

static void read_stall(struct parse *p)
{
	bool first = true;
	double ms = -1, v;
	struct str key;

	while (collect_json_next(&p->j, '{', '}', &first) && collect_json_key(&p->j, &key)) {
		bool is_ms = str_eq(key, STR_LIT("ms")),
		     known = is_ms || str_eq(key, STR_LIT("start_ms"));

		if (!known) {
			(void)collect_json_skip(&p->j);
		} else if (!is_number(collect_json_peek(&p->j))) {
			set_fault(p, COLLECT_TYPE, COLLECT_F_stalls);
			(void)collect_json_skip(&p->j);
		} else if (collect_json_number(&p->j, &v)) {
			if (!(v >= 0 && v <= (is_ms ? (double)COLLECT_STALL_MAX_MS : 4e15)))
				set_fault(p, COLLECT_RANGE, COLLECT_F_stalls);
			ms = is_ms ? v : ms;
		}
	}
	if (ms < 0)
		set_fault(p, COLLECT_MISSING, COLLECT_F_stalls);
	p->r.n_stalls += ms >= COLLECT_STALL_MS;
}

static void read_stalls(struct parse *p, unsigned f)
{
	bool first = true;
	uint32_t n = 0;

	while (collect_json_next(&p->j, '[', ']', &first)) {
		if (++n > rows[f].max)
			set_fault(p, COLLECT_RANGE, f);
		if (collect_json_peek(&p->j) == '{') {
			read_stall(p);
		} else {
			set_fault(p, COLLECT_TYPE, f);
			(void)collect_json_skip(&p->j);
		}
	}
}

static bool type_fits(enum type t, char c)
{
	switch (t) {
	case TEXT:
		return c == '"';
	case NUM:
		return is_number(c);
	case BOOL:
		return c == 't' || c == 'f';
	case STALLS:
		return c == '[';
	}
	return false;
}

static void read_field(struct parse *p, unsigned f)
{
	char c = collect_json_peek(&p->j);

	if (f == COLLECT_FIELDS || c == 'n') { /* unknown, or null: as if it were absent */
		(void)collect_json_skip(&p->j);
		return;
	}
	if (collect_has(&p->r, (enum collect_field)f))
		set_fault(p, COLLECT_TWICE, f);
	p->r.has |= UINT32_C(1) << f;
	if (!type_fits(rows[f].type, c)) {
		set_fault(p, COLLECT_TYPE, f);
		(void)collect_json_skip(&p->j);
		return;
	}
	switch (rows[f].type) {
	case TEXT:
		read_text(p, f);
		break;
	case NUM:
		read_num(p, f);
		break;
	case BOOL:
		read_bool(p, f);
		break;
	case STALLS:
		read_stalls(p, f);
		break;
	}
}

static void begin(struct parse *p)
{
	p->r.has = p->r.n_stalls = p->r.scratch_used = 0;
	p->r.stall_total_ms = UINT32_MAX;
	p->r.state = p->r.starved = false;
	p->v = (struct collect_verdict){COLLECT_ACCEPTED, COLLECT_FIELDS};
	p->guess = 0;
}

static void finish(struct parse *p)
{
	bool named = collect_is_push(&p->r) && collect_has(&p->r, COLLECT_F_node);
	const enum collect_field wanted[] = {
		COLLECT_F_session, COLLECT_F_stream, named ? COLLECT_F_node : COLLECT_F_vendor};

	if (p->j.bad) { /* what was read before the fault is worth nothing */
		p->v = (struct collect_verdict){COLLECT_SYNTAX, COLLECT_FIELDS};
		p->told = true;
	}
	for (size_t i = 0; i < SL_COUNT(wanted); i++)
		if (!collect_has(&p->r, wanted[i]))
			set_fault(p, COLLECT_MISSING, wanted[i]);
	if (!p->v.refusal)
		p->v = p->take(p->ctx, &p->r);
	if (p->v.refusal)
		p->refused(p->ctx, p->index, p->v);
	p->index++;
}

static void read_report(struct parse *p)
{
	bool first = true;
	struct str key;

	begin(p);
	if (collect_json_peek(&p->j) != '{') {
		if (collect_json_skip(&p->j))
			set_fault(p, COLLECT_TYPE, COLLECT_FIELDS);
	} else
		while (collect_json_next(&p->j, '{', '}', &first) && collect_json_key(&p->j, &key))
			read_field(p, find_field(p, key));
	finish(p);
}

static void read_batch(struct parse *p)
{
	bool first = true;

	p->batch = true;
	while (!p->j.bad && collect_json_next(&p->j, '[', ']', &first)) {
		if (p->index == COLLECT_MAX_ITEMS) {
			p->refused(p->ctx, p->index++,
				(struct collect_verdict){COLLECT_COUNT, COLLECT_FIELDS});
			p->told = true;
			return;
		}
		read_report(p);
	}
}

uint32_t collect_report_parse(
	struct str body, collect_report_fn *take, collect_refused_fn *refused, void *ctx)
{
	struct parse p = {
		.j = collect_json_over(body), .take = take, .refused = refused, .ctx = ctx};
	bool first = true;
	struct str key;

	begin(&p);
	while (!p.told && collect_json_next(&p.j, '{', '}', &first) &&
		collect_json_key(&p.j, &key)) {
		if (p.batch)
			(void)collect_json_skip(&p.j);
		else if (str_eq(key, STR_LIT("reports")) && collect_json_peek(&p.j) == '[')
			read_batch(&p);
		else
			read_field(&p, find_field(&p, key));
	}
	if (!p.told && !collect_json_end(&p.j))
		p.j.bad = true;
	if (!p.batch)
		finish(&p);
	else if (p.j.bad && !p.told)
		refused(ctx, p.index++, (struct collect_verdict){COLLECT_SYNTAX, COLLECT_FIELDS});
	return p.index;
}
