/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writing cursor over the caller's octets with a sticky overflow flag: write all, check once.
 * Serves DNS wire (big endian), JSON and text. Nothing is ever written past end.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/str.h"

struct buf {
	uint8_t *base, *p, *end;
	bool overflow;
};

static inline struct buf buf_over(void *base, size_t size)
{
	return (struct buf){.base = base, .p = base, .end = (uint8_t *)base + size};
}

static inline size_t buf_len(const struct buf *b)
{
	return (size_t)(b->p - b->base);
}

/* Room for n octets at p, advanced past them; NULL (and overflow) when there is none. */
static inline uint8_t *buf_take(struct buf *b, size_t n)
{
	uint8_t *at = b->p;

	if ((size_t)(b->end - b->p) < n) {
		b->overflow = true;
		return NULL;
	}
	b->p += n;
	return at;
}

static inline void buf_put(struct buf *b, const void *src, size_t n)
{
	uint8_t *at = buf_take(b, n);

	if (at && n)
		memcpy(at, src, n);
}

static inline void buf_put_str(struct buf *b, struct str s)
{
	buf_put(b, s.p, s.n);
}

#define BUF_PUT_LIT(b, lit) buf_put((b), (lit), sizeof(lit) - 1)

static inline void buf_put_u8(struct buf *b, uint8_t v)
{
	buf_put(b, &v, 1);
}

static inline void buf_put_be16(struct buf *b, uint16_t v)
{
	uint8_t o[2] = {(uint8_t)(v >> 8), (uint8_t)v};

	buf_put(b, o, sizeof(o));
}

static inline void buf_put_be32(struct buf *b, uint32_t v)
{
	uint8_t o[4] = {(uint8_t)(v >> 24), (uint8_t)(v >> 16), (uint8_t)(v >> 8), (uint8_t)v};

	buf_put(b, o, sizeof(o));
}

static inline void buf_put_u64_dec(struct buf *b, uint64_t v)
{
	char o[20];
	size_t i = sizeof(o);

	do {
		o[--i] = (char)('0' + v % 10);
		v /= 10;
	} while (v);
	buf_put(b, o + i, sizeof(o) - i);
}

/* A JSON string with its quotes; control octets, quotes and backslashes escaped (RFC 8259), an
 * octet that is no UTF-8 as U+FFFD. */
static inline void buf_put_json_str(struct buf *b, struct str s)
{
	static const char hex[] = "0123456789abcdef";
	size_t n;

	buf_put_u8(b, '"');
	for (size_t i = 0; i < s.n; i++) {
		uint8_t c = (uint8_t)s.p[i];

		if (c == '"' || c == '\\') {
			uint8_t o[2] = {'\\', c};
			buf_put(b, o, 2);
		} else if (c < 0x20 || c == 0x7f) {
			char o[6] = {'\\', 'u', '0', '0', hex[c >> 4], hex[c & 15]};
			buf_put(b, o, 6);
		} else if (c < 0x80) {
			buf_put_u8(b, c);
		} else if ((n = str_utf8_len((struct str){s.p + i, s.n - i}))) {
			buf_put(b, s.p + i, n);
			i += n - 1;
		} else {
			BUF_PUT_LIT(b, "\\ufffd");
		}
	}
	buf_put_u8(b, '"');
}
