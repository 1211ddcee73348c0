/* SPDX-License-Identifier: Apache-2.0 */
/* What the parts of the simulated world share. */
#pragma once

#include "sim/plant.h"

/* Meters and reports of the second that has ended. */
void plant_measure(struct plant *p);
