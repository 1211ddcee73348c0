/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The search tree of a .mmdb, walked node by node, each data record understood once. The file is
 * never trusted: image.c has seen a record whole before libmaxminddb reads fields from it, and the
 * walk is bounded by the address's bits and by a budget of nodes, as branches may share nodes.
 */
#include "geo/mmdb.h"

#include "base/hash.h"
#include "base/limits.h"
#include "geo/image.h"
#include "geo/key.h"
#include "geo/province.h"

#include <fcntl.h>
#include <maxminddb.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SEPARATOR = 16, V4_DEPTH = 96 };

/* What a data record says, by its offset. Open addressing, a power of two, key 0 = free. */
struct memo {
	struct memo_slot {
		uint32_t offset_1; /* offset + 1 */
		uint64_t key;
	} * slots;
	size_t n, cap;
};

struct reader {
	const struct geo_isp *isps;
	size_t n_isps;
	struct geo_image im;
	MMDB_s db;
	struct memo memo;
	uint64_t visits_left;
	size_t known; /* records that say something */
	struct geo_cover *out;
	bool v6_pass;
	struct errbuf *err;
};

typedef const char *const path_t[4];

static const path_t country_paths[] = {
	{"country", "iso_code"}, {"registered_country", "iso_code"}, {"country_code"}};
static const path_t province_paths[] = {{"subdivisions", "0", "iso_code"}};
static const path_t isp_paths[] = {{"isp"}, {"traits", "isp"}};
static const path_t asn_paths[] = {
	{"autonomous_system_number"}, {"traits", "autonomous_system_number"}};
static const path_t org_paths[] = {
	{"autonomous_system_organization"}, {"traits", "autonomous_system_organization"}};

/* The first of these paths that leads to a value of this type. */
static bool get(MMDB_entry_s *e, const path_t *paths, size_t n, uint32_t type, MMDB_entry_data_s *d)
{
	for (size_t i = 0; i < n; i++) {
		if (MMDB_aget_value(e, d, paths[i]) == MMDB_SUCCESS && d->has_data &&
			d->type == type)
			return true;
	}
	return false;
}

#define GET(e, paths, type, d) get((e), (paths), SL_COUNT(paths), (type), (d))

static struct str text_of(const MMDB_entry_data_s *d)
{
	return (struct str){d->utf8_string, d->data_size};
}

/* The name comes before the AS number: numbers change hands more often than databases notice. */
static uint8_t isp_of(const struct reader *r, MMDB_entry_s *e)
{
	size_t n = r->n_isps, i = n;
	MMDB_entry_data_s d;

	if (GET(e, isp_paths, MMDB_DATA_TYPE_UTF8_STRING, &d))
		i = geo_isp_by_name(r->isps, n, text_of(&d));
	if (i == n && GET(e, asn_paths, MMDB_DATA_TYPE_UINT32, &d))
		i = geo_isp_by_asn(r->isps, n, d.uint32);
	if (i == n && GET(e, org_paths, MMDB_DATA_TYPE_UTF8_STRING, &d))
		i = geo_isp_by_name(r->isps, n, text_of(&d));
	return i == n ? 0 : (uint8_t)(i + 1);
}

/* Older databases number the provinces of China; groups are named by letters. */
static uint32_t province_of(uint16_t country, struct str code)
{
	const struct geo_province *p =
		country == geo_code_country(STR_LIT("CN")) ? geo_province_find(code) : NULL;

	return geo_code_province(p ? str_from(p->code) : code);
}

static uint64_t key_of(const struct reader *r, uint32_t offset)
{
	MMDB_entry_s e = {&r->db, offset};
	struct geo_key k = {0};
	MMDB_entry_data_s d;

	if (GET(&e, country_paths, MMDB_DATA_TYPE_UTF8_STRING, &d))
		k.country = geo_code_country(text_of(&d));
	if (k.country && GET(&e, province_paths, MMDB_DATA_TYPE_UTF8_STRING, &d))
		k.province = province_of(k.country, text_of(&d));
	k.isp = isp_of(r, &e);
	return geo_key_pack(k);
}

static struct memo_slot *memo_find(const struct memo *m, uint32_t offset)
{
	size_t i = (size_t)hash_mix(offset, 1) & (m->cap - 1);

	while (m->slots[i].offset_1 && m->slots[i].offset_1 != offset + 1)
		i = (i + 1) & (m->cap - 1);
	return &m->slots[i];
}

static int memo_grow(struct memo *m)
{
	struct memo bigger = {.n = m->n, .cap = m->cap ? 2 * m->cap : 1024};

	bigger.slots = calloc(bigger.cap, sizeof(*bigger.slots));
	if (!bigger.slots)
		return SL_ENOMEM;
	for (size_t i = 0; i < m->cap; i++) {
		if (m->slots[i].offset_1)
			*memo_find(&bigger, m->slots[i].offset_1 - 1) = m->slots[i];
	}
	free(m->slots);
	*m = bigger;
	return 0;
}

static int record_key(struct reader *r, uint64_t record, uint64_t *ret_key)
{
	uint64_t offset = record - r->im.node_count - SEPARATOR;
	struct memo_slot *slot;
	int rc;

	if (record < (uint64_t)r->im.node_count + SEPARATOR)
		return err_set(r->err, SL_EFORMAT, "a record points between tree and data");
	if (2 * r->memo.n >= r->memo.cap && (rc = memo_grow(&r->memo)) != 0)
		return rc;
	if (offset < r->im.data_n && (slot = memo_find(&r->memo, (uint32_t)offset))->offset_1) {
		*ret_key = slot->key;
		return 0;
	}
	if ((rc = geo_image_check(&r->im, offset, r->err)) != 0)
		return rc;
	slot = memo_find(&r->memo, (uint32_t)offset);
	*slot = (struct memo_slot){(uint32_t)offset + 1, key_of(r, (uint32_t)offset)};
	r->memo.n++;
	r->known += slot->key != 0;
	*ret_key = slot->key;
	return 0;
}

/* Stretches of v6 that stand for v4: the tree has them as aliases, lookups never go there. */
static bool is_v4_alias(geo_addr a, unsigned depth)
{
	return (depth == 16 && a >> 112 == 0x2002) || (depth == 32 && a >> 96 == 0x20010000) ||
	       (depth == 96 && (a >> 32 == 0xffff || a == 0));
}

static int walk(struct reader *r, uint32_t node, geo_addr a, unsigned depth);

static int walk_record(struct reader *r, uint64_t record, geo_addr a, unsigned depth)
{
	uint64_t key = 0;
	int rc;

	if (record == r->im.node_count || (r->v6_pass && is_v4_alias(a, depth)))
		return 0;
	if (record < r->im.node_count)
		return walk(r, (uint32_t)record, a, depth);
	if ((rc = record_key(r, record, &key)) != 0)
		return rc;
	rc = geo_cover_put(r->out, a, geo_addr_last(a, (uint8_t)depth, r->out->bits), key);
	return rc == SL_ELIMIT ? err_set(r->err, rc, "more than %d ranges", GEO_MAX_RANGES) : rc;
}

static int walk(struct reader *r, uint32_t node, geo_addr a, unsigned depth)
{
	MMDB_search_node_s n;
	geo_addr bit;
	int rc;

	if (depth >= r->out->bits)
		return err_set(r->err, SL_EFORMAT, "the search tree is deeper than an address");
	if (r->visits_left-- == 0)
		return err_set(r->err, SL_EFORMAT, "the search tree has loops or shared branches");
	if (MMDB_read_node(&r->db, node, &n) != MMDB_SUCCESS)
		return err_set(
			r->err, SL_EFORMAT, "node %u of the search tree is unreadable", node);
	bit = (geo_addr)1 << (r->out->bits - depth - 1);
	rc = walk_record(r, n.left_record, a, depth + 1);
	return rc ? rc : walk_record(r, n.right_record, a | bit, depth + 1);
}

/* The record that stands for all of v4: in a v6 tree that of ::/96, or of the wider block. */
static int v4_root(struct reader *r, uint64_t *ret_record)
{
	MMDB_search_node_s n;
	uint64_t record = 0;

	for (int depth = 0; r->im.ip_version == 6 && depth < V4_DEPTH; depth++) {
		if (record >= r->im.node_count)
			break;
		if (MMDB_read_node(&r->db, (uint32_t)record, &n) != MMDB_SUCCESS)
			return err_set(r->err, SL_EFORMAT, "the search tree is unreadable");
		record = n.left_record;
	}
	*ret_record = record;
	return 0;
}

static int walk_all(struct reader *r, struct geo_cover *v4, struct geo_cover *v6)
{
	uint64_t root = 0;
	int rc = v4_root(r, &root);

	/* a tree is seen once; twice leaves room for aliases that are not in is_v4_alias */
	r->visits_left = 2 * (uint64_t)r->im.node_count + 1024;
	r->out = v4;
	if (rc == 0)
		rc = walk_record(r, root, 0, 0);
	r->out = v6;
	r->v6_pass = true;
	if (rc == 0 && r->im.ip_version == 6)
		rc = walk_record(r, 0, 0, 0);
	if (rc == 0 && r->known == 0)
		return err_set(
			r->err, SL_ENOENT, "no record has a country, or a carrier of the table");
	return rc;
}

static int copy_all(int from, int to, struct errbuf *err)
{
	static const size_t piece = 256 * 1024;
	char *buf = malloc(piece);
	size_t total = 0;
	ssize_t n = 0;
	int rc = buf ? 0 : SL_ENOMEM;

	while (rc == 0 && (n = read(from, buf, piece)) > 0) {
		total += (size_t)n;
		if (total > SL_MAX_BLOB_OCTETS)
			rc = err_set(err, SL_ELIMIT, "over %d octets", SL_MAX_BLOB_OCTETS);
		else if (write(to, buf, (size_t)n) != n)
			rc = err_set_errno(err, "cannot copy");
	}
	if (rc == 0 && n < 0)
		rc = err_set_errno(err, "cannot read");
	free(buf);
	return rc;
}

/* A copy of the file in memory that nobody can change any more. Returns a descriptor. */
static int sealed_copy(const char *path, struct errbuf *err)
{
	int from = open(path, O_RDONLY | O_CLOEXEC), to, rc;

	if (from < 0)
		return err_set_errno(err, "cannot open");
	to = memfd_create("sluice-mmdb", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (to < 0)
		rc = err_set_errno(err, "cannot make a copy");
	else if ((rc = copy_all(from, to, err)) == 0 &&
		 fcntl(to, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW) != 0)
		rc = err_set_errno(err, "cannot seal the copy");
	(void)close(from);
	if (rc && to >= 0)
		(void)close(to);
	return rc ? rc : to;
}

/* Opens with the library what image.c has found to be sound, under the name that fd has in /proc.
 */
static int open_db(struct reader *r, int fd)
{
	char name[32];
	int rc;

	(void)snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
	rc = MMDB_open(name, MMDB_MODE_MMAP, &r->db);
	if (rc != MMDB_SUCCESS)
		return err_set(r->err, SL_EFORMAT, "%s", MMDB_strerror(rc));
	if (r->db.metadata.node_count != r->im.node_count ||
		r->db.metadata.record_size != r->im.record_size ||
		r->db.metadata.ip_version != r->im.ip_version) {
		MMDB_close(&r->db);
		return err_set(r->err, SL_EFORMAT, "metadata can be read in two ways");
	}
	return 0;
}

static int read_fd(struct reader *r, int fd, struct geo_cover *v4, struct geo_cover *v6)
{
	struct stat st;
	void *p;
	int rc;

	if (fstat(fd, &st) != 0 || st.st_size == 0)
		return err_set(r->err, SL_EFORMAT, "no MaxMind DB: it is empty");
	p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (p == MAP_FAILED)
		return err_set_errno(r->err, "cannot map");
	rc = geo_image_init(&r->im, p, (size_t)st.st_size, r->err);
	if (rc == 0 && (rc = open_db(r, fd)) == 0) {
		rc = walk_all(r, v4, v6);
		MMDB_close(&r->db);
	}
	(void)munmap(p, (size_t)st.st_size);
	free(r->memo.slots);
	return rc;
}

int geo_mmdb_read(const char *path, const struct geo_isp *isps, size_t n_isps, struct geo_cover *v4,
	struct geo_cover *v6, struct errbuf *err)
{
	struct errbuf why = {""};
	struct reader r = {.isps = isps, .n_isps = n_isps, .err = &why};
	int fd = sealed_copy(path, &why), rc;

	if (fd < 0)
		return err_set(err, fd, "%s: %s", path, why.s);
	rc = read_fd(&r, fd, v4, v6);
	(void)close(fd);
	return rc ? err_set(err, rc, "%s: %s", path, *why.s ? why.s : sl_strerror(rc)) : 0;
}
