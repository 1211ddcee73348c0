/* SPDX-License-Identifier: Apache-2.0 */
/* A whole engine in a folder of its own, with a clock of its own and facts that a test writes. One
 * per test program. */
#pragma once

#include <stdlib.h>
#include <unistd.h>

#include "base/os.h"
#include "engine/engine.h"
#include "test.h"
#include "tmpdir.h"
#include "world/facts.h"

/* A sluice.yaml, and the vendors of a catalogue. */
#define ENGINEWORLD_SLUICE "tick_ms: 1000\ngeo: {overrides: nets.csv}\n"
#define ENGINEWORLD_VENDORS                                                                        \
	"vendors:\n"                                                                               \
	"  - {name: alpha, guaranteed_mbps: 1000, max_mbps: 2000}\n"                               \
	"  - {name: beta, guaranteed_mbps: 1000, max_mbps: 2000}\n"

static struct engine *engine;
static char dir[64];
static uint64_t now_ms = UINT64_C(1795000000000);

/* The configuration, read and taken. */
static inline int engineworld_load(const char *sluice, const char *catalog, struct errbuf *err)
{
	struct conf *conf = NULL;
	int rc = conf_load_mem(sluice, strlen(sluice), catalog, strlen(catalog), &conf, err);

	return rc ? rc : engine_load(engine, conf, now_ms, err);
}

/* Makes the folder, which becomes the current one, with nets.csv and a zone, and a new engine in
 * it. For a set-up function; ends with engineworld_done. */
static inline int engineworld_init(const char *nets, struct errbuf *err)
{
	static const char zone[] =
		"$TTL 60\n@ SOA ns1 host 1 7200 900 1209600 30\n NS ns1\nns1 A 192.0.2.53\n";
	int rc;

	(void)snprintf(dir, sizeof(dir), "/tmp/engine-XXXXXX");
	if (!mkdtemp(dir) || chdir(dir))
		return err_set_errno(err, "%s", dir);
	rc = os_write_file("nets.csv", nets, strlen(nets), 0644, err);
	if (!rc)
		rc = os_write_file("zone", zone, sizeof(zone) - 1, 0644, err);
	return rc ? rc : engine_new(dir, now_ms, &engine, err);
}

static inline int engineworld_done(void)
{
	engine_free(engine);
	return tmpdir_remove(dir);
}

/* A second on, and a tick. */
static inline const struct engine_view *engineworld_tick(void)
{
	struct errbuf err = {""};

	now_ms += 1000;
	if (engine_tick(engine, now_ms, &err))
		fail_msg("%s", err.s);
	return engine_view(engine);
}

static inline uint16_t engineworld_group(const char *name)
{
	uint32_t g = cat_find_group(&engine_view(engine)->world->cat, str_from(name));

	assert_true(g != BLOB_NONE);
	return (uint16_t)g;
}

/* The next facts, with their head and the windows of a minute and of 5 s; written by
 * engineworld_put_facts. */
static inline struct blob_writer *engineworld_facts(void)
{
	static uint64_t number;
	struct blob_writer *w = blob_writer_new(&facts_def);
	struct facts_meta *m = blob_add(w, FACTS_meta, 1, NULL);
	struct facts_window *windows = blob_add(w, FACTS_windows, 2, NULL);

	m->number = ++number;
	m->sampled_ppm = 1000000;
	windows[0].length_ms = 60000;
	windows[1].length_ms = 5000;
	return w;
}

static inline void engineworld_put_facts(struct blob_writer *w)
{
	static uint64_t generation;
	struct blob_stamp stamp = {1, ++generation, now_ms};
	struct errbuf err = {""};
	char path[128];
	void *blob;
	size_t size;

	assert_int_equal(blob_writer_finish(w, stamp, &blob, &size, &err), 0);
	(void)snprintf(path, sizeof(path), "%s/facts.blob", dir);
	assert_int_equal(os_write_file(path, blob, size, 0644, &err), 0);
	free(blob);
	blob_writer_free(w);
}
