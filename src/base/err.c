/* SPDX-License-Identifier: Apache-2.0 */
#include "base/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *sl_strerror(int err)
{
	switch (err) {
	case SL_OK:
		return "done";
#define X(name, value, text)                                                                       \
	case name:                                                                                 \
		return text;
		SL_ERR_MAP(X)
#undef X
	default:
		return err < 0 && err > -1000 ? strerror(-err) : "unknown error";
	}
}

static void err_put(struct errbuf *err, const char *fmt, va_list ap) SL_PRINTF(2, 0);

static void err_put(struct errbuf *err, const char *fmt, va_list ap)
{
	if (err)
		(void)vsnprintf(err->s, sizeof(err->s), fmt, ap);
}

int err_set(struct errbuf *err, int code, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	err_put(err, fmt, ap);
	va_end(ap);
	return code;
}

int err_set_errno(struct errbuf *err, const char *fmt, ...)
{
	int saved = errno;
	va_list ap;

	va_start(ap, fmt);
	err_put(err, fmt, ap);
	va_end(ap);
	if (err) {
		size_t n = strlen(err->s);
		(void)snprintf(err->s + n, sizeof(err->s) - n, ": %s", strerror(saved));
	}
	return saved > 0 ? -saved : SL_EIO;
}

void sl_assert_failed(const char *file, int line, const char *what)
{
	(void)fprintf(stderr, "%s:%d: invariant broken: %s\n", file, line, what);
	abort();
}
