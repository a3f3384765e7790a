/* log_lines -- a log file of one JSON object a line, read line by line in constant memory. */
#pragma once
#include "base/bytes.h"
#include "base/error.h"

enum log_line { LOG_LINE_READ, LOG_LINE_END, LOG_LINE_FAILED };

struct log_lines {
    int fd;
    const char *path;     /* Borrowed. */
    struct buffer bytes;  /* Of the file, from somewhere on. */
    size_t at;            /* Where the next line begins in them. */
    bool at_end;          /* There are no more. */
    int64_t number;    /* Of the line read last, from 1. */
};

/* A file that is not there is PATH_NOT_FOUND. */
bool log_lines_open(struct log_lines *lines, const char *path, struct error *err) MUST_CHECK;
/* *line is without its newline and valid until the next call. Lines over 64 MiB are refused. */
enum log_line log_lines_next(struct log_lines *lines, struct slice *line, struct error *err);
void log_lines_close(struct log_lines *lines);
