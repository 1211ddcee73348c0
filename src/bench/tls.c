/* SPDX-License-Identifier: Apache-2.0 */
#define SL_ALLOW_CLOCK /* a parameter in gnutls.h has the name of a poisoned generator */
#include "bench/tls.h"

#include "base/ip.h"

#include <errno.h>
#include <gnutls/gnutls.h>
#include <stdlib.h>

struct bench_tls {
	gnutls_certificate_credentials_t cred;
};

int bench_tls_new(struct bench_tls **ret_tls, struct errbuf *err)
{
	struct bench_tls *t = calloc(1, sizeof(*t));

	if (!t || gnutls_certificate_allocate_credentials(&t->cred) < 0) {
		free(t);
		return err_set(err, SL_ENOMEM, "no memory for TLS");
	}
	*ret_tls = t;
	return 0;
}

void bench_tls_free(struct bench_tls *t)
{
	if (!t)
		return;
	gnutls_certificate_free_credentials(t->cred);
	free(t);
}

void *bench_tls_open(struct bench_tls *t, int fd, const char *host)
{
	gnutls_session_t s;
	struct ip ip;

	if (gnutls_init(&s, GNUTLS_CLIENT | GNUTLS_NONBLOCK | GNUTLS_NO_SIGNAL) < 0)
		return NULL;
	if (gnutls_set_default_priority(s) < 0 ||
		gnutls_credentials_set(s, GNUTLS_CRD_CERTIFICATE, t->cred) < 0) {
		gnutls_deinit(s);
		return NULL;
	}
	if (host[0] && !strchr(host, ':') && !ip_parse(str_from(host), &ip))
		(void)gnutls_server_name_set(s, GNUTLS_NAME_DNS, host, strlen(host));
	gnutls_transport_set_int(s, fd);
	return s;
}

void bench_tls_close(void *session)
{
	if (session)
		gnutls_deinit(session);
}

int bench_tls_shake(void *session)
{
	int rc = gnutls_handshake(session);

	if (rc == GNUTLS_E_SUCCESS)
		return 1;
	return gnutls_error_is_fatal(rc) ? -1 : 0;
}

static ssize_t as_socket(ssize_t n)
{
	if (n >= 0)
		return n;
	errno = gnutls_error_is_fatal((int)n) ? EIO : EAGAIN;
	return -1;
}

ssize_t bench_tls_send(void *session, const void *p, size_t n)
{
	return as_socket(gnutls_record_send(session, p, n));
}

ssize_t bench_tls_recv(void *session, void *p, size_t n)
{
	return as_socket(gnutls_record_recv(session, p, n));
}
