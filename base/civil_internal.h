/* civil_internal -- what the calendar, the zones and the patterns share. */
#pragma once
#include "base/civil.h"

static inline int64_t floor_divide(int64_t value, int64_t divisor) /* divisor > 0 */
{
    return value / divisor - (value % divisor < 0);
}

static inline int64_t floor_remainder(int64_t value, int64_t divisor)
{
    int64_t rest = value % divisor;
    return rest < 0 ? rest + divisor : rest;
}

bool civil_is_leap(int64_t year);

/* Z, +h, +hh, +hhmm, +h:mm, +hh:m, +hh:mm[:ss], +hhmmss; within 18 hours. */
bool zone_parse_offset(const char *text, size_t size, int32_t *seconds);

/* Instant -> wall clock; stays at the end of the range where the offset would leave it. */
int64_t time_zone_to_local(const struct time_zone *zone, int64_t utc_us);

/* Abbreviation in force ("CET"), as tzdata has it; empty where it has none. */
const char *time_zone_abbreviation(const struct time_zone *zone, int64_t utc_us);
