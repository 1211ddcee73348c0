/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads one .mmdb into covers of packed keys (key.h). The layouts of GeoLite2/GeoIP2 City, Country,
 * ISP and ASN, top-level or below `traits`. For the control plane: allocates, reads files.
 */
#pragma once

#include "base/attr.h"
#include "base/err.h"
#include "geo/cover.h"
#include "geo/isp.h"

/*
 * Fills v4 (32 bits) and v6 (128), both initialised and empty. The file is copied and sealed first,
 * so what is checked is what is read, whatever happens to the file meanwhile. Stretches of v6 that
 * stand for v4 are left out. Errors say the file and what is wrong; a corrupt file is SL_EFORMAT,
 * one in which nothing is known SL_ENOENT.
 */
int geo_mmdb_read(const char *path, const struct geo_isp *isps, size_t n_isps, struct geo_cover *v4,
	struct geo_cover *v6, struct errbuf *err) SL_NONNULL(1, 4, 5) SL_WUNUSED;
