/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Alerts to Alertmanager (API v2) and to webhooks (the message that Alertmanager's own webhooks
 * get, version 4), from a thread of its own: the tick never waits for a receiver. What is said to
 * whom and when is notice.h's.
 */
#pragma once

#include "base/err.h"
#include "control/notice.h"

struct conf;
struct control_send;

enum { SEND_MAX_URL = 1024 };

/* Starts the thread. Caller frees; that waits a second at most for what is under way. */
int control_send_new(struct control_send **ret_send, struct errbuf *err) SL_NONNULL(1) SL_WUNUSED;
void control_send_free(struct control_send *s);

/* Receivers, times and the runbooks' address from a configuration, from now on; copied. A secret
 * that cannot be read is said in err with SL_EACCES; its receiver is asked without. */
int control_send_configure(struct control_send *s, const struct conf *conf, struct errbuf *err)
	SL_NONNULL(1, 2);

/* What fires now; copied. */
void control_send_alerts(struct control_send *s, const struct notice *list, uint32_t n)
	SL_NONNULL(1);

struct control_send_state {
	char target[SL_MAX_NAME]; /* host and port of its URL */
	uint64_t sent, failed;    /* messages */
	uint32_t waiting;         /* alerts and ends that it does not know yet */
	uint32_t failures;        /* in a row */
};

/* How it goes with each receiver; returns how many. */
uint32_t control_send_states(struct control_send *s,
	struct control_send_state ret[static NOTICE_TARGETS]) SL_NONNULL_ALL;
