/* SPDX-License-Identifier: Apache-2.0 */
#include "base/near.h"

#include <stdio.h>
#include <string.h>

void near_init(struct near *n, struct str typed)
{
	*n = (struct near){.typed = typed, .distance = UINT32_MAX};
}

/* Optimal string alignment: a row for each letter of a, of which the last two are needed. */
static uint32_t distance(struct str a, struct str b)
{
	uint32_t rows[3][SL_MAX_NAME + 1];

	for (uint32_t k = 0; k <= b.n; k++)
		rows[0][k] = k;
	for (uint32_t i = 1; i <= a.n; i++) {
		uint32_t *row = rows[i % 3];
		const uint32_t *above = rows[(i + 2) % 3], *over = rows[(i + 1) % 3];

		row[0] = i;
		for (uint32_t k = 1; k <= b.n; k++) {
			bool same = a.p[i - 1] == b.p[k - 1];

			row[k] = SL_MIN(SL_MIN(above[k], row[k - 1]) + 1, above[k - 1] + !same);
			if (i > 1 && k > 1 && a.p[i - 1] == b.p[k - 2] && a.p[i - 2] == b.p[k - 1])
				row[k] = SL_MIN(row[k], over[k - 2] + 1);
		}
	}
	return rows[a.n % 3][b.n];
}

void near_offer(struct near *n, struct str name)
{
	uint32_t d;

	if (n->typed.n > SL_MAX_NAME || name.n > SL_MAX_NAME)
		return;
	d = distance(n->typed, name);
	if (d >= n->distance)
		return;
	n->distance = d;
	(void)snprintf(n->best, sizeof(n->best), STR_FMT, STR_ARG(name));
}

const char *near_text(struct near *n)
{
	/* of a word of up to five letters one may be wrong */
	if (n->distance <= SL_MAX(n->typed.n / 3, (size_t)1) && n->distance < n->typed.n)
		(void)snprintf(n->text, sizeof(n->text), "; did you mean %s?", n->best);
	return n->text;
}
