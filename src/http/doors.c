/* SPDX-License-Identifier: Apache-2.0 */
/* The table of doors, and what is done around each: no world, counters, time taken. */
#include "http/doors.h"

#include "base/os.h"

typedef void door_fn(struct http_worker *w, const struct httpd_request *rq, struct httpd_reply *rp);

static unsigned latency_bucket(uint64_t us)
{
	unsigned bits = us ? 64u - (unsigned)__builtin_clzll(us) : 0;

	return SL_MIN(bits, (unsigned)TALLY_LATENCY_BUCKETS - 1);
}

static void count(struct tally *t, unsigned status, uint64_t ns)
{
	static const uint8_t by_class[] = {TALLY_HTTP_5XX, TALLY_HTTP_5XX, TALLY_HTTP_2XX,
		TALLY_HTTP_3XX, TALLY_HTTP_4XX, TALLY_HTTP_5XX};

	tally_count(t, TALLY_HTTP_REQUESTS);
	tally_count(t, by_class[SL_MIN(status / 100, 5u)]);
	tally_add(&t->latency[latency_bucket(ns / 1000)], 1);
}

static void enter(door_fn *door, void *ctx, const struct httpd_request *rq, struct httpd_reply *rp)
{
	struct http_worker *w = ctx;
	uint64_t start_ns = os_mono_ns();

	rp->cache_control = "no-store";
	if (w->worker.world) {
		door(w, rq, rp);
	} else {
		tally_count(w->worker.tally, TALLY_WORLD_MISSING);
		httpd_reply_error(rp, 503, "not_ready", "no world to answer from yet");
		rp->retry_after_s = 1;
	}
	count(w->worker.tally, rp->body.overflow && !rp->owned ? 500 : rp->status,
		os_mono_ns() - start_ns);
}

#define DOOR(name, path, prefix, methods, max_body, flags)                                         \
	static void enter_##name(                                                                  \
		void *ctx, const struct httpd_request *rq, struct httpd_reply *rp)                 \
	{                                                                                          \
		enter(http_door_##name, ctx, rq, rp);                                              \
	}
#include "http/doors.def"
#undef DOOR

const struct httpd_route *http_routes(size_t *ret_n)
{
	static const struct httpd_route routes[] = {
#define DOOR(name, path, prefix, methods, max_body, flags)                                         \
	{path, prefix, methods, max_body, enter_##name, flags},
#include "http/doors.def"
#undef DOOR
	};

	*ret_n = SL_COUNT(routes);
	return routes;
}
