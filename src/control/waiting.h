/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Audit rows that wait for the store. Reads are answered whether or not it can be used: people look
 * when something is wrong. What there is no room for is counted, and told by a row of its own.
 * Control thread only.
 */
#pragma once

#include "control/control_int.h"

/* Takes up the rows that waited when the process before this one ended. SL_ENOMEM. */
int control_waiting_open(struct control *c) SL_NONNULL_ALL;
void control_waiting_close(struct control *c) SL_NONNULL_ALL;

void control_waiting_add(struct control *c, const struct store_audit_row *row) SL_NONNULL_ALL;

/* Writes all into the store; they wait on until forgotten, which is when they are there. */
int control_waiting_flush(struct control *c, struct errbuf *err) SL_NONNULL_ALL;
void control_waiting_forget(struct control *c) SL_NONNULL_ALL;
