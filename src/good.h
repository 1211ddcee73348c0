/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The last configuration that passed every check, kept in the state folder: a role that falls while
 * the file on disk is broken comes back with what was in force.
 */
#pragma once

#include "conf/conf.h"

/* Keeps a configuration as STATE/config.good. */
int good_write(const struct conf *conf, struct errbuf *err) SL_NONNULL(1);

/* Loads what was kept in the folder. */
int good_load(const char *state, struct conf **ret_conf, struct errbuf *err) SL_NONNULL(1, 2);
