/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a worker remembers of the JSON it wrote. A vendor's object depends on the catalogue, the
 * slot, its addresses and how many of which family are wanted, as long as no own nodes are in it;
 * what an answer begins with on the tick, the host, the group and the fields. Direct-mapped; an
 * entry of another catalogue or tick is no entry. Owned by one thread.
 */
#pragma once

#include "base/buf.h"

enum { HTTP_MEMO_SIZE = 1 << 11, HTTP_MEMO_TEXT = 232 };

struct http_memo {
	uint64_t of;   /* checksum of what the entries of this view are of */
	uint32_t view; /* 0: none yet */
	struct http_memo_entry {
		uint32_t view, what, which; /* the last two are the caller's, as `how` */
		uint16_t how;
		uint16_t n; /* octets of text */
		char text[HTTP_MEMO_TEXT];
	} entries[HTTP_MEMO_SIZE];
};

/* The entry of these, which holds them when its view is the memo's; else it is for the taking. */
static inline struct http_memo_entry *http_memo_at(
	struct http_memo *m, uint64_t of, uint32_t what, uint32_t which, uint16_t how)
{
	uint32_t at = what * 0x9e3779b1u ^ which * 0x85ebca6bu ^ how;
	struct http_memo_entry *e = &m->entries[(at ^ at >> 15) % HTTP_MEMO_SIZE];

	if (m->of != of || m->view == 0) {
		m->of = of;
		if (++m->view == 0)
			m->view = 1; /* what is left of 2^32 views ago is long overwritten */
	}
	if (e->view != m->view || e->what != what || e->which != which || e->how != how) {
		e->view = 0;
		e->what = what;
		e->which = which;
		e->how = how;
	}
	return e;
}

/* Writes what the entry holds; false when that is nothing. */
static inline bool http_memo_put(const struct http_memo_entry *e, struct buf *b)
{
	if (e->view)
		buf_put(b, e->text, e->n);
	return e->view != 0;
}

/* Keeps what has been written from octet `from` on, if it is not too long. */
static inline void http_memo_keep(
	const struct http_memo *m, struct http_memo_entry *e, const struct buf *b, size_t from)
{
	size_t n = buf_len(b) - from;

	if (b->overflow || n > sizeof(e->text))
		return;
	memcpy(e->text, b->base + from, n);
	e->n = (uint16_t)n;
	e->view = m->view;
}
