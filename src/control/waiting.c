/* SPDX-License-Identifier: Apache-2.0 */
/* Audit rows that wait for the store: of reads, and of what it could not take; in memory, and in a
 * file beside it. */
#include "control/waiting.h"

#include "base/os.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { WAITING = 1024, MAX_WAITING_FILE = 8 << 20 };

struct control_waiting {
	uint64_t time_ms;
	char who[SL_MAX_NAME + 1], origin[IP_TEXT_MAX + 16], role[12], command[48];
	char args[512], result[160];
};

static void waiting_path(const struct control *c, char *ret, size_t size)
{
	(void)snprintf(ret, size, "%s/audit.waiting", c->state_dir);
}

/* A line of the file beside the store: rows that wait outlive this process. A disk that is full
 * takes none; they wait in memory then. */
static void write_waiting(const struct control *c, const struct control_waiting *w)
{
	char path[SL_MAX_PATH + 16], *text;
	cJSON *o = cJSON_CreateObject();
	int fd;

	cJSON_AddNumberToObject(o, "time_ms", (double)w->time_ms);
	cJSON_AddStringToObject(o, "who", w->who);
	cJSON_AddStringToObject(o, "origin", w->origin);
	cJSON_AddStringToObject(o, "role", w->role);
	cJSON_AddStringToObject(o, "command", w->command);
	cJSON_AddStringToObject(o, "args", w->args);
	cJSON_AddStringToObject(o, "result", w->result);
	text = cJSON_PrintUnformatted(o);
	cJSON_Delete(o);
	waiting_path(c, path, sizeof(path));
	fd = text ? open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600) : -1;
	if (fd >= 0) {
		(void)dprintf(fd, "%s\n", text);
		(void)close(fd);
	}
	cJSON_free(text);
}

static void take_text(const cJSON *o, const char *name, char *to, size_t size)
{
	const char *v = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(o, name));

	(void)snprintf(to, size, "%s", v ? v : "");
}

static void take_line(struct control *c, const char *line, size_t n)
{
	cJSON *o = cJSON_ParseWithLength(line, n);
	const cJSON *time_ms = cJSON_GetObjectItemCaseSensitive(o, "time_ms");
	struct control_waiting *w = &c->waiting[c->n_waiting];

	if (o && c->n_waiting < WAITING && cJSON_IsNumber(time_ms)) {
		c->n_waiting++;
		w->time_ms = time_ms->valuedouble > 0 ? (uint64_t)time_ms->valuedouble : 0;
		take_text(o, "who", w->who, sizeof(w->who));
		take_text(o, "origin", w->origin, sizeof(w->origin));
		take_text(o, "role", w->role, sizeof(w->role));
		take_text(o, "command", w->command, sizeof(w->command));
		take_text(o, "args", w->args, sizeof(w->args));
		take_text(o, "result", w->result, sizeof(w->result));
	} else {
		c->n_unheard++;
	}
	cJSON_Delete(o);
}

/* Rows that waited when the process before this one ended. */
static void read_waiting(struct control *c)
{
	char path[SL_MAX_PATH + 16], *text = NULL;
	struct str rest;
	size_t n;

	waiting_path(c, path, sizeof(path));
	if (os_read_file(path, MAX_WAITING_FILE, &text, &n, NULL))
		return;
	rest = (struct str){text, n};
	while (rest.n) {
		struct str line = str_cut(&rest, '\n');

		if (line.n)
			take_line(c, line.p, line.n);
	}
	free(text);
}

int control_waiting_open(struct control *c)
{
	c->waiting = calloc(WAITING, sizeof(*c->waiting));
	if (!c->waiting)
		return SL_ENOMEM;
	read_waiting(c);
	return 0;
}

void control_waiting_close(struct control *c)
{
	free(c->waiting);
}

void control_waiting_forget(struct control *c)
{
	char path[SL_MAX_PATH + 16];

	waiting_path(c, path, sizeof(path));
	if (c->n_waiting)
		(void)unlink(path);
	c->n_waiting = c->n_unheard = 0;
}

void control_waiting_add(struct control *c, const struct store_audit_row *row)
{
	struct control_waiting *w;

	c->n_unheard += c->n_waiting == WAITING;
	if (c->n_waiting == WAITING)
		return;
	w = &c->waiting[c->n_waiting++];
	w->time_ms = row->time_ms;
	(void)snprintf(w->who, sizeof(w->who), "%s", row->who);
	(void)snprintf(w->origin, sizeof(w->origin), "%s", row->origin);
	(void)snprintf(w->role, sizeof(w->role), "%s", row->role);
	(void)snprintf(w->command, sizeof(w->command), "%s", row->command);
	(void)snprintf(w->args, sizeof(w->args), "%.500s", row->args);
	(void)snprintf(w->result, sizeof(w->result), "%.150s", row->result);
	write_waiting(c, w);
}

int control_waiting_flush(struct control *c, struct errbuf *err)
{
	int rc = 0;

	for (uint32_t i = 0; !rc && i < c->n_waiting; i++) {
		const struct control_waiting *w = &c->waiting[i];
		struct store_audit_row row = {.time_ms = w->time_ms,
			.who = w->who,
			.origin = w->origin,
			.role = w->role,
			.command = w->command,
			.args = w->args,
			.result = w->result};

		rc = store_audit(c->store, &row, err);
	}
	if (!rc && c->n_unheard) {
		char text[64];
		struct store_audit_row row = {.time_ms = os_now_ms(),
			.who = "audit",
			.origin = "daemon",
			.role = "daemon",
			.command = "audit",
			.args = "{}",
			.result = text};

		(void)snprintf(
			text, sizeof(text), "%u calls came too fast to be told here", c->n_unheard);
		rc = store_audit(c->store, &row, err);
	}
	return rc;
}
