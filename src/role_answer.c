/* SPDX-License-Identifier: Apache-2.0 */
/* The answer process: DNS and HTTP doors over the newest good world, and nothing else. */
#include "base/log.h"
#include "base/os.h"
#include "dns/server.h"
#include "dns/setup.h"
#include "http/http.h"
#include "link.h"
#include "role.h"
#include "tally/worker.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LINK_MS = 1000, DRAIN_MS = 3000 };

struct answer_role {
	struct conf *conf;
	struct workers workers;
	struct link *link;
	struct dnsd *dns;
	struct dnsd_settings dns_settings;
	struct http_server *http;
	struct httpd_prefix trusted[CONF_MAX_PREFIXES];
	struct ip servers[2 * CONF_MAX_LISTEN];
	struct timespec cert_time[2]; /* when certificate and key in use were written */
	uint32_t cert_failed;
	uint32_t reserved_services, reserved_groups; /* of the tallies */
};

static uint32_t n_threads(uint32_t asked)
{
	long cores = sysconf(_SC_NPROCESSORS_ONLN);

	if (asked)
		return asked;
	return cores > 0 ? SL_MIN((uint32_t)cores, (uint32_t)SL_MAX_WORKERS / 4) : 1;
}

static int parse_all(const char *const *text, uint32_t n, struct os_addr *ret, struct errbuf *err)
{
	for (uint32_t i = 0; i < n; i++) {
		int rc = os_addr_parse(text[i], &ret[i], err);

		if (rc)
			return rc;
	}
	return 0;
}

static int open_tallies(struct answer_role *r, uint32_t n, struct errbuf *err)
{
	char dir[SL_MAX_PATH];
	int rc;

	if (n > SL_MAX_WORKERS)
		return err_set(err, SL_ELIMIT, "%u answer threads, at most %d", n, SL_MAX_WORKERS);
	(void)snprintf(dir, sizeof(dir), "%.900s/tally", r->conf->sluice.state);
	rc = os_mkdirs(dir, 0755, err);
	for (uint32_t i = 0; !rc && i < n; i++) {
		char name[32];

		(void)snprintf(name, sizeof(name), "answer-%u", i);
		rc = tally_open(dir, name, &r->workers.tally[i], err);
		if (!rc)
			r->workers.n = i + 1;
	}
	return rc;
}

/* Rows for all that the world has, before it is answered from. */
static int reserve(void *ctx, const struct world *w, struct errbuf *err)
{
	struct answer_role *r = ctx;
	int rc = 0;

	if (w->cat.n_services <= r->reserved_services && w->cat.n_groups <= r->reserved_groups)
		return 0;
	for (uint32_t i = 0; !rc && i < r->workers.n; i++)
		rc = tally_reserve(r->workers.tally[i], w->cat.n_services, w->cat.n_groups, err);
	if (!rc) {
		r->reserved_services = w->cat.n_services;
		r->reserved_groups = w->cat.n_groups;
	}
	return rc;
}

static int open_dns(struct answer_role *r, struct dnsd_options *o, struct errbuf *err)
{
	int rc;

	if (o->n_listen == 0)
		return 0;
	rc = dnsd_setup(&r->dns_settings, &r->conf->sluice, err);
	o->settings = r->dns_settings;
	return rc ? rc : dnsd_open(o, &r->dns, err);
}

static int open_http(struct answer_role *r, const struct http_options *o, struct errbuf *err)
{
	return o->n_listen ? http_open(o, &r->http, err) : 0;
}

static void tell_servers(struct answer_role *r, struct http_options *o)
{
	const struct conf_http_door *h = &r->conf->sluice.http;

	o->servers = r->servers;
	for (uint32_t i = 0; i < h->servers_a_count; i++)
		r->servers[o->n_servers++] = h->servers_a[i];
	for (uint32_t i = 0; i < h->servers_aaaa_count; i++)
		r->servers[o->n_servers++] = h->servers_aaaa[i];
}

static int open_doors(struct answer_role *r, struct errbuf *err)
{
	const struct conf_sluice *s = &r->conf->sluice;
	struct os_addr dns_addr[CONF_MAX_LISTEN], http_addr[2 * CONF_MAX_LISTEN];
	struct dnsd_options dns = DNSD_OPTIONS_DEFAULT;
	struct http_options http = {.listen = http_addr,
		.n_listen = s->listen.http_count + s->listen.https_count,
		.first_tls = s->listen.http_count,
		.tls_cert = s->http.certificate,
		.tls_key = s->http.key,
		.limits = {.rate_per_s = s->http.rate_per_s, .rate_burst = s->http.rate_burst},
		.batch_octets = s->http.batch_octets,
		.threads = n_threads(s->threads.http),
		.workers = &r->workers,
		.trusted = r->trusted,
		.n_trusted = s->trusted_proxies_count};
	int rc = parse_all(s->listen.dns, s->listen.dns_count, dns_addr, err);

	tell_servers(r, &http);
	http.nsid = str_from(s->dns.nsid);
	for (uint32_t i = 0; i < s->trusted_proxies_count; i++)
		r->trusted[i] =
			(struct httpd_prefix){s->trusted_proxies[i].ip, s->trusted_proxies[i].len};
	if (!rc)
		rc = parse_all(s->listen.http, s->listen.http_count, http_addr, err);
	if (!rc)
		rc = parse_all(s->listen.https, s->listen.https_count,
			http_addr + s->listen.http_count, err);
	dns.listen = dns_addr;
	dns.n_listen = s->listen.dns_count;
	dns.udp_threads = n_threads(s->threads.dns);
	dns.workers = &r->workers;
	http.first_worker = dns.n_listen ? dnsd_workers(&dns) : 0;
	if (!rc)
		rc = open_tallies(r, http.first_worker + (http.n_listen ? http.threads : 0), err);
	if (!rc)
		rc = open_dns(r, &dns, err);
	return rc ? rc : open_http(r, &http, err);
}

/* When certificate and key were written; zeroes for what is not there. */
static void look_up_times(const struct answer_role *r, struct timespec ret_times[static 2])
{
	const char *path[2] = {r->conf->sluice.http.certificate, r->conf->sluice.http.key};
	struct stat st;

	memset(ret_times, 0, 2 * sizeof(*ret_times));
	for (int i = 0; i < 2; i++)
		if (path[i] && stat(path[i], &st) == 0)
			ret_times[i] = st.st_mtim;
}

static int start(struct answer_role *r, struct errbuf *err)
{
	char dir[SL_MAX_PATH];
	int rc;

	r->workers.publish = publish_new();
	r->workers.seen = seen_new();
	if (!r->workers.publish || !r->workers.seen)
		return err_set(err, SL_ENOMEM, "out of memory");
	look_up_times(r, r->cert_time); /* before they are read: a later change is seen */
	rc = open_doors(r, err);
	if (!rc)
		rc = role_drop_capabilities(r->conf, err);
	(void)snprintf(dir, sizeof(dir), "%.900s/world", r->conf->sluice.state);
	if (!rc)
		rc = link_new(dir, "answer", r->workers.publish, r->workers.seen, reserve, r,
			&r->link, err);
	if (!rc && r->dns)
		rc = dnsd_run(r->dns, err);
	if (!rc && r->http)
		rc = http_run(r->http, err);
	return rc;
}

static void stop(struct answer_role *r)
{
	http_stop(r->http, DRAIN_MS);
	dnsd_stop(r->dns);
	dnsd_setup_done(&r->dns_settings);
	link_free(r->link);
	publish_free(r->workers.publish);
	free(r->workers.seen);
	for (uint32_t i = 0; i < r->workers.n; i++)
		tally_close(r->workers.tally[i]);
	conf_free(r->conf);
}

/* A new certificate is taken without a restart; one that is no good leaves the old in use. Either
 * file may be written first: what does not fit together is looked at again with the second. */
static void look_at_certificate(struct answer_role *r)
{
	struct timespec now[2];
	uint32_t failed;

	if (!r->http || !r->conf->sluice.http.certificate)
		return;
	failed = http_tls_failed(r->http);
	if (failed != r->cert_failed)
		LOG_E("tls.refused", "certificate=%s", r->conf->sluice.http.certificate);
	r->cert_failed = failed;
	look_up_times(r, now);
	if (memcmp(now, r->cert_time, sizeof(now)) != 0) {
		memcpy(r->cert_time, now, sizeof(now));
		http_tls_reload(r->http);
		LOG_I("tls.reloaded", "certificate=%s", r->conf->sluice.http.certificate);
	}
}

/* For control: that this process looks for worlds, and how old the one is that it has. */
static void tell(const struct answer_role *r)
{
	struct tally *t = r->workers.n ? r->workers.tally[0] : NULL;

	if (!t)
		return;
	atomic_store_explicit(&t->world_ms, link_world_ms(r->link), memory_order_relaxed);
	atomic_store_explicit(&t->looked_ms, os_now_ms(), memory_order_relaxed);
}

int role_answer(const char *path, struct conf *conf)
{
	struct answer_role r = {.conf = conf};
	struct errbuf err = {""};
	int rc = start(&r, &err);

	(void)path;
	if (rc) {
		LOG_E("answer.refused", "error=\"%s\"", err.s);
	} else {
		LOG_I("answer.ready", "dns=%u http=%u workers=%u", conf->sluice.listen.dns_count,
			conf->sluice.listen.http_count, r.workers.n);
		while (!role_stop) {
			link_round(r.link, LINK_MS);
			tell(&r);
			look_at_certificate(&r);
		}
	}
	stop(&r);
	return rc ? 1 : 0;
}
