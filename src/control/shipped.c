/* SPDX-License-Identifier: Apache-2.0 */
/* The plans of plans.yaml, which the program carries within it. */
#include "control/plan.h"
#include "control/yaml.h"

#include <stdlib.h>
#include <string.h>

cJSON *control_plans_shipped(struct errbuf *err)
{
	size_t n = 1;
	char *text, *at;
	cJSON *all;

	for (const char *const *line = control_plans_yaml; *line; line++)
		n += strlen(*line);
	text = at = malloc(n);
	if (!text) {
		(void)err_set(err, SL_ENOMEM, "out of memory");
		return NULL;
	}
	for (const char *const *line = control_plans_yaml; *line; line++) {
		size_t len = strlen(*line);

		memcpy(at, *line, len);
		at += len;
	}
	all = control_yaml_parse(text, n - 1, err);
	free(text);
	return all;
}
