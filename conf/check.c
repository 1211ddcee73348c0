/* SPDX-License-Identifier: Apache-2.0 */
#include "conf/check.h"

#include "base/arena.h"
#include "base/hash.h"

#include <string.h>

int conf_check(const struct conf *c, struct errbuf *err)
{
	static int (*const parts[])(const struct conf *, struct errbuf *) = {
		conf_check_sluice,
		conf_check_isps,
		conf_check_vendors,
		conf_check_nodes,
		conf_check_probes,
		conf_check_zones,
		conf_check_services,
		conf_check_plays,
		conf_check_streams,
	};
	int rc = 0;

	for (size_t i = 0; i < SL_COUNT(parts) && rc == 0; i++)
		rc = parts[i](c, err);
	return rc;
}

int conf_names_init(struct conf_names *names, const struct conf *c, size_t n, struct errbuf *err)
{
	uint32_t size = 16;

	while (size < n * 2)
		size *= 2;
	names->mask = size - 1;
	names->slots = arena_alloc(c->arena, size * sizeof(*names->slots));
	return names->slots ? 0 : err_set(err, SL_ENOMEM, "out of memory for the configuration");
}

/* The slot of a text, or the free one where it would go: there always is one. */
static struct conf_name *slot(const struct conf_names *names, const char *text)
{
	uint32_t i = (uint32_t)hash64(text, strlen(text), 0) & names->mask;

	while (names->slots[i].text && strcmp(names->slots[i].text, text) != 0)
		i = (i + 1) & names->mask;
	return &names->slots[i];
}

int64_t conf_names_find(const struct conf_names *names, const char *text)
{
	const struct conf_name *at = slot(names, text);

	return at->text ? (int64_t)at->index : -1;
}

int64_t conf_names_add(struct conf_names *names, const char *text, uint32_t index)
{
	struct conf_name *at = slot(names, text);

	if (at->text)
		return at->index;
	*at = (struct conf_name){text, index};
	return -1;
}
