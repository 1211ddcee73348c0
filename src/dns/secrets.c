/* SPDX-License-Identifier: Apache-2.0 */
/* The file of cookie secrets: read, or made at the first start. */
#include "dns/secrets.h"

#include "base/os.h"

#include <stdlib.h>

enum { FILE_MAX = 4096 };

static int make(const char *path, struct errbuf *err)
{
	char line[2 * DNS_COOKIE_SECRET + 2];
	uint8_t key[DNS_COOKIE_SECRET];

	os_random(key, sizeof(key));
	for (size_t i = 0; i < sizeof(key); i++)
		(void)snprintf(line + 2 * i, 3, "%02x", key[i]);
	line[2 * DNS_COOKIE_SECRET] = '\n';
	return os_write_file(path, line, 2 * DNS_COOKIE_SECRET + 1, 0400, err);
}

int dnsd_secrets_load(const char *path, struct dns_secrets *ret_secrets, struct errbuf *err)
{
	struct errbuf why;
	char *data = NULL;
	size_t n;
	int rc = os_read_file(path, FILE_MAX, &data, &n, err);

	if (rc == SL_ENOENT) {
		rc = make(path, err);
		if (!rc)
			rc = os_read_file(path, FILE_MAX, &data, &n, err);
	}
	if (rc)
		return rc;
	rc = dns_secrets_parse((struct str){data, n}, ret_secrets, &why);
	free(data);
	return rc ? err_set(err, rc, "%s: %s", path, why.s) : 0;
}
