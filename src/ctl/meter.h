/* SPDX-License-Identifier: Apache-2.0 */
/* What `meter push` sends: one meter from the command line, or those on standard input. */
#pragma once

#include "ctl/request.h"

/* Body of POST /v1/meter, malloc'd; caller frees. SL_EINVAL with text is wrong usage. */
int ctl_meter_body(const struct ctl_request *r, char **ret_body, struct errbuf *err)
	SL_NONNULL(1, 2);
