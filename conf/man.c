/* SPDX-License-Identifier: Apache-2.0 */
/* The manual pages sluice.yaml(5) and catalog.yaml(5), in mdoc(7), from the rows. */
#include "conf/print.h"

#include <string.h>

struct page {
	const char *file, *title, *summary, *text;
	const struct conf_type *type;
};

static const struct page pages[] = {
	{"sluice.yaml", "SLUICE.YAML", "configuration of one machine",
		"YAML read by\n.Xr sluiced 8\nat start and on SIGHUP: listeners, threads, where "
		"the geo data and the catalogue are.\nPaths are relative to the file.",
		&conf_type_conf_sluice},
	{"catalog.yaml", "CATALOG.YAML", "what is scheduled, and onto which vendors",
		"YAML named by\n.Ic catalog\nin\n.Xr sluice.yaml 5 :\nvendors, their figures, own "
		"nodes, services, zones and streams.\nPaths are relative to the file.",
		&conf_type_conf_catalog},
};

/* A line of text: what begins with a dot or quote would be a macro. */
static void text(FILE *out, const char *s)
{
	if (*s == '.' || *s == '\'')
		(void)fputs("\\&", out);
	for (; *s; s++) {
		if (*s == '\\')
			(void)fputs("\\e", out);
		else
			(void)fputc(*s, out);
	}
}

static void print_rows(FILE *out, const struct conf_type *type)
{
	(void)fputs(".Bl -tag -width Ds\n", out);
	for (uint32_t i = 0; i < type->row_count; i++) {
		const struct conf_row *row = &type->rows[i];

		(void)fprintf(out, ".It Ic %s\n", row->key);
		text(out, row->doc);
		(void)fputs("\n(", out);
		conf_print_kind(out, row);
		if (!row->dflt)
			(void)fputs("; must be given", out);
		else if (*row->dflt)
			(void)fprintf(out, "; default %s", row->dflt);
		(void)fputs(row->at_start ? "; read at start only)\n" : ")\n", out);
		if (row->type)
			print_rows(out, row->type);
	}
	(void)fputs(".El\n", out);
}

int conf_print_man(const char *file, FILE *out)
{
	const struct page *p = pages;

	while (p < pages + SL_COUNT(pages) && strcmp(p->file, file) != 0)
		p++;
	if (p == pages + SL_COUNT(pages))
		return SL_ENOENT;
	(void)fprintf(out,
		".\\\" Made from the rows of conf/ by make.\n.Dd $Mdocdate$\n.Dt %s 5\n.Os Sluice\n"
		".Sh NAME\n.Nm %s\n.Nd %s\n.Sh DESCRIPTION\n%s\n.Pp\n"
		"An unknown key, a key given twice, or a value out of bounds is refused with file, "
		"line, path, what was found and what was wanted; anchors, aliases and tags are not "
		"taken.\n"
		"Bandwidth is in Mbps (a million bit per second).\n.Sh KEYS\n",
		p->title, p->file, p->summary, p->text);
	print_rows(out, p->type);
	(void)fputs(".Sh SEE ALSO\n.Xr sluice.yaml 5 ,\n.Xr catalog.yaml 5 ,\n.Xr sluiced 8 ,\n"
		    ".Xr sluicectl 1\n",
		out);
	return 0;
}
