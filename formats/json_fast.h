/* json_fast -- what the fast path's variants share: guessed keys, times of the usual form.
 *
 * All of this reads past what it looks for, never more than 64 bytes behind the record. */
#pragma once
#include "formats/digits.h"
#include "formats/json_parser.h"
#include "formats/json_values.h"

/* Keys -------------------------------------------------------------------------------------- */

enum { NDJSON_KEY_BYTES = 32, NDJSON_KEYS_LEARNT_MAX = 64 };

/* A field name as it stands in the text, `name"`, and the keys that came after it the last times. */
struct ndjson_key {
    uint8_t text[NDJSON_KEY_BYTES]; /* Its first bytes. */
    uint32_t mask;                  /* Which of them count. */
    uint32_t size;                  /* With the closing quote. */
    int32_t node;                   /* What it fills; -1: nothing, the value is passed over. */
    uint8_t *rest;                  /* size > NDJSON_KEY_BYTES: all of it. */
    struct ndjson_key *next[2];     /* Never NULL. */
};

struct ndjson_guess {
    struct ndjson_key never;        /* Where nothing has been learnt. */
    struct ndjson_key start;        /* Stands for the opening brace. */
    struct ndjson_key unlearnt;     /* The last key for which there was no place. */
    struct ndjson_key *keys;        /* First the fields of the node, then the names it lacks. */
    uint32_t count, capacity;
};

/* The key at p (behind its opening quote), which `previous` did not foretell; learns it. NULL: not a plain key. */
struct ndjson_key *ndjson_key_find(struct ndjson_parser *parser, const struct ndjson_node *node, struct ndjson_key *previous, const uint8_t *p);

/* Words ------------------------------------------------------------------------------------- */

static ALWAYS_INLINE bool is_null(const uint8_t *p) { return load_32(p) == 0x6c6c756e; } /* "null" */
static ALWAYS_INLINE bool is_true(const uint8_t *p) { return load_32(p) == 0x65757274; } /* "true" */
static ALWAYS_INLINE bool is_false(const uint8_t *p) { return (load_32(p + 1) == 0x65736c61) & (*p == 'f'); } /* f "alse" */

static ALWAYS_INLINE const uint8_t *blanks(const uint8_t *p)
{
    while (*p == ' ' || *p == '\n' || *p == '\t' || *p == '\r') p++;
    return p;
}

/* Times ------------------------------------------------------------------------------------- */

/* "yyyy-MM-dd[T ]HH:mm:ss[.f...][Z|+hh:mm]" with its closing quote; p is behind the opening one. NULL: not of this form. */
static ALWAYS_INLINE const uint8_t *fast_timestamp(const struct ndjson_settings *settings, const uint8_t *p, bool zoned, int64_t *out)
{
    int32_t days;
    int64_t seconds, micros = 0;
    if (!fast_date(p, &days) || (p[10] != 'T' && p[10] != ' ') || !fast_clock(p + 11, &seconds)) return NULL;
    p += 19;
    if (*p == '.') {
        uint64_t value;
        unsigned count = leading_digits(load_64(p + 1), &value);
        if (count == 0) return NULL;
        micros = (int64_t)(count > 6 ? value / powers_of_ten[count - 6] : value * powers_of_ten[6 - count]);
        for (p += 1 + count; count >= 8 && *p >= '0' && *p <= '9';) p++;
    }
    int64_t wall = ((int64_t)days * 86400 + seconds) * 1000000 + micros;
    if (*p == '"') {
        *out = !zoned || settings->zone_is_utc ? wall : time_zone_to_utc(settings->zone, wall);
        return p + 1;
    }
    if (!zoned) return NULL;
    *out = wall;
    if (*p == 'Z' && p[1] == '"') return p + 2;
    unsigned a = p[1] - (unsigned)'0', b = p[2] - (unsigned)'0', c = p[4] - (unsigned)'0', d = p[5] - (unsigned)'0';
    if ((*p != '+' && *p != '-') || a > 1 || b > 9 || p[3] != ':' || c > 5 || d > 9 || p[6] != '"' || a * 10 + b > 17) return NULL;
    int64_t offset = ((int64_t)(a * 10 + b) * 60 + c * 10 + d) * 60000000;
    *out = *p == '+' ? wall - offset : wall + offset;
    return p + 7;
}
