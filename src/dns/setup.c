/* SPDX-License-Identifier: Apache-2.0 */
#include "dns/setup.h"

#include "dns/server.h"

#include <stdlib.h>

static int set_limit(
	struct dnsd_settings *set, const struct conf_rate_limit *limit, struct errbuf *err)
{
	struct dnsd_prefix *exempt;

	if (limit->per_second == 0)
		return 0;
	set->rrl = calloc(1, sizeof(*set->rrl));
	exempt = calloc(limit->exempt_count + 1, sizeof(*exempt));
	set->exempt = exempt;
	if (!set->rrl || !exempt)
		return err_set(err, SL_ENOMEM, "DNS: out of memory");
	dns_rrl_init(set->rrl, limit->per_second, os_random64());
	set->slip = limit->slip;
	set->dry_run = limit->dry_run;
	set->n_exempt = limit->exempt_count;
	for (uint32_t i = 0; i < limit->exempt_count; i++)
		exempt[i] = (struct dnsd_prefix){limit->exempt[i].ip, limit->exempt[i].len};
	return 0;
}

int dnsd_setup(struct dnsd_settings *set, const struct conf_sluice *conf, struct errbuf *err)
{
	*set = (struct dnsd_settings){.nsid = str_from(conf->dns.nsid)};
	return set_limit(set, &conf->dns.rate_limit, err);
}

void dnsd_setup_done(struct dnsd_settings *set)
{
	free(set->rrl);
	free((void *)(uintptr_t)set->exempt);
	*set = (struct dnsd_settings){0};
}
