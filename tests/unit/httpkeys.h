/* SPDX-License-Identifier: Apache-2.0 */
/* Accounts and their secrets for an HTTP door without a loop, by way of a configuration, so that a
 * test says them as an operator does. */
#pragma once

#include <stdio.h>
#include <unistd.h>

#include "conf/conf.h"
#include "httpworld.h"
#include "tmpdir.h"

struct httpkeys {
	char dir[32];
	struct keys_file *file;
};

/* secrets: name, text; NULL ends them. accounts: lines of sluice.yaml. The worker has them then,
 * and is at now_s. false: with the reason on standard error. */
static inline bool httpkeys_init(struct httpkeys *k, struct httpworld *h,
	const char *const (*secrets)[2], const char *accounts, uint64_t now_s)
{
	static const char catalog[] =
		"vendors: [{name: a, max_mbps: 1}]\n"
		"services: [{name: s, hosts: [h.x.example], vendors: [{vendor: a, cname: "
		"a.a.example}]}]\n"
		"zones: [{name: x.example, file: /dev/null}]\n";
	struct errbuf err = {""};
	char text[8192], path[128];
	struct buf b = buf_over(text, sizeof(text) - 1);
	struct conf *conf;
	int rc;

	(void)snprintf(k->dir, sizeof(k->dir), "/tmp/test-keys-XXXXXX");
	if (!mkdtemp(k->dir))
		return false;
	BUF_PUT_LIT(&b, "state: ");
	buf_put_str(&b, str_from(k->dir));
	BUF_PUT_LIT(&b, "\nkeys:\n");
	for (; (*secrets)[0]; secrets++) {
		(void)snprintf(path, sizeof(path), "%s/%s", k->dir, (*secrets)[0]);
		(void)os_write_file(path, (*secrets)[1], strlen((*secrets)[1]), 0400, NULL);
		BUF_PUT_LIT(&b, "  - {name: ");
		buf_put_str(&b, str_from((*secrets)[0]));
		BUF_PUT_LIT(&b, ", file: ");
		buf_put_str(&b, str_from(path));
		BUF_PUT_LIT(&b, "}\n");
	}
	buf_put_str(&b, str_from(accounts));
	rc = conf_load_mem(text, buf_len(&b), catalog, strlen(catalog), &conf, &err);
	if (!rc) {
		rc = keys_write(conf, (struct str){NULL, 0}, 1000, &err);
		conf_free(conf);
	}
	(void)snprintf(path, sizeof(path), "%s/keys", k->dir);
	if (!rc && !err.s[0])
		rc = keys_open(path, "answer", &k->file, &err);
	if (rc || err.s[0]) {
		(void)fprintf(stderr, "%s\n", err.s);
		return false;
	}
	h->w.worker.keys = keys_of(k->file);
	h->w.worker.now_ms = now_s * 1000;
	return true;
}

static inline void httpkeys_done(struct httpkeys *k, struct httpworld *h)
{
	h->w.worker.keys = NULL;
	keys_close(k->file);
	(void)tmpdir_remove(k->dir);
}

/* What cmocka's cases have as their state to be set up from and torn down. */
struct httpkeys_spec {
	struct httpworld *world;
	struct httpkeys *keys;
	const char *const (*secrets)[2];
	const char *accounts;
	uint64_t now_s;
};

static inline int httpkeys_setup(void **state)
{
	const struct httpkeys_spec *spec = *state;

	if (httpworld_init(spec->world, NULL)) {
		(void)fprintf(stderr, "%s\n", spec->world->tw.err.s);
		return -1;
	}
	return httpkeys_init(spec->keys, spec->world, spec->secrets, spec->accounts, spec->now_s)
		       ? 0
		       : -1;
}

static inline int httpkeys_teardown(void **state)
{
	const struct httpkeys_spec *spec = *state;

	httpkeys_done(spec->keys, spec->world);
	httpworld_done(spec->world);
	return 0;
}
