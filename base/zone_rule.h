/* zone_rule -- the rule at the end of a TZif file (POSIX TZ with RFC 8536's wider hours). */
#pragma once
#include "base/attr.h"

struct zone_period {
    int32_t offset;         /* Seconds east of UTC. */
    bool daylight;
    char abbreviation[12];
};

enum zone_day_kind { ZONE_DAY_JULIAN, ZONE_DAY_ZERO, ZONE_DAY_MONTH };

struct zone_change {
    enum zone_day_kind kind; /* Jn: 1..365 without 29 February; n: 0..365; Mm.w.d */
    int day, week, month;    /* MONTH: day is the weekday, 0 Sunday; week 5 is the last. */
    int32_t time;            /* Seconds of the wall clock from midnight; may be negative or over a day. */
};

struct zone_rule {
    struct zone_period standard, daylight;
    bool has_daylight;
    struct zone_change start, finish; /* Of daylight time. */
};

bool zone_rule_parse(const char *text, size_t size, struct zone_rule *out);
/* When the change happens in `year`, in UTC seconds; offset: the one in force before it. */
int64_t zone_rule_instant(const struct zone_change *change, int64_t year, int32_t offset);
