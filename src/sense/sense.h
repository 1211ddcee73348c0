/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What we go and measure: meters pulled from vendors' APIs and own nodes, probes, and harvested
 * addresses. One thread of its own in the control process; what it finds is taken by the control
 * thread between ticks. It knows the configuration and nothing of the engine.
 *
 * Longer than its functions would need, because every figure that operators see of a source is
 * declared here.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/ip.h"
#include "base/limits.h"
#include "sense/dnsmsg.h"
#include "sense/flow.h"

struct conf;
struct keys_file;
struct sense;

/* Why what was asked for was not given or not taken: id, word. */
#define SENSE_REFUSAL_MAP(X)                                                                       \
	X(SENSE_KEY, "key")         /* the secret is not there */                                  \
	X(SENSE_REQUEST, "request") /* the request cannot be made */                               \
	X(SENSE_CONNECT, "connect")                                                                \
	X(SENSE_TIMEOUT, "timeout")                                                                \
	X(SENSE_RATE, "rate")     /* the vendor says: too often */                                 \
	X(SENSE_STATUS, "status") /* another status than wanted */                                 \
	X(SENSE_TOO_LONG, "length")                                                                \
	X(SENSE_JSON, "json")                                                                      \
	X(SENSE_ERROR, "error") /* an error inside of a good reply */                              \
	X(SENSE_SERIES, "series")                                                                  \
	X(SENSE_PAGES, "pages")                                                                    \
	X(SENSE_BODY, "body")         /* the text that was wanted is not in it */                  \
	X(SENSE_WIRE, "wire")         /* no DNS message, or one that was cut */                    \
	X(SENSE_RCODE, "rcode")       /* DNS says: an error */                                     \
	X(SENSE_SCOPE, "scope")       /* DNS has not heeded the client subnet */                   \
	X(SENSE_EMPTY, "empty")       /* no address */                                             \
	X(SENSE_STRAY, "stray")       /* a reply to nothing that was asked */                      \
	X(SENSE_MEDIA, "media")       /* no FLV, no playlist or no segment */                      \
	X(SENSE_FALSE, "implausible") /* refused by the engine: negative, absurd, repeated ... */

enum sense_refusal {
#define X(id, word) id,
	SENSE_REFUSAL_MAP(X)
#undef X
		SENSE_REFUSALS
};

const char *sense_refusal_word(enum sense_refusal r);

enum {
	SENSE_MAX_SOURCES = 16384, /* pulled meters, one per node where they are of nodes */
	SENSE_MAX_QUEUE = 4096,    /* meters that wait for the control thread */
	SENSE_NOTE = 160,
	SENSE_MAX_TARGETS = 65536, /* of all probes */
	SENSE_ADDRESS = SL_DNS_NAME_MAX + 8,
	SENSE_MIN_CUT_OFF = 3, /* with fewer targets all down is their fault, not ours */
};

#define SENSE_NO_NODE UINT32_MAX

/* A pulled meter as operators see it. Times are unix ms, 0: never. */
struct sense_source {
	char vendor[SL_MAX_NAME + 1], name[SL_MAX_NAME + 1];
	char region[SL_MAX_NAME + 1], node[SL_MAX_NAME + 1]; /* empty: total, none */
	uint32_t node_index; /* of the configuration, or SENSE_NO_NODE */
	uint64_t since_ms;   /* configured since then, never 0 */
	uint64_t asked_ms, good_ms, next_ms;
	uint64_t end_ms; /* of the last window */
	double mbps;     /* of it */
	uint64_t requests, taken;
	uint64_t refused[SENSE_REFUSALS];
	uint32_t fails;        /* in a row */
	char note[SENSE_NOTE]; /* of the last failure; empty after a success */
};

/* A figure for the engine. */
struct sense_meter {
	char vendor[SL_MAX_NAME + 1], region[SL_MAX_NAME + 1]; /* region empty: the total */
	double mbps;
	uint64_t start_ms, end_ms; /* unix */
	uint32_t source;
};

/* One address that a probe looks at. */
struct sense_target {
	char probe[SL_MAX_NAME + 1];
	char node[SL_MAX_NAME + 1];  /* or the ingest; empty: neither */
	char address[SENSE_ADDRESS]; /* ADDR:PORT, of an ingest HOST:PORT */
	struct ip ip;                /* of a vendor's; else IP_NONE */
	uint32_t probe_index, node_index;
	uint8_t state;   /* enum sense_state */
	uint8_t refusal; /* of the last bad look */
	uint32_t took_us;
	uint64_t checked_ms, changed_ms; /* unix, 0: never */
	uint64_t good, bad;
};

/* A probe as a whole. */
struct sense_probe {
	char name[SL_MAX_NAME + 1];
	char vendor[SL_MAX_NAME + 1];  /* empty: none */
	char service[SL_MAX_NAME + 1]; /* likewise; whose ingests are its targets */
	uint32_t n[SENSE_STATES];      /* targets by state */
	uint64_t looks, checked_ms;
	uint64_t refused[SENSE_REFUSALS];
};

/* An own node: down when a probe finds none of its addresses up; what it carries by its counters.
 */
struct sense_node {
	char name[SL_MAX_NAME + 1];
	bool down;
	double mbps; /* negative: not known */
};

/* An edge of a vendor that a probe finds down. */
struct sense_down {
	char vendor[SL_MAX_NAME + 1];
	struct ip ip;
};

/* An ingest of a service that a probe finds down. */
struct sense_ingest {
	char service[SL_MAX_NAME + 1], name[SL_MAX_NAME + 1];
};

/* A group and a subnet of its clients. */
struct sense_group {
	char name[SL_MAX_NAME + 1];
	struct ip net;
};

/* What a vendor's DNS gave for a group. Families have times of their own. */
struct sense_edges {
	char vendor[SL_MAX_NAME + 1], group[SL_MAX_NAME + 1];
	uint32_t n_a, n_aaaa;
	struct ip a[SENSE_MAX_EDGES], aaaa[SENSE_MAX_EDGES];
	uint64_t until_a_ms, until_aaaa_ms; /* unix (the thread's own: mono); 0: never known */
	uint64_t good_ms;                   /* unix */
};

/* The harvest of a vendor as a whole. */
struct sense_harvested {
	char vendor[SL_MAX_NAME + 1], host[SL_DNS_NAME_MAX + 1];
	uint64_t queries, taken, good_ms;
	uint64_t refused[SENSE_REFUSALS];
};

/* Whether what is to be measured can be asked for: templates that name what is known. The first
 * fault as conf_refuse says it. */
int sense_check(const struct conf *conf, struct errbuf *err) SL_NONNULL(1);

/* Starts the thread; nothing is asked for until sense_load. Caller frees. */
int sense_new(struct sense **ret_sense, struct errbuf *err) SL_NONNULL(1) SL_WUNUSED;

/* Ends the thread. */
void sense_free(struct sense *s);

/* What to ask for from now on; takes both (keys may be NULL). Control thread. */
void sense_load(struct sense *s, struct conf *conf, struct keys_file *keys) SL_NONNULL(1, 2);

/* The groups to harvest for; takes the memory (malloc'd). Control thread. */
void sense_set_groups(struct sense *s, struct sense_group *group, uint32_t n) SL_NONNULL(1);

/* Meters found since the last call, at most max, the oldest first. Control thread. */
uint32_t sense_take_meters(struct sense *s, struct sense_meter *ret, uint32_t max) SL_NONNULL_ALL;

/* What the engine said of one of them. */
void sense_tell(struct sense *s, const struct sense_meter *m, bool taken, const char *why)
	SL_NONNULL(1, 2);

/* "unknown", "up", "down". */
const char *sense_state_word(uint8_t state) SL_PURE;

/* Copies of the probes, of their targets, and of the own nodes that something is known of; as
 * sense_sources. While not one of SENSE_MIN_CUT_OFF targets or more is up it is we who are cut off,
 * and no node is said to be down. */
struct sense_probe *sense_probes(struct sense *s, uint32_t *ret_n) SL_NONNULL_ALL;
struct sense_target *sense_targets(struct sense *s, uint32_t *ret_n) SL_NONNULL_ALL;
struct sense_node *sense_nodes(struct sense *s, uint64_t now_ms, uint32_t *ret_n) SL_NONNULL_ALL;

/* The edges (of vendors without own nodes) that some probe finds down, in the order of the probes;
 * none while it is we who are cut off. As sense_sources; octets between members are zero. */
struct sense_down *sense_edges_down(struct sense *s, uint32_t *ret_n) SL_NONNULL_ALL;

/* The ingests that some probe finds down, as sense_edges_down. */
struct sense_ingest *sense_ingests_down(struct sense *s, uint32_t *ret_n) SL_NONNULL_ALL;

/* Copies of what was harvested, and of its sums; as sense_sources. sense_harvest_edges gives NULL
 * also when nothing has changed since *version, which it moves on. */
struct sense_edges *sense_harvest_edges(
	struct sense *s, uint64_t *version, uint32_t *ret_n) SL_NONNULL_ALL;
struct sense_harvested *sense_harvests(struct sense *s, uint32_t *ret_n) SL_NONNULL_ALL;

/* Copies of the sources, malloc'd; caller frees. NULL and 0 when there are none. */
struct sense_source *sense_sources(struct sense *s, uint32_t *ret_n) SL_NONNULL_ALL;
