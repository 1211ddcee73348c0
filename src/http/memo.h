/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a worker remembers of the JSON it wrote: a vendor's object depends on the catalogue, the
 * slot, its addresses and how many of which family are wanted, as long as no own nodes are in it.
 * Direct-mapped; an entry of another catalogue is no entry. Owned by one thread.
 */
#pragma once

#include "http/query.h"

enum { HTTP_MEMO_SIZE = 1 << 11, HTTP_MEMO_TEXT = 232 };

struct http_memo {
	uint64_t catalogue; /* checksum of the one the entries of this view are of */
	uint32_t view;      /* 0: none yet */
	struct http_memo_entry {
		uint32_t view, slot, addrs; /* indexes in the catalogue; addrs may be BLOB_NONE */
		uint16_t n;                 /* octets of text */
		uint8_t families, max;
		char text[HTTP_MEMO_TEXT];
	} entries[HTTP_MEMO_SIZE];
};

/* The entry of these, which holds them when its view is the memo's; else it is for the taking. */
static inline struct http_memo_entry *http_memo_at(struct http_memo *m, uint64_t catalogue,
	uint32_t slot, uint32_t addrs, uint8_t families, uint8_t max)
{
	uint32_t at = slot * 0x9e3779b1u ^ addrs * 0x85ebca6bu ^ families << 8 ^ max;
	struct http_memo_entry *e = &m->entries[(at ^ at >> 15) % HTTP_MEMO_SIZE];

	if (m->catalogue != catalogue || m->view == 0) {
		m->catalogue = catalogue;
		if (++m->view == 0)
			m->view = 1; /* what is left of 2^32 catalogues ago is long overwritten */
	}
	if (e->view != m->view || e->slot != slot || e->addrs != addrs || e->families != families ||
		e->max != max) {
		e->view = 0;
		e->slot = slot;
		e->addrs = addrs;
		e->families = families;
		e->max = max;
	}
	return e;
}
