/* charset -- the encodings that text formats may have, to and from UTF-8. */
#include "base/utf8.h"
#include <strings.h>

struct charset_row {
    const char *name; /* Java's canonical one. */
    const char *aliases; /* Separated by spaces. */
};

/* In the order of enum charset. Aliases as in Java's StandardCharsets. */
static const struct charset_row charset_rows[] = {
    [CHARSET_UTF8] = {"UTF-8", "utf8 unicode-1-1-utf-8"},
    [CHARSET_ISO_8859_1] = {"ISO-8859-1",
                            "iso-ir-100 iso_8859-1 latin1 l1 ibm819 cp819 ibm-819 819 iso_8859_1 8859_1 iso8859_1 iso8859-1 "
                            "csisolatin1 iso_8859-1:1987"},
    [CHARSET_US_ASCII] = {"US-ASCII",
                          "ascii iso-ir-6 ansi_x3.4-1986 iso_646.irv:1991 ascii7 iso646-us us ibm367 cp367 csascii default 646 "
                          "iso_646.irv:1983 ansi_x3.4-1968"},
    [CHARSET_UTF16] = {"UTF-16", "utf_16 utf16 unicode unicodebig"},
    [CHARSET_UTF16LE] = {"UTF-16LE", "utf_16le utf16le x-utf-16le unicodelittleunmarked"},
    [CHARSET_UTF16BE] = {"UTF-16BE", "utf_16be utf16be iso-10646-ucs-2 x-utf-16be unicodebigunmarked"},
    [CHARSET_UTF32] = {"UTF-32", "utf_32 utf32 iso-10646-ucs-4"},
    [CHARSET_UTF32LE] = {"UTF-32LE", "utf_32le utf32le x-utf-32le"},
    [CHARSET_UTF32BE] = {"UTF-32BE", "utf_32be utf32be x-utf-32be"},
};

static bool list_has(const char *list, const char *word)
{
    size_t size = strlen(word);
    while (*list) {
        size_t length = strcspn(list, " ");
        if (length == size && strncasecmp(list, word, size) == 0)
            return true;
        list += length + (list[length] == ' ');
    }
    return false;
}

enum charset charset_find(const char *name)
{
    for (size_t i = 0; i < COUNTOF(charset_rows); i++) {
        if (strcasecmp(charset_rows[i].name, name) == 0 || list_has(charset_rows[i].aliases, name))
            return (enum charset)i;
    }
    return CHARSET_UNKNOWN;
}

const char *charset_name(enum charset charset)
{
    return charset < CHARSET_UNKNOWN ? charset_rows[charset].name : "unknown";
}

static void append_code_point(struct buffer *out, uint32_t code_point)
{
    uint8_t bytes[4];
    buffer_append(out, bytes, utf8_encode(code_point, bytes));
}

static void bytes_to_utf8(struct buffer *out, const uint8_t *text, size_t size, bool latin1)
{
    for (size_t i = 0; i < size; i++) {
        if (text[i] < 0x80)
            buffer_byte(out, text[i]);
        else
            append_code_point(out, latin1 ? text[i] : 0xFFFD);
    }
}

static uint32_t unit16(const uint8_t *p, bool little)
{
    return little ? (uint32_t)(p[0] | p[1] << 8) : (uint32_t)(p[0] << 8 | p[1]);
}

static void utf16_to_utf8(struct buffer *out, const uint8_t *text, size_t size, bool little)
{
    size_t i = 0;
    while (size - i >= 2) {
        uint32_t unit = unit16(text + i, little);
        i += 2;
        if (unit < 0xD800 || unit > 0xDFFF) {
            append_code_point(out, unit);
            continue;
        }
        uint32_t low = unit < 0xDC00 && size - i >= 2 ? unit16(text + i, little) : 0;
        if (low >= 0xDC00 && low <= 0xDFFF) {
            append_code_point(out, 0x10000 + ((unit - 0xD800) << 10) + (low - 0xDC00));
            i += 2;
        } else {
            append_code_point(out, 0xFFFD);
        }
    }
    if (i < size)
        append_code_point(out, 0xFFFD);
}

static void utf32_to_utf8(struct buffer *out, const uint8_t *text, size_t size, bool little)
{
    size_t i = 0;
    for (; size - i >= 4; i += 4) {
        uint32_t first = unit16(text + i, little), second = unit16(text + i + 2, little);
        uint32_t code = little ? second << 16 | first : first << 16 | second;
        append_code_point(out, code > 0x10FFFF || (code >= 0xD800 && code <= 0xDFFF) ? 0xFFFD : code);
    }
    if (i < size)
        append_code_point(out, 0xFFFD);
}

/* UTF-16 and UTF-32 without an order in the name: the byte order mark decides, big-endian without one. */
static void marked_to_utf8(struct buffer *out, const uint8_t *text, size_t size, size_t width)
{
    static const uint8_t marks[] = {0xFF, 0xFE, 0, 0, 0xFE, 0xFF};
    const uint8_t *little_mark = marks, *big_mark = width == 2 ? marks + 4 : marks + 2;
    bool little = size >= width && memcmp(text, little_mark, width) == 0;
    bool marked = little || (size >= width && memcmp(text, big_mark, width) == 0);
    size_t skip = marked ? width : 0;
    (width == 2 ? utf16_to_utf8 : utf32_to_utf8)(out, text + skip, size - skip, little);
}

void charset_to_utf8(enum charset charset, struct buffer *out, const uint8_t *text, size_t size)
{
    switch (charset) {
    case CHARSET_ISO_8859_1:
        bytes_to_utf8(out, text, size, true);
        break;
    case CHARSET_US_ASCII:
        bytes_to_utf8(out, text, size, false);
        break;
    case CHARSET_UTF16:
        marked_to_utf8(out, text, size, 2);
        break;
    case CHARSET_UTF16LE:
    case CHARSET_UTF16BE:
        utf16_to_utf8(out, text, size, charset == CHARSET_UTF16LE);
        break;
    case CHARSET_UTF32:
        marked_to_utf8(out, text, size, 4);
        break;
    case CHARSET_UTF32LE:
    case CHARSET_UTF32BE:
        utf32_to_utf8(out, text, size, charset == CHARSET_UTF32LE);
        break;
    default:
        utf8_repair(out, text, size);
    }
}

static void append_unit16(struct buffer *out, uint32_t unit, bool little)
{
    buffer_byte(out, (uint8_t)(little ? unit : unit >> 8));
    buffer_byte(out, (uint8_t)(little ? unit >> 8 : unit));
}

static void append_in(enum charset charset, struct buffer *out, uint32_t code)
{
    bool little = charset == CHARSET_UTF16LE || charset == CHARSET_UTF32LE;
    switch (charset) {
    case CHARSET_ISO_8859_1:
        buffer_byte(out, code < 0x100 ? (uint8_t)code : '?');
        break;
    case CHARSET_US_ASCII:
        buffer_byte(out, code < 0x80 ? (uint8_t)code : '?');
        break;
    case CHARSET_UTF16:
    case CHARSET_UTF16LE:
    case CHARSET_UTF16BE:
        if (code >= 0x10000) {
            append_unit16(out, 0xD800 + ((code - 0x10000) >> 10), little);
            code = 0xDC00 + ((code - 0x10000) & 0x3FF);
        }
        append_unit16(out, code, little);
        break;
    default:
        append_unit16(out, little ? code & 0xFFFF : code >> 16, little);
        append_unit16(out, little ? code >> 16 : code & 0xFFFF, little);
    }
}

void charset_from_utf8(enum charset charset, struct buffer *out, const uint8_t *text, size_t size)
{
    if (charset == CHARSET_UTF8 || charset == CHARSET_UNKNOWN) {
        buffer_append(out, text, size);
        return;
    }
    const uint8_t *p = text, *end = text + size;
    while (p < end)
        append_in(charset, out, utf8_next(&p, end));
}
