/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of src/httpd share: the loop, its connections, and who does what to them. It is
 * long because they all look at the same two structures.
 */
#pragma once

#include <microhttpd.h>

#include "httpd/httpd.h"
#include "httpd/httpd_bucket.h"
#include "httpd/httpd_peers.h"

/* Each state has a list in order of entry and one time limit, so the sweep looks at heads only. */
enum conn_state {
	CONN_IDLE,      /* between two requests */
	CONN_HEAD,      /* accepted, or a request line has come */
	CONN_BODY,      /* head complete, body awaited */
	CONN_SEND,      /* reply queued */
	CONN_SEND_LONG, /* an owned, large one */
	CONN_DYING,     /* shut down, the library has yet to notice */
	CONN_N_STATES
};

struct conn {
	struct conn *prev, *next;
	struct httpd *h;
	struct MHD_Connection *mc;
	const struct httpd_route *route;
	struct tls_cert *cert; /* what its session was given; NULL without TLS */
	uint64_t since_ms;     /* when it came into its state */
	char *body;
	size_t body_n, body_cap, body_want; /* want: of Content-Length, or the limit */
	uint64_t body_ms;                   /* when a piece of it came last */
	size_t uri_n;                       /* octets of the request target as sent */
	size_t room;                        /* octets that the head leaves for the reply's */
	struct ip ip;
	int64_t uid;
	uint32_t peer; /* index into peers */
	int fd;
	uint16_t port;
	uint8_t state;
	bool tls, uri_seen, head_seen, chunked, linger;
	bool target_ok, escapes; /* of the request target: octets allowed, any '%' */
	int8_t refused;          /* of enum httpd_refusal, or -1 */
};

struct conn_list {
	struct conn head;    /* sentinel */
	struct conn *unseen; /* the first that no sweep has looked at, or the sentinel */
	uint32_t limit_ms;
};

struct listener {
	int fd;
	uint16_t port;
	bool tls, local;
};

/* A socket whose reply must not be cut off by a reset: read until its peer has closed. */
struct lingering {
	int fd;
	uint64_t until_ms;
};

/* What the library's pool for a connection holds besides a head of the largest size: so many
 * headers and parameters of so many octets each, and the head of a reply with so many octets of
 * `extra`. */
enum {
	HTTPD_POOL_FIELDS = 8,
	HTTPD_FIELD_OCTETS = 64,
	HTTPD_REPLY_HEAD = 320,
	HTTPD_REPLY_EXTRA = 448
};

/* Headers that every reply has, and their octets. */
enum { HTTPD_JOINED_N = 3, HTTPD_JOINED_MAX = 256 };

/* Those of a reply as the value of one; those of the next are most likely the same. */
struct joined {
	uint64_t unix_s;                 /* made for replies of this second; 0: for none */
	const char *name;                /* of the first */
	const char *type;                /* the Content-Type of those replies */
	const char *last;                /* the Cache-Control in text, NULL without one */
	size_t n;                        /* how many follow the first */
	uint16_t at[HTTPD_JOINED_N - 1]; /* two octets of each to become its line break */
	char text[HTTPD_JOINED_MAX];
};

enum { HTTPD_MAX_LINGERING = 256, HTTPD_LINGER_MS = 2000, HTTPD_SPARE_CONNS = 256 };

/* The head that was looked at last: views into the library's buffer, valid while its owner is in
 * its handler. */
struct head {
	const struct conn *owner;
	struct httpd_field params[HTTPD_MAX_PARAMS], headers[HTTPD_MAX_HEADERS];
	uint16_t n_params, n_headers;
	enum httpd_method method;
	struct str path, authority; /* authority: of a target in absolute form */
	size_t target_n;            /* octets of path and query as sent */
	uint64_t content_length;
	bool chunked, has_length, origin, forwarded;
	struct buf decoded;
};

struct tls;

struct httpd {
	struct httpd_config conf;
	struct MHD_Daemon *plain, *secure;
	struct tls *tls;
	int epfd, wakefd, sparefd;
	struct listener listeners[HTTPD_MAX_LISTENERS];
	uint32_t n_listeners;
	struct conn *conns, *free, *adding;
	struct conn_list lists[CONN_N_STATES];
	uint32_t n_conns, n_dying; /* all; of them those in CONN_DYING */
	struct httpd_peers peers;
	struct httpd_buckets buckets;
	struct lingering lingering[HTTPD_MAX_LINGERING];
	uint32_t n_lingering;
	struct head head;
	char *reply_buf, *decode_buf, *target_buf;
	size_t bodies; /* octets of request bodies held */
	uint64_t now_ms, unix_s;
	char date[32];
	struct joined joined;
	unsigned answered, busy_rounds;
	bool draining, progress;
	bool joins; /* httpd_reply_can_join */
	unsigned stuck_rounds;
	uint64_t stuck_since_ms;
	uint32_t accept_ready; /* bit per listener */
	uint64_t accept_after_ms;
	struct httpd_stats stats;
};

static inline void stat_add(_Atomic uint64_t *counter, uint64_t n)
{
	uint64_t v = atomic_load_explicit(counter, memory_order_relaxed);

	atomic_store_explicit(counter, v + n, memory_order_relaxed);
}

static inline void stat_refused(struct httpd *h, enum httpd_refusal r)
{
	stat_add(&h->stats.refused[r], 1);
}

/* httpd_conn.c: the life of a connection */
int httpd_conn_table_init(struct httpd *h, struct errbuf *err) SL_NONNULL(1);
void httpd_conn_table_done(struct httpd *h) SL_NONNULL(1);
void httpd_conn_enter(struct conn *c, enum conn_state state) SL_NONNULL(1);
/* Accepts what waits, up to a bound; true when the queue was seen empty. */
bool httpd_conn_accept(struct httpd *h, const struct listener *l) SL_NONNULL(1, 2);
void httpd_conn_notify(void *cls, struct MHD_Connection *mc, void **socket_context,
	enum MHD_ConnectionNotificationCode code);
void httpd_conn_release_body(struct conn *c) SL_NONNULL(1);
void httpd_conn_sweep(struct httpd *h) SL_NONNULL(1);
/* Milliseconds to the next deadline, at most max (-1: no end). */
int httpd_conn_next_deadline(const struct httpd *h, int max) SL_NONNULL(1);
void httpd_conn_shut_idle(struct httpd *h) SL_NONNULL(1);
/* Ends chunked bodies that have stood still for so long. */
void httpd_conn_end_blocked(struct httpd *h, uint64_t for_ms) SL_NONNULL(1);
void httpd_conn_linger_read(struct httpd *h, uint32_t index) SL_NONNULL(1);

/* httpd_fence.c */
/* Octets of the library's pool for a connection. */
size_t httpd_fence_pool(const struct httpd_limits *m) SL_NONNULL(1);
/* Octets of it that a head with so many headers and parameters leaves for `extra` of the reply; 0:
 * too few for the head of any. */
size_t httpd_fence_leaves(const struct httpd_limits *m, size_t head_n, size_t fields) SL_NONNULL(1);
/* Is this head one we take? -1, or the refusal. Fills h->head. */
int httpd_fence_head(struct conn *c, struct MHD_Connection *mc, const char *url, const char *method,
	const char *version) SL_NONNULL_ALL;
/* Rebuilds the request target as it was sent. */
struct str httpd_fence_target(struct httpd *h) SL_NONNULL(1);

/* httpd_dispatch.c: the library's callbacks */
void *httpd_dispatch_uri(void *cls, const char *uri, struct MHD_Connection *mc);
enum MHD_Result httpd_dispatch_request(void *cls, struct MHD_Connection *mc, const char *url,
	const char *method, const char *version, const char *data, size_t *data_n, void **con_cls);
void httpd_dispatch_completed(
	void *cls, struct MHD_Connection *mc, void **con_cls, enum MHD_RequestTerminationCode toe);
size_t httpd_dispatch_unescape(void *cls, struct MHD_Connection *mc, char *s);

/* httpd_reply.c */
bool httpd_reply_can_join(void);
void httpd_reply_init(struct httpd *h, struct httpd_reply *rp) SL_NONNULL_ALL;
void httpd_reply_refusal(struct httpd_reply *rp, enum httpd_refusal r) SL_NONNULL_ALL;
bool httpd_reply_queue(
	struct conn *c, struct MHD_Connection *mc, struct httpd_reply *rp) SL_NONNULL_ALL;
void httpd_reply_cors(struct httpd_reply *rp) SL_NONNULL_ALL;
void httpd_reply_preflight(const struct httpd_route *route, struct httpd_reply *rp) SL_NONNULL_ALL;
/* Sends a whole refusal (408, 414, 431, else 400) past the library, and the end behind it; for
 * connections that it has not answered. */
void httpd_reply_raw(struct conn *c, unsigned status) SL_NONNULL_ALL;
/* The status of a head that the library's pool does not hold. */
unsigned httpd_reply_overfull(const struct conn *c) SL_NONNULL_ALL;
/* The same where the head leaves the library no room for its own; true when it was sent. */
bool httpd_reply_refused_raw(
	struct conn *c, struct MHD_Connection *mc, enum httpd_refusal r) SL_NONNULL_ALL;
/* The library's messages: its own refusals are counted. */
void httpd_reply_log(void *cls, const char *fmt, va_list ap) SL_PRINTF(2, 0);

/* httpd_tls.c */
int httpd_tls_new(const char *cert, const char *key, struct tls **ret_tls, struct errbuf *err)
	SL_NONNULL(1, 2, 3);
void httpd_tls_free(struct tls *t);
int httpd_cert_reload(struct tls *t, struct errbuf *err) SL_NONNULL(1);
struct MHD_Daemon *httpd_tls_daemon(
	struct httpd *h, const struct MHD_OptionItem *common) SL_NONNULL_ALL;
void httpd_tls_session_started(struct conn *c) SL_NONNULL_ALL;
void httpd_tls_session_ended(struct conn *c) SL_NONNULL_ALL;
/* Sends text as the last of a session; nothing while its handshake lasts. */
void httpd_tls_send_last(struct conn *c, struct str text) SL_NONNULL_ALL;
