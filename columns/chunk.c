/* chunk -- making, emptying and compacting chunks. */
#include "columns/chunk.h"
#include "base/panic.h"

#include <stdlib.h>
#include <string.h>

void chunk_init(struct chunk *chunk, const struct type *schema)
{
    memset(chunk, 0, sizeof *chunk);
    chunk->schema = schema;
    if (!schema->field_count) return;
    chunk->columns = calloc(schema->field_count, sizeof *chunk->columns);
    if (!chunk->columns) panic_out_of_memory(schema->field_count * sizeof *chunk->columns);
    for (size_t i = 0; i < schema->field_count; i++) column_init(&chunk->columns[i], schema->fields[i].type);
}

void chunk_fini(struct chunk *chunk)
{
    if (chunk->columns)
        for (size_t i = 0; i < chunk->schema->field_count; i++) column_fini(&chunk->columns[i]);
    free(chunk->columns);
    free(chunk->segments);
    block_release(chunk->selection);
    memset(chunk, 0, sizeof *chunk);
}

void chunk_reset(struct chunk *chunk)
{
    for (size_t i = 0; i < chunk->schema->field_count; i++) column_reset(&chunk->columns[i]);
    block_release(chunk->selection);
    chunk->selection = NULL;
    chunk->selection_count = 0;
    chunk->row_count = 0;
    chunk->segment_count = 0;
}

void chunk_add_segment(struct chunk *chunk, uint32_t row_start, uint32_t file, int64_t byte_start, int64_t record_start)
{
    if (chunk->segment_count == chunk->segment_capacity) {
        uint32_t wanted = chunk->segment_capacity ? chunk->segment_capacity * 2 : 8;
        struct segment *grown = realloc(chunk->segments, wanted * sizeof *grown);
        if (!grown) panic_out_of_memory(wanted * sizeof *grown);
        chunk->segments = grown;
        chunk->segment_capacity = wanted;
    }
    invariant(chunk->segment_count == 0 || chunk->segments[chunk->segment_count - 1].row_start <= row_start);
    chunk->segments[chunk->segment_count++] = (struct segment){row_start, file, byte_start, record_start};
}

/* Moves each segment to the first selected row at or behind its start. */
static void compact_segments(struct chunk *chunk)
{
    uint32_t at = 0;
    for (uint32_t i = 0; i < chunk->segment_count; i++) {
        while (at < chunk->selection_count && chunk->selection[at] < chunk->segments[i].row_start) at++;
        chunk->segments[i].row_start = at;
    }
}

bool chunk_compact(struct chunk *chunk, struct budget *budget, struct error *err)
{
    if (!chunk->selection) return true;
    for (size_t i = 0; i < chunk->schema->field_count; i++) {
        struct column taken;
        if (!column_take(&taken, &chunk->columns[i], chunk->selection, chunk->selection_count, budget, err)) return false;
        column_fini(&chunk->columns[i]);
        chunk->columns[i] = taken;
    }
    compact_segments(chunk);
    chunk->row_count = chunk->selection_count;
    block_release(chunk->selection);
    chunk->selection = NULL;
    chunk->selection_count = 0;
    return true;
}

size_t chunk_memory(const struct chunk *chunk)
{
    size_t size = 0;
    for (size_t i = 0; i < chunk->schema->field_count; i++) size += column_memory(&chunk->columns[i]);
    return size;
}
