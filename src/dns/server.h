/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The DNS doors: threads over UDP and TCP sockets. One UDP socket per thread and address, sharing
 * the port (SO_REUSEPORT); TCP likewise, one thread serving all addresses.
 */
#pragma once

#include "base/os.h"
#include "dns/answer.h"

struct dnsd_options {
	const struct os_addr *listen; /* port 0: one that is free, the same for UDP and TCP */
	uint32_t n_listen;            /* 1..DNSD_MAX_LISTEN */
	uint32_t udp_threads;         /* for each address */
	uint32_t tcp_threads;
	int rcvbuf;            /* octets, of each UDP socket */
	uint32_t tcp_conns;    /* of each TCP thread; the least recently used gives way */
	uint32_t tcp_idle_ms;  /* from one whole query to the next */
	uint32_t tcp_total_ms; /* of a connection, looked at after each answer */
	const struct workers *workers;
	uint32_t first_worker;         /* dnsd_workers() of them belong to this server */
	struct dnsd_settings settings; /* copied; its text must outlive the server */
};

enum { DNSD_MAX_LISTEN = 16, DNSD_MAX_THREADS = SL_MAX_WORKERS };

#define DNSD_OPTIONS_DEFAULT                                                                       \
	{                                                                                          \
		.udp_threads = 1, .tcp_threads = 1, .rcvbuf = 4 << 20, .tcp_conns = 2048,          \
		.tcp_idle_ms = 10000, .tcp_total_ms = 300000                                       \
	}

struct dnsd;

/* Workers that a server of these options takes: one per thread. */
uint32_t dnsd_workers(const struct dnsd_options *o) SL_NONNULL_ALL SL_PURE;

/* Binds all sockets; what may need privileges happens here. Caller ends with dnsd_stop. */
int dnsd_open(const struct dnsd_options *o, struct dnsd **ret_server, struct errbuf *err)
	SL_NONNULL(1, 2) SL_WUNUSED;

/* Starts the threads. */
int dnsd_run(struct dnsd *s, struct errbuf *err) SL_NONNULL(1) SL_WUNUSED;

/* Stops within half a second, joins the threads, closes and frees. NULL is fine. */
void dnsd_stop(struct dnsd *s);

/* The port that address i got. */
uint16_t dnsd_port(const struct dnsd *s, uint32_t i) SL_NONNULL_ALL;
