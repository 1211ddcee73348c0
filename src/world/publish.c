/* SPDX-License-Identifier: Apache-2.0 */
#include "world/publish.h"

#include <stdlib.h>
#include <urcu-qsbr.h>

struct publish {
	struct world_file *current; /* RCU-protected */
};

struct publish *publish_new(void)
{
	return calloc(1, sizeof(struct publish));
}

void publish_free(struct publish *p)
{
	if (!p)
		return;
	world_close(p->current);
	free(p);
}

void publish_swap(struct publish *p, struct world_file *f)
{
	struct world_file *old = rcu_xchg_pointer(&p->current, f);

	if (!old)
		return;
	synchronize_rcu();
	world_close(old);
}

void publish_reader_start(void)
{
	rcu_register_thread();
}

void publish_reader_stop(void)
{
	rcu_unregister_thread();
}

void publish_quiescent(void)
{
	rcu_quiescent_state();
}

void publish_offline(void)
{
	rcu_thread_offline();
}

void publish_online(void)
{
	rcu_thread_online();
}

const struct world *publish_read(const struct publish *p)
{
	const struct world_file *f = rcu_dereference(p->current);

	return f ? world_of(f) : NULL;
}
