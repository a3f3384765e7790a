/* json_values -- see the header. Nothing here allocates but ndjson_rewrite and texts with GMT or separators in them. */
#include "formats/json_values.h"
#include "base/civil.h"

#include <math.h>
#include <string.h>

/* Strings ----------------------------------------------------------------------------------- */

static const uint8_t *unescape_unicode(const uint8_t *p, uint8_t **out)
{
    int32_t unit = ndjson_hex4(p);
    if (unit < 0) return NULL;
    p += 4;
    if (unit >= 0xd800 && unit < 0xdc00 && p[0] == '\\' && p[1] == 'u') {
        int32_t low = ndjson_hex4(p + 2);
        if (low >= 0xdc00 && low < 0xe000) {
            *out += utf8_encode(0x10000u + ((uint32_t)(unit - 0xd800) << 10) + (uint32_t)(low - 0xdc00), *out);
            return p + 6;
        }
    }
    if (unit >= 0xd800 && unit < 0xe000) *(*out)++ = '?';
    else *out += utf8_encode((uint32_t)unit, *out);
    return p;
}

const uint8_t *ndjson_unescape(const uint8_t *p, uint8_t **out)
{
    uint8_t byte;
    switch (*p) {
    case '"': case '\\': case '/': byte = *p; break;
    case 'b': byte = '\b'; break;
    case 'f': byte = '\f'; break;
    case 'n': byte = '\n'; break;
    case 'r': byte = '\r'; break;
    case 't': byte = '\t'; break;
    case 'u': return unescape_unicode(p + 1, out);
    default: return NULL;
    }
    *(*out)++ = byte;
    return p + 1;
}

/* A sequence of 2 to 4 bytes whose form Jackson has accepted: bits are put together without further questions. */
static const uint8_t *decode_sequence(const uint8_t *p, uint8_t **out)
{
    uint32_t code;
    if (*p < 0xe0) {
        code = (uint32_t)(p[0] & 0x1f) << 6 | (p[1] & 0x3f);
        p += 2;
    } else if (*p < 0xf0) {
        code = (uint32_t)(p[0] & 0x0f) << 12 | (uint32_t)(p[1] & 0x3f) << 6 | (p[2] & 0x3f);
        p += 3;
    } else {
        code = (uint32_t)(p[0] & 0x07) << 18 | (uint32_t)(p[1] & 0x3f) << 12 | (uint32_t)(p[2] & 0x3f) << 6 | (p[3] & 0x3f);
        p += 4;
        if (code > 0x10ffff) *(*out)++ = '?'; /* Two halves of no pair. */
    }
    if (code > 0x10ffff || (code >= 0xd800 && code < 0xe000)) *(*out)++ = '?';
    else *out += utf8_encode(code, *out);
    return p;
}

size_t ndjson_decode(const uint8_t *text, size_t size, uint8_t *out)
{
    const uint8_t *p = text, *end = text + size;
    uint8_t *to = out;
    while (p < end) {
        if (*p >= 0xc0) {
            p = decode_sequence(p, &to);
        } else if (*p == '\\') {
            const uint8_t *behind = ndjson_unescape(p + 1, &to);
            p = behind ? behind : p + 1; /* The tokenizer allowed it: the character itself. */
            if (!behind && *p < 0xc0) *to++ = *p++;
        } else {
            *to++ = *p++;
        }
    }
    return (size_t)(to - out);
}

bool ndjson_name_is_decodable(const uint8_t *p, size_t size)
{
    for (const uint8_t *end = p + size; p < end; p++) {
        size_t more = *p < 0x80 ? 0 : (*p & 0xe0) == 0xc0 ? 1 : (*p & 0xf0) == 0xe0 ? 2 : (*p & 0xf8) == 0xf0 ? 3 : 9;
        if (more > (size_t)(end - p) - 1) return false;
        if (*p == 0xed && p[1] >= 0xa0) return false;
        for (; more; more--)
            if ((*++p & 0xc0) != 0x80) return false;
    }
    return true;
}

/* Numbers ----------------------------------------------------------------------------------- */

static bool is_word(const uint8_t *text, size_t size, const char *word)
{
    return size == strlen(word) && memcmp(text, word, size) == 0;
}

bool ndjson_number_word(const uint8_t *text, size_t size, double *out)
{
    if (is_word(text, size, "NaN")) return *out = (double)NAN, true;
    if (is_word(text, size, "Infinity") || is_word(text, size, "+Infinity") || is_word(text, size, "+INF")) return *out = HUGE_VAL, true;
    if (is_word(text, size, "-Infinity") || is_word(text, size, "-INF")) return *out = -HUGE_VAL, true;
    return false;
}

bool ndjson_decimal_text(const struct ndjson_settings *settings, const char *text, size_t size, const struct type *type, int128 *out)
{
    return parse_decimal_locale(text, size, settings->locale, type->precision, type->scale, out);
}

/* Dates and times --------------------------------------------------------------------------- */

/* The text without any GMT in it; size unchanged: there was none. */
static size_t without_gmt(const char *text, size_t size, char *out, size_t out_size)
{
    if (size > out_size) return size;
    size_t kept = 0;
    for (size_t i = 0; i < size;) {
        if (size - i >= 3 && memcmp(text + i, "GMT", 3) == 0) i += 3;
        else out[kept++] = text[i++];
    }
    return kept;
}

static int64_t floor_divide(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

/* The same year, month and day in the proleptic Gregorian calendar as the Julian calendar gives this day. */
static bool rebase_from_julian(int64_t days, int32_t *out)
{
    if (days >= -141427) return *out = (int32_t)days, true; /* 1582-10-15: the calendars are one from here. */
    int64_t c = days + 2440588 + 32082;
    int64_t d = floor_divide(4 * c + 3, 1461);
    int64_t e = c - floor_divide(1461 * d, 4);
    int64_t m = (5 * e + 2) / 153;
    int day = (int)(e - (153 * m + 2) / 5 + 1), month = (int)(m + 3 - 12 * (m / 10));
    int64_t year = d - 4800 + m / 10;
    int64_t rebased = civil_valid(year, month, day) ? civil_days(year, month, day) : civil_days(year, 3, 1);
    *out = (int32_t)rebased;
    return rebased >= INT32_MIN && rebased <= INT32_MAX;
}

bool ndjson_date(const struct ndjson_settings *settings, const char *text, size_t size, int32_t *days)
{
    if (!size) return false; /* Whatever the pattern: an optional one would match it. */
    if (settings->date ? datetime_parse_date(settings->date, text, size, days) : cast_date(text, size, days)) return true;
    if (!settings->date_fallback) return false;
    char clean[256];
    size_t kept = without_gmt(text, size, clean, sizeof clean);
    if (kept < size ? cast_date(clean, kept, days) : settings->date && cast_date(text, size, days)) return true;
    int64_t number;
    return parse_int64(text, size, &number) && number >= INT32_MIN && number <= INT32_MAX && rebase_from_julian(number, days);
}

bool ndjson_timestamp(const struct ndjson_settings *settings, const char *text, size_t size, int64_t *utc_us)
{
    if (!size) return false;
    const struct time_zone *zone = settings->zone;
    if (settings->timestamp ? datetime_parse_timestamp(settings->timestamp, text, size, zone, utc_us) : cast_timestamp(text, size, zone, utc_us)) return true;
    if (!settings->timestamp_fallback) return false;
    char clean[256];
    size_t kept = without_gmt(text, size, clean, sizeof clean);
    return kept < size ? cast_timestamp(clean, kept, zone, utc_us) : settings->timestamp && cast_timestamp(text, size, zone, utc_us);
}

bool ndjson_timestamp_ntz(const struct ndjson_settings *settings, const char *text, size_t size, int64_t *local_us)
{
    if (!size) return false;
    if (settings->timestamp_ntz) return datetime_parse_timestamp_ntz(settings->timestamp_ntz, text, size, local_us);
    return cast_timestamp_ntz(text, size, false, local_us);
}

/* Base64 ------------------------------------------------------------------------------------ */

static int base64_digit(uint8_t c)
{
    if (c >= 'A' && c <= 'Z') return c - 'A';
    if (c >= 'a' && c <= 'z') return c - 'a' + 26;
    if (c >= '0' && c <= '9') return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* One group of four digits as Jackson reads it. Returns how many bytes it holds, 0: it is bad, -1: bad, and the end of
 * the text was taken for a digit. */
static int base64_group(const uint8_t **at, const uint8_t *end, uint8_t *out)
{
    const uint8_t *p = *at;
    uint32_t bits = 0;
    int count = 0;
    for (; count < 4 && p < end && base64_digit(*p) >= 0; p++, count++) bits = bits << 6 | (uint32_t)base64_digit(*p);
    *at = p;
    if (p < end && *p >= 0x80) return -1; /* Half of a character has been taken. */
    if (count == 1 && p == end) return -1;
    if (count == 2 && p < end && *p == '=') {
        *at = ++p;
        if (p == end || *p >= 0x80) return -1;
        if (*p != '=') return 0;
        *at = p + 1;
        return out[0] = (uint8_t)(bits >> 4), 1;
    }
    if (count == 3 && p < end && *p == '=') {
        *at = p + 1;
        return out[0] = (uint8_t)(bits >> 10), out[1] = (uint8_t)(bits >> 2), 2;
    }
    if (count < 4) return 0;
    for (int byte = 0; byte < 3; byte++) out[byte] = (uint8_t)(bits >> (16 - 8 * byte));
    return 3;
}

enum ndjson_base64 ndjson_base64_until(const uint8_t *text, size_t size, uint8_t *out, size_t *out_size, const uint8_t **stop)
{
    const uint8_t *p = text, *end = text + size;
    *out_size = 0;
    while (p < end) {
        if (*p <= 0x20) {
            p++;
            continue;
        }
        int bytes = base64_group(&p, end, out + *out_size);
        *stop = p < end ? p + 1 : end;
        if (bytes <= 0) return bytes < 0 ? NDJSON_BASE64_OVERRUN : NDJSON_BASE64_BAD;
        *out_size += (size_t)bytes;
    }
    return NDJSON_BASE64_GOOD;
}

enum ndjson_base64 ndjson_base64(const uint8_t *text, size_t size, uint8_t *out, size_t *out_size)
{
    const uint8_t *stop;
    return ndjson_base64_until(text, size, out, out_size, &stop);
}

/* Writing again ----------------------------------------------------------------------------- */

static void write_string(const uint8_t *text, size_t size, struct buffer *out)
{
    static const char short_escapes[] = "btn\0fr"; /* 0x08 .. 0x0d */
    buffer_byte(out, '"');
    for (size_t i = 0; i < size; i++) {
        uint8_t c = text[i];
        if (c >= 0xf0 && size - i >= 4) {
            uint32_t code = ((uint32_t)(c & 7) << 18 | (uint32_t)(text[i + 1] & 0x3f) << 12 | (uint32_t)(text[i + 2] & 0x3f) << 6 | (text[i + 3] & 0x3f)) - 0x10000;
            buffer_printf(out, "\\u%04X\\u%04X", 0xd800 + (code >> 10), 0xdc00 + (code & 0x3ff)); /* As Jackson writes what is two UTF-16 units. */
            i += 3;
        } else if (c >= 0x20 && c != '"' && c != '\\') {
            buffer_byte(out, c);
        } else if (c >= 0x20 || (c >= 8 && c <= 13 && c != 11)) {
            buffer_byte(out, '\\');
            buffer_byte(out, c >= 0x20 ? c : (uint8_t)short_escapes[c - 8]);
        } else {
            buffer_printf(out, "\\u%04X", c);
        }
    }
    buffer_byte(out, '"');
}

static size_t string_size(const uint8_t *text, size_t size)
{
    size_t i = 1;
    while (i < size && text[i] != text[0]) i += text[i] == '\\' ? 2 : 1;
    return i + 1 < size ? i + 1 : size;
}

static bool is_scalar_byte(uint8_t c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '+' || c == '-' || c == '.' || c == '_' || c == '$' || c >= 0x80;
}

static void write_integer(const uint8_t *text, size_t size, struct buffer *out)
{
    bool negative = *text == '-';
    size_t i = negative;
    while (i + 1 < size && text[i] == '0') i++;
    if (negative && text[i] != '0') buffer_byte(out, '-');
    buffer_append(out, text + i, size - i);
}

/* A number, a literal, or a name without quotes. */
static void write_bare(const uint8_t *text, size_t size, bool is_name, struct buffer *out)
{
    double value;
    if (is_name) {
        write_string(text, size, out);
        return;
    }
    bool word = ndjson_number_word(text, size, &value);
    if (!word && *text != '-' && (*text < '0' || *text > '9')) {
        buffer_append(out, text, size);
        return;
    }
    if (!word && !memchr(text, '.', size) && !memchr(text, 'e', size) && !memchr(text, 'E', size)) {
        write_integer(text, size, out);
        return;
    }
    if (!word && !parse_double((const char *)text, size, &value)) value = 0;
    char digits[DOUBLE_TEXT_MAX];
    size_t count = print_double_java(value, digits);
    bool quoted = isnan(value) || isinf(value);
    if (quoted) buffer_byte(out, '"');
    buffer_append(out, digits, count);
    if (quoted) buffer_byte(out, '"');
}

static size_t comment_size(const uint8_t *text, size_t size)
{
    size_t i = 2;
    if (size > 1 && text[1] == '/') while (i < size && text[i] != '\n' && text[i] != '\r') i++;
    else for (i += 2; i < size && !(text[i - 2] == '*' && text[i - 1] == '/'); ) i++;
    return i < size ? i : size;
}

static bool colon_follows(const uint8_t *text, size_t size)
{
    while (size && (*text == ' ' || *text == '\t' || *text == '\n' || *text == '\r')) text++, size--;
    return size && *text == ':';
}

void ndjson_rewrite(const uint8_t *text, size_t size, struct buffer *out, struct buffer *scratch)
{
    for (size_t i = 0; i < size;) {
        uint8_t c = text[i];
        size_t length = 1;
        if (c == '"' || c == '\'') {
            length = string_size(text + i, size - i);
            buffer_clear(scratch);
            uint8_t *decoded = buffer_reserve(scratch, length);
            write_string(decoded, ndjson_decode(text + i + 1, length - 2, decoded), out);
        } else if (c == '/') {
            length = comment_size(text + i, size - i);
        } else if (is_scalar_byte(c)) {
            while (i + length < size && is_scalar_byte(text[i + length])) length++;
            write_bare(text + i, length, colon_follows(text + i + length, size - i - length), out);
        } else if (c > ' ') {
            buffer_byte(out, c);
        }
        i += length;
    }
}
