/* SPDX-License-Identifier: Apache-2.0 */
/*
 * DNS cookies (RFC 7873) in the form that servers of one address share (RFC 9018): SipHash-2-4 over
 * client cookie, version, time and client address. Machines with the same secrets accept each
 * other's. Pure.
 */
#pragma once

#include "base/err.h"
#include "dns/edns.h"

enum {
	DNS_COOKIE_SECRET = 16, /* octets */
	DNS_COOKIE_SECRETS = 4, /* at most */
	DNS_COOKIE_PAST_S = 3600,
	DNS_COOKIE_FUTURE_S = 300,
};

/* The first makes cookies, all are accepted: so a new one is given to every machine as the last,
 * then made the first everywhere, and an old one taken away an hour later. n = 0: no cookies. */
struct dns_secrets {
	uint32_t n;
	uint8_t key[DNS_COOKIE_SECRETS][DNS_COOKIE_SECRET];
};

enum dns_cookie {
	DNS_COOKIE_NONE,  /* the query has none */
	DNS_COOKIE_FRESH, /* the client's part only */
	DNS_COOKIE_BAD,   /* a server's part that is not ours, or too old */
	DNS_COOKIE_GOOD,
};

/* Judges the query's cookie. */
enum dns_cookie dns_cookie_check(const struct dns_secrets *s, const struct dns_opt *opt,
	struct ip client, uint32_t now_s) SL_NONNULL(1, 2);

/* The client's part of the query's cookie with ours behind it. */
void dns_cookie_make(const struct dns_secrets *s, const struct dns_opt *opt, struct ip client,
	uint32_t now_s, uint8_t ret_cookie[static DNS_COOKIE_OURS]) SL_NONNULL(1, 2);

/* SipHash-2-4 of n octets (Aumasson and Bernstein, 2012), as a number. */
uint64_t dns_siphash24(const uint8_t key[static 16], const void *p, size_t n);

/* Secrets out of text: one of 32 hexadecimal digits a line, empty lines and those that begin with
 * '#' aside. SL_EFORMAT names the line. */
int dns_secrets_parse(struct str text, struct dns_secrets *ret_secrets, struct errbuf *err)
	SL_NONNULL(2);
