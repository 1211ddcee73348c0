/* SPDX-License-Identifier: Apache-2.0 */
#include "world/blob.h"

#include "base/hash.h"
#include "base/limits.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { ALIGN = 8 };

static const struct blob_dir *directory(const void *blob)
{
	return (const void *)((const char *)blob + sizeof(struct blob_head));
}

const void *blob_array(const void *blob, uint32_t index, uint32_t *ret_count)
{
	const struct blob_dir *d = &directory(blob)[index];

	*ret_count = d->count;
	return (const char *)blob + d->off;
}

uint64_t blob_checksum(const void *blob, size_t size)
{
	struct blob_head h;
	XXH3_state_t state;

	memcpy(&h, blob, sizeof(h));
	h.checksum = 0;
	memset(h.mac, 0, sizeof(h.mac));
	XXH3_INITSTATE(&state);
	(void)XXH3_64bits_reset(&state);
	(void)XXH3_64bits_update(&state, &h, sizeof(h));
	(void)XXH3_64bits_update(&state, (const char *)blob + sizeof(h), size - sizeof(h));
	return XXH3_64bits_digest(&state);
}

static uint64_t read_unsigned(const void *p, size_t size)
{
	uint64_t v8;
	uint32_t v4;
	uint16_t v2;

	switch (size) {
	case 1:
		return *(const uint8_t *)p;
	case 2:
		memcpy(&v2, p, 2);
		return v2;
	case 4:
		memcpy(&v4, p, 4);
		return v4;
	default:
		sl_assert(size == 8);
		memcpy(&v8, p, 8);
		return v8;
	}
}

static uint64_t all_ones(size_t size)
{
	return size == 8 ? UINT64_MAX : (UINT64_C(1) << (size * 8)) - 1;
}

static bool field_good(const struct blob_field *f, const void *elem, const struct blob_dir *dir)
{
	const char *p = (const char *)elem + f->offset;
	struct blob_span span;
	uint64_t v;
	double d;

	switch (f->kind) {
	case BLOB_ANY:
		return true;
	case BLOB_NUM:
		return (double)read_unsigned(p, f->size) <= f->arg;
	case BLOB_REAL:
		memcpy(&d, p, sizeof(d));
		return isfinite(d) && d >= 0 && d <= f->arg;
	case BLOB_REF:
	case BLOB_OPT:
		v = read_unsigned(p, f->size);
		return v < dir[(int)f->arg].count ||
		       (f->kind == BLOB_OPT && v == all_ones(f->size));
	case BLOB_SPAN:
	case BLOB_TEXT:
		memcpy(&span, p, sizeof(span));
		return (uint64_t)span.first + span.count <= dir[(int)f->arg].count;
	}
	return false;
}

static int check_head(const struct blob_def *def, const void *blob, size_t size, struct errbuf *err)
{
	const struct blob_head *h = blob;

	if (size < sizeof(*h) || memcmp(h->magic, def->magic, sizeof(h->magic)) != 0)
		return err_set(err, SL_EFORMAT, "%s: not a blob of this kind", def->name);
	if (h->layout != def->layout || h->n_arrays != def->n_arrays)
		return err_set(err, SL_EVERSION, "%s: layout %u with %u arrays, want %u with %u",
			def->name, h->layout, h->n_arrays, def->layout, def->n_arrays);
	if (h->size != size || size > SL_MAX_BLOB_OCTETS ||
		size < sizeof(*h) + def->n_arrays * sizeof(struct blob_dir))
		return err_set(err, SL_EFORMAT, "%s: %zu octets, the head says %llu", def->name,
			size, (unsigned long long)h->size);
	if (blob_checksum(blob, size) != h->checksum)
		return err_set(err, SL_ECHECKSUM, "%s: checksum does not match", def->name);
	return 0;
}

static int check_dir(const struct blob_def *def, const void *blob, size_t size, struct errbuf *err)
{
	const struct blob_dir *dir = directory(blob);

	for (uint32_t i = 0; i < def->n_arrays; i++) {
		const struct blob_array *a = &def->arrays[i];
		const struct blob_dir *d = &dir[i];

		if (d->elem_size != a->elem_size || d->count < a->min || d->count > a->max)
			return err_set(err, SL_EFORMAT,
				"%s.%s: %u elements of %u octets, want %u "
				"to %u of %u",
				def->name, a->name, d->count, d->elem_size, a->min, a->max,
				a->elem_size);
		if (d->off % ALIGN || d->off > size ||
			(uint64_t)d->count * d->elem_size > size - d->off)
			return err_set(err, SL_EFORMAT, "%s.%s: lies outside the blob", def->name,
				a->name);
	}
	return 0;
}

static int check_elements(const struct blob_def *def, const struct blob_array *a, const char *p,
	uint32_t count, const struct blob_dir *dir, struct errbuf *err)
{
	for (uint32_t f = 0; f < a->n_fields; f++) {
		const struct blob_field *field = &a->fields[f];

		if (field->kind == BLOB_ANY)
			continue;
		for (uint32_t i = 0; i < count; i++)
			if (!field_good(field, p + (size_t)i * a->elem_size, dir))
				return err_set(err, SL_EFORMAT, "%s.%s[%u].%s: out of bounds",
					def->name, a->name, i, field->name);
	}
	return 0;
}

int blob_check(const struct blob_def *def, const void *blob, size_t size, struct errbuf *err)
{
	int rc = (uintptr_t)blob % ALIGN ? err_set(err, SL_EINVAL, "not aligned") : 0;

	if (!rc)
		rc = check_head(def, blob, size, err);
	if (!rc)
		rc = check_dir(def, blob, size, err);
	for (uint32_t i = 0; !rc && i < def->n_arrays; i++) {
		uint32_t count;
		const void *p = blob_array(blob, i, &count);

		rc = check_elements(def, &def->arrays[i], p, count, directory(blob), err);
	}
	return rc || !def->check ? rc : def->check(blob, err);
}
