/* SPDX-License-Identifier: Apache-2.0 */
/* What the parts of the simulated world share. */
#pragma once

#include "sim/plant.h"

#define PLANT_BREAK_RATE 0.2  /* of the seated sessions of a failing vendor, per second */
#define PLANT_GIVE_UP    0.05 /* of those who wait, per second */

/* Sessions of a group that would begin in the second after now_s. */
double plant_arrivals(const struct plant *p, uint32_t group, uint32_t now_s);

/* A whole number near x, right in the mean. */
double plant_whole(struct plant *p, double x);

/* Meters and reports of the second that has ended. */
void plant_measure(struct plant *p);
