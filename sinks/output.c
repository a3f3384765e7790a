/* output -- tasks of pieces, staged files, and the manifest they come to. */
#include "sinks/output.h"
#include "base/panic.h"
#include "base/plant.h"
#include "base/uuid.h"
#include "sinks/direct.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    SMALL_FILE_ROWS = 256,          /* Where files are to be smaller than a piece: what a piece may grow by at once. */
    PIECE_BYTES = 32 << 20,         /* Raw bytes after which a piece is finished; also the bound on all open ones of a task. */
    OPEN_PIECES_MAX = 64,           /* Per task. */
    OPEN_FILES_MAX = 64,
    WRITE_BEHIND_BYTES = 8 << 20    /* Dirty bytes after which the kernel is asked to start writing. */
};

struct staged_file {
    uint32_t number;
    uint32_t pieces;
    int fd;                             /* -1: synced and closed. */
    bool complete;                      /* The tail is written. */
    struct encoder_file *encoder_file;  /* NULL once complete. */
    const struct partition_key *key;    /* In the output's map. */
    int64_t size, rows, mtime_ms;
    int64_t started_bytes;              /* Bytes that the kernel was asked to write. */
    const char *detail;
    struct staged_file *newer, *older;  /* Among open files, by last use. */
};

struct output {
    struct output_spec spec;
    struct staging staging;
    struct arena *arena;                /* Of the batch. */
    struct partition_map partitions;
    struct staged_file **current;       /* By partition id: the file that takes its next piece, or NULL. */
    uint32_t current_capacity;
    struct staged_file **files;         /* All, by number. */
    uint32_t file_count, file_capacity;
    struct staged_file *newest, *oldest;
    uint32_t open_count;
    int64_t batch_id;
    const char *plan_digest;
    bool prepared;                      /* A manifest was given: the files are the ledger's now. */
    bool begun;                         /* A batch was staged before, by this process. */
    struct buffer scratch;
    struct direct direct;
    struct staged_file *direct_file;    /* That is written so; NULL: none is. */
};

/* --- tasks ---------------------------------------------------------------------------------------- */

struct part { /* One partition's pieces in one task. */
    struct piece *open;
    int64_t open_rows;
    size_t open_bytes;
    struct piece **done;
    uint32_t done_count, done_capacity;
};

struct sink_task {
    struct output *output;
    struct partition_split *split;      /* NULL: not partitioned, one part. */
    struct part *parts;                 /* By the split's partition number. */
    uint32_t part_count, part_capacity;
    uint32_t open_parts[OPEN_PIECES_MAX + 1];
    uint32_t open_count;
    size_t open_bytes, done_bytes, piece_bytes;
    uint32_t rows_max;                  /* Added to a piece at once. */
    struct chunk view;                  /* The data columns of the chunk at hand, borrowed. */
    struct chunk adapted;               /* Where the spec adapts. */
    uint32_t *every_row;                /* 0, 1, 2, ... where a chunk without selection must be cut. */
    uint32_t every_row_count;
};

static void reserve_parts(struct sink_task *task, uint32_t count)
{
    if (count > task->part_capacity) {
        uint32_t capacity = task->part_capacity ? task->part_capacity * 2 : 4;
        invariant(count <= capacity); /* Partitions are numbered as they come. */
        task->parts = realloc(task->parts, capacity * sizeof *task->parts);
        if (!task->parts) panic_out_of_memory(capacity * sizeof *task->parts);
        task->part_capacity = capacity;
    }
    for (; task->part_count < count; task->part_count++) task->parts[task->part_count] = (struct part){0};
}

struct sink_task *output_task_new(struct output *output)
{
    const struct partition_layout *layout = output->spec.layout;
    struct sink_task *task = calloc(1, sizeof *task);
    struct column *columns = calloc(layout->data_schema->field_count + 1, sizeof *columns);
    if (!task || !columns) panic_out_of_memory(sizeof *task);
    task->output = output;
    task->view = (struct chunk){.schema = layout->data_schema, .columns = columns};
    bool small = output->spec.file_bytes_max < PIECE_BYTES;
    task->piece_bytes = small ? (size_t)output->spec.file_bytes_max / 4 : PIECE_BYTES;
    task->rows_max = small ? SMALL_FILE_ROWS : UINT32_MAX;
    if (layout->count) task->split = partition_split_new(layout);
    if (output->spec.adapt) chunk_init(&task->adapted, layout->schema);
    return task;
}

void output_task_free(struct sink_task *task)
{
    if (!task) return;
    const struct encoder_ops *ops = task->output->spec.encoder_ops;
    for (uint32_t i = 0; i < task->part_count; i++) {
        struct part *part = &task->parts[i];
        if (part->open) ops->piece_free(part->open);
        for (uint32_t j = 0; j < part->done_count; j++) ops->piece_free(part->done[j]);
        free(part->done);
    }
    free(task->parts);
    partition_split_free(task->split);
    if (task->output->spec.adapt) chunk_fini(&task->adapted);
    free(task->view.columns);
    free(task->every_row);
    free(task);
}

size_t output_task_memory(const struct sink_task *task) { return task->open_bytes + task->done_bytes; }

static void part_push(struct part *part, struct piece *piece)
{
    if (part->done_count == part->done_capacity) {
        part->done_capacity = part->done_capacity ? part->done_capacity * 2 : 4;
        part->done = realloc(part->done, part->done_capacity * sizeof *part->done);
        if (!part->done) panic_out_of_memory(part->done_capacity * sizeof *part->done);
    }
    part->done[part->done_count++] = piece;
}

/* Encodes the open piece of the part and puts it with the finished ones. */
static bool finish_piece(struct sink_task *task, uint32_t index, struct error *err)
{
    const struct encoder_ops *ops = task->output->spec.encoder_ops;
    struct part *part = &task->parts[index];
    if (!ops->piece_finish(part->open, err)) return false;
    task->open_bytes -= part->open_bytes;
    task->done_bytes += ops->piece_bytes(part->open);
    part_push(part, part->open);
    part->open = NULL;
    part->open_bytes = 0;
    part->open_rows = 0;
    uint32_t at = 0;
    while (task->open_parts[at] != index) at++;
    task->open_parts[at] = task->open_parts[--task->open_count];
    return true;
}

static bool finish_largest(struct sink_task *task, struct error *err)
{
    uint32_t largest = task->open_parts[0];
    for (uint32_t i = 1; i < task->open_count; i++) {
        uint32_t candidate = task->open_parts[i];
        size_t bytes = task->parts[candidate].open_bytes, most = task->parts[largest].open_bytes;
        /* By number where equal: which one goes must not depend on history that a re-run may lack. */
        if (bytes > most || (bytes == most && candidate < largest)) largest = candidate;
    }
    return finish_piece(task, largest, err);
}

static bool open_piece(struct sink_task *task, uint32_t index, struct error *err)
{
    const struct output_spec *spec = &task->output->spec;
    if (task->open_count == OPEN_PIECES_MAX && !finish_largest(task, err)) return false;
    task->parts[index].open = spec->encoder_ops->piece_new(spec->encoder, spec->context, err);
    if (!task->parts[index].open) return false;
    task->open_parts[task->open_count++] = index;
    return true;
}

/* Adds rows of the view (NULL: all of them) to the part, cut where files may not have more rows. */
static bool add_rows(struct sink_task *task, uint32_t index, const uint32_t *rows, uint32_t count, struct error *err)
{
    const struct output_spec *spec = &task->output->spec;
    for (uint32_t start = 0; start < count;) {
        struct part *part = &task->parts[index];
        if (!part->open && !open_piece(task, index, err)) return false;
        uint32_t room = count - start < task->rows_max ? count - start : task->rows_max;
        if (spec->file_rows_max && (int64_t)room > spec->file_rows_max - part->open_rows)
            room = (uint32_t)(spec->file_rows_max - part->open_rows);
        /* const is dropped for the chunk's field only: encoders read it. */
        task->view.selection = rows ? (uint32_t *)(uintptr_t)(rows + start) : NULL;
        task->view.selection_count = rows ? room : 0;
        if (!spec->encoder_ops->piece_add(part->open, &task->view, err)) return false;
        size_t bytes = spec->encoder_ops->piece_memory(part->open);
        task->open_bytes += bytes - part->open_bytes;
        part->open_bytes = bytes;
        part->open_rows += room;
        start += room;
        bool full = bytes >= task->piece_bytes || (spec->file_rows_max && part->open_rows >= spec->file_rows_max);
        if (full && !finish_piece(task, index, err)) return false;
    }
    while (task->open_bytes > PIECE_BYTES)
        if (!finish_largest(task, err)) return false;
    return true;
}

static void view_chunk(struct sink_task *task, const struct chunk *chunk)
{
    const struct partition_layout *layout = task->output->spec.layout;
    for (size_t i = 0; i < layout->data_schema->field_count; i++) task->view.columns[i] = chunk->columns[layout->data_columns[i]];
    task->view.row_count = chunk->row_count;
    task->view.segments = chunk->segments;
    task->view.segment_count = chunk->segment_count;
}

static const uint32_t *every_row(struct sink_task *task, uint32_t count)
{
    if (count > task->every_row_count) {
        task->every_row = realloc(task->every_row, count * sizeof *task->every_row);
        if (!task->every_row) panic_out_of_memory(count * sizeof *task->every_row);
        for (uint32_t i = task->every_row_count; i < count; i++) task->every_row[i] = i;
        task->every_row_count = count;
    }
    return task->every_row;
}

static bool add_chunk(struct sink_task *task, const struct chunk *chunk, struct error *err)
{
    const struct output_spec *spec = &task->output->spec;
    uint32_t count = chunk_selected(chunk);
    view_chunk(task, chunk);
    if (!task->split) {
        const uint32_t *rows = chunk->selection;
        if (!rows && (spec->file_rows_max || task->rows_max < count)) rows = every_row(task, count);
        reserve_parts(task, 1);
        return add_rows(task, 0, rows, count, err);
    }
    const struct partition_rows *groups;
    size_t group_count;
    if (!partition_split_chunk(task->split, chunk, spec->context->budget, &groups, &group_count, err)) return false;
    for (size_t i = 0; i < group_count; i++) {
        reserve_parts(task, groups[i].partition + 1);
        if (!add_rows(task, groups[i].partition, groups[i].rows, groups[i].count, err)) return false;
    }
    return true;
}

bool output_task_add(struct sink_task *task, const struct chunk *chunk, struct error *err)
{
    const struct output_spec *spec = &task->output->spec;
    if (!chunk_selected(chunk)) return true;
    if (!spec->adapt) return add_chunk(task, chunk, err);
    struct chunk *adapted = &task->adapted;
    bool ok = spec->adapt(spec->user, chunk, adapted, err);
    adapted->row_count = chunk->row_count;
    adapted->selection = chunk->selection; /* Borrowed for the call. */
    adapted->selection_count = chunk->selection_count;
    ok = ok && add_chunk(task, adapted, err);
    adapted->selection = NULL;
    chunk_reset(adapted);
    return ok;
}

bool output_task_finish(struct sink_task *task, struct error *err)
{
    while (task->open_count)
        if (!finish_piece(task, task->open_parts[0], err)) return false;
    return true;
}

/* --- open files, the least recently used first to go ---------------------------------------------------- */

static void unlink_file(struct output *output, struct staged_file *file)
{
    if (file->newer) file->newer->older = file->older;
    else output->newest = file->older;
    if (file->older) file->older->newer = file->newer;
    else output->oldest = file->newer;
    file->newer = file->older = NULL;
    output->open_count--;
}

static void link_file(struct output *output, struct staged_file *file)
{
    file->older = output->newest;
    file->newer = NULL;
    if (output->newest) output->newest->newer = file;
    else output->oldest = file;
    output->newest = file;
    output->open_count++;
}

/* A file that begins with this much goes past the page cache, unless that waited for the disk where nobody else
 * works meanwhile, or took memory for many files at once. */
static void start_direct(struct output *output, struct staged_file *file, size_t piece_bytes)
{
    const struct output_spec *spec = &output->spec;
    if (piece_bytes < DIRECT_BLOCK || output->direct_file || spec->layout->count || spec->context->thread_count < 2) return;
    if (direct_start(&output->direct, file->fd)) output->direct_file = file;
}

enum { STAGED_NAME_SIZE = 48 };

static void staged_name(const struct output *output, const struct staged_file *file, char out[STAGED_NAME_SIZE])
{
    snprintf(out, STAGED_NAME_SIZE, "%lld-%05u" STAGING_SUFFIX, (long long)output->batch_id, file->number);
}

/* All that was given is written. */
static bool end_direct(struct output *output, const struct staged_file *file, struct error *err)
{
    char name[STAGED_NAME_SIZE];
    if (output->direct_file != file) return true;
    output->direct_file = NULL;
    staged_name(output, file, name);
    if (direct_end(&output->direct, name, err)) return true;
    return error_context(err, "writing to \"%s/%s\"", output->spec.root, output->staging.relative);
}

/* Everything written so far is durable and the descriptor is given back. After a failure nothing is tried again on it (F6). */
static bool settle_file(struct output *output, struct staged_file *file, struct error *err)
{
    char name[STAGED_NAME_SIZE];
    staged_name(output, file, name);
    if (!end_direct(output, file, err)) return false;
    int fd = file->fd;
    unlink_file(output, file);
    file->fd = -1;
    struct stat info;
    bool ok = PLANTED(1) || file_sync(fd, name, err);
    if (ok && fstat(fd, &info) != 0) ok = error_errno(err, "could not look up file \"%s\"", name);
    if (close(fd) != 0 && ok) ok = error_errno(err, "could not close file \"%s\"", name);
    if (!ok) return error_context(err, "writing to \"%s/%s\"", output->spec.root, output->staging.relative);
    if (info.st_size != file->size)
        return error_set(err, COND_INLET_IO, "the staged file \"%s\" has %lld bytes where %lld were written", name, (long long)info.st_size,
                         (long long)file->size);
    file->mtime_ms = (int64_t)info.st_mtim.tv_sec * 1000 + info.st_mtim.tv_nsec / 1000000;
    return true;
}

/* Makes the file the newest of the open ones. */
static bool touch_file(struct output *output, struct staged_file *file, bool create, struct error *err)
{
    if (file->fd >= 0) {
        unlink_file(output, file);
        link_file(output, file);
        return true;
    }
    if (output->open_count >= OPEN_FILES_MAX && !settle_file(output, output->oldest, err)) return false;
    char name[STAGED_NAME_SIZE];
    staged_name(output, file, name);
    file->fd = create ? staging_create(&output->staging, name, err) : staging_reopen(&output->staging, name, err);
    if (file->fd < 0) return error_context(err, "writing to \"%s\"", output->spec.root);
    link_file(output, file);
    return true;
}

static bool write_bytes(struct output *output, struct staged_file *file, const void *data, size_t size, struct error *err)
{
    if (!size) return true;
    char name[STAGED_NAME_SIZE];
    staged_name(output, file, name);
    bool ok = file == output->direct_file ? direct_write(&output->direct, data, size, name, err) : write_all(file->fd, data, size, name, err);
    if (!ok) return error_context(err, "writing to \"%s/%s\"", output->spec.root, output->staging.relative);
    file->size += (int64_t)size;
    if (file->size - file->started_bytes >= WRITE_BEHIND_BYTES) {
        /* Only a head start for the fsync to come; its result tells. */
        sync_file_range(file->fd, file->started_bytes, file->size - file->started_bytes, SYNC_FILE_RANGE_WRITE);
        file->started_bytes = file->size;
    }
    return true;
}

/* --- files ---------------------------------------------------------------------------------------- */

static struct staged_file *add_file(struct output *output, const struct partition_key *key)
{
    if (output->file_count == output->file_capacity) {
        output->file_capacity = output->file_capacity ? output->file_capacity * 2 : 16;
        output->files = realloc(output->files, output->file_capacity * sizeof *output->files);
        if (!output->files) panic_out_of_memory(output->file_capacity * sizeof *output->files);
    }
    struct staged_file *file = ARENA_NEW(output->arena, struct staged_file);
    file->number = output->file_count;
    file->fd = -1;
    file->key = key;
    output->files[output->file_count++] = file;
    return file;
}

static struct staged_file *start_file(struct output *output, const struct partition_key *key, size_t piece_bytes, struct error *err)
{
    const struct output_spec *spec = &output->spec;
    struct staged_file *file = add_file(output, key);
    file->encoder_file = spec->encoder_ops->file_new(spec->encoder, err);
    if (!file->encoder_file) return NULL;
    buffer_clear(&output->scratch);
    if (!spec->encoder_ops->file_head(file->encoder_file, &output->scratch, err)) return NULL;
    if (!touch_file(output, file, true, err)) return NULL;
    start_direct(output, file, piece_bytes);
    if (!write_bytes(output, file, output->scratch.data, output->scratch.size, err)) return NULL;
    return file;
}

/* L6: what the encoder's own books say must be what was handed in. */
static bool complete_file(struct output *output, struct staged_file *file, struct error *err)
{
    const struct output_spec *spec = &output->spec;
    const struct encoder_ops *ops = spec->encoder_ops;
    buffer_clear(&output->scratch);
    if (!ops->file_tail(file->encoder_file, &output->scratch, err)) return false;
    if (output->scratch.size && !touch_file(output, file, false, err)) return false;
    if (!write_bytes(output, file, output->scratch.data, output->scratch.size, err) || !end_direct(output, file, err)) return false;
    int64_t counted = ops->file_rows(file->encoder_file);
    if (counted != file->rows)
        return error_set(err, COND_INLET_COUNT_MISMATCH, "staged file %u says it has %lld rows where %lld were given", file->number,
                         (long long)counted, (long long)file->rows);
    file->detail = "";
    if (spec->describe) {
        buffer_clear(&output->scratch);
        spec->describe(spec->user, file->encoder_file, file->key, &output->scratch);
        file->detail = arena_strndup(output->arena, (const char *)output->scratch.data, output->scratch.size);
    }
    ops->file_free(file->encoder_file);
    file->encoder_file = NULL;
    file->complete = true;
    return true;
}

static bool is_full(const struct output *output, const struct staged_file *file, int64_t rows, int64_t bytes)
{
    const struct output_spec *spec = &output->spec;
    if (file->size + bytes > spec->file_bytes_max) return true;
    if (spec->file_pieces_max && file->pieces >= spec->file_pieces_max) return true;
    return spec->file_rows_max && file->rows + rows > spec->file_rows_max;
}

static bool append_piece(struct output *output, const struct partition_key *key, struct piece *piece, struct error *err)
{
    const struct encoder_ops *ops = output->spec.encoder_ops;
    int64_t rows = ops->piece_rows(piece);
    struct staged_file *file = output->current[key->id];
    if (file && is_full(output, file, rows, (int64_t)ops->piece_bytes(piece))) {
        if (!complete_file(output, file, err)) return false;
        file = NULL;
    }
    output->current[key->id] = file = file ? file : start_file(output, key, ops->piece_bytes(piece), err);
    if (!file || !touch_file(output, file, false, err)) return false;
    struct slice bytes;
    if (!ops->file_piece(file->encoder_file, piece, &bytes, err)) return false;
    if (!write_bytes(output, file, bytes.data, bytes.size, err)) return false;
    file->rows += rows;
    file->pieces++;
    return true;
}

/* The output's own copy of a task's key: numbers differ from task to task, raw values do not. */
static const struct partition_key *adopt_key(struct output *output, const struct partition_key *key)
{
    struct partition_map *map = &output->partitions;
    struct partition_key *own = partition_map_find(map, key->raw, key->raw_size, key->hash);
    if (own) return own;
    own = partition_map_add(map, key->raw, key->raw_size, key->hash);
    own->folder = arena_strdup(output->arena, key->folder);
    own->values = arena_strdup(output->arena, key->values);
    if (map->count > output->current_capacity) {
        uint32_t capacity = output->current_capacity ? output->current_capacity * 2 : 16;
        output->current = realloc(output->current, capacity * sizeof *output->current);
        if (!output->current) panic_out_of_memory(capacity * sizeof *output->current);
        output->current_capacity = capacity;
    }
    output->current[own->id] = NULL;
    return own;
}

static const struct partition_key no_partition = {.raw = (const uint8_t *)"", .folder = "", .values = "[]"};

bool output_append(struct output *output, struct sink_task *task, struct error *err)
{
    const struct encoder_ops *ops = output->spec.encoder_ops;
    invariant(output->arena);
    for (uint32_t i = 0; i < task->part_count; i++) {
        struct part *part = &task->parts[i];
        if (!part->done_count) continue;
        const struct partition_key *key = adopt_key(output, task->split ? partition_split_key(task->split, i) : &no_partition);
        for (uint32_t j = 0; j < part->done_count; j++)
            if (!append_piece(output, key, part->done[j], err)) return false; /* The task frees its pieces. */
        for (uint32_t j = 0; j < part->done_count; j++) ops->piece_free(part->done[j]);
        part->done_count = 0;
    }
    task->done_bytes = 0;
    return true;
}

/* --- the batch ------------------------------------------------------------------------------------ */

struct output *output_new(const struct output_spec *spec)
{
    struct output *output = calloc(1, sizeof *output);
    if (!output) panic_out_of_memory(sizeof *output);
    output->spec = *spec;
    output->staging.folder = -1;
    return output;
}

/* Forgets the batch: what was written stays on disk. */
static void drop_batch(struct output *output)
{
    for (uint32_t i = 0; i < output->file_count; i++) {
        struct staged_file *file = output->files[i];
        if (file->encoder_file) output->spec.encoder_ops->file_free(file->encoder_file);
        if (file->fd >= 0) close(file->fd);
    }
    direct_drop(&output->direct);
    free(output->files);
    free(output->current);
    partition_map_fini(&output->partitions);
    arena_free(output->arena);
    buffer_free(&output->scratch);
    staging_close(&output->staging);
    *output = (struct output){.spec = output->spec, .staging = {.folder = -1}, .prepared = output->prepared, .begun = output->begun};
}

void output_free(struct output *output)
{
    if (!output) return;
    drop_batch(output);
    free(output);
}

bool output_begin(struct output *output, const struct batch_identity *batch, struct error *err)
{
    drop_batch(output);
    bool first = !output->begun;
    output->begun = true;
    output->prepared = false;
    output->arena = arena_new("output");
    output->partitions.arena = output->arena;
    output->batch_id = batch->batch_id;
    output->plan_digest = arena_strdup(output->arena, batch->plan_digest);
    return staging_begin(&output->staging, output->spec.root, output->spec.query_id, first, err);
}

/* A file of no rows, where it says something: Parquet's schema, a CSV header. */
static bool write_empty(struct output *output, struct error *err)
{
    const struct encoder_ops *ops = output->spec.encoder_ops;
    struct encoder_file *probe = ops->file_new(output->spec.encoder, err);
    if (!probe) return false;
    struct buffer bytes = {0};
    bool ok = ops->file_head(probe, &bytes, err) && ops->file_tail(probe, &bytes, err);
    ops->file_free(probe);
    size_t size = bytes.size;
    buffer_free(&bytes);
    if (!ok || !size) return ok;
    struct staged_file *file = start_file(output, adopt_key(output, &no_partition), 0, err);
    return file && complete_file(output, file, err);
}

/* part-<number>-<uuid>-c000<suffix>: the same for the same plan, so that a second try gives the same names. */
static const char *final_name(const struct output *output, struct arena *arena, const struct staged_file *file)
{
    const struct output_spec *spec = &output->spec;
    const char *identity = arena_printf(arena, "%lld/%s/%u", (long long)output->batch_id, output->plan_digest, file->number);
    char uuid[UUID_TEXT_SIZE];
    uuid_v5(spec->query_id, identity, strlen(identity), uuid);
    const char *folder = file->key->folder;
    return arena_printf(arena, "%s%spart-%05u-%s%cc000%s", folder, folder[0] ? "/" : "", file->number, uuid, spec->layout->count ? '.' : '-',
                        spec->encoder_ops->suffix(spec->encoder));
}

struct folder_sync {
    const struct staging *staging;
    bool done;
    struct error error;
};

static void sync_folder(void *user)
{
    struct folder_sync *sync = user;
    error_clear(&sync->error);
    sync->done = staging_sync(sync->staging, &sync->error);
}

/* The last file, and the names of all, on both threads at once. Its bytes are on the disk before, so that both wait for the same
 * commit of the file system's journal. */
static bool settle_last(struct output *output, struct staged_file *file, struct error *err)
{
    struct folder_sync sync = {.staging = &output->staging};
    (void)sync_file_range(file->fd, 0, 0, SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER);
    aside_start(output->spec.aside, sync_folder, &sync);
    bool ok = settle_file(output, file, err);
    aside_wait(output->spec.aside);
    if (ok && !sync.done && err) *err = sync.error;
    return ok && (sync.done || PLANTED(54));
}

static bool finish_files(struct output *output, struct error *err)
{
    for (uint32_t i = 0; i < output->file_count; i++) {
        struct staged_file *file = output->files[i];
        if (!file->complete && !complete_file(output, file, err)) return false;
        if (output->spec.aside && file->fd >= 0 && i + 1 == output->file_count) return settle_last(output, file, err);
        if (file->fd >= 0 && !settle_file(output, file, err)) return false;
    }
    return staging_sync(&output->staging, err);
}

bool output_prepare(struct output *output, struct arena *arena, struct manifest *out, struct error *err)
{
    if (output->spec.keep_empty && output->file_count == 0 && output->spec.layout->count == 0 && !write_empty(output, err)) return false;
    if (!finish_files(output, err)) return false;
    *out = (struct manifest){.count = output->file_count, .detail = ""};
    out->files = ARENA_ARRAY(arena, struct manifest_file, output->file_count + 1);
    for (uint32_t i = 0; i < output->file_count; i++) {
        const struct staged_file *file = output->files[i];
        char name[STAGED_NAME_SIZE];
        staged_name(output, file, name);
        const char *final = final_name(output, arena, file);
        if (strlen(output->spec.root) + strlen(final) + 2 > PATH_MAX)
            return error_set(err, COND_TASK_WRITE_FAILED, "too long for a path: \"%s/%.200s...\"", output->spec.root, final);
        out->files[i] = (struct manifest_file){.staged = arena_printf(arena, "%s/%s", output->staging.relative, name),
                                               .final_name = final, .size = file->size, .rows = file->rows, .mtime_ms = file->mtime_ms,
                                               .detail = arena_strdup(arena, file->detail)};
        out->rows += file->rows;
        out->bytes += file->size;
    }
    drop_batch(output);
    output->prepared = true; /* From here the manifest is all that counts. */
    return true;
}

void output_abort(struct output *output)
{
    drop_batch(output);
    if (!output->prepared) staging_sweep(output->spec.root, output->spec.query_id);
}
