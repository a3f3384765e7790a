/* log_lines -- a log file of one JSON object a line, read line by line in constant memory. */
#include "formats/log_lines.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

enum { LOG_LINE_SIZE_MAX = 64 << 20, READ_SIZE = 64 << 10 };

bool log_lines_open(struct log_lines *lines, const char *path, struct error *err)
{
    *lines = (struct log_lines){.path = path, .fd = open(path, O_RDONLY | O_CLOEXEC)};
    if (lines->fd >= 0) return true;
    if (errno == ENOENT) return error_set(err, COND_PATH_NOT_FOUND, "log file %s does not exist", path);
    return error_errno(err, "could not open log file %s", path);
}

/* Forgets the lines before `at` and reads on. */
static bool read_on(struct log_lines *lines, struct error *err)
{
    struct buffer *bytes = &lines->bytes;
    if (lines->at) memmove(bytes->data, bytes->data + lines->at, bytes->size - lines->at);
    bytes->size -= lines->at;
    lines->at = 0;
    uint8_t *to = buffer_reserve(bytes, READ_SIZE);
    ssize_t got;
    do got = read(lines->fd, to, READ_SIZE);
    while (got < 0 && errno == EINTR);
    if (got < 0) return error_errno(err, "could not read log file %s", lines->path);
    bytes->size += (size_t)got;
    lines->at_end = got == 0;
    return true;
}

enum log_line log_lines_next(struct log_lines *lines, struct slice *line, struct error *err)
{
    size_t searched = 0;
    for (;;) {
        size_t left = lines->bytes.size - lines->at;
        const uint8_t *start = lines->bytes.data + lines->at, *newline = left > searched ? memchr(start + searched, '\n', left - searched) : NULL;
        size_t size = newline ? (size_t)(newline - start) : left;
        if (size > LOG_LINE_SIZE_MAX) {
            error_set(err, COND_INLET_DAMAGED_FILE, "log file %s has a line of more than %d bytes", lines->path, LOG_LINE_SIZE_MAX);
            return LOG_LINE_FAILED;
        }
        if (newline || lines->at_end) {
            if (!newline && size == 0) return LOG_LINE_END;
            lines->at += size + (newline != NULL);
            lines->number++;
            *line = slice_of(start, size);
            return LOG_LINE_READ;
        }
        searched = left;
        if (!read_on(lines, err)) return LOG_LINE_FAILED;
    }
}

void log_lines_close(struct log_lines *lines)
{
    if (lines->fd >= 0) close(lines->fd);
    buffer_free(&lines->bytes);
    *lines = (struct log_lines){.fd = -1};
}
