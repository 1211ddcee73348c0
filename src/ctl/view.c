/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/view.h"

#include <cjson/cJSON.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

enum { MAX_COLUMNS = 64, CELL = 160, MAX_REGIONS = 1024 };

struct view {
	bool colour;
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

/* Seconds of unix time are shown as they are: scripts read --json, people read ages. */
static void put_number(double d, char *cell, size_t size)
{
	if (d == floor(d) && fabs(d) < 1e15)
		(void)snprintf(cell, size, "%.0f", d);
	else
		(void)snprintf(cell, size, "%.3f", d);
}

static void put_cell(const cJSON *v, char *cell, size_t size)
{
	size_t n = 0;

	cell[0] = '\0';
	if (cJSON_IsString(v)) {
		(void)snprintf(cell, size, "%s", v->valuestring);
	} else if (cJSON_IsNumber(v)) {
		put_number(v->valuedouble, cell, size);
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
	if (!w->colour)
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

/* Columns in the order in which the rows first name them. */
static uint32_t columns(const cJSON *rows, const char **ret_name)
{
	uint32_t n = 0;

	for (const cJSON *row = rows->child; row; row = row->next)
		for (const cJSON *v = row->child; v; v = v->next) {
			uint32_t i = 0;

			while (i < n && strcmp(ret_name[i], v->string))
				i++;
			if (i == n && n < MAX_COLUMNS)
				ret_name[n++] = v->string;
		}
	return n;
}

static void table(const struct view *w, const cJSON *rows)
{
	const char *name[MAX_COLUMNS];
	int width[MAX_COLUMNS];
	bool right[MAX_COLUMNS];
	uint32_t n = columns(rows, name);
	char cell[CELL];

	for (uint32_t i = 0; i < n; i++) {
		width[i] = (int)strlen(name[i]);
		right[i] = true;
		for (const cJSON *row = rows->child; row; row = row->next) {
			const cJSON *v = cJSON_GetObjectItemCaseSensitive(row, name[i]);

			put_cell(v, cell, sizeof(cell));
			width[i] = SL_MAX(width[i], (int)strlen(cell));
			right[i] = right[i] && (!v || cJSON_IsNumber(v) || cJSON_IsNull(v));
		}
	}
	for (uint32_t i = 0; i < n; i++) {
		(void)fputs(i ? "  " : "", w->out);
		put_padded(w, name[i], i + 1 < n || right[i] ? width[i] : 0, right[i],
			w->colour ? "\033[1m" : "");
	}
	(void)fputc('\n', w->out);
	for (const cJSON *row = rows->child; row; row = row->next) {
		for (uint32_t i = 0; i < n; i++) {
			put_cell(
				cJSON_GetObjectItemCaseSensitive(row, name[i]), cell, sizeof(cell));
			(void)fputs(i ? "  " : "", w->out);
			put_padded(w, cell, i + 1 < n || right[i] ? width[i] : 0, right[i],
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

static void rows_of(const struct view *w, const cJSON *rows)
{
	cJSON *shown = is_impact(rows) ? joined(rows) : NULL;

	table(w, shown ? shown : rows);
	cJSON_Delete(shown);
}

static void heading(const struct view *w, const char *name)
{
	(void)fprintf(
		w->out, "\n%s%s%s\n", w->colour ? "\033[1m" : "", name, w->colour ? "\033[0m" : "");
}

static void object(const struct view *w, const cJSON *o)
{
	char cell[CELL * 4];
	int width = 0;

	for (const cJSON *v = o->child; v; v = v->next)
		if (!is_table(v) && !cJSON_IsObject(v))
			width = SL_MAX(width, (int)strlen(v->string));
	for (const cJSON *v = o->child; v; v = v->next) {
		if (is_table(v) || cJSON_IsObject(v))
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

void ctl_view(const struct cJSON *json, bool colour, FILE *out)
{
	struct view w = {colour, out};
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

bool ctl_ask(const cJSON *json, const char *word)
{
	char line[256];

	ctl_view(json, true, stderr);
	(void)fprintf(stderr, "Type %s to go ahead: ", word);
	if (!fgets(line, sizeof(line), stdin))
		return false;
	line[strcspn(line, "\n")] = '\0';
	return strcmp(line, word) == 0;
}
