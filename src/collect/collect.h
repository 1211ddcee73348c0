/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The reports listener: loops that read reports, each with tables of its own, and one tick thread
 * that books what they hand over and writes the facts blob. Takes in what is hostile and bulky;
 * knows no operator and no secret.
 */
#pragma once

#include "base/os.h"
#include "collect/books.h"
#include "collect/follow.h"
#include "httpd/httpd.h"
#include "world/publish.h"

enum { COLLECT_MAX_LISTEN = 16, COLLECT_MAX_THREADS = SL_MAX_WORKERS };

/* All borrowed; must outlive the server. */
struct collect_options {
	const struct os_addr *listen;
	uint32_t n_listen; /* 0..COLLECT_MAX_LISTEN */
	uint32_t threads;  /* 1..COLLECT_MAX_THREADS */
	uint32_t tick_ms;
	const char *facts;      /* file that is written every tick */
	const char *facts_test; /* the same of load tests, once there are any; NULL: nowhere */
	int kept;               /* memory that outlives the process (memfd_create); -1: none */
	const struct publish *publish;
	const struct httpd_prefix *trusted_senders; /* may name other addresses in `ip` */
	size_t n_trusted_senders;
	const struct httpd_prefix *trusted_proxies; /* NULL: loopback */
	size_t n_trusted_proxies;
	const struct collect_follow *follow; /* logs of this machine */
	uint32_t n_follow;
	const char *follow_state; /* file of how far they were read */
	struct collect_limits limits;
	struct httpd_limits http;
	size_t batch_octets, log_octets;  /* of bodies; 0: COLLECT_MAX_BODY, COLLECT_LOG_BODY */
	void (*failed)(const char *text); /* hears why facts could not be written; NULL: nobody */
};

struct collect;

/* Binds every listener for every thread; nothing is answered yet. Port 0 is given a free port, the
 * same for all threads. Caller ends with collect_stop, also when collect_run was never called. */
int collect_open(const struct collect_options *o, struct collect **ret_collect, struct errbuf *err)
	SL_NONNULL(1, 2) SL_WUNUSED;

/* Whether what an earlier process kept was gone on with. */
bool collect_adopted(const struct collect *c) SL_NONNULL_ALL;

/* Starts the threads. */
int collect_run(struct collect *c, struct errbuf *err) SL_NONNULL(1) SL_WUNUSED;

/* Stops accepting, finishes the requests under way for at most patience_ms, ends the threads,
 * writes facts of all that was accepted, and frees. NULL is fine. */
void collect_stop(struct collect *c, uint32_t patience_ms);

/* Port that listener `index` is bound to, host order. */
uint16_t collect_port(const struct collect *c, uint32_t index) SL_NONNULL_ALL;
