/* SPDX-License-Identifier: Apache-2.0 */
/* The packet path without sockets: the test world and one DNS worker over it. */
#pragma once

#include <stdlib.h>
#include <sys/mman.h>

#include "dns/answer.h"
#include "testworld.h"

struct dnsworld {
	struct testworld tw;
	struct workers workers;
	struct dnsd_worker d;
	struct dnsd_settings set;
};

static inline struct tally *dnsworld_tally(void)
{
	return mmap(NULL, sizeof(struct tally), PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
}

/* Ready to be asked; 0 or an error with tw.err filled. The thread must be a registered reader. Ends
 * with dnsworld_done. */
static inline int dnsworld_init(struct dnsworld *b, const struct testworld_spec *spec)
{
	int rc;

	memset(b, 0, sizeof(*b));
	rc = testworld_init(&b->tw, spec);
	if (rc)
		return rc;
	b->workers.publish = publish_new();
	b->workers.seen = seen_new();
	b->workers.n = 1;
	b->workers.tally[0] = dnsworld_tally();
	publish_swap(b->workers.publish, testworld_take(&b->tw));
	rc = dnsd_worker_init(&b->d, &b->workers, 0, &b->set);
	dnsd_round(&b->d);
	return rc;
}

static inline void dnsworld_done(struct dnsworld *b)
{
	dnsd_worker_done(&b->d);
	publish_free(b->workers.publish);
	free(b->workers.seen);
	(void)munmap(b->workers.tally[0], sizeof(struct tally));
	testworld_done(&b->tw);
}
