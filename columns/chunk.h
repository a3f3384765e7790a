/* chunk -- columns of equal length: the unit of work between rooms.
 *
 * At most CHUNK_ROWS_MAX rows and about CHUNK_TEXT_MAX bytes of text; where a JSON array begins, some times
 * that. One owner at a time; lending is by const pointer. `segments` map row ranges to where they came from.
 * `selection`, where set, names the rows that count, ascending; chunk_compact() applies it. */
#pragma once
#include "columns/column.h"

enum { CHUNK_ROWS_MAX = 16384, CHUNK_TEXT_MAX = 4 << 20 };

struct segment {
    uint32_t row_start;     /* Rows row_start .. next segment's row_start belong to `file`. */
    uint32_t file;          /* Index into the task's files. */
    int64_t byte_start;     /* Where the first record of the segment starts in the (decompressed) file. */
    int64_t record_start;   /* Number of that record in its range, from 0. */
};

struct chunk {
    const struct type *schema;      /* STRUCT; columns[i] has the type of fields[i]. Borrowed. */
    struct column *columns;         /* schema->field_count, owned. */
    uint32_t row_count;
    uint32_t *selection;            /* NULL: all rows. A block. */
    uint32_t selection_count;
    struct segment *segments;       /* malloc'ed, owned. */
    uint32_t segment_count, segment_capacity;
};

void chunk_init(struct chunk *chunk, const struct type *schema);
void chunk_fini(struct chunk *chunk);
void chunk_reset(struct chunk *chunk); /* Empty again, memory kept. */
void chunk_add_segment(struct chunk *chunk, uint32_t row_start, uint32_t file, int64_t byte_start, int64_t record_start);
bool chunk_compact(struct chunk *chunk, struct budget *budget, struct error *err) MUST_CHECK;
size_t chunk_memory(const struct chunk *chunk);
static inline uint32_t chunk_selected(const struct chunk *chunk) { return chunk->selection ? chunk->selection_count : chunk->row_count; }
