/* error -- why something could not be done, as the user will read it.
 *
 * One fixed-size struct, so that reporting a failure never allocates. Fallible functions return bool
 * (or a pointer) and take `struct error *err` last; false (or NULL) means that *err is filled.
 * Passing NULL for err is legal everywhere. Conditions are listed once, in conditions.def: name as
 * Spark spells it where Spark has one, SQLSTATE, exit status.
 *
 * Style: message and contexts are lower case without a final period, name the kind of object, say
 * "could not" (may work later) or "cannot" (never will); a hint is a sentence that says what to do.
 * Never a secret: option values whose table row says `secret` must not be printed. */
#pragma once
#include "base/attr.h"
#include <stdarg.h>

enum condition {
#define CONDITION(id, name, sqlstate, exit_status) id,
#include "base/conditions.def"
#undef CONDITION
    CONDITION_COUNT
};

/* Exit statuses of the command line; also the retry class of a condition. */
enum exit_status {
    EXIT_DONE = 0,
    EXIT_BATCH_FAILED = 1,
    EXIT_USAGE = 2,
    EXIT_SOME_FAILED = 3,
    EXIT_TEMPORARY = 5,
    EXIT_OWNED = 6,
    EXIT_SCHEMA = 7,
    EXIT_PIPELINE = 78
};

struct error {
    enum condition condition;  /* COND_NONE while nothing is wrong. */
    int errno_value;           /* 0, or the errno which caused it. */
    char message[2048];        /* What happened. */
    char context[2048];        /* "while ..." clauses, innermost first, joined by "; ". */
    char cause[2048];          /* Inner conditions that this one wraps: "[NAME] text" lines. */
    char hint[512];            /* What to do, or empty. */
    char file[1024];           /* The input file, or empty. */
    int64_t record;            /* Record number in that file from 1, or 0. */
    int64_t byte;              /* Byte offset in that file from 0, or -1. */
    int line;                  /* Line of the pipeline file, or 0. */
};

void error_clear(struct error *err);
static inline bool error_is_set(const struct error *err) { return err && err->condition != 0; }

/* Each fills *err and returns false, so that `return error_set(...)` reads well. */
bool error_set(struct error *err, enum condition condition, const char *format, ...) PRINTF_LIKE(3, 4);
bool error_set_va(struct error *err, enum condition condition, const char *format, va_list arguments);
/* Uses the current errno: picks the condition (no space, no permission, not found, ...) and appends strerror. */
bool error_errno(struct error *err, const char *format, ...) PRINTF_LIKE(2, 3);
/* Adds a "while ..." clause to a filled error. */
bool error_context(struct error *err, const char *format, ...) PRINTF_LIKE(2, 3);
/* Makes what *err says the cause of a new, outer condition (FAILED_READ_FILE around MALFORMED_RECORD...). */
bool error_wrap(struct error *err, enum condition condition, const char *format, ...) PRINTF_LIKE(3, 4);
bool error_hint(struct error *err, const char *format, ...) PRINTF_LIKE(2, 3);
bool error_at(struct error *err, const char *file, int64_t record, int64_t byte);

const char *condition_name(enum condition condition);
const char *condition_sqlstate(enum condition condition);
enum exit_status condition_exit_status(enum condition condition);

/* Whole text, one or more lines without a final newline:
 * "[NAME] message; while ...; at FILE record N byte B. Hint. SQLSTATE: ..." and the causes on lines
 * of their own. Always terminated. Returns the length written. */
size_t error_format(const struct error *err, char *text, size_t size);
