/* SPDX-License-Identifier: Apache-2.0 */
/* steer tags: what to write into the playlists and MPDs of a service; docs/steering.md. */
#include "control/control_int.h"

#include <stdlib.h>
#include <string.h>

struct tags {
	const struct conf_service *service;
	const char *stream; /* NULL: {stream} is left for who writes the playlist */
	char door[SL_MAX_PATH], pathways[SL_MAX_SLOTS * (SL_MAX_NAME + 1) + 1];
	const char *first; /* the pathway to begin with */
};

static int find_service(struct control_call *call, struct tags *t)
{
	const struct conf_catalog *c = &call->view->conf->catalog;
	const char *name = control_arg(call, "service");
	int i = conf_find_service(c, name);

	if (i < 0)
		return err_set(&call->err, SL_ENOENT, "no service %.64s", name);
	t->service = &c->services[i];
	return 0;
}

/* The vendor that scores best in the default group now: playlist and steering begin alike. */
static const char *best(const struct control_call *call, const struct conf_service *s)
{
	const struct world *w = call->view->world;
	uint32_t id = w ? cat_find_service(&w->cat, str_from(s->name)) : BLOB_NONE;
	const struct tick_row *row;
	uint32_t slot;

	if (id == BLOB_NONE)
		return s->vendors[0].vendor;
	row = world_row(w, id, w->cat.meta->default_group);
	slot = row->n_order ? row->order & 15 : 0;
	return s->vendors[slot < s->vendors_count ? slot : 0].vendor;
}

static const char *host_of(const struct conf_service_vendor *v)
{
	return v->play_host ? v->play_host : v->cname;
}

/* Only what has a host can be in a playlist. */
static void name_pathways(struct tags *t)
{
	for (uint32_t i = 0; i < t->service->vendors_count; i++) {
		const struct conf_service_vendor *v = &t->service->vendors[i];
		size_t n = strlen(t->pathways);

		if (host_of(v))
			(void)snprintf(t->pathways + n, sizeof(t->pathways) - n, "%s%s",
				n ? "," : "", v->vendor);
	}
}

/* Where players reach the door, as far as we can know. */
static void put_door(const struct control_call *call, struct tags *t)
{
	const struct conf_sluice *c = &call->view->conf->sluice;
	const char *url = control_arg(call, "door"), *listen = c->listen.http[0];
	size_t n = url ? strlen(url) : 0;

	if (n && url[n - 1] == '/')
		n--;
	if (url)
		(void)snprintf(
			t->door, sizeof(t->door), "%.*s/steer/%s", (int)n, url, t->service->name);
	else
		(void)snprintf(t->door, sizeof(t->door), "http://%s%s/steer/%s",
			strchr(listen, ':') ? "" : "127.0.0.1:", listen, t->service->name);
}

/* {stream} filled in, percent-encoded (RFC 3986 section 2.3), where it is known. */
static void put_path(FILE *out, const struct tags *t, const char *path, size_t n)
{
	static const char mark[] = "{stream}";
	const char *at = t->stream ? memmem(path, n, mark, sizeof(mark) - 1) : NULL;

	(void)fwrite(path, 1, at ? (size_t)(at - path) : n, out);
	if (!at)
		return;
	for (const char *p = t->stream; *p; p++)
		(void)fprintf(out,
			strchr("-._~", *p) || (*p >= '0' && *p <= '9') ||
					((*p | 32) >= 'a' && (*p | 32) <= 'z')
				? "%c"
				: "%%%02X",
			(uint8_t)*p);
	at += sizeof(mark) - 1;
	put_path(out, t, at, (size_t)(path + n - at));
}

static void put_base(FILE *out, const struct conf_service_vendor *v)
{
	const char *host = host_of(v);
	size_t n = strlen(host);

	(void)fprintf(out, "http%s://%.*s", v->https ? "s" : "",
		(int)(n && host[n - 1] == '.' ? n - 1 : n), host);
	if (v->play_port)
		(void)fprintf(out, ":%u", v->play_port);
}

/* The service's paths of a format; one of its own where it has none. */
static const struct conf_play *play_at(const struct tags *t, uint32_t format, uint32_t i)
{
	static char definition[] = "main", hls[] = "/{stream}/index.m3u8", dash[] = "/{stream}/";
	static const struct conf_play none[] = {
		{.definition = definition, .path = hls}, {.definition = definition, .path = dash}};
	uint32_t n = 0;

	for (uint32_t k = 0; k < t->service->play_count; k++)
		if (t->service->play[k].format == format && n++ == i)
			return &t->service->play[k];
	return n || i ? NULL : &none[format == CONF_FORMAT_DASH];
}

static void put_hls(FILE *out, const struct tags *t)
{
	const struct conf_play *p;

	(void)fprintf(out,
		"#EXTM3U\n#EXT-X-CONTENT-STEERING:SERVER-URI=\"%s?pathways=%s\","
		"PATHWAY-ID=\"%s\"\n",
		t->door, t->pathways, t->first);
	for (uint32_t i = 0; (p = play_at(t, CONF_FORMAT_HLS, i)); i++)
		for (uint32_t k = 0; k < t->service->vendors_count; k++) {
			const struct conf_service_vendor *v = &t->service->vendors[k];

			if (!host_of(v))
				continue;
			(void)fprintf(out,
				"#EXT-X-STREAM-INF:BANDWIDTH=%u,PATHWAY-ID=\"%s\","
				"STABLE-VARIANT-ID=\"%s\"\n",
				t->service->bitrate_kbps * 1000, v->vendor, p->definition);
			put_base(out, v);
			put_path(out, t, p->path, strlen(p->path));
			(void)fputc('\n', out);
		}
}

/* A BaseURL is what the MPD's segments are relative to: the folder. */
static void put_dash(FILE *out, const struct tags *t)
{
	const struct conf_play *p = play_at(t, CONF_FORMAT_DASH, 0);
	size_t folder = (size_t)(strrchr(p->path, '/') - p->path) + 1;

	for (uint32_t k = 0; k < t->service->vendors_count; k++) {
		const struct conf_service_vendor *v = &t->service->vendors[k];

		if (!host_of(v))
			continue;
		(void)fprintf(out, "<BaseURL serviceLocation=\"%s\">", v->vendor);
		put_base(out, v);
		put_path(out, t, p->path, folder);
		(void)fputs("</BaseURL>\n", out);
	}
	(void)fprintf(out,
		"<ContentSteering defaultServiceLocation=\"%s\" queryBeforeStart=\"true\">"
		"%s?pathways=%s</ContentSteering>\n",
		t->first, t->door, t->pathways);
}

static int put_text(struct control_call *call, const char *name, const struct tags *t,
	void (*put)(FILE *out, const struct tags *t))
{
	char *text = NULL;
	size_t n = 0;
	FILE *out = open_memstream(&text, &n);

	if (!out)
		return err_set(&call->err, SL_ENOMEM, "out of memory");
	put(out, t);
	if (fclose(out) == 0)
		cJSON_AddStringToObject(call->out, name, text);
	free(text);
	return 0;
}

int control_do_STEER_TAGS(struct control_call *call)
{
	struct tags t = {.stream = control_arg(call, "stream")};
	int rc;

	if (!call->view->conf)
		return err_set(&call->err, SL_EAGAIN, "no configuration is in use yet");
	rc = find_service(call, &t);
	if (rc)
		return rc;
	name_pathways(&t);
	if (!t.pathways[0])
		return err_set(&call->err, SL_EINVAL,
			"no vendor of the service has a host name: give them a cname or play_host");
	t.first = best(call, t.service);
	put_door(call, &t);
	rc = put_text(call, "hls", &t, put_hls);
	return rc ? rc : put_text(call, "dash", &t, put_dash);
}
