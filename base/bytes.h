/* bytes -- a borrowed slice, and an owned buffer that grows. */
#pragma once
#include "base/attr.h"
#include <string.h>

struct slice {
    const uint8_t *data;
    size_t size;
};

static inline struct slice slice_of(const void *data, size_t size) { return (struct slice){data, size}; }
static inline struct slice slice_text(const char *text) { return (struct slice){(const uint8_t *)text, strlen(text)}; }
static inline bool slice_equal(struct slice a, struct slice b)
{
    return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

/* Zero-initialise to start; buffer_free gives the memory back. Never fails: a buffer is for
 * bookkeeping and encoded pages whose size the caller bounds. */
struct buffer {
    uint8_t *data;
    size_t size, capacity;
};

void buffer_free(struct buffer *buffer);
void buffer_clear(struct buffer *buffer); /* Keeps the memory. */
uint8_t *buffer_reserve(struct buffer *buffer, size_t more); /* Room for `more` bytes behind size; returns data + size. */
void buffer_append(struct buffer *buffer, const void *data, size_t size);
void buffer_text(struct buffer *buffer, const char *text);
void buffer_printf(struct buffer *buffer, const char *format, ...) PRINTF_LIKE(2, 3);
static inline void buffer_byte(struct buffer *buffer, uint8_t byte)
{
    if (buffer->size == buffer->capacity) buffer_reserve(buffer, 1);
    buffer->data[buffer->size++] = byte;
}
const char *buffer_string(struct buffer *buffer); /* Terminates without counting the NUL. */
/* Appends `text` as a JSON string with its quotes. Bytes that are not UTF-8 become U+FFFD. */
void buffer_json_string(struct buffer *buffer, const void *text, size_t size);
