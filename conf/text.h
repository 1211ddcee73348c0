/* SPDX-License-Identifier: Apache-2.0 */
/* What single values must look like, and what they decode to. Pure functions of the text. */
#pragma once

#include "base/str.h"
#include "conf/rows.h"

/* Whether the text is of its kind; its length is not looked at, except a host name's. */
bool conf_text_ok(enum conf_text kind, struct str s);

/* What is wanted, in the words of a refusal. */
const char *conf_text_want(enum conf_text kind);

/* Plain decimal, "12", "-3", "0.02", "1e3"; no infinities, no other bases. Cannot overflow. */
bool conf_number_parse(struct str s, bool whole, double *ret_value) SL_NONNULL(3);

/* Index of the word, or -1. */
int conf_word_find(const struct conf_words *w, struct str s) SL_NONNULL(1);

/* Minutes of the day of a valid HH:MM. */
uint32_t conf_clock_parse(const char *s) SL_NONNULL_ALL;

/*
 * Checks a scalar that stands for the row's value (or an entry of its list). true when it is fine;
 * else *ret_what says what is wrong and want is filled with what would be right.
 */
bool conf_scalar_check(const struct conf_row *row, struct str s, const char **ret_what, char *want,
	size_t want_size) SL_NONNULL(1, 3, 4);
