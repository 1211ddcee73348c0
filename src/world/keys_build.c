/* SPDX-License-Identifier: Apache-2.0 */
/* The keys blob of a configuration: the secrets' files into one file that only its user can read.
 */
#include "base/os.h"
#include "conf/conf.h"
#include "world/keys.h"

#include <endian.h>
#include <stdlib.h>

struct builder {
	struct blob_writer *w;
	const struct conf_sluice *conf;
	const struct conf_catalog *catalog;
	/* control needs the secrets of meters and only those, collect those of reports */
	enum { FOR_ANSWER, FOR_CONTROL, FOR_COLLECT } who;
	uint32_t id[SL_MAX_KEYS];  /* by position in the configuration */
	struct errbuf *note;       /* the last that is missing */
	bool missing[SL_MAX_KEYS]; /* by position, of any blob */
};

static struct blob_span put_text(struct builder *b, const char *s)
{
	return blob_add_octets(b->w, KEYS_text, s, (uint32_t)strlen(s));
}

/* The newline that editors end a file with is no part of the secret. */
static size_t without_newline(const char *data, size_t n)
{
	while (n && (data[n - 1] == '\n' || data[n - 1] == '\r'))
		n--;
	return n;
}

static void put_secret(struct builder *b, const char *name, struct str secret, uint32_t *ret_id)
{
	struct blob_span text = put_text(b, name);
	struct blob_span octets = blob_add_octets(b->w, KEYS_secrets, secret.p, (uint32_t)secret.n);
	struct keys_key *to = blob_add(b->w, KEYS_keys, 1, ret_id);

	if (to)
		*to = (struct keys_key){text, octets};
}

static bool named(const char *name, const char *key)
{
	return name && strcmp(name, key) == 0;
}

static bool of_meters(const struct conf_catalog *c, const char *key)
{
	for (uint32_t v = 0; v < c->vendors_count; v++)
		for (uint32_t i = 0; i < c->vendors[v].meters_count; i++)
			if (named(c->vendors[v].meters[i].key, key))
				return true;
	return false;
}

/* What collect calls a key; NULL: it does not need it. */
static const char *of_reports(const struct conf_sluice *c, const char *key)
{
	return named(c->reports.key, key)          ? KEYS_REPORTS
	       : named(c->reports.backup_key, key) ? KEYS_REPORTS_BACKUP
	       : named(c->reports.test_key, key)   ? KEYS_REPORTS_TEST
						   : NULL;
}

/* One that only meters or reports need is none of the answers'. */
static bool of_answers(const struct builder *b, const char *key)
{
	for (uint32_t i = 0; i < b->conf->accounts_count; i++)
		if (named(b->conf->accounts[i].key, key) ||
			named(b->conf->accounts[i].backup_key, key))
			return true;
	for (uint32_t i = 0; i < b->catalog->signers_count; i++)
		if (named(b->catalog->signers[i].key, key) ||
			named(b->catalog->signers[i].backup_key, key))
			return true;
	return !of_meters(b->catalog, key) && !of_reports(b->conf, key);
}

/* The name of a key in the blob; NULL: it does not belong there. */
static const char *name_in_blob(const struct builder *b, const char *key)
{
	if (b->who == FOR_COLLECT)
		return of_reports(b->conf, key);
	if (b->who == FOR_CONTROL)
		return of_meters(b->catalog, key) ? key : NULL;
	return of_answers(b, key) ? key : NULL;
}

static void put_key(struct builder *b, uint32_t i)
{
	const struct conf_key *from = &b->conf->keys[i];
	const char *name = name_in_blob(b, from->name);
	char *data;
	size_t n, size;

	b->id[i] = BLOB_NONE;
	if (!name)
		return;
	if (os_read_file(from->file, SL_MAX_SECRET, &data, &size, b->note)) {
		b->missing[i] = true;
		return;
	}
	n = without_newline(data, size);
	if (n) {
		put_secret(b, name, (struct str){data, n}, &b->id[i]);
	} else {
		err_set(b->note, SL_EINVAL, "%s: the secret is empty", from->file);
		b->missing[i] = true;
	}
	explicit_bzero(data, size);
	free(data);
}

static uint32_t key_id(const struct builder *b, const char *name)
{
	for (uint32_t i = 0; name && i < b->conf->keys_count; i++)
		if (strcmp(b->conf->keys[i].name, name) == 0)
			return b->id[i];
	return BLOB_NONE;
}

static void put_access(struct builder *b, const struct conf_prefix *p, uint32_t n, bool deny)
{
	for (uint32_t i = 0; i < n; i++) {
		struct keys_access *to = blob_add(b->w, KEYS_access, 1, NULL);
		uint64_t half[2];

		memcpy(half, p[i].ip.b, sizeof(half));
		if (to)
			*to = (struct keys_access){.high = be64toh(half[0]),
				.low = be64toh(half[1]),
				.len = p[i].len,
				.v6 = p[i].ip.family == IP_V6,
				.deny = deny};
	}
}

static void put_quotas(struct builder *b)
{
	for (uint32_t i = 0; i < b->conf->http.quotas_count; i++) {
		const struct conf_http_quota *from = &b->conf->http.quotas[i];
		struct keys_pattern *pattern;
		struct keys_quota *to;
		uint32_t first = 0;

		for (uint32_t k = 0; k < from->groups_count; k++) {
			struct blob_span text = put_text(b, from->groups[k]);
			uint32_t at;

			pattern = blob_add(b->w, KEYS_patterns, 1, &at);
			if (pattern)
				pattern->groups = text;
			first = k ? first : at;
		}
		to = blob_add(b->w, KEYS_quotas, 1, NULL);
		if (to)
			*to = (struct keys_quota){from->rate_per_s, {first, from->groups_count}};
	}
}

static void put_all(struct builder *b, struct str cookies)
{
	struct keys_meta *meta = blob_add(b->w, KEYS_meta, 1, NULL);

	if (meta)
		*meta = (struct keys_meta){b->who == FOR_COLLECT
						   ? b->conf->reports.require_signature
						   : b->conf->require_signature,
			b->conf->signature_window_s};
	if (cookies.n)
		put_secret(b, KEYS_DNS_COOKIE, cookies, NULL);
	for (uint32_t i = 0; i < b->conf->keys_count; i++)
		put_key(b, i);
	for (uint32_t i = 0; b->who == FOR_ANSWER && i < b->conf->accounts_count; i++) {
		const struct conf_account *from = &b->conf->accounts[i];
		struct blob_span name = put_text(b, from->name);
		struct keys_account *to = blob_add(b->w, KEYS_accounts, 1, NULL);

		if (to)
			*to = (struct keys_account){.name = name,
				.key = key_id(b, from->key),
				.backup = key_id(b, from->backup_key),
				.aes = key_id(b, from->aes_key),
				.des = key_id(b, from->des_key),
				.token = key_id(b, from->token_key),
				.sign_replies = from->sign_replies,
				.rate_per_s = from->rate_per_s};
	}
	put_access(b, b->conf->http.allow, b->conf->http.allow_count, false);
	put_access(b, b->conf->http.deny, b->conf->http.deny_count, true);
	put_quotas(b);
}

static int write_blob(struct builder *b, struct str cookies, uint64_t now_ms, const char *name,
	struct errbuf *err)
{
	struct blob_stamp stamp = {1, now_ms, now_ms};
	char path[SL_MAX_PATH];
	void *blob = NULL;
	size_t size;
	int rc;

	b->w = blob_writer_new(&keys_def);
	if (!b->w)
		return err_set(err, SL_ENOMEM, "keys: out of memory");
	put_all(b, cookies);
	rc = blob_writer_finish(b->w, stamp, &blob, &size, err);
	blob_writer_free(b->w);
	(void)snprintf(path, sizeof(path), "%.900s/keys", b->conf->state);
	if (!rc)
		rc = os_mkdirs(path, 0700, err);
	(void)snprintf(path, sizeof(path), "%.900s/keys/%s.blob", b->conf->state, name);
	if (!rc)
		rc = os_write_file(path, blob, size, 0400, err);
	if (blob)
		explicit_bzero(blob, size);
	free(blob);
	return rc;
}

int keys_write(const struct conf *conf, struct str cookies, uint64_t now_ms, struct errbuf *note)
{
	struct builder b = {.conf = &conf->sluice, .catalog = &conf->catalog, .note = note};
	struct errbuf err = {""};
	uint32_t missing = 0;
	int rc = write_blob(&b, cookies, now_ms, "answer", &err);

	b.who = FOR_CONTROL;
	if (!rc)
		rc = write_blob(&b, (struct str){NULL, 0}, now_ms, "control", &err);
	b.who = FOR_COLLECT;
	if (!rc)
		rc = write_blob(&b, (struct str){NULL, 0}, now_ms, "collect", &err);
	if (rc) {
		*note = err;
		return rc;
	}
	for (uint32_t i = 0; i < conf->sluice.keys_count; i++)
		missing += b.missing[i];
	if (missing > 1) {
		err = *note;
		err_set(note, SL_EINVAL, "%u secrets are missing, the last: %s", missing, err.s);
	}
	return 0;
}
