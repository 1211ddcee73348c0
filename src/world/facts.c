/* SPDX-License-Identifier: Apache-2.0 */
#include "world/facts.h"

FACTS(BLOB_TABLE)
static const struct blob_array arrays[] = {FACTS(BLOB_ARRAY_ROW)};

void facts_view_init(struct facts_view *view, const void *blob)
{
	uint32_t index = 0;

	view->head = blob;
	FACTS(BLOB_VIEW_SET)
}

const struct blob_def facts_def = {
	.name = "facts",
	.magic = {'S', 'L', 'U', 'F', 'A', 'C', 1, 2},
	.layout = 3,
	.arrays = arrays,
	.n_arrays = FACTS_N_ARRAYS,
};
