/* SPDX-License-Identifier: Apache-2.0 */
#include "world/geoblob.h"

GEOBLOB(BLOB_TABLE)
static const struct blob_array arrays[] = {GEOBLOB(BLOB_ARRAY_ROW)};

const struct geo_table *geoblob_table(const void *blob)
{
	uint32_t n;

	return blob_array(blob, GEOBLOB_table, &n);
}

const struct geoblob_meta *geoblob_meta(const void *blob)
{
	uint32_t n;

	return blob_array(blob, GEOBLOB_meta, &n);
}

static int check(const void *blob, struct errbuf *err)
{
	uint32_t n;
	const struct geo_table *t = blob_array(blob, GEOBLOB_table, &n);
	int rc = geo_table_check(t, n, err);

	if (rc)
		return rc;
	if (t->n_groups != geoblob_meta(blob)->n_groups)
		return err_set(err, SL_EFORMAT, "geo: table of %u groups, head says %u",
			t->n_groups, geoblob_meta(blob)->n_groups);
	return 0;
}

const struct blob_def geoblob_def = {
	.name = "geo",
	.magic = {'S', 'L', 'U', 'G', 'E', 'O', 1, 2},
	.layout = 1,
	.arrays = arrays,
	.n_arrays = GEOBLOB_N_ARRAYS,
	.check = check,
};

int geoblob_build(const struct geo_table *table, uint64_t source, struct blob_stamp stamp,
	void **ret_blob, size_t *ret_size, struct errbuf *err)
{
	struct blob_writer *w = blob_writer_new(&geoblob_def);
	struct geoblob_meta *meta;
	void *octets;
	int rc;

	if (!w)
		return err_set(err, SL_ENOMEM, "geo: out of memory");
	meta = blob_add(w, GEOBLOB_meta, 1, NULL);
	octets = blob_add(w, GEOBLOB_table, (uint32_t)table->size, NULL);
	if (meta && octets) {
		meta->source = source;
		meta->n_groups = table->n_groups;
		memcpy(octets, table, table->size);
	}
	rc = blob_writer_finish(w, stamp, ret_blob, ret_size, err);
	blob_writer_free(w);
	return rc;
}
