/* uri -- escaping of paths and partition names; file URIs. Globs are in base/glob.c. */
#include "base/uri.h"

#include <string.h>
#include <strings.h>

static const char hex_digits[] = "0123456789ABCDEF";

static void escape_byte(struct buffer *out, uint8_t byte)
{
    buffer_byte(out, '%');
    buffer_byte(out, (uint8_t)hex_digits[byte >> 4]);
    buffer_byte(out, (uint8_t)hex_digits[byte & 15]);
}

/* What java.net.URI leaves alone in a path: unreserved, and ":@&=+$,;/". '%' is always quoted. */
static bool is_path_byte(uint8_t byte)
{
    if ((byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') || (byte >= '0' && byte <= '9')) return true;
    return byte && strchr("-_.!~*'():@&=+$,;/", byte) != NULL;
}

/* Bytes of the well-formed UTF-8 sequence at `p`, 0 where there is none; its code point in *point. */
static size_t decode_utf8(const uint8_t *p, size_t size, uint32_t *point)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t length = p[0] < 0xC2 ? 0 : p[0] < 0xE0 ? 2 : p[0] < 0xF0 ? 3 : p[0] < 0xF5 ? 4 : 0;
    if (!length || length > size) return 0;
    *point = p[0] & (0x7Fu >> length);
    for (size_t i = 1; i < length; i++) {
        if ((p[i] & 0xC0) != 0x80) return 0;
        *point = *point << 6 | (p[i] & 0x3Fu);
    }
    bool surrogate = *point >= 0xD800 && *point <= 0xDFFF;
    return *point < least[length] || *point > 0x10FFFF || surrogate ? 0 : length;
}

/* java.net.URI's "other" characters stay, save control and space characters. */
static bool is_other(uint32_t point)
{
    if (point < 0xA1) return false;
    return point != 0x1680 && !(point >= 0x2000 && point <= 0x200A) && point != 0x2028 && point != 0x2029 &&
           point != 0x202F && point != 0x205F && point != 0x3000;
}

void uri_escape_component(struct buffer *out, const char *text, size_t size)
{
    const uint8_t *p = (const uint8_t *)text;
    for (size_t i = 0; i < size;) {
        if (p[i] < 0x80) {
            if (is_path_byte(p[i])) buffer_byte(out, p[i]);
            else escape_byte(out, p[i]);
            i++;
            continue;
        }
        uint32_t point = 0;
        size_t length = decode_utf8(p + i, size - i, &point);
        if (length && is_other(point)) {
            buffer_append(out, p + i, length);
            i += length;
            continue;
        }
        for (size_t end = i + (length ? length : 1); i < end; i++)
            escape_byte(out, p[i]); /* Bytes that are no text survive. */
    }
}

void uri_from_path(struct buffer *out, const char *path, const char *prefix)
{
    buffer_text(out, prefix);
    uri_escape_component(out, path, strlen(path));
}

static int hex_value(uint8_t byte)
{
    if (byte >= '0' && byte <= '9') return byte - '0';
    byte |= 0x20;
    return byte >= 'a' && byte <= 'f' ? byte - 'a' + 10 : -1;
}

/* The byte of "%XX" at `p`, or -1. */
static int escaped_byte(const char *p, size_t size)
{
    if (size < 3 || p[0] != '%') return -1;
    int high = hex_value((uint8_t)p[1]), low = hex_value((uint8_t)p[2]);
    return high < 0 || low < 0 ? -1 : high << 4 | low;
}

char *path_from_uri(struct arena *arena, const char *uri)
{
    if (strncasecmp(uri, "file:", 5) != 0) return arena_strdup(arena, uri);
    uri += 5;
    if (uri[0] == '/' && uri[1] == '/') { /* An authority, mostly empty. */
        uri += 2;
        uri += strcspn(uri, "/");
    }
    size_t size = strlen(uri), count = 0;
    char *path = arena_alloc(arena, size + 1);
    for (size_t i = 0; i < size; i++) {
        int byte = escaped_byte(uri + i, size - i);
        path[count++] = byte > 0 ? (char)byte : uri[i];
        if (byte > 0) i += 2;
    }
    return path;
}

void partition_escape(struct buffer *out, const char *text, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        uint8_t byte = (uint8_t)text[i];
        if (byte < 0x20 || byte == 0x7F || strchr("\"#%'*/:=?\\{[]^", byte)) escape_byte(out, byte);
        else buffer_byte(out, byte);
    }
}

void partition_unescape(struct buffer *out, const char *text, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        int byte = escaped_byte(text + i, size - i);
        if (byte < 0) {
            buffer_byte(out, (uint8_t)text[i]);
            continue;
        }
        if (byte >= 0x80) { /* Spark takes %XX as one character, not as a byte of UTF-8. */
            buffer_byte(out, (uint8_t)(0xC0 | byte >> 6));
            byte = 0x80 | (byte & 0x3F);
        }
        buffer_byte(out, (uint8_t)byte);
        i += 2;
    }
}
