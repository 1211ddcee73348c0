/* SPDX-License-Identifier: Apache-2.0 */
/* Walks every value of an untrusted .mmdb within its bounds. Of its fields it knows some metadata.
 */
#include "geo/image.h"

#include "base/str.h"

#include <string.h>

enum {
	DEPTH_MAX = 32,            /* of maps in arrays in maps; real files have 4 */
	METADATA_MAX = 128 * 1024, /* the specification's */
	SEPARATOR = 16,            /* zero octets between tree and data */
	BUDGET_MIN = 1 << 20,      /* values in a small file, pointers followed */
	BUDGET_PER_OCTET = 16,
};

/* Types of the specification; 0 in the control octet means that 7 + the next octet is the type. */
enum {
	T_EXTENDED,
	T_POINTER,
	T_STRING,
	T_DOUBLE,
	T_BYTES,
	T_UINT16,
	T_UINT32,
	T_MAP,
	T_INT32,
	T_UINT64,
	T_UINT128,
	T_ARRAY,
	T_CONTAINER,
	T_END,
	T_BOOL,
	T_FLOAT,
	T_COUNT
};

struct section {
	const uint8_t *p;
	size_t n;
	uint64_t *budget;
	struct errbuf *err;
};

struct value {
	unsigned type;
	uint32_t size; /* octets, or members, or the target of a pointer */
	size_t at;     /* where the payload begins, for a pointer where it ends */
	size_t next;   /* what comes behind a pointer that led here; 0 when none did */
};

static int bad(const struct section *s, size_t off, const char *what)
{
	return err_set(s->err, SL_EFORMAT, "corrupt value at data offset %zu: %s", off, what);
}

/* A big-endian number of n octets at *at, which moves on. */
static int number(const struct section *s, size_t *at, size_t n, uint32_t *ret)
{
	uint32_t v = 0;

	if (s->n - *at < n)
		return bad(s, *at, "cut off");
	for (size_t i = 0; i < n; i++)
		v = v << 8 | s->p[(*at)++];
	*ret = v;
	return 0;
}

static int read_pointer(const struct section *s, unsigned ctrl, struct value *v)
{
	static const uint32_t base[] = {0, 2048, 526336, 0};
	unsigned kind = ctrl >> 3 & 3;
	uint32_t low;
	int rc = number(s, &v->at, kind + 1, &low);

	if (rc)
		return rc;
	v->size = kind == 3 ? low : ((ctrl & 7) << (8 * (kind + 1)) | low) + base[kind];
	return 0;
}

static int read_head(const struct section *s, size_t off, struct value *v)
{
	static const uint32_t base[] = {29, 285, 65821};
	unsigned ctrl;
	uint32_t more;
	int rc;

	if (off >= s->n)
		return bad(s, off, "outside of the section");
	ctrl = s->p[off];
	v->at = off + 1;
	v->next = 0;
	v->type = ctrl >> 5;
	if (v->type == T_POINTER)
		return read_pointer(s, ctrl, v);
	if (v->type == T_EXTENDED) {
		if ((rc = number(s, &v->at, 1, &more)) != 0)
			return rc;
		v->type = 7 + more;
		if (v->type <= T_MAP || v->type >= T_COUNT)
			return bad(s, off, "no such type");
	}
	v->size = ctrl & 31;
	if (v->size < 29)
		return 0;
	if ((rc = number(s, &v->at, v->size - 28, &more)) != 0)
		return rc;
	v->size = base[v->size - 29] + more;
	return 0;
}

/* Follows a pointer, which must not lead to another. */
static int resolve(const struct section *s, size_t off, struct value *v)
{
	size_t next;
	int rc = read_head(s, off, v);

	if (rc || v->type != T_POINTER)
		return rc;
	next = v->at;
	if ((rc = read_head(s, v->size, v)) != 0)
		return rc;
	v->next = next;
	return v->type == T_POINTER ? bad(s, off, "a pointer to a pointer") : 0;
}

/* Octets of a scalar's payload must fit its type and the section. */
static int check_scalar(const struct section *s, size_t off, const struct value *v)
{
	static const struct {
		uint8_t min, max;
	} size[T_COUNT] = {[T_DOUBLE] = {8, 8},
		[T_UINT16] = {0, 2},
		[T_UINT32] = {0, 4},
		[T_INT32] = {0, 4},
		[T_UINT64] = {0, 8},
		[T_UINT128] = {0, 16},
		[T_FLOAT] = {4, 4}};

	if (v->type == T_BOOL)
		return v->size > 1 ? bad(s, off, "a boolean that is neither") : 0;
	if (v->type == T_CONTAINER || v->type == T_END)
		return bad(s, off, "a type that files do not hold");
	if (v->type != T_STRING && v->type != T_BYTES &&
		(v->size < size[v->type].min || v->size > size[v->type].max))
		return bad(s, off, "a number of a wrong size");
	return s->n - v->at < v->size ? bad(s, off, "longer than the section") : 0;
}

static int check_value(const struct section *s, size_t off, unsigned depth, size_t *ret_next);

static int check_key(const struct section *s, size_t *off)
{
	size_t here = *off;
	struct value v;
	int rc = resolve(s, here, &v);

	if (rc)
		return rc;
	if (v.type != T_STRING)
		return bad(s, here, "a key that is no string");
	*off = v.next ? v.next : v.at + v.size;
	return check_scalar(s, here, &v);
}

static int check_members(const struct section *s, const struct value *v, unsigned depth, size_t *at)
{
	int rc = 0;

	*at = v->at;
	for (uint32_t i = 0; i < v->size && rc == 0; i++) {
		if (v->type == T_MAP && (rc = check_key(s, at)) != 0)
			return rc;
		rc = check_value(s, *at, depth + 1, at);
	}
	return rc;
}

static int check_value(const struct section *s, size_t off, unsigned depth, size_t *ret_next)
{
	size_t inner;
	struct value v;
	int rc;

	if (depth > DEPTH_MAX)
		return bad(s, off, "nested too deep");
	if ((*s->budget)-- == 0)
		return bad(s, off, "more values than a file of this size can hold");
	if ((rc = resolve(s, off, &v)) != 0)
		return rc;
	if (v.type == T_MAP || v.type == T_ARRAY) {
		rc = check_members(s, &v, depth, &inner);
	} else {
		rc = check_scalar(s, off, &v);
		inner = v.at + (v.type == T_BOOL ? 0 : v.size);
	}
	*ret_next = v.next ? v.next : inner;
	return rc;
}

/* The value of a key in the map at the start of a checked section; SL_ENOENT. */
static int map_get(const struct section *s, const char *key, struct value *ret)
{
	struct value map, name;
	int rc = resolve(s, 0, &map);
	size_t at, k;

	if (rc || map.type != T_MAP)
		return SL_EFORMAT;
	at = map.at;
	for (uint32_t i = 0; i < map.size; i++) {
		k = at;
		if ((rc = resolve(s, k, &name)) != 0 || (rc = check_key(s, &at)) != 0)
			return rc;
		if (str_eq_z((struct str){(const char *)s->p + name.at, name.size}, key))
			return resolve(s, at, ret);
		if ((rc = check_value(s, at, 1, &at)) != 0)
			return rc;
	}
	return SL_ENOENT;
}

static int meta_number(const struct section *s, const char *key, uint32_t *ret)
{
	struct value v;
	size_t at;
	int rc = map_get(s, key, &v);

	if (rc || (v.type != T_UINT16 && v.type != T_UINT32) || v.size > 4)
		return err_set(s->err, SL_EFORMAT, "metadata: %s is missing or no number", key);
	at = v.at;
	return number(s, &at, v.size, ret);
}

/*
 * A list or map in the metadata that holds texts only, or is absent. libmaxminddb 1.7 leaks its
 * nodes where another type stands there.
 */
static int meta_texts(const struct section *s, const char *key, unsigned type)
{
	struct value list, member = {.type = T_STRING};
	int rc = map_get(s, key, &list);
	size_t at;

	if (rc == SL_ENOENT)
		return 0;
	at = list.at;
	for (uint32_t i = 0; rc == 0 && list.type == type && i < list.size; i++) {
		if (type == T_MAP && (rc = check_key(s, &at)) != 0)
			return rc;
		rc = resolve(s, at, &member);
		if (rc || member.type != T_STRING)
			break;
		rc = check_value(s, at, 1, &at);
	}
	if (rc || list.type != type || member.type != T_STRING)
		return err_set(s->err, SL_EFORMAT, "metadata: %s is not as it should be", key);
	return 0;
}

/* The last marker within the specification's reach from the end; 0 when there is none. */
static size_t find_metadata(const uint8_t *p, size_t n)
{
	static const char marker[] = "\xab\xcd\xefMaxMind.com";
	size_t len = sizeof(marker) - 1, stop = n > METADATA_MAX ? n - METADATA_MAX : 0;

	for (size_t i = n; i >= stop + len; i--) {
		if (memcmp(p + i - len, marker, len) == 0)
			return i;
	}
	return 0;
}

static int read_metadata(struct geo_image *im, const struct section *s)
{
	uint32_t record_size, ip_version, major;
	struct errbuf *err = s->err;
	struct value map;
	size_t next;
	int rc;

	if ((rc = resolve(s, 0, &map)) != 0)
		return rc;
	if (map.type != T_MAP || (rc = check_value(s, 0, 0, &next)) != 0)
		return rc ? rc : err_set(err, SL_EFORMAT, "metadata: not a map");
	if ((rc = meta_number(s, "node_count", &im->node_count)) != 0 ||
		(rc = meta_number(s, "record_size", &record_size)) != 0 ||
		(rc = meta_number(s, "ip_version", &ip_version)) != 0 ||
		(rc = meta_number(s, "binary_format_major_version", &major)) != 0 ||
		(rc = meta_texts(s, "languages", T_ARRAY)) != 0 ||
		(rc = meta_texts(s, "description", T_MAP)) != 0)
		return rc;
	if (record_size != 24 && record_size != 28 && record_size != 32)
		return err_set(err, SL_EFORMAT, "metadata: record_size %u, want 24, 28 or 32",
			record_size);
	if (ip_version != 4 && ip_version != 6)
		return err_set(err, SL_EFORMAT, "metadata: ip_version %u, want 4 or 6", ip_version);
	if (major != 2)
		return err_set(err, SL_EVERSION, "metadata: format %u, want 2", major);
	im->record_size = (uint16_t)record_size;
	im->ip_version = (uint16_t)ip_version;
	return 0;
}

int geo_image_init(struct geo_image *im, const uint8_t *p, size_t n, struct errbuf *err)
{
	size_t meta = find_metadata(p, n), tree;
	struct section s;
	int rc;

	*im = (struct geo_image){.p = p, .n = n};
	im->budget = (uint64_t)n * BUDGET_PER_OCTET + BUDGET_MIN;
	if (meta == 0)
		return err_set(err, SL_EFORMAT, "no MaxMind DB: it has no metadata");
	s = (struct section){p + meta, n - meta, &im->budget, err};
	if ((rc = read_metadata(im, &s)) != 0)
		return rc;
	tree = (size_t)im->node_count * im->record_size / 4;
	if (im->node_count == 0 || tree + SEPARATOR > meta - 14)
		return err_set(err, SL_EFORMAT, "metadata: %u nodes do not fit %zu octets",
			im->node_count, n);
	im->data = p + tree + SEPARATOR;
	im->data_n = meta - 14 - tree - SEPARATOR;
	return 0;
}

int geo_image_check(struct geo_image *im, uint64_t offset, struct errbuf *err)
{
	struct section s = {im->data, im->data_n, &im->budget, err};
	size_t next;

	if (offset >= im->data_n)
		return err_set(err, SL_EFORMAT, "a record points to data offset %llu of %zu",
			(unsigned long long)offset, im->data_n);
	return check_value(&s, (size_t)offset, 0, &next);
}
