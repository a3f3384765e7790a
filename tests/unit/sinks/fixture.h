/* fixture -- what the tests of sinks share: a folder, a session, chunks by hand, and an encoder of plain lines. */
#pragma once
#include "base/file.h"
#include "base/uuid.h"
#include "columns/show.h"
#include "sinks/file_sink.h"

#include <dirent.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define QUERY_ID "e4a20b59-dd0e-4c50-b074-e8ae4786df30"
#define OTHER_ID "0d5e7f6c-1111-4222-8333-444455556666"

/* --- the encoder of lines: values joined by commas; head and tail on request; counts what is open ----------- */

static _Atomic int pieces_open, pieces_open_max, files_alive;
static const char *line_head = "", *line_tail = "";
static long line_calls, line_fails_at;      /* The call of the encoder that fails; 0: none. */
static size_t line_memory = 1;              /* What a byte counts for. */
static int64_t line_rows_more;              /* What a file says beyond its rows. */

static bool line_works(struct error *err)
{
    line_calls++;
    return line_calls != line_fails_at || error_set(err, COND_INLET_INTERNAL, "the encoder fails");
}

struct encoder { const struct encoder_spec *spec; struct encoder_spec copy; };
struct piece { const struct encoder *encoder; struct buffer bytes; int64_t rows; bool finished; };
struct encoder_file { int64_t rows; };

static struct encoder *line_open(const struct encoder_spec *spec, struct arena *arena, struct error *err)
{
    if (!line_works(err)) return NULL;
    struct encoder *encoder = ARENA_NEW(arena, struct encoder);
    encoder->copy = *spec;
    return encoder;
}
static const char *line_suffix(const struct encoder *encoder) { (void)encoder; return ".lines"; }
static struct piece *line_piece_new(const struct encoder *encoder, struct inlet_context *context, struct error *err)
{
    (void)context;
    if (!line_works(err)) return NULL;
    struct piece *piece = calloc(1, sizeof *piece);
    piece->encoder = encoder;
    if (++pieces_open > pieces_open_max) pieces_open_max = pieces_open;
    return piece;
}
static bool line_piece_add(struct piece *piece, const struct chunk *chunk, struct error *err)
{
    assert_false(piece->finished);
    if (!line_works(err)) return false;
    assert_ptr_equal(chunk->schema, piece->encoder->copy.schema);
    uint32_t count = chunk_selected(chunk);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t row = chunk->selection ? chunk->selection[i] : i;
        for (size_t c = 0; c < chunk->schema->field_count; c++) {
            if (c) buffer_byte(&piece->bytes, ',');
            show_value(&chunk->columns[c], row, piece->encoder->copy.session, &piece->bytes);
        }
        buffer_byte(&piece->bytes, '\n');
        piece->rows++;
    }
    return true;
}
static size_t line_piece_memory(const struct piece *piece) { return piece->bytes.size * line_memory; }
static bool line_piece_finish(struct piece *piece, struct error *err)
{
    if (!line_works(err)) return false;
    piece->finished = true;
    pieces_open--;
    return true;
}
static int64_t line_piece_rows(const struct piece *piece) { return piece->rows; }
static size_t line_piece_bytes(const struct piece *piece) { assert_true(piece->finished); return piece->bytes.size; }
static void line_piece_free(struct piece *piece)
{
    if (!piece->finished) pieces_open--;
    buffer_free(&piece->bytes);
    free(piece);
}
static struct encoder_file *line_file_new(const struct encoder *encoder, struct error *err)
{
    (void)encoder;
    if (!line_works(err)) return NULL;
    files_alive++;
    return calloc(1, sizeof(struct encoder_file));
}
static bool line_file_head(struct encoder_file *file, struct buffer *out, struct error *err)
{
    (void)file;
    buffer_text(out, line_head);
    return line_works(err);
}
static bool line_file_piece(struct encoder_file *file, struct piece *piece, struct slice *bytes, struct error *err)
{
    assert_true(piece->finished);
    if (!line_works(err)) return false;
    file->rows += piece->rows;
    *bytes = slice_of(piece->bytes.data, piece->bytes.size);
    return true;
}
static bool line_file_tail(struct encoder_file *file, struct buffer *out, struct error *err)
{
    (void)file;
    buffer_text(out, line_tail);
    return line_works(err);
}
static int64_t line_file_rows(const struct encoder_file *file) { return file->rows + line_rows_more; }
static const struct leaf_stats *line_file_stats(const struct encoder_file *file, size_t *count)
{
    (void)file;
    *count = 0;
    return NULL;
}
static void line_file_free(struct encoder_file *file)
{
    files_alive--;
    free(file);
}
static const struct option_spec line_options[] = {{.name = NULL}};
static const struct encoder_ops line_encoder = {
    .name = "line", .options = line_options, .open = line_open, .suffix = line_suffix, .piece_new = line_piece_new, .piece_add = line_piece_add,
    .piece_memory = line_piece_memory, .piece_finish = line_piece_finish, .piece_rows = line_piece_rows, .piece_bytes = line_piece_bytes,
    .piece_free = line_piece_free, .file_new = line_file_new, .file_head = line_file_head, .file_piece = line_file_piece,
    .file_tail = line_file_tail, .file_rows = line_file_rows, .file_stats = line_file_stats, .file_free = line_file_free};
UNUSED static const struct file_sink_format line_format = {&line_encoder, "Line", SUPPORT_ALL};

/* --- world ---------------------------------------------------------------------------------------- */

struct world {
    struct arena *arena;
    struct inlet_context context;
    struct session session;
    struct options options;
    struct sink_spec spec;
    char folder[64];
    struct error err;
};

static bool world_in_memory; /* Of tests that make very many worlds. */

UNUSED static void world_options(struct world *world, const struct option_spec *const *tables, size_t table_count, const char *const *pairs)
{
    struct option_input inputs[8];
    size_t count = 0;
    for (; pairs && pairs[2 * count]; count++) inputs[count] = (struct option_input){.name = pairs[2 * count], .text = pairs[2 * count + 1], .line = 1};
    assert_true(options_parse(world->arena, "test", tables, table_count, inputs, count, "/", &world->options, &world->err));
    world->spec.options = &world->options;
}

UNUSED static struct world *world_new(const char *ddl)
{
    struct world *world = calloc(1, sizeof *world);
    world->arena = arena_new("test");
    inlet_context_init(&world->context);
    struct buffer warnings = {0};
    struct option_input utc = {.name = "spark.sql.session.timeZone", .text = "UTC", .line = 1};
    assert_true(session_parse(world->arena, &utc, 1, &world->session, &warnings, &world->err));
    buffer_free(&warnings);
    snprintf(world->folder, sizeof world->folder, "%s/inlet-sinks-XXXXXX", world_in_memory && access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    assert_non_null(mkdtemp(world->folder));
    const struct option_spec *tables[] = {file_sink_options};
    world_options(world, tables, 1, NULL);
    world->spec = (struct sink_spec){.path = arena_printf(world->arena, "%s/out", world->folder),
        .schema = schema_parse_ddl(world->arena, ddl, &world->err), .options = &world->options, .session = &world->session,
        .context = &world->context, .query_id = QUERY_ID, .query_name = "q", .base_dir = world->folder,
        .work_dir = arena_printf(world->arena, "%s/work", world->folder)};
    assert_non_null(world->spec.schema);
    return world;
}

UNUSED static void world_partition(struct world *world, const char *a, const char *b)
{
    const char **names = ARENA_ARRAY(world->arena, const char *, 3);
    names[0] = a;
    names[1] = b;
    world->spec.partition_by = names;
    world->spec.partition_count = b ? 2 : 1;
}

UNUSED static void world_free(struct world *world)
{
    assert_true(directory_remove_tree(world->folder, &world->err));
    assert_int_equal(budget_used(world->context.budget), 0);
    inlet_context_fini(&world->context);
    arena_free(world->arena);
    free(world);
}

/* --- chunks: INT and STRING columns from text; NULL is null --------------------------------------------- */

static void fill_column(struct column *column, const char *const *cells, size_t step, uint32_t rows, struct budget *budget)
{
    size_t used = 0;
    assert_true(column_reserve(column, budget, rows, NULL));
    for (uint32_t i = 0; i < rows; i++) {
        const char *cell = cells[i * step];
        if (!cell) {
            bit_clear(column->validity, i);
            column->null_count++;
        }
        if (column->type->kind == TYPE_BOOLEAN && cell && cell[0] == 't') bit_set(column->values, i);
        if (column->type->kind == TYPE_INT) ((int32_t *)column->values)[i] = cell ? atoi(cell) : 0;
        if (column->type->kind == TYPE_BIGINT) ((int64_t *)column->values)[i] = cell ? atoll(cell) : 0;
        if (column->type->kind == TYPE_TIMESTAMP || column->type->kind == TYPE_TIMESTAMP_NTZ) ((int64_t *)column->values)[i] = cell ? atoll(cell) : 0;
        if (column->type->kind == TYPE_DATE) ((int32_t *)column->values)[i] = cell ? atoi(cell) : 0;
        if (column->type->kind != TYPE_STRING) continue;
        size_t size = cell ? strlen(cell) : 0;
        assert_true(column_reserve_data(column, budget, used + size + 1, NULL));
        if (size) memcpy(column->data + used, cell, size);
        if (i == 0) column->offsets[0] = 0;
        used += size;
        column->offsets[i + 1] = (int32_t)used;
    }
    column->length = rows;
}

UNUSED static void make_chunk(struct world *world, struct chunk *chunk, const char *const *cells, uint32_t rows)
{
    chunk_init(chunk, world->spec.schema);
    for (size_t c = 0; c < chunk->schema->field_count; c++)
        fill_column(&chunk->columns[c], cells + c, chunk->schema->field_count, rows, world->context.budget);
    chunk->row_count = rows;
}

/* --- batches -------------------------------------------------------------------------------------- */

UNUSED static struct batch_identity batch_of(int64_t id, const char *digest) { return (struct batch_identity){id, digest, 1700000000000000}; }

/* Stages one task with one chunk of the cells. */
UNUSED static bool stage_cells(struct world *world, const struct sink_ops *ops, void *state, const char *const *cells, uint32_t rows)
{
    struct chunk chunk;
    make_chunk(world, &chunk, cells, rows);
    struct sink_task *task = ops->task_new(state, 0, &world->err);
    bool ok = task && ops->task_add(task, &chunk, &world->err) && ops->task_finish(task, &world->err) &&
              ops->stage_append(state, task, &world->err);
    ops->task_free(task);
    chunk_fini(&chunk);
    return ok;
}

/* --- looking -------------------------------------------------------------------------------------- */

UNUSED static void list_into(const char *root, const char *below, struct buffer *out)
{
    char path[4096];
    snprintf(path, sizeof path, "%s%s%s", root, below[0] ? "/" : "", below);
    struct dirent **entries;
    int count = scandir(path, &entries, NULL, alphasort);
    for (int i = 0; i < count; i++) {
        const char *name = entries[i]->d_name;
        char next[4096];
        struct stat info;
        snprintf(next, sizeof next, "%s%s%s", below, below[0] ? "/" : "", name);
        char full[8300];
        snprintf(full, sizeof full, "%s/%s", root, next);
        if (strcmp(name, ".") != 0 && strcmp(name, "..") != 0 && lstat(full, &info) == 0) {
            if (S_ISDIR(info.st_mode)) list_into(root, next, out);
            else buffer_printf(out, "%s\n", next);
        }
        free(entries[i]);
    }
    if (count >= 0) free(entries);
}

/* All files below root, one a line, sorted; in the arena. */
UNUSED static const char *list_files(struct world *world, const char *root)
{
    struct buffer out = {0};
    list_into(root, "", &out);
    const char *text = arena_strndup(world->arena, (const char *)out.data, out.size);
    buffer_free(&out);
    return text;
}

UNUSED static const char *file_text(struct world *world, const char *name)
{
    struct buffer out = {0};
    assert_true(file_read_all(path_join(world->arena, world->spec.path, name), 1 << 30, &out, &world->err));
    const char *text = arena_strndup(world->arena, (const char *)out.data, out.size);
    buffer_free(&out);
    return text;
}

#define assert_contains(text, part) \
    do { \
        if (!strstr((text), (part))) fail_msg("\"%s\" is not in \"%s\"", (part), (text)); \
    } while (0)
