/* utf8 -- validation at memory speed, and conversion from other encodings to UTF-8. */
#pragma once
#include "base/bytes.h"
#include "base/error.h"

bool utf8_valid(const uint8_t *text, size_t size); /* Strict: no surrogates, no overlong forms, <= U+10FFFF. SIMD. */
bool utf8_is_ascii(const uint8_t *text, size_t size);
size_t utf8_count(const uint8_t *text, size_t size); /* Code points of valid text. */
/* Appends text with every maximal ill-formed part replaced by U+FFFD (Java's decoder). */
void utf8_repair(struct buffer *out, const uint8_t *text, size_t size);
size_t utf8_encode(uint32_t code_point, uint8_t out[4]);
/* The code point at *at (before end), and steps behind it; U+FFFD for a maximal ill-formed part. */
uint32_t utf8_next(const uint8_t **at, const uint8_t *end);

enum charset {
    CHARSET_UTF8, CHARSET_ISO_8859_1, CHARSET_US_ASCII, CHARSET_UTF16, CHARSET_UTF16LE, CHARSET_UTF16BE, CHARSET_UTF32,
    CHARSET_UTF32LE, CHARSET_UTF32BE, CHARSET_UNKNOWN
};
enum charset charset_find(const char *name); /* Any case, with Java's aliases (latin1, utf8, UTF_16LE, ...). */
const char *charset_name(enum charset charset);
/* Appends the UTF-8 of `text`. UTF16/UTF32 look at the byte order mark. Ill-formed units become U+FFFD. */
void charset_to_utf8(enum charset charset, struct buffer *out, const uint8_t *text, size_t size);
/* Appends UTF-8 `text` in `charset`; what it cannot say becomes '?'. */
void charset_from_utf8(enum charset charset, struct buffer *out, const uint8_t *text, size_t size);
