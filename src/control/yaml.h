/* SPDX-License-Identifier: Apache-2.0 */
/* YAML that operators write, as the JSON it stands for. Pure but for memory. */
#pragma once

#include <cjson/cJSON.h>
#include <stddef.h>

#include "base/attr.h"
#include "base/err.h"

enum { YAML_MAX_DEPTH = 16, YAML_MAX_VALUES = 100000 };

/*
 * One document, of which JSON is a part: mappings with texts as keys, sequences, scalars. A plain
 * scalar is a number, true, false or null where it looks like one, else text; a quoted one is text.
 * No anchors, aliases or tags. NULL with the line in err. Caller deletes.
 */
cJSON *control_yaml_parse(const char *text, size_t n, struct errbuf *err) SL_NONNULL(1);
