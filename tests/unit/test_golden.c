/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The octets of every blob, held by golden dumps: each begins with the checksum over all of them,
 * so any change of a layout or of what is laid down shows here. SLUICE_GOLDEN=write makes the files
 * anew; a change of layout wants a new layout version in the blob's definition too.
 */
#include "test.h"

#include "base/os.h"
#include "testworld.h"
#include "world/facts.h"

static char *dump_of(const void *blob)
{
	char *text = NULL;
	size_t n;
	FILE *out = open_memstream(&text, &n);

	blob_dump(blob_def_of(blob, sizeof(struct blob_head)), blob, out);
	assert_int_equal(fclose(out), 0);
	return text;
}

static void compare(const char *name, const void *blob)
{
	const char *top = getenv("top_srcdir"), *mode = getenv("SLUICE_GOLDEN");
	char path[512], *got = dump_of(blob), *want;
	struct errbuf err = {""};
	size_t n;

	(void)snprintf(path, sizeof(path), "%s/tests/unit/golden/%s.json", top ? top : ".", name);
	if (mode && strcmp(mode, "write") == 0) {
		assert_int_equal(os_write_file(path, got, strlen(got), 0644, NULL), 0);
	} else {
		if (os_read_file(path, 64 << 20, &want, &n, &err))
			fail_msg("%s", err.s);
		assert_string_equal(got, want);
		free(want);
	}
	free(got);
}

static void catalogue_geo_and_tick(void **state)
{
	struct testworld_spec spec = {.time_ms = UINT64_C(1800000000000)};
	struct testworld tw;

	(void)state;
	if (testworld_init(&tw, &spec))
		fail_msg("%s", tw.err.s);
	compare("catalogue", tw.catalogue);
	compare("geo", tw.geo);
	compare("tick", tw.tick);
	testworld_done(&tw);
}

static void facts(void **state)
{
	struct blob_writer *w = blob_writer_new(&facts_def);
	struct blob_span name = blob_add_octets(w, FACTS_text, "qos", 3);
	struct facts_meta *m = blob_add(w, FACTS_meta, 1, NULL);
	struct facts_window *win = blob_add(w, FACTS_windows, 1, NULL);
	struct facts_cell *c = blob_add(w, FACTS_cells, 1, NULL);
	struct facts_source *s = blob_add(w, FACTS_sources, 1, NULL);
	struct facts_push *p = blob_add(w, FACTS_pushes, 1, NULL);
	void *blob;
	size_t size;

	(void)state;
	p->name = blob_add_octets(w, FACTS_text, "north", 5);
	p->voices = 2;
	p->frame_rate_mfps = 25000;
	m->number = 3;
	win->length_ms = 5000;
	c->pulls = 10;
	c->pulls_ok = 9;
	s->name = name;
	s->accepted = 10;
	assert_int_equal(
		blob_writer_finish(w, (struct blob_stamp){1, 3, 5}, &blob, &size, NULL), 0);
	compare("facts", blob);
	free(blob);
	blob_writer_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(catalogue_geo_and_tick),
		cmocka_unit_test(facts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
