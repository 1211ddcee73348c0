/* SPDX-License-Identifier: Apache-2.0 */
/* Pure readers of what requests carry: percent escapes, decimal lengths, X-Forwarded-For. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/ip.h"
#include "base/str.h"

struct httpd_prefix;

/* Percent-decodes raw (RFC 3986 section 2.1). Without an escape *ret is raw itself, else it lies in
 * out. false: an incomplete or non-hexadecimal escape, %00, or no room left in out. */
bool httpd_unescape(struct str raw, struct buf *out, struct str *ret) SL_NONNULL(2, 3);

/* Outer blanks and tabs cut. */
struct str httpd_trim(struct str s);

/* Name of a header: one or more token characters (RFC 9110 section 5.6.2). */
bool httpd_is_token(struct str s);

/* No control octets but tab: what may stand in a header's value. */
bool httpd_is_field_value(struct str s);

/* The request target: no blank, no control octet, nothing past ASCII, no '#'. */
bool httpd_is_target(struct str s);

/* true when one of the prefixes holds a; without prefixes, when it is a loopback address. An
 * IP_NONE peer (UNIX socket) is trusted: the file's mode guards it. */
bool httpd_is_trusted(struct ip a, const struct httpd_prefix *trusted, size_t n);

/* Who stands behind the proxies: the X-Forwarded-For values (in order of the headers) read from the
 * right until an address that is not trusted, or an unreadable one, before which it stops. */
struct ip httpd_forwarded_client(struct ip peer, const struct str *values, size_t n_values,
	const struct httpd_prefix *trusted, size_t n_trusted);
