/* number_parse -- text to integers and floating point.
 *
 * Doubles: the digits are gathered into 64 bits; small ones are one exact multiplication or division
 * (Clinger), the rest Eisel-Lemire with one or two 64x64 products ("Fast Number Parsing Without
 * Fallback", Mushtak and Lemire). Only texts of more than 19 digits whose cut decides go on to
 * number_exact.c. The same code rounds to float, once. */
#include "base/number_internal.h"
#include <math.h>

const struct power_of_ten power_of_ten_table[POWER_OF_TEN_MAX - POWER_OF_TEN_MIN + 1] = {
#include "base/power_of_ten.inc"
};

/* What differs between double and float. */
struct binary_format {
    int mantissa_bits;      /* Stored ones. */
    int exponent_minimum;
    int exponent_infinite;  /* Stored exponent of infinity. */
    int ten_minimum;        /* Smaller powers of ten give zero for every 64-bit mantissa, */
    int ten_maximum;        /* larger ones infinity. */
    int even_minimum;       /* Ties are possible only for powers of ten */
    int even_maximum;       /* in this range. */
};

static const struct binary_format format_double = {52, -1023, 0x7FF, -342, 308, -4, 23};
static const struct binary_format format_float = {23, -127, 0xFF, -65, 38, -17, 10};

static ALWAYS_INLINE bool is_digit(char c) { return (unsigned char)(c - '0') < 10; }

bool parse_int64(const char *text, size_t size, int64_t *out)
{
    const char *p = text, *end = text + size;
    bool negative = p < end && *p == '-';
    if (p < end && (*p == '-' || *p == '+'))
        p++;
    if (p == end)
        return false;
    uint64_t value = 0;
    uint64_t limit = (uint64_t)INT64_MAX + negative;
    for (; p < end; p++) {
        if (!is_digit(*p))
            return false;
        uint64_t digit = (uint64_t)(*p - '0');
        if (value > (limit - digit) / 10)
            return false;
        value = value * 10 + digit;
    }
    *out = negative ? (int64_t)(0 - value) : (int64_t)value;
    return true;
}

/* Unicode's decimal digits (category Nd): the code points of their zeros, ascending. */
static const uint32_t digit_zeros[] = {
    0x30, 0x660, 0x6F0, 0x7C0, 0x966, 0x9E6, 0xA66, 0xAE6, 0xB66, 0xBE6, 0xC66, 0xCE6, 0xD66, 0xDE6, 0xE50, 0xED0,
    0xF20, 0x1040, 0x1090, 0x17E0, 0x1810, 0x1946, 0x19D0, 0x1A80, 0x1A90, 0x1B50, 0x1BB0, 0x1C40, 0x1C50, 0xA620,
    0xA8D0, 0xA900, 0xA9D0, 0xA9F0, 0xAA50, 0xABF0, 0xFF10,
};

/* Decodes one code point of at most three bytes; 0 where there is none. */
static uint32_t next_code_point(const char **at, const char *end)
{
    const unsigned char *p = (const unsigned char *)*at;
    size_t left = (size_t)(end - *at);
    if (p[0] < 0x80) {
        *at += 1;
        return p[0];
    }
    if ((p[0] & 0xE0) == 0xC0 && left >= 2 && (p[1] & 0xC0) == 0x80) {
        *at += 2;
        return (uint32_t)(p[0] & 0x1F) << 6 | (p[1] & 0x3F);
    }
    if ((p[0] & 0xF0) == 0xE0 && left >= 3 && (p[1] & 0xC0) == 0x80 && (p[2] & 0xC0) == 0x80) {
        *at += 3;
        return (uint32_t)(p[0] & 0x0F) << 12 | (uint32_t)(p[1] & 0x3F) << 6 | (p[2] & 0x3F);
    }
    return 0;
}

int parse_unicode_digit(const char **at, const char *end)
{
    if (is_digit(**at))
        return *(*at)++ - '0';
    const char *p = *at;
    uint32_t code = next_code_point(&p, end);
    for (size_t i = 1; i < COUNTOF(digit_zeros); i++) {
        if (code >= digit_zeros[i] && code < digit_zeros[i] + 10) {
            *at = p;
            return (int)(code - digit_zeros[i]);
        }
    }
    return -1;
}

bool parse_int64_java(const char *text, size_t size, int64_t *out)
{
    if (parse_int64(text, size, out))
        return true;
    char ascii[64];
    size_t count = 0;
    int value = 0; /* Not 0: a digit other than 0 came. */
    const char *p = text, *end = text + size;
    if (p < end && (*p == '-' || *p == '+'))
        ascii[count++] = *p++;
    while (p < end) {
        int digit = parse_unicode_digit(&p, end);
        if (digit < 0)
            return false;
        if (count == sizeof ascii) { /* Leading zeros may be many. */
            if (value > 0 || digit > 0)
                return false;
            continue;
        }
        value |= digit;
        ascii[count++] = (char)('0' + digit);
    }
    return parse_int64(ascii, count, out);
}

/* Eisel-Lemire. mantissa is exact; the result is rounded to nearest, ties to even; bits without sign. */
static uint64_t round_to_binary(uint64_t mantissa, int64_t ten, const struct binary_format *format)
{
    const uint64_t infinity = (uint64_t)format->exponent_infinite << format->mantissa_bits;
    if (mantissa == 0 || ten < format->ten_minimum)
        return 0;
    if (ten > format->ten_maximum)
        return infinity;
    int zeros = __builtin_clzll(mantissa);
    uint64_t shifted = mantissa << zeros;
    struct power_of_ten power = power_of_ten((int)ten);
    if (ten > 55 || ten < -27)
        power.low--; /* Inexact ones are wanted rounded down. (No low is 0 there.) */
    uint128 product = (uint128)shifted * power.high;
    uint64_t high = (uint64_t)(product >> 64), low = (uint64_t)product;
    uint64_t mask = UINT64_MAX >> (format->mantissa_bits + 3);
    if ((high & mask) == mask) {
        uint64_t more = (uint64_t)(((uint128)shifted * power.low) >> 64);
        low += more;
        if (more > low)
            high++;
    }
    int upper = (int)(high >> 63);
    int shift = upper + 64 - format->mantissa_bits - 3;
    uint64_t result = high >> shift;
    int exponent = (int)((217706 * ten) >> 16) + 63 + upper - zeros - format->exponent_minimum;
    if (exponent <= 0) { /* Subnormal, or nearly. */
        if (1 - exponent >= 64)
            return 0;
        result >>= 1 - exponent;
        result += result & 1;
        return result >> 1; /* A carry into the exponent's bit makes it the smallest normal one. */
    }
    bool tie = low <= 1 && ten >= format->even_minimum && ten <= format->even_maximum && (result & 3) == 1;
    if (tie && result << shift == high)
        result &= ~(uint64_t)1;
    result += result & 1;
    result >>= 1;
    if (result >> (format->mantissa_bits + 1)) {
        result >>= 1;
        exponent++;
    }
    if (exponent >= format->exponent_infinite)
        return infinity;
    result &= ~((uint64_t)1 << format->mantissa_bits);
    return (uint64_t)exponent << format->mantissa_bits | result;
}

/* [eE][+-]?digits up to `end`; adds to *exponent. Saturates far outside of what any format holds. */
static bool parse_exponent(const char *p, const char *end, int64_t *exponent)
{
    bool negative = false;
    p++;
    if (p < end && (*p == '-' || *p == '+'))
        negative = *p++ == '-';
    if (p == end)
        return false;
    int64_t value = 0;
    for (; p < end; p++) {
        if (!is_digit(*p))
            return false;
        if (value < 1000000000000)
            value = value * 10 + (*p - '0');
    }
    *exponent += negative ? -value : value;
    return true;
}

/* More than 19 digits: takes the first 19 significant ones. */
static NO_INLINE void take_digits(struct decimal_parts *parts, const char *point)
{
    const char *p = parts->digits, *end = p + parts->digits_size;
    uint64_t mantissa = 0;
    int taken = 0;
    int64_t exponent = 0;
    bool behind_point = false;
    for (; p < end; p++) {
        if (p == point) {
            behind_point = true;
            continue;
        }
        unsigned digit = (unsigned)(*p - '0');
        if (taken == 0 && digit == 0) {
            exponent -= behind_point;
            continue;
        }
        if (taken < 19) {
            mantissa = mantissa * 10 + digit;
            taken++;
            exponent -= behind_point;
        } else {
            parts->cut |= digit != 0;
            exponent += !behind_point;
        }
    }
    parts->mantissa = mantissa;
    parts->exponent = exponent;
}

static ALWAYS_INLINE bool scan_decimal(const char *text, size_t size, struct decimal_parts *parts)
{
    const char *p = text, *end = text + size, *point = NULL;
    parts->negative = p < end && *p == '-';
    if (p < end && (*p == '-' || *p == '+'))
        p++;
    parts->digits = p;
    parts->cut = false;
    uint64_t mantissa = 0;
    while (p < end && is_digit(*p))
        mantissa = mantissa * 10 + (uint64_t)(*p++ - '0');
    size_t count = (size_t)(p - parts->digits);
    int64_t exponent = 0;
    if (p < end && *p == '.') {
        point = p++;
        while (p < end && is_digit(*p))
            mantissa = mantissa * 10 + (uint64_t)(*p++ - '0');
        exponent = -(int64_t)(p - point - 1);
        count += (size_t)(p - point - 1);
    }
    if (count == 0)
        return false;
    parts->digits_size = (size_t)(p - parts->digits);
    parts->mantissa = mantissa;
    parts->exponent = exponent;
    if (UNLIKELY(count > 19))
        take_digits(parts, point);
    if (p == end)
        return true;
    return (*p == 'e' || *p == 'E') && parse_exponent(p, end, &parts->exponent);
}

static uint64_t decimal_to_binary(const struct decimal_parts *parts, const struct binary_format *format)
{
    uint64_t bits = round_to_binary(parts->mantissa, parts->exponent, format);
    if (LIKELY(!parts->cut) || bits == round_to_binary(parts->mantissa + 1, parts->exponent, format))
        return bits;
    return number_round_exactly(parts, bits, format->mantissa_bits);
}

static double double_of_bits(uint64_t bits)
{
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

double double_of_decimal(uint64_t mantissa, int exponent)
{
    return double_of_bits(round_to_binary(mantissa, exponent, &format_double));
}

bool parse_double(const char *text, size_t size, double *out)
{
    static const double exact[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                                   1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
    struct decimal_parts parts;
    if (!scan_decimal(text, size, &parts))
        return false;
    double value;
    if (LIKELY(parts.mantissa <= (uint64_t)1 << 53 && parts.exponent >= -22 && parts.exponent <= 22 && !parts.cut)) {
        value = (double)parts.mantissa;
        value = parts.exponent < 0 ? value / exact[-parts.exponent] : value * exact[parts.exponent];
    } else {
        value = double_of_bits(decimal_to_binary(&parts, &format_double));
    }
    *out = parts.negative ? -value : value;
    return true;
}

bool parse_float(const char *text, size_t size, float *out)
{
    struct decimal_parts parts;
    if (!scan_decimal(text, size, &parts))
        return false;
    uint32_t bits = (uint32_t)decimal_to_binary(&parts, &format_float);
    float value;
    memcpy(&value, &bits, sizeof value);
    *out = parts.negative ? -value : value;
    return true;
}

static void trim_blanks(const char **text, size_t *size)
{
    while (*size && (unsigned char)(*text)[0] <= ' ') {
        (*text)++;
        (*size)--;
    }
    while (*size && (unsigned char)(*text)[*size - 1] <= ' ')
        (*size)--;
}

static bool parse_word(const char *text, size_t size, double *out)
{
    size_t sign = size && (text[0] == '-' || text[0] == '+');
    struct slice word = slice_of(text + sign, size - sign);
    if (slice_equal(word, slice_text("NaN")))
        *out = NAN;
    else if (slice_equal(word, slice_text("Infinity")))
        *out = text[0] == '-' ? -INFINITY : INFINITY;
    else
        return false;
    return true;
}

static int hex_digit(char c)
{
    if (is_digit(c))
        return c - '0';
    char lower = (char)(c | 0x20);
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

/* Digits of a hex float: the first 60 bits, the power of two, and whether something was cut. */
static bool scan_hex(const char **at, const char *end, uint64_t *mantissa, int64_t *exponent, bool *cut)
{
    bool any = false, behind_point = false;
    for (; *at < end; (*at)++) {
        if (**at == '.' && !behind_point) {
            behind_point = true;
            continue;
        }
        int digit = hex_digit(**at);
        if (digit < 0)
            break;
        any = true;
        if (*mantissa >> 60) {
            *cut |= digit != 0;
            *exponent += behind_point ? 0 : 4;
        } else {
            *mantissa = *mantissa << 4 | (uint64_t)digit;
            *exponent -= behind_point ? 4 : 0;
        }
    }
    return any;
}

/* [+-]?0x hex [. hex] p [+-]? digits, rounded to the format's precision, ties to even. */
static bool parse_hex(const char *text, size_t size, const struct binary_format *format, double *out)
{
    const char *p = text, *end = text + size;
    bool negative = p < end && *p == '-', cut = false;
    if (p < end && (*p == '-' || *p == '+'))
        p++;
    if (end - p < 3 || p[0] != '0' || (p[1] | 0x20) != 'x')
        return false;
    p += 2;
    uint64_t mantissa = 0;
    int64_t exponent = 0;
    if (!scan_hex(&p, end, &mantissa, &exponent, &cut) || p == end || (*p | 0x20) != 'p' || !parse_exponent(p, end, &exponent))
        return false;
    if (mantissa == 0) {
        *out = negative ? -0.0 : 0.0;
        return true;
    }
    int zeros = __builtin_clzll(mantissa);
    mantissa <<= zeros;
    exponent += 63 - zeros; /* Value is 1.fraction * 2^exponent. */
    int64_t lowest = format->exponent_minimum + 1;
    int keep = format->mantissa_bits + 1;
    if (exponent < lowest)
        keep = lowest - exponent > keep + 1 ? -1 : keep - (int)(lowest - exponent);
    if (keep < 0) {
        *out = negative ? -0.0 : 0.0;
        return true;
    }
    uint64_t kept = keep ? mantissa >> (64 - keep) : 0;
    uint64_t rest = keep ? mantissa << keep : mantissa;
    uint64_t half = (uint64_t)1 << 63;
    if (rest > half || (rest == half && (cut || (kept & 1))))
        kept++;
    double value = ldexp((double)kept, exponent > 5000 ? 5000 : (int)(exponent - keep + 1));
    if (format->mantissa_bits == 23 && value >= 0x1p128)
        value = INFINITY;
    *out = negative ? -value : value;
    return true;
}

/* Takes off trimmed blanks and one of dDfF; false where a word or hex decided (*done tells how). */
static bool java_number(const char **text, size_t *size, const struct binary_format *format, bool *done, double *out)
{
    trim_blanks(text, size);
    *done = true;
    if (*size == 0)
        return false;
    if (parse_word(*text, *size, out))
        return true;
    char last = (char)((*text)[*size - 1] | 0x20);
    bool hex = memchr(*text, 'x', *size) || memchr(*text, 'X', *size);
    if (last == 'd' || last == 'f')
        (*size)--;
    if (hex)
        return parse_hex(*text, *size, format, out);
    *done = false;
    return true;
}

bool parse_double_java(const char *text, size_t size, double *out)
{
    bool done;
    if (!java_number(&text, &size, &format_double, &done, out))
        return false;
    return done || parse_double(text, size, out);
}

bool parse_float_java(const char *text, size_t size, float *out)
{
    bool done;
    double value;
    if (!java_number(&text, &size, &format_float, &done, &value))
        return false;
    if (!done)
        return parse_float(text, size, out);
    *out = (float)value;
    return true;
}
