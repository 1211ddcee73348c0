/* SPDX-License-Identifier: Apache-2.0 */
/* Where each vendor's bill of this month stands. */
#pragma once

#include "control/billing.h"
#include "control/control_int.h"

int control_bills_open(struct control *c) SL_NONNULL_ALL;
void control_bills_close(struct control *c) SL_NONNULL_ALL;

/* Once a second. */
void control_bills_round(struct control *c, uint64_t now_ms) SL_NONNULL_ALL;

/* NULL: nothing is known yet. */
const struct billing_position *control_bill(
	const struct control *c, uint32_t vendor) SL_NONNULL_ALL;
