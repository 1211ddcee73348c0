/* SPDX-License-Identifier: Apache-2.0 */
#include "world/publish.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <urcu-qsbr.h>

struct publish {
	_Atomic(struct world_file *) current; /* immutable after publish; one writer */
	_Atomic(struct keys_file *) keys;     /* likewise */
};

/* liburcu orders by means that the thread sanitizer does not see: it is told what a grace period
 * promises, that what readers did before they were quiescent comes before what follows it. */
#if defined(__SANITIZE_THREAD__)
#define IS_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define IS_TSAN 1
#endif
#endif
#ifdef IS_TSAN
#include <sanitizer/tsan_interface.h>
static char grace;
#define QUIESCENT()  __tsan_release(&grace)
#define GRACE_OVER() __tsan_acquire(&grace)
#else
#define QUIESCENT()  (void)0
#define GRACE_OVER() (void)0
#endif

struct publish *publish_new(void)
{
	return calloc(1, sizeof(struct publish));
}

void publish_free(struct publish *p)
{
	if (!p)
		return;
	world_close(p->current);
	keys_close(p->keys);
	free(p);
}

void publish_swap(struct publish *p, struct world_file *f)
{
	struct world_file *old = atomic_exchange_explicit(&p->current, f, memory_order_acq_rel);

	if (!old)
		return;
	synchronize_rcu();
	GRACE_OVER();
	world_close(old);
}

void publish_swap_keys(struct publish *p, struct keys_file *f)
{
	struct keys_file *old = atomic_exchange_explicit(&p->keys, f, memory_order_acq_rel);

	if (!old)
		return;
	synchronize_rcu();
	GRACE_OVER();
	keys_close(old);
}

void publish_reader_start(void)
{
	rcu_register_thread();
}

void publish_reader_stop(void)
{
	QUIESCENT();
	rcu_unregister_thread();
}

void publish_quiescent(void)
{
	QUIESCENT();
	rcu_quiescent_state();
}

void publish_offline(void)
{
	QUIESCENT();
	rcu_thread_offline();
}

void publish_online(void)
{
	rcu_thread_online();
}

const struct world *publish_read(const struct publish *p)
{
	const struct world_file *f = atomic_load_explicit(&p->current, memory_order_acquire);

	return f ? world_of(f) : NULL;
}

const struct keys_view *publish_read_keys(const struct publish *p)
{
	const struct keys_file *f = atomic_load_explicit(&p->keys, memory_order_acquire);

	return f ? keys_of(f) : NULL;
}
