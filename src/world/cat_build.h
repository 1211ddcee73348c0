/* SPDX-License-Identifier: Apache-2.0 */
/* Makes the catalogue of a checked configuration. For the control plane: allocates, reads zone
 * files. */
#pragma once

#include "conf/conf.h"
#include "world/dict.h"

/*
 * Builds the catalogue. Vendors, regions and services of the configuration get their ids from dict
 * (and stay in it); its groups are taken as they are, the first being the default group. Errors
 * carry file:line where a zone file or the configuration is at fault. *ret_blob is malloc'd; caller
 * frees.
 */
int cat_build(const struct conf *conf, struct dict *dict, struct blob_stamp stamp, void **ret_blob,
	size_t *ret_size, struct errbuf *err) SL_NONNULL(1, 2, 4, 5) SL_WUNUSED;

/* Whether cat_build would take this configuration: what only shows when zone files are read. */
int cat_try(const struct conf *conf, struct errbuf *err) SL_NONNULL(1) SL_WUNUSED;
