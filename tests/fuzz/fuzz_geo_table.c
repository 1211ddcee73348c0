/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A good table with words put over it: the octets are pairs of a place (16 bits: header and roots,
 * or with the top bit set, nodes and leaves) and a word. What the check lets pass is looked up in.
 */
#include "fuzz.h"

#include <string.h>

#include "geo/build.h"
#include "geo/file.h"

static struct geo_table *sample(size_t *ret_size)
{
	static struct geo_names names;
	struct geo_input in = {.overrides = STR_LIT("10.0.0.0/8,CN,GD,telecom\n10.1.2.3,US\n"
						    "10.1.64.0/18,CN,BJ,unicom\n2400::/12,CN\n"
						    "2400:1:2:3::/64,JP\n240e::/20,CN,,telecom\n"),
		.intern = geo_names_intern,
		.ctx = &names};
	struct geo_table *t;

	in.isps = geo_isp_default(&in.n_isps);
	fuzz_check(geo_build(&in, &t, ret_size, NULL) == 0);
	return t;
}

static void look_up(const struct geo_table *t, const uint8_t *data, size_t size)
{
	for (size_t i = 0; i < 64; i++) {
		struct ip a = {.family = i & 1 ? IP_V4 : IP_V6};
		struct geo_hit hit;

		a.b[0] = i & 1 ? 10 : 0x24;
		a.b[1] = (uint8_t)(i >> 1);
		for (size_t k = 2; k < (i & 1 ? 4 : 16) && size; k++)
			a.b[k] = data[(i + k) % size];
		geo_lookup(t, a, &hit);
		fuzz_check(hit.group < t->n_groups && hit.len <= ip_bits(a));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct geo_table *good;
	static size_t n;
	struct geo_table *t;

	if (!good)
		good = sample(&n);
	fuzz_check((t = malloc(n)) != NULL);
	memcpy(t, good, n);
	for (size_t i = 0; i + 6 <= size; i += 6) {
		size_t at = (size_t)data[i] | (size_t)data[i + 1] << 8;
		size_t from = at & 0x8000 ? good->nodes / 4 : 0;

		at = from + (at & 0x7fff) % (n / 4 - from);
		memcpy((uint32_t *)t + at, data + i + 2, 4);
	}
	if (geo_table_check(t, n, NULL) == 0)
		look_up(t, data, size);
	free(t);
	return 0;
}
