/* SPDX-License-Identifier: Apache-2.0 */
#include "base/buf.h"
#include "world/blob.h"
#include "world/catalogue.h"
#include "world/facts.h"
#include "world/geoblob.h"
#include "world/tick.h"

#include <inttypes.h>
#include <string.h>

const struct blob_def *blob_def_of(const void *blob, size_t size)
{
	static const struct blob_def *const all[] = {
		&catalogue_def, &tick_def, &geoblob_def, &facts_def};

	for (size_t i = 0; size >= 8 && i < SL_COUNT(all); i++)
		if (memcmp(blob, all[i]->magic, 8) == 0)
			return all[i];
	return NULL;
}

static void dump_text(
	const void *blob, const struct blob_field *f, struct blob_span span, FILE *out)
{
	uint32_t count;
	const char *text = blob_array(blob, (uint32_t)f->arg, &count);
	char line[4096];
	struct buf b = buf_over(line, sizeof(line));

	buf_put_json_str(&b, (struct str){text + span.first, SL_MIN(span.count, 512u)});
	(void)fwrite(line, 1, buf_len(&b), out);
}

/* A field that is itself a row of 32-bit numbers. */
static void dump_row(const char *p, size_t size, FILE *out)
{
	for (size_t at = 0; at < size; at += 4) {
		uint32_t v;

		memcpy(&v, p + at, sizeof(v));
		(void)fprintf(out, "%c%u", at ? ',' : '[', v);
	}
	(void)fputc(']', out);
}

static void dump_field(const void *blob, const struct blob_field *f, const char *p, FILE *out)
{
	struct blob_span span;
	double d;
	uint64_t v = 0;

	switch (f->kind) {
	case BLOB_REAL:
		memcpy(&d, p, sizeof(d));
		(void)fprintf(out, "%.17g", d);
		return;
	case BLOB_SPAN:
		memcpy(&span, p, sizeof(span));
		(void)fprintf(out, "[%u,%u]", span.first, span.count);
		return;
	case BLOB_TEXT:
		memcpy(&span, p, sizeof(span));
		dump_text(blob, f, span, out);
		return;
	default:
		if (f->size > sizeof(v)) {
			dump_row(p, f->size, out);
			return;
		}
		memcpy(&v, p, f->size); /* little endian: the magic holds the order */
		if (f->kind == BLOB_OPT && v == (f->size == 2 ? UINT16_MAX : UINT32_MAX))
			(void)fputs("null", out);
		else
			(void)fprintf(out, "%" PRIu64, v);
	}
}

static void dump_element(const void *blob, const struct blob_array *a, const char *p, FILE *out)
{
	if (a->n_fields == 1) {
		dump_field(blob, &a->fields[0], p + a->fields[0].offset, out);
		return;
	}
	for (uint32_t f = 0; f < a->n_fields; f++) {
		if (strncmp(a->fields[f].name, "unused", 6) == 0)
			continue;
		(void)fprintf(out, "%s\"%s\":", f ? "," : "{", a->fields[f].name);
		dump_field(blob, &a->fields[f], p + a->fields[f].offset, out);
	}
	(void)fputc('}', out);
}

void blob_dump(const struct blob_def *def, const void *blob, FILE *out)
{
	const struct blob_head *h = blob;

	(void)fprintf(out,
		"{\"blob\":\"%s\",\"layout\":%u,\"size\":%" PRIu64 ",\"epoch\":%" PRIu64
		",\"generation\":%" PRIu64 ",\"time_ms\":%" PRIu64 ",\"checksum\":\"%016" PRIx64
		"\"",
		def->name, h->layout, h->size, h->epoch, h->generation, h->time_ms, h->checksum);
	for (uint32_t i = 0; i < def->n_arrays; i++) {
		const struct blob_array *a = &def->arrays[i];
		uint32_t count;
		const char *p = blob_array(blob, i, &count);

		(void)fprintf(out, ",\n\"%s\":", a->name);
		if (a->octets) {
			(void)fprintf(out, "{\"octets\":%u}", count);
			continue;
		}
		(void)fputc('[', out);
		for (uint32_t k = 0; k < count; k++) {
			(void)fputs(k ? (a->n_fields == 1 ? "," : ",\n ") : "", out);
			dump_element(blob, a, p + (size_t)k * a->elem_size, out);
		}
		(void)fputc(']', out);
	}
	(void)fputs("}\n", out);
}
