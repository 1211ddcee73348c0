/* SPDX-License-Identifier: Apache-2.0 */
/* Questions to the packet path and what comes back, as rows of text. */
#pragma once

#include "dns/answer.h"
#include "dnsmsg.h"
#include "dnsworld.h"
#include "test.h"

#define SOA_RR                                                                                     \
	"sluice.example. 60 IN SOA ns1.sluice.example. admin.sluice.example. 1 3600 600 86400 60"

static inline void begin(struct dnsworld *b, const struct testworld_spec *spec)
{
	if (dnsworld_init(b, spec))
		fail_msg("%s", b->tw.err.s);
}

static inline struct ip ip(const char *text)
{
	struct ip a;

	assert_true(ip_parse(str_from(text), &a));
	return a;
}

static inline const char *ask(struct dnsworld *b, const char *name, const char *type,
	const char *opt, enum dnsd_proto proto)
{
	static uint8_t out[DNSD_OUT_MAX];
	uint8_t msg[600];
	size_t n = dnsmsg_query(msg, name, type, opt);

	n = dnsd_handle(&b->d, msg, n, ip("10.1.2.3"), proto, out, sizeof(out));
	return dnsmsg_text(out, n);
}

struct row {
	const char *why, *name, *type, *opt, *want;
};

/* Each twice: looked up, then remembered. */
static inline void check_rows(struct dnsworld *b, const struct row *rows, size_t n)
{
	for (size_t at = 0; at < 2 * n; at++) {
		size_t i = at / 2;
		const char *got = ask(b, rows[i].name, rows[i].type, rows[i].opt, DNSD_UDP);

		if (strcmp(got, rows[i].want) != 0)
			fail_msg("%s: %s %s\n got  %s\n want %s", rows[i].why, rows[i].name,
				rows[i].type, got, rows[i].want);
	}
}
