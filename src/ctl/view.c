/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/view.h"

#include "base/os.h"

#include <cjson/cJSON.h>
#include <limits.h>
#include <math.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { MAX_COLUMNS = 64, CELL = 160, MAX_REGIONS = 1024 };

struct view {
	int width; /* 0: no terminal */
	bool dense;
	FILE *out;
};

static const char *const troubles[] = {"blacklisted", "evacuated", "drained", "down", "alarm",
	"firing", "refused", "at maximum", "critical", "stale", "broken"};

static bool is_scalar(const cJSON *v)
{
	return !cJSON_IsObject(v) && !cJSON_IsArray(v);
}

static bool is_table(const cJSON *v)
{
	return cJSON_IsArray(v) && cJSON_IsObject(v->child);
}

/* Seconds of unix time: when something was, for people, who can tell it from what the log says. */
static bool is_time(const cJSON *v)
{
	static const char *const names[] = {"time", "since", "window_start", "window_end"};

	for (size_t i = 0; v->string && i < SL_COUNT(names); i++)
		if (strcmp(v->string, names[i]) == 0)
			return v->valuedouble > 1e9 && v->valuedouble < 1e11;
	return false;
}

static void put_number(const cJSON *v, char *cell, size_t size)
{
	double d = v->valuedouble;
	char text[OS_TIME_TEXT];

	if (is_time(v)) {
		os_time_text((uint64_t)llround(d * 1e3), text);
		(void)snprintf(cell, size, "%s", text);
	} else if (d == floor(d) && fabs(d) < 1e15) {
		(void)snprintf(cell, size, "%.0f", d);
	} else {
		(void)snprintf(cell, size, "%.3f", d);
	}
}

static void put_cell(const cJSON *v, char *cell, size_t size)
{
	size_t n = 0;

	cell[0] = '\0';
	if (cJSON_IsString(v)) {
		(void)snprintf(cell, size, "%s", v->valuestring);
	} else if (cJSON_IsNumber(v)) {
		put_number(v, cell, size);
	} else if (cJSON_IsBool(v)) {
		(void)snprintf(cell, size, "%s", cJSON_IsTrue(v) ? "yes" : "no");
	} else if (!v || is_scalar(v)) {
		(void)snprintf(cell, size, "-");
	} else {
		for (const cJSON *k = v->child; k && n + 2 < size; k = k->next) {
			if (n)
				cell[n++] = ' ';
			if (cJSON_IsObject(v))
				n += (size_t)snprintf(cell + n, size - n, "%s=", k->string);
			if (n >= size)
				break;
			put_cell(k, cell + n, size - n);
			n += strlen(cell + n);
		}
	}
	if (!cell[0])
		(void)snprintf(cell, size, "-");
}

static const char *tint(const struct view *w, const char *cell)
{
	if (!w->width)
		return "";
	for (size_t i = 0; i < SL_COUNT(troubles); i++)
		if (strstr(cell, troubles[i]))
			return "\033[31m";
	return "";
}

static void put_padded(
	const struct view *w, const char *cell, int width, bool right, const char *on)
{
	(void)fprintf(w->out, "%s%*s%s", on, right ? width : -width, cell, on[0] ? "\033[0m" : "");
}

struct column {
	const char *name;
	int cells, width;
	bool right;
};

/* Columns in the order in which the rows first name them. */
static uint32_t columns(const cJSON *rows, struct column *ret)
{
	uint32_t n = 0;

	for (const cJSON *row = rows->child; row; row = row->next)
		for (const cJSON *v = row->child; v; v = v->next) {
			uint32_t i = 0;

			while (i < n && strcmp(ret[i].name, v->string))
				i++;
			if (i == n && n < MAX_COLUMNS)
				ret[n++] = (struct column){.name = v->string, .right = true};
		}
	return n;
}

/* A heading's part, as its underscores divide it; "" behind the last. */
static const char *part_of(const char *name, uint32_t part, char *ret, size_t size)
{
	for (; part > 0 && name; part--) {
		name = strchr(name, '_');
		name = name ? name + 1 : NULL;
	}
	(void)snprintf(ret, size, "%.*s", name ? (int)strcspn(name, "_") : 0, name ? name : "");
	return ret;
}

static int width_of_parts(const char *name)
{
	int width = 0;

	for (; *name; name += strcspn(name, "_"), name += *name == '_')
		width = SL_MAX(width, (int)strcspn(name, "_"));
	return width;
}

/* The headings, in one line where there is room for that. */
static void headings(const struct view *w, struct column *c, uint32_t n)
{
	bool more = true, parts;
	char text[CELL];
	int all = 0;

	for (uint32_t i = 0; i < n; i++)
		all += (i ? 2 : 0) + SL_MAX(c[i].cells, (int)strlen(c[i].name));
	parts = w->width && all > w->width;
	for (uint32_t i = 0; i < n; i++)
		c[i].width = SL_MAX(
			c[i].cells, parts ? width_of_parts(c[i].name) : (int)strlen(c[i].name));
	for (uint32_t line = 0; more; line++) {
		more = false;
		for (uint32_t i = 0; i < n; i++) {
			const char *name =
				parts ? part_of(c[i].name, line, text, sizeof(text)) : c[i].name;

			(void)fputs(i ? "  " : "", w->out);
			put_padded(w, name, i + 1 < n || c[i].right ? c[i].width : 0, c[i].right,
				w->width ? "\033[1m" : "");
			more = more || (parts && *part_of(c[i].name, line + 1, text, sizeof(text)));
		}
		(void)fputc('\n', w->out);
	}
}

static void table(const struct view *w, const cJSON *rows)
{
	struct column c[MAX_COLUMNS];
	uint32_t n = columns(rows, c);
	char cell[CELL];

	for (uint32_t i = 0; i < n; i++)
		for (const cJSON *row = rows->child; row; row = row->next) {
			const cJSON *v = cJSON_GetObjectItemCaseSensitive(row, c[i].name);

			put_cell(v, cell, sizeof(cell));
			c[i].cells = SL_MAX(c[i].cells, (int)strlen(cell));
			c[i].right = c[i].right && (!v || cJSON_IsNumber(v) || cJSON_IsNull(v));
		}
	headings(w, c, n);
	for (const cJSON *row = rows->child; row; row = row->next) {
		for (uint32_t i = 0; i < n; i++) {
			put_cell(cJSON_GetObjectItemCaseSensitive(row, c[i].name), cell,
				sizeof(cell));
			(void)fputs(i ? "  " : "", w->out);
			put_padded(w, cell, i + 1 < n || c[i].right ? c[i].width : 0, c[i].right,
				tint(w, cell));
		}
		(void)fputc('\n', w->out);
	}
}

static bool fare_alike(const cJSON *a, const cJSON *b)
{
	for (a = a->child->next, b = b->child->next; a && b; a = a->next, b = b->next)
		if (strcmp(a->string, b->string) != 0 || !cJSON_Compare(a, b, true))
			return false;
	return !a && !b;
}

/* Who would move, by region: the first row is everybody; of the regions that fare alike one is
 * left, with how many more there are. */
static cJSON *joined(const cJSON *rows)
{
	cJSON *out = cJSON_CreateArray();
	uint32_t more[MAX_REGIONS] = {0}, n = 0;

	for (const cJSON *row = rows->child; row; row = row->next) {
		const cJSON *kept = n ? out->child->next : NULL;
		uint32_t i = 1;

		for (; kept && !fare_alike(kept, row); kept = kept->next)
			i++;
		if (kept && i < MAX_REGIONS)
			more[i]++;
		if (!kept && cJSON_AddItemToArray(out, cJSON_Duplicate(row, true)))
			n++;
	}
	n = 0;
	for (cJSON *row = out->child; row && n < MAX_REGIONS; row = row->next, n++) {
		char name[CELL];

		(void)snprintf(
			name, sizeof(name), "%s +%u", cJSON_GetStringValue(row->child), more[n]);
		if (more[n])
			(void)cJSON_SetValuestring(row->child, name);
	}
	return out;
}

static bool is_impact(const cJSON *rows)
{
	const cJSON *first = rows->child->child;

	return first && cJSON_IsString(first) && !strcmp(first->string, "region") && first->next &&
	       !strcmp(first->next->string, "moves_percent");
}

static void object(const struct view *w, const cJSON *o);

/* Whether rows have tables of their own: these are no cells. */
static bool nests(const cJSON *rows)
{
	for (const cJSON *row = rows->child; row; row = row->next)
		for (const cJSON *v = row->child; v; v = v->next)
			if (is_table(v))
				return true;
	return false;
}

static void rows_of(const struct view *w, const cJSON *rows)
{
	cJSON *shown = is_impact(rows) ? joined(rows) : NULL;

	if (!shown && nests(rows))
		for (const cJSON *row = rows->child; row; row = row->next) {
			(void)fputs(row == rows->child ? "" : "\n", w->out);
			object(w, row);
		}
	else
		table(w, shown ? shown : rows);
	cJSON_Delete(shown);
}

static void heading(const struct view *w, const char *name)
{
	(void)fprintf(
		w->out, "\n%s%s%s\n", w->width ? "\033[1m" : "", name, w->width ? "\033[0m" : "");
}

/* Single values of an object, in as many columns as there is room for. */
static void side_by_side(const struct view *w, const cJSON *o)
{
	char cell[CELL], text[2 * CELL];
	int wide = 0, at = 0;

	for (const cJSON *v = o->child; v; v = v->next)
		if (is_scalar(v)) {
			put_cell(v, cell, sizeof(cell));
			wide = SL_MAX(wide, (int)(strlen(v->string) + strlen(cell)) + 4);
		}
	for (const cJSON *v = o->child; v; v = v->next) {
		if (!is_scalar(v))
			continue;
		put_cell(v, cell, sizeof(cell));
		if (at && at + wide > w->width) {
			(void)fputc('\n', w->out);
			at = 0;
		}
		(void)snprintf(text, sizeof(text), "%s  %s", v->string, cell);
		put_padded(w, text, wide, false, tint(w, cell));
		at += wide;
	}
	(void)fputc('\n', w->out);
}

static void object(const struct view *w, const cJSON *o)
{
	char cell[CELL * 4];
	int width = 0;

	if (w->dense)
		side_by_side(w, o);

	for (const cJSON *v = o->child; v; v = v->next)
		if (!is_table(v) && !cJSON_IsObject(v))
			width = SL_MAX(width, (int)strlen(v->string));
	for (const cJSON *v = o->child; v; v = v->next) {
		if (is_table(v) || cJSON_IsObject(v) || (w->dense && is_scalar(v)))
			continue;
		if (cJSON_IsString(v) && strchr(v->valuestring, '\n')) {
			(void)fputs(v->valuestring, w->out);
			continue;
		}
		put_cell(v, cell, sizeof(cell));
		(void)fprintf(w->out, "%-*s  ", width, v->string);
		put_padded(w, cell, 0, false, tint(w, cell));
		(void)fputc('\n', w->out);
	}
	for (const cJSON *v = o->child; v; v = v->next) {
		if (!is_table(v) && !cJSON_IsObject(v))
			continue;
		if (v != o->child)
			heading(w, v->string);
		if (is_table(v))
			rows_of(w, v);
		else
			object(w, v);
	}
}

int ctl_width(int fd)
{
	struct winsize size = {0};

	if (isatty(fd) != 1)
		return 0;
	return ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col ? size.ws_col : INT_MAX;
}

void ctl_view_screen(const char *text, int fd, FILE *out)
{
	struct winsize size = {0};
	int width = ctl_width(fd), rows = INT_MAX;

	if (ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_row)
		rows = size.ws_row - 1;
	(void)fputs("\033[H", out);
	for (int at = 0; *text && rows > 0; text++) {
		if (*text == '\033') { /* ends in its first letter, and takes no room */
			size_t n = strcspn(text, "m");

			(void)fprintf(out, "%.*s", (int)n + 1, text);
			text += n;
		} else if (*text == '\n') {
			(void)fputs("\033[K\n", out);
			at = 0;
			rows--;
		} else {
			at += ((unsigned char)*text & 0xc0) != 0x80; /* a character of UTF-8 */
			if (at <= width)
				(void)fputc(*text, out);
		}
	}
	(void)fputs("\033[J", out);
}

void ctl_view(const struct cJSON *json, int width, FILE *out)
{
	struct view w = {.width = width, .out = out};
	const cJSON *only = json->child;

	const cJSON *whole = cJSON_GetObjectItemCaseSensitive(json, "markdown");

	if (cJSON_IsString(whole)) /* a document; the rest is the same for programs */
		(void)fputs(whole->valuestring, out);
	else if (only && !only->next && cJSON_IsArray(only) && only->child &&
		 is_scalar(only->child))
		for (const cJSON *v = only->child; v; v = v->next)
			(void)fprintf(out, "%s\n", cJSON_IsString(v) ? v->valuestring : "-");
	else
		object(&w, json);
}

void ctl_view_dense(const struct cJSON *json, int width, FILE *out)
{
	struct view w = {.width = width, .dense = true, .out = out};

	object(&w, json);
}

bool ctl_ask(const cJSON *json, const char *word)
{
	char line[256];

	ctl_view(json, ctl_width(STDERR_FILENO), stderr);
	(void)fprintf(stderr, "Type %s to go ahead: ", word);
	if (!fgets(line, sizeof(line), stdin))
		return false;
	line[strcspn(line, "\n")] = '\0';
	return strcmp(line, word) == 0;
}
