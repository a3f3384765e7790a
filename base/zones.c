/* zones -- time zones by name: java.time's ids, the system's tzdata, look-ups without locks.
 *
 * A zone is a table of transitions that is never changed and never freed. The last rule of a TZif file is
 * unrolled over 400 years, after which the calendar, weekdays included, repeats; so every look-up is one
 * binary search.
 *
 * The registry below is the one cache of the whole process: zones by name, append-only, read without a
 * lock; only loading a new zone takes the mutex. */
#include "base/civil_internal.h"
#include "base/file.h"
#include "base/panic.h"
#include "base/zone_rule.h"
#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define CYCLE_SECONDS ((int64_t)146097 * 86400) /* 400 years. */
enum { MICROS = 1000000, OFFSET_MAX = 18 * 3600, NAME_SIZE_MAX = 128, BUCKETS = 256, RULE_YEARS = 402 };

struct time_zone {
    char *name;                 /* Java's id: a short id is resolved, an offset normalised. */
    char *key;                  /* As it was asked for. */
    struct time_zone *next;     /* In its bucket. */
    int32_t offset;             /* Before the first transition; always, where there is none. */
    char abbreviation[12];      /* Likewise. */
    size_t count;
    int64_t *at;                /* Instants in seconds, ascending. */
    struct zone_period *after;  /* What holds from at[i] on. */
    bool cyclic;                /* The last 400 years repeat for ever. */
};

static struct registry {
    pthread_mutex_t lock;
    struct time_zone *_Atomic buckets[BUCKETS];
} registry = {.lock = PTHREAD_MUTEX_INITIALIZER};

static struct time_zone zone_utc = {.name = (char *)"UTC", .key = (char *)"UTC", .abbreviation = "UTC"};

static const struct short_id {
    const char *id, *name;
} short_ids[] = { /* java.time.ZoneId.SHORT_IDS */
    {"ACT", "Australia/Darwin"},    {"AET", "Australia/Sydney"},
    {"AGT", "America/Argentina/Buenos_Aires"}, {"ART", "Africa/Cairo"},
    {"AST", "America/Anchorage"},   {"BET", "America/Sao_Paulo"},
    {"BST", "Asia/Dhaka"},          {"CAT", "Africa/Harare"},
    {"CNT", "America/St_Johns"},    {"CST", "America/Chicago"},
    {"CTT", "Asia/Shanghai"},       {"EAT", "Africa/Addis_Ababa"},
    {"ECT", "Europe/Paris"},        {"EST", "-05:00"},
    {"HST", "-10:00"},              {"IET", "America/Indiana/Indianapolis"},
    {"IST", "Asia/Kolkata"},        {"JST", "Asia/Tokyo"},
    {"MIT", "Pacific/Apia"},        {"MST", "-07:00"},
    {"NET", "Asia/Yerevan"},        {"NST", "Pacific/Auckland"},
    {"PLT", "Asia/Karachi"},        {"PNT", "America/Phoenix"},
    {"PRT", "America/Puerto_Rico"}, {"PST", "America/Los_Angeles"},
    {"SST", "Pacific/Guadalcanal"}, {"VST", "Asia/Ho_Chi_Minh"},
};

/* Reads one or two digits (exactly two where `two`). */
static bool offset_part(const char **at, const char *end, bool two, int *value)
{
    int digits = 0;
    *value = 0;
    while (*at < end && digits < 2 && (unsigned char)(**at - '0') < 10) {
        *value = *value * 10 + *(*at)++ - '0';
        digits++;
    }
    return digits == 2 || (digits == 1 && !two);
}

bool zone_parse_offset(const char *text, size_t size, int32_t *seconds)
{
    if (size == 1 && text[0] == 'Z') {
        *seconds = 0;
        return true;
    }
    if (size < 2 || (text[0] != '+' && text[0] != '-'))
        return false;
    const char *p = text + 1, *end = text + size;
    int hour, minute = 0, second = 0;
    if (!offset_part(&p, end, false, &hour))
        return false;
    bool colon = p < end && *p == ':';
    if (p < end) {
        p += colon;
        if (!offset_part(&p, end, !colon, &minute))
            return false;
    }
    if (p < end) {
        if (colon != (*p == ':'))
            return false;
        p += colon;
        if (!offset_part(&p, end, true, &second))
            return false;
    }
    int total = hour * 3600 + minute * 60 + second;
    if (p != end || minute > 59 || second > 59 || total > OFFSET_MAX)
        return false;
    *seconds = text[0] == '-' ? -total : total;
    return true;
}

/* Java's id of an offset: Z, +01:00, +01:00:30. */
static void print_offset_id(int32_t offset, char *out, size_t size)
{
    unsigned magnitude = (unsigned)abs(offset);
    char sign = offset < 0 ? '-' : '+';
    if (offset == 0)
        snprintf(out, size, "Z");
    else if (magnitude % 60)
        snprintf(out, size, "%c%02u:%02u:%02u", sign, magnitude / 3600, magnitude / 60 % 60, magnitude % 60);
    else
        snprintf(out, size, "%c%02u:%02u", sign, magnitude / 3600, magnitude / 60 % 60);
}

static void *allocate(size_t count, size_t size)
{
    void *memory = calloc(count ? count : 1, size);
    if (!memory)
        panic_out_of_memory(count * size);
    return memory;
}

static char *copy_text(const char *text)
{
    size_t size = strlen(text) + 1;
    return memcpy(allocate(size, 1), text, size);
}

static struct time_zone *fixed_zone(const char *prefix, int32_t offset)
{
    char id[16], name[32];
    print_offset_id(offset, id, sizeof id);
    snprintf(name, sizeof name, "%s%s", prefix, *prefix && offset == 0 ? "" : id);
    struct time_zone *zone = allocate(1, sizeof *zone);
    zone->name = copy_text(name);
    zone->offset = offset;
    memcpy(zone->abbreviation, name, strnlen(name, sizeof zone->abbreviation - 1)); /* The rest is zero already. */
    return zone;
}

static uint64_t big_endian(const uint8_t *p, int bytes)
{
    uint64_t value = 0;
    for (int i = 0; i < bytes; i++)
        value = value << 8 | p[i];
    return value;
}

/* Counts of a TZif header, in the order of the file. */
struct tzif_header {
    uint64_t ut_count, standard_count, leap_count, time_count, type_count, text_size;
};

enum { TZIF_HEADER_SIZE = 44 };

static bool tzif_read_header(const uint8_t *p, const uint8_t *end, struct tzif_header *out)
{
    if (end - p < TZIF_HEADER_SIZE || memcmp(p, "TZif", 4) != 0)
        return false;
    uint64_t *fields[] = {&out->ut_count,   &out->standard_count, &out->leap_count,
                          &out->time_count, &out->type_count,     &out->text_size};
    for (size_t i = 0; i < COUNTOF(fields); i++)
        *fields[i] = big_endian(p + 20 + 4 * i, 4);
    return out->type_count > 0 && out->type_count <= 256;
}

static uint64_t tzif_body_size(const struct tzif_header *header, unsigned time_size)
{
    return header->time_count * (time_size + 1) + header->type_count * 6 + header->text_size +
           header->leap_count * (time_size + 4) + header->standard_count + header->ut_count;
}

/* One record of the type table. */
static bool tzif_type(const uint8_t *types, uint64_t index, const struct tzif_header *header, struct zone_period *out)
{
    if (index >= header->type_count)
        return false;
    const uint8_t *record = types + index * 6, *texts = types + header->type_count * 6;
    out->offset = (int32_t)big_endian(record, 4);
    out->daylight = record[4] != 0;
    uint64_t at = record[5];
    size_t size = 0;
    while (at + size < header->text_size && texts[at + size] && size < sizeof out->abbreviation - 1)
        size++;
    memcpy(out->abbreviation, texts + at, at < header->text_size ? size : 0);
    out->abbreviation[size] = 0;
    return out->offset > -26 * 3600 && out->offset < 26 * 3600;
}

/* Transitions of the file, with room for those of the rule. */
static bool tzif_read_transitions(const uint8_t *p, const struct tzif_header *header, struct time_zone *zone)
{
    const uint8_t *indexes = p + header->time_count * 8, *types = indexes + header->time_count;
    struct zone_period first;
    if (!tzif_type(types, 0, header, &first))
        return false;
    zone->offset = first.offset;
    memcpy(zone->abbreviation, first.abbreviation, sizeof zone->abbreviation);
    size_t room = (size_t)header->time_count + 2 * RULE_YEARS;
    zone->at = allocate(room, sizeof *zone->at);
    zone->after = allocate(room, sizeof *zone->after);
    for (uint64_t i = 0; i < header->time_count; i++) {
        int64_t at = (int64_t)big_endian(p + i * 8, 8);
        if (zone->count > 0 && at <= zone->at[zone->count - 1])
            return false;
        zone->at[zone->count] = at;
        if (!tzif_type(types, indexes[i], header, &zone->after[zone->count]))
            return false;
        zone->count++;
    }
    return true;
}

static void append_transition(struct time_zone *zone, int64_t at, const struct zone_period *period)
{
    if (zone->count > 0 && at <= zone->at[zone->count - 1])
        return;
    zone->at[zone->count] = at;
    zone->after[zone->count] = *period;
    zone->count++;
}

/* Unrolls the footer's rule from the year of the last transition on. */
static void unroll_rule(struct time_zone *zone, const struct zone_rule *rule)
{
    int64_t year = 1970;
    int month, day;
    if (zone->count > 0)
        civil_from_days(floor_divide(zone->at[zone->count - 1], 86400), &year, &month, &day);
    if (!rule->has_daylight)
        return;
    for (int64_t i = 0; i < RULE_YEARS - 1; i++) {
        int64_t start = zone_rule_instant(&rule->start, year + i, rule->standard.offset);
        int64_t finish = zone_rule_instant(&rule->finish, year + i, rule->daylight.offset);
        append_transition(zone, start < finish ? start : finish, start < finish ? &rule->daylight : &rule->standard);
        append_transition(zone, start < finish ? finish : start, start < finish ? &rule->standard : &rule->daylight);
    }
    zone->cyclic = true;
}

static bool tzif_parse(struct slice file, struct time_zone *zone)
{
    const uint8_t *p = file.data, *end = p + file.size;
    struct tzif_header header;
    if (!tzif_read_header(p, end, &header) || p[4] < '2')
        return false; /* Version 1 ends in 2037; nobody ships it. */
    uint64_t skip = TZIF_HEADER_SIZE + tzif_body_size(&header, 4);
    if (skip > file.size)
        return false;
    p += skip;
    if (!tzif_read_header(p, end, &header))
        return false;
    p += TZIF_HEADER_SIZE;
    uint64_t body = tzif_body_size(&header, 8);
    if (header.time_count > 100000 || body > (uint64_t)(end - p) || !tzif_read_transitions(p, &header, zone))
        return false;
    p += body;
    const uint8_t *line = p < end && *p == '\n' ? p + 1 : end;
    const uint8_t *stop = line < end ? memchr(line, '\n', (size_t)(end - line)) : NULL;
    struct zone_rule rule;
    if (stop && stop > line && zone_rule_parse((const char *)line, (size_t)(stop - line), &rule))
        unroll_rule(zone, &rule);
    return true;
}

static void zone_free(struct time_zone *zone)
{
    free(zone->at);
    free(zone->after);
    free(zone->name);
    free(zone);
}

/* [A-Za-z][A-Za-z0-9~/._+-]+, and nothing that leads out of the folder or is no zone. */
static bool region_name_valid(const char *name)
{
    static const char *const others[] = {"localtime", "posixrules", "Factory", "ROC"};
    size_t size = strlen(name);
    if (size < 2 || (unsigned char)((name[0] | 0x20) - 'a') >= 26 || strstr(name, "..") || strstr(name, "//") ||
        strncmp(name, "posix/", 6) == 0 || strncmp(name, "right/", 6) == 0)
        return false;
    for (size_t i = 0; i < COUNTOF(others); i++) {
        if (strcmp(name, others[i]) == 0)
            return false;
    }
    return strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789~/._+-") == size;
}

static const char *zone_folder(void)
{
    const char *folder = getenv("TZDIR");
    return folder && *folder ? folder : "/usr/share/zoneinfo";
}

static struct time_zone *region_load(const char *name)
{
    if (!region_name_valid(name))
        return NULL;
    char path[PATH_MAX];
    if (snprintf(path, sizeof path, "%s/%s", zone_folder(), name) >= (int)sizeof path)
        return NULL;
    struct buffer file = {0};
    struct time_zone *zone = NULL;
    if (file_read_all(path, 1 << 20, &file, NULL)) {
        zone = allocate(1, sizeof *zone);
        zone->name = copy_text(name);
        if (!tzif_parse(slice_of(file.data, file.size), zone)) {
            zone_free(zone);
            zone = NULL;
        }
    }
    buffer_free(&file);
    return zone;
}

/* ZoneId.of(id, SHORT_IDS). */
static struct time_zone *zone_load(const char *name)
{
    for (size_t i = 0; i < COUNTOF(short_ids); i++) {
        if (strcmp(name, short_ids[i].id) == 0) {
            name = short_ids[i].name;
            break;
        }
    }
    int32_t offset;
    size_t size = strlen(name);
    if (zone_parse_offset(name, size, &offset))
        return fixed_zone("", offset);
    size_t prefix = strncmp(name, "UTC", 3) == 0 || strncmp(name, "GMT", 3) == 0 ? 3 : strncmp(name, "UT", 2) == 0 ? 2 : 0;
    if (prefix && (name[prefix] == 0 || name[prefix] == '+' || name[prefix] == '-')) {
        char word[4] = {0};
        memcpy(word, name, prefix);
        if (name[prefix] == 0)
            return fixed_zone(word, 0);
        return zone_parse_offset(name + prefix, size - prefix, &offset) ? fixed_zone(word, offset) : NULL;
    }
    return region_load(name);
}

static struct time_zone *_Atomic *bucket_of(const char *name)
{
    unsigned hash = 2166136261u;
    for (const char *p = name; *p; p++)
        hash = (hash ^ (unsigned char)*p) * 16777619u;
    return &registry.buckets[hash % BUCKETS];
}

static const struct time_zone *registry_find(struct time_zone *_Atomic *bucket, const char *key)
{
    struct time_zone *zone = atomic_load_explicit(bucket, memory_order_acquire);
    while (zone && strcmp(zone->key, key) != 0)
        zone = zone->next;
    return zone;
}

static const struct time_zone *registry_load(struct time_zone *_Atomic *bucket, const char *key)
{
    pthread_mutex_lock(&registry.lock);
    const struct time_zone *found = registry_find(bucket, key);
    if (!found) {
        struct time_zone *zone = zone_load(key);
        if (zone) {
            zone->key = copy_text(key);
            zone->next = atomic_load_explicit(bucket, memory_order_relaxed);
            atomic_store_explicit(bucket, zone, memory_order_release);
        }
        found = zone;
    }
    pthread_mutex_unlock(&registry.lock);
    return found;
}

static void refuse(enum condition condition, const char *name, size_t size, struct error *err)
{
    error_set(err, condition, "the time zone '%.*s' is not known", (int)(size < 100 ? size : 100), name);
    if (access(zone_folder(), R_OK) != 0)
        error_hint(err, "The system has no time zone data: install the package tzdata.");
    else
        error_hint(err, "Give a region such as Europe/Paris or an offset such as +02:00.");
}

const struct time_zone *time_zone_find(const char *name, size_t size, struct error *err)
{
    char key[NAME_SIZE_MAX];
    if (size > 0 && size < sizeof key && !memchr(name, 0, size)) {
        memcpy(key, name, size);
        key[size] = 0;
        if (strcmp(key, "UTC") == 0)
            return &zone_utc;
        struct time_zone *_Atomic *bucket = bucket_of(key);
        const struct time_zone *zone = registry_find(bucket, key);
        if (!zone)
            zone = registry_load(bucket, key);
        if (zone)
            return zone;
    }
    refuse(COND_INVALID_TIME_ZONE, name, size, err);
    return NULL;
}

const struct time_zone *time_zone_option(const char *name, struct error *err)
{
    const struct time_zone *zone = time_zone_find(name, strlen(name), NULL);
    if (!zone)
        refuse(COND_INVALID_TIMEZONE, name, strlen(name), err);
    return zone;
}

const struct time_zone *time_zone_utc(void) { return &zone_utc; }

/* The name behind ".../zoneinfo/" of the symbolic link /etc/localtime. */
static bool localtime_name(char *out, size_t size)
{
    char target[PATH_MAX];
    ssize_t length = readlink("/etc/localtime", target, sizeof target - 1);
    if (length < 0)
        return false;
    target[length] = 0;
    const char *name = strstr(target, "zoneinfo/");
    return name && snprintf(out, size, "%s", name + 9) < (int)size;
}

static bool etc_timezone_name(char *out, size_t size)
{
    struct buffer text = {0};
    bool read = file_read_all("/etc/timezone", 1024, &text, NULL);
    size_t length = read ? strcspn(buffer_string(&text), " \t\r\n") : 0;
    if (length > 0 && length < size) {
        memcpy(out, text.data, length);
        out[length] = 0;
    }
    buffer_free(&text);
    return length > 0 && length < size;
}

const struct time_zone *time_zone_system(void)
{
    char name[NAME_SIZE_MAX];
    const char *variable = getenv("TZ");
    const struct time_zone *zone = NULL;
    if (variable && *variable) {
        variable += *variable == ':';
        zone = time_zone_find(variable, strlen(variable), NULL);
    }
    if (!zone && localtime_name(name, sizeof name))
        zone = time_zone_find(name, strlen(name), NULL);
    if (!zone && etc_timezone_name(name, sizeof name))
        zone = time_zone_find(name, strlen(name), NULL);
    return zone ? zone : &zone_utc;
}

const char *time_zone_name(const struct time_zone *zone) { return zone->name; }

bool time_zone_is_utc(const struct time_zone *zone) { return zone->count == 0 && zone->offset == 0; }

/* Index of the transition in force, or -1. */
static ALWAYS_INLINE ptrdiff_t period_at(const struct time_zone *zone, int64_t seconds)
{
    if (zone->count == 0)
        return -1;
    int64_t last = zone->at[zone->count - 1];
    if (UNLIKELY(seconds >= last && zone->cyclic))
        seconds = last - CYCLE_SECONDS + (seconds - last) % CYCLE_SECONDS;
    const int64_t *base = zone->at;
    size_t length = zone->count;
    while (length > 1) {
        size_t half = length / 2;
        base += base[half] <= seconds ? half : 0;
        length -= half;
    }
    return base - zone->at - (*base > seconds);
}

static ALWAYS_INLINE int32_t offset_at_second(const struct time_zone *zone, int64_t seconds)
{
    ptrdiff_t index = period_at(zone, seconds);
    return index < 0 ? zone->offset : zone->after[index].offset;
}

int32_t time_zone_offset_at(const struct time_zone *zone, int64_t utc_us)
{
    return offset_at_second(zone, floor_divide(utc_us, MICROS));
}

const char *time_zone_abbreviation(const struct time_zone *zone, int64_t utc_us)
{
    ptrdiff_t index = period_at(zone, floor_divide(utc_us, MICROS));
    return index < 0 ? zone->abbreviation : zone->after[index].abbreviation;
}

static int64_t shift_seconds(int64_t us, int64_t seconds)
{
    int64_t result;
    if (__builtin_add_overflow(us, seconds * MICROS, &result))
        return seconds < 0 ? INT64_MIN : INT64_MAX;
    return result;
}

int64_t time_zone_to_local(const struct time_zone *zone, int64_t utc_us)
{
    return shift_seconds(utc_us, time_zone_offset_at(zone, utc_us));
}

int64_t time_zone_to_utc(const struct time_zone *zone, int64_t local_us)
{
    if (zone->count == 0)
        return shift_seconds(local_us, -zone->offset);
    /* No offset is larger than a day, and no zone changes twice within two days. */
    int64_t local = floor_divide(local_us, MICROS);
    int32_t before = offset_at_second(zone, local - 86400), after = offset_at_second(zone, local + 86400);
    if (before == after || offset_at_second(zone, local - before) == before)
        return shift_seconds(local_us, -before);
    if (offset_at_second(zone, local - after) == after)
        return shift_seconds(local_us, -after);
    return shift_seconds(local_us, -before); /* In a gap: forward by its length. */
}
