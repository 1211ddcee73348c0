/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/help.h"

#include "ctl/request.h"

#include <string.h>

#define PARAMS(c, i, p) for (uint32_t i = 0; ((p) = commands_param((c), i)); i++)

static const struct {
	const char *name, *metavar, *help;
} globals[] = {
#define X(field, metavar, help) {#field, metavar, help},
	CTL_GLOBAL_MAP(X)
#undef X
};

static bool is_optional(const struct command_param *p)
{
	return p->need == NEED_OPTIONAL || p->need == NEED_MANY_OPTIONAL;
}

static const char *dots(const struct command_param *p)
{
	return p->need == NEED_MANY || p->need == NEED_MANY_OPTIONAL ? "..." : "";
}

static void put_upper(const char *s, FILE *out)
{
	for (; *s; s++)
		(void)fputc(*s >= 'a' && *s <= 'z' ? *s - 32 : *s, out);
}

/* "meter push [VENDOR] [--region REGION]": what is required without brackets. */
static void put_synopsis(const struct command *c, FILE *out)
{
	const struct command_param *p;

	(void)fprintf(out, "%s%s%s", c->group, c->name[0] ? " " : "", c->name);
	PARAMS(c, i, p)
	{
		bool opt = is_optional(p);

		(void)fputs(opt ? " [" : " ", out);
		if (p->positional) {
			put_upper(p->name, out);
			(void)fputs(dots(p), out);
		} else {
			(void)fprintf(
				out, "--%s%s%s", p->name, p->metavar[0] ? " " : "", p->metavar);
		}
		(void)fputs(opt ? "]" : "", out);
	}
}

static void put_line(const struct command *c, FILE *out)
{
	char words[64];

	(void)snprintf(words, sizeof(words), "%s%s%s", c->group, c->name[0] ? " " : "", c->name);
	(void)fprintf(out, "  %-20s %s\n", words, c->help);
}

void ctl_help_group(const char *group, FILE *out)
{
	const struct command *c = NULL;

	(void)fprintf(out, "usage: sluicectl %s COMMAND\n\n", group);
	while ((c = commands_group(group, c)))
		put_line(c, out);
	(void)fprintf(out, "\n`sluicectl help %s COMMAND` tells all about one.\n", group);
}

void ctl_help_all(FILE *out)
{
	(void)fputs(
		"usage: sluicectl [--json] [--socket PATH | --url URL --token TOKEN] COMMAND\n\n",
		out);
	for (size_t i = 0; i < COMMANDS; i++)
		put_line(&commands_table[i], out);
	(void)fputs(
		"\n`sluicectl help COMMAND` tells all about one. Exit status: 0 done, 1 refused,\n"
		"2 wrong usage, 3 the daemon cannot be reached.\n",
		out);
}

void ctl_help_command(const struct command *c, FILE *out)
{
	const struct command_param *p;

	(void)fputs("usage: sluicectl ", out);
	put_synopsis(c, out);
	(void)fprintf(out, "\n\n%s\n", c->help);
	if (c->method == METHOD_LOCAL)
		(void)fputs("Needs no daemon.\n", out);
	else
		(void)fprintf(out, "%s %s of the admin API; role %s.\n",
			c->method == METHOD_GET ? "GET" : "POST", c->path,
			commands_role_name(c->role));
	(void)fputc('\n', out);
	PARAMS(c, i, p)
	{
		char left[64];

		(void)snprintf(left, sizeof(left), "%s%s%s%s", p->positional ? "" : "--", p->name,
			p->metavar[0] ? " " : "", p->metavar);
		(void)fprintf(
			out, "  %-20s %s%s\n", left, p->help, is_optional(p) ? "" : " (required)");
	}
	for (size_t i = 0; i < SL_COUNT(globals); i++) {
		char left[64];

		(void)snprintf(left, sizeof(left), "--%s%s%s", globals[i].name,
			globals[i].metavar[0] ? " " : "", globals[i].metavar);
		(void)fprintf(out, "  %-20s %s\n", left, globals[i].help);
	}
}

/* Text for roff: hyphens are minus signs, no control characters at the start. */
static void put_roff(const char *s, FILE *out)
{
	for (; *s; s++) {
		if (*s == '-' || *s == '\\')
			(void)fputc('\\', out);
		(void)fputc(*s, out);
	}
}

static void man_command(const struct command *c, FILE *out)
{
	const struct command_param *p;

	(void)fputs(".SS ", out);
	put_roff(c->group, out);
	if (c->name[0]) {
		(void)fputc(' ', out);
		put_roff(c->name, out);
	}
	(void)fputs("\n.B sluicectl\n", out);
	{
		char line[1024];
		FILE *mem = fmemopen(line, sizeof(line), "w");

		if (mem) {
			put_synopsis(c, mem);
			(void)fclose(mem);
			put_roff(line, out);
		}
	}
	(void)fputs("\n.PP\n", out);
	put_roff(c->help, out);
	(void)fputs(".\n", out);
	if (c->method == METHOD_LOCAL)
		(void)fputs("Needs no daemon.\n", out);
	else
		(void)fprintf(out, "API: %s %s; role %s.\n",
			c->method == METHOD_GET ? "GET" : "POST", c->path,
			commands_role_name(c->role));
	PARAMS(c, i, p)
	{
		(void)fputs(".TP\n.B ", out);
		put_roff(p->positional ? "" : "--", out);
		put_roff(p->name, out);
		(void)fprintf(out, "%s%s\n", p->metavar[0] ? " " : "", p->metavar);
		put_roff(p->help, out);
		(void)fputs(is_optional(p) ? ".\n" : " (required).\n", out);
	}
}

void ctl_help_man(FILE *out)
{
	(void)fputs(".\\\" SPDX-License-Identifier: Apache-2.0\n"
		    ".\\\" Made from src/ctl/commands.def by `sluicectl help --man`.\n"
		    ".TH SLUICECTL 1 \"\" \"sluice\" \"Sluice\"\n.SH NAME\n"
		    "sluicectl \\- operate a sluice scheduler\n.SH SYNOPSIS\n"
		    ".B sluicectl\n[\\fIoption\\fR...] \\fIcommand\\fR [\\fIargument\\fR...]\n"
		    ".SH DESCRIPTION\nEvery operation of sluiced(8), over its admin socket or the\n"
		    "admin API. Output is for people; with \\-\\-json it is the API's answer.\n"
		    "Names of vendors may be patterns with *.\n.SH OPTIONS\n",
		out);
	for (size_t i = 0; i < SL_COUNT(globals); i++) {
		(void)fprintf(out, ".TP\n.B \\-\\-%s%s%s\n", globals[i].name,
			globals[i].metavar[0] ? " " : "", globals[i].metavar);
		put_roff(globals[i].help, out);
		(void)fputs(".\n", out);
	}
	(void)fputs(".SH COMMANDS\n", out);
	for (size_t i = 0; i < COMMANDS; i++)
		man_command(&commands_table[i], out);
	(void)fputs(".SH EXIT STATUS\n0 done, 1 refused, 2 wrong usage, 3 the daemon cannot be "
		    "reached.\n.SH SEE ALSO\nsluiced(8), sluice.yaml(5), catalog.yaml(5)\n",
		out);
}

static void completion_words(const char *group, FILE *out)
{
	bool first = true;

	for (size_t i = 0; i < COMMANDS; i++) {
		const struct command *c = &commands_table[i];

		if (strcmp(c->group, group) || !c->name[0])
			continue;
		(void)fprintf(out, "%s%s", first ? "" : " ", c->name);
		first = false;
	}
}

static bool first_of_group(size_t i)
{
	return i == 0 || strcmp(commands_table[i - 1].group, commands_table[i].group) != 0;
}

/* What `names` completes a parameter of this type with; empty for none. */
static const char *names_of(enum param_type type)
{
	static const char *const names[PARAM_TYPES] = {[PARAM_VENDOR] = "vendors",
		[PARAM_SERVICE] = "services",
		[PARAM_GROUPS] = "groups",
		[PARAM_NODE] = "nodes",
		[PARAM_PLAN] = "plans",
		[PARAM_LIST] = "streams",
		[PARAM_FILE] = "files"};

	return names[type] ? names[type] : "";
}

static void completion_case(const struct command *c, FILE *out)
{
	const struct command_param *p;
	const char *names = "";

	(void)fprintf(out, "    \"%s%s%s\") opts='", c->group, c->name[0] ? " " : "", c->name);
	PARAMS(c, i, p)
	{
		if (!p->positional)
			(void)fprintf(out, "--%s ", p->name);
		else if (!names[0])
			names = names_of(p->type);
	}
	(void)fprintf(out, "' names='%s'", names);
	PARAMS(c, i, p)
	{
		if (!p->positional && names_of(p->type)[0])
			(void)fprintf(out, "; [ \"$prev\" != --%s ] || names=%s", p->name,
				names_of(p->type));
	}
	(void)fputs(" ;;\n", out);
}

void ctl_help_completion(FILE *out)
{
	(void)fputs("# SPDX-License-Identifier: Apache-2.0\n"
		    "# bash completion for sluicectl; made from src/ctl/commands.def by\n"
		    "# `sluicectl help --completion`.\n_sluicectl() {\n"
		    "  local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]}\n"
		    "  local words=() i subs='' opts='' names=''\n"
		    "  for ((i = 1; i < COMP_CWORD; i++)); do\n"
		    "    case ${COMP_WORDS[i]} in\n"
		    "    --socket | --url | --token | --cacert) i=$((i + 1)) ;;\n    -*) ;;\n"
		    "    *) words+=(\"${COMP_WORDS[i]}\") ;;\n    esac\n  done\n"
		    "  case $prev in\n  --file | --socket | --cacert) COMPREPLY=($(compgen -f -- "
		    "\"$cur\"));"
		    " return ;;\n  esac\n  if [ ${#words[@]} -eq 0 ]; then\n    "
		    "COMPREPLY=($(compgen -W '",
		out);
	for (size_t i = 0; i < COMMANDS; i++)
		if (first_of_group(i))
			(void)fprintf(out, "%s ", commands_table[i].group);
	(void)fputs("--json --socket --url --token --help' -- \"$cur\"))\n    return\n  fi\n"
		    "  case ${words[0]} in\n",
		out);
	for (size_t i = 0; i < COMMANDS; i++) {
		if (!first_of_group(i))
			continue;
		(void)fprintf(out, "  %s) subs='", commands_table[i].group);
		completion_words(commands_table[i].group, out);
		(void)fputs("' ;;\n", out);
	}
	(void)fputs("  esac\n  if [ -n \"$subs\" ] && [ ${#words[@]} -eq 1 ]; then\n"
		    "    COMPREPLY=($(compgen -W \"$subs\" -- \"$cur\"))\n    return\n  fi\n"
		    "  local key=${words[0]}\n  [ -z \"$subs\" ] || key=\"$key ${words[1]}\"\n"
		    "  case $key in\n",
		out);
	for (size_t i = 0; i < COMMANDS; i++)
		completion_case(&commands_table[i], out);
	(void)fputs("  esac\n  case $cur in\n"
		    "  -*) COMPREPLY=($(compgen -W \"$opts--json --help\" -- \"$cur\")) ;;\n"
		    "  *)\n    case $names in\n"
		    "    '') ;;\n    files) COMPREPLY=($(compgen -f -- \"$cur\")) ;;\n"
		    "    *) COMPREPLY=($(compgen -W \"$(sluicectl names \"$names\" 2>/dev/null)\" "
		    "-- \"$cur\")) ;;\n    esac\n    ;;\n  esac\n}\n"
		    "complete -F _sluicectl sluicectl\n",
		out);
}
