/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What must work with the control process dead, on the files of the state folder: publishing a
 * world of the history, and rolling decisions back. Refused while control answers: it would go on
 * from what it has. A grave one is asked for by name on a terminal; a script is not stopped.
 */
#pragma once

#include "ctl/request.h"

/* `world install` and `rollback --offline`; returns the exit status. */
int ctl_offline(const struct ctl_request *r) SL_NONNULL_ALL;
