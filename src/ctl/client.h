/* SPDX-License-Identifier: Apache-2.0 */
/* One request to the admin API, over the UNIX socket or a URL. */
#pragma once

#include "ctl/request.h"

struct cJSON;

enum { CTL_MAX_REPLY = 256 << 20, CTL_TIMEOUT_S = 30 };

/* Sends what was asked and parses the answer. body: JSON to send instead of the values (NULL:
 * none). 0 with the HTTP status and the object (caller deletes; never NULL); SL_EIO when nothing
 * could be reached or it does not speak our language. */
int ctl_call(const struct ctl_request *r, const char *body, long *ret_status,
	struct cJSON **ret_json, struct errbuf *err) SL_NONNULL(1, 3, 4);
