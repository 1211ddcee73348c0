/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by server.c and its two kinds of threads. */
#pragma once

#include <pthread.h>
#include <stdatomic.h>

#include "dns/server.h"

enum { DNSD_WAKE_MS = 200 }; /* how late a thread may see that it is to stop */

struct dnsd_thread {
	struct dnsd_worker d; /* owned by the thread once it runs */
	const struct dnsd *server;
	pthread_t id;
	bool runs;
	bool tcp;
	int fd[DNSD_MAX_LISTEN];
	uint32_t n_fd; /* 1 for UDP */
	void *state;   /* buffers, of udp.c or tcp.c */
};

struct dnsd {
	struct dnsd_options o;
	struct os_addr listen[DNSD_MAX_LISTEN];
	struct dnsd_thread *thread;
	uint32_t n_threads;
	_Atomic bool stop; /* written by dnsd_stop, read relaxed by the threads */
};

static inline bool dnsd_stopping(const struct dnsd_thread *t)
{
	return atomic_load_explicit(&t->server->stop, memory_order_relaxed);
}

/* The peer; one that came to a socket of both families is the IPv4 client that it is. */
void dnsd_peer(const struct sockaddr_storage *ss, struct ip *ret_ip) SL_NONNULL_ALL;

/* Buffers of a thread, before it starts. */
int dnsd_udp_init(struct dnsd_thread *t) SL_NONNULL_ALL;
int dnsd_tcp_init(struct dnsd_thread *t) SL_NONNULL_ALL;
void dnsd_udp_done(struct dnsd_thread *t) SL_NONNULL_ALL;
void dnsd_tcp_done(struct dnsd_thread *t) SL_NONNULL_ALL;

/* The loops; return when the server stops. */
void dnsd_udp_loop(struct dnsd_thread *t) SL_NONNULL_ALL;
void dnsd_tcp_loop(struct dnsd_thread *t) SL_NONNULL_ALL;
