/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HTTP/1.x for every listener: one loop over libmicrohttpd in external epoll mode, behind a fence
 * of limits, deadlines and framing checks. It knows routes and nothing about what they answer.
 *
 * A loop belongs to the thread that calls httpd_round; handlers run in it. Only httpd_wake and
 * the reading of stats may come from other threads. What the fence refuses, and why, is in
 * HTTPD_REFUSALS. The reply to a chunked body ends the connection, because the library hides chunk
 * extensions and bare line feeds from us: what it takes for the next request is never read. Over
 * half full, a loop wants Content-Length.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/ip.h"
#include "base/limits.h"
#include "base/str.h"
#include "httpd/httpd_stats.h"

enum httpd_method {
	HTTPD_GET = 1,
	HTTPD_HEAD = 2, /* answered by the GET handler; the body is counted and not sent */
	HTTPD_POST = 4,
	HTTPD_PUT = 8,
	HTTPD_DELETE = 16,
	HTTPD_OPTIONS = 32,
	HTTPD_PATCH = 64,
};

/* A query parameter or a header. */
struct httpd_field {
	struct str name, value;
};

/* What a handler sees; everything in it is borrowed and ends with the call. */
struct httpd_request {
	enum httpd_method method;
	struct str path;     /* as sent, percent escapes kept, begins with '/' */
	struct str body;     /* whole; empty when there was none */
	struct ip peer;      /* who is connected; IP_NONE on UNIX sockets */
	struct ip client;    /* peer, or the one a trusted proxy names in X-Forwarded-For */
	int64_t peer_uid;    /* user at the other end of a UNIX socket, else -1 */
	uint16_t local_port; /* 0 on UNIX sockets */
	bool tls;
	uint64_t now_ms; /* monotonic, of this round */
	/* for the accessors below */
	const struct httpd_field *params, *headers;
	uint16_t n_params, n_headers;
	struct str target; /* empty: rebuilt by httpd when it is asked for */
	struct httpd *httpd;
};

/* The value of a query parameter, percent-decoded, '+' as space; a parameter without '=' has the
 * empty value. 0, SL_ENOENT, or SL_EEXIST when it is given more than once (then *ret_value is not
 * written). Malformed escapes and %00 have been refused before a handler runs. */
int httpd_param(const struct httpd_request *rq, const char *name, struct str *ret_value)
	SL_NONNULL(1, 2, 3);

/* First header of this name (any case), outer blanks cut; {NULL, 0} when there is none. */
struct str httpd_header(const struct httpd_request *rq, const char *name) SL_NONNULL(1, 2);

/* Path and query exactly as sent. */
struct str httpd_target(const struct httpd_request *rq) SL_NONNULL(1);

enum { HTTPD_MAX_EXTRA = 6 };

/* What a handler fills. Pointers must live until it returns, `type` for ever. */
struct httpd_reply {
	unsigned status;           /* 200 at the start */
	const char *type;          /* "application/json" at the start; NULL: no Content-Type */
	struct buf body;           /* over the loop's own buffer; overflow becomes 500 */
	uint32_t retry_after_s;    /* 0: no header */
	const char *cache_control; /* "no-store" at the start; NULL: no header */
	bool close;                /* end the connection after this reply */
	void *owned;               /* malloc'd body instead of `body`: taken, freed when sent */
	size_t owned_n;
	struct httpd_header_out {
		const char *name, *value; /* NUL-terminated, no line breaks */
	} extra[HTTPD_MAX_EXTRA];
	uint8_t n_extra;
};

/* One more header (Location, ETag, ...). */
void httpd_reply_header(struct httpd_reply *rp, const char *name, const char *value) SL_NONNULL_ALL;

/* Makes the reply {"error":{"code":CODE,"message":MESSAGE}}; static texts, never the request's. */
void httpd_reply_error(struct httpd_reply *rp, unsigned status, const char *code,
	const char *message) SL_NONNULL_ALL;

typedef void httpd_handler(void *ctx, const struct httpd_request *rq, struct httpd_reply *rp);

enum httpd_route_flags {
	HTTPD_CORS = 1,  /* a browser may call it from any origin: preflight and exposed headers */
	HTTPD_RATED = 2, /* the token buckets apply */
};

/* The first row that matches serves. GET rows serve HEAD too. */
struct httpd_route {
	const char *path; /* exact, or what paths begin with; a first segment '*' is any but none */
	bool prefix;
	unsigned methods; /* of enum httpd_method; others get 405 with Allow */
	size_t max_body;  /* octets, over it 413; 0: HTTPD_BODY_DEFAULT */
	httpd_handler *fn;
	unsigned flags;
};

/* Whether a path (without a query) is one of the route's. Pure. */
bool httpd_route_fits(const struct httpd_route *r, struct str path) SL_NONNULL(1) SL_PURE;

enum {
	HTTPD_BODY_DEFAULT = 64 << 10,
	HTTPD_MAX_PARAMS = 64,
	HTTPD_MAX_HEADERS = 64,
	HTTPD_MAX_LISTENERS = 2 * SL_MAX_LISTEN, /* plain and over TLS */
};

struct httpd_prefix {
	struct ip ip;
	uint8_t len;
};

/* Zero takes the default, named behind. */
struct httpd_limits {
	uint32_t connections;  /* of this loop: 16384. The oldest idle one makes room */
	uint32_t per_address;  /* 256, an IPv6 /64 counting as one; never drops loopback or who is
				  trusted */
	uint32_t head_ms;      /* 10000, from accept or the request line on */
	uint32_t body_ms;      /* 20000, from the end of the head on */
	uint32_t send_ms;      /* 20000, until the reply has left; owned bodies 15 times that */
	uint32_t idle_ms;      /* 60000 between two requests */
	uint32_t url_octets;   /* 4096, over it 414 */
	uint32_t head_octets;  /* 8192, request line and headers, over it 431; at most 65536.
				  Headers and parameters past 8 count 64 octets each */
	uint32_t headers;      /* 48 in count, over it 431 */
	uint32_t reply_octets; /* 65536: the loop's reply buffer */
	size_t body_octets;    /* 64 MiB: request bodies in memory at once, over it 503 */
	uint32_t rate_per_s;   /* 0: no token buckets */
	uint32_t rate_burst;   /* twice the rate */
};

struct httpd_config {
	const struct httpd_route *routes; /* borrowed for the loop's life */
	size_t n_routes;
	void *ctx;                                  /* to every callback */
	bool (*ready)(void *ctx);                   /* /readyz; NULL: always */
	bool (*admit)(void *ctx, struct ip client); /* false: 403; NULL: everybody */
	const struct httpd_prefix *trusted;         /* proxies; NULL: loopback */
	size_t n_trusted;
	const char *tls_cert, *tls_key; /* PEM files; NULL: no TLS listener possible */
	struct httpd_limits limits;
};

struct httpd;

/* Makes a loop without listeners; the caller frees it. Cannot be shared between threads. */
int httpd_new(const struct httpd_config *conf, struct httpd **ret_httpd, struct errbuf *err)
	SL_NONNULL(1, 2);
void httpd_free(struct httpd *h);

/* Serves a listening non-blocking socket (TCP or UNIX) too; takes fd, also on failure. */
int httpd_listen(struct httpd *h, int fd, bool tls, struct errbuf *err) SL_NONNULL(1);

/* Sleeps until there is work, at most timeout_ms (-1: as long as nothing is due). A thread that
 * reads worlds goes offline around it. */
void httpd_wait(struct httpd *h, int timeout_ms) SL_NONNULL(1);

/* Does the work there is: accepts, reads, runs handlers, sends, sweeps deadlines. Never sleeps.
 * Returns the number of requests that were answered. */
unsigned httpd_run(struct httpd *h) SL_NONNULL(1);

/* httpd_wait, then httpd_run. */
unsigned httpd_round(struct httpd *h, int timeout_ms) SL_NONNULL(1);

/* Ends a wait. Any thread. */
void httpd_wake(struct httpd *h) SL_NONNULL(1);

/* Stops accepting and closes what is idle; requests under way are finished. Go on with rounds
 * until httpd_connections is 0 or patience ends. */
void httpd_drain(struct httpd *h) SL_NONNULL(1);
uint32_t httpd_connections(const struct httpd *h) SL_NONNULL(1);

/* Reads certificate and key again; on failure the old ones stay. The loop's thread. */
int httpd_tls_reload(struct httpd *h, struct errbuf *err) SL_NONNULL(1);

const struct httpd_stats *httpd_stats(const struct httpd *h) SL_NONNULL(1);
