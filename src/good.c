/* SPDX-License-Identifier: Apache-2.0 */
#include "good.h"

#include "base/os.h"

static const char divider[] = "\n---\n";

static void good_path(char *ret, const char *state)
{
	(void)snprintf(ret, SL_MAX_PATH, "%.900s/config.good", state);
}

int good_write(const struct conf *conf, struct errbuf *err)
{
	char path[SL_MAX_PATH], *text = NULL;
	size_t n = 0;
	FILE *out = open_memstream(&text, &n);
	int rc;

	if (!out)
		return err_set_errno(err, "config.good");
	conf_dump(conf, out);
	if (fclose(out) != 0) {
		free(text);
		return err_set(err, SL_ENOMEM, "config.good: out of memory");
	}
	good_path(path, conf->sluice.state);
	rc = os_write_file(path, text, n, 0600, err);
	free(text);
	return rc;
}

int good_load(const char *state, struct conf **ret_conf, struct errbuf *err)
{
	char path[SL_MAX_PATH], *text, *second;
	size_t n, first;
	int rc;

	good_path(path, state);
	rc = os_read_file(path, SL_MAX_CONF_OCTETS, &text, &n, err);
	if (rc)
		return rc;
	second = strstr(text, divider);
	if (!second) {
		rc = err_set(err, SL_EFORMAT, "%s: no second document", path);
	} else {
		first = (size_t)(second - text) + 1;
		second += sizeof(divider) - 1;
		rc = conf_load_mem(text, first, second, n - (size_t)(second - text), ret_conf, err);
	}
	free(text);
	return rc;
}
