/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A blob: flat, position-independent, checked, read-only octets that pass between processes and
 * machines, lie on disk, are kept as history and replayed in tests; the same octets everywhere.
 *
 *	head | directory of arrays | array | array | ...
 *
 * All arrays begin on 8 octets. A table of macros per blob (catalogue.def, tick.def, ...) gives the
 * C structs, the check, the dump and the golden files. Octet order is the machine's; the magic of
 * another order does not match. Nothing here does I/O; any thread.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/str.h"

struct blob_head {
	char magic[8];
	uint32_t layout; /* version of the arrays' layout */
	uint32_t n_arrays;
	uint64_t size;  /* of the whole blob, octets */
	uint64_t epoch; /* order of blobs is (epoch, generation) */
	uint64_t generation;
	uint64_t time_ms;  /* when it was made, unix */
	uint64_t checksum; /* XXH3 of the whole with this field and mac zero */
	uint8_t mac[32];   /* zero until blobs cross machines */
};

struct blob_dir {
	uint64_t off;
	uint32_t count;
	uint32_t elem_size;
};

/* A run of elements of another array; the field's row in the table says of which. */
struct blob_span {
	uint32_t first, count;
};

#define BLOB_NONE UINT32_MAX /* an OPT reference to nothing */

enum blob_kind {
	BLOB_ANY,  /* unsigned, unchecked */
	BLOB_NUM,  /* unsigned, at most arg */
	BLOB_REAL, /* double, finite, 0..arg */
	BLOB_REF,  /* index into array arg */
	BLOB_OPT,  /* as REF, or all bits set */
	BLOB_SPAN, /* struct blob_span of array arg */
	BLOB_TEXT, /* struct blob_span of array arg, whose octets are UTF-8 text */
};

struct blob_field {
	const char *name;
	uint16_t offset, size;
	enum blob_kind kind;
	double arg;
};

struct blob_array {
	const char *name;
	uint32_t elem_size;
	uint32_t min, max; /* elements */
	const struct blob_field *fields;
	uint32_t n_fields;
	bool octets; /* a heap of octets: dumped by length only */
};

struct blob_def {
	const char *name;
	char magic[8];
	uint32_t layout;
	const struct blob_array *arrays;
	uint32_t n_arrays;
	/* What the rows cannot say; runs after they have passed. NULL for none. */
	int (*check)(const void *blob, struct errbuf *err);
};

/* Expansions of the .def tables: FIELDS(F, R) gives F(R, type, name, kind, arg) per field of record
 * struct R; ARRAYS(A) gives A(R, array, FIELDS, min, max) per array. */
#define BLOB_STRUCT_FIELD(R, type, name, kind, arg) type name;
#define BLOB_STRUCT(R, array, FIELDS, min, max)                                                    \
	struct R {                                                                                 \
		FIELDS(BLOB_STRUCT_FIELD, R)                                                       \
	};
#define BLOB_TABLE_FIELD(R, type, name, kind, arg)                                                 \
	{#name, offsetof(struct R, name), sizeof(type), BLOB_##kind, (double)(arg)},
#define BLOB_TABLE(R, array, FIELDS, min, max)                                                     \
	static const struct blob_field R##_fields[] = {FIELDS(BLOB_TABLE_FIELD, R)};
#define BLOB_ARRAY_ROW(R, array, FIELDS, min, max)                                                 \
	{#array, sizeof(struct R), (min), (max), R##_fields, SL_COUNT(R##_fields),                 \
		sizeof(struct R) == 1},
#define BLOB_VIEW_FIELD(R, array, FIELDS, min, max)                                                \
	const struct R *array;                                                                     \
	uint32_t n_##array;
#define BLOB_VIEW_SET(R, array, FIELDS, min, max)                                                  \
	view->array = blob_array(blob, index, &view->n_##array);                                   \
	index++;

/* Full check of untrusted octets: after 0 every index, span and string in it is in bounds. size is
 * what is there, not what the head claims; blob must be aligned to 8. */
int blob_check(const struct blob_def *def, const void *blob, size_t size, struct errbuf *err)
	SL_NONNULL(1, 2) SL_WUNUSED;

/* Start and length of array `index` of a checked blob. */
const void *blob_array(const void *blob, uint32_t index, uint32_t *ret_count) SL_NONNULL_ALL;

/* The checksum as it has to stand in the head. */
uint64_t blob_checksum(const void *blob, size_t size) SL_NONNULL_ALL SL_PURE;

/* The whole of a checked blob as JSON. */
void blob_dump(const struct blob_def *def, const void *blob, FILE *out) SL_NONNULL_ALL;

/* Which blob this is by its magic, out of the table of all kinds; NULL for none. */
const struct blob_def *blob_def_of(const void *blob, size_t size) SL_NONNULL(1) SL_PURE;

/* --- building ------------------------------------------------------------------------------- */

struct blob_stamp {
	uint64_t epoch, generation, time_ms;
};

struct blob_writer;

/* Caller frees. NULL when out of memory. One thread. */
struct blob_writer *blob_writer_new(const struct blob_def *def) SL_NONNULL_ALL SL_WUNUSED;
void blob_writer_free(struct blob_writer *w);

/* Empties a writer for another blob of the same kind; its memory stays. */
void blob_writer_clear(struct blob_writer *w) SL_NONNULL_ALL;

/* Makes room for n elements of an array in all, or its maximum if that is less. Without memory it
 * does nothing: what is appended then asks again. */
void blob_reserve(struct blob_writer *w, uint32_t array, uint32_t n) SL_NONNULL_ALL;

/* Appends n zeroed elements to an array; the pointer holds until the next append to the same array.
 * NULL when out of memory or past the array's maximum: the writer is then failed for good, and
 * blob_writer_finish says so. *ret_first (may be NULL) gets the index of the first. */
void *blob_add(struct blob_writer *w, uint32_t array, uint32_t n, uint32_t *ret_first)
	SL_NONNULL(1);

/* Appends octets to an array of octets; equal octets are stored once. */
struct blob_span blob_add_octets(struct blob_writer *w, uint32_t array, const void *p, uint32_t n)
	SL_NONNULL(1);

/* Element of an array under construction. */
void *blob_at(struct blob_writer *w, uint32_t array, uint32_t index) SL_NONNULL_ALL;
uint32_t blob_count(const struct blob_writer *w, uint32_t array) SL_NONNULL_ALL;

/* Lays everything out, stamps, sums and checks it. *ret_blob is malloc'd; caller frees. */
int blob_writer_finish(struct blob_writer *w, struct blob_stamp stamp, void **ret_blob,
	size_t *ret_size, struct errbuf *err) SL_NONNULL(1, 3, 4);

/* The same into memory that the caller keeps for the next one: *blob is NULL or malloc'd, *room its
 * octets; where that is too little it is taken anew, for as much as the writer has room for. On an
 * error what lay there is lost, the memory is not. */
int blob_writer_finish_in(struct blob_writer *w, struct blob_stamp stamp, void **blob, size_t *room,
	size_t *ret_size, struct errbuf *err) SL_NONNULL(1, 3, 4, 5);
