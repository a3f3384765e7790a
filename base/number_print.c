/* number_print -- integers and floating point to text.
 *
 * Floating point: the shortest decimal that reads back as the same value (Schubfach, Raffaello Giulietti's
 * "The Schubfach way to render doubles"), with Java's rule of at least two digits, so that the smallest
 * double is 4.9E-324. Java's layout: plain from 1e-3 up to 1e7, otherwise d.dE[-]n. */
#include "base/number_internal.h"
#include <math.h>

static const char digit_pairs[] =
    "00010203040506070809101112131415161718192021222324252627282930313233343536373839404142434445464748495051525354555657585960"
    "61626364656667686970717273747576777879808182838485868788899091929394959697989900";

static ALWAYS_INLINE unsigned decimal_length(uint64_t value)
{
    unsigned length = 1;
    for (;;) {
        if (value < 10)
            return length;
        if (value < 100)
            return length + 1;
        if (value < 1000)
            return length + 2;
        if (value < 10000)
            return length + 3;
        value /= 10000;
        length += 4;
    }
}

/* Exactly `length` digits of value, with leading zeros. */
static ALWAYS_INLINE void print_digits(uint64_t value, char *out, unsigned length)
{
    while (length >= 2) {
        memcpy(out + length - 2, digit_pairs + 2 * (value % 100), 2);
        value /= 100;
        length -= 2;
    }
    if (length)
        out[0] = (char)('0' + value % 10);
}

size_t print_int64(int64_t value, char *out)
{
    uint64_t magnitude = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
    size_t sign = value < 0;
    if (sign)
        out[0] = '-';
    unsigned length = decimal_length(magnitude);
    print_digits(magnitude, out + sign, length);
    return sign + length;
}

struct shortest {
    uint64_t digits;
    int exponent; /* Value is digits * 10^exponent. */
};

/* floor(power * factor / 2^128), its lowest bit set where that was not exact. */
static ALWAYS_INLINE uint64_t round_to_odd(struct power_of_ten power, uint64_t factor)
{
    uint128 low = (uint128)power.low * factor;
    uint128 high = (uint128)power.high * factor + (uint64_t)(low >> 64);
    return (uint64_t)(high >> 64) | ((uint64_t)high > 1);
}

/* value = mantissa * 2^exponent; closer: the neighbour below is at half the distance (mantissa is a power of two). */
static struct shortest shortest_decimal(uint64_t mantissa, int exponent, bool closer)
{
    bool odd = mantissa & 1;
    int ten = (exponent * 1262611 - (closer ? 524031 : 0)) >> 22; /* floor(log10(2^exponent)), of 3/4 of it if closer. */
    int shift = exponent + ((-ten * 1741647) >> 19) + 1;
    struct power_of_ten power = power_of_ten(-ten);
    uint64_t lower = round_to_odd(power, (4 * mantissa - 2 + closer) << shift) + odd;
    uint64_t value = round_to_odd(power, (4 * mantissa) << shift);
    uint64_t upper = round_to_odd(power, (4 * mantissa + 2) << shift) - odd;
    uint64_t s = value / 4;
    if (s >= 100) { /* From 10 on would be shorter still, but Java wants two digits. */
        uint64_t tens = s / 10;
        bool below = lower <= 40 * tens, above = 40 * tens + 40 <= upper;
        if (below != above)
            return (struct shortest){tens + above, ten + 1};
    }
    bool below = lower <= 4 * s, above = 4 * s + 4 <= upper;
    if (below != above)
        return (struct shortest){s + above, ten};
    uint64_t middle = 4 * s + 2;
    bool up = value > middle || (value == middle && (s & 1));
    return (struct shortest){s + up, ten};
}

/* Bits of a positive, finite, non-zero number to its shortest decimal, without trailing zeros. */
static struct shortest shortest_of_bits(uint64_t bits, int mantissa_bits)
{
    int bias = mantissa_bits == 52 ? 1075 : 150;
    uint64_t hidden = (uint64_t)1 << mantissa_bits;
    uint64_t mantissa = bits & (hidden - 1);
    int stored = (int)(bits >> mantissa_bits), exponent = stored ? stored - bias : 1 - bias;
    struct shortest result;
    if (stored == 0 && mantissa < (mantissa_bits == 52 ? 3 : 8)) {
        result = shortest_decimal(10 * mantissa, exponent, false); /* So small that one digit would do. */
        result.exponent--;
    } else {
        bool closer = mantissa == 0 && stored > 1;
        if (stored)
            mantissa |= hidden;
        if (exponent <= 0 && exponent > -64 && (mantissa & (((uint64_t)1 << -exponent) - 1)) == 0)
            result = (struct shortest){mantissa >> -exponent, 0}; /* A whole number. */
        else
            result = shortest_decimal(mantissa, exponent, closer);
    }
    while (result.digits % 10 == 0) {
        result.digits /= 10;
        result.exponent++;
    }
    return result;
}

/* Java's layout of digits * 10^exponent. */
static size_t layout_java(struct shortest value, char *out)
{
    char digits[24];
    unsigned length = decimal_length(value.digits);
    print_digits(value.digits, digits, length);
    int point = (int)length + value.exponent; /* Digits in front of the point. */
    char *p = out;
    if (point > 0 && point <= 7) {
        unsigned whole = (unsigned)point < length ? (unsigned)point : length;
        memcpy(p, digits, whole);
        p += whole;
        for (int i = (int)length; i < point; i++)
            *p++ = '0';
        *p++ = '.';
        if (whole == length)
            *p++ = '0';
        memcpy(p, digits + whole, length - whole);
        return (size_t)(p + (length - whole) - out);
    }
    if (point <= 0 && point > -3) {
        memcpy(p, "0.00", 4);
        p += 2 - point;
        memcpy(p, digits, length);
        return (size_t)(p + length - out);
    }
    *p++ = digits[0];
    *p++ = '.';
    if (length == 1)
        *p++ = '0';
    memcpy(p, digits + 1, length - 1);
    p += length - 1;
    *p++ = 'E';
    return (size_t)(p - out) + print_int64(point - 1, p);
}

static size_t print_special(bool nan, bool negative, char *out)
{
    const char *text = nan ? "NaN" : negative ? "-Infinity" : "Infinity";
    size_t size = strlen(text);
    memcpy(out, text, size);
    return size;
}

static size_t print_bits(uint64_t bits, bool negative, int mantissa_bits, char *out)
{
    size_t sign = negative;
    if (sign)
        out[0] = '-';
    if (bits == 0) {
        memcpy(out + sign, "0.0", 3);
        return sign + 3;
    }
    return sign + layout_java(shortest_of_bits(bits, mantissa_bits), out + sign);
}

size_t print_double_java(double value, char *out)
{
    if (UNLIKELY(!isfinite(value)))
        return print_special(isnan(value), value < 0, out);
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    return print_bits(bits & INT64_MAX, bits >> 63, 52, out);
}

size_t print_float_java(float value, char *out)
{
    if (UNLIKELY(!isfinite(value)))
        return print_special(isnan(value), value < 0, out);
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return print_bits(bits & INT32_MAX, bits >> 31, 23, out);
}

size_t print_double_json(double value, char *out)
{
    return print_double_java(value, out); /* 1.0E10 is JSON's grammar too; NaN and Infinity are the caller's to quote. */
}

/* Digits of a 128-bit magnitude; returns their count. */
static unsigned print_uint128(uint128 value, char *out)
{
    const uint64_t ten_18 = 1000000000000000000u;
    if (value < ten_18) {
        unsigned length = decimal_length((uint64_t)value);
        print_digits((uint64_t)value, out, length);
        return length;
    }
    unsigned length = print_uint128(value / ten_18, out);
    print_digits((uint64_t)(value % ten_18), out + length, 18);
    return length + 18;
}

static unsigned print_magnitude(int128 value, char *digits)
{
    return print_uint128(value < 0 ? -(uint128)value : (uint128)value, digits);
}

/* digits with `scale` of them behind the point; zeros in front where there are fewer. */
static size_t layout_plain(const char *digits, unsigned length, unsigned scale, char *out)
{
    char *p = out;
    if (scale == 0) {
        memcpy(p, digits, length);
        return length;
    }
    if (length > scale) {
        memcpy(p, digits, length - scale);
        p += length - scale;
        digits += length - scale;
        length = scale;
    } else {
        *p++ = '0';
    }
    *p++ = '.';
    for (unsigned i = length; i < scale; i++)
        *p++ = '0';
    memcpy(p, digits, length);
    return (size_t)(p + length - out);
}

size_t print_decimal_plain(int128 unscaled, int scale, char *out)
{
    char digits[40];
    unsigned length = print_magnitude(unscaled, digits);
    size_t sign = unscaled < 0;
    if (sign)
        out[0] = '-';
    return sign + layout_plain(digits, length, (unsigned)scale, out + sign);
}

size_t print_decimal_java(int128 unscaled, int scale, char *out)
{
    char digits[40];
    unsigned length = print_magnitude(unscaled, digits);
    size_t sign = unscaled < 0;
    if (sign)
        out[0] = '-';
    int exponent = (int)length - 1 - scale;
    if (exponent >= -6)
        return sign + layout_plain(digits, length, (unsigned)scale, out + sign);
    char *p = out + sign;
    *p++ = digits[0];
    if (length > 1) {
        *p++ = '.';
        memcpy(p, digits + 1, length - 1);
        p += length - 1;
    }
    *p++ = 'E';
    return (size_t)(p - out) + print_int64(exponent, p);
}
