/* bytes -- the growing buffer and its text helpers. */
#include "base/bytes.h"
#include "base/panic.h"
#include "base/utf8.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

void buffer_free(struct buffer *buffer)
{
    free(buffer->data);
    *buffer = (struct buffer){0};
}

void buffer_clear(struct buffer *buffer) { buffer->size = 0; }

uint8_t *buffer_reserve(struct buffer *buffer, size_t more)
{
    if (buffer->capacity - buffer->size < more) {
        size_t wanted = buffer->capacity + buffer->capacity / 2;
        if (wanted < buffer->size + more) wanted = buffer->size + more;
        if (wanted < 64) wanted = 64;
        uint8_t *grown = realloc(buffer->data, wanted);
        if (!grown) panic_out_of_memory(wanted);
        buffer->data = grown;
        buffer->capacity = wanted;
    }
    return buffer->data + buffer->size;
}

void buffer_append(struct buffer *buffer, const void *data, size_t size)
{
    if (size == 0) return;
    memcpy(buffer_reserve(buffer, size), data, size);
    buffer->size += size;
}

void buffer_text(struct buffer *buffer, const char *text) { buffer_append(buffer, text, strlen(text)); }

void buffer_printf(struct buffer *buffer, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int size = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    invariant(size >= 0);
    char *to = (char *)buffer_reserve(buffer, (size_t)size + 1);
    va_start(arguments, format);
    vsnprintf(to, (size_t)size + 1, format, arguments);
    va_end(arguments);
    buffer->size += (size_t)size;
}

const char *buffer_string(struct buffer *buffer)
{
    *buffer_reserve(buffer, 1) = 0;
    return (const char *)buffer->data;
}

static void put_escaped(struct buffer *buffer, const uint8_t *text, size_t size)
{
    size_t start = 0;
    for (size_t i = 0; i < size; i++) {
        uint8_t byte = text[i];
        if (byte >= 0x20 && byte != '"' && byte != '\\') continue;
        buffer_append(buffer, text + start, i - start);
        start = i + 1;
        switch (byte) {
        case '"': buffer_text(buffer, "\\\""); break;
        case '\\': buffer_text(buffer, "\\\\"); break;
        case '\n': buffer_text(buffer, "\\n"); break;
        case '\r': buffer_text(buffer, "\\r"); break;
        case '\t': buffer_text(buffer, "\\t"); break;
        case '\b': buffer_text(buffer, "\\b"); break;
        case '\f': buffer_text(buffer, "\\f"); break;
        default: buffer_printf(buffer, "\\u%04X", byte);
        }
    }
    buffer_append(buffer, text + start, size - start);
}

void buffer_json_string(struct buffer *buffer, const void *text, size_t size)
{
    buffer_byte(buffer, '"');
    if (utf8_valid(text, size)) {
        put_escaped(buffer, text, size);
    } else {
        struct buffer repaired = {0};
        utf8_repair(&repaired, text, size);
        put_escaped(buffer, repaired.data, repaired.size);
        buffer_free(&repaired);
    }
    buffer_byte(buffer, '"');
}
