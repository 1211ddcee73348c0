/* SPDX-License-Identifier: Apache-2.0 */
/* token add, remove, list; who a bearer token is; log-level. */
#include "base/glob.h"
#include "base/log.h"
#include "base/os.h"
#include "control/control_int.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void token_key(const char *name, char *ret, size_t size)
{
	(void)snprintf(ret, size, "token|%s", name);
}

static void put_hex(const struct token_digest *d, char ret[static 2 * TOKEN_DIGEST + 1])
{
	for (size_t i = 0; i < TOKEN_DIGEST; i++)
		(void)snprintf(ret + 2 * i, 3, "%02x", d->v[i]);
}

static bool take_hex(const char *text, struct token_digest *ret)
{
	unsigned octet;

	if (!text || strlen(text) != 2 * TOKEN_DIGEST)
		return false;
	for (size_t i = 0; i < TOKEN_DIGEST; i++) {
		if (sscanf(text + 2 * i, "%2x", &octet) != 1)
			return false;
		ret->v[i] = (uint8_t)octet;
	}
	return true;
}

static const char *text_of(const cJSON *o, const char *name)
{
	const cJSON *v = cJSON_GetObjectItemCaseSensitive(o, name);

	return cJSON_IsString(v) ? v->valuestring : NULL;
}

static uint64_t expiry_of(const cJSON *o)
{
	const cJSON *v = cJSON_GetObjectItemCaseSensitive(o, "expires_ms");

	return cJSON_IsNumber(v) && v->valuedouble > 0 ? (uint64_t)v->valuedouble : 0;
}

struct search {
	struct control_call *call;
	struct token_digest digest;
	bool found;
};

/* Every token is compared, whether or not one was found: the time says nothing. */
static void match_token(void *ctx, const char *key, const char *value)
{
	struct search *s = ctx;
	cJSON *o = cJSON_Parse(value);
	const char *role = text_of(o, "role"), *service = text_of(o, "service");
	struct token_digest digest;
	uint64_t expiry = expiry_of(o);

	if (take_hex(text_of(o, "sha256"), &digest) && control_token_equal(&digest, &s->digest) &&
		role && (expiry == 0 || s->call->now_ms < expiry)) {
		s->found = true;
		s->call->role = commands_role(role);
		(void)snprintf(s->call->who, sizeof(s->call->who), "%s", key + strlen("token|"));
		(void)snprintf(
			s->call->service, sizeof(s->call->service), "%s", service ? service : "");
	}
	cJSON_Delete(o);
}

bool control_token_find(struct control_call *call, const struct token_digest *digest)
{
	struct search s = {.call = call, .digest = *digest};

	if (!call->c->store)
		return false;
	(void)store_each(call->c->store, "token|", match_token, &s);
	return s.found && call->role < ROLES;
}

int control_do_TOKEN_ADD(struct control_call *call)
{
	const char *name = control_arg(call, "name"), *role = control_arg(call, "role");
	const char *service = control_arg(call, "service"), *span = control_arg(call, "for");
	char secret[TOKEN_TEXT + 1], hex[2 * TOKEN_DIGEST + 1], key[SL_MAX_NAME + 16];
	struct store_item item = {key, NULL};
	struct token_digest digest;
	uint64_t ms = 0;
	char *had, *text;
	cJSON *o;
	int rc = control_need_store(call);

	if (rc)
		return rc;
	if (commands_role(role) == ROLES)
		return err_set(&call->err, SL_EINVAL,
			"role: got \"%.16s\", want viewer, operator or admin", role);
	if (strlen(name) > SL_MAX_NAME || strchr(name, '|') ||
		(service && strlen(service) > SL_MAX_NAME))
		return err_set(&call->err, SL_EINVAL, "a name has at most %d characters, and no |",
			SL_MAX_NAME);
	token_key(name, key, sizeof(key));
	had = store_get(call->c->store, key);
	free(had);
	if (had)
		return err_set(&call->err, SL_EEXIST, "there is a token %s: remove it first", name);
	control_token_make(secret);
	control_token_digest(str_from(secret), &digest);
	put_hex(&digest, hex);
	o = cJSON_CreateObject();
	cJSON_AddStringToObject(o, "sha256", hex);
	cJSON_AddStringToObject(o, "role", role);
	cJSON_AddStringToObject(o, "service", service ? service : "");
	if (span && commands_parse_span(span, &ms))
		cJSON_AddNumberToObject(o, "expires_ms", (double)(call->now_ms + ms));
	item.value = text = cJSON_PrintUnformatted(o);
	cJSON_Delete(o);
	rc = text ? control_change(call, &item, 1) : SL_ENOMEM;
	cJSON_free(text);
	if (!rc)
		cJSON_AddStringToObject(call->out, "token", secret);
	return rc;
}

int control_do_TOKEN_REMOVE(struct control_call *call)
{
	const char *name = control_arg(call, "name");
	char key[STORE_MAX_KEY];
	struct store_item item = {key, NULL};
	int rc = control_need_store(call);
	char *had;

	if (rc)
		return rc;
	token_key(name, key, sizeof(key));
	had = store_get(call->c->store, key);
	free(had);
	if (!had)
		return err_set(&call->err, SL_ENOENT, "no token %.64s", name);
	return control_change(call, &item, 1);
}

struct listing {
	cJSON *list;
	uint64_t now_ms;
};

static void list_token(void *ctx, const char *key, const char *value)
{
	struct listing *l = ctx;
	cJSON *o = cJSON_Parse(value), *row = control_add_row(l->list);
	const char *role = text_of(o, "role"), *service = text_of(o, "service");
	uint64_t expiry = expiry_of(o);

	cJSON_AddStringToObject(row, "name", key + strlen("token|"));
	cJSON_AddStringToObject(row, "role", role ? role : "?");
	cJSON_AddStringToObject(row, "service", service && *service ? service : "*");
	if (expiry)
		control_put(
			row, "left_s", expiry > l->now_ms ? (double)(expiry - l->now_ms) / 1e3 : 0);
	cJSON_Delete(o);
}

int control_do_TOKEN_LIST(struct control_call *call)
{
	struct listing l = {cJSON_AddArrayToObject(call->out, "tokens"), call->now_ms};
	int rc = control_need_store(call);

	return rc ? rc : store_each(call->c->store, "token|", list_token, &l);
}

/* The other processes follow a file in the state folder; control itself is told. */
int control_do_LOG_LEVEL(struct control_call *call)
{
	static const char *const roles[] = {"control", "answer", "collect"};
	const char *text = control_arg(call, "level"), *role = control_arg(call, "role");
	char path[SL_MAX_PATH + 32];
	int level = log_level_parse(text), rc = 0;
	bool found = !role;

	if (level < 0)
		return err_set(&call->err, SL_EINVAL, "level: want error, warn, info or debug");
	for (size_t i = 0; !rc && i < SL_COUNT(roles); i++) {
		if (role && strcmp(role, roles[i]) != 0)
			continue;
		found = true;
		(void)snprintf(path, sizeof(path), "%s/log-level.%s", call->c->state_dir, roles[i]);
		if (i == 0)
			log_set_level((enum log_level)level);
		else
			rc = os_write_file(path, text, strlen(text), 0644, &call->err);
	}
	if (!found)
		return err_set(&call->err, SL_EINVAL, "role: want control, answer or collect");
	cJSON_AddStringToObject(call->out, "level", text);
	cJSON_AddStringToObject(call->out, "role", role ? role : "all");
	return rc;
}

void control_log_level_forget(const struct control *c)
{
	char path[SL_MAX_PATH + 32];

	(void)snprintf(path, sizeof(path), "%s/log-level.answer", c->state_dir);
	(void)unlink(path);
	(void)snprintf(path, sizeof(path), "%s/log-level.collect", c->state_dir);
	(void)unlink(path);
}
