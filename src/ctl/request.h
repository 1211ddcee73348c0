/* SPDX-License-Identifier: Apache-2.0 */
/* The command line as a request: which command of the table, with which values. Pure. */
#pragma once

#include <stdbool.h>

#include "ctl/commands.h"

enum { CTL_MAX_VALUES = 64 };

struct ctl_value {
	const struct command_param *param;
	const char *value; /* of the command line; "true" for a flag */
};

struct ctl_request {
	const struct command *command; /* NULL: none was given */
	const char *group;             /* then: the group that was, else NULL */
	struct ctl_value value[CTL_MAX_VALUES];
	uint32_t n_values;
	const char *socket, *url, *token, *cacert; /* NULL where not given */
	bool json, help, version;
};

/* Options of every command: name, metavar ("" for a flag), help. */
#define CTL_GLOBAL_MAP(X)                                                                          \
	X(json, "", "the answer as JSON, as the admin API gave it")                                \
	X(socket, "PATH", "admin socket; SLUICE_SOCKET, else admin.sock of the state folder")      \
	X(url, "URL", "admin API over HTTP instead of the socket; SLUICE_URL")                     \
	X(token, "TOKEN", "bearer token for --url; SLUICE_TOKEN")                                  \
	X(cacert, "FILE",                                                                          \
		"certificates to trust with --url, PEM; SLUICE_CACERT, else the system's")         \
	X(help, "", "all about the command")                                                       \
	X(version, "", "the version")

/* Values are checked against their types. SL_EINVAL with text is wrong usage. argv is borrowed. */
int ctl_parse(int argc, char **argv, struct ctl_request *ret_request, struct errbuf *err)
	SL_NONNULL(2, 3);

/* SL_EINVAL; says what these words may stand for. */
int ctl_no_such_command(char *const *words, uint32_t n, struct errbuf *err) SL_NONNULL(1);

/* The first value of this name, or NULL. */
const char *ctl_value(const struct ctl_request *r, const char *name) SL_NONNULL_ALL;
