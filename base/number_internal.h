/* number_internal -- the powers of ten that reading and printing of floating point share. */
#pragma once
#include "base/number.h"

enum { POWER_OF_TEN_MIN = -342, POWER_OF_TEN_MAX = 324 };

struct power_of_ten {
    uint64_t high, low;
};

/* 10^k as a 128-bit fraction with its top bit set, rounded up. */
extern const struct power_of_ten power_of_ten_table[POWER_OF_TEN_MAX - POWER_OF_TEN_MIN + 1];

static inline struct power_of_ten power_of_ten(int k) { return power_of_ten_table[k - POWER_OF_TEN_MIN]; }

/* A number as text: sign, up to 19 significant digits, and what was left out. */
struct decimal_parts {
    const char *digits;   /* First digit of the text; a point may lie among them. */
    size_t digits_size;   /* Bytes from there to the last digit. */
    uint64_t mantissa;    /* The first 19 significant digits. */
    int64_t exponent;     /* Value is mantissa * 10^exponent, plus what was cut. */
    bool negative;
    bool cut;             /* There are non-zero digits behind the 19th. */
};

/* Rounds exactly where 19 digits cannot decide. `guess` is within a few units of the result, both as bits of
 * the IEEE format with `mantissa_bits` stored bits. */
uint64_t number_round_exactly(const struct decimal_parts *parts, uint64_t guess, int mantissa_bits);
