/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The operator's corrections: lines of prefix,country,province,isp,source over all databases.
 *
 * `#` begins a comment line; a line `prefix,country,...` is a heading. The source is the rest of
 * the line and is for people. An empty field leaves what the databases know, `-` says that there is
 * none. The longest prefix around an address speaks alone.
 */
#pragma once

#include "base/attr.h"
#include "base/err.h"
#include "base/str.h"
#include "geo/cover.h"
#include "geo/isp.h"

enum { GEO_MAX_OVERRIDES = 1 << 20 };

/*
 * Fills v4 (32 bits) and v6 (128), both initialised and empty, with packed keys (key.h). name is
 * what errors call the text: "NAME:LINE: what, got X". SL_EFORMAT, SL_EEXIST (a prefix said twice),
 * SL_ELIMIT, SL_ENOMEM.
 */
int geo_overrides_parse(const char *name, struct str text, const struct geo_isp *isps,
	size_t n_isps, struct geo_cover *v4, struct geo_cover *v6, struct errbuf *err)
	SL_NONNULL(1, 5, 6) SL_WUNUSED;
