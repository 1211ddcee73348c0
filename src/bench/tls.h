/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TLS under the HTTP load, by GnuTLS: sockets that do not block, a full handshake for every
 * connection, no look at the certificate. Calls return as recv and send do, errno EAGAIN included.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/attr.h"
#include "base/err.h"

struct bench_tls;

/* What all sessions of a thread share; the caller frees it. */
int bench_tls_new(struct bench_tls **ret_tls, struct errbuf *err) SL_NONNULL_ALL SL_WUNUSED;
void bench_tls_free(struct bench_tls *t);

/* A session over a socket, NULL when out of memory; bench_tls_close frees it and leaves the socket
 * open. host: for SNI, empty or an address for none. */
void *bench_tls_open(struct bench_tls *t, int fd, const char *host) SL_NONNULL_ALL;
void bench_tls_close(void *session);

/* One step of the handshake: 1 when it is over, 0 when the peer's turn has come, -1 on failure. */
int bench_tls_shake(void *session) SL_NONNULL_ALL;

ssize_t bench_tls_send(void *session, const void *p, size_t n) SL_NONNULL_ALL;
ssize_t bench_tls_recv(void *session, void *p, size_t n) SL_NONNULL_ALL;
