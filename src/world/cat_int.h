/* SPDX-License-Identifier: Apache-2.0 */
/* What the parts of the catalogue's builder share: cat_build.c, cat_addrs.c and cat_play.c. */
#pragma once

#include "world/cat_build.h"

struct cat_builder {
	const struct conf *conf;
	struct dict *dict;
	struct blob_writer *w;
	struct errbuf *err;
	uint32_t n_vendors, n_groups;
	uint32_t n_hosts; /* of the services so far, in their order */
};

struct blob_span cat_put_text(struct cat_builder *b, const char *text);
const char *cat_group_name(const struct cat_builder *b, uint32_t group);
bool cat_group_in(
	const struct cat_builder *b, uint32_t group, const char *const *patterns, uint32_t n);

/* Signers, play URLs and ingests; after the services. */
void cat_put_plays(struct cat_builder *b);

/* Position of a stream's own ingest in its service, counted from 1; 0 when it names none. */
uint16_t cat_ingest_of(const struct cat_builder *b, const struct conf_stream *stream);

/* Addresses of vendors by group, own nodes and their order by group. */
void cat_put_addresses(struct cat_builder *b);
