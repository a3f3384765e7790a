/* number -- text <-> integers, doubles, decimals, without locale and without allocation.
 *
 * Reading functions take exactly the bytes given (no trimming unless the name says so) and return
 * false where the text is not of the form; they never look past `size`. Printing functions return
 * the count of bytes written, without a NUL. */
#pragma once
#include "base/attr.h"
#include "base/bytes.h"

typedef __int128 int128;
typedef unsigned __int128 uint128;

/* [+-]?[0-9]+ in ASCII, range-checked. (Java Long.parseLong without other Unicode digits.) */
bool parse_int64(const char *text, size_t size, int64_t *out);
/* The same with all Unicode decimal digits (CSV's Java parsers take them). */
bool parse_int64_java(const char *text, size_t size, int64_t *out);
/* The decimal digit at *at (before end), ASCII or other Unicode, and steps behind it; -1: none. */
int parse_unicode_digit(const char **at, const char *end);

/* JSON number grammar or a superset that the caller has already validated: [-+]?digits[.digits][eE[+-]digits].
 * Correctly rounded (Eisel-Lemire, slow path for the rest); overflow gives infinity. ~20 ns a value. */
bool parse_double(const char *text, size_t size, double *out);
bool parse_float(const char *text, size_t size, float *out); /* Rounded once, to float. */
double double_of_decimal(uint64_t mantissa, int exponent); /* The double nearest to mantissa * 10^exponent. */
/* Java's Double.parseDouble: trims bytes <= ' ', takes NaN, Infinity, suffix dDfF, hex floats. */
bool parse_double_java(const char *text, size_t size, double *out);
bool parse_float_java(const char *text, size_t size, float *out);

/* Java BigDecimal grammar -> unscaled value at `scale`, HALF_UP; false if malformed; *overflow set when
 * it does not fit `precision` digits (then out is undefined and false is returned). No commas. */
bool parse_decimal(const char *text, size_t size, int precision, int scale, int128 *out, bool *overflow);

/* A decimal as Spark reads it in JSON strings and CSV fields: en-US deletes commas and takes what BigDecimal
 * takes; other locales go by their own separators (de-DE: "1.234,56"), without exponent signs or a leading '+'.
 * False: malformed, or too large. A language that is not known reads as Java's root locale:
 * ',' groups, '.' is the point. */
bool parse_decimal_locale(const char *text, size_t size, const char *locale, int precision, int scale, int128 *out);

#define INT64_TEXT_MAX 20
#define DOUBLE_TEXT_MAX 32
#define DECIMAL_TEXT_MAX 48
size_t print_int64(int64_t value, char *out);
size_t print_double_java(double value, char *out); /* Double.toString of Java 19+: shortest digits, 1.0E10. */
size_t print_float_java(float value, char *out);
size_t print_double_json(double value, char *out); /* Shortest round-trip, any JSON reader takes it. */
size_t print_decimal_plain(int128 unscaled, int scale, char *out);       /* 1.10, never an exponent. */
size_t print_decimal_java(int128 unscaled, int scale, char *out);        /* BigDecimal.toString: 1.000E-7, 0E-10. */
