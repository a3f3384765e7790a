/* csv_fields -- conversion of CSV fields: Java's parsers, with short ways for the texts that are usual. */
#include "formats/csv_fields.h"
#include "base/civil.h"
#include "base/number.h"
#include "formats/digits.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

bool csv_target_of(const struct type *type, struct csv_target *out)
{
    *out = (struct csv_target){.precision = type->precision, .scale = type->scale};
    switch (type->kind) {
    case TYPE_BOOLEAN: out->kind = CSV_BOOLEAN; return true;
    case TYPE_TINYINT: out->kind = CSV_TINYINT; return true;
    case TYPE_SMALLINT: out->kind = CSV_SMALLINT; return true;
    case TYPE_INT: out->kind = CSV_INT; return true;
    case TYPE_BIGINT: out->kind = CSV_BIGINT; return true;
    case TYPE_FLOAT: out->kind = CSV_FLOAT; return true;
    case TYPE_DOUBLE: out->kind = CSV_DOUBLE; return true;
    case TYPE_DECIMAL: out->kind = CSV_DECIMAL; return true;
    case TYPE_STRING: case TYPE_BINARY: out->kind = CSV_TEXT; return true;
    case TYPE_DATE: out->kind = CSV_DATE; return true;
    case TYPE_TIMESTAMP: out->kind = CSV_TIMESTAMP; return true;
    case TYPE_TIMESTAMP_NTZ: out->kind = CSV_TIMESTAMP_NTZ; return true;
    default: return false;
    }
}

/* ---- short ways -------------------------------------------------------------------------------- */

static ALWAYS_INLINE bool eight_digits(uint64_t word)
{
    return (((word & 0xF0F0F0F0F0F0F0F0u) | (((word + 0x0606060606060606u) & 0xF0F0F0F0F0F0F0F0u) >> 4)) == 0x3333333333333333u);
}

static ALWAYS_INLINE uint64_t value_of_eight(uint64_t word)
{
    word = (word & 0x0F0F0F0F0F0F0F0Fu) * 2561 >> 8;
    word = (word & 0x00FF00FF00FF00FFu) * 6553601 >> 16;
    return (word & 0x0000FFFF0000FFFFu) * 42949672960001u >> 32;
}

/* 1 to 16 ASCII digits. Bytes behind them are loaded, as every text has some. */
static ALWAYS_INLINE bool short_digits(const uint8_t *text, size_t size, uint64_t *out)
{
    if (size - 1 > 15) return false;
    size_t head = size > 8 ? size - 8 : size;
    uint64_t zeros = 0x3030303030303030u;
    unsigned shift = (unsigned)(8 - head) * 8;
    uint64_t word = head == 8 ? load_64(text) : load_64(text) << shift | (zeros >> (64 - shift));
    if (!eight_digits(word)) return false;
    *out = value_of_eight(word);
    if (size <= 8) return true;
    word = load_64(text + head);
    if (!eight_digits(word)) return false;
    *out = *out * 100000000u + value_of_eight(word);
    return true;
}

static ALWAYS_INLINE bool parse_integer(const uint8_t *text, size_t size, int64_t *out)
{
    uint64_t value;
    bool negative = size && *text == '-';
    if (short_digits(text + negative, size - negative, &value)) {
        *out = negative ? -(int64_t)value : (int64_t)value;
        return true;
    }
    return parse_int64_java((const char *)text, size, out);
}

/* yyyy-MM-dd[ T]HH:mm:ss[.f{1,6}][Z], the wall clock in microseconds. */
static ALWAYS_INLINE bool short_timestamp(const uint8_t *text, size_t size, int64_t *wall_us, bool *utc)
{
    int32_t days;
    int64_t seconds;
    if (size < 19 || size > 27 || (text[10] != ' ' && text[10] != 'T') || !fast_date(text, &days) || !fast_clock(text + 11, &seconds)) return false;
    *utc = text[size - 1] == 'Z';
    size_t digits = size - 19 - *utc;
    uint64_t fraction = 0;
    if (digits) {
        if (text[19] != '.' || digits < 2 || digits > 7 || leading_digits(load_64(text + 20), &fraction) != digits - 1) return false;
        fraction *= powers_of_ten[7 - digits];
    }
    *wall_us = (days * INT64_C(86400) + seconds) * 1000000 + (int64_t)fraction;
    return true;
}

/* ---- the long ways ----------------------------------------------------------------------------- */

typedef bool cast_fn(const struct csv_settings *settings, const char *text, size_t size, void *out);

static bool cast_to_date(const struct csv_settings *settings, const char *text, size_t size, void *out)
{
    (void)settings;
    return cast_date(text, size, out);
}

static bool cast_to_timestamp(const struct csv_settings *settings, const char *text, size_t size, void *out)
{
    return cast_timestamp(text, size, settings->zone, out);
}

/* The fallback: every "GMT" is removed, then the cast grammar. */
static bool cast_without_gmt(const struct csv_settings *settings, const uint8_t *text, size_t size, cast_fn *cast, void *out)
{
    if (!memmem(text, size, "GMT", 3)) return cast(settings, (const char *)text, size, out);
    struct buffer clean = {0};
    for (size_t i = 0; i < size;) {
        if (size - i >= 3 && memcmp(text + i, "GMT", 3) == 0) i += 3;
        else buffer_byte(&clean, text[i++]);
    }
    bool ok = cast(settings, buffer_string(&clean), clean.size, out);
    buffer_free(&clean);
    return ok;
}

static NO_INLINE bool long_date(const struct csv_settings *settings, const uint8_t *text, size_t size, int32_t *days)
{
    if (settings->date && datetime_parse_date(settings->date, (const char *)text, size, days)) return true;
    if (!settings->date && cast_date((const char *)text, size, days)) return true;
    return settings->date_fallback && cast_without_gmt(settings, text, size, cast_to_date, days);
}

static NO_INLINE bool long_timestamp(const struct csv_settings *settings, const uint8_t *text, size_t size, int64_t *utc_us)
{
    if (settings->timestamp) {
        if (datetime_parse_timestamp(settings->timestamp, (const char *)text, size, settings->zone, utc_us)) return true;
    } else if (cast_timestamp((const char *)text, size, settings->zone, utc_us)) {
        return true;
    }
    return settings->timestamp_fallback && cast_without_gmt(settings, text, size, cast_to_timestamp, utc_us);
}

static NO_INLINE bool long_timestamp_ntz(const struct csv_settings *settings, const uint8_t *text, size_t size, int64_t *local_us)
{
    if (settings->timestamp_ntz) return datetime_parse_timestamp_ntz(settings->timestamp_ntz, (const char *)text, size, local_us);
    return cast_timestamp_ntz((const char *)text, size, false, local_us);
}

static ALWAYS_INLINE bool parse_date(const struct csv_settings *settings, const uint8_t *text, size_t size, int32_t *days)
{
    return (size == 10 && !settings->date && fast_date(text, days)) || long_date(settings, text, size, days);
}

static ALWAYS_INLINE bool parse_timestamp(const struct csv_settings *settings, const uint8_t *text, size_t size, int64_t *utc_us)
{
    int64_t wall_us;
    bool utc;
    if (settings->timestamp || !short_timestamp(text, size, &wall_us, &utc)) return long_timestamp(settings, text, size, utc_us);
    *utc_us = utc || time_zone_is_utc(settings->zone) ? wall_us : time_zone_to_utc(settings->zone, wall_us);
    return true;
}

static ALWAYS_INLINE bool parse_timestamp_ntz(const struct csv_settings *settings, const uint8_t *text, size_t size, int64_t *local_us)
{
    bool utc;
    if (!settings->timestamp_ntz && short_timestamp(text, size, local_us, &utc) && !utc) return true;
    return long_timestamp_ntz(settings, text, size, local_us);
}

/* nanValue, negativeInf and positiveInf, exactly as set. */
static bool special_double(const struct csv_settings *settings, const uint8_t *text, size_t size, double *out)
{
    struct slice given = {text, size};
    if (slice_equal(given, settings->nan_value)) *out = (double)NAN;
    else if (slice_equal(given, settings->negative_inf)) *out = -(double)INFINITY;
    else if (slice_equal(given, settings->positive_inf)) *out = (double)INFINITY;
    else return false;
    return true;
}

/* How many digits stand at p, 16 at most, and their value. */
static ALWAYS_INLINE unsigned some_digits(const uint8_t *p, uint64_t *value)
{
    uint64_t more;
    unsigned count = leading_digits(load_64(p), value);
    if (LIKELY(count < 8)) return count;
    count = leading_digits(load_64(p + 8), &more);
    *value = *value * powers_of_ten[count] + more;
    return 8 + count;
}

/* A point among at most eight digits: they are moved together and become a number at once. */
static ALWAYS_INLINE bool tiny_double(const uint8_t *at, size_t size, double *out)
{
    const uint64_t ones = UINT64_C(0x0101010101010101), tops = ones << 7;
    if (size - 2 > 7) return false;
    uint64_t word = load_64(at), other = word ^ ones * '.', points = (other - ones) & ~other & tops;
    if (points == 0) return false;
    unsigned whole_bits = (unsigned)__builtin_ctzll(points) - 7, digit_bits = (unsigned)size * 8 - 8;
    if (whole_bits > digit_bits) return false; /* Behind the field. */
    uint64_t whole = (UINT64_C(1) << whole_bits) - 1;
    uint64_t digits = (word & whole) | ((word >> 8 | (uint64_t)at[8] << 56) & ~whole);
    digits = (digits ^ ones * '0') << (64 - digit_bits);
    if (((digits + ones * 0x76) | digits) & tops) return false;
    digits = (digits * 2561 & UINT64_C(0xff00ff00ff00ff00)) >> 8;
    digits = (digits * 6553601 & UINT64_C(0xffff0000ffff0000)) >> 16;
    digits = digits * UINT64_C(42949672960001) >> 32;
    *out = (double)(int64_t)digits / real_powers_of_ten[(digit_bits - whole_bits) / 8];
    return true;
}

/* Digits with a point among them, few enough to be exact in a double, so that one division rounds correctly. */
static ALWAYS_INLINE bool short_double(const uint8_t *text, size_t size, double *out)
{
    if (size == 0) return false;
    bool negative = *text == '-';
    const uint8_t *at = text + negative, *end = text + size;
    uint64_t value, fraction;
    if (LIKELY(tiny_double(at, size - negative, out))) {
        *out = apply_real_sign(*out, negative);
        return true;
    }
    unsigned whole = some_digits(at, &value), scale = 0;
    at += whole;
    if (*at == '.' && at < end) {
        scale = some_digits(++at, &fraction);
        at += scale;
        if (whole + scale > 18) return false;
        value = value * powers_of_ten[scale] + fraction;
    }
    if (at != end || whole + scale == 0 || whole == 16 || value > (uint64_t)1 << 53) return false;
    *out = apply_real_sign((double)value / real_powers_of_ten[scale], negative);
    return true;
}

static ALWAYS_INLINE bool put_double(const struct csv_rows *rows, const uint8_t *text, size_t size, double *out)
{
    if (LIKELY(rows->plain_words) && LIKELY(short_double(text, size, out))) return true;
    return special_double(rows->settings, text, size, out) || (size > 0 && parse_double_java((const char *)text, size, out));
}

static bool put_float(const struct csv_rows *rows, const uint8_t *text, size_t size, float *out)
{
    double special;
    bool plain = rows->plain_words && size > 0 && *text >= '0' && *text <= '9';
    if (!plain && special_double(rows->settings, text, size, &special)) {
        *out = (float)special;
        return true;
    }
    return parse_float_java((const char *)text, size, out);
}

/* Digits with at most `scale` behind the point and a precision that cannot overflow: no rounding, no check. */
static ALWAYS_INLINE bool short_decimal(const struct csv_target *target, const uint8_t *text, size_t size, int128 *out)
{
    static const uint64_t powers[] = {1, 10, 100, 1000, 10000, 100000, 1000000, 10000000, 100000000, 1000000000};
    bool negative = size && *text == '-';
    const uint8_t *at = text + negative, *end = text + size;
    if (at == end || end - at > 18) return false;
    uint64_t value = 0;
    const uint8_t *point = NULL;
    for (const uint8_t *p = at; p < end; p++) {
        unsigned digit = (unsigned)*p - '0';
        if (digit <= 9) value = value * 10 + digit;
        else if (*p == '.' && !point) point = p;
        else return false;
    }
    size_t fraction = point ? (size_t)(end - point) - 1 : 0, whole = (size_t)(end - at) - fraction - (point != NULL);
    if (whole + fraction == 0 || (int)fraction > target->scale || target->scale - (int)fraction > 9) return false;
    if ((int)whole > target->precision - target->scale) return false;
    int128 result = (int128)value * powers[target->scale - (int)fraction];
    *out = negative ? -result : result;
    return true;
}

static bool put_decimal(const struct csv_settings *settings, const struct csv_target *target, const uint8_t *text, size_t size, void *out)
{
    int128 value;
    if (settings->locale || !short_decimal(target, text, size, &value)) {
        const char *locale = settings->locale ? settings->locale : "en-US";
        if (!parse_decimal_locale((const char *)text, size, locale, target->precision, target->scale, &value)) return false;
    }
    memcpy(out, &value, sizeof value);
    return true;
}

enum { TEXT_AT_FIRST = 64 << 10 };

/* ---- columns ----------------------------------------------------------------------------------- */

void csv_put_null(struct csv_rows *rows, uint32_t index)
{
    struct column *column = &rows->columns[index];
    uint32_t row = rows->row;
    bit_clear(column->validity, row);
    column->null_count++;
    if (column->offsets) column->offsets[row + 1] = column->offsets[row];
    else if (column->type->kind == TYPE_BOOLEAN) bit_clear(column->values, row);
    else {
        size_t width = type_width(column->type->kind);
        memset((uint8_t *)column->values + row * width, 0, width);
    }
}

void csv_take_back(struct csv_rows *rows, uint32_t index)
{
    struct column *column = &rows->columns[index];
    if (bit_get(column->validity, rows->row)) return;
    bit_set(column->validity, rows->row);
    column->null_count--;
}

static NO_INLINE bool grow_text(struct csv_rows *rows, uint32_t index, size_t size)
{
    struct column *column = &rows->columns[index];
    rows->no_memory = !column_reserve_data(column, rows->budget, size < TEXT_AT_FIRST ? TEXT_AT_FIRST : size, rows->err);
    rows->room[index] = block_size(column->data);
    return !rows->no_memory;
}

static ALWAYS_INLINE bool put_text(struct csv_rows *rows, uint32_t index, const uint8_t *text, size_t size)
{
    if (LIKELY(size <= CSV_TEXT_SHORT) && LIKELY(csv_put_short_text(rows, index, text, size))) return true;
    struct column *column = &rows->columns[index];
    uint32_t row = rows->row;
    size_t start = (size_t)column->offsets[row], end = start + size;
    if (UNLIKELY(end > rows->room[index]) && !grow_text(rows, index, end)) return false;
    memcpy(column->data + start, text, size);
    column->offsets[row + 1] = (int32_t)end;
    return true;
}

bool csv_put_text(struct csv_rows *rows, uint32_t index, const uint8_t *text, size_t size)
{
    return put_text(rows, index, text, size);
}

/* The words true and false in any case; no branch on which, nobody can foretell it. */
static ALWAYS_INLINE bool put_boolean(struct column *column, uint32_t row, const uint8_t *text, size_t size)
{
    const uint32_t small = 0x20202020;
    if (size - 4 > 1) return false;
    bool yes = (size == 4) & ((load_32(text) | small) == 0x65757274);                             /* "true" */
    bool no = (size == 5) & ((load_32(text + 1) | small) == 0x65736c61) & ((*text | 0x20) == 'f'); /* f "alse" */
    uint8_t *byte = (uint8_t *)column->values + (row >> 3);
    *byte = (uint8_t)((*byte & ~(1u << (row & 7))) | (unsigned)yes << (row & 7));
    return yes | no;
}

static ALWAYS_INLINE bool put_integer(struct column *column, uint32_t row, enum csv_target_kind kind, const uint8_t *text, size_t size)
{
    int64_t value;
    if (!parse_integer(text, size, &value)) return false;
    switch (kind) {
    case CSV_TINYINT: ((int8_t *)column->values)[row] = (int8_t)value; return value == (int8_t)value;
    case CSV_SMALLINT: ((int16_t *)column->values)[row] = (int16_t)value; return value == (int16_t)value;
    case CSV_INT: ((int32_t *)column->values)[row] = (int32_t)value; return value == (int32_t)value;
    default: ((int64_t *)column->values)[row] = value; return true;
    }
}

static ALWAYS_INLINE bool convert(struct csv_rows *rows, const struct csv_target *target, const uint8_t *text, size_t size)
{
    struct column *column = &rows->columns[target->column];
    const struct csv_settings *settings = rows->settings;
    uint32_t row = rows->row;
    switch (target->kind) {
    case CSV_TINYINT: return put_integer(column, row, CSV_TINYINT, text, size);
    case CSV_SMALLINT: return put_integer(column, row, CSV_SMALLINT, text, size);
    case CSV_INT: return put_integer(column, row, CSV_INT, text, size);
    case CSV_BIGINT: return put_integer(column, row, CSV_BIGINT, text, size);
    case CSV_FLOAT: return put_float(rows, text, size, (float *)column->values + row);
    case CSV_DOUBLE: return put_double(rows, text, size, (double *)column->values + row);
    case CSV_DATE: return parse_date(settings, text, size, (int32_t *)column->values + row);
    case CSV_TIMESTAMP: return parse_timestamp(settings, text, size, (int64_t *)column->values + row);
    case CSV_TIMESTAMP_NTZ: return parse_timestamp_ntz(settings, text, size, (int64_t *)column->values + row);
    case CSV_DECIMAL: return put_decimal(settings, target, text, size, (uint8_t *)column->values + 16 * (size_t)row);
    case CSV_BOOLEAN: return put_boolean(column, row, text, size);
    default: return true;
    }
}

/* Too large for its type, or no number: rounded far to the left of the point any number fits. */
static enum condition decimal_fault(const struct csv_settings *settings, const uint8_t *text, size_t size)
{
    enum { FAR_LEFT = INT32_MIN / 2 };
    int128 value;
    if (parse_decimal_locale((const char *)text, size, settings->locale, 38, FAR_LEFT, &value)) return COND_NUMERIC_OUT_OF_RANGE;
    return settings->locale ? COND_CANNOT_PARSE_DECIMAL : COND_MALFORMED_RECORD;
}

/* COND_MALFORMED_RECORD: Spark has no name for it, as with integers and with what goes by a pattern. */
static NO_INLINE enum condition fault_of(const struct csv_settings *settings, enum csv_target_kind kind, const uint8_t *text, size_t size)
{
    switch (kind) {
    case CSV_DECIMAL: return decimal_fault(settings, text, size);
    case CSV_TIMESTAMP: return settings->timestamp ? COND_MALFORMED_RECORD : COND_CAST_INVALID_INPUT;
    case CSV_DATE: return settings->date || settings->prefer_date ? COND_MALFORMED_RECORD : COND_CAST_INVALID_INPUT;
    default: return COND_MALFORMED_RECORD;
    }
}

bool csv_put(struct csv_rows *rows, const struct csv_target *target, const uint8_t *text, size_t size)
{
    if (target->kind == CSV_SKIP) return true;
    if (csv_is_null_value(rows->settings, text, size)) {
        csv_put_null(rows, target->column);
        return true;
    }
    if (target->kind == CSV_TEXT) return put_text(rows, target->column, text, size);
    if (convert(rows, target, text, size)) return true;
    if (rows->settings->mode == MODE_FAILFAST && rows->bad == COND_NONE) rows->bad = fault_of(rows->settings, target->kind, text, size);
    csv_put_null(rows, target->column);
    return false;
}
