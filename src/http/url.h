/* SPDX-License-Identifier: Apache-2.0 */
/* URLs at the vendors: host and signature of a slot, templates of paths. Shared by play, publish
 * and redirect. Never allocates. */
#pragma once

#include "http/decision.h"

/* Text with {stream} replaced by the name, percent-encoded. */
void http_put_template(struct buf *b, struct str template, struct str stream) SL_NONNULL(1);

/* Path and query, signed as the signer (index, BLOB_NONE for none) wants it for a URL that begins
 * with base (SCHEME://HOST). false, and nothing written, when its key is not there, the template or
 * the path is at fault, or too many have just been signed by private keys; counted. */
bool http_put_signed(struct buf *b, struct http_worker *w, uint32_t signer, struct str base,
	struct str path, struct str query, uint32_t validity_s, uint64_t key) SL_NONNULL(1, 2);

/* The host that a slot's URLs have (with port), empty where none is known. */
struct str http_slot_host(
	const struct world *w, const struct http_decision *d, uint8_t slot) SL_NONNULL_ALL;

/* Whether the URLs of two slots differ in the name of the host only: a URL of one, token and all,
 * is good at the other when its host is replaced. */
bool http_same_but_host(
	const struct world *w, const struct http_decision *d, uint8_t a, uint8_t b) SL_NONNULL_ALL;

/* SCHEME://HOST and the signed path and query; the host is the slot's, or else an address of its
 * vendor. false, and nothing written, where there is no such URL. */
bool http_put_url(struct buf *b, struct http_worker *w, const struct http_decision *d, uint8_t slot,
	struct str path, struct str query, uint32_t validity_s) SL_NONNULL(1, 2, 3);
