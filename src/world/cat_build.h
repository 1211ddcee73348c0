/* SPDX-License-Identifier: Apache-2.0 */
/* Makes the catalogue of a checked configuration. For the control plane: allocates, reads zone
 * files. */
#pragma once

#include "base/buf.h"
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

/* Ready records of n addresses of one family (4 or 16 octets), TTL zero, owner a pointer to the
 * question: of CAT_A_RR_SIZE or CAT_AAAA_RR_SIZE each. */
void cat_put_records(struct buf *to, const struct ip *ip, uint32_t n, uint32_t octets)
	SL_NONNULL(1);

/* Whether cat_build would take this configuration: what only shows when zone files are read. */
int cat_try(const struct conf *conf, struct errbuf *err) SL_NONNULL(1) SL_WUNUSED;
