/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of commands.def as C: what sluicectl and the admin API both go by. Knows how a value
 * must look, nothing of how commands are carried out. Pure; any thread.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"

enum command_role { ROLE_VIEWER, ROLE_OPERATOR, ROLE_ADMIN, ROLES };

enum command_method { METHOD_LOCAL, METHOD_GET, METHOD_POST };

/* type, what is wanted in words, which is also what completion goes by */
#define PARAM_TYPE_MAP(X)                                                                          \
	X(TEXT, "text")                                                                            \
	X(FLAG, "no value")                                                                        \
	X(NUMBER, "a number")                                                                      \
	X(TIME, "unix seconds")                                                                    \
	X(DURATION, "a time span like 90s, 30m, 2h or 1d")                                         \
	X(IP, "an address")                                                                        \
	X(HOST, "a host name")                                                                     \
	X(FILE, "a file")                                                                          \
	X(VENDOR, "a vendor")                                                                      \
	X(SERVICE, "a service")                                                                    \
	X(GROUPS, "a pattern of groups like CN/GD/*")                                              \
	X(NODE, "a node")                                                                          \
	X(PLAN, "a plan")                                                                          \
	X(LIST, "a name")                                                                          \
	X(PREFIX, "an address or ADDRESS/LENGTH with host bits zero")                              \
	X(COMMAND, "a command")

enum param_type {
#define X(name, want) PARAM_##name,
	PARAM_TYPE_MAP(X)
#undef X
		PARAM_TYPES
};

enum param_need { NEED_OPTIONAL, NEED_REQUIRED, NEED_MANY, NEED_MANY_OPTIONAL };

enum command_id {
#define COMMAND(id, group, name, method, path, role, traffic, help) COMMAND_##id,
#define ARG(id, name, need, type, help)
#define OPT(id, name, need, type, metavar, help)
#include "ctl/commands.def"
#undef COMMAND
#undef ARG
#undef OPT
	COMMANDS
};

/* What every command that moves viewers takes besides: name, type, metavar, help. */
#define COMMAND_TRAFFIC_MAP(X)                                                                     \
	X("dry-run", FLAG, "", "says who would move, changes nothing")                             \
	X("for", DURATION, "SPAN", "the change ends by itself after this time")                    \
	X("ramp", DURATION, "SPAN", "the change takes effect little by little over this time")     \
	X("why", TEXT, "TEXT", "reason, for the history")                                          \
	X("confirm", TEXT, "NAME", "confirms a change that moves many viewers")                    \
	X("id", TEXT, "ID", "makes a retry harmless: a change of this id is made once")            \
	X("generation", TEXT, "E.G", "refuse if the state has changed since this generation")

struct command_param {
	enum command_id command;
	bool positional;
	const char *name;
	enum param_need need;
	enum param_type type;
	const char *metavar; /* options only */
	const char *help;
};

struct command {
	enum command_id id;
	const char *group, *name;
	enum command_method method;
	const char *path;
	enum command_role role;
	bool traffic;
	const char *help;
};

extern const struct command commands_table[COMMANDS];

/* Parameters of a command in order of the table, then the traffic options. NULL past the last. */
const struct command_param *commands_param(const struct command *c, uint32_t i) SL_NONNULL_ALL;

/* Parameter by its name; NULL when the command has none of it. */
const struct command_param *commands_find_param(
	const struct command *c, const char *name) SL_NONNULL_ALL;

/* Command by its first one or two words; *ret_words is how many it took. NULL: none. */
const struct command *commands_find(char *const *words, uint32_t n, uint32_t *ret_words)
	SL_NONNULL(3);

/* The commands of a group one by one: the first after `last` (NULL: of all); NULL: no more. A
 * command without a second word is no group. */
const struct command *commands_group(const char *group, const struct command *last) SL_NONNULL(1);

/* The row of the admin API; NULL: none. */
const struct command *commands_at(enum command_method method, const char *path) SL_NONNULL_ALL;

/* Whether a value looks as its type wants; SL_EINVAL with "NAME: got X, want Y". */
int commands_check(const struct command_param *p, const char *value, struct errbuf *err)
	SL_NONNULL(1, 2);

/* "90s", "30m", "2h", "1d" or bare seconds to milliseconds; false when it is none or over a year.
 */
bool commands_parse_span(const char *text, uint64_t *ret_ms) SL_NONNULL_ALL;

/* A finite decimal number, whole text. */
bool commands_parse_number(const char *text, double *ret) SL_NONNULL_ALL;

/* "viewer", "operator", "admin"; the role of a word, ROLES for none. */
const char *commands_role_name(enum command_role role);
enum command_role commands_role(const char *name) SL_NONNULL_ALL;
