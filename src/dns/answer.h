/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One DNS message in, one out, from the worker's world: what UDP, TCP and tests call. No system
 * call, no allocation, no lock, no log; the worker's counters are all it changes.
 */
#pragma once

#include "dns/cookie.h"
#include "dns/rrl.h"
#include "dns/wire.h"
#include "tally/worker.h"

enum dnsd_proto { DNSD_UDP, DNSD_TCP, DNSD_HTTPS };

/* Constant while the server runs; shared by its threads. */
struct dnsd_settings {
	struct str nsid;     /* empty: not told */
	struct dns_rrl *rrl; /* NULL: no rate limit; borrowed */
	uint32_t slip;       /* every n-th answer over the rate goes out cut; 0: none */
	bool dry_run;        /* counts what it would hold back */
	const struct dnsd_prefix *exempt; /* from the rate limit; borrowed */
	uint32_t n_exempt;
};

struct dnsd_prefix {
	struct ip ip;
	uint8_t len;
};

enum { DNSD_AMPLIFICATION = 10 }; /* octets out per octet in, over UDP without a good cookie */

struct memo;
struct asked;

/* A worker with what DNS adds to it. Owned by one thread. */
struct dnsd_worker {
	struct worker w;
	const struct dnsd_settings *set;
	struct memo *memo;
	struct asked *asked;
	/* A number for all that sticky decisions depend on besides service, group and key; it
	 * changes when the tick or the spent budgets do. 0: do not remember. */
	uint32_t view;
	uint64_t view_tick, view_catalogue; /* checksums */
	struct answer_full view_full;
	struct dns_secrets secrets; /* of the keys; none: no cookies */
	uint64_t secrets_sum;       /* checksum of those keys */
	uint32_t held;              /* answers over the rate so far */
};

/* Worker number index of all. Caller ends with dnsd_worker_done, also after a failure. */
int dnsd_worker_init(struct dnsd_worker *d, const struct workers *all, uint32_t index,
	const struct dnsd_settings *set) SL_NONNULL_ALL SL_WUNUSED;
void dnsd_worker_done(struct dnsd_worker *d) SL_NONNULL_ALL;

/* Begins a round, as worker_round does. */
void dnsd_round(struct dnsd_worker *d) SL_NONNULL_ALL;

enum { DNSD_OUT_MAX = SL_DNS_TCP_MAX };

/* A message on its way through: read, located, seated, answered. Over a batch each step runs for
 * all messages before the next one does, so that what one has to wait for from memory is waited for
 * together. Holds no longer than the round. */
struct dnsd_job {
	int rc; /* of dns_parse */
	bool located;
	uint32_t n; /* octets of the message */
	bool told;  /* the resolver said who the client is */
	struct ip client;
	const struct cat_dname *name; /* NULL: not there as a whole */
	struct place place;           /* located: as in struct steering */
	uint64_t key;
	const struct tick_row *row; /* located */
	/* seated: by the sticky key alone; SCORE_NONE or more where there is none */
	uint32_t slot;
	uint32_t tag;      /* seated: what memo is of */
	struct memo *memo; /* seated: where the decision may be remembered, NULL: nowhere */
	struct dns_query q;
};

/* Step 1: reads a message of n octets from job->client, which the caller has set. msg must stay
 * until the answer is made. */
void dnsd_read(
	struct dnsd_worker *d, struct dnsd_job *job, const uint8_t *msg, size_t n) SL_NONNULL_ALL;

/* Between: brings near what step 2 will read, part by part: each reads what the one before brought.
 */
enum { DNSD_APPROACHES = 3 };
void dnsd_approach(struct dnsd_worker *d, const struct dnsd_job *job, unsigned part) SL_NONNULL_ALL;

/* Step 2: where the client of a scheduled host is. */
void dnsd_locate(struct dnsd_worker *d, struct dnsd_job *job) SL_NONNULL_ALL;

/* Between: brings near what step 3 will read beside the row. */
void dnsd_approach_seat(struct dnsd_worker *d, const struct dnsd_job *job) SL_NONNULL_ALL;

/* Step 3: which vendor its sticky key gives. */
void dnsd_seat(struct dnsd_worker *d, struct dnsd_job *job) SL_NONNULL_ALL;

/*
 * Step 4: answers. Returns the octets written to out, 0 for no answer. room: at least
 * SL_DNS_UDP_MAX for UDP, DNSD_OUT_MAX for TCP; over HTTPS what is too long for it is cut.
 */
size_t dnsd_answer(struct dnsd_worker *d, const struct dnsd_job *job, enum dnsd_proto proto,
	uint8_t *out, size_t room) SL_NONNULL_ALL;

/* All four for one message. dnsd_round has been called. */
size_t dnsd_handle(struct dnsd_worker *d, const uint8_t *msg, size_t n, struct ip client,
	enum dnsd_proto proto, uint8_t *out, size_t room) SL_NONNULL_ALL;

/* DNS in a loop of another kind (HTTP): a guest has no worker of its own, it is lent the host's for
 * each message. The settings stay the caller's. Caller ends with dnsd_guest_done. */
int dnsd_guest_init(
	struct dnsd_worker *d, const struct dnsd_settings *set) SL_NONNULL_ALL SL_WUNUSED;
void dnsd_guest_done(struct dnsd_worker *d) SL_NONNULL_ALL;

/* dnsd_handle over HTTPS with the host's round. */
size_t dnsd_guest_handle(struct dnsd_worker *d, struct worker *host, const uint8_t *msg, size_t n,
	struct ip client, uint8_t *out, size_t room) SL_NONNULL_ALL;
