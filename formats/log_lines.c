/* log_lines -- a log file of one JSON object a line, read line by line in constant memory. */
#include "formats/log_lines.h"
#include <errno.h>
#include <stdlib.h>

enum { LOG_LINE_SIZE_MAX = 64 << 20 };

bool log_lines_open(struct log_lines *lines, const char *path, struct error *err)
{
    *lines = (struct log_lines){.path = path, .file = fopen(path, "re")};
    if (lines->file) return true;
    if (errno == ENOENT) return error_set(err, COND_PATH_NOT_FOUND, "log file %s does not exist", path);
    return error_errno(err, "could not open log file %s", path);
}

enum log_line log_lines_next(struct log_lines *lines, struct slice *line, struct error *err)
{
    errno = 0;
    ssize_t size = getline(&lines->text, &lines->capacity, lines->file);
    if (size < 0) {
        if (feof(lines->file) && !ferror(lines->file)) return LOG_LINE_END;
        error_errno(err, "could not read log file %s", lines->path);
        return LOG_LINE_FAILED;
    }
    lines->number++;
    if (size > LOG_LINE_SIZE_MAX) {
        error_set(err, COND_INLET_DAMAGED_FILE, "log file %s has a line of %zd bytes", lines->path, size);
        return LOG_LINE_FAILED;
    }
    if (size > 0 && lines->text[size - 1] == '\n') size--;
    *line = slice_of(lines->text, (size_t)size);
    return LOG_LINE_READ;
}

void log_lines_close(struct log_lines *lines)
{
    if (lines->file) fclose(lines->file);
    free(lines->text);
    *lines = (struct log_lines){0};
}
