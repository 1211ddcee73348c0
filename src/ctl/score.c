/* SPDX-License-Identifier: Apache-2.0 */
/* `sluicectl score --file`: one fleet per line in, one result per line out. */
#include "ctl/score.h"

#include "ctl/score_int.h"

#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

#define NONE CTL_FLEET_NONE

struct result {
	struct alloc_row_out *row;
	struct alloc_vendor_out vendor[SL_MAX_SLOTS]; /* by id */
};

static cJSON *json_slot(
	const char *name, const struct alloc_row_out *row, uint32_t i, double score, uint8_t reason)
{
	cJSON *v = cJSON_CreateObject();

	cJSON_AddStringToObject(v, "name", name);
	cJSON_AddNumberToObject(v, "score", score);
	cJSON_AddNumberToObject(v, "poured_ppm", row->poured_ppm[i]);
	cJSON_AddNumberToObject(v, "share_ppm", row->share_ppm[i]);
	cJSON_AddBoolToObject(v, "usable", score_reason_usable(reason));
	cJSON_AddStringToObject(v, "reason", score_reason_text(reason));
	return v;
}

/* Why a row has a part that nobody gets. */
static uint8_t none_reason(const struct alloc_row_out *row)
{
	return row->n_order ? SCORE_NO_ROOM : SCORE_NOBODY;
}

static cJSON *json_group(const struct ctl_fleet *f, const struct result *r, uint32_t g)
{
	const struct alloc_row_out *row = &r->row[g];
	cJSON *o = cJSON_CreateObject(), *vendors;

	cJSON_AddStringToObject(o, "name", f->group_name[g]);
	vendors = cJSON_AddArrayToObject(o, "vendors");
	for (uint32_t i = 0; i < f->n_vendors; i++)
		cJSON_AddItemToArray(vendors,
			json_slot(f->vendor_name[i], row, i, row->score[i], row->reason[i]));
	if (row->share_ppm[SCORE_NONE] || row->poured_ppm[SCORE_NONE])
		cJSON_AddItemToArray(
			vendors, json_slot(NONE, row, SCORE_NONE, 0, none_reason(row)));
	return o;
}

static cJSON *json_vendor(const struct ctl_fleet *f, const struct result *r, uint32_t i)
{
	const struct alloc_vendor_out *out = &r->vendor[f->service.slot[i].vendor];
	cJSON *v = cJSON_CreateObject();

	cJSON_AddStringToObject(v, "name", f->vendor_name[i]);
	cJSON_AddNumberToObject(v, "room_guaranteed_mbps", out->room_guaranteed_mbps);
	cJSON_AddNumberToObject(v, "room_total_mbps", out->room_total_mbps);
	cJSON_AddBoolToObject(v, "capped", out->capped);
	cJSON_AddNumberToObject(v, "expected_mbps", out->expected_mbps);
	return v;
}

static int print_json(const struct ctl_fleet *f, const struct result *r, FILE *out)
{
	cJSON *o = cJSON_CreateObject(), *groups, *vendors;
	char *text;

	groups = cJSON_AddArrayToObject(o, "groups");
	for (uint32_t g = 0; g < f->n_groups; g++)
		cJSON_AddItemToArray(groups, json_group(f, r, g));
	vendors = cJSON_AddArrayToObject(o, "vendors");
	for (uint32_t i = 0; i < f->n_vendors; i++)
		cJSON_AddItemToArray(vendors, json_vendor(f, r, i));
	text = cJSON_PrintUnformatted(o);
	cJSON_Delete(o);
	if (!text)
		return SL_ENOMEM;
	(void)fprintf(out, "%s\n", text);
	cJSON_free(text);
	return 0;
}

static void print_group(const struct ctl_fleet *f, const struct result *r, uint32_t g, FILE *out)
{
	const struct alloc_row_out *row = &r->row[g];

	(void)fprintf(out, "group %s, demand %.0f Mbps\n", f->group_name[g], f->row[g].demand_mbps);
	(void)fprintf(
		out, "  %-20s %14s %9s %9s  %s\n", "vendor", "score", "poured", "share", "reason");
	for (uint32_t i = 0; i < f->n_vendors; i++)
		(void)fprintf(out, "  %-20s %14.6g %8.4f%% %8.4f%%  %s%s\n", f->vendor_name[i],
			row->score[i], row->poured_ppm[i] / 1e4, row->share_ppm[i] / 1e4,
			score_reason_text(row->reason[i]), row->capped >> i & 1 ? ", capped" : "");
	if (row->share_ppm[SCORE_NONE])
		(void)fprintf(out, "  %-20s %14s %8.4f%% %8.4f%%  %s\n", NONE, "",
			row->poured_ppm[SCORE_NONE] / 1e4, row->share_ppm[SCORE_NONE] / 1e4,
			score_reason_text(none_reason(row)));
}

static void print_table(const struct ctl_fleet *f, const struct result *r, uint64_t line, FILE *out)
{
	(void)fprintf(out, "fleet of line %llu\n", (unsigned long long)line);
	for (uint32_t g = 0; g < f->n_groups; g++)
		print_group(f, r, g, out);
	(void)fprintf(out, "  %-20s %14s %14s %14s\n", "vendor, Mbps", "to guarantee", "to maximum",
		"expected");
	for (uint32_t i = 0; i < f->n_vendors; i++) {
		const struct alloc_vendor_out *v = &r->vendor[f->service.slot[i].vendor];

		(void)fprintf(out, "  %-20s %14.3f %14.3f %14.3f%s\n", f->vendor_name[i],
			v->room_guaranteed_mbps, v->room_total_mbps, v->expected_mbps,
			v->capped ? "  capped" : "");
	}
	(void)fprintf(out, "\n");
}

static int evaluate(const struct ctl_fleet *f, struct result *r, struct errbuf *err)
{
	struct alloc_fleet view = ctl_fleet_view(f);
	struct alloc_state state = {{0}};
	struct alloc_stats stats;
	size_t size = alloc_work_size(view.n_rows);
	void *work = malloc(size);
	int e = SL_ENOMEM;

	r->row = calloc(view.n_rows, sizeof(*r->row));
	if (work && r->row)
		e = alloc_run(&view, &state, work, size, r->row, r->vendor, &stats);
	free(work);
	return e ? err_set(err, e, "%s", sl_strerror(e)) : 0;
}

static int score_line(
	const char *text, size_t size, uint64_t line, FILE *out, bool json, struct errbuf *err)
{
	struct ctl_fleet f;
	struct result r = {0};
	int e = ctl_fleet_parse(&f, text, size, err);

	if (e == 0)
		e = evaluate(&f, &r, err);
	if (e == 0 && json)
		e = print_json(&f, &r, out);
	else if (e == 0)
		print_table(&f, &r, line, out);
	free(r.row);
	ctl_fleet_done(&f);
	return e;
}

static bool blank(const char *text, size_t size)
{
	return strspn(text, " \t\r\n") == size;
}

int ctl_score_file(FILE *in, FILE *out, FILE *errs, bool json)
{
	struct errbuf err;
	char *text = NULL;
	size_t room = 0;
	ssize_t got;
	int bad = 0;

	for (uint64_t line = 1; (got = getline(&text, &room, in)) >= 0; line++) {
		size_t size = (size_t)got;
		int e;

		if (blank(text, size))
			continue;
		err.s[0] = '\0';
		e = score_line(text, size, line, out, json, &err);
		if (e) {
			(void)fprintf(errs, "line %llu: %s\n", (unsigned long long)line,
				err.s[0] ? err.s : sl_strerror(e));
			bad = 1;
		}
	}
	free(text);
	if (ferror(in))
		(void)fprintf(errs, "cannot read the fleets\n");
	return bad || ferror(in) || fflush(out) != 0 || ferror(out) ? 1 : 0;
}
