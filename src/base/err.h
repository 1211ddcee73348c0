/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Error codes and the text that goes with them. A fallible function returns 0 or a negative
 * enum sl_err; one that can say more fills a struct errbuf with "where: what, got X, want Y".
 */
#pragma once

#include <errno.h>
#include <stddef.h>

#include "base/attr.h"

/* name, value, text. errno values where one fits; our own begin at -1000. */
#define SL_ERR_MAP(X)                                                                              \
	X(SL_EINVAL, -EINVAL, "invalid argument")                                                  \
	X(SL_ENOMEM, -ENOMEM, "out of memory")                                                     \
	X(SL_ENOENT, -ENOENT, "not found")                                                         \
	X(SL_EEXIST, -EEXIST, "exists already")                                                    \
	X(SL_EAGAIN, -EAGAIN, "try again")                                                         \
	X(SL_EACCES, -EACCES, "not allowed")                                                       \
	X(SL_ENOSPC, -ENOSPC, "no space left")                                                     \
	X(SL_ETIMEDOUT, -ETIMEDOUT, "timed out")                                                   \
	X(SL_EIO, -EIO, "input/output error")                                                      \
	X(SL_EBUSY, -EBUSY, "in use")                                                              \
	X(SL_EFORMAT, -1000, "malformed input")                                                    \
	X(SL_ELIMIT, -1001, "over a limit")                                                        \
	X(SL_ECHECKSUM, -1002, "checksum does not match")                                          \
	X(SL_EVERSION, -1003, "unknown version")                                                   \
	X(SL_ETORN, -1004, "blobs do not belong together")                                         \
	X(SL_ESTALE, -1005, "older than what is in use")                                           \
	X(SL_EREFUSED, -1006, "refused")

enum sl_err {
	SL_OK = 0,
#define X(name, value, text) name = (value),
	SL_ERR_MAP(X)
#undef X
};

enum { SL_ERRBUF_SIZE = 512 };

/* Caller-owned text of the last failure; empty when there was none. */
struct errbuf {
	char s[SL_ERRBUF_SIZE];
};

/* Static text for a code of ours or a negative errno. Never NULL. Any thread. */
const char *sl_strerror(int err);

/* Writes the text (cut at the buffer's size; err may be NULL) and returns code, for `return`. */
int err_set(struct errbuf *err, int code, const char *fmt, ...) SL_PRINTF(3, 4);

/* As err_set, with ": " and the text of errno behind it; returns -errno. */
int err_set_errno(struct errbuf *err, const char *fmt, ...) SL_PRINTF(2, 3);
