/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every length, count and rate that somebody outside can influence. Each has a test at the limit
 * and one past it.
 */
#pragma once

enum {
	/* catalogue */
	SL_MAX_VENDORS = 64,     /* vendors in all */
	SL_MAX_SLOTS = 16,       /* vendors of one service: a row of shares has this many slots */
	SL_MAX_TIERS = 4,        /* priority tiers of a service */
	SL_MAX_RUNGS = 8,        /* rungs of a service's ladder */
	SL_MAX_SERVICES = 64,    /* services in all */
	SL_MAX_HOSTS = 256,      /* hosts of all services */
	SL_MAX_GROUPS = 4096,    /* groups in all: a geo class is 16 bits */
	SL_MAX_REGIONS = 256,    /* vendor regions in all */
	SL_MAX_NODES = 4096,     /* own edge nodes */
	SL_MAX_ISPS = 64,        /* normalised carriers */
	SL_MAX_STREAMS = 100000, /* streams with an entry of their own */
	SL_MAX_NAME = 64,        /* octets of a vendor, group, region, service, stream name */
	SL_MAX_CONF_OCTETS = 64 << 20, /* a configuration file and what is made of it */

	/* shares */
	SL_MAX_TRICKLE_PPM = 50000, /* of a usable vendor for measuring: 16 of them leave a part */

	/* answers */
	SL_MAX_ADDRS = 32, /* addresses of one family in one answer */
	SL_MAX_RANKED = SL_MAX_SLOTS,
	SL_MAX_WORKERS = 64, /* answer threads in one process */
	SL_MAX_LISTEN = 16,  /* addresses of one kind of listener */

	/* HTTP answers */
	SL_HTTP_CLIENT_MAX = 128,    /* octets of a client's id */
	SL_HTTP_STREAM_MAX = 255,    /* octets of a stream's name, known to the catalogue or not */
	SL_HTTP_NODES_MAX = 16,      /* nodes of a vendor in one answer */
	SL_STEER_MAX_KBPS = 1000000, /* a throughput that a player may tell */
	SL_STEER_NOTES_PER_S = 256,  /* what players tell a worker that goes up; a sample of more */
	SL_HTTP_HOSTS_MAX = 16,      /* hosts in one GET */
	SL_HTTP_BATCH_MAX = 1000,    /* requests in one POST */
	SL_HTTP_BATCH_OCTETS = 256 << 10,
	SL_HTTP_DIALECT_OCTETS = 4096, /* of a body sent to a door of other services */
	SL_MAX_KEYS = 1024,            /* secrets of a process */
	SL_MAX_ACCOUNTS = 1024,        /* who may ask with signed requests */
	SL_MAX_ACCESS = 256,           /* prefixes of an allow or deny list */
	SL_MAX_QUOTAS = 32,            /* limits of request rates by group */
	SL_MAX_QUOTA_GLOBS = 16,       /* patterns of groups in one */
	SL_HTTP_KEY_SIGNS_PER_S = 200, /* new signatures by private keys, of one thread */
	SL_MAX_SECRET = 4096,          /* octets of a secret's file */

	/* DNS */
	SL_DNS_NAME_MAX = 255, /* RFC 1035 section 2.3.4 */
	SL_DNS_UDP_MAX = 1232, /* DNS flag day 2020 */
	SL_DNS_TCP_MAX = 65535,
	SL_DNS_TCP_QUERY_MAX = 4096, /* of a query over TCP; padded ones are under 600 octets */

	/* files */
	SL_MAX_PATH = 1024,
	SL_MAX_BLOB_OCTETS = 1 << 30,
};
