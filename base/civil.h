/* civil -- dates, timestamps, time zones (proleptic Gregorian calendar, java.time's rules).
 *
 * A date is days since 1970-01-01 (int32), a timestamp microseconds since then in UTC (int64), a
 * timestamp_ntz microseconds of the wall clock. Zones come from the system's tzdata (TZif files),
 * loaded once and never freed; look-ups are thread-safe. */
#pragma once
#include "base/arena.h"
#include "base/bytes.h"
#include "base/error.h"

struct time_zone;

/* IANA id, "UTC", "Z", "+05:30", "GMT+1", Java's short ids (EST, PST, ...). NULL: *err says so. Never freed. */
const struct time_zone *time_zone_find(const char *name, size_t size, struct error *err);
/* The same for the value of an option: NULL says INVALID_TIMEZONE. */
const struct time_zone *time_zone_option(const char *name, struct error *err);
const struct time_zone *time_zone_utc(void);
const struct time_zone *time_zone_system(void); /* TZ, /etc/localtime, else UTC. */
const char *time_zone_name(const struct time_zone *zone);
bool time_zone_is_utc(const struct time_zone *zone);
int32_t time_zone_offset_at(const struct time_zone *zone, int64_t utc_us); /* Seconds east of UTC. */
/* Wall clock -> instant: in a gap moves forward by the gap, in an overlap takes the earlier offset. */
int64_t time_zone_to_utc(const struct time_zone *zone, int64_t local_us);

int64_t civil_days(int64_t year, int month, int day); /* Days since 1970-01-01; month 1..12, day 1..31, any year. */
void civil_from_days(int64_t days, int64_t *year, int *month, int *day);
bool civil_valid(int64_t year, int month, int day);

/* Cast grammars of Spark (format-semantics 3.4, 3.5). `trim` is part of the grammar. */
bool cast_date(const char *text, size_t size, int32_t *days);
bool cast_timestamp(const char *text, size_t size, const struct time_zone *zone, int64_t *utc_us); /* A time without a date is refused. */
/* Refuses a text with a zone unless allow_zone (then the zone is dropped). */
bool cast_timestamp_ntz(const char *text, size_t size, bool allow_zone, int64_t *local_us);

#define DATE_TEXT_MAX 20
#define TIMESTAMP_TEXT_MAX 48
size_t print_date(int32_t days, char *out);                                               /* yyyy-MM-dd */
size_t print_timestamp(int64_t utc_us, const struct time_zone *zone, char *out);          /* yyyy-MM-dd HH:mm:ss[.f], cast to string */
size_t print_timestamp_ntz(int64_t local_us, char *out);
size_t print_timestamp_iso(int64_t utc_us, char *out);                                    /* 2024-01-02T03:04:05.123Z (progress JSON) */
/* The writers' default, yyyy-MM-dd'T'HH:mm:ss.SSSXXXXX (cut to milliseconds), and the same without zone. */
size_t print_timestamp_millis(int64_t utc_us, const struct time_zone *zone, char *out);
size_t print_timestamp_ntz_millis(int64_t local_us, char *out);

/* Datetime patterns (format-semantics section 4), compiled once, used by many threads. */
struct datetime_pattern;
enum datetime_use { DATETIME_PARSE, DATETIME_PRINT };
struct datetime_pattern *datetime_pattern_compile(struct arena *arena, const char *pattern, const char *locale,
                                                  enum datetime_use use, struct error *err) MUST_CHECK;
bool datetime_parse_date(const struct datetime_pattern *pattern, const char *text, size_t size, int32_t *days);
bool datetime_parse_timestamp(const struct datetime_pattern *pattern, const char *text, size_t size,
                              const struct time_zone *zone, int64_t *utc_us);
bool datetime_parse_timestamp_ntz(const struct datetime_pattern *pattern, const char *text, size_t size, int64_t *local_us);
/* Appends to out. kind by function: a date, an instant in a zone, a wall clock. False: the pattern needs a field that the value lacks. */
bool datetime_print_date(const struct datetime_pattern *pattern, int32_t days, struct buffer *out);
bool datetime_print_timestamp(const struct datetime_pattern *pattern, int64_t utc_us, const struct time_zone *zone, struct buffer *out);
bool datetime_print_timestamp_ntz(const struct datetime_pattern *pattern, int64_t local_us, struct buffer *out);
