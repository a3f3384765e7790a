/* json_values -- JSON scalars to values: escapes, numbers, dates, decimals, base64 (format-semantics 5.4).
 *
 * All text ends in a NUL byte that is not part of it, so that these may look one byte ahead. */
#pragma once
#include "base/number.h"
#include "formats/json_settings.h"

static ALWAYS_INLINE int ndjson_hex(uint8_t c)
{
    if (c >= '0' && c <= '9') return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Four hex digits at p, or -1. Stops at the first that is none. */
static inline int32_t ndjson_hex4(const uint8_t *p)
{
    int32_t value = 0;
    for (int i = 0; i < 4; i++) {
        int digit = ndjson_hex(p[i]);
        if (digit < 0) return -1;
        value = value << 4 | digit;
    }
    return value;
}

/* One of the escapes of RFC 8259; p is behind the backslash. Appends at *out (never more bytes than the escape had)
 * and returns where it ends; NULL: none of them. A lone surrogate becomes `?`. */
const uint8_t *ndjson_unescape(const uint8_t *p, uint8_t **out);

/* Decodes the inside of a string that the tokenizer has accepted; out has room for `size` bytes. Ill-formed UTF-8
 * that Jackson takes (overlong forms, surrogates) comes out well-formed. Returns the size. */
size_t ndjson_decode(const uint8_t *text, size_t size, uint8_t *out);

/* Is the text one of the words that stand for a number? */
bool ndjson_number_word(const uint8_t *text, size_t size, double *out);

bool ndjson_date(const struct ndjson_settings *settings, const char *text, size_t size, int32_t *days);
bool ndjson_timestamp(const struct ndjson_settings *settings, const char *text, size_t size, int64_t *utc_us);
bool ndjson_timestamp_ntz(const struct ndjson_settings *settings, const char *text, size_t size, int64_t *local_us);
bool ndjson_decimal_text(const struct ndjson_settings *settings, const char *text, size_t size, const struct type *type, int128 *out);
/* Standard base64 with padding; bytes up to 0x20 between groups of it are ignored. out has room for `size` bytes.
 * OVERRUN: a parser that decodes while it reads has taken the closing quote for a digit, and is lost in the record. */
enum ndjson_base64 { NDJSON_BASE64_GOOD, NDJSON_BASE64_BAD, NDJSON_BASE64_OVERRUN };
enum ndjson_base64 ndjson_base64(const uint8_t *text, size_t size, uint8_t *out, size_t *out_size);
/* The same; where it is bad, *stop is behind the byte that does not belong, or at the end. */
enum ndjson_base64 ndjson_base64_until(const uint8_t *text, size_t size, uint8_t *out, size_t *out_size, const uint8_t **stop);
/* Can this name, as it stands, be decoded? All its sequences are whole, and none stands for half of a pair. */
bool ndjson_name_is_decodable(const uint8_t *text, size_t size);
/* The JSON value in text, which is well-formed, as Jackson writes it: no blanks, doubles, minimal escapes. */
void ndjson_rewrite(const uint8_t *text, size_t size, struct buffer *out, struct buffer *scratch);
