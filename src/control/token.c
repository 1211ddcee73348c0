/* SPDX-License-Identifier: Apache-2.0 */
#define SL_ALLOW_CLOCK /* a parameter in gnutls.h has the name of a poisoned generator */
#include "control/token.h"

#include "base/os.h"

#include <gnutls/crypto.h>
#include <stdlib.h>
#include <sys/stat.h>

void control_token_make(char ret_text[static TOKEN_TEXT + 1])
{
	static const char hex[] = "0123456789abcdef";
	uint8_t raw[TOKEN_TEXT / 2];

	os_random(raw, sizeof(raw));
	for (size_t i = 0; i < sizeof(raw); i++) {
		ret_text[2 * i] = hex[raw[i] >> 4];
		ret_text[2 * i + 1] = hex[raw[i] & 15];
	}
	ret_text[TOKEN_TEXT] = '\0';
}

void control_token_digest(struct str text, struct token_digest *ret)
{
	int rc = gnutls_hash_fast(GNUTLS_DIG_SHA256, text.p ? text.p : "", text.n, ret->v);

	sl_assert(rc == 0);
}

bool control_token_equal(const struct token_digest *a, const struct token_digest *b)
{
	return gnutls_memcmp(a->v, b->v, sizeof(a->v)) == 0;
}

struct str control_token_bearer(struct str header)
{
	struct str scheme = str_cut(&header, ' ');

	if (!str_eq_ci(scheme, STR_LIT("Bearer")))
		return (struct str){NULL, 0};
	while (header.n && *header.p == ' ') {
		header.p++;
		header.n--;
	}
	return header;
}

int control_token_file(const char *path, struct token_digest *ret, struct errbuf *err)
{
	char made[TOKEN_TEXT + 2], *text = NULL;
	struct stat st;
	size_t n = 0;
	int rc = os_read_file(path, 4096, &text, &n, err);

	if (rc == SL_ENOENT) {
		control_token_make(made);
		made[TOKEN_TEXT] = '\n';
		control_token_digest((struct str){made, TOKEN_TEXT}, ret);
		return os_write_file(path, made, TOKEN_TEXT + 1, 0600, err);
	}
	if (rc)
		return rc;
	while (n && (text[n - 1] == '\n' || text[n - 1] == ' '))
		n--;
	if (stat(path, &st) == 0 && st.st_mode & (S_IRWXG | S_IRWXO))
		rc = err_set(err, SL_EACCES, "%s: others may read it, want mode 0600", path);
	else if (n < TOKEN_MIN)
		rc = err_set(err, SL_EFORMAT, "%s: got %zu characters, want %d or more", path, n,
			TOKEN_MIN);
	else
		control_token_digest((struct str){text, n}, ret);
	free(text);
	return rc;
}
