/* SPDX-License-Identifier: Apache-2.0 */
/* The collect process: takes in reports and gives facts. */
#include "base/log.h"
#include "base/os.h"
#include "collect/collect.h"
#include "link.h"
#include "role.h"

#include <stdlib.h>

enum { LINK_MS = 1000, DRAIN_MS = 3000 };

struct collect_role {
	struct conf *conf;
	struct publish *publish;
	struct seen *seen; /* the link turns it; reports ask nothing of it */
	struct link *link;
	struct collect *collect;
	struct httpd_prefix senders[CONF_MAX_PREFIXES], proxies[CONF_MAX_PREFIXES];
	struct collect_follow follow[COLLECT_MAX_FOLLOW];
	char follow_state[SL_MAX_PATH];
};

static void prefixes(struct httpd_prefix *to, const struct conf_prefix *from, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		to[i] = (struct httpd_prefix){from[i].ip, from[i].len};
}

static void failed(const char *text)
{
	LOG_E("facts.refused", "error=\"%s\"", text);
}

/* What the configuration says of a log that is followed. */
static int read_follow(
	const struct conf_follow *from, struct collect_follow *to, struct errbuf *err)
{
	int rc = from->columns ? collect_log_declared(
					 from->separator[0], str_from(from->columns), &to->format)
			       : collect_log_named(str_from(from->format), &to->format);

	if (rc)
		return err_set(err, rc, "follow %.200s: no such format or columns", from->file);
	to->file = from->file;
	to->format.vendor = str_from(from->vendor);
	to->format.utc_offset_min = from->utc_offset_min;
	to->format.slow_ms = from->slow_ms;
	if (from->delay_min)
		to->format.delay_min = from->delay_min;
	return 0;
}

static int open_listeners(struct collect_role *r, struct errbuf *err)
{
	const struct conf_sluice *s = &r->conf->sluice;
	struct os_addr listen[CONF_MAX_LISTEN];
	char facts[SL_MAX_PATH], facts_test[SL_MAX_PATH];
	struct collect_options o = {.listen = listen,
		.n_listen = s->listen.reports_count,
		.threads = s->threads.reports,
		.tick_ms = s->tick_ms,
		.facts = facts,
		.facts_test = facts_test,
		.kept = role_kept,
		.publish = r->publish,
		.trusted_senders = r->senders,
		.n_trusted_senders = s->trusted_senders_count,
		.trusted_proxies = r->proxies,
		.n_trusted_proxies = s->trusted_proxies_count,
		.follow = r->follow,
		.n_follow = s->follow_count,
		.follow_state = r->follow_state,
		.limits = COLLECT_LIMITS_DEFAULT,
		.batch_octets = s->reports.batch_octets,
		.log_octets = s->reports.log_octets,
		.failed = failed};

	(void)snprintf(facts, sizeof(facts), "%.900s/facts.blob", s->state);
	(void)snprintf(facts_test, sizeof(facts_test), "%.900s/facts-test.blob", s->state);
	(void)snprintf(r->follow_state, sizeof(r->follow_state), "%.900s/follow.state", s->state);
	for (uint32_t i = 0; i < s->follow_count; i++) {
		int rc = read_follow(&s->follow[i], &r->follow[i], err);

		if (rc)
			return rc;
	}
	prefixes(r->senders, s->trusted_senders, s->trusted_senders_count);
	prefixes(r->proxies, s->trusted_proxies, s->trusted_proxies_count);
	for (uint32_t i = 0; i < o.n_listen; i++) {
		int rc = os_addr_parse(s->listen.reports[i], &listen[i], err);

		if (rc)
			return rc;
	}
	return collect_open(&o, &r->collect, err);
}

static int start(struct collect_role *r, struct errbuf *err)
{
	char dir[SL_MAX_PATH];
	int rc = os_mkdirs(r->conf->sluice.state, 0755, err);

	r->publish = publish_new();
	r->seen = seen_new();
	if (!r->publish || !r->seen)
		return err_set(err, SL_ENOMEM, "out of memory");
	if (!rc)
		rc = open_listeners(r, err);
	if (!rc)
		rc = role_drop_capabilities(r->conf, err);
	(void)snprintf(dir, sizeof(dir), "%.900s/world", r->conf->sluice.state);
	if (!rc)
		rc = link_new(dir, "collect", r->publish, r->seen, NULL, NULL, &r->link, err);
	return rc ? rc : collect_run(r->collect, err);
}

int role_collect(const char *path, struct conf *conf)
{
	struct collect_role *r = calloc(1, sizeof(*r));
	struct errbuf err = {""};
	int rc;

	(void)path;
	if (!r)
		return 1;
	r->conf = conf;
	rc = start(r, &err);
	if (rc) {
		LOG_E("collect.refused", "error=\"%s\"", err.s);
	} else {
		LOG_I("collect.ready", "listeners=%u threads=%u windows=%s",
			conf->sluice.listen.reports_count, conf->sluice.threads.reports,
			collect_adopted(r->collect) ? "kept" : "new");
		while (!role_stop)
			link_round(r->link, LINK_MS);
	}
	collect_stop(r->collect, DRAIN_MS);
	link_free(r->link);
	publish_free(r->publish);
	free(r->seen);
	conf_free(r->conf);
	free(r);
	return rc ? 1 : 0;
}
