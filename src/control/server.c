/* SPDX-License-Identifier: Apache-2.0 */
/* The transport of the admin API: listeners, who is calling, arguments checked, answers sent. */
#include "base/log.h"
#include "base/os.h"
#include "control/bills.h"
#include "control/control_int.h"
#include "control/doors.h"
#include "control/facts.h"
#include "control/passing.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MAX_BODY = 16 << 20, FACTS_MS = 1000 };

static const struct {
	int err;
	unsigned status;
	const char *code;
} statuses[] = {
	{SL_EINVAL, 400, "invalid"},
	{SL_EACCES, 403, "forbidden"},
	{SL_ENOENT, 404, "not_found"},
	{SL_EEXIST, 409, "exists"},
	{SL_EREFUSED, 409, "refused"},
	{SL_ESTALE, 409, "stale"},
	{SL_EFORMAT, 422, "malformed"},
	{SL_ELIMIT, 422, "limit"},
	{SL_EAGAIN, 503, "not_ready"},
	{SL_EBUSY, 503, "busy"},
	{SL_ENOSPC, 507, "no_space"},
};

static void reply_json(struct httpd_reply *rp, unsigned status, cJSON *json)
{
	char *text = cJSON_PrintUnformatted(json);

	if (!text) {
		httpd_reply_error(rp, 500, "no_memory", "out of memory");
		return;
	}
	rp->status = status;
	rp->owned = text;
	rp->owned_n = strlen(text);
}

/* The error beside what the command had to say, if anything (an impact, results by item). */
static void reply_error(struct httpd_reply *rp, int rc, const char *message, cJSON *out)
{
	cJSON *e = cJSON_GetObjectItemCaseSensitive(out, "error");
	const char *code = "internal";
	unsigned status = 500;

	for (size_t i = 0; i < SL_COUNT(statuses); i++)
		if (statuses[i].err == rc) {
			status = statuses[i].status;
			code = statuses[i].code;
		}
	if (!e)
		e = cJSON_AddObjectToObject(out, "error");
	if (!cJSON_GetObjectItemCaseSensitive(e, "code"))
		cJSON_AddStringToObject(e, "code", code);
	cJSON_AddStringToObject(e, "message", message[0] ? message : sl_strerror(rc));
	reply_json(rp, status, out);
}

/* Who is calling and with which rights. false: nobody we know. */
static bool identify(struct control_call *call, const struct httpd_request *rq)
{
	struct str bearer = control_token_bearer(httpd_header(rq, "Authorization"));
	struct token_digest digest;

	if (rq->peer.family == IP_NONE) {
		(void)snprintf(call->origin, sizeof(call->origin), "socket");
		(void)snprintf(call->who, sizeof(call->who), "uid:%lld", (long long)rq->peer_uid);
		call->role = ROLE_ADMIN;
		return rq->peer_uid == 0 || rq->peer_uid == (int64_t)geteuid();
	}
	ip_format(rq->client, call->origin);
	control_token_digest(bearer, &digest);
	if (bearer.n < TOKEN_MIN)
		return false;
	if (!control_token_equal(&digest, &call->c->admin_token))
		return control_token_find(call, &digest);
	(void)snprintf(call->who, sizeof(call->who), "admin.token");
	call->role = ROLE_ADMIN;
	return true;
}

/* One value of a body as text; objects and lists stay what they are. */
static int take_body(struct control_call *call, const struct httpd_request *rq, cJSON *args)
{
	cJSON *body =
		rq->body.n ? cJSON_ParseWithLength(rq->body.p, rq->body.n) : cJSON_CreateObject();
	char number[32];

	if (!cJSON_IsObject(body)) {
		cJSON_Delete(body);
		return err_set(&call->err, SL_EINVAL, "the body is not a JSON object");
	}
	for (cJSON *v = body->child, *next; v; v = next) {
		next = v->next;
		if (cJSON_IsNumber(v)) {
			(void)snprintf(number, sizeof(number), "%.17g", v->valuedouble);
			cJSON_AddStringToObject(args, v->string, number);
		} else if (cJSON_IsBool(v)) {
			cJSON_AddStringToObject(
				args, v->string, cJSON_IsTrue(v) ? "true" : "false");
		} else if (!cJSON_IsNull(v)) {
			cJSON_AddItemToObject(args, v->string, cJSON_Duplicate(v, true));
		}
	}
	cJSON_Delete(body);
	return 0;
}

static void take_query(const struct httpd_request *rq, cJSON *args)
{
	char name[64], value[2048];

	for (uint16_t i = 0; i < rq->n_params; i++) {
		(void)snprintf(name, sizeof(name), STR_FMT, STR_ARG(rq->params[i].name));
		(void)snprintf(value, sizeof(value), STR_FMT, STR_ARG(rq->params[i].value));
		cJSON_AddStringToObject(args, name, value);
	}
}

static int carry_out(struct control_call *call, const struct httpd_request *rq, cJSON *args)
{
	int rc = 0;

	if (call->role < call->command->role)
		return err_set(&call->err, SL_EACCES, "%s may not: it takes the role %s", call->who,
			commands_role_name(call->command->role));
	if (rq->method == HTTPD_POST)
		rc = take_body(call, rq, args);
	else
		take_query(rq, args);
	call->args = args;
	if (!rc)
		rc = control_check_args(call);
	if (!rc)
		rc = control_check_names(call);
	return rc ? rc : control_commands[call->command->id](call);
}

static const struct command *command_of(const struct httpd_request *rq)
{
	char path[128];

	(void)snprintf(path, sizeof(path), STR_FMT, STR_ARG(rq->path));
	return commands_at(rq->method == HTTPD_POST ? METHOD_POST : METHOD_GET, path);
}

static void handle(void *ctx, const struct httpd_request *rq, struct httpd_reply *rp)
{
	struct control *c = ctx;
	struct control_call call = {.c = c,
		.command = command_of(rq),
		.view = engine_view(c->engine),
		.now_ms = os_now_ms()};
	cJSON *args, *out;
	int rc;

	c->calls++;
	if (!call.command) {
		httpd_reply_error(rp, 404, "not_found", "no such command");
		return;
	}
	if (!identify(&call, rq)) {
		c->refused++;
		control_journal_stranger(&call);
		httpd_reply_error(
			rp, 401, "unauthorized", "want a bearer token that is known here");
		httpd_reply_header(rp, "WWW-Authenticate", "Bearer");
		return;
	}
	args = cJSON_CreateObject();
	call.out = out = cJSON_CreateObject();
	control_journal_begin(&call);
	rc = control_journal_end(&call, carry_out(&call, rq, args));
	if (!rc && cJSON_HasObjectItem(out, "change"))
		control_keep_before(c, call.now_ms);
	control_rules_round(c, call.now_ms);
	if (rc) {
		c->refused++;
		reply_error(rp, rc, call.err.s, out);
	} else {
		reply_json(rp, 200, out);
	}
	cJSON_Delete(out);
	cJSON_Delete(args);
	free(call.old_catalogue);
}

static void handle_metrics(void *ctx, const struct httpd_request *rq, struct httpd_reply *rp)
{
	struct control_call call = {.c = ctx};
	char *text = NULL;
	size_t n = 0;
	FILE *out;

	if (!(rq->peer.family != IP_NONE && ip_is_loopback(rq->client)) && !identify(&call, rq)) {
		httpd_reply_error(
			rp, 401, "unauthorized", "want a bearer token that is known here");
		return;
	}
	out = open_memstream(&text, &n);
	if (!out) {
		httpd_reply_error(rp, 500, "no_memory", "out of memory");
		return;
	}
	control_metrics(ctx, out);
	if (fclose(out)) {
		free(text);
		httpd_reply_error(rp, 500, "no_memory", "out of memory");
		return;
	}
	rp->type = "text/plain; version=0.0.4; charset=utf-8";
	rp->owned = text;
	rp->owned_n = n;
}

static bool ready(void *ctx)
{
	const struct control *c = ctx;

	return engine_view(c->engine)->world != NULL;
}

/* One route per path; several commands may share one by method. */
static struct httpd_route *routes_of(size_t *ret_n)
{
	struct httpd_route *r = calloc(COMMANDS + 1, sizeof(*r));
	size_t n = 0;

	if (!r)
		return NULL;
	r[n++] = (struct httpd_route){
		.path = "/metrics", .methods = HTTPD_GET, .fn = handle_metrics};
	for (size_t i = 0; i < COMMANDS; i++) {
		const struct command *k = &commands_table[i];
		size_t at = 0;

		if (k->method == METHOD_LOCAL)
			continue;
		while (at < n && strcmp(r[at].path, k->path))
			at++;
		if (at == n)
			r[n++] = (struct httpd_route){.path = k->path,
				.max_body = MAX_BODY,
				.fn = handle,
				.flags = HTTPD_RATED};
		r[at].methods |= k->method == METHOD_POST ? HTTPD_POST : HTTPD_GET;
	}
	*ret_n = n;
	return r;
}

static int listen_unix(struct control *c, struct errbuf *err)
{
	char path[SL_MAX_PATH + 16];
	int fd;

	(void)snprintf(path, sizeof(path), "%s/admin.sock", c->state_dir);
	fd = os_unix_listen(path, 0600, err);
	return fd < 0 ? fd : httpd_listen(c->httpd, fd, false, err);
}

static int listen_tcp(
	struct control *c, const char *const *text, uint32_t n, bool tls, struct errbuf *err)
{
	int rc = 0;

	for (uint32_t i = 0; !rc && i < n; i++) {
		struct os_addr addr;
		int fd;

		rc = os_addr_parse(text[i], &addr, err);
		if (rc)
			return rc;
		fd = os_tcp_listen(&addr, 64, err);
		rc = fd < 0 ? fd : httpd_listen(c->httpd, fd, tls, err);
	}
	return rc;
}

/* When certificate and key were written; zeroes for what is not there. */
static void look_up_times(const struct control *c, struct timespec ret_times[static 2])
{
	struct stat st;

	memset(ret_times, 0, 2 * sizeof(*ret_times));
	for (int i = 0; i < 2; i++)
		if (c->tls_path[i][0] && stat(c->tls_path[i], &st) == 0)
			ret_times[i] = st.st_mtim;
}

/* A new certificate is taken without a restart; one that is no good leaves the old in use. */
static void look_at_certificate(struct control *c)
{
	struct errbuf err = {""};
	struct timespec now[2];

	look_up_times(c, now);
	if (!c->tls_path[0][0] || memcmp(now, c->tls_time, sizeof(now)) == 0)
		return;
	memcpy(c->tls_time, now, sizeof(now));
	if (httpd_tls_reload(c->httpd, &err))
		LOG_E("tls.refused", "certificate=%s error=\"%s\"", c->tls_path[0], err.s);
	else
		LOG_I("tls.reloaded", "certificate=%s", c->tls_path[0]);
}

static int open_doors(struct control *c, const struct conf *node, struct errbuf *err)
{
	const struct conf_listen *l = &node->sluice.listen;
	const struct conf_admin *a = &node->sluice.admin;
	struct httpd_config conf = {.ctx = c,
		.ready = ready,
		.limits = {.rate_per_s = a->rate_per_s,
			.rate_burst = a->rate_burst,
			.connections = 512}};
	int rc;

	if (l->admin_tls_count) {
		(void)snprintf(c->tls_path[0], sizeof(c->tls_path[0]), "%s", a->certificate);
		(void)snprintf(c->tls_path[1], sizeof(c->tls_path[1]), "%s", a->key);
		conf.tls_cert = c->tls_path[0];
		conf.tls_key = c->tls_path[1];
		look_up_times(c, c->tls_time); /* before they are read: a later change is seen */
	}
	conf.routes = c->routes = routes_of(&conf.n_routes);
	if (!c->routes)
		return err_set(err, SL_ENOMEM, "out of memory");
	rc = httpd_new(&conf, &c->httpd, err);
	if (!rc)
		rc = listen_unix(c, err);
	if (!rc)
		rc = listen_tcp(c, l->admin, l->admin_count, false, err);
	return rc ? rc : listen_tcp(c, l->admin_tls, l->admin_tls_count, true, err);
}

int control_new(
	const struct control_options *options, struct control **ret_control, struct errbuf *err)
{
	struct control *c = calloc(1, sizeof(*c));
	char path[SL_MAX_PATH + 16];
	int rc;

	if (!c)
		return err_set(err, SL_ENOMEM, "out of memory");
	c->opt = *options;
	c->opt.conf = NULL;
	c->engine = options->engine;
	c->started_ms = os_now_ms();
	c->started_mono_ms = os_mono_ms();
	(void)snprintf(c->state_dir, sizeof(c->state_dir), "%s", options->conf->sluice.state);
	control_log_level_forget(c);
	(void)snprintf(path, sizeof(path), "%s/admin.token", c->state_dir);
	rc = control_token_file(path, &c->admin_token, err);
	if (!rc)
		rc = control_journal_open(c, options->conf, err);
	if (!rc)
		rc = control_events_open(c);
	if (!rc)
		rc = control_plans_open(c, err);
	if (!rc)
		control_overlay_open(c);
	if (!rc)
		rc = control_bills_open(c);
	if (!rc)
		rc = control_decisions_open(c);
	if (!rc)
		rc = control_alerts_open(c, err);
	if (!rc)
		rc = control_doors_new(&c->doors, err);
	if (!rc)
		rc = open_doors(c, options->conf, err);
	if (rc) {
		control_free(c);
		return rc;
	}
	*ret_control = c;
	return 0;
}

void control_free(struct control *c)
{
	if (!c)
		return;
	httpd_free(c->httpd);
	control_plans_close(c);
	control_alerts_close(c);
	control_overlay_close(c);
	control_passing_close(c);
	control_doors_free(c->doors);
	control_bills_close(c);
	control_decisions_close(c);
	control_events_close(c);
	control_journal_close(c);
	control_rollup_close(c);
	free(c->routes);
	free(c);
}

int control_facts_now(struct control *c, struct control_facts *ret)
{
	char *text = NULL;
	size_t n = 0;
	FILE *out = open_memstream(&text, &n);

	*ret = (struct control_facts){0};
	if (!out)
		return SL_ENOMEM;
	control_metrics(c, out);
	if (fclose(out)) {
		free(text);
		return SL_ENOMEM;
	}
	return control_facts_init(ret, text);
}

/* Once a second: what plans and alerts are about. */
static void facts_round(struct control *c, uint64_t now_ms)
{
	struct control_facts facts;

	if (!control_due(&c->facts_due_ms, FACTS_MS))
		return;
	look_at_certificate(c);
	control_bills_round(c, now_ms);
	if (control_facts_now(c, &facts) == 0) {
		control_plans_round(c, &facts, now_ms);
		control_alerts_round(c, &facts, now_ms);
	}
	control_facts_done(&facts);
}

void control_clock_set(struct control *c, int64_t by_ms)
{
	control_event(c, "process", "the clock was set by %.0f s", (double)by_ms / 1e3);
	control_plans_clock_set(c, by_ms);
	control_alerts_clock_set(c, by_ms);
	c->started_ms += (uint64_t)by_ms;
	c->harvest_version = 0; /* its times are told anew */
}

void control_round(struct control *c, int timeout_ms)
{
	uint64_t now_ms = os_now_ms();

	control_journal_round(c);
	control_rules_round(c, now_ms);
	control_passing_round(c, now_ms);
	control_overlay_round(c, now_ms);
	control_switch_round(c, now_ms);
	control_keep_round(c, now_ms);
	control_sample_round(c, now_ms);
	control_rollup_round(c, now_ms);
	facts_round(c, now_ms);
	control_events_round(c, now_ms);
	control_decisions_round(c, now_ms);
	(void)httpd_round(c->httpd, timeout_ms);
}
