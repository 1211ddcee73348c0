/* SPDX-License-Identifier: Apache-2.0 */
/* The machine's file, and the carriers of the catalogue. */
#include "base/arena.h"
#include "conf/check.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct listeners {
	const char *key;
	const char *const *v;
	uint32_t n;
};

/* Listeners share ports among their threads, so the kernel would not refuse two on one port. */
static int check_listen(const struct conf *c, struct errbuf *err)
{
	const struct conf_listen *l = &c->sluice.listen;
	const struct listeners all[] = {{"http", l->http, l->http_count},
		{"https", l->https, l->https_count}, {"reports", l->reports, l->reports_count},
		{"admin", l->admin, l->admin_count},
		{"admin_tls", l->admin_tls, l->admin_tls_count}, {"dns", l->dns, l->dns_count}};
	struct conf_names names;
	char path[CONF_PATH_SIZE];
	int rc = conf_names_init(&names, c, SL_COUNT(all) * CONF_MAX_LISTEN, err);

	for (size_t k = 0; k < SL_COUNT(all) && rc == 0; k++)
		for (uint32_t i = 0; i < all[k].n && rc == 0; i++)
			if (conf_names_add(&names, all[k].v[i], i) >= 0)
				rc = conf_refuse(c, err, SL_EFORMAT,
					CONF_PATH(path, "listen.%s[%u]", all[k].key, i),
					"address used twice, got \"%s\", want one that no other "
					"listener has",
					all[k].v[i]);
	return rc;
}

static int check_account(
	const struct conf *c, uint32_t i, const struct conf_names *keys, struct errbuf *err)
{
	const struct conf_account *a = &c->sluice.accounts[i];
	const struct {
		const char *name, *key;
	} others[] = {{"backup_key", a->backup_key}, {"aes_key", a->aes_key},
		{"des_key", a->des_key}, {"token_key", a->token_key}};
	char path[CONF_PATH_SIZE];

	if (conf_names_find(keys, a->key) < 0)
		return conf_refuse(c, err, SL_EFORMAT, CONF_PATH(path, "accounts[%u].key", i),
			"no such key, got \"%s\", want a name of keys", a->key);
	for (size_t k = 0; k < SL_COUNT(others); k++)
		if (others[k].key && conf_names_find(keys, others[k].key) < 0)
			return conf_refuse(c, err, SL_EFORMAT,
				CONF_PATH(path, "accounts[%u].%s", i, others[k].name),
				"no such key, got \"%s\", want a name of keys", others[k].key);
	return 0;
}

static int check_targets(const struct conf *c, const struct conf_names *keys, struct errbuf *err)
{
	const struct conf_alerts *a = &c->sluice.alerts;
	char path[CONF_PATH_SIZE];

	for (uint32_t i = 0; i < a->targets_count; i++) {
		const struct conf_alert_target *t = &a->targets[i];

		if (strncmp(t->url, "http://", 7) && strncmp(t->url, "https://", 8))
			return conf_refuse(c, err, SL_EFORMAT,
				CONF_PATH(path, "alerts.targets[%u].url", i),
				"not a URL that alerts can go to, got \"%s\", want http:// or "
				"https://",
				t->url);
		if (t->key && conf_names_find(keys, t->key) < 0)
			return conf_refuse(c, err, SL_EFORMAT,
				CONF_PATH(path, "alerts.targets[%u].key", i),
				"no such key, got \"%s\", want a name of keys", t->key);
	}
	return 0;
}

static int check_reports(const struct conf *c, const struct conf_names *keys, struct errbuf *err)
{
	const struct conf_reports *r = &c->sluice.reports;
	const struct {
		const char *name, *key;
	} all[] = {{"key", r->key}, {"backup_key", r->backup_key}, {"test_key", r->test_key}};
	char path[CONF_PATH_SIZE];

	for (size_t k = 0; k < SL_COUNT(all); k++)
		if (all[k].key && conf_names_find(keys, all[k].key) < 0)
			return conf_refuse(c, err, SL_EFORMAT,
				CONF_PATH(path, "reports.%s", all[k].name),
				"no such key, got \"%s\", want a name of keys", all[k].key);
	if (r->require_signature && !r->key)
		return conf_refuse(c, err, SL_EFORMAT, "reports.require_signature",
			"nothing to check with, got no reports.key, want one");
	return 0;
}

static int check_keys(const struct conf *c, struct errbuf *err)
{
	const struct conf_sluice *s = &c->sluice;
	struct conf_names keys, accounts;
	char path[CONF_PATH_SIZE];
	int rc = conf_names_init(&keys, c, s->keys_count, err);

	for (uint32_t i = 0; i < s->keys_count && rc == 0; i++)
		if (conf_names_add(&keys, s->keys[i].name, i) >= 0)
			rc = conf_refuse(c, err, SL_EFORMAT, CONF_PATH(path, "keys[%u].name", i),
				"name given twice, got \"%s\", want it unique", s->keys[i].name);
	if (rc == 0)
		rc = check_targets(c, &keys, err);
	if (rc == 0)
		rc = check_reports(c, &keys, err);
	if (rc == 0)
		rc = conf_names_init(&accounts, c, s->accounts_count, err);
	for (uint32_t i = 0; i < s->accounts_count && rc == 0; i++) {
		if (conf_names_add(&accounts, s->accounts[i].name, i) >= 0)
			return conf_refuse(c, err, SL_EFORMAT,
				CONF_PATH(path, "accounts[%u].name", i),
				"name given twice, got \"%s\", want it unique",
				s->accounts[i].name);
		rc = check_account(c, i, &keys, err);
	}
	return rc;
}

/* Tokens do not travel in the clear. */
static int check_admin(const struct conf *c, struct errbuf *err)
{
	const struct conf_listen *l = &c->sluice.listen;
	char path[CONF_PATH_SIZE];

	if (l->admin_tls_count && !(c->sluice.admin.certificate && c->sluice.admin.key))
		return conf_refuse(c, err, SL_EFORMAT, "listen.admin_tls",
			"nothing to show clients, got no admin.certificate or no admin.key, want "
			"both");
	for (uint32_t i = 0; i < l->admin_count; i++) {
		const char *text = l->admin[i], *colon = strrchr(text, ':');
		struct str host = {text, colon ? (size_t)(colon - text) : 0};
		struct ip ip;

		if (host.n >= 2 && host.p[0] == '[')
			host = (struct str){host.p + 1, host.n - 2};
		if (!ip_parse(host, &ip) || !ip_is_loopback(ip))
			return conf_refuse(c, err, SL_EFORMAT,
				CONF_PATH(path, "listen.admin[%u]", i),
				"tokens would travel in the clear, got \"%s\", want a loopback "
				"address; others are for admin_tls",
				text);
	}
	return 0;
}

int conf_check_sluice(const struct conf *c, struct errbuf *err)
{
	uint32_t threads = c->sluice.threads.dns + c->sluice.threads.http;
	int rc;

	if (threads > SL_MAX_WORKERS)
		return conf_refuse(c, err, SL_ELIMIT, "threads",
			"too many, got %u of dns and http, want at most %d", threads,
			SL_MAX_WORKERS);
	if (c->sluice.listen.https_count && !(c->sluice.http.certificate && c->sluice.http.key))
		return conf_refuse(c, err, SL_EFORMAT, "listen.https",
			"nothing to show clients, got no http.certificate or no http.key, want "
			"both");
	rc = check_listen(c, err);
	if (!rc)
		rc = check_admin(c, err);
	return rc ? rc : check_keys(c, err);
}

static int check_asns(const struct conf *c, uint32_t i, struct conf_names *asns, struct errbuf *err)
{
	const struct conf_isp *isp = &c->catalog.isps[i];
	char path[CONF_PATH_SIZE];

	for (uint32_t k = 0; k < isp->asns_count; k++) {
		const char *text = arena_printf(c->arena, "%u", isp->asns[k]);
		int64_t first = text ? conf_names_add(asns, text, i) : -1;

		if (!text)
			return err_set(err, SL_ENOMEM, "out of memory for the configuration");
		if (first >= 0)
			return conf_refuse(c, err, SL_EFORMAT,
				CONF_PATH(path, "isps[%u].asns[%u]", i, k),
				"number given twice, got %s, want one that %s does not have", text,
				c->catalog.isps[first].name);
	}
	return 0;
}

int conf_check_isps(const struct conf *c, struct errbuf *err)
{
	const struct conf_catalog *cat = &c->catalog;
	struct conf_names names, asns;
	char path[CONF_PATH_SIZE];
	size_t n = 0;
	int rc = conf_names_init(&names, c, cat->isps_count, err);

	for (uint32_t i = 0; i < cat->isps_count; i++)
		n += cat->isps[i].asns_count;
	if (rc == 0)
		rc = conf_names_init(&asns, c, n, err);
	for (uint32_t i = 0; i < cat->isps_count && rc == 0; i++) {
		const struct conf_isp *isp = &cat->isps[i];

		if (conf_names_add(&names, isp->name, i) >= 0)
			return conf_refuse(c, err, SL_EFORMAT, CONF_PATH(path, "isps[%u].name", i),
				"name given twice, got \"%s\", want it unique", isp->name);
		if (isp->names_count + isp->asns_count == 0)
			return conf_refuse(c, err, SL_EFORMAT, CONF_PATH(path, "isps[%u]", i),
				"nothing tells it, got neither names nor asns, want one of them");
		rc = check_asns(c, i, &asns, err);
	}
	return rc;
}

int conf_check_geo_files(const struct conf *c, struct errbuf *err)
{
	const struct conf_geo *g = &c->sluice.geo;
	char path[CONF_PATH_SIZE];

	for (uint32_t i = 0; i < g->databases_count; i++)
		if (access(g->databases[i], R_OK))
			return conf_refuse(c, err, SL_EFORMAT,
				CONF_PATH(path, "geo.databases[%u]", i),
				"cannot read, got \"%s\" (%s), want an .mmdb file", g->databases[i],
				strerror(errno));
	if (g->overrides && access(g->overrides, R_OK))
		return conf_refuse(c, err, SL_EFORMAT, "geo.overrides",
			"cannot read, got \"%s\" (%s), want a file of corrections", g->overrides,
			strerror(errno));
	return 0;
}
