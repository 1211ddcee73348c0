/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The octets of an untrusted .mmdb file, and the checks that libmaxminddb must not be left to make:
 * versions of it have read outside the file on corrupt metadata, pointers, nesting and sizes. Every
 * value is walked here, whole and within bounds, before the library is shown it.
 * Format: MaxMind DB File Format Specification 2.0.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"

struct geo_image {
	const uint8_t *p; /* borrowed */
	size_t n;
	const uint8_t *data; /* the data section */
	size_t data_n;
	uint32_t node_count;
	uint16_t record_size; /* bits: 24, 28 or 32 */
	uint16_t ip_version;  /* 4 or 6 */
	uint64_t budget; /* values that may still be walked: bounds the work of shared pointers */
};

/* Finds and checks metadata, search tree and data section of the n octets at p. SL_EFORMAT with
 * what is wrong (no file name). */
int geo_image_init(struct geo_image *im, const uint8_t *p, size_t n, struct errbuf *err)
	SL_NONNULL(1, 2) SL_WUNUSED;

/* Checks the value at an offset of the data section with all that it holds or points to. */
int geo_image_check(struct geo_image *im, uint64_t offset, struct errbuf *err)
	SL_NONNULL(1) SL_WUNUSED;
