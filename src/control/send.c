/* SPDX-License-Identifier: Apache-2.0 */
#include "control/send.h"

#include "base/hash.h"
#include "base/log.h"
#include "base/os.h"
#include "conf/conf.h"

#include <cjson/cJSON.h>
#include <curl/curl.h>
#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { POLL_MS = 250, STOP_S = 1, MAX_KEY = 4096 };

/* A message on its way. */
struct flight {
	CURL *curl; /* NULL: none */
	struct curl_slist *headers;
	char *body;
};

struct receiver {
	char url[SEND_MAX_URL + 32], name[SL_MAX_NAME], cacert[SL_MAX_PATH]; /* "": the system's */
	char *header; /* of the secret, or NULL */
	bool webhook;
	struct flight flight;  /* the thread's own, from here on */
	uint64_t sent, failed; /* messages */
};

/* Receivers as configured: made by control, taken over whole by the thread. */
struct setup {
	struct receiver receiver[NOTICE_TARGETS];
	struct notice_target target[NOTICE_TARGETS];
	uint32_t n, timeout_s;
	char runbooks[SEND_MAX_URL], unit[SL_MAX_NAME + 1];
};

struct control_send {
	pthread_mutex_t lock; /* of the mailbox below; never held across I/O */
	struct setup *setup;  /* new one, or NULL */
	struct notice *list;  /* new one, or NULL */
	uint32_t n_list;
	struct control_send_state state[NOTICE_TARGETS];
	uint32_t n_state;

	CURLM *multi; /* immutable; curl_multi_wakeup may come from any thread */
	pthread_t thread;
	bool running;
	_Atomic bool stop;
	sem_t ended; /* the thread's last word */

	/* the thread's own */
	struct setup *now;
	struct notice_book *book;
};

/* --- messages ------------------------------------------------------------------------ */

/* "world-old" to SluiceWorldOld, as in the rules for Prometheus. */
static void camel(const char *name, char *ret, size_t size)
{
	size_t n = (size_t)snprintf(ret, size, "Sluice");
	bool up = true;

	for (; *name && n + 1 < size; name++) {
		if (*name != '-')
			ret[n++] = up && *name >= 'a' && *name <= 'z' ? (char)(*name - 32) : *name;
		up = *name == '-';
	}
	ret[n] = '\0';
}

static void put_time(cJSON *o, const char *name, uint64_t ms)
{
	char text[OS_TIME_TEXT];

	os_time_text(ms, text);
	(void)cJSON_AddStringToObject(o, name, text);
}

/* name="value",... of a fact into an object; backslashes escape as in Prometheus' text. */
static void put_labels(cJSON *o, const char *labels)
{
	char name[64], value[160];

	while (*labels) {
		size_t n = strcspn(labels, "="), k = 0;

		if (n >= sizeof(name) || labels[n] != '=' || labels[n + 1] != '"')
			return;
		memcpy(name, labels, n);
		name[n] = '\0';
		for (labels += n + 2; *labels && *labels != '"'; labels++) {
			labels += *labels == '\\' && labels[1];
			if (k + 1 < sizeof(value))
				value[k++] = *labels;
		}
		value[k] = '\0';
		labels += *labels == '"';
		labels += *labels == ',';
		(void)cJSON_AddStringToObject(o, name, value);
	}
}

static cJSON *alert_of(const struct setup *k, const struct notice_line *l, uint64_t lasts_until_ms)
{
	cJSON *o = cJSON_CreateObject(), *labels = cJSON_AddObjectToObject(o, "labels");
	cJSON *notes = cJSON_AddObjectToObject(o, "annotations");
	char text[SEND_MAX_URL + SL_MAX_NAME];

	camel(l->notice->alert, text, sizeof(text));
	(void)cJSON_AddStringToObject(labels, "alertname", text);
	(void)cJSON_AddStringToObject(
		labels, "severity", notice_severity_text(l->notice->severity));
	(void)cJSON_AddStringToObject(labels, "unit", k->unit);
	put_labels(labels, l->notice->labels);
	(void)cJSON_AddStringToObject(notes, "summary", l->notice->text);
	(void)snprintf(text, sizeof(text), "%.6g", l->notice->value);
	(void)cJSON_AddStringToObject(notes, "value", text);
	(void)snprintf(text, sizeof(text), "%s%s", k->runbooks, l->notice->alert);
	(void)cJSON_AddStringToObject(notes, "runbook_url", text);
	put_time(o, "startsAt", l->notice->start_ms);
	put_time(o, "endsAt", l->end_ms ? l->end_ms : lasts_until_ms);
	return o;
}

static cJSON *alertmanager_body(const struct setup *k, uint32_t t, const struct notice_line *line,
	uint32_t n, uint64_t now_ms)
{
	cJSON *list = cJSON_CreateArray();
	uint64_t until = now_ms + (uint64_t)k->target[t].again * NOTICE_END_FACTOR;

	for (uint32_t i = 0; i < n; i++)
		(void)cJSON_AddItemToArray(list, alert_of(k, &line[i], until));
	return list;
}

/* Members of Alertmanager's webhook message, version 4. */
static cJSON *webhook_body(const struct setup *k, const struct notice_line *line, uint32_t n)
{
	cJSON *o = cJSON_CreateObject(), *labels = cJSON_CreateObject(), *list;
	bool fires = false;
	char name[SL_MAX_NAME + 8], key[SL_MAX_NAME + 40];

	camel(line[0].notice->alert, name, sizeof(name));
	(void)snprintf(key, sizeof(key), "{}:{alertname=\"%s\"}", name);
	for (uint32_t i = 0; i < n; i++)
		fires |= !line[i].end_ms;
	(void)cJSON_AddStringToObject(o, "version", "4");
	(void)cJSON_AddStringToObject(o, "groupKey", key);
	(void)cJSON_AddNumberToObject(o, "truncatedAlerts", 0);
	(void)cJSON_AddStringToObject(o, "status", fires ? "firing" : "resolved");
	(void)cJSON_AddStringToObject(o, "receiver", "sluice");
	(void)cJSON_AddStringToObject(labels, "alertname", name);
	(void)cJSON_AddItemToObject(o, "groupLabels", cJSON_Duplicate(labels, true));
	(void)cJSON_AddStringToObject(
		labels, "severity", notice_severity_text(line[0].notice->severity));
	(void)cJSON_AddStringToObject(labels, "unit", k->unit);
	(void)cJSON_AddItemToObject(o, "commonLabels", labels);
	(void)cJSON_AddObjectToObject(o, "commonAnnotations");
	(void)cJSON_AddStringToObject(o, "externalURL", "");
	list = cJSON_AddArrayToObject(o, "alerts");
	for (uint32_t i = 0; i < n; i++) {
		cJSON *a = alert_of(k, &line[i], 0);

		(void)cJSON_AddStringToObject(a, "status", line[i].end_ms ? "resolved" : "firing");
		(void)cJSON_AddItemToArray(list, a);
	}
	return o;
}

/* --- the thread ---------------------------------------------------------------------- */

static size_t drop(char *data, size_t size, size_t count, void *ctx)
{
	(void)data;
	(void)ctx;
	return size * count;
}

static void land(struct control_send *s, struct flight *f)
{
	if (!f->curl)
		return;
	(void)curl_multi_remove_handle(s->multi, f->curl);
	curl_easy_cleanup(f->curl);
	curl_slist_free_all(f->headers);
	cJSON_free(f->body);
	*f = (struct flight){NULL, NULL, NULL};
}

static void take_off(struct control_send *s, uint32_t t, const struct notice_line *line, uint32_t n)
{
	const struct setup *k = s->now;
	struct receiver *r = &s->now->receiver[t];
	cJSON *json = r->webhook ? webhook_body(k, line, n)
				 : alertmanager_body(k, t, line, n, os_now_ms());
	struct flight *f = &r->flight;

	f->body = cJSON_PrintUnformatted(json);
	cJSON_Delete(json);
	f->curl = f->body ? curl_easy_init() : NULL;
	if (!f->curl) {
		cJSON_free(f->body);
		f->body = NULL;
		notice_told(s->book, t, false, os_now_ms());
		return;
	}
	f->headers = curl_slist_append(NULL, "Content-Type: application/json");
	f->headers = curl_slist_append(f->headers, "Expect:");
	if (r->header)
		f->headers = curl_slist_append(f->headers, r->header);
	if (r->cacert[0]) { /* instead of both of the system's */
		curl_easy_setopt(f->curl, CURLOPT_CAINFO, r->cacert);
		curl_easy_setopt(f->curl, CURLOPT_CAPATH, NULL);
	}
	curl_easy_setopt(f->curl, CURLOPT_URL, r->url);
	curl_easy_setopt(f->curl, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(f->curl, CURLOPT_PROXY, "");
	curl_easy_setopt(f->curl, CURLOPT_HTTPHEADER, f->headers);
	curl_easy_setopt(f->curl, CURLOPT_POSTFIELDS, f->body);
	curl_easy_setopt(f->curl, CURLOPT_POSTFIELDSIZE, (long)strlen(f->body));
	curl_easy_setopt(f->curl, CURLOPT_WRITEFUNCTION, drop);
	curl_easy_setopt(f->curl, CURLOPT_TIMEOUT, (long)k->timeout_s);
	curl_easy_setopt(f->curl, CURLOPT_NOSIGNAL, 1L);
	(void)curl_multi_add_handle(s->multi, f->curl);
}

static void done(struct control_send *s, CURL *curl, CURLcode rc)
{
	struct receiver *r = s->now->receiver;
	long status = 0;
	uint32_t t;
	bool ok;

	while (r->flight.curl != curl)
		r++;
	t = (uint32_t)(r - s->now->receiver);
	(void)curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
	ok = status >= 200 && status < 300; /* it was taken, however the rest of the answer ends */
	*(ok ? &r->sent : &r->failed) += 1;
	if (!ok)
		LOG_W("alert.not_sent", "target=%s status=%ld error=\"%s\"", r->name, status,
			rc == CURLE_OK ? "refused" : curl_easy_strerror(rc));
	land(s, &r->flight);
	notice_told(s->book, t, ok, os_now_ms());
}

static void free_setup(struct setup *k)
{
	for (uint32_t i = 0; k && i < k->n; i++)
		free(k->receiver[i].header);
	free(k);
}

/* What is on its way to a receiver that stays goes on. */
static void replace_setup(struct control_send *s, struct setup *setup)
{
	uint32_t was[NOTICE_TARGETS];

	notice_set_targets(s->book, setup->target, setup->n, was);
	for (uint32_t t = 0; t < setup->n; t++) {
		struct receiver *to = &setup->receiver[t], *from;

		if (was[t] == NOTICE_TARGETS)
			continue;
		from = &s->now->receiver[was[t]];
		to->sent = from->sent;
		to->failed = from->failed;
		to->flight = from->flight;
		from->flight = (struct flight){NULL, NULL, NULL};
	}
	for (uint32_t t = 0; s->now && t < s->now->n; t++)
		land(s, &s->now->receiver[t].flight);
	free_setup(s->now);
	s->now = setup;
}

/* What control has put into the mailbox, and for it how things stand. */
static void look_into_mailbox(struct control_send *s)
{
	struct setup *setup;
	struct notice *list;
	uint32_t n;

	(void)pthread_mutex_lock(&s->lock);
	setup = s->setup;
	list = s->list;
	n = s->n_list;
	s->setup = NULL;
	s->list = NULL;
	s->n_state = s->now && !setup ? s->now->n : 0;
	for (uint32_t t = 0; t < s->n_state; t++) {
		struct control_send_state *st = &s->state[t];

		(void)snprintf(st->target, sizeof(st->target), "%s", s->now->receiver[t].name);
		st->sent = s->now->receiver[t].sent;
		st->failed = s->now->receiver[t].failed;
		st->waiting = notice_waiting(s->book, t);
		st->failures = notice_failures(s->book, t);
	}
	(void)pthread_mutex_unlock(&s->lock);
	if (setup)
		replace_setup(s, setup);
	if (list)
		notice_take(s->book, list, n, os_now_ms());
	free(list);
}

static void *loop(void *arg)
{
	struct control_send *s = arg;
	struct notice_line *line = calloc(NOTICE_MAX, sizeof(*line));
	struct CURLMsg *m;
	int left;

	while (line && !atomic_load(&s->stop)) {
		look_into_mailbox(s);
		for (uint32_t t = 0; s->now && t < s->now->n; t++) {
			uint32_t n = notice_due(s->book, t, os_now_ms(), line);

			if (n)
				take_off(s, t, line, n);
		}
		(void)curl_multi_perform(s->multi, &left);
		while ((m = curl_multi_info_read(s->multi, &left)))
			if (m->msg == CURLMSG_DONE)
				done(s, m->easy_handle, m->data.result);
		(void)curl_multi_poll(s->multi, NULL, 0, POLL_MS, NULL);
	}
	for (uint32_t t = 0; s->now && t < s->now->n; t++)
		land(s, &s->now->receiver[t].flight);
	free(line);
	(void)sem_post(&s->ended);
	return NULL;
}

/* --- control's side ------------------------------------------------------------------ */

int control_send_new(struct control_send **ret_send, struct errbuf *err)
{
	struct control_send *s = calloc(1, sizeof(*s));

	if (!s)
		return err_set(err, SL_ENOMEM, "out of memory");
	(void)pthread_mutex_init(&s->lock, NULL);
	(void)sem_init(&s->ended, 0, 0);
	s->book = notice_new();
	s->multi = curl_global_init(CURL_GLOBAL_DEFAULT) ? NULL : curl_multi_init();
	s->running = s->book && s->multi && pthread_create(&s->thread, NULL, loop, s) == 0;
	if (!s->running) {
		control_send_free(s);
		return err_set(err, SL_ENOMEM, "alerts: cannot start the thread that sends them");
	}
	*ret_send = s;
	return 0;
}

void control_send_free(struct control_send *s)
{
	uint64_t now_ms = os_mono_ms();
	struct timespec until = {(time_t)(now_ms / 1000) + STOP_S, (long)(now_ms % 1000) * 1000000};

	if (!s)
		return;
	atomic_store(&s->stop, true);
	if (s->running) {
		(void)curl_multi_wakeup(s->multi);
		/* a name that takes long to resolve holds it: then the process ends around it */
		while (sem_clockwait(&s->ended, CLOCK_MONOTONIC, &until))
			if (errno != EINTR)
				return;
		(void)pthread_join(s->thread, NULL);
	}
	(void)curl_multi_cleanup(s->multi);
	notice_free(s->book);
	free_setup(s->now);
	free_setup(s->setup);
	free(s->list);
	(void)sem_destroy(&s->ended);
	(void)pthread_mutex_destroy(&s->lock);
	free(s);
}

/* "Authorization: Bearer SECRET" of a named key. */
static int read_header(const struct conf *conf, const char *key, char **ret, struct errbuf *err)
{
	const struct conf_sluice *c = &conf->sluice;
	char *text = NULL;
	size_t n = 0;
	int rc = SL_ENOENT;

	for (uint32_t i = 0; i < c->keys_count && rc; i++)
		if (strcmp(c->keys[i].name, key) == 0)
			rc = os_read_file(c->keys[i].file, MAX_KEY, &text, &n, err);
	if (!rc) {
		while (n && (unsigned char)text[n - 1] <= ' ')
			text[--n] = '\0';
		*ret = malloc(n + 32);
		if (*ret)
			(void)snprintf(*ret, n + 32, "Authorization: Bearer %s", text);
	}
	free(text);
	return rc ? SL_EACCES : 0;
}

/* Host and port of a URL: what logs and metrics call it, without a path that may hold a secret. */
static void name_of(const char *url, char *ret, size_t size)
{
	const char *host = strstr(url, "://"), *at;
	size_t n;

	host = host ? host + 3 : url;
	n = strcspn(host, "/?#");
	at = memchr(host, '@', n);
	if (at) {
		n -= (size_t)(at + 1 - host);
		host = at + 1;
	}
	(void)snprintf(ret, size, "%.*s", (int)n, host);
}

static int read_receiver(struct setup *k, const struct conf *conf, uint32_t i, struct errbuf *err)
{
	const struct conf_alerts *a = &conf->sluice.alerts;
	const struct conf_alert_target *from = &a->targets[i];
	struct receiver *r = &k->receiver[i];
	size_t n = strlen(from->url);

	r->webhook = from->kind == CONF_TARGET_WEBHOOK;
	while (!r->webhook && n && from->url[n - 1] == '/')
		n--;
	(void)snprintf(r->url, sizeof(r->url), "%.*s%s", (int)n, from->url,
		r->webhook ? "" : "/api/v2/alerts");
	name_of(from->url, r->name, sizeof(r->name));
	k->target[i] = (struct notice_target){.id = hash64(r->url, strlen(r->url), r->webhook),
		.grouped = r->webhook,
		.group = a->group_s * 1000,
		.again = (r->webhook ? a->repeat_s : a->resend_s) * 1000,
		.least = (enum notice_severity)from->least};
	(void)snprintf(r->cacert, sizeof(r->cacert), "%s", from->cacert ? from->cacert : "");
	return from->key ? read_header(conf, from->key, &r->header, err) : 0;
}

int control_send_configure(struct control_send *s, const struct conf *conf, struct errbuf *err)
{
	const struct conf_alerts *a = &conf->sluice.alerts;
	struct setup *k = calloc(1, sizeof(*k));
	int rc = 0;

	if (!k)
		return err_set(err, SL_ENOMEM, "out of memory");
	k->n = SL_MIN(a->targets_count, (uint32_t)NOTICE_TARGETS);
	k->timeout_s = a->timeout_s;
	(void)snprintf(k->runbooks, sizeof(k->runbooks), "%s", a->runbooks);
	(void)snprintf(k->unit, sizeof(k->unit), "%s", conf->sluice.unit);
	for (uint32_t i = 0; i < k->n; i++)
		if (read_receiver(k, conf, i, err))
			rc = SL_EACCES;
	(void)pthread_mutex_lock(&s->lock);
	free_setup(s->setup);
	s->setup = k;
	(void)pthread_mutex_unlock(&s->lock);
	(void)curl_multi_wakeup(s->multi);
	return rc;
}

void control_send_alerts(struct control_send *s, const struct notice *list, uint32_t n)
{
	struct notice *copy = calloc(n + 1, sizeof(*copy));

	if (!copy)
		return; /* comes again with the next second */
	memcpy(copy, list, n * sizeof(*copy));
	(void)pthread_mutex_lock(&s->lock);
	free(s->list);
	s->list = copy;
	s->n_list = n;
	(void)pthread_mutex_unlock(&s->lock);
	(void)curl_multi_wakeup(s->multi);
}

uint32_t control_send_states(
	struct control_send *s, struct control_send_state ret[static NOTICE_TARGETS])
{
	uint32_t n;

	(void)pthread_mutex_lock(&s->lock);
	n = s->n_state;
	memcpy(ret, s->state, n * sizeof(*ret));
	(void)pthread_mutex_unlock(&s->lock);
	return n;
}
