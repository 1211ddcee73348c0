/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "base/hash.h"
#include "world/facts.h"

static void put_facts(struct blob_writer *w)
{
	struct blob_span a = blob_add_octets(w, FACTS_text, "alpha", 5);
	struct blob_span b = blob_add_octets(w, FACTS_text, "beta", 4);
	struct blob_span again = blob_add_octets(w, FACTS_text, "alpha", 5);
	struct facts_meta *m = blob_add(w, FACTS_meta, 1, NULL);
	struct facts_window *win = blob_add(w, FACTS_windows, 1, NULL);
	struct facts_cell *c = blob_add(w, FACTS_cells, 3, NULL);
	struct facts_source *s = blob_add(w, FACTS_sources, 2, NULL);

	assert_int_equal(a.first, again.first);
	assert_int_not_equal(a.first, b.first);
	m->number = 7;
	m->sampled_ppm = 1000000;
	win->length_ms = 5000;
	for (int i = 0; i < 3; i++) {
		c[i].vendor = (uint16_t)i;
		c[i].pulls = 100u + (uint32_t)i;
	}
	s[0].name = a;
	s[1].name = b;
}

static void *facts(size_t *ret_size)
{
	struct blob_writer *w = blob_writer_new(&facts_def);
	struct errbuf err = {""};
	void *blob;

	put_facts(w);
	assert_int_equal(
		blob_writer_finish(w, (struct blob_stamp){1, 2, 3}, &blob, ret_size, &err), 0);
	blob_writer_free(w);
	return blob;
}

static void writes_what_it_reads(void **state)
{
	struct facts_view v;
	size_t size;
	void *blob = facts(&size);

	(void)state;
	assert_int_equal(blob_check(&facts_def, blob, size, NULL), 0);
	assert_ptr_equal(blob_def_of(blob, size), &facts_def);
	facts_view_init(&v, blob);
	assert_int_equal(v.head->epoch, 1);
	assert_int_equal(v.head->generation, 2);
	assert_int_equal(v.n_cells, 3);
	assert_int_equal(v.cells[2].pulls, 102);
	assert_memory_equal((const char *)v.text + v.sources[1].name.first, "beta", 4);
	free(blob);
}

/* Every octet of the head and directory, and many of the body, changed: the checksum finds it. */
static void finds_any_changed_octet(void **state)
{
	size_t size;
	uint8_t *blob = facts(&size);

	(void)state;
	for (size_t i = 0; i < size; i++) {
		if (i >= offsetof(struct blob_head, mac) && i < sizeof(struct blob_head))
			continue; /* not part of the sum */
		blob[i] ^= 0x41;
		assert_int_not_equal(blob_check(&facts_def, blob, size, NULL), 0);
		blob[i] ^= 0x41;
	}
	for (size_t n = 0; n < size; n += 8)
		assert_int_not_equal(blob_check(&facts_def, blob, n, NULL), 0);
	assert_int_equal(blob_check(&facts_def, blob, size, NULL), 0);
	free(blob);
}

static void resum(void *blob, size_t size)
{
	((struct blob_head *)blob)->checksum = blob_checksum(blob, size);
}

/* What each structural lie gets, its checksum made right. */
static void refuses_structural_lies(void **state)
{
	size_t size;
	uint8_t *blob = facts(&size);
	struct blob_head *h = (void *)blob;
	struct blob_dir *dir = (void *)(blob + sizeof(*h)), keep;
	struct facts_view v;
	struct errbuf err;

	(void)state;
	facts_view_init(&v, blob);
#define LIE(set, undo, rc)                                                                         \
	do {                                                                                       \
		set;                                                                               \
		resum(blob, size);                                                                 \
		assert_int_equal(blob_check(&facts_def, blob, size, &err), rc);                    \
		undo;                                                                              \
	} while (0)
	LIE(h->layout++, h->layout--, SL_EVERSION);
	LIE(h->n_arrays++, h->n_arrays--, SL_EVERSION);
	LIE(h->size += 8, h->size -= 8, SL_EFORMAT);
	LIE(h->magic[7] = 3, h->magic[7] = 2, SL_EFORMAT);
	for (uint32_t i = 0; i < FACTS_N_ARRAYS; i++) {
		keep = dir[i];
		LIE(dir[i].off += 4, dir[i] = keep, SL_EFORMAT);
		LIE(dir[i].off = UINT64_MAX - 7, dir[i] = keep, SL_EFORMAT);
		LIE(dir[i].elem_size += 8, dir[i] = keep, SL_EFORMAT);
		LIE(dir[i].count = UINT32_MAX, dir[i] = keep, SL_EFORMAT);
	}
	LIE(((struct facts_cell *)(uintptr_t)v.cells)[1].window = 1,
		((struct facts_cell *)(uintptr_t)v.cells)[1].window = 0, SL_EFORMAT);
	LIE(((struct facts_source *)(uintptr_t)v.sources)[1].name.first = UINT32_MAX,
		((struct facts_source *)(uintptr_t)v.sources)[1].name.first = 5, SL_EFORMAT);
#undef LIE
	resum(blob, size);
	assert_int_equal(blob_check(&facts_def, blob, size, &err), 0);
	free(blob);
}

static void a_full_array_fails_the_writer(void **state)
{
	struct blob_writer *w = blob_writer_new(&facts_def);
	struct errbuf err = {""};
	size_t size;
	void *blob;

	(void)state;
	assert_non_null(blob_add(w, FACTS_meta, 1, NULL));
	assert_non_null(blob_add(w, FACTS_windows, 2048, NULL));
	assert_null(blob_add(w, FACTS_windows, 1, NULL));
	assert_null(blob_add(w, FACTS_cells, 1, NULL));
	assert_int_equal(
		blob_writer_finish(w, (struct blob_stamp){0}, &blob, &size, &err), SL_ELIMIT);
	assert_non_null(strstr(err.s, "facts.windows"));
	blob_writer_free(w);
	blob_writer_free(NULL);
}

/* A writer and memory that have been used give the same octets as new ones. */
static void a_writer_is_used_again(void **state)
{
	struct blob_writer *w = blob_writer_new(&facts_def);
	struct blob_stamp stamp = {1, 2, 3};
	size_t want_size, size, room = 0, had;
	void *want = facts(&want_size), *blob = NULL;

	(void)state;
	blob_reserve(w, FACTS_cells, 100);
	put_facts(w);
	(void)blob_add(w, FACTS_cells, 50, NULL);
	(void)blob_add_octets(w, FACTS_text, "gamma and more", 14);
	assert_int_equal(blob_writer_finish_in(w, stamp, &blob, &room, &size, NULL), 0);
	assert_true(room >= size && size > want_size);
	had = room;
	memset(blob, 0xa5, room);
	blob_writer_clear(w);
	put_facts(w);
	assert_int_equal(blob_writer_finish_in(w, stamp, &blob, &room, &size, NULL), 0);
	assert_int_equal(room, had);
	assert_int_equal(size, want_size);
	assert_memory_equal(blob, want, size);
	blob_writer_clear(w);
	assert_non_null(blob_add(w, FACTS_windows, 2048, NULL));
	assert_null(blob_add(w, FACTS_windows, 1, NULL));
	assert_int_equal(blob_writer_finish_in(w, stamp, &blob, &room, &size, NULL), SL_ELIMIT);
	blob_writer_clear(w); /* and a failed one is good again */
	put_facts(w);
	assert_int_equal(blob_writer_finish_in(w, stamp, &blob, &room, &size, NULL), 0);
	assert_memory_equal(blob, want, size);
	blob_writer_free(w);
	free(blob);
	free(want);
}

static void dumps_as_json(void **state)
{
	char *text = NULL;
	size_t n, size;
	void *blob = facts(&size);
	FILE *out = open_memstream(&text, &n);

	(void)state;
	blob_dump(&facts_def, blob, out);
	(void)fclose(out);
	assert_non_null(strstr(text, "{\"blob\":\"facts\",\"layout\":3"));
	assert_non_null(strstr(text, "\"pulls\":102"));
	assert_non_null(strstr(text, "\"name\":\"beta\""));
	free(text);
	free(blob);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(writes_what_it_reads),
		cmocka_unit_test(finds_any_changed_octet),
		cmocka_unit_test(refuses_structural_lies),
		cmocka_unit_test(a_full_array_fails_the_writer),
		cmocka_unit_test(a_writer_is_used_again),
		cmocka_unit_test(dumps_as_json),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
