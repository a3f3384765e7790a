/* tasks -- packing small files, splitting big ones. */
#include "loader/tasks.h"
#include "base/file.h"

enum {
    TASK_BYTES_MIN = 8 << 20,
    TASK_BYTES_MAX = 32 << 20,
    TASK_FILES_MAX = 4096,
    TASKS_WANTED = 16,       /* Enough to keep a few workers busy to the end. */
    TASK_SHARE_OF_REST = 8,  /* Toward the end tasks are so much of what is left, so that no worker waits long for the last one. */
    COMPRESSION_GUESS = 4    /* A compressed byte counts as so many. */
};

struct cutter {
    struct arena *arena;
    struct plan_task *tasks;
    size_t count, capacity;
    struct plan_piece *pieces; /* Of the task being filled. */
    size_t piece_count, piece_capacity;
    int64_t bytes, bytes_max;
};

static void flush(struct cutter *cutter)
{
    if (!cutter->piece_count) return;
    if (cutter->count == cutter->capacity) {
        size_t wanted = cutter->capacity ? cutter->capacity * 2 : 16;
        struct plan_task *grown = ARENA_ARRAY(cutter->arena, struct plan_task, wanted);
        if (cutter->count) memcpy(grown, cutter->tasks, cutter->count * sizeof *grown);
        cutter->tasks = grown;
        cutter->capacity = wanted;
    }
    struct plan_piece *pieces = ARENA_ARRAY(cutter->arena, struct plan_piece, cutter->piece_count);
    memcpy(pieces, cutter->pieces, cutter->piece_count * sizeof *pieces);
    cutter->tasks[cutter->count++] = (struct plan_task){pieces, cutter->piece_count};
    cutter->piece_count = 0;
    cutter->bytes = 0;
}

static void add_piece(struct cutter *cutter, size_t file, int64_t start, int64_t end, int64_t bytes)
{
    if (cutter->piece_count && cutter->bytes + bytes > cutter->bytes_max) flush(cutter);
    if (cutter->piece_count == cutter->piece_capacity) {
        size_t wanted = cutter->piece_capacity ? cutter->piece_capacity * 2 : 64;
        struct plan_piece *grown = ARENA_ARRAY(cutter->arena, struct plan_piece, wanted);
        if (cutter->piece_count) memcpy(grown, cutter->pieces, cutter->piece_count * sizeof *grown);
        cutter->pieces = grown;
        cutter->piece_capacity = wanted;
    }
    cutter->pieces[cutter->piece_count++] = (struct plan_piece){(uint32_t)file, start, end};
    cutter->bytes += bytes;
    if (cutter->piece_count == TASK_FILES_MAX) flush(cutter);
}

/* The limit for the next task. It is a matter of the plan alone: what is written must not depend on the number of workers. */
static int64_t task_bytes(int64_t total, int64_t rest)
{
    int64_t wanted = total / TASKS_WANTED < TASK_BYTES_MAX ? total / TASKS_WANTED : TASK_BYTES_MAX;
    if (wanted > rest / TASK_SHARE_OF_REST) wanted = rest / TASK_SHARE_OF_REST;
    return wanted < TASK_BYTES_MIN ? TASK_BYTES_MIN : wanted;
}

static int64_t weight_of(const struct ledger_input *file)
{
    return codec_of_path(file->name) == CODEC_NONE ? file->size : file->size * COMPRESSION_GUESS;
}

static bool is_large(int64_t size, int64_t bytes_max) { return size > bytes_max + bytes_max / 2; }

/* Ranges of a file, each a task. `rest` counts all bytes from this file's first on. */
static void split_file(struct cutter *cutter, size_t file, int64_t size, int64_t total, int64_t rest)
{
    for (int64_t start = 0; start < size;) {
        cutter->bytes_max = task_bytes(total, rest - start);
        bool last = !is_large(size - start, cutter->bytes_max);
        int64_t bytes = last ? size - start : cutter->bytes_max;
        add_piece(cutter, file, start, last ? -1 : start + bytes, bytes);
        start += bytes;
    }
}

struct plan_task *tasks_cut(struct arena *arena, const struct ledger_input *files, size_t file_count,
                            const struct reader_ops *ops, const struct reader *reader, size_t *task_count)
{
    int64_t total = 0;
    for (size_t i = 0; i < file_count; i++) total += weight_of(&files[i]);
    int64_t rest = total;
    struct cutter cutter = {.arena = arena};
    for (size_t i = 0; i < file_count; i++) {
        cutter.bytes_max = task_bytes(total, rest + cutter.bytes);
        if (is_large(files[i].size, cutter.bytes_max) && ops->splittable(reader, input_path(arena, &files[i])))
            split_file(&cutter, i, files[i].size, total, rest);
        else
            add_piece(&cutter, i, 0, -1, weight_of(&files[i]));
        rest -= weight_of(&files[i]);
    }
    flush(&cutter);
    *task_count = cutter.count;
    return cutter.tasks;
}

const char *input_path(struct arena *arena, const struct ledger_input *file) { return path_join(arena, file->directory, file->name); }

/* Below this a thread costs more than it gives. */
enum { READ_AHEAD_FROM = 1 << 20 };

struct source_task task_resolve(struct arena *arena, const struct plan_task *from, const struct ledger_input *files, bool read_ahead)
{
    struct source_task task = {.range_count = from->count};
    uint32_t last = UINT32_MAX;
    const char *path = NULL;
    task.ranges = ARENA_ARRAY(arena, struct file_range, from->count + 1);
    task.file_index = ARENA_ARRAY(arena, uint32_t, from->count + 1);
    for (size_t i = 0; i < from->count; i++) {
        const struct plan_piece *piece = &from->pieces[i];
        const struct ledger_input *file = &files[piece->file_index];
        if (piece->file_index != last) path = input_path(arena, file);
        last = piece->file_index;
        task.ranges[i] = (struct file_range){path, piece->start, piece->end, file->size, file->mtime_us, file->inode,
                                             read_ahead && file->size >= READ_AHEAD_FROM};
        task.file_index[i] = piece->file_index;
        task.bytes += (piece->end < 0 ? file->size : piece->end) - piece->start;
    }
    return task;
}
