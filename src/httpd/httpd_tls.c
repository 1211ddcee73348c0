/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TLS by GnuTLS under the library: certificates of our own counting, so that a reload takes effect
 * for the next connection while old ones keep theirs; session tickets, valid at every loop of the
 * process.
 */
#define SL_ALLOW_CLOCK /* a parameter in gnutls.h has the name of a poisoned generator */
#include "base/os.h"
#include "httpd/httpd_int.h"

#include <gnutls/gnutls.h>
#include <pthread.h>

enum { PEM_MAX = 1 << 20 };

/* One certificate with its key; freed with its last session. Owned by the loop's thread. */
struct tls_cert {
	gnutls_certificate_credentials_t cred;
	uint32_t users;
};

struct tls {
	const char *cert_path, *key_path;
	struct tls_cert *cert;
	char *cert_pem, *key_pem; /* what the library wants at its start */
};

/* Immutable after the first use; any thread. */
static gnutls_datum_t ticket_key;
static pthread_once_t ticket_once = PTHREAD_ONCE_INIT;

static void make_ticket_key(void)
{
	if (gnutls_session_ticket_key_generate(&ticket_key) < 0)
		ticket_key.size = 0;
}

static void wipe_free(char *pem)
{
	if (pem)
		explicit_bzero(pem, strlen(pem));
	free(pem);
}

static void cert_put(struct tls_cert *cert)
{
	if (!cert || --cert->users)
		return;
	gnutls_certificate_free_credentials(cert->cred);
	free(cert);
}

static int read_pair(struct tls *t, char **ret_cert, char **ret_key, struct errbuf *err)
{
	size_t n;
	int rc = os_read_file(t->cert_path, PEM_MAX, ret_cert, &n, err);

	return rc ? rc : os_read_file(t->key_path, PEM_MAX, ret_key, &n, err);
}

static gnutls_datum_t datum(char *pem)
{
	return (gnutls_datum_t){(unsigned char *)pem, (unsigned)strlen(pem)};
}

static int cert_new(char *cert_pem, char *key_pem, struct tls_cert **ret_cert)
{
	struct tls_cert *cert = calloc(1, sizeof(*cert));
	gnutls_datum_t c = datum(cert_pem), k = datum(key_pem);
	int rc = GNUTLS_E_MEMORY_ERROR;

	if (!cert)
		return rc;
	cert->users = 1;
	rc = gnutls_certificate_allocate_credentials(&cert->cred);
	if (rc >= 0)
		rc = gnutls_certificate_set_x509_key_mem(cert->cred, &c, &k, GNUTLS_X509_FMT_PEM);
	if (rc < 0) {
		cert_put(cert);
		return rc;
	}
	*ret_cert = cert;
	return 0;
}

int httpd_cert_reload(struct tls *t, struct errbuf *err)
{
	char *cert_pem = NULL, *key_pem = NULL;
	struct tls_cert *cert = NULL;
	int rc = read_pair(t, &cert_pem, &key_pem, err);

	if (!rc) {
		int e = cert_new(cert_pem, key_pem, &cert);

		if (e < 0)
			rc = err_set(err, SL_EFORMAT, "%s, %s: %s", t->cert_path, t->key_path,
				gnutls_strerror(e));
	}
	if (rc) {
		wipe_free(cert_pem);
		wipe_free(key_pem);
		return rc;
	}
	cert_put(t->cert);
	wipe_free(t->cert_pem);
	wipe_free(t->key_pem);
	t->cert = cert;
	t->cert_pem = cert_pem;
	t->key_pem = key_pem;
	return 0;
}

int httpd_tls_new(const char *cert, const char *key, struct tls **ret_tls, struct errbuf *err)
{
	struct tls *t = calloc(1, sizeof(*t));
	int rc;

	if (!t)
		return err_set(err, SL_ENOMEM, "TLS");
	if (MHD_is_feature_supported(MHD_FEATURE_TLS) != MHD_YES) {
		free(t);
		return err_set(err, SL_EINVAL, "this libmicrohttpd is built without TLS");
	}
	(void)pthread_once(&ticket_once, make_ticket_key);
	t->cert_path = cert;
	t->key_path = key;
	rc = httpd_cert_reload(t, err);
	if (rc) {
		httpd_tls_free(t);
		return rc;
	}
	*ret_tls = t;
	return 0;
}

void httpd_tls_free(struct tls *t)
{
	if (!t)
		return;
	cert_put(t->cert);
	wipe_free(t->cert_pem);
	wipe_free(t->key_pem);
	free(t);
}

struct MHD_Daemon *httpd_tls_daemon(struct httpd *h, const struct MHD_OptionItem *common)
{
	return MHD_start_daemon(MHD_USE_EPOLL | MHD_USE_NO_LISTEN_SOCKET | MHD_USE_TLS |
					MHD_USE_SUPPRESS_DATE_NO_CLOCK | MHD_USE_ERROR_LOG,
		0, NULL, NULL, httpd_dispatch_request, h, MHD_OPTION_ARRAY, common,
		MHD_OPTION_HTTPS_MEM_CERT, h->tls->cert_pem, MHD_OPTION_HTTPS_MEM_KEY,
		h->tls->key_pem, MHD_OPTION_END);
}

void httpd_tls_session_started(struct conn *c)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(c->mc, MHD_CONNECTION_INFO_GNUTLS_SESSION);
	struct tls_cert *cert = c->h->tls->cert;

	if (!info)
		return;
	if (gnutls_credentials_set(info->tls_session, GNUTLS_CRD_CERTIFICATE, cert->cred) >= 0) {
		cert->users++;
		c->cert = cert;
	}
	if (ticket_key.size)
		(void)gnutls_session_ticket_enable_server(info->tls_session, &ticket_key);
}

void httpd_tls_send_last(struct conn *c, struct str text)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(c->mc, MHD_CONNECTION_INFO_GNUTLS_SESSION);

	if (info && gnutls_record_send(info->tls_session, text.p, text.n) == (ssize_t)text.n)
		(void)gnutls_bye(info->tls_session, GNUTLS_SHUT_WR);
}

void httpd_tls_session_ended(struct conn *c)
{
	cert_put(c->cert);
	c->cert = NULL;
}
