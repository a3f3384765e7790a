/* text -- numbers, times and names for people. */
#include "base/civil.h"
#include "cli/cli.h"

#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

void put_padded(struct buffer *out, const char *text, size_t width, bool right)
{
    size_t size = strlen(text), shown = 0;
    for (size_t i = 0; i < size; i++) shown += ((unsigned char)text[i] & 0xc0) != 0x80;
    for (size_t i = shown; right && i < width; i++) buffer_byte(out, ' ');
    buffer_append(out, text, size);
    for (size_t i = shown; !right && i < width; i++) buffer_byte(out, ' ');
}

void put_size(struct buffer *out, int64_t bytes)
{
    static const char *const units[] = {"B", "kB", "MB", "GB", "TB", "PB"};
    double value = (double)bytes;
    size_t unit = 0;
    while (value >= 1000 && unit + 1 < COUNTOF(units)) {
        value /= 1000;
        unit++;
    }
    buffer_printf(out, unit ? "%.1f %s" : "%.0f %s", value, units[unit]);
}

void put_count(struct buffer *out, int64_t count)
{
    char digits[32];
    int size = snprintf(digits, sizeof digits, "%" PRId64, count);
    for (int i = 0; i < size; i++) {
        buffer_byte(out, (uint8_t)digits[i]);
        if (digits[i] != '-' && i + 1 < size && (size - 1 - i) % 3 == 0) buffer_byte(out, ',');
    }
}

void put_local_time(struct buffer *out, int64_t utc_us)
{
    char text[TIMESTAMP_TEXT_MAX];
    if (!utc_us) {
        buffer_byte(out, '-');
        return;
    }
    size_t size = print_timestamp(utc_us - utc_us % 1000000, time_zone_system(), text);
    buffer_append(out, text, size);
}

void put_safe_text(struct buffer *out, const char *text)
{
    for (; *text; text++) {
        unsigned char byte = (unsigned char)*text;
        if (byte == '\n') buffer_text(out, "\\n");
        else if (byte < 0x20 || byte == 0x7f) buffer_printf(out, "\\x%02x", byte);
        else buffer_byte(out, byte);
    }
}

void print_buffer(struct buffer *out)
{
    size_t done = 0;
    while (done < out->size) {
        ssize_t written = write(STDOUT_FILENO, out->data + done, out->size - done);
        if (written <= 0) break; /* The reader went away: nothing sensible is left to say. */
        done += (size_t)written;
    }
    buffer_free(out);
}
