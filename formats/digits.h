/* digits -- numbers eight digits at a time, dates and clocks of the usual form: what the fast paths of readers share.
 *
 * All of this reads past what it looks for, never more than 64 bytes behind the text. */
#pragma once
#include "base/attr.h"

#include <string.h>

static ALWAYS_INLINE uint64_t load_64(const uint8_t *p)
{
    uint64_t word;
    memcpy(&word, p, 8);
    return word;
}

static ALWAYS_INLINE uint32_t load_32(const uint8_t *p)
{
    uint32_t word;
    memcpy(&word, p, 4);
    return word;
}

/* Numbers ----------------------------------------------------------------------------------- */

/* How many of the eight bytes are digits before the first that is none, and their value. */
static ALWAYS_INLINE unsigned leading_digits(uint64_t word, uint64_t *value)
{
    uint64_t digits = word ^ UINT64_C(0x3030303030303030);
    uint64_t others = ((digits + UINT64_C(0x7676767676767676)) | digits) & UINT64_C(0x8080808080808080);
    unsigned count = others ? (unsigned)__builtin_ctzll(others) / 8 : 8;
    if (count == 0) return *value = 0, 0u;
    digits <<= 64 - 8 * count; /* Leading zeros in front. */
    digits = ((digits & UINT64_C(0x0f0f0f0f0f0f0f0f)) * 2561) >> 8;
    digits = ((digits & UINT64_C(0x00ff00ff00ff00ff)) * 6553601) >> 16;
    *value = ((digits & UINT64_C(0x0000ffff0000ffff)) * UINT64_C(42949672960001)) >> 32;
    return count;
}

static UNUSED const uint64_t powers_of_ten[] = {
    1, 10, 100, 1000, 10000, 100000, 1000000, 10000000, 100000000, 1000000000, UINT64_C(10000000000), UINT64_C(100000000000),
    UINT64_C(1000000000000), UINT64_C(10000000000000), UINT64_C(100000000000000), UINT64_C(1000000000000000),
    UINT64_C(10000000000000000), UINT64_C(100000000000000000), UINT64_C(1000000000000000000),
};
static UNUSED const double real_powers_of_ten[] = {1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};

struct fast_number {
    uint64_t mantissa; /* Unless big. */
    int32_t exponent;  /* Value is mantissa * 10^exponent. */
    uint32_t digits;   /* Of the text, leading and trailing zeros too; without those of the exponent. */
    bool negative, integer;
    bool big;          /* More than 18 digits. */
};

static ALWAYS_INLINE const uint8_t *fast_digits(const uint8_t *p, struct fast_number *number)
{
    uint64_t value;
    unsigned count = leading_digits(load_64(p), &value);
    number->mantissa = number->mantissa * powers_of_ten[count] + value;
    p += count;
    number->digits += count;
    while (UNLIKELY(count == 8)) {
        count = leading_digits(load_64(p), &value);
        number->mantissa = number->mantissa * powers_of_ten[count] + value;
        p += count;
        number->digits += count;
    }
    return p;
}

/* Adds what stands behind the `e` at p to the number's exponent; NULL: that is no exponent, or one of very many digits. Four say enough: that is past
 * all limits. */
static ALWAYS_INLINE const uint8_t *add_exponent(const uint8_t *p, struct fast_number *number)
{
    p++;
    bool negative = *p == '-';
    p += (*p == '-') | (*p == '+');
    const uint8_t *start = p;
    int32_t exponent = 0;
    for (; *p >= '0' && *p <= '9'; p++)
        if (exponent < 1000) exponent = exponent * 10 + (*p - '0');
    number->exponent += negative ? -exponent : exponent;
    number->integer = false;
    return p > start && p - start <= 18 ? p : NULL;
}

/* A number of the strict grammar; NULL: it is none. What follows it is for the caller to look at. */
static ALWAYS_INLINE const uint8_t *fast_number(const uint8_t *p, struct fast_number *number)
{
    struct fast_number read = {.integer = true, .negative = *p == '-'};
    p += read.negative;
    const uint8_t *start = p;
    p = fast_digits(p, &read);
    if (UNLIKELY(read.digits == 0 || (*start == '0' && read.digits > 1))) return NULL;
    if (*p == '.') {
        uint32_t whole = read.digits;
        p = fast_digits(p + 1, &read);
        if (UNLIKELY(read.digits == whole)) return NULL;
        read.exponent = -(int32_t)(read.digits - whole);
        read.integer = false;
    }
    read.big = read.digits > 18;
    if (UNLIKELY((*p | 0x20) == 'e')) p = add_exponent(p, &read);
    *number = read;
    return p;
}

/* Signs are as good as random, so no branch on them. */
static ALWAYS_INLINE int64_t apply_sign(uint64_t magnitude, bool negative)
{
    uint64_t mask = (uint64_t)0 - negative;
    return (int64_t)((magnitude ^ mask) - mask);
}

static ALWAYS_INLINE double apply_real_sign(double magnitude, bool negative)
{
    uint64_t bits;
    memcpy(&bits, &magnitude, 8);
    bits |= (uint64_t)negative << 63;
    memcpy(&magnitude, &bits, 8);
    return magnitude;
}

/* Dates ------------------------------------------------------------------------------------- */

/* yyyy-MM-dd from year 1 on; 10 bytes. */
static ALWAYS_INLINE bool fast_date(const uint8_t *p, int32_t *days)
{
    static const uint8_t month_days[13] = {0, 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    uint64_t word = load_64(p);
    if ((word & UINT64_C(0xfff0f0fff0f0f0f0)) != UINT64_C(0x2d30302d30303030)) return false;
    if (((word + UINT64_C(0x0006060006060606)) & UINT64_C(0x00f0f000f0f0f0f0)) != UINT64_C(0x0030300030303030)) return false;
    unsigned tens = p[8] - (unsigned)'0', ones = p[9] - (unsigned)'0';
    if (tens > 3 || ones > 9) return false;
    unsigned year = (p[0] & 15u) * 1000 + (p[1] & 15u) * 100 + (p[2] & 15u) * 10 + (p[3] & 15u);
    unsigned month = (p[5] & 15u) * 10 + (p[6] & 15u), day = tens * 10 + ones;
    if (year < 1 || month - 1 > 11 || day - 1 >= month_days[month]) return false;
    if (month == 2 && day == 29 && (year % 4 || (year % 100 == 0 && year % 400))) return false;
    unsigned shifted = month <= 2 ? year - 1 : year, era = shifted / 400, of_era = shifted - era * 400;
    unsigned of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
    *days = (int32_t)(era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year) - 719468;
    return true;
}

/* HH:mm:ss; 8 bytes. */
static ALWAYS_INLINE bool fast_clock(const uint8_t *p, int64_t *seconds)
{
    uint64_t word = load_64(p);
    if ((word & UINT64_C(0xf0f0fff0f0fff0f0)) != UINT64_C(0x30303a30303a3030)) return false;
    if (((word + UINT64_C(0x0606000606000606)) & UINT64_C(0xf0f000f0f000f0f0)) != UINT64_C(0x3030003030003030)) return false;
    unsigned hour = (p[0] & 15u) * 10 + (p[1] & 15u), minute = (p[3] & 15u) * 10 + (p[4] & 15u), second = (p[6] & 15u) * 10 + (p[7] & 15u);
    *seconds = hour * 3600 + minute * 60 + second;
    return hour < 24 && minute < 60 && second < 60;
}
