/* range_cursor -- opening, checking and ending the file ranges of a scan. */
#include "formats/range_cursor.h"

#include <stdio.h>
#include <string.h>

void range_cursor_init(struct range_cursor *cursor, const struct lines_spec *lines, const struct read_spec *spec, struct inlet_context *context)
{
    *cursor = (struct range_cursor){.lines_spec = lines, .cancel = &context->cancel, .ignore_corrupt = spec->ignore_corrupt_files};
    if (lines) cursor->lines = lines_new(lines, context->budget);
}

static void close_input(struct range_cursor *cursor)
{
    input_close(cursor->input);
    cursor->input = NULL;
}

void range_cursor_fini(struct range_cursor *cursor)
{
    close_input(cursor);
    lines_free(cursor->lines);
}

void range_cursor_begin(struct range_cursor *cursor, const struct file_range *ranges, size_t count, struct range_outcome *outcomes)
{
    close_input(cursor);
    cursor->ranges = ranges;
    cursor->count = count;
    cursor->index = 0;
    cursor->outcomes = outcomes;
    memset(outcomes, 0, count * sizeof *outcomes);
}

/* The file that was opened is the one that was planned, and as it was then. */
static bool check_as_planned(const struct file_range *range, const struct object_stat *opened, struct error *err)
{
    const char *what = range->size >= 0 && range->size != opened->size             ? "its size changed"
                       : range->mtime_us >= 0 && range->mtime_us != opened->mtime_us ? "its modification time changed"
                       : range->inode && opened->inode && range->inode != opened->inode ? "another file stands under its name"
                                                                                        : NULL;
    return !what || error_set(err, COND_INLET_FILE_CHANGED, "file %s is not as it was planned: %s", range->path, what);
}

bool range_cursor_open(struct range_cursor *cursor, struct object_stat *stat, struct error *err)
{
    const struct file_range *range = &cursor->ranges[cursor->index];
    const struct store_ops *store = store_find(range->path, err);
    if (!store) return false;
    int64_t open_at = cursor->lines ? lines_open_at(cursor->lines_spec, range->start) : range->start;
    cursor->input = input_open(store, range->path, open_at, range->end, cursor->cancel, stat, err);
    if (!cursor->input || !check_as_planned(range, stat, err)) return error_at(err, range->path, 0, -1);
    if (range->read_ahead) input_read_ahead(cursor->input);
    if (cursor->lines) lines_begin(cursor->lines, cursor->input, range->start, range->end);
    cursor->block_serial = 0;
    cursor->segment_due = true;
    return true;
}

bool range_cursor_end(struct range_cursor *cursor, struct error *err)
{
    struct range_outcome *outcome = range_cursor_outcome(cursor);
    const char *path = range_cursor_path(cursor);
    outcome->bytes = input_bytes_stored(cursor->input);
    bool unchanged = outcome->ignored_corrupt || input_check_unchanged(cursor->input, err);
    close_input(cursor);
    cursor->index++;
    return unchanged || error_at(err, path, 0, -1);
}

bool range_cursor_ignores(struct range_cursor *cursor, struct error *err)
{
    struct range_outcome *outcome = range_cursor_outcome(cursor);
    const char *path = range_cursor_path(cursor);
    bool damage = err->condition == COND_INLET_DAMAGED_FILE;
    if ((damage || err->condition == COND_INLET_IO) && cursor->ignore_corrupt) {
        outcome->ignored_corrupt = true;
        snprintf(outcome->damage, sizeof outcome->damage, "%.255s", err->message);
        error_clear(err);
        return true;
    }
    if (damage) {
        int64_t byte = err->byte;
        error_wrap(err, COND_FAILED_READ_FILE, "encountered error while reading file %s", path);
        return error_at(err, path, outcome->records_framed + 1, byte);
    }
    if (!err->file[0]) error_at(err, path, 0, -1);
    return false;
}

bool range_cursor_skip(struct range_cursor *cursor, struct error *err)
{
    if (!range_cursor_ignores(cursor, err)) return false;
    close_input(cursor);
    cursor->index++;
    return true;
}
