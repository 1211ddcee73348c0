/* SPDX-License-Identifier: Apache-2.0 */
/* What the rows cannot say: names, references and figures against each other. Internal to conf/. */
#pragma once

#include "conf/conf.h"

/* The first fault as SL_EFORMAT (SL_ELIMIT, SL_ENOMEM), or 0. */
int conf_check(const struct conf *c, struct errbuf *err) SL_NONNULL(1);

/* Its parts, one file each. */
int conf_check_sluice(const struct conf *c, struct errbuf *err) SL_NONNULL(1);
int conf_check_isps(const struct conf *c, struct errbuf *err) SL_NONNULL(1);
int conf_check_vendors(const struct conf *c, struct errbuf *err) SL_NONNULL(1);
int conf_check_nodes(const struct conf *c, struct errbuf *err) SL_NONNULL(1);
int conf_check_probes(const struct conf *c, struct errbuf *err) SL_NONNULL(1);
int conf_check_zones(const struct conf *c, struct errbuf *err) SL_NONNULL(1);
int conf_check_services(const struct conf *c, struct errbuf *err) SL_NONNULL(1);
int conf_check_plays(const struct conf *c, struct errbuf *err) SL_NONNULL(1);
int conf_check_streams(const struct conf *c, struct errbuf *err) SL_NONNULL(1);

/* Whether the service has an ingest of this name. */
bool conf_has_ingest(const struct conf_service *service, const char *name) SL_NONNULL_ALL;

/* A set of texts that remembers where each was first seen. The texts are borrowed. */
struct conf_names {
	struct conf_name {
		const char *text;
		uint32_t index;
	} * slots;
	uint32_t mask;
};

/* Room for n texts in the configuration's arena; SL_ENOMEM with err filled. */
int conf_names_init(struct conf_names *names, const struct conf *c, size_t n, struct errbuf *err)
	SL_NONNULL(1, 2);

/* Adds a text; -1 when it is new, else the index it was first added with. */
int64_t conf_names_add(struct conf_names *names, const char *text, uint32_t index) SL_NONNULL_ALL;

/* The index a text was added with, or -1. */
int64_t conf_names_find(const struct conf_names *names, const char *text) SL_NONNULL_ALL;

/* The path of a value: printf into a buffer of CONF_PATH_SIZE. */
enum { CONF_PATH_SIZE = 128 };
#define CONF_PATH(buf, ...) (snprintf((buf), CONF_PATH_SIZE, __VA_ARGS__), (buf))
