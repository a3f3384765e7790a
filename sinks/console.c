/* console -- a batch's first rows as Spark's console sink prints them.
 *
 * The manifest carries the printed table, so that publishing needs nothing else. At least once: a batch that
 * was printed but not committed is printed again. */
#include "base/file.h"
#include "base/panic.h"
#include "columns/show.h"
#include "sinks/sink.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct option_spec console_options[] = {
    {.name = "numRows", .kind = OPTION_INT, .fallback = "20", .maximum = 100000, .help = "Rows of each batch that are printed."},
    {.name = "truncate", .kind = OPTION_TEXT, .fallback = "true", .help = "true: cells are cut at 20 characters; false: not; or the number of characters."},
    {.name = NULL},
};

enum { TRUNCATE_DEFAULT = 20, TRUNCATE_MAX = 1 << 20 };

struct console_sink {
    const struct sink_spec *spec;
    size_t row_limit, truncate;
    struct show_table *table;     /* Of the open batch. */
    int64_t rows;
};

/* The first rows of one task, copied: the table takes them when the task's turn comes. */
struct sink_task {
    struct console_sink *sink;
    struct chunk *chunks;
    size_t count, capacity, kept;
    int64_t rows;
};

static bool parse_truncate(const struct options *options, size_t *out, struct error *err)
{
    const char *text = options_text(options, "truncate");
    char *end;
    *out = TRUNCATE_DEFAULT;
    if (!text || strcasecmp(text, "true") == 0) return true;
    *out = 0;
    if (strcasecmp(text, "false") == 0) return true;
    unsigned long value = strtoul(text, &end, 10);
    *out = value;
    if (text[0] >= '0' && text[0] <= '9' && *end == 0 && value <= TRUNCATE_MAX) return true;
    return error_set(err, COND_INLET_BAD_OPTION_VALUE, "option truncate is \"%s\": it must be true, false or a number of characters", text);
}

static bool console_check(const struct sink_spec *spec, struct error *err)
{
    size_t truncate;
    if (spec->partition_count) return error_set(err, COND_INLET_PARTITION_COLUMN, "the console sink cannot be partitioned");
    return parse_truncate(spec->options, &truncate, err);
}

static bool console_open(void *state, const struct sink_spec *spec, struct error *err)
{
    struct console_sink *sink = state;
    *sink = (struct console_sink){.spec = spec, .row_limit = (size_t)options_int(spec->options, "numRows")};
    return parse_truncate(spec->options, &sink->truncate, err);
}

static bool console_committed(void *state, const struct batch_identity *batch, enum sink_state *out, struct error *err)
{
    (void)state;
    (void)batch;
    (void)err;
    *out = SINK_AT_BATCH_BEFORE; /* A terminal remembers nothing. */
    return true;
}

static void console_abort(void *state)
{
    struct console_sink *sink = state;
    show_table_free(sink->table);
    sink->table = NULL;
    sink->rows = 0;
}

static bool console_stage_begin(void *state, const struct batch_identity *batch, struct error *err)
{
    (void)batch;
    (void)err;
    struct console_sink *sink = state;
    console_abort(sink);
    sink->table = show_table_new(sink->spec->schema, sink->row_limit, sink->truncate, sink->spec->session);
    return true;
}

static struct sink_task *console_task_new(void *state, uint32_t task_index, struct error *err)
{
    (void)task_index;
    (void)err;
    struct sink_task *task = calloc(1, sizeof *task);
    if (!task) panic_out_of_memory(sizeof *task);
    task->sink = state;
    return task;
}

static struct chunk *add_chunk(struct sink_task *task)
{
    if (task->count == task->capacity) {
        task->capacity = task->capacity ? task->capacity * 2 : 4;
        task->chunks = realloc(task->chunks, task->capacity * sizeof *task->chunks);
        if (!task->chunks) panic_out_of_memory(task->capacity * sizeof *task->chunks);
    }
    struct chunk *chunk = &task->chunks[task->count++];
    chunk_init(chunk, task->sink->spec->schema);
    return chunk;
}

/* One row more than is printed, so that the table can say that there are more. */
static bool console_task_add(struct sink_task *task, const struct chunk *chunk, struct error *err)
{
    uint32_t count = chunk_selected(chunk);
    size_t room = task->sink->row_limit + 1 - task->kept;
    task->rows += count;
    if (count > room) count = (uint32_t)room;
    if (!count) return true;
    uint32_t *rows = malloc(count * sizeof *rows);
    if (!rows) panic_out_of_memory(count * sizeof *rows);
    for (uint32_t i = 0; i < count; i++) rows[i] = chunk->selection ? chunk->selection[i] : i;
    struct chunk *copy = add_chunk(task);
    copy->row_count = count;
    bool ok = true;
    for (size_t i = 0; ok && i < copy->schema->field_count; i++) {
        column_fini(&copy->columns[i]);
        ok = column_take(&copy->columns[i], &chunk->columns[i], rows, count, task->sink->spec->context->budget, err);
    }
    free(rows);
    task->kept += count;
    return ok;
}

static bool console_task_finish(struct sink_task *task, struct error *err)
{
    (void)task;
    (void)err;
    return true;
}

static size_t console_task_memory(const struct sink_task *task)
{
    size_t size = 0;
    for (size_t i = 0; i < task->count; i++) size += chunk_memory(&task->chunks[i]);
    return size;
}

static void drop_chunks(struct sink_task *task)
{
    for (size_t i = 0; i < task->count; i++) chunk_fini(&task->chunks[i]);
    task->count = 0;
}

static void console_task_free(struct sink_task *task)
{
    if (!task) return;
    drop_chunks(task);
    free(task->chunks);
    free(task);
}

static bool console_stage_append(void *state, struct sink_task *task, struct error *err)
{
    struct console_sink *sink = state;
    bool full = false;
    error_clear(err);
    for (size_t i = 0; i < task->count && !full; i++) {
        full = !show_table_add(sink->table, &task->chunks[i], err);
        if (full && error_is_set(err)) return false;
    }
    drop_chunks(task);
    sink->rows += task->rows;
    task->rows = 0;
    return true;
}

static bool console_prepare(void *state, struct arena *arena, struct manifest *out, struct error *err)
{
    (void)err;
    struct console_sink *sink = state;
    struct buffer text = {0};
    show_table_print(sink->table, &text);
    *out = (struct manifest){.rows = sink->rows, .detail = arena_strndup(arena, (const char *)text.data, text.size)};
    buffer_free(&text);
    console_abort(sink);
    return true;
}

static bool console_publish(void *state, const struct batch_identity *batch, const struct manifest *manifest, struct error *err)
{
    (void)state;
    static const char line[] = "-------------------------------------------\n";
    struct buffer text = {0};
    buffer_printf(&text, "%sBatch: %lld\n%s%s\n", line, (long long)batch->batch_id, line, manifest->detail);
    bool ok = write_all(STDOUT_FILENO, text.data, text.size, "standard output", err);
    buffer_free(&text);
    return ok;
}

static const char *console_description(void *state)
{
    (void)state;
    return "ConsoleSink";
}

const struct sink_ops console_sink = {
    .name = "console", .options = console_options, .state_size = sizeof(struct console_sink), .check = console_check, .open = console_open,
    .committed = console_committed, .stage_begin = console_stage_begin, .task_new = console_task_new, .task_add = console_task_add,
    .task_finish = console_task_finish, .task_memory = console_task_memory, .task_free = console_task_free,
    .stage_append = console_stage_append, .prepare = console_prepare, .publish = console_publish, .abort = console_abort,
    .close = console_abort, .description = console_description,
};
