/* SPDX-License-Identifier: Apache-2.0 */
/* The file of cookie secrets. Control reads it and gives its content to answer in the keys. */
#pragma once

#include "dns/cookie.h"

/* Cookie secrets from a file (see dns_secrets_parse), which is made with a random one, mode 0400,
 * when it is not there. Machines of one address need copies of it. */
int dnsd_secrets_load(const char *path, struct dns_secrets *ret_secrets, struct errbuf *err)
	SL_NONNULL(1, 2) SL_WUNUSED;
