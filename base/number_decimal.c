/* number_decimal -- text to decimals: Java's BigDecimal grammar, and DecimalFormat's in other locales. */
#include "base/number_internal.h"
#include <strings.h>

enum { DIGITS_MAX = 38 };

/* Digits as they come, rounded to a scale when all are there. */
struct decimal_text {
    uint128 mantissa;     /* The first 38 significant digits. */
    int taken;            /* How many those are. */
    int64_t exponent;     /* Power of ten of the mantissa's last digit. */
    int next;             /* The digit behind the mantissa's last one, for HALF_UP. */
    bool negative;
};

static void take_digit(struct decimal_text *text, int digit, bool behind_point)
{
    if (text->taken == 0 && digit == 0) {
        text->exponent -= behind_point;
        return;
    }
    if (text->taken < DIGITS_MAX) {
        text->mantissa = text->mantissa * 10 + (unsigned)digit;
        text->exponent -= behind_point;
    } else {
        if (text->taken == DIGITS_MAX)
            text->next = digit;
        text->exponent += !behind_point;
    }
    if (text->taken <= DIGITS_MAX)
        text->taken++;
}

static uint128 power_of_ten_128(int exponent)
{
    static const uint64_t small[] = {1u,
                                     10u,
                                     100u,
                                     1000u,
                                     10000u,
                                     100000u,
                                     1000000u,
                                     10000000u,
                                     100000000u,
                                     1000000000u,
                                     10000000000u,
                                     100000000000u,
                                     1000000000000u,
                                     10000000000000u,
                                     100000000000000u,
                                     1000000000000000u,
                                     10000000000000000u,
                                     100000000000000000u,
                                     1000000000000000000u,
                                     10000000000000000000u};
    return exponent < 20 ? small[exponent] : (uint128)small[19] * small[exponent - 19];
}

/* mantissa * 10^exponent at `scale`, HALF_UP. False: more digits than `precision`. */
static bool round_to_scale(const struct decimal_text *text, int precision, int scale, int128 *out)
{
    uint128 value = text->mantissa;
    int64_t up = text->exponent + scale; /* Powers of ten to multiply by. */
    if (value == 0) {
        *out = 0;
        return true;
    }
    if (up > DIGITS_MAX)
        return false;
    if (up > 0) {
        uint128 limit = power_of_ten_128(DIGITS_MAX - (int)up);
        if (value >= limit || text->taken > DIGITS_MAX)
            return false;
        value *= power_of_ten_128((int)up);
    } else if (up == 0) {
        value += text->next >= 5; /* Only set where there were more than 38 digits. */
    } else if (up < -DIGITS_MAX) {
        value = 0;
    } else {
        uint128 divisor = power_of_ten_128((int)-up);
        uint128 rest = value % divisor;
        value /= divisor;
        value += rest >= divisor - rest;
    }
    if (value >= power_of_ten_128(precision))
        return false;
    *out = text->negative ? -(int128)value : (int128)value;
    return true;
}

static ALWAYS_INLINE bool is_digit(char c) { return (unsigned char)(c - '0') < 10; }

/* [+-]?digits to the end, at most ten of them behind leading zeros, within int (BigDecimal's own limits). */
static bool parse_exponent(const char *p, const char *end, int64_t *exponent)
{
    bool negative = p < end && *p == '-';
    if (p < end && (*p == '-' || *p == '+'))
        p++;
    if (p == end)
        return false;
    int64_t value = 0;
    for (; p < end; p++) {
        if (!is_digit(*p))
            return false;
        value = value * 10 + (*p - '0');
        if (value > INT32_MAX)
            return false;
    }
    *exponent += negative ? -value : value;
    return true;
}

/* BigDecimal's grammar; commas are skipped where asked for. */
static bool scan_java(const char *p, const char *end, bool skip_commas, struct decimal_text *text)
{
    while (skip_commas && p < end && *p == ',')
        p++;
    text->negative = p < end && *p == '-';
    if (p < end && (*p == '-' || *p == '+'))
        p++;
    bool any = false, behind_point = false;
    while (p < end) {
        if (is_digit(*p)) {
            take_digit(text, *p++ - '0', behind_point);
            any = true;
        } else if (*p == ',' && skip_commas) {
            p++;
        } else if (*p == '.' && !behind_point) {
            behind_point = true;
            p++;
        } else if (*p == 'e' || *p == 'E') {
            break;
        } else {
            int digit = parse_unicode_digit(&p, end);
            if (digit < 0)
                return false;
            take_digit(text, digit, behind_point);
            any = true;
        }
    }
    if (!any)
        return false;
    if (p == end)
        return true;
    if (!skip_commas || !memchr(p, ',', (size_t)(end - p)))
        return parse_exponent(p + 1, end, &text->exponent);
    char exponent[32];
    size_t size = 0;
    for (p++; p < end; p++) {
        if (*p != ',' && size < sizeof exponent)
            exponent[size++] = *p;
    }
    return size < sizeof exponent && parse_exponent(exponent, exponent + size, &text->exponent);
}

bool parse_decimal(const char *text, size_t size, int precision, int scale, int128 *out, bool *overflow)
{
    struct decimal_text parsed = {0};
    *overflow = false;
    if (!scan_java(text, text + size, false, &parsed))
        return false;
    *overflow = !round_to_scale(&parsed, precision, scale, out);
    return !*overflow;
}

/* Symbols of locales (CLDR 39, as Java 17 has them). A language without a row is like the first. */
struct symbols {
    const char *decimal, *group, *minus, *exponent;
    const char *locales; /* Space-separated; a region's own row goes before its language's. */
};

static const struct symbols symbols_default = {".", ",", "-", "E", ""};
static const struct symbols symbol_rows[] = {
    {",", ".", "-", "E",
     "ast az bs ca da de dsb en-AT en-BE en-DE en-DK en-NL es fr-LU fr-MA fur fy gl hsb ia id is it jgo jv kkj kl km "
     "ku lb ln lo lu mgh mk ms-BN ms-ID mua nl nnh pt qu-BO rn ro rw seh sg sr su sw-CD tr vi wo"},
    {",", ".", "-", "e",
     "el en-SI"},
    {",", ".", "\u200E-", "E",
     "ar-DZ ar-LY ar-MA ar-TN"},
    {",", ".", "\u2212", "E",
     "eu fo hr"},
    {",", ".", "\u2212", "e",
     "sl"},
    {",", "\u00A0", "-", "E",
     "af agq bas be bg br cs de-AT dua dyo en-FI en-ZA eo es-CR ewo ff fr-CA hu hy ka kab kea kk ksf ky lv nmg os pl "
     "pt-AO pt-CH pt-CV pt-GQ pt-GW pt-LU pt-MO pt-MZ pt-PT pt-ST pt-TL ru sah shi smn sq tg tk tt tzm uz yav zgh"},
    {",", "\u00A0", "-", "\u00D710^",
     "en-SE"},
    {",", "\u00A0", "-", "\u0415",
     "uk"},
    {",", "\u00A0", "-", "e",
     "sk"},
    {",", "\u00A0", "\u2212", "E",
     "fi nb nn no"},
    {",", "\u00A0", "\u2212", "\u00B710^",
     "se"},
    {",", "\u00A0", "\u2212", "\u00D710^",
     "et ksh lt sv"},
    {",", "\u2019", "-", "E",
     "wae"},
    {",", "\u202F", "-", "E",
     "fr"},
    {".", ",", "-", "E",
     "es-419 es-BR es-BZ es-CU es-DO es-GT es-HN es-MX es-NI es-PA es-PE es-PR es-SV es-US ff-Adlm sd-Deva"},
    {".", ",", "-", "e",
     "en-AU en-CA"},
    {".", ",", "\u200E-", "E",
     "ar-EH he ur"},
    {".", "\u00A0", "-", "E",
     "dje khq mfe ses twq xh"},
    {".", "\u2019", "-", "E",
     "de-CH de-LI en-CH it-CH"},
    {".", "\u2019", "\u2212", "E",
     "gsw rm"},
    {"\u066B", "\u066C", "\u061C-", "\u0627\u0633",
     "ar sd"},
    {"\u066B", "\u066C", "\u200E-\u200E", "\u00D7\u06F1\u06F0^",
     "ks lrc mzn pa-Arab ps ur-IN uz-Arab"},
    {"\u066B", "\u066C", "\u200E\u2212", "\u00D7\u06F1\u06F0^",
     "fa"},
    {"\u066B", "\u066C", "\u200F-", "\u0627\u0633",
     "ckb"},
};

/* `tag` (size bytes, '_' as good as '-') is one of the words of `list`. */
static bool list_has(const char *list, const char *tag, size_t size)
{
    while (*list) {
        size_t length = strcspn(list, " ");
        bool same = length == size;
        for (size_t i = 0; same && i < size; i++)
            same = strncasecmp(list + i, tag[i] == '_' ? "-" : tag + i, 1) == 0;
        if (same)
            return true;
        list += length + (list[length] == ' ');
    }
    return false;
}

static const struct symbols *symbols_find(const char *locale)
{
    size_t size = strlen(locale), language = strcspn(locale, "-_");
    for (int pass = 0; pass < 2; pass++, size = language) {
        for (size_t i = 0; i < COUNTOF(symbol_rows); i++) {
            if (list_has(symbol_rows[i].locales, locale, size))
                return &symbol_rows[i];
        }
    }
    return &symbols_default;
}

static bool starts_with(const char *p, const char *end, const char *prefix)
{
    size_t size = strlen(prefix);
    return (size_t)(end - p) >= size && memcmp(p, prefix, size) == 0;
}

/* The exponent has the locale's minus and any digits. */
static bool scan_format_exponent(const char *p, const char *end, const struct symbols *with, int64_t *exponent)
{
    bool negative = starts_with(p, end, with->minus);
    if (negative)
        p += strlen(with->minus);
    int64_t value = 0;
    for (bool any = false; p < end || !any; any = true) {
        int digit = p < end ? parse_unicode_digit(&p, end) : -1;
        if (digit < 0 || value > INT32_MAX / 10)
            return false;
        value = value * 10 + digit;
    }
    *exponent += negative ? -value : value;
    return true;
}

/* DecimalFormat("") of a locale: minus, digits with groups, point, digits, E exponent; all of the text. */
static bool scan_format(const char *p, const char *end, const struct symbols *with, struct decimal_text *text)
{
    text->negative = starts_with(p, end, with->minus);
    if (text->negative)
        p += strlen(with->minus);
    bool any = false, behind_point = false;
    while (p < end) {
        const char *next = p;
        if (!behind_point && starts_with(p, end, with->decimal)) {
            behind_point = true;
            p += strlen(with->decimal);
            continue;
        }
        if (!behind_point && starts_with(p, end, with->group))
            next += strlen(with->group); /* A digit or another group must follow. */
        bool group = next != p;
        if (group && (next == end || starts_with(next, end, with->decimal)))
            return false;
        p = next;
        if (group)
            continue;
        int digit = parse_unicode_digit(&p, end);
        if (digit < 0)
            break;
        take_digit(text, digit, behind_point);
        any = true;
    }
    if (!any || p == end)
        return any;
    return starts_with(p, end, with->exponent) && scan_format_exponent(p + strlen(with->exponent), end, with, &text->exponent);
}

bool parse_decimal_locale(const char *text, size_t size, const char *locale, int precision, int scale, int128 *out)
{
    struct decimal_text parsed = {0};
    bool united_states = !locale || strcasecmp(locale, "en-US") == 0 || strcasecmp(locale, "en_US") == 0;
    bool formed = united_states ? scan_java(text, text + size, true, &parsed)
                                : scan_format(text, text + size, symbols_find(locale), &parsed);
    return formed && round_to_scale(&parsed, precision, scale, out);
}
