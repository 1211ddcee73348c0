/* SPDX-License-Identifier: Apache-2.0 */
/* What makes URLs: signers, play paths, ingests. */
#include "conf/check.h"

#include <string.h>

static int check_signer_name(const struct conf *c, const struct conf_names *signers,
	const char *name, const char *path, struct errbuf *err)
{
	if (!name || conf_names_find(signers, name) >= 0)
		return 0;
	return conf_refuse(c, err, SL_EFORMAT, path,
		"no such signer, got \"%s\", want a name of signers", name);
}

static int check_plays(const struct conf *c, uint32_t s, struct errbuf *err)
{
	const struct conf_service *service = &c->catalog.services[s];
	char path[CONF_PATH_SIZE];

	for (uint32_t i = 0; i < service->play_count; i++)
		if (service->play[i].path[0] != '/')
			return conf_refuse(c, err, SL_EFORMAT,
				CONF_PATH(path, "services[%u].play[%u].path", s, i),
				"no path, got \"%s\", want it to begin with /",
				service->play[i].path);
	return 0;
}

/* CloudFront finds the key by its name, so without one no URL of it is any good. */
static int check_key_id(const struct conf *c, uint32_t i, struct errbuf *err)
{
	const struct conf_signer *s = &c->catalog.signers[i];
	const char *id = s->use_backup ? s->backup_key_id : s->key_id;
	char path[CONF_PATH_SIZE];

	if (id || s->url || s->scheme != CONF_SIGN_CLOUDFRONT)
		return 0;
	return conf_refuse(c, err, SL_EFORMAT, CONF_PATH(path, "signers[%u].scheme", i),
		"the vendor's name of the key is missing, want %s",
		s->use_backup ? "backup_key_id" : "key_id");
}

/* SCHEME://HOST/PATH */
static bool is_url(const char *text)
{
	const char *host = strstr(text, "://"), *path = host ? strchr(host + 3, '/') : NULL;

	return host && host > text && path && path > host + 3;
}

static int check_ingests(
	const struct conf *c, uint32_t s, const struct conf_names *signers, struct errbuf *err)
{
	const struct conf_service *service = &c->catalog.services[s];
	char path[CONF_PATH_SIZE];
	int rc = 0;

	for (uint32_t i = 0; i < service->ingest_count && rc == 0; i++) {
		const struct conf_ingest *in = &service->ingest[i];

		for (uint32_t k = 0; k < i; k++)
			if (strcmp(service->ingest[k].name, in->name) == 0)
				return conf_refuse(c, err, SL_EFORMAT,
					CONF_PATH(path, "services[%u].ingest[%u].name", s, i),
					"name given twice, got \"%s\", want it unique in its "
					"service",
					in->name);
		if (!is_url(in->url))
			return conf_refuse(c, err, SL_EFORMAT,
				CONF_PATH(path, "services[%u].ingest[%u].url", s, i),
				"no URL, got \"%s\", want SCHEME://HOST/PATH", in->url);
		rc = check_signer_name(c, signers, in->signer,
			CONF_PATH(path, "services[%u].ingest[%u].signer", s, i), err);
	}
	return rc;
}

static bool scheduled_here(const struct conf_catalog *cat, const char *host)
{
	for (uint32_t s = 0; s < cat->services_count; s++)
		for (uint32_t i = 0; i < cat->services[s].hosts_count; i++)
			if (strcmp(cat->services[s].hosts[i], host) == 0)
				return true;
	return false;
}

static int check_vendors(
	const struct conf *c, uint32_t s, const struct conf_names *signers, struct errbuf *err)
{
	const struct conf_service *service = &c->catalog.services[s];
	char path[CONF_PATH_SIZE];
	int rc = 0;

	for (uint32_t i = 0; i < service->vendors_count && rc == 0; i++) {
		const struct conf_service_vendor *v = &service->vendors[i];

		if (v->play_host && scheduled_here(&c->catalog, v->play_host))
			return conf_refuse(c, err, SL_EFORMAT,
				CONF_PATH(path, "services[%u].vendors[%u].play_host", s, i),
				"circle, got \"%s\", want a host that is not scheduled here",
				v->play_host);
		rc = check_signer_name(c, signers, v->signer,
			CONF_PATH(path, "services[%u].vendors[%u].signer", s, i), err);
	}
	return rc;
}

int conf_check_plays(const struct conf *c, struct errbuf *err)
{
	const struct conf_catalog *cat = &c->catalog;
	struct conf_names signers;
	char path[CONF_PATH_SIZE];
	int rc = conf_names_init(&signers, c, cat->signers_count, err);

	for (uint32_t i = 0; i < cat->signers_count && rc == 0; i++) {
		rc = check_key_id(c, i, err);
		if (rc == 0 && conf_names_add(&signers, cat->signers[i].name, i) >= 0)
			rc = conf_refuse(c, err, SL_EFORMAT, CONF_PATH(path, "signers[%u].name", i),
				"name given twice, got \"%s\", want it unique",
				cat->signers[i].name);
	}
	for (uint32_t s = 0; s < cat->services_count && rc == 0; s++) {
		rc = check_plays(c, s, err);
		if (rc == 0)
			rc = check_ingests(c, s, &signers, err);
		if (rc == 0)
			rc = check_vendors(c, s, &signers, err);
	}
	return rc;
}

bool conf_has_ingest(const struct conf_service *service, const char *name)
{
	for (uint32_t i = 0; i < service->ingest_count; i++)
		if (strcmp(service->ingest[i].name, name) == 0)
			return true;
	return false;
}
