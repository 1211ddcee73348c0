/* SPDX-License-Identifier: Apache-2.0 */
/* The settings of the DNS doors out of the machine's configuration. */
#pragma once

#include "conf/conf.h"
#include "dns/answer.h"

/* Allocates. conf must outlive the settings; caller ends with dnsd_setup_done, also after a
 * failure. */
int dnsd_setup(struct dnsd_settings *set, const struct conf_sluice *conf, struct errbuf *err)
	SL_NONNULL(1, 2) SL_WUNUSED;
void dnsd_setup_done(struct dnsd_settings *set) SL_NONNULL_ALL;
