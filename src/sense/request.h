/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A pulled meter's request: templates filled in and signed. What is absent in the configuration is
 * taken from the ready-made row (meter.def). Pure but for what is passed in; any thread.
 */
#pragma once

#include "base/buf.h"
#include "base/err.h"
#include "base/limits.h"
#include "conf/conf.h"

/* A meter as it is asked for; texts are borrowed from the configuration or static. */
struct sense_api {
	const char *url, *body, *headers; /* headers of the ready-made row: lines */
	const char *const *more_headers;  /* of the configuration */
	uint32_t n_more_headers;
	const char *params; /* lines */
	const char *const *more_params;
	uint32_t n_more_params;
	const char *user, *sign_key, *sign_canonical, *sign_input;
	const char *series, *value, *time, *next, *cursor, *pages, *error;
	uint32_t auth; /* enum conf_auth, not API */
	uint32_t unit; /* enum conf_unit, not API */
	bool post;
	int32_t utc_offset_min;
	uint32_t step_s, window_s, delay_s, every_s;
	double rate_per_s;
};

/* Fills in what a meter of the configuration leaves open. */
struct sense_api sense_api_of(const struct conf_meter *m) SL_NONNULL_ALL;

/* What a request varies by. */
struct sense_ask {
	uint64_t now_ms, start_ms, end_ms; /* unix */
	uint64_t nonce;
	uint32_t page; /* from 1 */
	struct str secret, next, cursor, node, address;
};

enum {
	SENSE_URL_MAX = 8192,
	SENSE_HEADER_MAX = 2048,
	SENSE_HEADERS_MAX = CONF_MAX_PARAMS + 8,
};

struct sense_request {
	char url[SENSE_URL_MAX], body[SENSE_URL_MAX], host[SL_MAX_NAME * 4];
	char header[SENSE_HEADERS_MAX][SENSE_HEADER_MAX];
	uint32_t n_headers;
	bool post;
};

/* SL_ELIMIT or SL_EINVAL with text: too long, a {NAME} that nothing is known of, or no URL. The
 * text never holds a secret. */
int sense_request_build(const struct sense_api *api, const struct sense_ask *ask,
	struct sense_request *ret_request, struct errbuf *err) SL_NONNULL(1, 2, 3);

/* Whether the templates name only what is known, for a check without a secret. */
int sense_request_check(const struct sense_api *api, struct errbuf *err) SL_NONNULL(1);
