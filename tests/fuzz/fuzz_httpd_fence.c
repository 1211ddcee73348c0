/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Octets into a whole loop, over a UNIX socket. A second, plain and strict reader says which
 * requests are in them; each one that a handler gets to see must be the next of those, with the
 * same target, number of headers and body. What it does not see was refused, which is always
 * allowed.
 */
#include "fuzz.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/os.h"
#include "httpd/httpd.h"

enum { CALLS_MAX = 4096, ROUNDS_MAX = 20000 };

struct seen {
	struct str target, body;
	unsigned headers;
	bool chunked; /* then any body, and nothing behind it */
};

static struct seen want[CALLS_MAX];
static size_t n_want, n_seen;

static void see(void *ctx, const struct httpd_request *rq, struct httpd_reply *rp)
{
	struct seen *w = &want[n_seen];

	(void)ctx;
	fuzz_check(n_seen < n_want);
	fuzz_check(str_eq(httpd_target(rq), w->target));
	fuzz_check(w->chunked || str_eq(rq->body, w->body));
	fuzz_check(rq->n_headers == w->headers);
	n_seen++;
	BUF_PUT_LIT(&rp->body, "{}");
}

/* The next line without its CRLF; false when there is none, or an octet in it no line may have. */
static bool cut_line(struct str *rest, struct str *ret)
{
	const char *lf = rest->n ? memchr(rest->p, '\n', rest->n) : NULL;
	size_t n;

	if (!lf || lf == rest->p || lf[-1] != '\r')
		return false;
	n = (size_t)(lf - rest->p) - 1;
	*ret = (struct str){rest->p, n};
	rest->p += n + 2;
	rest->n -= n + 2;
	return !memchr(ret->p, '\r', n) && !memchr(ret->p, '\0', n);
}

/* What the library skips before a request: lines that are empty or begin with NUL. */
static void skip_empty(struct str *rest)
{
	while (rest->n) {
		const char *lf = memchr(rest->p, '\n', rest->n);

		if (!lf || !(rest->p[0] == '\0' || lf == rest->p ||
				   (lf == rest->p + 1 && rest->p[0] == '\r')))
			return;
		rest->n -= (size_t)(lf + 1 - rest->p);
		rest->p = lf + 1;
	}
}

static bool read_target(struct str line, struct str *ret)
{
	struct str method = str_cut(&line, ' '), path;
	const char *slash;

	*ret = str_cut(&line, ' ');
	if (method.n == 0 || ret->n == 0 ||
		!(str_eq_z(line, "HTTP/1.1") || str_eq_z(line, "HTTP/1.0")))
		return false;
	if (ret->p[0] == '/' || ret->p[0] == '*')
		return true;
	path = *ret;
	(void)str_cut(&path, '/');
	if (str_cut(&path, '/').n != 0)
		return false;
	slash = path.n ? memchr(path.p, '/', path.n) : NULL;
	if (!slash || memchr(path.p, '?', (size_t)(slash - path.p)))
		return false;
	*ret = (struct str){slash, path.n - (size_t)(slash - path.p)};
	return true;
}

/* One whole request; false: there is none, or one that must not be taken. */
static bool read_request(struct str *rest, struct seen *ret)
{
	struct str line, name;
	size_t length = 0, lengths = 0, codings = 0;

	skip_empty(rest);
	if (!cut_line(rest, &line) || !read_target(line, &ret->target))
		return false;
	for (ret->headers = 0;; ret->headers++) {
		if (!cut_line(rest, &line))
			return false;
		if (line.n == 0)
			break;
		if (!memchr(line.p, ':', line.n))
			return false;
		name = str_cut(&line, ':');
		if (name.n == 0 || memchr(name.p, ' ', name.n) || memchr(name.p, '\t', name.n))
			return false;
		if (str_eq_ci(name, STR_LIT("transfer-encoding"))) {
			if (codings++)
				return false;
			continue;
		}
		if (!str_eq_ci(name, STR_LIT("content-length")))
			continue;
		while (line.n && (line.p[0] == ' ' || line.p[0] == '\t'))
			line = (struct str){line.p + 1, line.n - 1};
		for (size_t i = 0; i < line.n && length < 1000000; i++)
			length = length * 10 + (size_t)(line.p[i] - '0');
		if (lengths++ || line.n == 0 || length > rest->n + line.n + 1000000)
			return false;
	}
	ret->chunked = codings > 0;
	if (length > rest->n || (codings && lengths))
		return false;
	ret->body = (struct str){rest->p, length};
	rest->p += length;
	rest->n -= length;
	return true;
}

/* Requests that the loop answers without the handler. */
static bool is_shown(const struct str *start, const struct seen *w)
{
	static const char *const methods[] = {
		"GET ", "POST ", "HEAD ", "OPTIONS ", "PUT ", "DELETE ", "PATCH "};
	struct str path = w->target;

	path = str_cut(&path, '?');
	if (str_eq_z(path, "/healthz") || str_eq_z(path, "/readyz"))
		return false;
	for (size_t i = 0; i < SL_COUNT(methods); i++) {
		size_t n = strlen(methods[i]);

		if (start->n > n && memcmp(start->p, methods[i], n) == 0)
			return true;
	}
	return false;
}

/* Octets that the library turns into the same NULs as a line end, or two: what the fence cannot see
 * (src/httpd/httpd_fence.c). */
static void forgive(char *p, size_t n)
{
	static const char twice[][5] = {"\0\r\n\n", "\0\0\n\n", "\n\0\r\n", "\n:\r\n", "\0\0\r\n"};

	for (size_t i = 0; i + 1 < n; i++) {
		if (p[i + 1] == '\n' && (p[i] == '\0' || (p[i] == ':' && i && p[i - 1] == '\n')))
			p[i] = '\r';
	}
	for (size_t i = 0; i + 3 < n; i++) {
		if (p[i] == '\n' && i && p[i - 1] == '\r')
			continue;
		for (size_t k = 0; k < SL_COUNT(twice); k++) {
			if (memcmp(p + i, twice[k], 4) == 0)
				memcpy(p + i, "\r\n\r\n", 4);
		}
	}
}

static void read_all(const uint8_t *data, size_t size)
{
	static char copy[1 << 20];
	struct str rest = {copy, size};

	memcpy(copy, data, size);
	forgive(copy, size);
	n_want = n_seen = 0;
	while (n_want < CALLS_MAX) {
		struct seen *w = &want[n_want];
		struct str start;

		skip_empty(&rest);
		start = rest;
		if (!read_request(&rest, w))
			return;
		w->body.p = (const char *)data + (w->body.p - copy);
		n_want += is_shown(&start, w);
		if (w->chunked)
			return;
	}
}

static struct httpd *loop;
static char path[64];

static void make_loop(void)
{
	static const struct httpd_route route = {
		.path = "", .prefix = true, .methods = 0x7f, .max_body = 1 << 20, .fn = see};
	static const struct httpd_config conf = {.routes = &route, .n_routes = 1};
	int fd;

	(void)snprintf(path, sizeof(path), "/tmp/fuzz_httpd.%d", (int)getpid());
	fd = os_unix_listen(path, 0600, NULL);
	fuzz_check(fd >= 0);
	fuzz_check(httpd_new(&conf, &loop, NULL) == 0);
	fuzz_check(httpd_listen(loop, fd, false, NULL) == 0);
}

static void end_loop(void)
{
	httpd_free(loop);
	(void)unlink(path);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char waste[65536];
	size_t sent = 0;
	int fd;

	if (size > 1 << 20)
		return 0;
	if (!loop) {
		make_loop();
		(void)atexit(end_loop);
	}
	read_all(data, size);
	fd = os_unix_connect(path, NULL);
	fuzz_check(fd >= 0 && fcntl(fd, F_SETFL, O_NONBLOCK) == 0);
	for (int i = 0; i < ROUNDS_MAX; i++) {
		ssize_t n = sent < size ? send(fd, data + sent, size - sent, MSG_NOSIGNAL) : 0;

		if (n > 0)
			sent += (size_t)n;
		if (sent == size)
			(void)shutdown(fd, SHUT_WR);
		(void)httpd_round(loop, 0);
		n = recv(fd, waste, sizeof(waste), 0);
		if (n == 0 || (n < 0 && errno != EAGAIN))
			break;
	}
	(void)close(fd);
	for (int i = 0; i < ROUNDS_MAX && httpd_connections(loop); i++)
		(void)httpd_round(loop, 0);
	fuzz_check(httpd_connections(loop) == 0);
	return 0;
}
