/* SPDX-License-Identifier: Apache-2.0 */
#include "base/glob.h"

#include <stddef.h>

static char fold_char(char c, bool fold)
{
	return fold && c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

/* Greedy with one point of return: the last star. Linear memory, at most n * m steps. */
bool glob_match(struct str pattern, struct str text, bool fold)
{
	size_t p = 0, t = 0, star = pattern.n, resume = 0;

	while (t < text.n) {
		if (p < pattern.n && pattern.p[p] == '*') {
			star = p++;
			resume = t;
		} else if (p < pattern.n &&
			   fold_char(pattern.p[p], fold) == fold_char(text.p[t], fold)) {
			p++;
			t++;
		} else if (star < pattern.n) {
			p = star + 1;
			t = ++resume;
		} else {
			return false;
		}
	}
	while (p < pattern.n && pattern.p[p] == '*')
		p++;
	return p == pattern.n;
}

bool glob_group_match(struct str pattern, struct str name)
{
	for (;;) {
		if (name.n == 0)
			return false;
		if (!glob_match(str_cut(&pattern, '/'), str_cut(&name, '/'), false))
			return false;
		if (pattern.n == 0)
			return true;
	}
}

/*
 * Two patterns over one component. Before the first star of either, and after the last, both are
 * literal against the other; what lies between two stars can always be joined (a's middle, then
 * b's), so only the ends decide. A pattern without a star is plain text.
 */
static bool component_overlap(struct str a, struct str b)
{
	const char *a_star = memchr(a.p, '*', a.n), *b_star = memchr(b.p, '*', b.n);

	if (!a_star)
		return glob_match(b, a, false);
	if (!b_star)
		return glob_match(a, b, false);
	while (a.n && b.n && *a.p != '*' && *b.p != '*') {
		if (*a.p++ != *b.p++)
			return false;
		a.n--;
		b.n--;
	}
	while (a.n && b.n && a.p[a.n - 1] != '*' && b.p[b.n - 1] != '*') {
		if (a.p[--a.n] != b.p[--b.n])
			return false;
	}
	return true;
}

bool glob_group_overlap(struct str a, struct str b)
{
	size_t i = 0;

	/* most pairs differ in plain characters before any star: no need to look at components */
	while (i < a.n && i < b.n && a.p[i] == b.p[i] && a.p[i] != '*')
		i++;
	if (i < a.n && i < b.n && a.p[i] != '*' && b.p[i] != '*')
		return false;
	while (a.n && b.n) {
		if (!component_overlap(str_cut(&a, '/'), str_cut(&b, '/')))
			return false;
	}
	return true;
}
