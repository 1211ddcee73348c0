/* SPDX-License-Identifier: Apache-2.0 */
/* An HTTP door without a loop: the test world, one worker, and requests made of text. */
#pragma once

#include <stdlib.h>

#include "base/os.h"
#include "http/doors.h"
#include "httpd/httpd_query.h"
#include "testworld.h"

enum { HW_REPLY = 1 << 20, HW_TEXT = 16384 };

struct httpworld {
	struct testworld tw;
	struct workers all;
	struct http_worker w;
	struct httpd_field params[HTTPD_MAX_PARAMS];
	uint8_t text[HW_TEXT], target[2 * HW_TEXT], body[HW_REPLY];
	struct httpd_reply rp;
};

/* Ready to be asked; 0 or an error with tw.err filled. Ends with httpworld_done. */
static inline int httpworld_init(struct httpworld *h, const struct testworld_spec *spec)
{
	int rc;

	memset(h, 0, sizeof(*h));
	rc = testworld_init(&h->tw, spec);
	if (rc)
		return rc;
	h->all.publish = publish_new();
	h->all.seen = seen_new();
	h->all.tally[0] = calloc(1, sizeof(struct tally));
	h->all.n = 1;
	publish_swap(h->all.publish, testworld_take(&h->tw));
	rc = worker_init(&h->w.worker, &h->all, 0);
	if (!rc)
		rc = dnsd_guest_init(&h->w.dns, &h->w.dns_settings);
	publish_reader_start();
	worker_round(&h->w.worker);
	return rc;
}

static inline void httpworld_done(struct httpworld *h)
{
	dnsd_guest_done(&h->w.dns);
	worker_done(&h->w.worker);
	publish_reader_stop();
	publish_free(h->all.publish);
	free(h->all.seen);
	free(h->all.tally[0]);
	testworld_done(&h->tw);
}

/* Splits a query string as the fence does; false where the fence would refuse it. */
static inline bool httpworld_params(struct httpworld *h, struct str query, uint16_t *ret_n)
{
	struct buf b = buf_over(h->text, sizeof(h->text));
	uint16_t n = 0;

	while (query.n) {
		struct str value = str_cut(&query, '&'), name = str_cut(&value, '=');

		if (n == HTTPD_MAX_PARAMS || !httpd_unescape(name, &b, &h->params[n].name) ||
			!httpd_unescape(value, &b, &h->params[n].value))
			return false;
		n++;
	}
	*ret_n = n;
	return true;
}

/* Asks a path of the table; the reply's body is NUL-terminated in h->body. Status, 0: no such door
 * or refused by the fence. */
static inline unsigned httpworld_ask(struct httpworld *h, enum httpd_method method,
	const char *path, struct str query, struct str body, struct ip client)
{
	struct httpd_request rq = {.method = method,
		.path = str_from(path),
		.body = body,
		.peer = client,
		.client = client,
		.peer_uid = -1,
		.params = h->params};
	struct buf b;
	size_t n;
	const struct httpd_route *r = http_routes(&n);

	h->rp = (struct httpd_reply){.status = 200,
		.type = "application/json",
		.cache_control = "no-store",
		.body = buf_over(h->body, HW_REPLY - 1)};
	if (!httpworld_params(h, query, &rq.n_params))
		return 0;
	b = buf_over(h->target, sizeof(h->target));
	buf_put_str(&b, rq.path);
	buf_put_u8(&b, '?');
	buf_put_str(&b, query);
	rq.target = (struct str){(char *)b.base, buf_len(&b)};
	for (size_t i = 0; i < n; i++) {
		if (!(r[i].methods & method) || !httpd_route_fits(&r[i], rq.path))
			continue;
		r[i].fn(&h->w, &rq, &h->rp);
		*h->rp.body.p = '\0';
		return h->rp.body.overflow ? 500 : h->rp.status;
	}
	return 0;
}

static inline unsigned httpworld_get(struct httpworld *h, const char *path, const char *query)
{
	static const struct ip client = {{10, 1, 2, 3}, IP_V4};

	return httpworld_ask(h, HTTPD_GET, path, str_from(query), (struct str){NULL, 0}, client);
}

/* Whether a GET is answered so; where not, what came is on standard error. */
static inline bool httpworld_says(
	struct httpworld *h, const char *path, const char *query, unsigned status, const char *body)
{
	unsigned got = httpworld_get(h, path, query);

	if (got == status && strcmp((const char *)h->body, body) == 0)
		return true;
	(void)fprintf(stderr, "%s?%s: %u %s\nwant %u %s\n", path, query, got, (const char *)h->body,
		status, body);
	return false;
}
