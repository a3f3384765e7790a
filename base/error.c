/* error -- filling, extending and printing struct error. */
#include "base/error.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

struct condition_row {
    const char *name, *sqlstate;
    enum exit_status exit_status;
};

static const struct condition_row conditions[] = {
#define CONDITION(id, name, sqlstate, exit_status) [id] = {name, sqlstate, exit_status},
#include "base/conditions.def"
#undef CONDITION
};

const char *condition_name(enum condition condition) { return conditions[condition].name; }
const char *condition_sqlstate(enum condition condition) { return conditions[condition].sqlstate; }
enum exit_status condition_exit_status(enum condition condition) { return conditions[condition].exit_status; }

void error_clear(struct error *err)
{
    if (!err) return;
    err->condition = COND_NONE;
    err->errno_value = 0;
    err->message[0] = err->context[0] = err->cause[0] = err->hint[0] = err->file[0] = 0;
    err->record = 0;
    err->byte = -1;
    err->line = 0;
}

bool error_set_va(struct error *err, enum condition condition, const char *format, va_list arguments)
{
    if (!err) return false;
    /* The arguments may point into *err itself (rewording an error), so format before clearing. */
    char text[sizeof err->message];
    vsnprintf(text, sizeof text, format, arguments);
    error_clear(err);
    err->condition = condition;
    memcpy(err->message, text, sizeof text);
    return false;
}

bool error_set(struct error *err, enum condition condition, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    error_set_va(err, condition, format, arguments);
    va_end(arguments);
    return false;
}

static enum condition condition_of_errno(int value)
{
    switch (value) {
    case ENOSPC: case EDQUOT: case EFBIG: return COND_INLET_DISK_FULL;
    case ENOENT: case ENOTDIR: return COND_PATH_NOT_FOUND;
    case EACCES: case EPERM: case EROFS: return COND_INLET_PERMISSION;
    case ENOMEM: return COND_INLET_NO_MEMORY;
    case EMFILE: case ENFILE: case EAGAIN: return COND_INLET_RESOURCE;
    default: return COND_INLET_IO;
    }
}

static const char *hint_of_errno(int value)
{
    switch (value) {
    case ENOSPC: case EDQUOT: return "Free some space; the batch stays planned and the next run continues it.";
    case EMFILE: case ENFILE: return "Raise the limit of open files (ulimit -n).";
    case EACCES: case EPERM: return "Check the owner and mode of the path and of the folders above it.";
    case EROFS: return "The file system is mounted read-only.";
    default: return "";
    }
}

bool error_errno(struct error *err, const char *format, ...)
{
    int value = errno;
    if (!err) return false;
    va_list arguments;
    va_start(arguments, format);
    error_set_va(err, condition_of_errno(value), format, arguments);
    va_end(arguments);
    err->errno_value = value;
    size_t used = strlen(err->message);
    char reason[128];
    const char *text = strerror_r(value, reason, sizeof reason);
    snprintf(err->message + used, sizeof err->message - used, ": %s", text);
    snprintf(err->hint, sizeof err->hint, "%s", hint_of_errno(value));
    return false;
}

bool error_context(struct error *err, const char *format, ...)
{
    if (!err) return false;
    size_t used = strlen(err->context);
    used += (size_t)snprintf(err->context + used, sizeof err->context - used, "%swhile ", used ? "; " : "");
    if (used >= sizeof err->context) return false;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(err->context + used, sizeof err->context - used, format, arguments);
    va_end(arguments);
    return false;
}

bool error_wrap(struct error *err, enum condition condition, const char *format, ...)
{
    if (!err) return false;
    char cause[sizeof err->cause];
    size_t used = (size_t)snprintf(cause, sizeof cause, "[%s] %.900s", condition_name(err->condition), err->message);
    if (err->cause[0]) { /* As much of the causes below as there is room for. */
        size_t size = strnlen(err->cause, sizeof cause - used - 2);
        cause[used++] = '\n';
        memcpy(cause + used, err->cause, size);
        cause[used + size] = '\0';
    }
    memcpy(err->cause, cause, sizeof cause);
    err->condition = condition;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(err->message, sizeof err->message, format, arguments);
    va_end(arguments);
    return false;
}

bool error_hint(struct error *err, const char *format, ...)
{
    if (!err) return false;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(err->hint, sizeof err->hint, format, arguments);
    va_end(arguments);
    return false;
}

bool error_at(struct error *err, const char *file, int64_t record, int64_t byte)
{
    if (!err) return false;
    if (file) snprintf(err->file, sizeof err->file, "%s", file);
    err->record = record;
    err->byte = byte;
    return false;
}

/* A growing position in a fixed text; what does not fit is cut. */
struct cursor {
    char *text;
    size_t size, used;
};

static void PRINTF_LIKE(2, 3) put(struct cursor *to, const char *format, ...)
{
    if (to->used >= to->size) return;
    va_list arguments;
    va_start(arguments, format);
    int count = vsnprintf(to->text + to->used, to->size - to->used, format, arguments);
    va_end(arguments);
    if (count > 0) to->used += (size_t)count;
}

/* Names come from strangers: control characters must not reach a terminal or break a log line. */
static void put_safe(struct cursor *to, const char *text, bool keep_newlines)
{
    for (const char *at = text; *at; at++) {
        unsigned char byte = (unsigned char)*at;
        if (byte == '\n' && keep_newlines) put(to, "\n");
        else if (byte == '\n') put(to, "\\n");
        else if (byte == '\t') put(to, "\t");
        else if (byte < 0x20 || byte == 0x7f) put(to, "\\x%02x", byte);
        else put(to, "%c", byte);
    }
}

size_t error_format(const struct error *err, char *text, size_t size)
{
    struct cursor to = {text, size, 0};
    if (size) text[0] = 0;
    put(&to, "[%s] ", condition_name(err->condition));
    put_safe(&to, err->message, false);
    if (err->context[0]) { put(&to, "; "); put_safe(&to, err->context, false); }
    if (err->file[0]) {
        put(&to, "; in file ");
        put_safe(&to, err->file, false);
        if (err->record > 0) put(&to, ", record %lld", (long long)err->record);
        if (err->byte >= 0) put(&to, ", byte %lld", (long long)err->byte);
    }
    if (err->line > 0) put(&to, "; line %d of the pipeline file", err->line);
    put(&to, ".");
    if (err->hint[0]) { put(&to, " "); put_safe(&to, err->hint, false); }
    put(&to, " SQLSTATE: %s", condition_sqlstate(err->condition));
    if (err->cause[0]) { put(&to, "\nCaused by: "); put_safe(&to, err->cause, true); }
    return to.used < size ? to.used : size ? size - 1 : 0;
}
