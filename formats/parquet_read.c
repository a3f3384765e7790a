/* parquet_read -- rows of a Parquet file as chunks: steps over all leaves, then lists and structs from their levels.
 *
 * A chunk is made in steps of some rows, each leaf in turn, until it has CHUNK_ROWS_MAX rows or enough
 * bytes; a step grows with what the rows before it weighed. So memory does not depend on the file, but
 * for one page and one dictionary of each column and for single rows. */
#include "formats/parquet_read.h"
#include "formats/rows.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>

enum { STEP_FIRST = 16, STEP_MAX = 4096, CHUNK_BYTES_MAX = 4 * CHUNK_TEXT_MAX };

struct parquet_file {
    int fd;
    const char *path;
    struct parquet_footer footer;
    struct read_schema schema;
    const char **keys, **values;     /* Key/value metadata, terminated. */
    struct page_reader *readers;     /* One per leaf, malloc'ed. */
    struct column **targets;         /* Columns of the leaves in the current chunk. */
    struct arena *group_arena;       /* The current row group's columns. */
    uint32_t group;                  /* Next row group. */
    int64_t rows_left;               /* Of the current one. */
};

/* --- opening --- */

static void copy_key_values(struct parquet_file *file, struct arena *arena)
{
    const struct parquet_file_metadata *metadata = &file->footer.metadata;
    file->keys = ARENA_ARRAY(arena, const char *, metadata->key_value_count);
    file->values = ARENA_ARRAY(arena, const char *, metadata->key_value_count);
    for (uint32_t i = 0; i < metadata->key_value_count; i++) {
        const struct parquet_key_value *pair = &metadata->key_values[i];
        file->keys[i] = arena_strndup(arena, (const char *)pair->key.data, pair->key.size);
        file->values[i] = arena_strndup(arena, (const char *)pair->value.data, pair->value.size);
    }
}

const char *parquet_key_value(const struct parquet_file *file, const char *key)
{
    for (uint32_t i = 0; i < file->footer.metadata.key_value_count; i++)
        if (strcmp(file->keys[i], key) == 0) return file->values[i];
    return NULL;
}

static bool open_readers(struct parquet_file *file, struct arena *arena)
{
    file->targets = ARENA_ARRAY(arena, struct column *, file->schema.leaf_count);
    file->readers = calloc((size_t)file->schema.leaf_count + 1, sizeof(*file->readers));
    if (!file->readers) return false;
    for (uint32_t i = 0; i < file->schema.leaf_count; i++) {
        file->readers[i].leaf = &file->schema.leaves[i];
        file->readers[i].fd = file->fd;
        file->readers[i].data_end = file->footer.data_end;
    }
    return true;
}

/* Damage says which file; what the machine lacks keeps its own condition. */
static bool failed_read(const struct parquet_file *file, struct error *err)
{
    if (err && (err->condition == COND_INLET_DAMAGED_FILE || err->condition == COND_INLET_NOT_SUPPORTED_YET)) {
        error_wrap(err, COND_FAILED_READ_FILE, "could not read file %s", file->path);
        error_at(err, file->path, 0, -1);
    } else {
        error_context(err, "reading Parquet file %s", file->path);
    }
    return false;
}

static int open_for_reading(const char *path, struct error *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd >= 0) return fd;
    if (errno == ENOENT) error_set(err, COND_FAILED_READ_FILE_NOT_EXIST, "file %s does not exist", path);
    else error_errno(err, "could not open Parquet file %s", path);
    return -1;
}

struct parquet_file *parquet_open_columns(const char *path, const char *const *names, struct arena *arena, struct error *err)
{
    int fd = open_for_reading(path, err);
    if (fd < 0) return NULL;
    struct parquet_file *file = ARENA_NEW(arena, struct parquet_file);
    file->fd = fd;
    file->path = arena_strdup(arena, path);
    if (!parquet_footer_read(fd, path, arena, &file->footer, err)) {
        error_context(err, "opening Parquet file %s", path);
        goto fail;
    }
    copy_key_values(file, arena);
    const char *spark = parquet_key_value(file, "org.apache.spark.sql.parquet.row.metadata");
    if (!read_schema_build(&file->footer.metadata, names, spark, arena, &file->schema, err)) {
        failed_read(file, err);
        goto fail;
    }
    if (!open_readers(file, arena)) {
        error_set(err, COND_INLET_NO_MEMORY, "there is no memory to read %" PRIu32 " columns", file->schema.leaf_count);
        goto fail;
    }
    file->group_arena = arena_new("parquet row group");
    return file;

fail:
    close(fd);
    return NULL;
}

struct parquet_file *parquet_open(const char *path, struct arena *arena, struct error *err)
{
    return parquet_open_columns(path, NULL, arena, err);
}

const struct type *parquet_schema(const struct parquet_file *file) { return file->schema.type; }
int64_t parquet_rows(const struct parquet_file *file) { return file->footer.metadata.row_count; }

void parquet_close(struct parquet_file *file)
{
    if (!file) return;
    for (uint32_t i = 0; i < file->schema.leaf_count; i++) page_reader_fini(&file->readers[i]);
    free(file->readers);
    arena_free(file->group_arena);
    close(file->fd);
}

bool parquet_count_rows(const char *path, int64_t *rows, struct error *err)
{
    int fd = open_for_reading(path, err);
    if (fd < 0) return false;
    struct arena *arena = arena_new("parquet footer");
    struct parquet_footer footer;
    bool done = parquet_footer_read(fd, path, arena, &footer, err);
    if (done) *rows = footer.metadata.row_count;
    arena_free(arena);
    close(fd);
    return done;
}

/* --- row groups --- */

static bool begin_group(struct parquet_file *file, struct error *err)
{
    struct parquet_row_group group;
    if (file->footer.metadata.row_groups[file->group].row_count == 0) { /* Some writers leave their offsets empty. */
        file->group++;
        return true;
    }
    arena_reset(file->group_arena);
    if (!parquet_footer_group(&file->footer, file->group, file->group_arena, &group, err)) return false;
    if (group.column_count != file->schema.file_leaf_count)
        return error_set(err, COND_INLET_DAMAGED_FILE, "row group %" PRIu32 " has %" PRIu32 " columns, the schema has %" PRIu32, file->group,
                         group.column_count, file->schema.file_leaf_count);
    for (uint32_t i = 0; i < file->schema.leaf_count; i++) {
        struct page_reader *reader = &file->readers[i];
        if (!page_reader_begin(reader, &group.columns[reader->leaf->file_column], err)) return false;
    }
    file->rows_left = group.row_count;
    file->group++;
    return true;
}

static bool check_group_end(const struct parquet_file *file, struct error *err)
{
    for (uint32_t i = 0; i < file->schema.leaf_count; i++)
        if (!page_reader_at_end(&file->readers[i]))
            return error_set(err, COND_INLET_DAMAGED_FILE, "column [%s] has more rows than its row group", file->schema.leaves[i].path);
    return true;
}

/* --- steps --- */

static void find_targets(struct parquet_file *file, const struct read_node *node, struct column *column)
{
    if (node->child_count == 0) file->targets[node->leaf] = column;
    for (uint32_t i = 0; i < node->child_count; i++) find_targets(file, &node->children[i], &column->children[i]);
}

/* Bytes that the leaves hold by now; *text gets those of strings alone. */
static size_t leaves_size(const struct parquet_file *file, size_t *text)
{
    size_t size = 0;
    *text = 0;
    for (uint32_t i = 0; i < file->schema.leaf_count; i++) {
        const struct column *column = file->targets[i];
        size += (size_t)column->length * (file->schema.leaves[i].width + 1) + file->readers[i].levels.count * 4;
        if (column->offsets && column->length) *text += (size_t)column->offsets[column->length];
    }
    size += *text;
    return size;
}

static bool read_step(struct parquet_file *file, uint32_t rows, struct error *err)
{
    for (uint32_t i = 0; i < file->schema.leaf_count; i++)
        if (!page_reader_rows(&file->readers[i], file->targets[i], rows, err)) return false;
    file->rows_left -= rows;
    return file->rows_left > 0 || check_group_end(file, err);
}

/* As many rows as a chunk should have, of the current row group. */
static bool read_rows(struct parquet_file *file, struct chunk *chunk, const struct cancel *cancel, struct error *err)
{
    size_t step = STEP_FIRST;
    while (file->rows_left > 0 && chunk->row_count < CHUNK_ROWS_MAX) {
        if (cancel_now(cancel)) return error_set(err, COND_INLET_CANCELLED, "stopped while reading");
        size_t rows = CHUNK_ROWS_MAX - chunk->row_count < step ? CHUNK_ROWS_MAX - chunk->row_count : step;
        if ((int64_t)rows > file->rows_left) rows = (size_t)file->rows_left;
        if (!read_step(file, (uint32_t)rows, err)) return false;
        chunk->row_count += (uint32_t)rows;

        size_t text, size = leaves_size(file, &text);
        if (text >= CHUNK_TEXT_MAX || size >= CHUNK_BYTES_MAX) return true;
        size_t room = CHUNK_BYTES_MAX - size < CHUNK_TEXT_MAX - text ? CHUNK_BYTES_MAX - size : CHUNK_TEXT_MAX - text;
        size_t fitting = room / (size / chunk->row_count + 1) + 1;
        step = step * 2 < STEP_MAX ? step * 2 : STEP_MAX;
        if (step > fitting) step = fitting;
    }
    return true;
}

/* --- lists and structs --- */

static bool shape_differs(const struct parquet_file *file, const struct read_node *node, struct error *err)
{
    return error_set(err, COND_INLET_DAMAGED_FILE, "the lists or structs around column [%s] do not agree with each other",
                     file->schema.leaves[node->leaf].path);
}

static bool set_valid(struct column *column, size_t slot, bool valid)
{
    if (!valid) {
        bit_clear(column->validity, slot);
        column->null_count++;
    }
    return valid;
}

static size_t count_slots(const struct read_node *node, const struct read_levels *levels)
{
    size_t slots = 0;
    for (size_t i = 0; i < levels->count; i++)
        slots += levels->repetition[i] <= node->repetition && levels->definition[i] >= node->slot_definition;
    return slots;
}

static void fill_struct(const struct read_node *node, const struct read_levels *levels, struct column *column)
{
    size_t slot = 0;
    for (size_t i = 0; i < levels->count; i++) {
        if (levels->repetition[i] > node->repetition || levels->definition[i] < node->slot_definition) continue;
        set_valid(column, slot++, levels->definition[i] >= node->definition);
    }
}

/* False where an element stands outside of any list. */
static bool fill_list(const struct read_node *node, const struct read_levels *levels, struct column *column)
{
    size_t slot = 0, elements = 0;
    bool open = false;
    for (size_t i = 0; i < levels->count; i++) {
        bool has_element = levels->definition[i] >= node->element_definition;
        if (levels->repetition[i] <= node->repetition) {
            if (open) column->offsets[slot] = (int32_t)elements;
            bool is_slot = levels->definition[i] >= node->slot_definition;
            open = is_slot && set_valid(column, slot, levels->definition[i] >= node->definition) && has_element;
            if (!is_slot) continue;
            elements += has_element;
            column->offsets[++slot] = (int32_t)elements;
        } else if (levels->repetition[i] == node->repetition + 1) {
            if (!open || !has_element) return false;
            elements++;
        }
    }
    if (open) column->offsets[slot] = (int32_t)elements;
    return true;
}

static bool assemble(struct parquet_file *file, const struct read_node *node, struct column *column, size_t slots, struct budget *budget,
                     struct error *err);

static bool assemble_list(struct parquet_file *file, const struct read_node *node, struct column *column, struct budget *budget, struct error *err)
{
    const struct read_levels *levels = &file->readers[node->leaf].levels;
    if (!fill_list(node, levels, column)) return shape_differs(file, node, err);
    size_t elements = (size_t)column->offsets[column->length];
    for (uint32_t i = 0; i < node->child_count; i++)
        if (!assemble(file, &node->children[i], &column->children[i], elements, budget, err)) return false;
    if (node->kind == TYPE_MAP && column->children[0].null_count > 0)
        return error_set(err, COND_INLET_DAMAGED_FILE, "a map has a null key in column [%s]", file->schema.leaves[node->leaf].path);
    return true;
}

/* Builds what is above the leaves; `slots` is what the parent expects of this column. */
static bool assemble(struct parquet_file *file, const struct read_node *node, struct column *column, size_t slots, struct budget *budget,
                     struct error *err)
{
    if (node->child_count == 0) {
        if (column->length != slots) return shape_differs(file, node, err);
        return slots > 0 || column_reserve(column, budget, 1, err); /* Offsets are there even where no row is. */
    }
    const struct read_levels *levels = &file->readers[node->leaf].levels;
    if (count_slots(node, levels) != slots) return shape_differs(file, node, err);
    if (!column_reserve(column, budget, slots ? slots : 1, err)) return false;
    column->length = (uint32_t)slots;
    if (node->kind != TYPE_STRUCT) return assemble_list(file, node, column, budget, err);
    fill_struct(node, levels, column);
    for (uint32_t i = 0; i < node->child_count; i++)
        if (!assemble(file, &node->children[i], &column->children[i], slots, budget, err)) return false;
    return true;
}

/* --- chunks --- */

static bool next_chunk(struct parquet_file *file, struct chunk *chunk, struct inlet_context *context, struct error *err)
{
    struct budget *budget = context ? context->budget : NULL;
    for (uint32_t i = 0; i < file->schema.leaf_count; i++) {
        file->readers[i].levels.count = 0;
        file->readers[i].budget = budget;
    }
    for (size_t i = 0; i < chunk->schema->field_count; i++) find_targets(file, &file->schema.fields[i], &chunk->columns[i]);
    while (file->rows_left == 0 && file->group < file->footer.metadata.row_group_count)
        if (!begin_group(file, err)) return false;
    if (!read_rows(file, chunk, context ? &context->cancel : NULL, err)) return false;
    for (size_t i = 0; i < chunk->schema->field_count; i++)
        if (!assemble(file, &file->schema.fields[i], &chunk->columns[i], chunk->row_count, budget, err)) return false;
    return true;
}

enum pull parquet_next(struct parquet_file *file, struct chunk *chunk, struct inlet_context *context, struct error *err)
{
    chunk_reset(chunk);
    if (!next_chunk(file, chunk, context, err)) {
        failed_read(file, err);
        return PULL_FAILED;
    }
    return chunk->row_count ? PULL_CHUNK : PULL_END;
}
