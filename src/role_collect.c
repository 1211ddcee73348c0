/* SPDX-License-Identifier: Apache-2.0 */
/* The collect process: takes in reports and gives facts. */
#include "base/log.h"
#include "base/os.h"
#include "httpd/httpd.h"
#include "role.h"
#include "world/facts.h"

#include <stdlib.h>

enum { BACKLOG = 1024, DRAIN_MS = 5000 };

/* The reports listeners know no report yet: what is asked gets 404, /healthz answers. */
static const struct httpd_route no_routes[1];

/* Facts of this tick, of which there are none before reports are taken. */
static int write_facts(const char *path, uint64_t number, uint64_t started_ms, struct errbuf *err)
{
	struct blob_writer *w = blob_writer_new(&facts_def);
	struct facts_meta *m = w ? blob_add(w, FACTS_meta, 1, NULL) : NULL;
	void *blob = NULL;
	size_t size;
	int rc = SL_ENOMEM;

	if (m) {
		m->number = number;
		m->started_ms = started_ms;
		m->sampled_ppm = 1000000;
		rc = blob_writer_finish(
			w, (struct blob_stamp){1, number, os_now_ms()}, &blob, &size, err);
	}
	if (!rc)
		rc = os_write_file(path, blob, size, 0644, err);
	free(blob);
	blob_writer_free(w);
	return rc;
}

static int listen_all(struct httpd *h, const struct conf *conf, struct errbuf *err)
{
	const struct conf_listen *l = &conf->sluice.listen;

	for (uint32_t i = 0; i < l->reports_count; i++) {
		struct os_addr addr;
		int fd, rc = os_addr_parse(l->reports[i], &addr, err);

		if (rc)
			return rc;
		fd = os_tcp_listen(&addr, BACKLOG, err);
		if (fd < 0)
			return fd;
		rc = httpd_listen(h, fd, false, err);
		if (rc)
			return rc;
	}
	return 0;
}

static void loop(struct httpd *h, const struct conf *conf)
{
	uint64_t number = 0, started_ms = os_now_ms(), due = 0;
	char path[SL_MAX_PATH];
	struct errbuf err;

	(void)snprintf(path, sizeof(path), "%.900s/facts.blob", conf->sluice.state);
	while (!role_stop) {
		uint64_t now = os_mono_ms();

		if (now >= due) {
			due = now + conf->sluice.tick_ms;
			if (write_facts(path, ++number, started_ms, &err))
				LOG_E("facts.refused", "error=\"%s\"", err.s);
		}
		(void)httpd_round(h, (int)(due - now));
	}
}

int role_collect(const char *path, struct conf *conf)
{
	struct httpd_config hc = {.routes = no_routes, .n_routes = 0};
	struct errbuf err = {""};
	struct httpd *h = NULL;
	int rc = httpd_new(&hc, &h, &err);

	(void)path;
	if (!rc)
		rc = listen_all(h, conf, &err);
	if (!rc)
		rc = role_drop_privileges(conf, &err);
	if (rc) {
		LOG_E("collect.refused", "error=\"%s\"", err.s);
	} else {
		LOG_I("collect.ready", "listeners=%u", conf->sluice.listen.reports_count);
		loop(h, conf);
		httpd_drain(h);
		for (uint64_t until = os_mono_ms() + DRAIN_MS;
			httpd_connections(h) && os_mono_ms() < until;)
			(void)httpd_round(h, 50);
	}
	httpd_free(h);
	conf_free(conf);
	return rc ? 1 : 0;
}
