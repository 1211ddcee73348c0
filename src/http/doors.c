/* SPDX-License-Identifier: Apache-2.0 */
/* The table of doors, and what is done around each: no world, counters, time taken. */
#include "http/doors.h"

#include "base/os.h"
#include "http/account.h"
#include "http/dialect.h"

enum checks { CHECKS_OPEN, CHECKS_ACCOUNT, CHECKS_DIALECT };

typedef void door_fn(struct http_worker *w, const struct httpd_request *rq, struct httpd_reply *rp);

enum door {
#define DOOR(name, path, prefix, methods, max_body, flags, checks) DOOR_##name,
#include "http/doors.def"
#undef DOOR
	DOORS
};
_Static_assert(DOORS <= (int)TALLY_HTTP_DOORS, "the tally has room for every door");

/* One request in so many is timed: two looks at the clock are a hundredth of what it costs. */
enum { TIMED_OF = 8 };

static void count(struct tally *t, enum door door, unsigned status)
{
	static const uint8_t by_class[] = {TALLY_HTTP_5XX, TALLY_HTTP_5XX, TALLY_HTTP_2XX,
		TALLY_HTTP_3XX, TALLY_HTTP_4XX, TALLY_HTTP_5XX};

	tally_count(t, TALLY_HTTP_REQUESTS);
	tally_count(t, by_class[SL_MIN(status / 100, 5u)]);
	tally_add(&t->http_door[door], 1);
}

static void refuse_rate(
	struct http_worker *w, struct httpd_reply *rp, enum tally_id by, const char *message)
{
	tally_count(w->worker.tally, by);
	httpd_reply_error(rp, 429, "rate", message);
	rp->retry_after_s = 1;
}

static void refuse_account(struct http_worker *w, struct httpd_reply *rp)
{
	refuse_rate(w, rp, TALLY_HTTP_LIMITED_ACCOUNT, "too many requests of this account");
}

/* Whether the client's group may still ask. */
static bool group_passes(
	struct http_worker *w, const struct httpd_request *rq, struct httpd_reply *rp)
{
	switch (http_access_group(
		&w->access, w->worker.keys, w->worker.world, rq->client, rq->now_ms)) {
	case HTTP_ACCESS_PASSES:
		return true;
	case HTTP_ACCESS_LATER:
		refuse_rate(w, rp, TALLY_HTTP_LIMITED_GROUP, "too many requests of this group");
		return false;
	default:
		tally_count(w->worker.tally, TALLY_HTTP_LIMITED_GROUP);
		httpd_reply_error(rp, 403, "group", "clients of this group are not answered");
		return false;
	}
}

/* Of those that the doors with accounts take. */
static struct str method_name(enum httpd_method method)
{
	switch (method) {
	case HTTPD_POST:
		return STR_LIT("POST");
	case HTTPD_HEAD:
		return STR_LIT("HEAD");
	default:
		return STR_LIT("GET");
	}
}

/* Whether the request may pass; what of it its reply is signed with. */
static bool admit(struct http_worker *w, const struct httpd_request *rq, struct httpd_reply *rp,
	struct http_account_request *ask, struct http_account_verdict *ret_verdict)
{
	*ask = (struct http_account_request){.method = method_name(rq->method),
		.body = rq->body,
		.account = http_param(rq, STR_LIT("account")),
		.sign = http_param(rq, STR_LIT("sign")),
		.now_s = w->worker.now_ms / 1000};
	if (ask->account.n) {
		ask->t = http_param(rq, STR_LIT("t"));
		ask->target = httpd_target(rq);
	}
	*ret_verdict = http_account_check(w->worker.keys, ask);
	if (ret_verdict->code) {
		httpd_reply_error(rp, 403, ret_verdict->code, ret_verdict->message);
		return false;
	}
	if (http_asker_passes(w, rq, ret_verdict->account))
		return true;
	refuse_account(w, rp);
	return false;
}

static void answer_dialect(door_fn *door, struct http_worker *w, const struct httpd_request *rq,
	struct httpd_reply *rp)
{
	w->over_rate = false;
	door(w, rq, rp);
	if (w->over_rate)
		refuse_account(w, rp);
}

static void answer_account(door_fn *door, struct http_worker *w, const struct httpd_request *rq,
	struct httpd_reply *rp)
{
	struct http_account_verdict v;
	struct http_account_request ask;

	if (!admit(w, rq, rp, &ask, &v))
		return;
	door(w, rq, rp);
	if (!v.account || !v.account->sign_replies || rp->body.overflow)
		return;
	http_account_sign_reply(v.secret, ask.t,
		(struct str){(const char *)rp->body.base, buf_len(&rp->body)}, w->signature);
	httpd_reply_header(rp, "X-Sluice-Signature", w->signature);
}

/* Under a host that is scheduled here the path is a vendor's: whoever asks wants the stream. */
static bool is_vendors(const struct http_worker *w, const struct httpd_request *rq)
{
	struct str host = httpd_header(rq, "Host");

	return rq->method & (HTTPD_GET | HTTPD_HEAD) &&
	       cat_find_host(&w->worker.world->cat, str_cut(&host, ':'));
}

static void enter(enum door id, door_fn *door, unsigned flags, enum checks checks, void *ctx,
	const struct httpd_request *rq, struct httpd_reply *rp)
{
	struct http_worker *w = ctx;
	bool timed = w->requests++ % TIMED_OF == 0;
	uint64_t start_ns = timed ? os_mono_ns() : 0;

	if (!w->worker.world) {
		tally_count(w->worker.tally, TALLY_WORLD_MISSING);
		httpd_reply_error(rp, 503, "not_ready", "no world to answer from yet");
		rp->retry_after_s = 1;
	} else if (flags & HTTPD_RATED && !group_passes(w, rq, rp)) {
		; /* it is refused */
	} else if (checks == CHECKS_ACCOUNT) {
		answer_account(door, w, rq, rp);
	} else if (checks == CHECKS_DIALECT && is_vendors(w, rq)) {
		http_door_redirect(w, rq, rp);
	} else if (checks == CHECKS_DIALECT) {
		answer_dialect(door, w, rq, rp);
	} else {
		door(w, rq, rp);
	}
	count(w->worker.tally, id, rp->body.overflow && !rp->owned ? 500 : rp->status);
	if (timed)
		tally_time(&w->worker.tally->http_time, os_mono_ns() - start_ns, 1);
}

#define DOOR(name, path, prefix, methods, max_body, flags, checks)                                 \
	static void enter_##name(                                                                  \
		void *ctx, const struct httpd_request *rq, struct httpd_reply *rp)                 \
	{                                                                                          \
		enter(DOOR_##name, http_door_##name, flags, CHECKS_##checks, ctx, rq, rp);         \
	}
#include "http/doors.def"
#undef DOOR

const struct httpd_route *http_routes(size_t *ret_n)
{
	static const struct httpd_route routes[] = {
#define DOOR(name, path, prefix, methods, max_body, flags, checks)                                 \
	{path, prefix, methods, max_body, enter_##name, flags},
#include "http/doors.def"
#undef DOOR
	};

	*ret_n = SL_COUNT(routes);
	return routes;
}
