/* project -- sharing data columns, and runs for what is constant within a file. */
#include "engine/project.h"
#include "base/panic.h"

#include <stdlib.h>
#include <string.h>

static const struct column *descend(const struct column *column, const int *path, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        invariant(column->type->kind == TYPE_STRUCT && (uint32_t)path[i] < column->child_count);
        column = &column->children[path[i]];
    }
    return column;
}

/* The array with a field of its elements for the elements: a field of a null element is null already. */
static void share_gathered(struct column *out, const struct type *type, const struct column *array, const int *path, size_t size)
{
    invariant(array->encoding == COLUMN_PLAIN && array->child_count == 1);
    struct column shell = *array;
    struct column field = *descend(&array->children[0], path, size);
    shell.type = type;
    shell.children = &field;
    column_share(out, &shell);
}

static void share_path(struct column *out, const struct projected_column *column, const struct column *from)
{
    size_t depth = 1;
    for (; depth < column->path_size && from->type->kind == TYPE_STRUCT; depth++) from = descend(from, column->path + depth, 1);
    if (depth < column->path_size) share_gathered(out, column->type, from, column->path + depth, column->path_size - depth);
    else column_share(out, from);
}

/* One run per segment: the value of the segment's file. */
static bool make_runs(struct column *out, const struct column *values, const struct chunk *in, const uint32_t *file_of,
                      struct budget *budget, struct error *err)
{
    column_init(out, values->type);
    uint32_t runs = 0;
    uint32_t *rows = block_alloc(budget, ((size_t)in->segment_count + 1) * sizeof *rows, err);
    int32_t *ends = block_alloc(budget, ((size_t)in->segment_count + 1) * sizeof *ends, err);
    if (!rows || !ends) goto fail;
    for (uint32_t i = 0; i < in->segment_count; i++) {
        uint32_t end = i + 1 < in->segment_count ? in->segments[i + 1].row_start : in->row_count;
        if (end == in->segments[i].row_start) continue;
        rows[runs] = file_of[in->segments[i].file];
        ends[runs++] = (int32_t)end;
    }
    struct column taken;
    if (!column_take(&taken, values, rows, runs, budget, err)) goto fail;
    block_release(rows);
    column_fini(out); /* A nested type brought its own children. */
    memset(out, 0, sizeof *out);
    out->type = values->type;
    out->encoding = COLUMN_RUNS;
    out->length = in->row_count;
    out->run_count = runs;
    out->values = ends;
    out->children = malloc(sizeof *out->children);
    if (!out->children) panic_out_of_memory(sizeof *out->children);
    out->children[0] = taken;
    out->child_count = 1;
    for (uint32_t i = 0; i < runs; i++)
        if (!column_is_valid(&taken, i)) out->null_count += (uint32_t)(ends[i] - (i ? ends[i - 1] : 0));
    return true;

fail:
    block_release(rows);
    block_release(ends);
    return false;
}

static bool carry_rows(struct chunk *out, const struct chunk *in)
{
    out->row_count = in->row_count;
    out->selection = block_retain(in->selection);
    out->selection_count = in->selection_count;
    for (uint32_t i = 0; i < in->segment_count; i++) {
        const struct segment *from = &in->segments[i];
        chunk_add_segment(out, from->row_start, from->file, from->byte_start, from->record_start);
    }
    return true;
}

bool project_chunk(const struct project_plan *plan, const struct chunk *in, const struct chunk *constants,
                   const uint32_t *file_of, struct chunk *out, struct budget *budget, struct error *err)
{
    const struct projection *projection = plan->projection;
    chunk_reset(out);
    for (size_t i = 0; i < projection->count; i++) {
        const struct projected_column *column = &projection->columns[i];
        int origin = plan->origin[column->path[0]];
        const struct column *from = origin >= 0 ? &in->columns[origin] : &constants->columns[~origin];
        column_fini(&out->columns[i]);
        if (origin >= 0) {
            share_path(&out->columns[i], column, from);
            continue;
        }
        from = descend(from, column->path + 1, column->path_size - 1);
        if (!make_runs(&out->columns[i], from, in, file_of, budget, err)) return false;
    }
    return carry_rows(out, in);
}
