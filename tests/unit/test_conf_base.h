/* SPDX-License-Identifier: Apache-2.0 */
/* A small valid configuration, and ways to change one place of it. For the tests of conf/. */
#pragma once

#include "test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf/conf.h"

static const char base_sluice[] = "catalog: catalog.yaml\n"
				  "listen:\n"
				  "  dns: [\"127.0.0.1:5353\"]\n"
				  "  http: [\"8053\"]\n"
				  "threads:\n"
				  "  dns: 2\n"
				  "tick_ms: 500\n"
				  "trusted_proxies: [10.0.0.0/8]\n"
				  "log:\n"
				  "  level: warn\n";

static const char base_catalog[] = "vendors:\n"
				   "  - name: a\n"
				   "    guaranteed_mbps: 100\n"
				   "    max_mbps: 200\n"
				   "    windows:\n"
				   "      - from: \"10:00\"\n"
				   "        to: \"12:00\"\n"
				   "        max_mbps: 150\n"
				   "    regions:\n"
				   "      - name: r1\n"
				   "        groups: [CN/GD/*]\n"
				   "        guaranteed_mbps: 10\n"
				   "        max_mbps: 20\n"
				   "      - name: r2\n"
				   "        groups: [CN/GX/*]\n"
				   "    addresses:\n"
				   "      - a: [192.0.2.1]\n"
				   "  - name: b\n"
				   "    max_mbps: 300\n"
				   "nodes:\n"
				   "  - name: n1\n"
				   "    vendor: b\n"
				   "    group: CN/GD/telecom\n"
				   "    capacity_mbps: 10\n"
				   "    a: [192.0.2.9]\n"
				   "services:\n"
				   "  - name: s\n"
				   "    hosts: [live.x.example]\n"
				   "    vendors:\n"
				   "      - vendor: a\n"
				   "        cname: live.a.example\n"
				   "      - vendor: b\n"
				   "        cname: live.b.example\n"
				   "zones:\n"
				   "  - name: x.example\n"
				   "    file: /dev/null\n"
				   "streams:\n"
				   "  - name: st\n"
				   "    service: s\n"
				   "    vendors: [a]\n"
				   "isps:\n"
				   "  - name: tel\n"
				   "    asns: [1]\n";

/* text with its first find replaced; NULL for find appends. Caller frees. */
static inline char *replaced(const char *text, const char *find, const char *with)
{
	const char *at = find ? strstr(text, find) : text + strlen(text);
	size_t skip = find ? strlen(find) : 0, size = strlen(text) + strlen(with) + 1;
	char *out = malloc(size);

	if (!at)
		fail_msg("\"%s\" is not in the text", find);
	assert_non_null(out);
	(void)snprintf(out, size, "%.*s%s%s", (int)(at - text), text, with, at + skip);
	return out;
}

static inline int load_text(
	const char *sluice, const char *catalog, struct conf **ret_conf, struct errbuf *err)
{
	err->s[0] = 0;
	*ret_conf = NULL;
	return conf_load_mem(sluice, strlen(sluice), catalog, strlen(catalog), ret_conf, err);
}

/* Loads what must be valid. */
static inline struct conf *loaded(const char *sluice, const char *catalog)
{
	struct errbuf err;
	struct conf *c;

	if (load_text(sluice, catalog, &c, &err) != 0)
		fail_msg("%s", err.s);
	return c;
}
