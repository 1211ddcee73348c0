/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The HTTP listeners of the answer plane: some threads, each a loop of its own over sockets of its
 * own (SO_REUSEPORT), all answering from the published world by the table of doors.
 */
#pragma once

#include "base/os.h"
#include "httpd/httpd.h"
#include "tally/worker.h"

/* All borrowed; must outlive the server. */
struct http_options {
	const struct os_addr *listen;   /* plain HTTP */
	uint32_t n_listen;              /* 1..HTTPD_MAX_LISTENERS, with those over TLS */
	uint32_t first_tls;             /* listen[first_tls..] are over TLS; n_listen: none */
	const char *tls_cert, *tls_key; /* PEM files; NULL without TLS */
	uint32_t threads;               /* 1..SL_MAX_WORKERS */
	const struct workers *workers;
	uint32_t first_worker; /* threads take workers first_worker.. of it, one each */
	const struct httpd_prefix *trusted; /* proxies; NULL: loopback */
	size_t n_trusted;
	const struct ip *servers;   /* that SDKs of other HTTPDNS services are told to ask */
	uint32_t n_servers;         /* 0: where they have asked; at most HTTP_MAX_SERVERS count */
	struct str nsid;            /* told over HTTPS to who asks for it; empty: not */
	struct httpd_limits limits; /* zero: defaults */
	size_t batch_octets;        /* of a body of many requests; 0: SL_HTTP_BATCH_OCTETS */
};

struct http_server;

/* Binds every listener for every thread and makes the loops; nothing is answered yet. What needs
 * privileges ends here. Port 0 is given a free port, the same for all threads. Caller ends with
 * http_stop, also when http_run was never called. */
int http_open(const struct http_options *o, struct http_server **ret_server, struct errbuf *err)
	SL_NONNULL(1, 2) SL_WUNUSED;

/* Starts the threads. */
int http_run(struct http_server *s, struct errbuf *err) SL_NONNULL(1) SL_WUNUSED;

/* Stops accepting, finishes the requests under way for at most patience_ms, ends the threads and
 * frees. NULL is fine. */
void http_stop(struct http_server *s, uint32_t patience_ms);

/* Has every thread read certificate and key again, in its next round; on failure the old ones stay
 * (http_tls_failed counts). Any thread. */
void http_tls_reload(struct http_server *s) SL_NONNULL_ALL;
uint32_t http_tls_failed(const struct http_server *s) SL_NONNULL_ALL;

/* Port that listener `index` is bound to, host order. */
uint16_t http_port(const struct http_server *s, uint32_t index) SL_NONNULL_ALL;
