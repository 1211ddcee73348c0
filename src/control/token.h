/* SPDX-License-Identifier: Apache-2.0 */
/* Bearer tokens: made, kept as digests, compared in constant time. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/str.h"

enum { TOKEN_TEXT = 64, TOKEN_MIN = 16, TOKEN_DIGEST = 32 };

struct token_digest {
	uint8_t v[TOKEN_DIGEST]; /* SHA-256 */
};

/* 64 hexadecimal digits of 256 random bits, NUL-terminated. */
void control_token_make(char ret_text[static TOKEN_TEXT + 1]);

void control_token_digest(struct str text, struct token_digest *ret) SL_NONNULL(2);

/* Takes as long whether they are equal or not. */
bool control_token_equal(const struct token_digest *a, const struct token_digest *b) SL_NONNULL_ALL;

/* What follows "Bearer " in the Authorization header; {NULL, 0} where it is another scheme. */
struct str control_token_bearer(struct str header);

/* The digest of the token in this file; one that is absent is made, mode 0600. */
int control_token_file(const char *path, struct token_digest *ret, struct errbuf *err)
	SL_NONNULL(1, 2);
